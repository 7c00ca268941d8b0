"""Observations: plain data that holds still, described in few words."""

import json
from collections import OrderedDict, namedtuple

import numpy as np
import pytest
import torch

from course_lib.exercises.observations import Opaque, Raised, describe, leaves, snapshot

Point = namedtuple("Point", "x y")


def test_a_snapshot_holds_still_when_the_original_changes():
    tensor, array, numbers = torch.zeros(3), np.zeros(3), [1, [2]]
    seen = snapshot([tensor, array, numbers])
    tensor += 1
    array += 1
    numbers[1].append(3)
    assert seen[0].tolist() == [0, 0, 0] and seen[1].tolist() == [0, 0, 0] and seen[2] == [1, [2]]


def test_a_snapshot_shares_no_memory_and_carries_no_gradient():
    tensor = torch.ones(4, 4, requires_grad=True)[::2].T
    seen = snapshot(tensor)
    assert seen.is_contiguous() and not seen.requires_grad and seen.grad_fn is None
    assert seen.data_ptr() != tensor.data_ptr()


def test_a_snapshot_lies_on_the_cpu_whatever_the_default_device_is():
    with torch.device("meta"):
        assert snapshot(torch.ones(2, device="cpu")).tolist() == [1, 1]


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        ((1, 2), [1, 2]),
        (range(3), [0, 1, 2]),
        (Point(1, 2.0), [1, 2.0]),
        (torch.Size([2, 3]), [2, 3]),
        (torch.tensor([3.0, 1.0]).sort().indices.shape, [2]),
        (np.float32(0.5), 0.5),
        (np.int64(3), 3),
        (np.bool_(True), True),
        (OrderedDict(a=(1,)), {"a": [1]}),
        ({1: "one"}, {"1": "one"}),
    ],
)
def test_kinds_that_mean_the_same_become_the_same(value, plain):
    assert snapshot(value) == plain
    assert json.loads(json.dumps(snapshot(value))) == plain


@pytest.mark.parametrize(
    "value", [{1}, object(), map(str, [1]), (n for n in [1]), torch.float32, b"x", np.array(["a"])]
)
def test_what_is_not_plain_data_is_opaque_and_named(value):
    seen = snapshot(value)
    assert isinstance(seen, Opaque) and seen.type_name
    assert "an object of type" in describe(seen)


def test_a_generator_is_not_used_up():
    generator = (number for number in range(3))
    snapshot(generator)
    assert list(generator) == [0, 1, 2]


def test_a_list_that_holds_itself_ends():
    endless = [1]
    endless.append(endless)
    assert any(isinstance(leaf, Opaque) for _, leaf in leaves(snapshot(endless)))


def test_leaves_are_named_by_their_path():
    assert dict(leaves({"loss": [0.5, {"a": 1}], "name": None})) == {".loss[0]": 0.5, ".loss[1].a": 1, ".name": None}


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (torch.arange(3), "int64 tensor [0, 1, 2]"),
        (torch.zeros(3, 4), "float32 tensor of shape (3, 4)"),
        (torch.zeros(0, 4), "float32 tensor of shape (0, 4)"),
        (np.ones(2), "float64 NumPy array [1, 1]"),
        (torch.tensor(2.5), "float32 tensor 2.5"),
        (1 / 3, "0.333333"),
        (True, "True"),
        (np.float32(0.25), "0.25"),
        (np.bool_(True), "True"),
        ((1, range(2)), "[1, [0, 1]]"),
        (torch.eye(2).to_sparse(), "float32 tensor of shape (2, 2)"),
        (torch.ones(2, device="meta"), "float32 tensor of shape (2,)"),
        (torch.nn.Parameter(torch.ones(1)), "float32 tensor [1]"),
        ({1}, "an object of type set"),
        (None, "None"),
        ("text", "'text'"),
        ([1, 2.5, "a"], "[1, 2.5, 'a']"),
        ({"a": torch.zeros(9)}, "{a: float32 tensor of shape (9,)}"),
        (Raised("ValueError", "no"), "ValueError: no"),
        (Raised("AssertionError", ""), "AssertionError"),
    ],
)
def test_a_description_is_short_and_plain(value, words):
    assert describe(value) == words


@pytest.mark.parametrize(
    "value", ["x" * 10_000, list(range(10_000)), {str(n): n for n in range(10_000)}, ["y" * 999] * 5]
)
def test_a_description_of_something_long_is_short(value):
    assert len(describe(value)) <= 130


def test_a_number_of_thousands_of_digits_is_described_by_their_count():
    assert describe(10**5000) == "a whole number of about 5000 digits"
    assert describe([-(10**400)]) == "[a whole number of about 400 digits]"
    assert describe(10**20) == "1" + 20 * "0"
