"""Lesson 04: its references held to torch, to counting by hand, and to gradients."""

import itertools

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from course_lib.exercises.registry import load_lesson

EXERCISES = load_lesson("convolution").exercises
output_size, conv2d, max_pool2d, receptive_field = (
    EXERCISES[name].reference for name in ("output_size", "conv2d", "max_pool2d", "receptive_field")
)


def numbers(*shape, seed=0):
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("padding", [0, 1, 2, 5])
@pytest.mark.parametrize("stride", [1, 2, 3, 7])
def test_output_size_counts_the_places_one_by_one(stride, padding):
    for size, kernel_size in itertools.product(range(1, 15), range(1, 6)):
        places = [start for start in range(0, 99, stride) if start + kernel_size <= size + 2 * padding]
        if places:
            assert output_size(size, kernel_size=kernel_size, stride=stride, padding=padding) == len(places)


def test_output_size_is_that_of_torchs_layers():
    for kernel_size, stride, padding in itertools.product((1, 2, 3, 5), (1, 2, 3), (0, 1, 2)):
        answer = nn.Conv1d(1, 1, kernel_size, stride=stride, padding=padding)(torch.zeros(1, 1, 11))
        assert output_size(11, kernel_size=kernel_size, stride=stride, padding=padding) == answer.shape[-1]


def test_output_size_refuses_a_kernel_that_does_not_fit():
    assert output_size(3, kernel_size=5, padding=1) == 1
    with pytest.raises(ValueError, match="the kernel has 6 pixels, the padded image only 5"):
        output_size(3, kernel_size=6, padding=1)


@pytest.mark.parametrize("kernel", [(1, 1), (3, 3), (2, 5), (4, 1)])
@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("padding", [0, 1, 2])
def test_conv2d_is_torchs(kernel, stride, padding):
    images, weight, bias = numbers(2, 3, 8, 11), numbers(4, 3, *kernel, seed=1), numbers(4, seed=2)
    ours = conv2d(images, weight, bias, stride=stride, padding=padding)
    torch.testing.assert_close(ours, F.conv2d(images, weight, bias, stride, padding), rtol=1e-12, atol=1e-12)


def test_conv2d_has_torchs_gradients():
    for own in (True, False):
        images, weight, bias = (numbers(*shape).requires_grad_() for shape in ((2, 3, 7, 6), (4, 3, 3, 2), (4,)))
        answer = conv2d(images, weight, bias, padding=1) if own else F.conv2d(images, weight, bias, padding=1)
        answer.tanh().sum().backward()
        gradients = [tensor.grad for tensor in (images, weight, bias)]
        if own:
            ours = gradients
    for mine, other in zip(ours, gradients, strict=True):
        torch.testing.assert_close(mine, other, rtol=1e-10, atol=1e-12)


def test_conv2d_keeps_precision_and_leaves_its_inputs_alone():
    for dtype in (torch.float32, torch.float64):
        images, weight = torch.ones(1, 2, 4, 5, dtype=dtype), torch.ones(3, 2, 2, 2, dtype=dtype)
        assert conv2d(images, weight, padding=1).dtype == dtype
        assert images.eq(1).all() and weight.eq(1).all()


def test_the_mistake_of_striding_the_kernel_is_torchs_dilation():
    wrong = EXERCISES["conv2d"].mistakes["conv2d_strides_the_kernel"].implementation
    images, weight = numbers(2, 3, 9, 12), numbers(4, 3, 3, 3, seed=1)
    spread = F.conv2d(images, weight, dilation=2)
    torch.testing.assert_close(wrong(images, weight, stride=2), spread[:, :, :4, :5], rtol=1e-12, atol=1e-12)


def test_the_mistake_of_flipping_is_the_convolution_of_mathematics():
    wrong = EXERCISES["conv2d"].mistakes["conv2d_flips_the_kernel"].implementation
    first, second = numbers(6), numbers(4, seed=1)
    product = torch.zeros(9, dtype=torch.float64)  # of two polynomials: their coefficients are convolved
    for i, j in itertools.product(range(6), range(4)):
        product[i + j] += first[i] * second[j]
    answer = wrong(F.pad(first, [3, 3]).view(1, 1, 1, -1), second.view(1, 1, 1, -1)).flatten()
    torch.testing.assert_close(answer, product, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("stride", [None, 1, 2, 3, 5])
@pytest.mark.parametrize("kernel_size", [1, 2, 3, 4])
def test_max_pool2d_is_torchs(kernel_size, stride):
    images = numbers(2, 3, 7, 10) - 1
    ours = max_pool2d(images, kernel_size=kernel_size, stride=stride)
    assert torch.equal(ours, F.max_pool2d(images, kernel_size, stride))


def test_max_pool2d_also_takes_whole_numbers():
    images = torch.tensor([[[[1, 5, 2], [0, 3, 4], [9, 9, 9]]]])
    assert max_pool2d(images, kernel_size=2).tolist() == [[[[5]]]]
    assert max_pool2d(images, kernel_size=2, stride=1).tolist() == [[[[5, 5], [9, 9]]]]


def seen_by_gradient(layers, place):
    """Which pixels of a long row one output pixel of such a stack depends on, as first and last place."""
    stack = nn.Sequential(*(nn.Conv1d(1, 1, kernel_size, stride=stride) for kernel_size, stride in layers)).double()
    for weights in stack.parameters():
        nn.init.constant_(weights, 1.0)
    row = torch.zeros(1, 1, 200, dtype=torch.float64, requires_grad=True)
    stack(row)[0, 0, place].backward()
    seen = row.grad.flatten().nonzero().flatten()
    return seen.min().item(), seen.max().item()


def test_receptive_field_is_what_the_gradient_reaches():
    options = [(1, 1), (3, 1), (2, 2), (4, 3)]  # no stride leaves pixels out
    for depth in (1, 2, 3):
        for layers in itertools.product(options, repeat=depth):
            field, step = receptive_field(layers)
            (first, last), (next_first, _) = seen_by_gradient(layers, 1), seen_by_gradient(layers, 2)
            assert (last - first + 1, next_first - first) == (field, step)


def test_receptive_field_of_nothing_is_the_pixel_itself():
    assert receptive_field([]) == (1, 1)
    assert receptive_field(iter([(3, 2), (3, 1)])) == (7, 2)
