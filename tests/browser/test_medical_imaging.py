"""Lesson 06 in JupyterLab: it runs, its explorer answers to the keyboard, and everyone can read it."""

import re

import pytest
from playwright.sync_api import expect

from course_lib.paths import find_lesson
from tests.browser.axe import images_without_words, serious_violations

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def notebook(lab):
    """The lesson, opened from the file list and run from top to bottom with nothing answered."""
    notebook = lab.open(find_lesson("medical_imaging").notebook.name)
    notebook.run_all()
    return notebook


def test_an_unanswered_lesson_runs_to_its_end(notebook):
    assert None not in [cell.number for cell in notebook.code_cells]
    assert "".join(notebook.errors.all_inner_texts()).strip() == ""  # progress bars wipe themselves out


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


@pytest.mark.parametrize("theme", ["JupyterLab Light", "JupyterLab Dark"])
def test_everyone_can_read_it(notebook, lab, page, picture, theme):
    lab.use_theme(theme)
    with notebook.unrolled():
        page.screenshot(path=picture(f"whole_{theme.split()[-1].lower()}"))
        assert serious_violations(page) == []
    assert images_without_words(page) == []
