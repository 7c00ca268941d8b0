"""Lesson 09 in JupyterLab: it runs, its explorers answer to keyboard and file, and everyone can read it."""

import re

import pytest
from playwright.sync_api import expect

from course_lib.generate.speech import speak
from course_lib.sound_files import write_sound
from tests.browser.every_lesson import EveryLesson

pytestmark = [pytest.mark.browser, pytest.mark.timeout(1800)]  # training takes long on a busy machine
LESSON = "speech_recognition"


def test_a_text_is_typed_and_aligned_by_keyboard(notebook, picture):
    explorer = notebook.cell_with("explore_alignment(some").output
    explorer.get_by_role("combobox", name="recording").select_option(index=3)
    typed = explorer.get_by_role("textbox", name="text")
    typed.fill("turn on the heater")
    typed.press("Enter")
    drawing = explorer.get_by_role("img")
    expect(drawing).to_have_attribute("aria-label", re.compile("turn from .* heater from"))
    expect(explorer).to_contain_text(re.compile("“turn on the heater” costs .* the network itself reads “"))
    explorer.screenshot(path=picture("explorer"))
    typed.fill("turn on 7 heaters")
    expect(explorer).to_contain_text("This can't be aligned")


def test_a_recording_is_chosen_by_keyboard_and_transcribed(notebook, page, tmp_path):
    write_sound(tmp_path / "said.wav", speak("turn off the kitchen light"))
    cell = notebook.cell_with("explore_microphone(transcribe)").output
    with page.expect_file_chooser() as chooser:
        cell.get_by_role("button", name="Choose a recording").press("Enter")
    chooser.value.set_files(tmp_path / "said.wav")
    expect(cell).to_contain_text(re.compile(r"said\.wav, \d\.\d s: “turn off the kitchen light”"))


class TestSpeechRecognition(EveryLesson):
    """It runs to its end, and everyone can read it."""
