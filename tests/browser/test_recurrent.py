"""Lesson 08 in JupyterLab: it runs, its words can be played, and everyone can read it."""

import pytest
from playwright.sync_api import expect

from course_lib.paths import find_lesson
from tests.browser.axe import images_without_words, serious_violations

pytestmark = [pytest.mark.browser, pytest.mark.timeout(1800)]  # training takes long on a busy machine


@pytest.fixture(scope="module")
def notebook(lab):
    """The lesson, opened from the file list and run from top to bottom with nothing answered."""
    notebook = lab.open(find_lesson("recurrent").notebook.name)
    notebook.run_all()
    return notebook


def test_an_unanswered_lesson_runs_to_its_end(notebook):
    assert None not in [cell.number for cell in notebook.code_cells]
    assert "".join(notebook.errors.all_inner_texts()).strip() == ""  # progress bars wipe themselves out


def test_a_word_has_a_name_and_is_played_by_keyboard(notebook):
    player = notebook.locator.get_by_label("on", exact=True)
    expect(player).to_have_js_property("readyState", 4)  # all of it was decoded
    player.focus()
    player.press("Space")
    player.evaluate("audio => new Promise(done => audio.ended ? done() : audio.addEventListener('ended', done))")


@pytest.mark.parametrize("theme", ["JupyterLab Light", "JupyterLab Dark"])
def test_everyone_can_read_it(notebook, lab, page, picture, theme):
    lab.use_theme(theme)
    with notebook.unrolled():
        page.screenshot(path=picture(f"whole_{theme.split()[-1].lower()}"))
        assert serious_violations(page) == []
    assert images_without_words(page) == []
