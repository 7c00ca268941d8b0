"""Seeds: reproducible runs, and a learner's random state that nothing disturbs."""

import random

import numpy as np
import pytest
import torch

from course_lib.seeds import seed_everything, undisturbed_random_state


def three_numbers() -> list[float]:
    return [random.random(), float(np.random.rand()), torch.rand(()).item()]


def test_the_same_seed_repeats_all_three_generators():
    seed_everything(3)
    first = three_numbers()
    assert three_numbers() != first
    seed_everything(3)
    assert three_numbers() == first


def test_nothing_that_happens_inside_is_noticed_afterwards():
    seed_everything(3)
    wanted = three_numbers()
    seed_everything(3)
    with undisturbed_random_state(8):
        three_numbers()
        seed_everything(99)
    assert three_numbers() == wanted


def test_an_exception_inside_restores_the_state_too():
    seed_everything(3)
    wanted = three_numbers()
    seed_everything(3)
    with pytest.raises(KeyError), undisturbed_random_state(8):
        three_numbers()
        raise KeyError
    assert three_numbers() == wanted


def test_inside_all_three_start_from_the_seed():
    seed_everything(8)
    wanted = three_numbers()
    with undisturbed_random_state(8):
        assert three_numbers() == wanted
    with undisturbed_random_state(9):
        assert three_numbers() != wanted


@pytest.mark.gpu
def test_the_gpus_generator_is_left_alone():
    torch.cuda.manual_seed_all(3)
    wanted = torch.rand(3, device="cuda")
    torch.cuda.manual_seed_all(3)
    with undisturbed_random_state(8):
        torch.rand(3, device="cuda")
        torch.manual_seed(5)
    assert torch.equal(torch.rand(3, device="cuda"), wanted)
