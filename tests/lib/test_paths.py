"""Paths: where things live, which lesson is meant, and files that are whole or not there."""

import os
from pathlib import Path

import pytest

from course_lib import paths
from course_lib.errors import CourseError


@pytest.fixture
def course(monkeypatch, tmp_path):
    for variable in ("COURSE_DATA", "COURSE_STATE", "COURSE_WORKBOOK"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("COURSE_CHECKOUT", str(tmp_path))
    (tmp_path / "lessons").mkdir()
    for name in ("10_attention.py", "02_backprop.py", "README.md", "_draft.py", "2_x.py"):
        (tmp_path / "lessons" / name).touch()
    return tmp_path


def test_everything_lives_in_the_checkout_unless_told_otherwise(course, monkeypatch):
    assert paths.data_dir() == course / "data"
    assert paths.state_dir() == course / ".course"
    assert paths.workbook_dir() == course / "workbook"
    monkeypatch.setenv("COURSE_DATA", "~/corpora")
    assert paths.data_dir() == Path.home() / "corpora"


def test_the_checkout_is_where_the_library_lies(monkeypatch):
    monkeypatch.delenv("COURSE_CHECKOUT", raising=False)
    assert (paths.checkout() / "course_lib" / "paths.py").samefile(paths.__file__)


def test_lessons_are_listed_by_number_and_nothing_else_is(course):
    assert [lesson.stem for lesson in paths.lessons()] == ["02_backprop", "10_attention"]


@pytest.mark.parametrize(
    "key",
    [
        "backprop",
        "2",
        "02",
        "02_backprop",
        "02_backprop.ipynb",
        Path("workbook/02_backprop.ipynb"),
        "lessons/02_backprop.py",
    ],
)
def test_a_lesson_is_found_by_whatever_one_calls_it(course, key):
    assert paths.find_lesson(key).name == "backprop"


def test_a_lesson_that_is_not_there_is_answered_with_those_that_are(course):
    with pytest.raises(CourseError, match=r"no lesson 'speech'.*backprop, attention"):
        paths.find_lesson("speech")


def test_a_lesson_knows_the_places_of_its_parts(course):
    lesson = paths.find_lesson("2")
    assert lesson.notebook == course / "notebooks" / "02_backprop.ipynb"
    assert lesson.checks == course / "tests" / "exercises" / "backprop.py"


def test_writing_makes_folders_and_keeps_newlines_plain(tmp_path):
    path = tmp_path / "new" / "file.txt"
    paths.write_atomically(path, "é\n")
    assert path.read_bytes() == b"\xc3\xa9\n"
    paths.write_atomically(path, b"\x00")
    assert path.read_bytes() == b"\x00" and os.listdir(path.parent) == ["file.txt"]


def test_a_crash_while_writing_leaves_the_old_file_whole(tmp_path, monkeypatch):
    path = tmp_path / "file.txt"
    paths.write_atomically(path, "old")

    def crash(*_):
        raise OSError("disk full")

    monkeypatch.setattr(os, "fsync", crash)
    with pytest.raises(OSError, match="disk full"):
        paths.write_atomically(path, "new")
    assert path.read_text() == "old" and os.listdir(tmp_path) == ["file.txt"]


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such permissions")
def test_a_file_keeps_its_permissions_and_a_new_one_gets_the_usual(tmp_path):
    path, plain = tmp_path / "file.txt", tmp_path / "plain.txt"
    plain.touch()
    paths.write_atomically(path, "new")
    assert path.stat().st_mode == plain.stat().st_mode
    path.chmod(0o640)
    paths.write_atomically(path, "newer")
    assert path.stat().st_mode & 0o777 == 0o640
