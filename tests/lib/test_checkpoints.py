"""Checkpoints: whole or not at all, and back as they were."""

import errno
import os
import random

import numpy as np
import pytest
import torch
from torch import nn

from course_lib.checkpoints import load_checkpoint, random_state, restore_random_state, save_checkpoint
from course_lib.errors import CourseError


def test_nested_states_come_back_as_they_were(tmp_path):
    state = {
        "weights": {"a.b": torch.randn(3, 4), "half": torch.ones(2, dtype=torch.bfloat16)}, "steps": {0: 1.5, 7: None},
        "list": [1, "two", True, [torch.tensor(3)]], "empty": {}, "no tensor": [],
    }  # fmt: skip
    save_checkpoint(tmp_path / "new" / "state.safetensors", state)
    loaded = load_checkpoint(tmp_path / "new" / "state.safetensors")
    torch.testing.assert_close(loaded["weights"], state["weights"], rtol=0, atol=0)
    assert loaded["steps"] == {0: 1.5, 7: None} and loaded["list"][:3] == [1, "two", True]
    assert loaded["list"][3] == [torch.tensor(3)] and loaded["empty"] == {} and loaded["no tensor"] == []


def test_an_optimizer_goes_on_exactly(tmp_path):
    def step(model, optimizer):
        model(torch.ones(2, 3)).square().sum().backward()
        optimizer.step()
        optimizer.zero_grad()

    models = [nn.Linear(3, 2), nn.Linear(3, 2)]
    optimizers = [torch.optim.AdamW(model.parameters(), lr=0.1) for model in models]
    step(models[0], optimizers[0])
    save_checkpoint(tmp_path / "x", {"model": models[0].state_dict(), "optimizer": optimizers[0].state_dict()})
    state = load_checkpoint(tmp_path / "x")
    models[1].load_state_dict(state["model"])
    optimizers[1].load_state_dict(state["optimizer"])
    for model, optimizer in zip(models, optimizers, strict=True):
        step(model, optimizer)
    assert torch.equal(models[0].weight, models[1].weight)


def test_random_state_goes_on_exactly(tmp_path):
    def numbers():
        return random.random(), np.random.rand(), np.random.standard_normal(), torch.rand(3).tolist()

    np.random.standard_normal()  # leaves a cached normal behind
    save_checkpoint(tmp_path / "x", random_state())
    expected = numbers()
    restore_random_state(load_checkpoint(tmp_path / "x"))
    assert numbers() == expected


def test_a_full_disk_leaves_the_old_checkpoint_and_nothing_else(tmp_path, monkeypatch):
    path = tmp_path / "state"
    save_checkpoint(path, {"step": 1})

    def full(descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(CourseError, match="No space left for state"):
        save_checkpoint(path, {"step": 2})
    assert load_checkpoint(path) == {"step": 1}
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("content", [b"", b"not a checkpoint", (8).to_bytes(8, "little") + b"{}      "])
def test_a_damaged_file_is_told(tmp_path, content):
    (tmp_path / "bad").write_bytes(content)
    with pytest.raises(CourseError, match="not a readable checkpoint"):
        load_checkpoint(tmp_path / "bad")


def test_a_truncated_checkpoint_is_told(tmp_path):
    save_checkpoint(tmp_path / "x", {"weights": torch.randn(100)})
    (tmp_path / "x").write_bytes((tmp_path / "x").read_bytes()[:-10])
    with pytest.raises(CourseError, match="not a readable checkpoint"):
        load_checkpoint(tmp_path / "x")


def test_what_a_checkpoint_cannot_hold_is_told_with_its_place(tmp_path):
    with pytest.raises(TypeError, match=r"can't hold a set \(at /a/1\)"):
        save_checkpoint(tmp_path / "x", {"a": [1, {2}]})
