"""Every notebook belongs to its lesson, and keeps the rules: seen without running anything."""

import nbformat
import pytest

from course_lib import paths
from course_lib.authoring.drift import drift
from course_lib.authoring.notebook_rules import faults
from course_lib.authoring.sources import notebook_from_source


def test_every_notebook_belongs_to_its_lesson():
    assert drift() == []


@pytest.mark.parametrize("path", sorted((paths.checkout() / "notebooks").glob("*.ipynb")), ids=lambda path: path.stem)
def test_every_notebook_keeps_the_rules(path):
    assert faults(nbformat.read(path, as_version=4)) == []


@pytest.fixture
def little(small_checkout):
    """The little lesson with a notebook that belongs to it."""
    lesson = paths.find_lesson("little")
    notebook = notebook_from_source(lesson.source.read_text(), name="little", source="lessons/07_little.py")
    lesson.notebook.parent.mkdir()
    nbformat.write(notebook, lesson.notebook)
    return lesson


def test_outputs_are_no_drift(little):
    assert drift() == []
    notebook = nbformat.read(little.notebook, as_version=4)
    notebook.cells[2].outputs = [nbformat.v4.new_output("stream", text="printed")]
    nbformat.write(notebook, little.notebook)
    assert drift() == []


def test_a_lesson_that_has_changed_is_found(little):
    little.source.write_text(little.source.read_text() + "\n# %%\n1 + 1\n")
    assert len(drift()) == 1 and "has changed" in drift()[0]


def test_a_notebook_that_was_edited_is_found(little):
    notebook = nbformat.read(little.notebook, as_version=4)
    notebook.cells[2].source = "import os"
    nbformat.write(notebook, little.notebook)
    assert len(drift()) == 1 and "was edited" in drift()[0]


def test_a_setup_cell_for_another_repository_is_found(little, small_checkout):
    (small_checkout / "pyproject.toml").write_text('[tool.course]\nrepository = "https://example.org/else/where"\n')
    assert len(drift()) == 1 and "course build little" in drift()[0]


def test_a_lesson_without_notebook_and_a_notebook_without_lesson_are_found(little):
    little.notebook.rename(little.notebook.with_name("08_stray.ipynb"))
    assert [complaint.partition(":")[0] for complaint in drift()] == [
        "08_stray.ipynb has no lesson",
        "07_little has no notebook",
    ]
