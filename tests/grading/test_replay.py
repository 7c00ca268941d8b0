"""A worker can say what it likes: a true answer to other inputs, or a fixed one, must not pass for one to these."""

import pytest

from course_lib.exercises.registry import load_lesson
from course_lib.exercises.scenario import run_scenario
from course_lib.grading.verdicts import judge_claims
from course_lib.paths import lessons


@pytest.mark.parametrize("lesson", [lesson.name for lesson in lessons()])
def test_what_the_reference_showed_for_one_seed_earns_nothing_with_another(lesson):
    forged = []
    for name, exercise in load_lesson(lesson).exercises.items():
        runs = {
            check.name: run_scenario(check, exercise.reference, siblings=exercise.siblings, seed=1, raw=True)
            for check in exercise.checks
        }
        if judge_claims(exercise, runs, seed=2).state == "right":
            forged.append(name)
    assert forged == []
