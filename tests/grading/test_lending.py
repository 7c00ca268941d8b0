"""What a worker is lent of other exercises' references: as little as it needs, and it can't pass it on."""

from dataclasses import replace

import pytest

from course_lib.exercises.excerpts import excerpt
from course_lib.exercises.registry import load_lesson
from course_lib.exercises.scenario import run_scenario
from course_lib.grading import plan as planning
from course_lib.grading.plan import make_plan
from course_lib.grading.pool import Reply
from course_lib.grading.signatures import describe_signature
from course_lib.grading.verdicts import verdict_of
from course_lib.paths import lessons

EVERY = [(lesson.name, name) for lesson in lessons() for name in load_lesson(lesson.name).exercises]


@pytest.mark.parametrize(("lesson", "name"), EVERY)
def test_no_worker_holds_the_answer_that_it_is_asked_for(lesson, name):
    plan = make_plan([lesson], seed=7)
    exercise = plan.lessons[lesson].exercises[name]
    request = plan.run_request(exercise, [], set(plan.lessons[lesson].exercises))
    assert name not in request["lent"]
    body = excerpt(name, exercise_source(lesson)).partition("\n")[2].strip()
    assert all(body not in source for source in request["lent"].values())
    assert set(request) == {
        *("kind", "exercise", "names", "stubs", "cells", "checks", "lent", "shortcuts", "seed", "seconds", "deadline")
    }


def exercise_source(lesson):
    return load_lesson(lesson).lesson.solutions.read_text(encoding="utf-8")


@pytest.mark.parametrize(("lesson", "name"), EVERY)
def test_what_scenarios_ask_for_is_lent_and_works_as_the_reference_does(lesson, name):
    plan = make_plan([lesson], seed=7)
    exercise = plan.lessons[lesson].exercises[name]
    asked = {each for check in exercise.checks for each in check.parameters[2:]}
    lent = plan.lent(exercise, set())
    assert set(lent) == asked
    spaces = {each: {} for each in lent}
    for each in lent:
        exec(excerpt(each, exercise_source(lesson)), spaces[each])
    siblings = {each: spaces[each][each] for each in lent}
    for check in exercise.checks:
        if check.parameters[2:]:
            ours, theirs = (
                run_scenario(check, exercise.reference, siblings=those, seed=3).observation
                for those in (siblings, exercise.siblings)
            )
            assert ours == theirs


def test_an_earlier_exercise_is_lent_where_the_code_uses_it_and_a_later_one_never():
    plan = make_plan(["sound"], seed=1)
    exercises = plan.lessons["sound"].exercises
    assert plan.lent(exercises["power_spectrogram"], {"frame", "mfcc"}) == ["frame"]
    assert plan.lent(exercises["power_spectrogram"], set()) == []
    assert plan.lent(exercises["frame"], {"power_spectrogram", "mfcc"}) == []


def reply_saying(secret):
    import json

    signature = describe_signature(lambda nodes, backward_rule: None)
    header = {"state": "broken", "why": secret, "remarks": [secret], "signature": signature}
    said = json.dumps(header).encode()
    return Reply("ended", len(said).to_bytes(8, "little") + said)


def test_a_worker_that_was_lent_something_has_no_words_of_its_own():
    exercise = load_lesson("backprop").exercises["backpropagate"]
    quiet = verdict_of(exercise, reply_saying("the secret"), seed=1, quiet=True)
    assert "secret" not in repr(quiet)
    assert "secret" in repr(verdict_of(exercise, reply_saying("the secret"), seed=1, quiet=False))


def test_the_seed_is_not_shown_where_a_plan_is_printed():
    assert "4711" not in repr(replace(make_plan(["backprop"], seed=0), seed=4711))
    assert planning.SECONDS_PER_CHECK == 5.0
