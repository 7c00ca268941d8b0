"""Diagnosis: a known mistake is named when the evidence is there, and never on the strength of chance."""

from dataclasses import replace

import pytest
import torch

from course_lib.exercises import check
from course_lib.exercises.declare import Mistake
from course_lib.exercises.diagnosis import diagnose, is_right
from course_lib.exercises.observations import OutOfTime, Raised
from course_lib.exercises.registry import Exercise, load_lesson
from course_lib.exercises.scenario import run_scenario

CERTAIN = [
    "softmax_over_the_first_axis",
    "softmax_divides_by_the_largest",
    "softmax_damages_its_input",
    "cross_entropy_adds_up",
    "accuracy_counts_errors",
    "accuracy_forgets_to_divide",
    "accuracy_adds_one",
    "RunningMeanOfMeans",
    "count_correct_from_one",
]


def exercise_of(reference, checks, *mistakes) -> Exercise:
    """An exercise made on the spot; a mistake's hint is its name."""
    known = {each.__name__: Mistake(each.__name__, "answer", each.__name__, each) for each in mistakes}
    return Exercise("answer", "lesson", reference, list(checks), {}, known)


def diagnosed(exercise, answer, *, seed=0) -> list[tuple[str, bool]]:
    observed = {
        check.name: run_scenario(check, answer, siblings=exercise.siblings, seed=seed).observation
        for check in exercise.checks
    }
    return [(found.mistake, found.certain) for found in diagnose(exercise, observed, seed=seed)]


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", CERTAIN)
def test_a_known_mistake_is_diagnosed_as_itself_under_every_seed(tiny_course, name, seed):
    for exercise in load_lesson("tiny").exercises.values():
        if name in exercise.mistakes:
            assert diagnosed(exercise, exercise.mistakes[name].implementation, seed=seed) == [(name, True)]
            return
    raise AssertionError(f"{name} is not there")


# One exercise by hand: an affine map in two steps, with a check for each step.


@check("Adds the bias")
def adds(answer, draw):
    return [answer(draw.normal(4), factor=1.0, bias=2.0) for _ in range(3)]


@check("Multiplies by the factor")
def multiplies(answer, draw):
    return [answer(draw.normal(4), factor=3.0, bias=0.0) for _ in range(3)]


@check("Does both")
def does_both(answer, draw):
    return [answer(draw.normal(4), factor=3.0, bias=2.0) for _ in range(3)]


def affine(x, *, factor, bias):
    return factor * x + bias


def without_bias(x, *, factor, bias):
    return factor * x


def without_factor(x, *, factor, bias):
    return x + bias


def bias_subtracted(x, *, factor, bias):
    return factor * x - bias


SEPARATE = exercise_of(affine, [adds, multiplies], without_bias, without_factor, bias_subtracted)
TOGETHER = exercise_of(affine, [adds, multiplies, does_both], without_bias, without_factor, bias_subtracted)


def test_two_mistakes_in_different_checks_are_both_told():
    def both(x, *, factor, bias):
        return x

    assert sorted(diagnosed(SEPARATE, both)) == [("without_bias", True), ("without_factor", True)]


def test_a_compound_of_two_mistakes_is_never_certainly_one_of_them():
    def both(x, *, factor, bias):
        return x

    found = diagnosed(TOGETHER, both)
    assert found and not any(certain for _, certain in found)


def test_a_compound_is_never_certainly_a_third_mistake():
    def both(x, *, factor, bias):
        return x - bias

    assert all(name in ("bias_subtracted", "without_factor") for name, _ in diagnosed(SEPARATE, both))
    assert not any(certain for _, certain in diagnosed(TOGETHER, both))


def test_a_mistake_seen_in_only_some_of_its_places_is_a_perhaps():
    def sometimes(x, *, factor, bias):
        return factor * x + (bias if factor != 1 else 0)

    assert diagnosed(TOGETHER, sometimes) == [("without_bias", False)]


def test_an_answer_that_fails_in_a_way_of_its_own_is_not_diagnosed():
    def own_way(x, *, factor, bias):
        return factor * x + bias + 0.1

    assert diagnosed(TOGETHER, own_way) == []


