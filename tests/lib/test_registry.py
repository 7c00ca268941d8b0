"""Exercises are found by name, anew when their files change, and loose ends are refused."""

import os
import shutil

import pytest

from course_lib.errors import CourseError
from course_lib.exercises.registry import find_exercise, load_lesson


@pytest.fixture
def own_course(tiny_course, monkeypatch, tmp_path):
    """A copy of the tiny course that a test may change."""
    shutil.copytree(tiny_course, tmp_path / "course", ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setenv("COURSE_CHECKOUT", str(tmp_path / "course"))
    return tmp_path / "course"


def add(path, text):
    path.write_text(path.read_text() + text)
    stamp = path.stat().st_mtime_ns + 10**9  # a clock may be too coarse to tell
    os.utime(path, ns=(stamp, stamp))


def test_a_lesson_knows_its_exercises_with_all_that_belongs_to_them(tiny_course):
    exercises = load_lesson("1").exercises
    assert list(exercises)[:2] == ["softmax", "cross_entropy"]
    softmax = exercises["softmax"]
    assert [check.name for check in softmax.checks] == ["rows_add_up", "any_axis", "large_numbers", "logits_survive"]
    assert set(softmax.siblings) == set(exercises) - {"softmax"}
    assert "softmax_over_the_first_axis" in softmax.mistakes and "torch.softmax" in softmax.shortcuts


def test_an_exercise_is_found_by_its_name_alone(tiny_course):
    assert find_exercise("RunningMean").lesson == "tiny"


@pytest.mark.parametrize("name", ["soft", "softmax_over_the_first_axis", "nothing", "def", "softmax(", ""])
def test_a_name_that_is_no_exercise_is_told(tiny_course, name):
    with pytest.raises(CourseError, match="There is no exercise called"):
        find_exercise(name)


def test_a_changed_file_is_read_anew(own_course):
    before = find_exercise("accuracy")
    assert find_exercise("accuracy") is before
    add(own_course / "solutions" / "tiny.py", "\n\n@mistake(of=accuracy, hint='h')\ndef accuracy_new(p, l): ...\n")
    assert "accuracy_new" in find_exercise("accuracy").mistakes


def test_a_check_of_nothing_is_refused(own_course):
    add(own_course / "tests/exercises/tiny.py", "\n\n@check('Is there')\ndef is_there(no_such, draw): ...\n")
    with pytest.raises(CourseError, match=r"tiny.py: is_there wants no_such"):
        load_lesson("tiny")


def test_a_check_that_asks_for_a_strange_sibling_is_refused(own_course):
    add(own_course / "tests/exercises/tiny.py", "\n\n@check('Is there')\ndef is_there(softmax, draw, torch): ...\n")
    with pytest.raises(CourseError, match=r"tiny.py: is_there wants torch"):
        load_lesson("tiny")


def test_a_mistake_in_what_is_not_checked_is_refused(own_course):
    add(own_course / "solutions/tiny.py", "\n\ndef f(): ...\n\n\n@mistake(of=f, hint='h')\ndef f_wrong(): ...\n")
    with pytest.raises(CourseError, match="f_wrong is a mistake of f, which has no checks"):
        load_lesson("tiny")


def test_a_lesson_without_exercises_has_none(own_course):
    (own_course / "lessons" / "02_reading.py").touch()
    assert load_lesson("reading").exercises == {}
