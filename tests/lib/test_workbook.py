"""The learner's work survives: first copies, newer editions, renamed and broken files, a fresh start."""

import json
import os
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from course_lib import copies, workbook
from course_lib.copies import read_notebook
from course_lib.errors import CourseError
from tests.lib.editions import ADD, ADDED, DOUBLE, FIRST, RETOLD, stub, text


class Course:
    """A course of one lesson, `01_tiny`, and the learner's workbook."""

    def __init__(self, folder: Path):
        self.folder, self.workbook = folder, folder / "workbook"
        self.copy = self.workbook / "01_tiny.ipynb"
        (folder / "lessons").mkdir()
        (folder / "lessons" / "01_tiny.py").touch()
        (folder / "notebooks").mkdir()

    def publish(self, edition: str, cells) -> None:
        notebook = new_notebook(cells=cells, metadata={"course": {"lesson": "tiny", "hash": edition}})
        for cell in notebook.cells:
            if cell.cell_type == "code":
                cell.outputs, cell.execution_count = [new_output("stream", text="3.14\n")], 1
        nbformat.write(notebook, self.folder / "notebooks" / "01_tiny.ipynb")

    def edit(self, change, path=None) -> None:
        """Let the learner change the cells of their copy and save it."""
        path = path or self.copy
        notebook = nbformat.read(path, as_version=4)
        change(notebook.cells)
        nbformat.write(notebook, path)

    def write(self, old: str, new: str) -> None:
        """Let the learner replace a cell's text by another."""
        self.edit(lambda cells: next(cell for cell in cells if cell.source == old).update(source=new))

    def sources(self, path=None) -> list[str]:
        notebook = nbformat.read(path or self.copy, as_version=4)
        nbformat.validate(notebook)
        return [cell.source for cell in notebook.cells]

    def files(self) -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in self.workbook.iterdir()}

    def backups(self) -> list[Path]:
        return sorted(self.workbook.glob("*.before-*.ipynb"))


@pytest.fixture
def course(tmp_path, monkeypatch):
    for variable, name in {"CHECKOUT": "", "WORKBOOK": "workbook", "STATE": "state"}.items():
        monkeypatch.setenv(f"COURSE_{variable}", str(tmp_path / name))
    course = Course(tmp_path)
    course.publish("first", FIRST)
    return course


@pytest.fixture
def copied(course):
    """The course, after the learner has opened it once."""
    workbook.update()
    return course


def test_the_first_copy_has_the_lesson_and_shows_no_result_yet(copied):
    notebook = read_notebook(copied.copy)
    assert [cell.source for cell in notebook.cells] == [cell.source for cell in FIRST]
    assert all(not cell.outputs and cell.execution_count is None for cell in notebook.cells if cell.cell_type == "code")


def test_a_copy_is_never_overwritten(copied):
    copied.write(ADD, ADDED)
    before = copied.files()
    workbook.update()
    assert copied.files() == before


def test_a_lesson_that_is_not_built_is_named(course, capsys):
    (course.folder / "notebooks" / "01_tiny.ipynb").unlink()
    assert workbook.update() == 0
    assert "course build 01" in capsys.readouterr().out


def test_answers_move_into_the_new_edition(copied, capsys):
    copied.write(ADD, ADDED)
    copied.publish("second", RETOLD)
    assert workbook.update() == 0
    assert copied.sources() == ["# Tiny, retold", "import math", ADDED, "Now twice.", DOUBLE, "print(math.pi)"]
    assert "your answers are in it: add" in capsys.readouterr().out


def test_the_earlier_file_stays_beside_it_byte_for_byte(copied):
    copied.write(ADD, ADDED)
    before = copied.copy.read_bytes()
    copied.publish("second", RETOLD)
    workbook.update()
    assert [path.read_bytes() for path in copied.backups()] == [before]


def test_a_second_run_changes_nothing(copied, capsys):
    copied.write(ADD, ADDED)
    copied.publish("second", RETOLD)
    workbook.update()
    before = copied.files()
    capsys.readouterr()
    workbook.update()
    assert copied.files() == before
    assert capsys.readouterr().out == "01_tiny.ipynb: up to date\n"


def test_two_new_editions_on_one_day_leave_two_backups(copied):
    for edition in ("second", "third"):
        copied.edit(lambda cells, edition=edition: cells.append(text(f"My note on the {edition}")))
        copied.publish(edition, [text(f"# Tiny, {edition}"), *FIRST[1:]])
        workbook.update()
    assert len(copied.backups()) == 2
    assert copied.sources()[-2:] == ["My note on the second", "My note on the third"]


def test_an_untouched_copy_is_replaced_without_a_backup(copied, capsys):
    copied.publish("second", RETOLD)
    workbook.update()
    assert copied.sources()[0] == "# Tiny, retold" and not copied.backups()
    assert "nothing of yours" in capsys.readouterr().out


def test_a_copy_that_was_only_run_keeps_its_results_in_a_backup(copied):
    copied.edit(lambda cells: cells[1].update(execution_count=1))
    copied.publish("second", RETOLD)
    workbook.update()
    assert len(copied.backups()) == 1


def test_jupyters_own_checkpoints_are_left_alone(copied):
    checkpoint = copied.workbook / ".ipynb_checkpoints" / "01_tiny-checkpoint.ipynb"
    checkpoint.parent.mkdir()
    checkpoint.write_bytes(copied.copy.read_bytes())
    copied.publish("second", RETOLD)
    workbook.update()
    assert copied.sources(checkpoint)[0] == "# Tiny"