def part(number):
    @check(f"Part {number}")
    def scenario(answer, draw):
        return [answer(draw.normal(4), number) for _ in range(3)]

    return replace(scenario, scenario=named(f"part_{number}", scenario.scenario))


def wrong_in(*parts):
    return named(f"wrong_in_{parts}", lambda x, part: -x if part in parts else x)


def named(name, function):
    function.__name__ = name
    return function


@pytest.mark.parametrize("order", [1, -1])
def test_of_many_perhaps_the_two_with_the_most_evidence_are_offered(order):
    def answer(x, part):
        return [-x, -x, 2 * x, x][part]

    mistakes = [wrong_in(0, 3), wrong_in(1, 2, 3), wrong_in(0, 1, 3), wrong_in(0, 2)][::order]
    exercise = exercise_of(wrong_in(), [part(number) for number in range(4)], *mistakes)
    found = diagnosed(exercise, answer)
    assert found[0] == ("wrong_in_(0, 1, 3)", False) and len(found) == 2


# Single numbers: eight of them are needed, since a few coincide by chance.


def numbers_check(count):
    @check("Counts")
    def counts(answer, draw):
        return [answer(draw.labels(4, 2).tolist()) for _ in range(count)]

    return counts


def number_of_ones(labels):
    return sum(labels)


def one_too_many(labels):
    return sum(labels) + 1


@pytest.mark.parametrize(("count", "wanted"), [(3, []), (4, [("one_too_many", False)]), (8, [("one_too_many", True)])])
def test_single_numbers_are_evidence_only_in_numbers(count, wanted):
    exercise = exercise_of(number_of_ones, [numbers_check(count)], one_too_many)
    assert diagnosed(exercise, lambda labels: sum(labels) + 1) == wanted


@pytest.mark.parametrize("seed", range(5))
def test_numbers_that_coincide_by_chance_are_not_diagnosed(tiny_course, seed):
    exercises = load_lesson("tiny").exercises
    for constant in (0, 1, 0.5, 1 / 3, 2):
        answer = eval(f"lambda predictions, labels: {constant}")
        for name in ("accuracy", "count_correct"):
            assert not any(certain for _, certain in diagnosed(exercises[name], answer, seed=seed))


def test_the_tensors_of_one_check_are_evidence_and_a_single_tensor_is_not():
    @check("One tensor")
    def one_tensor(answer, draw):
        return answer(draw.normal(4), factor=1.0, bias=2.0)

    assert diagnosed(exercise_of(affine, [one_tensor], without_bias), without_bias) == []
    assert diagnosed(exercise_of(affine, [adds], without_bias), without_bias) == [("without_bias", True)]


# What proves nothing.


@pytest.mark.parametrize(
    "nothing", [None, float("nan"), Raised("ValueError", "no"), OutOfTime(5.0), torch.tensor([torch.nan] * 2)]
)
def test_nothing_nan_and_exceptions_alone_are_never_a_diagnosis(nothing):
    def mistaken(x, *, factor, bias):
        if isinstance(nothing, Raised):
            raise ValueError("no")
        return nothing

    exercise = exercise_of(affine, [adds, multiplies, does_both], mistaken)
    if isinstance(nothing, OutOfTime):
        assert diagnose(exercise, dict.fromkeys(["adds", "multiplies", "does_both"], nothing), seed=0) == []
    else:
        assert diagnosed(exercise, mistaken) == []


def test_a_mistake_that_sometimes_raises_is_diagnosed_by_where_it_does_not():
    def without_bias_or_factor_three(x, *, factor, bias):
        return factor * x if factor != 3 else 1 / 0

    exercise = exercise_of(affine, [adds, multiplies], without_bias_or_factor_three)
    assert diagnosed(exercise, without_bias_or_factor_three) == [("without_bias_or_factor_three", True)]
    assert diagnosed(exercise, without_bias) == [("without_bias_or_factor_three", False)]


def test_nan_where_the_mistake_has_nan_does_not_speak_against_it():
    def logarithm_of_bias(x, *, factor, bias):
        return factor * x + torch.tensor(bias - 1.0).log()  # NaN where the bias is 0, else 0

    exercise = exercise_of(affine, [adds, multiplies, does_both], without_bias, logarithm_of_bias)
    assert diagnosed(exercise, logarithm_of_bias) == [("logarithm_of_bias", True)]


