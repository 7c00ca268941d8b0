"""Lesson 06 in JupyterLab: it runs, its explorer answers to the keyboard, and everyone can read it."""

import re

import pytest
from playwright.sync_api import expect

from tests.browser.every_lesson import EveryLesson

pytestmark = pytest.mark.browser
LESSON = "medical_imaging"


def test_the_threshold_moves_by_keyboard_and_the_counts_follow(notebook, picture):
    explorer = notebook.locator.locator(".course-threshold")
    answer, threshold = explorer.get_by_role("status"), explorer.get_by_role("spinbutton", name="threshold")
    threshold.fill("0")
    threshold.press("Enter")
    expect(answer).to_contain_text("recall: 100.0%")
    expect(answer).to_contain_text("false alarm rate: 100.0%")
    threshold.fill("1")
    threshold.press("Enter")
    expect(answer).to_contain_text("false alarm rate: 0.0%")
    explorer.get_by_role("spinbutton", name="a miss costs").fill("200")
    explorer.get_by_role("button", name="go to the cheapest").press("Enter")
    expect(answer.get_by_role("img")).to_have_attribute("aria-label", re.compile(r"recall (9\d|100)%"))
    explorer.screenshot(path=picture("explorer"))


class TestMedicalImaging(EveryLesson):
    """It runs to its end, and everyone can read it."""
