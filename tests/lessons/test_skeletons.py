"""`course new`: skeletons that are complete from the first minute, and never overwrite anything."""

import subprocess
import sys

import nbformat
import pytest

from course_lib import paths
from course_lib.authoring.build import build
from course_lib.authoring.matrix import measure
from course_lib.authoring.notebook_rules import faults
from course_lib.authoring.skeletons import new_exercise, new_lesson
from course_lib.errors import CourseError


@pytest.mark.slow
def test_a_new_lesson_with_two_exercises_builds_and_all_is_green(new_course, second_pass):
    new_exercise("center")
    new_exercise("shift")
    assert build(["recurrent"]) == 0
    lesson = paths.find_lesson("recurrent")
    assert faults(nbformat.read(lesson.notebook, as_version=4)) == []
    second_pass(lesson)


def test_a_new_exercise_has_teeth(new_course):
    new_exercise("center")
    report = measure(paths.find_lesson("recurrent"))
    assert [problem for own in report.exercises for problem in own.problems] == []
    assert [mutant.problem for mutant in report.mutants if mutant.problem] == []


def test_a_new_exercise_is_written_in_the_style_of_the_course(new_course):
    new_exercise("max_pool2d")
    lesson = paths.find_lesson("recurrent")
    written = [str(lesson.solutions), str(lesson.checks)]
    settings = ["--config", str(new_course / "pyproject.toml"), "--no-cache"]
    for command in (["check", "--quiet"], ["format", "--check", "--quiet"]):
        done = subprocess.run(
            [sys.executable, "-m", "ruff", *command, *settings, *written], capture_output=True, text=True
        )
        assert done.returncode == 0, done.stdout


def test_a_new_lesson_without_an_exercise_has_a_claim_and_an_end(new_course):
    text = paths.find_lesson("recurrent").source.read_text()
    assert text.startswith("# %% [markdown]\n# # 08 · Recurrent\n")
    assert "# NBVAL_CHECK_OUTPUT" in text and "## What to remember" in text


def test_a_new_exercise_stands_before_the_end_of_the_lesson(new_course):
    new_exercise("center")
    new_exercise("shift")
    text = paths.find_lesson("recurrent").source.read_text()
    places = [text.index(part) for part in ("Exercise 1 · `center`", "Exercise 2 · `shift`", "## What to remember")]
    assert places == sorted(places)


def test_a_lesson_of_the_same_name_or_number_is_refused(new_course):
    before = everything(new_course)
    refused("already", lambda: new_lesson("recurrent", 9))
    refused("Lesson 08 is recurrent", lambda: new_lesson("another", 8))
    assert everything(new_course) == before


def test_a_file_in_the_way_is_left_as_it_is(new_course):
    (new_course / "solutions" / "another.py").write_text("precious")
    before = everything(new_course)
    refused("left as it is", lambda: new_lesson("another"))
    assert everything(new_course) == before


def test_an_exercise_of_the_same_name_is_refused(new_course):
    new_exercise("center")
    new_lesson("another")
    before = everything(new_course)
    refused("unique", lambda: new_exercise("center", "another"))
    assert everything(new_course) == before


def test_it_must_be_clear_which_lesson_an_exercise_belongs_to(new_course):
    new_lesson("another")
    refused("--lesson NAME", lambda: new_exercise("center"))
    refused("no lesson 'elsewhere'", lambda: new_exercise("center", "elsewhere"))


@pytest.mark.parametrize("name", ["Recurrent", "max-pool", "2d", "class", "", "a/b"])
def test_a_name_that_python_can_not_use_is_refused(new_course, name):
    refused("can't be a name", lambda: new_lesson(name))
    refused("can't be a name", lambda: new_exercise(name))


@pytest.fixture
def new_course(small_checkout):
    """A checkout with nothing but the skeleton of lesson 08, recurrent."""
    (small_checkout / "lessons" / "07_little.py").unlink()
    new_lesson("recurrent", 8)
    return small_checkout


def everything(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def refused(words, action):
    with pytest.raises(CourseError, match=words):
        action()
