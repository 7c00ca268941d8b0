"""Lesson 11 in JupyterLab: it runs, its explorer answers to the keyboard, and everyone can read it."""

import re

import pytest
from playwright.sync_api import expect

from course_lib.paths import find_lesson
from tests.browser.axe import images_without_words, serious_violations

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def notebook(lab):
    """The lesson, opened from the file list and run from top to bottom with nothing answered."""
    notebook = lab.open(find_lesson("transfer_learning").notebook.name)
    notebook.run_all()
    return notebook


def test_an_unanswered_lesson_runs_to_its_end(notebook):
    assert None not in [cell.number for cell in notebook.code_cells]
    assert "".join(notebook.errors.all_inner_texts()).strip() == ""  # progress bars wipe themselves out


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


@pytest.mark.parametrize("theme", ["JupyterLab Light", "JupyterLab Dark"])
def test_everyone_can_read_it(notebook, lab, page, picture, theme):
    lab.use_theme(theme)
    with notebook.unrolled():
        page.screenshot(path=picture(f"whole_{theme.split()[-1].lower()}"))
        assert serious_violations(page) == []
    assert images_without_words(page) == []