def test_a_difference_below_a_hundred_tolerances_is_no_evidence():
    def slightly_off(x, *, factor, bias):
        return (factor * x + bias) * 1.002  # twenty tolerances of float32

    exercise = exercise_of(affine, [adds, multiplies, does_both], slightly_off)
    assert diagnosed(exercise, slightly_off) == []


def test_where_the_mistake_differs_but_little_the_answer_may_differ_from_it():
    def without_bias_and_slightly_off(x, *, factor, bias):
        return factor * x if factor == 1 else 1.002 * (factor * x + bias)

    exercise = exercise_of(affine, [adds, multiplies], without_bias_and_slightly_off)
    assert diagnosed(exercise, without_bias) == [("without_bias_and_slightly_off", True)]


def test_checks_that_were_not_reached_leave_a_diagnosis_uncertain():
    observed = {"adds": run_scenario(adds, without_bias, siblings={}).observation}
    (found,) = diagnose(TOGETHER, observed, seed=0)
    assert (found.mistake, found.certain) == ("without_bias", False)


def test_the_mistake_that_explains_more_stands_for_one_that_explains_a_part():
    def forgets_everything(x, *, factor, bias):
        return x

    exercise = exercise_of(affine, [adds, multiplies], without_bias, forgets_everything)
    assert diagnosed(exercise, forgets_everything) == [("forgets_everything", True)]


# What is said of a single check.


def test_the_first_place_that_is_wrong_is_named():
    expected = [torch.zeros(2), [torch.zeros(2), 3]]
    assert is_right(adds, [torch.zeros(2), [torch.zeros(2), 3.0]], expected) is None
    assert is_right(adds, [torch.zeros(2), [torch.zeros(2), 4]], expected) == "answer[1][1]: got 4, expected 3"
    assert is_right(adds, torch.ones(1), torch.zeros(1)) == "first differs at [0]: got 1, expected 0"


# Judges of a check's own.


def any_order(observed, expected):
    observed.sort()
    return None if observed == sorted(expected) else "not the same numbers"


@check("The same numbers in any order", judge=any_order)
def same_numbers(answer, draw):
    return answer(list(range(5)))


def test_a_judge_decides_and_cannot_spoil_what_it_judges():
    observed, expected = [4, 3, 2, 1, 0], [0, 1, 2, 3, 4]
    assert is_right(same_numbers, observed, expected) is None
    assert observed == [4, 3, 2, 1, 0]
    assert is_right(same_numbers, [1], expected) == "not the same numbers"


def test_a_judge_gets_numbers_where_the_answer_gave_tensors_of_one_number():
    assert is_right(same_numbers, [torch.tensor(n) for n in (4, 3, 2, 1, 0)], [0, 1, 2, 3, 4]) is None


def test_a_judge_decides_on_whole_and_floating_numbers_alike():
    @check("Positive", judge=lambda observed, expected: None if observed > 0 else "not positive")
    def positive(answer, draw):
        return answer()

    for right in (3, 0.5, torch.tensor(2.0), torch.tensor(2)):
        assert is_right(positive, right, 0.25) is None
    assert is_right(positive, -1, 0.25) == "not positive"
    assert is_right(positive, True, 0.25) == "got True, expected 0.25"
    assert is_right(positive, 1, True) == "got 1, expected True"


@pytest.mark.parametrize(
    ("observed", "words"),
    [
        (None, "got None"),
        (Raised("KeyError", "'a'", "line 2: x['a']"), "raised KeyError: 'a' (line 2: x['a'])"),
        (OutOfTime(5.0), "did not end within 5 seconds"),
        ({"a": 1}, "got {a: 1}, expected [0, 1]"),
        ([None, "a"], "the answer has not the structure that was asked for (TypeError"),
    ],
)
def test_a_judge_that_cannot_work_with_an_answer_says_so_in_words(observed, words):
    assert words in is_right(same_numbers, observed, [0, 1])


def test_a_mistake_that_a_judge_lets_pass_counts_as_no_mistake_there():
    def upside_down(numbers):
        return numbers[::-1]

    assert diagnosed(exercise_of(sorted, [same_numbers], upside_down), upside_down) == []