def test_an_editors_byte_order_mark_breaks_nothing(copied):
    copied.copy.write_bytes(b"\xef\xbb\xbf" + copied.copy.read_bytes())
    assert [copy.path for copy in copies.scan_workbook()[0]] == [copied.copy]


def test_a_renamed_copy_is_known_by_what_it_says_of_itself(copied):
    mine = copied.copy.rename(copied.workbook / "my own name.ipynb")
    copied.edit(lambda cells: cells[2].update(source=ADDED), mine)
    copied.publish("second", RETOLD)
    workbook.update()
    assert copied.sources(mine)[:3] == ["# Tiny, retold", "import math", ADDED]
    assert not copied.copy.exists()


def test_copies_under_several_names_are_all_brought_up_to_date(copied):
    copied.write(ADD, ADDED)
    other = copied.workbook / "second try.ipynb"
    other.write_bytes(copied.copy.read_bytes())
    copied.publish("second", RETOLD)
    workbook.update()
    assert copied.sources(other) == copied.sources() and ADDED in copied.sources()
    assert len(copied.backups()) == 2


@pytest.mark.parametrize(
    "broken", ["", "{", "[]", '{"cells": 3}', '{"nbformat": 3, "cells": [], "metadata": {}}', "\x00"]
)
def test_a_broken_notebook_is_left_alone_and_a_fresh_copy_put_beside_it(copied, capsys, broken):
    copied.copy.write_text(broken)
    workbook.update()
    assert copied.copy.read_text() == broken
    assert copied.sources(copied.workbook / "01_tiny.fresh.ipynb") == [cell.source for cell in FIRST]
    assert "01_tiny.ipynb" in capsys.readouterr().out
    before = copied.files()
    workbook.update()
    assert copied.files() == before


def test_a_notebook_of_the_learners_own_is_none_of_our_business(copied):
    own = copied.workbook / "ideas about 01_tiny.ipynb"
    nbformat.write(new_notebook(cells=[new_code_cell("1")]), own)
    before = own.read_bytes()
    copied.publish("second", RETOLD)
    workbook.update()
    assert own.read_bytes() == before


def as_colab_saves(path):
    notebook = json.loads(path.read_text())
    notebook["nbformat_minor"] = 0
    notebook["metadata"]["colab"] = {"provenance": [], "toc_visible": True}
    for cell in notebook["cells"]:
        cell["metadata"]["id"] = cell.pop("id")
        if cell["cell_type"] == "code":
            cell["metadata"]["outputId"] = "0f2e"
    path.write_text(json.dumps(notebook))


def test_a_notebook_saved_by_colab_is_understood(copied):
    copied.write(ADD, ADDED)
    copied.edit(lambda cells: cells.insert(2, new_markdown_cell("My note")))
    as_colab_saves(copied.copy)
    copied.publish("second", [text("# Tiny, retold"), *FIRST[1:4], stub(DOUBLE.replace("much", "many")), FIRST[5]])
    workbook.update()
    assert copied.sources()[:4] == ["# Tiny, retold", "import math", "My note", ADDED]
    assert len(copied.sources()) == 7


def test_a_copy_that_does_not_list_its_cells_loses_nothing(copied):
    copied.write(ADD, ADDED)
    notebook = json.loads(copied.copy.read_text())
    del notebook["metadata"]["course"]["cells"]
    copied.copy.write_text(json.dumps(notebook))
    reworded = DOUBLE.replace("Twice as much", "Two times")
    copied.publish("second", [*FIRST[:4], stub(reworded), FIRST[5]])
    workbook.update()
    assert copied.sources() == ["# Tiny", "import math", ADDED, "Now twice.", reworded, "print(math.pi)"]


def test_a_full_disk_leaves_the_learners_file_whole(copied, monkeypatch):
    copied.write(ADD, ADDED)
    before = copied.copy.read_bytes()
    copied.publish("second", RETOLD)

    def no_space(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", no_space)
    with pytest.raises(OSError, match="No space"):
        workbook.update()
    assert copied.files() == {"01_tiny.ipynb": before}


def test_reset_gives_a_pristine_copy_and_keeps_the_old_one(copied):
    copied.write(ADD, ADDED)
    before = copied.copy.read_bytes()
    assert workbook.reset("tiny") == 0
    assert copied.sources() == [cell.source for cell in FIRST]
    assert [path.read_bytes() for path in copied.backups()] == [before]


def test_resetting_twice_leaves_one_backup(copied):
    copied.write(ADD, ADDED)
    workbook.reset("1")
    workbook.reset("1")
    assert len(copied.backups()) == 1


def test_reset_finds_a_renamed_copy(copied):
    mine = copied.copy.rename(copied.workbook / "mine.ipynb")
    copied.edit(lambda cells: cells[2].update(source=ADDED), mine)
    workbook.reset("tiny")
    assert ADD in copied.sources(mine) and not copied.copy.exists()


def test_reset_mends_a_broken_notebook(copied):
    copied.copy.write_text("{")
    workbook.reset("tiny")
    assert ADD in copied.sources()
    assert [path.read_text() for path in copied.backups()] == ["{"]


def test_reset_knows_its_lessons(copied):
    with pytest.raises(CourseError, match="tiny"):
        workbook.reset("huge")


def test_a_backup_is_not_taken_for_a_copy(copied):
    copied.write(ADD, ADDED)
    workbook.reset("tiny")
    assert [copy.path for copy in copies.scan_workbook()[0]] == [copied.copy]
