"""Lesson 11 in JupyterLab: it runs, its explorer answers to the keyboard, and everyone can read it."""

import re

import pytest
from playwright.sync_api import expect

from tests.browser.every_lesson import EveryLesson

pytestmark = pytest.mark.browser
LESSON = "transfer_learning"


def test_the_label_budget_is_chosen_by_keyboard_and_answers_in_words(notebook, picture):
    explorer = notebook.locator.locator(".course-label-budget")
    explorer.get_by_role("combobox", name="Labels per class").select_option("20")
    expect(explorer.get_by_role("status")).to_contain_text("With 20 labels per class")
    wanted = explorer.get_by_role("spinbutton", name="Accuracy wanted (%)")
    wanted.fill("60")
    wanted.press("Enter")
    expect(explorer.get_by_role("status")).to_contain_text("for 60%")
    expect(explorer.locator("svg")).to_have_attribute("aria-label", re.compile("With 20 labels .* for 60%"))
    explorer.screenshot(path=picture("explorer"))


class TestTransferLearning(EveryLesson):
    """It runs to its end, and everyone can read it."""
