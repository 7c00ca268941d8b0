"""What lesson 15's exercises owe us: scenarios that use an exercise and return what they observed; a judge compares."""

import torch
from torch import nn

from course_lib.exercises import check

# count_flops


@check("One convolution, small enough to do by hand")
def one_convolution(count_flops, draw):
    observed = []
    for _ in range(8):
        channels, filters, size = (int(draw.integers(1, low=1, high=6)) for _ in range(3))
        layer = nn.Conv2d(channels, filters, size)
        observed.append(count_flops(nn.Sequential(layer), torch.zeros(1, channels, 9, 12)))
    return [*observed, count_flops(nn.Sequential(nn.Conv2d(3, 1, 2)), torch.zeros(1, 3, 4, 5))]


@check("A filter is laid down once for each number that comes out: strides and padding")
def strides_and_padding(count_flops, draw):
    observed = []
    for stride, padding in ((1, 1), (2, 0), (2, 1), (3, 0), (3, 2), (1, 3), (4, 1), (2, 3)):
        layer = nn.Conv2d(3, int(draw.integers(1, low=2, high=6)), 3, stride=stride, padding=padding)
        observed.append(count_flops(nn.Sequential(layer), torch.zeros(1, 3, 11, 14)))
    return observed


@check("Kernels need not be square")
def kernels_that_are_not_square(count_flops, draw):
    observed = []
    for kernel in ((1, 3), (3, 1), (5, 2), (2, 5), (1, 4), (4, 1), (3, 2), (2, 3)):
        layer = nn.Conv2d(2, int(draw.integers(1, low=2, high=6)), kernel)
        observed.append(count_flops(nn.Sequential(layer), torch.zeros(1, 2, 9, 11)))
    return observed


@check("With groups, a filter sees a part of the channels")
def groups_of_channels(count_flops, draw):
    observed = []
    for groups in (2, 3, 6, 2, 3, 6, 1, 2, 3):
        layer = nn.Conv2d(6, 6 * int(draw.integers(1, low=1, high=4)), 3, groups=groups)
        observed.append(count_flops(nn.Sequential(layer), torch.zeros(1, 6, 7, 8)))
    return observed


@check("A batch costs as much as all of its pictures")
def batches_of_pictures(count_flops, draw):
    model = nn.Sequential(nn.Conv2d(1, int(draw.integers(1, low=2, high=6)), 3), nn.Flatten(), nn.Linear(1, 1))
    model[2] = nn.Linear(model[0].out_channels * 4 * 5, 3)
    return [count_flops(model, torch.zeros(batch, 1, 6, 7)) for batch in (1, 2, 3, 4, 5, 7, 9, 12, 16)]


@check("A whole network: what has no filters and no rows of weights is free")
def a_whole_network(count_flops, draw):
    observed = []
    for _ in range(8):
        filters, hidden = (int(draw.integers(1, low=2, high=7)) for _ in range(2))
        layers = [nn.Conv2d(3, filters, 3, stride=2), nn.BatchNorm2d(filters), nn.ReLU(), nn.MaxPool2d(2)]
        layers += [nn.Flatten(), nn.Linear(filters * 2 * 3, hidden), nn.ReLU(), nn.Linear(hidden, 4)]
        observed.append(count_flops(nn.Sequential(*layers), draw.normal(2, 3, 10, 13)))
    return observed


@check("A linear layer works on every row of a sequence")
def linear_layers_on_sequences(count_flops, draw):
    model = nn.Sequential(nn.Linear(5, int(draw.integers(1, low=3, high=7))), nn.ReLU())
    return [count_flops(model, torch.zeros(2, frames, 5)) for frames in (2, 3, 4, 5, 6, 8, 11, 13)]


# median_latency


class Machine:
    """A clock that stands still but for the calls, each of which takes a time that was set beforehand."""

    def __init__(self, draw, *, warmup, runs, slow=0.0):
        def seconds(low, high):
            return draw.integers(1, low=low, high=high).item() / 1024  # sums of these are exact

        self.now, self.num_calls = 0.0, 0
        self.durations = [seconds(3000, 5000) for _ in range(warmup)]
        self.durations += [seconds(5000, 9000) if draw.number(0, 1) < slow else seconds(2, 3000) for _ in range(runs)]
        self.durations += [0.0] * 50  # for those who call too often

    def call(self):
        self.now += self.durations[self.num_calls]
        self.num_calls += 1

    def clock(self):
        return self.now


