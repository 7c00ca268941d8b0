"""Lesson 01 in JupyterLab: it runs, its digit explorer follows the keyboard, and everyone can read it."""

import pytest
from playwright.sync_api import expect

from course_lib.paths import find_lesson
from tests.browser.axe import images_without_words, serious_violations

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def notebook(lab):
    """The lesson, opened from the file list and run from top to bottom with nothing answered."""
    notebook = lab.open(find_lesson("software_2").notebook.name)
    notebook.run_all()
    return notebook


def test_an_unanswered_lesson_runs_to_its_end(notebook):
    assert None not in [cell.number for cell in notebook.code_cells]
    expect(notebook.errors).to_have_count(0)


def test_the_explorer_follows_the_keyboard(notebook, picture):
    explorer = notebook.cell_with("explore_digits(digits").output
    drawing = explorer.get_by_role("img", name="The digit")
    before = drawing.inner_html()
    field = explorer.get_by_role("spinbutton", name="pixels down")
    field.fill("1")
    field.press("Enter")
    expect(drawing).not_to_have_js_property("innerHTML", before)
    explorer.screenshot(path=picture("explorer"))


@pytest.mark.parametrize("theme", ["JupyterLab Light", "JupyterLab Dark"])
def test_everyone_can_read_it(notebook, lab, page, picture, theme):
    lab.use_theme(theme)
    with notebook.unrolled():
        page.screenshot(path=picture(f"whole_{theme.split()[-1].lower()}"))
        assert serious_violations(page) == []
    assert images_without_words(page) == []
