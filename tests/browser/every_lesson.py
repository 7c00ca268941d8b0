"""What every lesson must do in JupyterLab. A lesson's file names it, `LESSON = "sound"`, and subclasses `EveryLesson`.

The subclass stands at the end of the file: by then the lesson's explorers have been used.
"""

import pytest

from tests.browser.axe import images_without_words, serious_violations

both_themes = pytest.mark.parametrize("theme", ["JupyterLab Light", "JupyterLab Dark"])


class EveryLesson:
    """With the fixture `notebook`: the lesson, run from top to bottom with nothing answered."""

    def test_an_unanswered_lesson_runs_to_its_end(self, notebook):
        numbers = [cell.number for cell in notebook.code_cells]
        assert numbers and None not in numbers
        assert "".join(notebook.errors.all_inner_texts()).strip() == ""  # progress bars wipe themselves out

    @both_themes
    def test_everyone_can_read_it(self, notebook, lab, page, picture, theme):
        assert_everyone_can_read(notebook, lab, page, picture, theme)


def assert_everyone_can_read(notebook, lab, page, picture, theme):
    """Nothing serious by axe, and every image has words, in a theme of JupyterLab."""
    lab.use_theme(theme)
    with notebook.unrolled():
        page.screenshot(path=picture(f"whole_{theme.split()[-1].lower()}"))
        assert serious_violations(page) == []
    assert images_without_words(page) == []
