"""The verdict on an answer: everything that learners hand in, and what they are told."""

import collections
import time

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from course_lib.exercises.registry import load_lesson
from course_lib.exercises.verdict import examine, signature_problem


def only_problem(verdict) -> str:
    """What is said of the first failed check."""
    return next(outcome.problem for outcome in verdict.outcomes if outcome.passed is False)


def diagnoses(verdict) -> list[tuple[str, bool]]:
    return [(found.mistake, found.certain) for found in verdict.diagnoses]


@pytest.mark.parametrize("seed", range(3))
def test_every_reference_is_right_and_every_mistake_is_wrong(tiny_course, seed):
    for exercise in load_lesson("tiny").exercises.values():
        right = examine(exercise, exercise.reference, seed=seed)
        assert right.state == "right" and right.failed == [] and right.shortcut is None and right.diagnosis is None
        for mistake in exercise.mistakes.values():
            assert examine(exercise, mistake.implementation, seed=seed).state == "wrong"


# Right, though not as the reference does it.


def strided(powers):
    return powers.T.contiguous().T


def stored_in_every_second_place(powers):
    return torch.stack([powers, powers], dim=-1)[..., 0]


def in_double_precision(powers):
    return powers.double()


def a_parameter(powers):
    return torch.nn.Parameter(powers)


@pytest.mark.parametrize("finish", [strided, stored_in_every_second_place, in_double_precision, a_parameter])
@pytest.mark.filterwarnings("ignore:The use of `x.T`")
def test_right_but_stored_otherwise(verdict, finish):
    def softmax(logits, *, dim=-1):
        powers = (logits.double() - logits.amax(dim, keepdim=True)).exp().to(logits.dtype)
        result = powers / powers.sum(dim, keepdim=True)
        return finish(result) if result.ndim == 2 else result

    assert verdict(softmax).state == "right"


def test_a_tensor_of_one_number_is_right_where_a_number_is_asked_for(verdict):
    def accuracy(predictions, labels):
        return (predictions == labels).float().mean()

    assert verdict(accuracy).state == "right"


def test_a_tuple_is_right_where_a_list_is_asked_for(verdict):
    def flatten(nested):
        return tuple(n for item in nested for n in (flatten(item) if isinstance(item, list) else [item]))

    assert verdict(flatten).state == "right"


def test_another_valid_order_is_right_and_an_invalid_one_is_told_in_words(verdict):
    def topological_order(parents):
        waiting, order = collections.deque(reversed(parents)), []
        while waiting:
            name = waiting.popleft()
            (order if set(parents[name]) <= set(order) else waiting).append(name)
        return order

    assert topological_order({"a": [], "b": ["a"], "e": []}) == ["e", "a", "b"]
    assert verdict(topological_order).state == "right"

    def topological_order(parents):
        return sorted(parents, reverse=True)

    assert only_problem(verdict(topological_order)) == "b stands before its parent a"


def test_a_random_answer_is_judged_by_its_summary(verdict):
    def dropout(values, *, probability, generator):
        return values * torch.bernoulli(torch.full_like(values, 1 - probability)) / (1 - probability)

    for seed in range(5):
        assert verdict(dropout, seed=seed).state == "right"

    def dropout(values, *, probability, generator):
        return values * (torch.rand(values.shape) >= 0.5) * 2

    assert "of the numbers became zero" in only_problem(verdict(dropout))


def test_extra_options_with_defaults_and_other_styles_of_parameters_are_fine(verdict):
    def softmax(logits, dim=-1, scale=1.0, *rest, **options):
        powers = (scale * (logits - logits.amax(dim, keepdim=True))).exp()
        return powers / powers.sum(dim, keepdim=True)

    assert verdict(softmax).state == "right"


# Wrong, and what is said.


def test_an_answer_without_return_is_asked_whether_it_returns(verdict):
    def softmax(logits, *, dim=-1):
        logits.exp() / logits.exp().sum(dim, keepdim=True)

    wrong = verdict(softmax)
    assert wrong.failed == ["rows_add_up", "any_axis", "large_numbers"] and wrong.diagnoses == []
    assert "got None" in only_problem(wrong) and "return its result?" in only_problem(wrong)


