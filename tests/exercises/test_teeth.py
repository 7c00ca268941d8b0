"""The checks have teeth: known mistakes fail and are diagnosed as themselves, and small changes do not go unnoticed."""

from functools import cache

import pytest

from course_lib.authoring.matrix import LessonReport, document, measure
from course_lib.exercises.registry import load_lesson
from course_lib.exercises.stubs import stub_sources
from course_lib.paths import checkout, find_lesson, lessons

NAMES = [lesson.name for lesson in lessons()]


@cache
def measured(name: str) -> LessonReport:
    return measure(find_lesson(name))


@pytest.mark.parametrize("name", NAMES)
def test_every_known_mistake_is_killed_and_diagnosed_as_itself(name):
    assert [f"{own.exercise.name}: {problem}" for own in measured(name).exercises for problem in own.problems] == []


@pytest.mark.parametrize("name", NAMES)
def test_small_changes_to_a_reference_are_noticed_or_explained(name):
    assert [mutant.problem for mutant in measured(name).mutants if mutant.problem] == []


@pytest.mark.parametrize("name", NAMES)
def test_every_exercise_cell_has_checks_and_every_check_has_a_cell(name):
    assert set(stub_sources(find_lesson(name))) == set(load_lesson(name).exercises)


def test_the_kill_matrix_in_docs_is_the_one_that_is_measured_now():
    kept = (checkout() / "docs" / "kill_matrix.md").read_text(encoding="utf-8")
    assert kept == document([measured(name) for name in NAMES]), "run `course matrix`, commit docs/kill_matrix.md"


def test_exercise_names_are_unique_over_the_course():
    names = [name for lesson in NAMES for name in load_lesson(lesson).exercises]
    assert len(names) == len(set(names))
