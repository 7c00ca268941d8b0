"""Lesson 15: its references held to torch, to the library, to counting by hand."""

import statistics

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from course_lib import compression
from course_lib.exercises.registry import load_lesson
from course_lib.models import SmallCNN, TextbookCNN
from course_lib.quantization import quantize_tensor as quantize_in_library

NAMES = ("count_flops", "median_latency", "quantize_tensor", "magnitude_prune", "distillation_loss")
EXERCISES = load_lesson("compression").exercises
count_flops, median_latency, quantize_tensor, magnitude_prune, distillation_loss = (
    EXERCISES[name].reference for name in NAMES
)


def numbers(*shape, seed=0):
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize(
    ("model", "images"),
    [
        (TextbookCNN(), torch.zeros(3, 3, 32, 32)),
        (SmallCNN(), torch.zeros(2, 1, 8, 8)),
        (nn.Sequential(nn.Conv2d(4, 8, (3, 2), stride=2, padding=1, groups=2), nn.ReLU()), torch.zeros(5, 4, 7, 9)),
        (nn.Sequential(nn.Linear(5, 3), nn.Tanh(), nn.Linear(3, 2)), torch.zeros(4, 6, 5)),
    ],
)
def test_operations_are_those_that_torch_and_the_library_count(model, images):
    with FlopCounterMode(display=False) as counter:
        model(images)
    assert count_flops(model, images) == counter.get_total_flops() == compression.count_flops(model, images)


def test_the_example_of_count_flops():
    assert count_flops(nn.Sequential(nn.Conv2d(3, 8, (5, 3))), torch.zeros(1, 3, 9, 7)) == 18_000


class Machine:
    def __init__(self, milliseconds):
        self.now, self.left = 0.0, iter(milliseconds)

    def call(self):
        self.now += next(self.left) / 1000


def measured(milliseconds, *, warmup, runs):
    machine = Machine(milliseconds)
    return median_latency(machine.call, clock=lambda: machine.now, warmup=warmup, runs=runs)


def test_the_example_of_median_latency():
    order = [7, 20, 3, 1, 19, 12, 5, 9, 2, 18, 4, 6, 8, 10, 11, 13, 14, 15, 16, 17]
    assert measured([99, 98, *order], warmup=2, runs=20) == pytest.approx((10.5, 19))


@pytest.mark.parametrize("runs", [1, 2, 19, 20, 21, 99, 100, 101])
def test_the_95th_percentile_is_the_shortest_time_that_95_of_100_do_not_exceed(runs):
    times = (1 + 100 * torch.rand(runs, generator=torch.Generator().manual_seed(runs))).tolist()
    median, p95 = measured(times, warmup=0, runs=runs)
    enough = [each for each in times if 100 * sum(other <= each for other in times) >= 95 * runs]
    assert p95 == pytest.approx(min(enough))
    assert median == pytest.approx(statistics.median(times))


def test_the_library_gives_the_same_median_and_tail():
    times = [float(each) for each in range(40, 0, -1)]
    latency = compression.Latency.of(times)
    assert measured(times, warmup=0, runs=40) == pytest.approx((latency.median, latency.p95))


@pytest.mark.parametrize("bits", [2, 4, 7, 8])
@pytest.mark.parametrize("axis", [None, 0, 1, 2])
def test_quantize_tensor_is_the_librarys_and_loses_at_most_half_a_step(bits, axis):
    values = numbers(5, 4, 3)
    integers, scale = quantize_tensor(values, bits=bits, axis=axis)
    expected, expected_scale = quantize_in_library(values, bits=bits, axis=axis)
    assert torch.equal(integers, expected)
    assert torch.equal(scale, expected_scale)
    assert ((integers * scale - values).abs() <= 0.5 * scale * (1 + 1e-12)).all()


def test_the_example_of_quantize_tensor():
    integers, scale = quantize_tensor(torch.tensor([3.5, -7.0, 1.2]), bits=4)
    assert (integers.tolist(), scale.item()) == ([4, -7, 1], 1.0)


@pytest.mark.parametrize("share", [0.0, 0.1, 0.37, 0.8, 1.0])
def test_pruning_is_the_librarys(share):
    model = SmallCNN().double()
    weights = {name: each.detach() for name, each in model.named_parameters() if each.ndim > 1}
    masks = compression.magnitude_masks(model, share=share)
    for name, each in magnitude_prune(weights, share=share).items():
        assert torch.equal(each, weights[name] * masks[name])


def test_pruning_is_torchs():
    from torch.nn.utils import prune

    layers = [nn.Linear(6, 5).double(), nn.Linear(5, 4).double()]
    expected = {str(number): layer.weight.detach().clone() for number, layer in enumerate(layers)}
    ours = magnitude_prune(expected, share=0.4)
    prune.global_unstructured([(layer, "weight") for layer in layers], prune.L1Unstructured, amount=0.4)
    for number, layer in enumerate(layers):
        assert torch.equal(ours[str(number)], layer.weight.detach())


@pytest.mark.parametrize(("temperature", "share"), [(1.0, 1.0), (4.0, 0.9), (2.0, 0.3), (7.0, 0.0)])
def test_distillation_is_torchs_divergence_and_cross_entropy(temperature, share):
    student, teacher, labels = numbers(6, 5), numbers(6, 5, seed=1), torch.tensor([0, 4, 2, 2, 1, 3])
    soft, target = (student / temperature).log_softmax(1), (teacher / temperature).softmax(1)
    divergence = F.kl_div(soft, target, reduction="none").sum(1)
    expected = share * temperature**2 * divergence
    expected += (1 - share) * F.cross_entropy(student, labels, reduction="none")
    options = {"temperature": temperature, "share": share}
    torch.testing.assert_close(distillation_loss(student, teacher, labels, **options), expected)
    library = compression.distillation_losses(student, teacher, labels, **options)
    torch.testing.assert_close(distillation_loss(student, teacher, labels, **options), library)