def test_nan_is_told_as_not_a_number(verdict):
    def softmax(logits, *, dim=-1):
        return logits.exp() / logits.exp().sum(dim, keepdim=True)

    wrong = verdict(softmax)
    assert wrong.failed == ["large_numbers"] and wrong.diagnoses == []
    assert "got NaN (not a number)" in only_problem(wrong)


@pytest.mark.parametrize(
    ("finish", "words"),
    [
        (lambda result: result.numpy(), "got a NumPy array, expected a torch tensor of shape (3, 5)"),
        (lambda result: result.tolist(), "got a list of 3, expected float32 tensor of shape (3, 5)"),
        (lambda result: (row for row in result), "got an object of type generator"),
        (lambda result: result[None], "got shape (1, 3, 5), expected shape (3, 5)"),
        (lambda result: (100 * result).int(), "got whole numbers (int32), expected floating-point numbers (float32)"),
        (lambda result: {"result": result}, "got {result: float32 tensor of shape (3, 5)}"),
        (lambda result: result.sum().item(), "got 3, expected float32 tensor"),
        (lambda result: "softmax", "got 'softmax', expected float32 tensor"),
        (lambda result: np.array(["a"]), "got an object of type ndarray"),
        (lambda result: 10**5000, "got a whole number of about 5000 digits"),
    ],
)
def test_the_wrong_kind_of_result_is_told_in_words(verdict, finish, words):
    def softmax(logits, *, dim=-1):
        return finish(F.softmax(logits, dim))

    wrong = verdict(softmax)
    assert wrong.state == "wrong" and words in only_problem(wrong) and wrong.diagnoses == []


def test_an_exception_is_told_with_its_line(verdict):
    def softmax(logits, *, dim=-1):
        return logits.exponential()  # no such method

    wrong = verdict(softmax)
    assert "raised AttributeError: 'Tensor' object has no attribute 'exponential'" in only_problem(wrong)
    assert ": return logits.exponential()  # no such method)" in only_problem(wrong)
    assert wrong.outcomes[0].call == "softmax(float32 tensor of shape (3, 5))"


@pytest.mark.parametrize("error", [SystemExit("bye"), RecursionError("deep"), KeyError("a"), AssertionError()])
def test_no_exception_gets_out(verdict, error):
    def softmax(logits, *, dim=-1):
        raise error

    assert only_problem(verdict(softmax)).startswith(f"raised {type(error).__name__}")


def test_an_endless_loop_costs_its_time_once(verdict):
    def softmax(logits, *, dim=-1):
        while True:
            print("and on")

    started = time.monotonic()
    wrong = verdict(softmax, seconds=0.2)
    assert time.monotonic() - started < 0.2 * 4 + 30
    assert only_problem(wrong) == "did not end within 0.2 seconds. Is there a loop that never stops?"
    assert [outcome.passed for outcome in wrong.outcomes] == [False, None, None, None]
    assert wrong.outcomes[0].printed.startswith("and on\n") and wrong.failed == ["rows_add_up"]


def test_prints_are_shown_with_the_check_in_which_they_happened(verdict):
    def softmax(logits, *, dim=-1):
        print("dim is", dim)
        return logits

    assert verdict(softmax).outcomes[1].printed == "dim is 0\ndim is 1\ndim is 2\ndim is -1\n"


def test_the_call_that_went_wrong_is_the_one_that_is_shown(verdict):
    def accuracy(predictions, labels):
        return (predictions == labels).double().mean().item() if len(labels) != 23 else -1

    assert verdict(accuracy).outcomes[0].call == "accuracy(int64 tensor of shape (23,), int64 tensor of shape (23,))"


