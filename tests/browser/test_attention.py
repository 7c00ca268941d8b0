"""Lesson 10 in JupyterLab: it runs, its explorer answers to the keyboard, and everyone can read it."""

import re

import pytest
from playwright.sync_api import expect

from tests.browser.every_lesson import EveryLesson

pytestmark = pytest.mark.browser
LESSON = "attention"


def test_head_and_word_are_chosen_by_keyboard_and_answer_in_words(notebook, picture):
    explorer = notebook.locator.locator(".course-attention")
    answer, drawing = explorer.get_by_role("status"), explorer.locator(".course-attention-picture svg")
    expect(answer).to_contain_text("1 'please' looks at")
    explorer.get_by_role("button", name="Next").press("Enter")
    expect(answer).to_contain_text("2 'turn' looks at")
    explorer.get_by_role("combobox", name="Word").select_option("11 'hall'")
    expect(answer).to_contain_text("11 'hall' looks at")
    before = answer.inner_text()
    explorer.get_by_role("combobox", name="Head").select_option("block 2, head 3")
    expect(answer).not_to_have_text(before)
    expect(drawing).to_have_attribute("aria-label", re.compile("^11 'hall' looks at"))
    explorer.screenshot(path=picture("explorer"))


class TestAttention(EveryLesson):
    """It runs to its end, and everyone can read it."""
