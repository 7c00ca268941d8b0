"""Lesson 07 as a learner meets it: Run All, players that hold sound, an explorer with labels, no violations by axe."""

import re

import pytest
from playwright.sync_api import expect

from tests.browser.every_lesson import EveryLesson

pytestmark = pytest.mark.browser
LESSON = "sound"


def test_a_player_has_a_name_and_the_browser_can_read_its_sound(notebook):
    player = notebook.locator.get_by_label("5,000 Hz, sampled 8,000 times a second")
    player.scroll_into_view_if_needed()
    expect(player).to_have_js_property("readyState", 4)  # all of it was decoded
    assert player.evaluate("audio => audio.duration") == pytest.approx(0.5, abs=0.01)


def test_the_explorer_is_turned_by_its_labels_and_says_what_it_shows(notebook, picture):
    explorer = notebook.locator.locator(".course-spectrogram")
    drawing, sentence = explorer.get_by_role("img"), explorer.get_by_role("status")
    expect(sentence).to_contain_text("frames of 25 ms, one every 10 ms; 257 bins")
    explorer.get_by_label("sound").select_option("chirp")
    explorer.get_by_label("window").select_option("5 ms")
    explorer.get_by_label("hop").select_option("1 ms")
    explorer.get_by_label("mel bands").select_option("40")
    expect(sentence).to_contain_text("1996 frames of 5 ms, one every 1 ms; 40 mel bands")
    expect(drawing).to_have_attribute("aria-label", re.compile("Spectrogram of chirp"))
    expect(explorer.locator("audio")).to_have_attribute("aria-label", "chirp")
    explorer.screenshot(path=picture("explorer"))


class TestSound(EveryLesson):
    """It runs to its end, and everyone can read it."""