# The first line.


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda logits: 0, "lacks dim. It is called as softmax(logits, *, dim=-1)"),
        (lambda x, *, dim=-1: 0, "lacks logits"),
        (lambda logits, scale, *, dim=-1: 0, "also wants scale"),
        (lambda *everything: 0, "lacks logits, dim"),
        (torch.nn.ReLU, "softmax is to be a function"),
        (3, "softmax is to be callable, but it is int"),
    ],
)
def test_a_changed_first_line_is_told_before_any_check_runs(known, answer, words):
    wrong = examine(known("softmax"), answer)
    assert wrong.state == "wrong" and words in wrong.note
    assert all(outcome.passed is None for outcome in wrong.outcomes)


def test_swapped_parameters_are_told(verdict):
    def cross_entropy(labels, logits):
        return 0

    assert "has its parameters in another order" in verdict(cross_entropy).note


@pytest.mark.parametrize(
    "answer",
    [lambda logits, *, dim=-1, **options: 0, lambda *args, **options: 0, lambda logits, dim, extra=1: 0, torch.softmax],
)
def test_a_first_line_that_can_be_called_alike_is_fine(known, answer):
    assert signature_problem(known("softmax"), answer) == ""


def test_a_function_for_a_class_is_told(verdict):
    def RunningMean():
        return 0

    assert "RunningMean is to be a class" in verdict(RunningMean).note


# Known mistakes, alone and together.


def test_a_known_mistake_is_named_though_it_is_written_otherwise(verdict):
    def softmax(logits, *, dim=-1):
        return F.softmax(logits.clone(), 0)

    assert diagnoses(verdict(softmax)) == [("softmax_over_the_first_axis", True)]


def test_damage_to_the_input_is_seen_and_named(verdict):
    def softmax(logits, *, dim=-1):
        logits -= logits.amax(dim, keepdim=True)
        return logits.exp() / logits.exp().sum(dim, keepdim=True)

    wrong = verdict(softmax)
    assert wrong.failed == ["logits_survive"] and diagnoses(wrong) == [("softmax_damages_its_input", True)]


def test_two_mistakes_that_meet_in_no_check_are_both_named(verdict):
    def softmax(logits, *, dim=-1):
        powers = F.softmax(logits, 0)
        logits -= logits.amax(dim, keepdim=True)
        return powers

    names = {"softmax_over_the_first_axis", "softmax_damages_its_input"}
    assert set(diagnoses(verdict(softmax))) == {(name, True) for name in names}


def test_a_mistake_within_a_mistake_is_never_certainly_one_of_them(verdict):
    def softmax(logits, *, dim=-1):
        return (logits - logits.amax(0, keepdim=True)).exp()  # first axis, and no sum

    assert not any(certain for _, certain in diagnoses(verdict(softmax)))


def test_a_constant_answer_is_not_diagnosed(verdict):
    def softmax(logits, *, dim=-1):
        return torch.full_like(logits, 1 / logits.shape[dim])

    assert diagnoses(verdict(softmax)) == []


# Answers that remember, and answers that gamble.


def test_an_answer_that_keeps_something_between_calls_is_told_so(verdict):
    seen = []

    def accuracy(predictions, labels):
        seen.extend(predictions == labels)
        return sum(map(float, seen)) / len(seen)

    wrong = verdict(accuracy)
    assert wrong.state == "wrong" and "it keeps something between calls" in wrong.note


def test_an_answer_that_gambles_is_told_so(verdict):
    def softmax(logits, *, dim=-1):
        return torch.rand(logits.shape)

    assert "draws from a random source of its own" in verdict(softmax).note


def test_a_wrong_answer_to_a_random_exercise_is_not_blamed_for_gambling(verdict, known):
    reference = known("dropout").reference

    def dropout(values, *, probability, generator):
        return reference(values, probability=probability, generator=generator) * 0.9

    assert verdict(dropout).note == ""


def test_an_answer_that_needs_too_long_the_second_time_is_not_called_fickle(verdict):
    calls = []

    def cross_entropy(logits, labels):
        calls.append(1)
        while len(calls) > 8:
            pass
        return 0.5

    assert verdict(cross_entropy, seconds=0.2).note == ""


