"""The judge: right but different is right, and nothing else is."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from course_lib.exercises.judge import TOLERANCE, compare
from course_lib.exercises.observations import Raised, snapshot

NUMBERS = st.floats(-1e6, 1e6) | st.integers(-(10**9), 10**9)
LEAVES = (
    NUMBERS | st.booleans() | st.text(max_size=5) | st.none() | st.sampled_from([torch.arange(6.0), np.ones((2, 3))])
)
OBSERVATIONS = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=12,
)


def problems(observed, expected) -> list[str]:
    return [leaf.problem for leaf in compare(snapshot(observed), snapshot(expected)) if leaf.problem]


def is_right(observed, expected) -> bool:
    return not problems(observed, expected)


@given(OBSERVATIONS)
def test_everything_equals_itself(observation):
    assert is_right(observation, observation)


def with_other_kinds(value):
    if isinstance(value, list):
        return tuple(with_other_kinds(item) for item in value)
    return {key: with_other_kinds(value[key]) for key in reversed(value)} if isinstance(value, dict) else value


@given(OBSERVATIONS)
def test_tuples_for_lists_and_another_order_of_keys_change_nothing(observation):
    assert is_right(with_other_kinds(observation), observation)


@given(
    st.sampled_from([torch.float32, torch.float64, torch.complex64, torch.complex128]),
    st.integers(1, 50),
    st.integers(0, 10**6),
    st.floats(1e-6, 1e6),
)
def test_a_perturbation_above_the_tolerance_is_always_seen(dtype, size, seed, scale):
    generator = torch.Generator().manual_seed(seed)
    expected = scale * torch.randn(size, generator=generator, dtype=dtype)
    place = seed % size
    observed, largest = expected.clone(), expected.abs().max()
    observed[place] += 1.1 * TOLERANCE[str(dtype).removeprefix("torch.")] * (expected[place].abs() + 0.01 * largest)
    assert not is_right(observed, expected)


@given(st.floats(-1e6, 1e6).filter(lambda number: abs(number) > 1e-3), st.sampled_from([1, -1]))
def test_a_number_off_by_a_thousandth_is_always_seen(expected, sign):
    assert not is_right(expected * (1 + sign * 1e-3), expected)


@given(st.lists(st.floats(1e-30, 100) | st.floats(-100, -1e-30), min_size=1, max_size=20))
def test_the_rounding_of_float32_is_forgiven(numbers):
    expected = torch.tensor(numbers, dtype=torch.float64)
    assert is_right(expected.float(), expected)
    assert is_right(expected.float().tolist(), expected.tolist())


@pytest.mark.parametrize(
    "look_again",
    [
        lambda t: t.T.contiguous().T,
        lambda t: torch.cat([t, t])[: len(t)],
        lambda t: torch.stack([t, t], dim=-1)[..., 0],
        lambda t: t.clone().requires_grad_(),
        lambda t: torch.nn.Parameter(t),
        lambda t: t.to_sparse(),
        lambda t: torch.conj(t.to(torch.complex64)).real,
    ],
    ids=["strides", "view", "every second", "with gradient", "parameter", "sparse", "conjugate view"],
)
def test_the_same_numbers_stored_otherwise_are_right(look_again):
    expected = torch.arange(12.0).reshape(3, 4)
    assert is_right(look_again(expected), expected)


@pytest.mark.parametrize("dtype", [">f8", "float16", "longdouble", "float32"])
def test_a_numpy_array_may_hold_its_floats_in_any_way(dtype):
    assert is_right(np.array([1.0, 2.0, 3.0], dtype=dtype), np.array([1.0, 2.0, 3.0]))


def test_a_float32_answer_is_judged_at_float32_tolerance_and_no_further():
    expected = torch.tensor([1.0, 2.0], dtype=torch.float64)
    assert is_right(expected.float() + 5e-5, expected)
    assert not is_right(expected.float() + 5e-4, expected)
    assert not is_right(expected + 5e-5, expected)


def test_a_number_that_was_computed_in_float32_is_judged_as_such():
    computed = (torch.tensor([1, 1, 0]) == 1).float().mean().item()
    assert computed != 2 / 3
    assert is_right(computed, 2 / 3)
    assert not is_right(0.6667, 2 / 3)


@pytest.mark.parametrize("number", [3, 0.5, True, 1 + 2j])
def test_a_tensor_of_one_number_serves_where_a_number_is_expected_but_not_the_reverse(number):
    assert is_right(torch.tensor(number), number)
    assert is_right(np.array(number), number)
    assert not is_right(number, torch.tensor(number))
    assert not is_right(torch.tensor([number]), number)
    assert is_right(torch.tensor(number), torch.tensor(number))


@pytest.mark.parametrize(
    ("observed", "expected"), [(3, 3.0), (3.0, 3), (np.float64(3), 3), (np.int32(3), 3.0), (-0.0, 0.0)]
)
def test_whole_and_floating_numbers_of_the_same_value_are_one(observed, expected):
    assert is_right(observed, expected)


@pytest.mark.parametrize(
    ("observed", "expected"), [(1, True), (True, 1), (1.0, True), ("1", 1), (1, "1"), (None, 0), (0, None)]
)
def test_truth_values_numbers_words_and_none_are_not_each_other(observed, expected):
    assert not is_right(observed, expected)


OUT_OF_BOUNDS = [10**5000, -(10**400), 1e300, math.inf, -math.inf, math.nan, 1e-300j]


@pytest.mark.parametrize("number", OUT_OF_BOUNDS, ids=range(7))
def test_a_number_out_of_all_bounds_is_wrong_and_breaks_nothing(number):
    assert problems(number, 3.0) and problems(number, 3) and problems([number], torch.ones(1))


def test_nan_equals_nothing_and_says_so():
    (problem,) = problems(torch.tensor([1.0, torch.nan]), torch.tensor([1.0, 2.0]))
    assert "got NaN (not a number), expected 2" in problem
    assert problems(math.nan, math.nan) and problems(torch.tensor([torch.nan]), torch.tensor([torch.nan]))


def test_nan_equals_itself_where_two_wrong_answers_are_held_side_by_side():
    for wrong in (math.nan, torch.tensor([1.0, torch.nan])):
        assert all(leaf.size == 0 for leaf in compare(wrong, wrong, nan_equals_nan=True))
    (leaf,) = compare(torch.tensor([1.0, 2.0]), torch.tensor([1.0, torch.nan]), nan_equals_nan=True)
    assert leaf.size == math.inf


def test_nan_against_a_number_is_a_difference_for_every_kind():
    for wrong, other in ((math.nan, 1.0), (1.0, math.nan)):
        (leaf,) = compare(wrong, other, nan_equals_nan=True)
        assert leaf.size == math.inf


def test_what_is_equal_differs_by_nothing_at_all():
    for value in (3, 0.5, True, "a", None, torch.arange(3), torch.ones(2), Raised("KeyError", "x")):
        assert [leaf.size for leaf in compare(value, value)] == [0]


def test_an_exception_equals_another_of_its_kind_and_nothing_else():
    assert is_right(Raised("KeyError", "a", "line 1"), Raised("KeyError", "b"))
    assert problems(Raised("KeyError", "a"), Raised("ValueError", "b")) == ["got KeyError: a, expected ValueError: b"]
    assert problems(3, Raised("ValueError", "b")) == ["got 3, expected ValueError: b"]
    assert problems(Raised("KeyError", "a", "line 1: x"), 3) == ["raised KeyError: a (line 1: x)"]


def test_next_to_zero_the_tolerance_is_a_hundredth():
    assert is_right(1e-10, 0.0) and not is_right(1e-8, 0.0)
    expected = torch.tensor([0.0, 1.0], dtype=torch.float64)
    assert is_right(expected + 5e-10, expected) and not is_right(expected + 5e-9, expected)


def test_infinities_of_the_same_sign_are_equal():
    expected = torch.tensor([1.0, torch.inf, -torch.inf])
    assert is_right(expected.clone(), expected)
    assert not is_right(-expected, expected)
    assert not is_right(torch.tensor([1.0, 1e30, -torch.inf]), expected)


@pytest.mark.parametrize(
    ("observed", "words"),
    [
        (torch.ones(2, 3), "got shape (2, 3), expected shape (3, 2)"),
        (torch.ones(3, 2, dtype=torch.int64), "got whole numbers (int64), expected floating-point numbers (float32)"),
        (torch.ones(3, 2, dtype=torch.bool), "got truth values"),
        (torch.ones(3, 2, dtype=torch.complex64), "got complex numbers"),
        (np.ones((3, 2), dtype=np.float32), "got a NumPy array, expected a torch tensor of shape (3, 2)"),
        ([[1.0, 1.0]] * 3, "got [[1, 1], [1, 1], [1, 1]], expected float32 tensor"),
        ((number for number in range(3)), "an object of type generator"),
        ({1, 2}, "an object of type set"),
        (np.array(["a"]), "an object of type ndarray of <U1"),
        (None, "got None, expected float32 tensor [[1, 1], [1, 1], [1, 1]]. Does your code return its result?"),
        (1.0, "got 1, expected float32 tensor"),
        (torch.zeros(0), "got shape (0,), expected shape (3, 2)"),
    ],
)
def test_the_wrong_shape_kind_or_type_is_told_in_words(observed, words):
    (problem,) = problems(observed, torch.ones(3, 2))
    assert words in problem


def test_lists_of_another_length_and_other_keys_are_told_in_words():
    assert problems([1, 2], [1, 2, 3]) == ["got a list of 2, expected a list of 3"]
    assert problems({"loss": 1}, {"loss": 1, "steps": 2}) == ["got the keys loss, expected the keys loss, steps"]
    assert problems([1], {"loss": 1}) == ["got [1], expected {loss: 1}"]


def test_the_first_place_that_differs_is_named_with_both_numbers():
    expected = torch.arange(6.0).reshape(2, 3)
    observed = expected.clone()
    observed[1, 1:] = 9
    assert problems(observed, expected) == ["first differs at [1, 1]: got 9, expected 4; 2 of 6 numbers differ"]


def test_numbers_that_look_alike_are_shown_with_all_their_digits():
    (problem,) = problems(1.0000001234, 1.0)
    assert "1.0000001234" in problem
    (problem,) = problems(torch.tensor([1.0 + 1e-6], dtype=torch.float64), torch.ones(1, dtype=torch.float64))
    assert "1.000001, expected 1.0" in problem


def test_whole_numbers_of_any_width_are_equal_or_not():
    expected = torch.tensor([1, 2, 3])
    for dtype in (torch.int8, torch.int32, torch.uint8, torch.uint16, torch.uint64):
        assert is_right(expected.to(dtype), expected)
        assert not is_right((expected + 1).to(dtype), expected)


def test_a_huge_count_is_not_right_by_being_close():
    assert not is_right(torch.tensor([10**12 + 1]), torch.tensor([10**12]))


def test_empty_tensors_are_equal_if_their_shapes_are():
    assert is_right(torch.zeros(0, 3), torch.zeros(0, 3))
    assert not is_right(torch.zeros(3, 0), torch.zeros(0, 3))


def test_each_leaf_is_compared_and_named_by_its_path():
    expected = {"losses": [1.0, 2.0], "name": "adam"}
    found = {leaf.path: leaf.problem for leaf in compare({"losses": [1.0, 3.0], "name": "sgd"}, expected)}
    assert found == {".losses[0]": "", ".losses[1]": "got 3, expected 2", ".name": "got 'sgd', expected 'adam'"}


def test_several_numbers_weigh_more_as_evidence_than_one_and_nan_weighs_nothing():
    observed = [torch.ones(3), 1.0, True, None, torch.tensor([1.0, torch.nan]), math.nan, [1, 2]]
    weights = [leaf.weight for leaf in compare(observed, [0] * 7)]
    assert weights == [1 / 3, 1 / 8, 1 / 8, 0, 0, 0, 1 / 3]
