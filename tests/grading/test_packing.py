"""What comes from a worker is checked piece by piece, and an honest observation arrives as it was."""

import json

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from course_lib.exercises.observations import Opaque, OutOfTime, Raised, snapshot
from course_lib.grading.packing import DTYPES, BadAnswer, Unpacker, pack, read_header, strange_numbers, text


def there_and_back(value):
    tree, blob = pack(value)
    unpacker = Unpacker(blob)
    arrived = unpacker.unpack(json.loads(json.dumps(tree)))
    unpacker.finish()
    return arrived


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(st.characters(categories=["L"])),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from("abc"), inner),
    max_leaves=10,
)


@given(PLAIN)
def test_plain_data_arrives_as_it_was(value):
    arrived = there_and_back(value)
    assert arrived == value and repr(arrived) == repr(value)


@pytest.mark.parametrize("name", DTYPES)
@pytest.mark.parametrize("shape", [(), (0,), (3,), (2, 0, 3), (2, 3)])
def test_a_tensor_of_every_kind_arrives_as_it_was(name, shape):
    tensor = torch.ones(shape).to(DTYPES[name])
    arrived = there_and_back([snapshot(tensor), {"again": snapshot(tensor)}])
    for each in (arrived[0], arrived[1]["again"]):
        assert each.dtype == tensor.dtype and each.shape == tensor.shape and bool((each == tensor).all())


def test_arrays_numbers_and_what_went_wrong_arrive_as_they_were():
    value = [np.arange(6.0).reshape(2, 3), 1 + 2j, 10**40, -(10**40), float("inf")]
    array, *numbers = there_and_back(value)
    assert isinstance(array, np.ndarray) and (array == value[0]).all() and numbers == value[1:]
    for each in (Raised("KeyError", "'a'", "line 3"), OutOfTime(5.0), Opaque("set")):
        assert there_and_back(each) == each


BAD = [
    {"tensor": "float32", "shape": [3]},
    {"tensor": "float32", "shape": [-1]},
    {"tensor": "float32", "shape": [2**40, 2**40, 0]},
    {"tensor": "float32", "shape": [0.5]},
    {"tensor": "float32", "shape": [True]},
    {"tensor": "object", "shape": []},
    {"tensor": ["float32"], "shape": []},
    {"array": "bfloat16", "shape": []},
    {"tensor": "float32", "shape": [0], "more": 1},
    {"float": "nan()"},
    {"float": []},
    {"int": "0x"},
    {"int": "f" * 3000},
    {"complex": [1, 2]},
    {"complex": [1.0]},
    {"raised": ["a", "b"]},
    {"raised": ["a", "b", 5]},
    {"dict": {"a": 1}},
    {"dict": [["a"]]},
    {"dict": [[1, 2]]},
    {"opaque": 5},
    {"pickle": "gASVAAAA"},
    {},
    {"a": 1, "b": 2},
    2**70,
]


@pytest.mark.parametrize("tree", BAD, ids=str)
def test_what_no_honest_worker_says_is_refused(tree):
    with pytest.raises(BadAnswer):
        Unpacker(b"").unpack(tree)


def test_truth_values_that_are_neither_and_bytes_that_nobody_announced_are_refused():
    with pytest.raises(BadAnswer, match="neither true nor false"):
        Unpacker(b"\x02").unpack({"tensor": "bool", "shape": [1]})
    with pytest.raises(BadAnswer, match="more than what was announced"):
        Unpacker(b"\x00").finish()


@pytest.mark.parametrize("said", [b"", b"[]", b"{", b"NaN", b'{"a": NaN}', b"[" * 100_000, b"\xff", b"1" * 5000])
def test_a_header_that_is_no_json_object_is_refused(said):
    with pytest.raises(BadAnswer):
        read_header(said)


def test_too_deep_and_too_many_parts_are_refused():
    deep = []
    for _ in range(100):
        deep = [deep]
    for tree in (deep, [0] * 200_000):
        with pytest.raises(BadAnswer, match="too many parts"):
            Unpacker(b"").unpack(tree)


def test_a_text_can_be_written_to_any_file():
    assert text("a\x00b\ud800c\u202ed\n") == "a\ufffdb\ufffdc\ufffdd\n"
    assert len(text("x" * 10**6)) == 20_000


def test_nan_and_infinity_are_noticed_anywhere():
    assert strange_numbers([1, {"a": torch.tensor([1.0, torch.nan])}]) and strange_numbers(complex(0, float("inf")))
    assert not strange_numbers([1, "nan", None, torch.ones(3), np.arange(3), Raised("ValueError", "nan")])
