"""`course import`: an edit goes back into the source, or is refused before anything is lost."""

import nbformat
import pytest

from course_lib import paths
from course_lib.authoring.importing import edited_source, import_notebook
from course_lib.authoring.sources import notebook_from_source, written_cells
from course_lib.errors import CourseError


@pytest.fixture
def little(small_checkout):
    """The little lesson with an exercise: its source, and a notebook of it to edit."""
    source = small_checkout / "lessons" / "07_little.py"
    stub = '# %% tags=["exercise"]\n@exercise\ndef half(number):\n    """Half of it."""\n    ...  # your code here\n'
    source.write_text(source.read_text(encoding="utf-8") + "\n" + stub, encoding="utf-8")
    text = source.read_text(encoding="utf-8")
    return source, notebook_from_source(text, name="little", source="lessons/07_little.py")


def imported(little) -> str:
    source, notebook = little
    path = source.parent.parent / "edited.ipynb"
    nbformat.write(notebook, path)
    import_notebook(str(path))
    return source.read_text(encoding="utf-8")


def test_a_pristine_notebook_gives_back_every_byte(little):
    before = little[0].read_bytes()
    assert imported(little).encode() == before


@pytest.mark.parametrize("lesson", paths.lessons(), ids=lambda lesson: lesson.stem)
def test_every_lesson_of_the_course_comes_back_from_its_notebook(lesson):
    source = lesson.source.read_text(encoding="utf-8")
    notebook = notebook_from_source(source, name=lesson.name, source=f"lessons/{lesson.stem}.py")
    assert edited_source(source, written_cells(notebook)) == source


def test_an_odd_layout_survives_in_cells_that_nobody_touched(little, small_checkout):
    text = "# %% [markdown]\n# # Odd\n\n\n\n# %%\nx = 1\n# %%\ny = 2;\n\n\n\n# %% [markdown]\n# The end.\n"
    little[0].write_text(text, encoding="utf-8")
    notebook = notebook_from_source(text, name="little", source="lessons/07_little.py")
    notebook.cells[-1].source = "The very end."
    assert imported((little[0], notebook)) == text.replace("# The end.", "# The very end.")


def test_an_edit_of_code_and_one_of_prose_arrive(little):
    before = little[0].read_text(encoding="utf-8")
    cells = little[1].cells
    cells[0].source = cells[0].source.replace("A little lesson", "A small lesson")
    cells[-2].source += "\n\n- one\n- two"
    expected = before.replace("A little", "A small").replace("That is all.\n", "That is all.\n#\n# - one\n# - two\n")
    assert imported(little) == expected


def test_a_new_cell_with_a_tag_and_a_command_arrives(little):
    cell = nbformat.v4.new_code_cell("!ls\nprint(3)", metadata={"tags": ["setup"], "collapsed": True})
    little[1].cells.insert(4, cell)
    assert '# %% tags=["setup"]\n# !ls\nprint(3)\n' in imported(little)


def test_a_deleted_cell_goes_and_an_empty_one_is_left_out(little):
    del little[1].cells[2]
    little[1].cells.append(nbformat.v4.new_code_cell(""))
    new = imported(little)
    assert "import io" not in new and new.endswith("# your code here\n")


def test_outputs_are_left_out(little):
    little[1].cells[2].outputs = [nbformat.v4.new_output("stream", text="printed")]
    assert "printed" not in imported(little)


def test_a_newer_source_is_not_overwritten(little):
    little[0].write_text(little[0].read_text(encoding="utf-8") + "\n# %%\nnewer = True\n", encoding="utf-8")
    refused(little, "would undo the newer text")


def test_a_pasted_picture_is_refused(little):
    little[1].cells[0].attachments = {"image.png": {"image/png": "AAAA"}}
    refused(little, "pasted picture")


def test_an_edited_setup_cell_is_refused(little):
    little[1].cells[1].source += "\nprint('hello')"
    refused(little, "set-up cell")


def test_metadata_that_a_lesson_does_not_keep_are_refused(little):
    little[1].cells[2].metadata["slideshow"] = {"slide_type": "slide"}
    refused(little, "slideshow")


def test_an_answer_does_not_end_in_the_lesson(little):
    little[1].cells[-1].source = "@exercise\ndef half(number):\n    return number / 2"
    refused(little, "answers half")


def test_a_cell_that_the_format_can_not_express_is_refused(little):
    little[1].cells[2].source = "x = 1\n# %%\ny = 2"
    refused(little, "percent format")


def test_a_notebook_from_elsewhere_is_refused(little):
    del little[1].metadata["course"]
    refused(little, "not built by `course build`")


def refused(little, words):
    before = little[0].read_bytes()
    with pytest.raises(CourseError, match=words):
        imported(little)
    assert little[0].read_bytes() == before