def measured(median_latency, draw, *, warmup, runs, slow=0.0):
    machine = Machine(draw, warmup=warmup, runs=runs, slow=slow)
    return list(median_latency(machine.call, clock=machine.clock, warmup=warmup, runs=runs))


@check("Twenty times: the median, and number nineteen")
def twenty_times(median_latency, draw):
    return [measured(median_latency, draw, warmup=0, runs=20) for _ in range(6)]


@check("The calls that warm up are not among the times")
def warming_up(median_latency, draw):
    return [measured(median_latency, draw, warmup=warmup, runs=20) for warmup in (3, 5, 8, 12, 15)]


@check("A machine that is busy now and then changes the tail, not the median")
def busy_now_and_then(median_latency, draw):
    return [measured(median_latency, draw, warmup=2, runs=40, slow=0.1) for _ in range(6)]


@check("Odd and even numbers of runs")
def odd_and_even(median_latency, draw):
    return [measured(median_latency, draw, warmup=1, runs=runs) for runs in (1, 2, 3, 4, 7, 10, 21, 60, 100, 120)]


@check("As many calls as asked for, and no more")
def numbers_of_calls(median_latency, draw):
    observed = []
    for warmup, runs in ((0, 3), (1, 4), (4, 1), (2, 9), (5, 5), (3, 20), (7, 2), (10, 6), (6, 11)):
        machine = Machine(draw, warmup=warmup, runs=runs)
        median_latency(machine.call, clock=machine.clock, warmup=warmup, runs=runs)
        observed.append(machine.num_calls)
    machine = Machine(draw, warmup=10, runs=100)
    median_latency(machine.call, clock=machine.clock)
    return [*observed, machine.num_calls]


# quantize_tensor


def numbers(draw, *shape):
    return draw.normal(*shape, dtype=torch.float64)


@check("One scale for all: the largest magnitude just fits")
def one_scale(quantize_tensor, draw):
    return [quantize_tensor(numbers(draw, 5, 7)) for _ in range(3)]


@check("To the nearest whole number, also below zero")
def nearest(quantize_tensor, draw):
    observed = []
    for bits in (3, 4, 5):
        values = 0.9 * numbers(draw, 4, 9).clamp(-2, 2)
        observed.append(quantize_tensor(values, bits=bits))
    return observed


@check("A large negative number counts as much as a positive one")
def negative_numbers(quantize_tensor, draw):
    observed = []
    for factor in (2, 3, 5):
        values = numbers(draw, 6, 5)
        values[draw.labels(1, 6), draw.labels(1, 5)] = -factor * values.abs().max()
        observed.append(quantize_tensor(values))
    return observed


@check("Each index of the axis has its own scale")
def own_scales(quantize_tensor, draw):
    observed = []
    for axis, shape in ((0, (4, 6)), (1, (3, 5)), (0, (3, 2, 4, 5)), (1, (4, 3, 2))):
        sizes = [size if place == axis else 1 for place, size in enumerate(shape)]
        factors = (4 * draw.uniform(*sizes, dtype=torch.float64)).exp()
        observed.append(quantize_tensor(factors * numbers(draw, *shape), axis=axis))
    return observed


@check("Fewer bits, coarser steps")
def fewer_bits(quantize_tensor, draw):
    return [quantize_tensor(numbers(draw, 4, 5), bits=bits, axis=axis) for bits in (2, 4, 6) for axis in (None, 0)]


@check("Zeros stay zeros, without dividing by them")
def rows_of_zeros(quantize_tensor, draw):
    observed = []
    for row in (0, 2, 3):
        values = numbers(draw, 4, 5)
        values[row] = 0
        observed.append(quantize_tensor(values, axis=0))
    return [*observed, quantize_tensor(torch.zeros(3, 2, dtype=torch.float64))]


