"""Lesson 04 in JupyterLab: it runs, its explorer moves a kernel by keyboard, and everyone can read it."""

import re

import pytest
from playwright.sync_api import expect

from course_lib.paths import find_lesson
from tests.browser.axe import images_without_words, serious_violations

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def notebook(lab):
    """The lesson, opened from the file list and run from top to bottom with nothing answered."""
    notebook = lab.open(find_lesson("convolution").notebook.name)
    notebook.run_all()
    return notebook


def test_an_unanswered_lesson_runs_to_its_end(notebook):
    assert None not in [cell.number for cell in notebook.code_cells]
    assert "".join(notebook.errors.all_inner_texts()).strip() == ""  # progress bars wipe themselves out


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


@pytest.mark.parametrize("theme", ["JupyterLab Light", "JupyterLab Dark"])
def test_everyone_can_read_it(notebook, lab, page, picture, theme):
    lab.use_theme(theme)
    with notebook.unrolled():
        page.screenshot(path=picture(f"whole_{theme.split()[-1].lower()}"))
        assert serious_violations(page) == []
    assert images_without_words(page) == []
