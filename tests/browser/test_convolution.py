"""Lesson 04 in JupyterLab: it runs, its explorer moves a kernel by keyboard, and everyone can read it."""

import re

import pytest
from playwright.sync_api import expect

from tests.browser.every_lesson import EveryLesson

pytestmark = pytest.mark.browser
LESSON = "convolution"


def test_the_kernel_moves_by_keyboard_and_says_what_it_does(notebook, picture):
    explorer = notebook.locator.locator(".course-kernel")
    sentence, drawing = explorer.get_by_role("status"), explorer.locator(".course-kernel-picture svg")
    explorer.get_by_role("button", name="Last").press("Enter")
    expect(sentence).to_contain_text("24 of 24. answer[3, 5]")
    explorer.get_by_label("Padding").select_option("1")
    expect(sentence).to_contain_text("1 of 48. answer[0, 0], from rows -1 to 1, columns -1 to 1")
    for _ in range(3):
        explorer.get_by_role("button", name="Step").press("Enter")
    expect(drawing).to_have_attribute("aria-label", re.compile(r"answer\[0, 3\].* = 2"))
    explorer.screenshot(path=picture("explorer"))


class TestConvolution(EveryLesson):
    """It runs to its end, and everyone can read it."""