@check("Whole numbers of 8 bits, and the values left as they were")
def kinds_and_inputs(quantize_tensor, draw):
    observed = []
    for axis in (None, 0, 1):
        values = numbers(draw, 3, 4)
        integers, _ = quantize_tensor(values, axis=axis)
        observed += [values, str(integers.dtype)]
    return observed


# magnitude_prune


def layers(draw, *, factor=3.0):
    """Weights of three layers, those of the first one larger."""
    shapes = {"conv": (3, 2, 2, 3), "hidden": (5, 4), "head": (7,)}
    return {name: numbers(draw, *shape) * (factor if name == "conv" else 1) for name, shape in shapes.items()}


@check("So many go, the smallest of all layers together")
def smallest_of_all(magnitude_prune, draw):
    return [magnitude_prune(layers(draw), share=share) for share in (0.2, 0.5, 0.8)]


@check("A layer with small weights may lose them all, one with large weights none")
def layers_unlike(magnitude_prune, draw):
    return [magnitude_prune(layers(draw, factor=100.0), share=share) for share in (0.1, 0.3, 0.45)]


@check("How far from zero, not on which side")
def both_sides(magnitude_prune, draw):
    observed = []
    for side in (-1, 1, -1):
        weights = {name: side * each.abs() for name, each in layers(draw).items()}
        weights["head"] = -weights["head"]
        observed.append(magnitude_prune(weights, share=0.4))
    return observed


@check("Exactly so many, also where magnitudes are equal: the earlier ones go")
def equal_magnitudes(magnitude_prune, draw):
    observed = []
    for share in (0.25, 0.5, 0.7):
        weights = {name: draw.integers(*each.shape, low=-3, high=4).double() for name, each in layers(draw).items()}
        observed.append(magnitude_prune(weights, share=share))
    return observed


@check("A share of 0 changes nothing, a share of 1 leaves nothing")
def nothing_and_everything(magnitude_prune, draw):
    return [magnitude_prune(layers(draw), share=share) for share in (0.0, 1.0)]


@check("The weights that came are left as they were")
def weights_survive(magnitude_prune, draw):
    weights = layers(draw)
    magnitude_prune(weights, share=0.6)
    return weights


# distillation_loss


def pair(draw, *, batch=5, classes=7):
    return 2 * numbers(draw, batch, classes), 3 * numbers(draw, batch, classes), draw.labels(batch, classes)


@check("The teacher's part and the labels' part together, one loss per example")
def both_parts(distillation_loss, draw):
    return [distillation_loss(*pair(draw)) for _ in range(4)]


@check("The teacher alone, at several temperatures")
def teacher_alone(distillation_loss, draw):
    return [distillation_loss(*pair(draw), temperature=each, share=1.0) for each in (1.0, 2.0, 3.5, 8.0)]


@check("The labels alone: no temperature")
def labels_alone(distillation_loss, draw):
    return [distillation_loss(*pair(draw), temperature=each, share=0.0) for each in (1.0, 2.0, 5.0)]


@check("Half and half, with more classes than examples and fewer")
def half_and_half(distillation_loss, draw):
    sizes = ((2, 9), (9, 2), (4, 5))
    return [
        distillation_loss(*pair(draw, batch=batch, classes=classes), temperature=2.0, share=0.3)
        for batch, classes in sizes
    ]


@check("Where they agree, only the labels are left")
def agreement(distillation_loss, draw):
    observed = []
    for share in (0.2, 0.6, 0.9):
        student, _, labels = pair(draw)
        observed.append(distillation_loss(student, student.clone(), labels, share=share))
    return observed


@check("The student learns; the teacher does not")
def gradients(distillation_loss, draw):
    observed = []
    for share in (0.3, 0.6, 0.9):
        student, teacher, labels = pair(draw)
        student.requires_grad_()
        teacher.requires_grad_()
        distillation_loss(student, teacher, labels, temperature=2.0, share=share).sum().backward()
        observed += [student.grad, torch.zeros_like(teacher) if teacher.grad is None else teacher.grad]
    return observed
