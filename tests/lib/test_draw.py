"""Draw: the same seed gives the same inputs, and what was drawn is remembered."""

import hashlib

import pytest
import torch

from course_lib.exercises import Draw
from course_lib.exercises.draw import seed_for

KINDS = {
    "normal": lambda draw: draw.normal(2, 3),
    "uniform": lambda draw: draw.uniform(4, low=2.0, high=3.0),
    "integers": lambda draw: draw.integers(5, low=-3, high=3),
    "labels": lambda draw: draw.labels(6, 3),
    "permutation": lambda draw: torch.tensor(draw.permutation(7)),
    "choice": lambda draw: torch.tensor(draw.choice(range(100))),
    "number": lambda draw: torch.tensor(draw.number()),
    "seed": lambda draw: torch.tensor(draw.seed()),
    "generator": lambda draw: torch.rand(3, generator=draw.generator()),
}


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_seed_gives_the_same_inputs_and_another_seed_others(kind):
    first, again, other = (KINDS[kind](Draw(seed)) for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_two_draws_from_one_source_differ():
    draw = Draw(0)
    assert not torch.equal(draw.normal(5), draw.normal(5))


def test_drawing_touches_no_global_generator():
    before = torch.get_rng_state()
    for kind in KINDS.values():
        kind(Draw(0))
    assert torch.equal(torch.get_rng_state(), before)


def test_numbers_keep_to_their_bounds_and_kinds():
    draw = Draw(0)
    assert set(draw.integers(500, low=2, high=5).tolist()) == {2, 3, 4}
    assert set(draw.labels(200, 3).tolist()) == {0, 1, 2}
    uniform = draw.uniform(500, low=-1.0, high=2.0)
    assert uniform.min() >= -1 and uniform.max() < 2 and uniform.max() - uniform.min() > 2.5
    assert sorted(draw.permutation(9)) == list(range(9))
    assert draw.choice(["a", "b"]) in "ab" and isinstance(draw.number(), float) and isinstance(draw.seed(), int)


def test_kinds_of_numbers_can_be_chosen():
    draw = Draw(0)
    assert draw.normal(2).dtype == torch.float32 and draw.labels(2, 2).dtype == torch.int64
    assert draw.normal(2, dtype=torch.float64).dtype == torch.float64
    assert draw.integers(2, dtype=torch.uint8).dtype == torch.uint8


def test_a_single_number_has_no_shape():
    draw = Draw(0)
    assert draw.normal().shape == draw.uniform().shape == draw.integers().shape == ()


def test_what_was_drawn_is_remembered_as_it_was_drawn():
    draw = Draw(0)
    tensor, order = draw.normal(3), draw.permutation(3)
    wanted = [tensor.tolist(), list(order)]
    tensor.zero_()
    order.clear()
    assert [draw.drawn[0].tolist(), draw.drawn[1]] == wanted


def test_a_seed_depends_on_all_parts_and_on_no_run_of_python():
    assert len({seed_for(0, "a", "b"), seed_for(1, "a", "b"), seed_for(0, "b", "b"), seed_for(0, "a", "c")}) == 4
    digest = hashlib.sha256(b"0/softmax/rows").digest()
    assert seed_for(0, "softmax", "rows") == int.from_bytes(digest[:4], "little") < 2**32
