"""Lesson 01 in JupyterLab: it runs, its digit explorer follows the keyboard, and everyone can read it."""

import pytest
from playwright.sync_api import expect

from tests.browser.every_lesson import EveryLesson

pytestmark = pytest.mark.browser
LESSON = "software_2"


def test_the_explorer_follows_the_keyboard(notebook, picture):
    explorer = notebook.cell_with("explore_digits(digits").output
    drawing = explorer.get_by_role("img", name="The digit")
    before = drawing.inner_html()
    field = explorer.get_by_role("spinbutton", name="pixels down")
    field.fill("1")
    field.press("Enter")
    expect(drawing).not_to_have_js_property("innerHTML", before)
    explorer.screenshot(path=picture("explorer"))


class TestSoftware2(EveryLesson):
    def test_an_unanswered_lesson_runs_to_its_end(self, notebook):
        super().test_an_unanswered_lesson_runs_to_its_end(notebook)
        expect(notebook.errors).to_have_count(0)  # it trains nothing that shows its progress
