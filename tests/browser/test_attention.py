"""Lesson 10 in JupyterLab: it runs, its explorer answers to the keyboard, and everyone can read it."""

import re

import pytest
from playwright.sync_api import expect

from course_lib.paths import find_lesson
from tests.browser.axe import images_without_words, serious_violations

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def notebook(lab):
    """The lesson, opened from the file list and run from top to bottom with nothing answered."""
    notebook = lab.open(find_lesson("attention").notebook.name)
    notebook.run_all()
    return notebook


def test_an_unanswered_lesson_runs_to_its_end(notebook):
    assert None not in [cell.number for cell in notebook.code_cells]
    assert "".join(notebook.errors.all_inner_texts()).strip() == ""  # progress bars wipe themselves out


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


@pytest.mark.parametrize("theme", ["JupyterLab Light", "JupyterLab Dark"])
def test_everyone_can_read_it(notebook, lab, page, picture, theme):
    lab.use_theme(theme)
    with notebook.unrolled():
        page.screenshot(path=picture(f"whole_{theme.split()[-1].lower()}"))
        assert serious_violations(page) == []
    assert images_without_words(page) == []