def test_a_deterministic_answer_is_not_called_fickle(verdict):
    def softmax(logits, *, dim=-1):
        return logits

    assert verdict(softmax).note == ""


# Siblings, recursion, classes, the library.


def test_a_siblings_reference_stands_in_for_whatever_the_learner_has(known):
    names = {"torch": torch}
    source = (
        "def softmax(logits): ...\n"
        "def cross_entropy(logits, labels):\n"
        "    return -softmax(logits)[torch.arange(len(labels)), labels].log().mean()\n"
    )
    exec(compile(source, "<cell>", "exec"), names)
    unwritten = names["softmax"]
    assert examine(known("cross_entropy"), names["cross_entropy"]).state == "right"
    assert names["softmax"] is unwritten and "accuracy" not in names


def test_a_recursive_answer_is_right_and_an_unlimited_one_gets_a_clean_verdict(known):
    source = (
        "def flatten(nested):\n    return [n for i in nested for n in (flatten(i) if isinstance(i, list) else [i])]"
    )
    names = {}
    exec(compile(source, "<cell>", "exec"), names)
    answer = names.pop("flatten")  # as the decorator sees it: the name is not bound yet
    assert examine(known("flatten"), answer).state == "right" and "flatten" not in names
    exec(compile("def flatten(nested):\n    return flatten(nested)", "<cell>", "exec"), names)
    assert "raised RecursionError" in only_problem(examine(known("flatten"), names["flatten"]))


def test_a_class_is_right_or_wrong_as_a_function_is(verdict):
    class RunningMean:
        def __init__(self):
            self.seen = torch.zeros(0)

        def update(self, values):
            self.seen = torch.cat([self.seen, values])

        def compute(self):
            return self.seen.double().mean()

    assert verdict(RunningMean).state == "right"

    class RunningMean:
        def __init__(self):
            self.means = []

        def update(self, values):
            self.means.append(values.double().mean())

        def compute(self):
            return sum(self.means) / len(self.means)

    assert diagnoses(verdict(RunningMean)) == [("RunningMeanOfMeans", True)]


def test_a_class_that_lacks_a_method_or_fails_in_one_is_told(verdict):
    class RunningMean:
        def update(self, values):
            self.total += values.sum()

    assert "'RunningMean' object has no attribute 'total'" in only_problem(verdict(RunningMean))
    assert ": self.total += values.sum())" in only_problem(verdict(RunningMean))


def test_the_library_in_place_of_ones_own_work_is_right_but_noted(verdict):
    softly = F.softmax

    def softmax(logits, *, dim=-1):
        return softly(logits, dim)

    amber = verdict(softmax)
    assert amber.state == "right" and amber.shortcut in ("torch.nn.functional.softmax", "torch.Tensor.softmax")


def test_a_wrong_answer_that_uses_the_library_is_just_wrong(verdict):
    def softmax(logits, *, dim=-1):
        return 2 * torch.softmax(logits, dim)

    assert verdict(softmax).shortcut is None


def test_a_siblings_use_of_the_library_is_not_the_answers(verdict, known):
    def cross_entropy(logits, labels):
        return F.nll_loss(known("softmax").reference(logits).log(), labels)

    assert verdict(cross_entropy).shortcut is None


# Whoever asks, however often.


def test_the_same_answer_gets_the_same_verdict_twice(verdict):
    def softmax(logits, *, dim=-1):
        return logits

    first, again = verdict(softmax), verdict(softmax)
    assert first.outcomes == again.outcomes and first.diagnoses == again.diagnoses


def test_a_verdict_becomes_one_plain_object(verdict):
    def softmax(logits, *, dim=-1):
        return F.softmax(logits, 0)

    found = verdict(softmax).to_json()
    assert (
        found["name"] == "softmax" and found["state"] == "wrong" and found["mistake"] == "softmax_over_the_first_axis"
    )
    assert found["failed"] == ["rows_add_up", "any_axis", "large_numbers"]
    assert found["diagnoses"][0]["certain"] is True
