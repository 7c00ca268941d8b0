"""What lesson 04's exercises owe us: scenarios that use an exercise and return what they observed; a judge compares."""

import torch

from course_lib.exercises import check, raises

# output_size


@check("Stride 1, no padding: the kernel moves until it meets the end")
def plain_kernels(output_size, draw):
    observed = []
    for kernel_size in (1, 2, 3, 4, 5, 6, 7, 8, 9, 10):
        observed.append(output_size(kernel_size + draw.choice(range(1, 20)), kernel_size=kernel_size))
    return observed


@check("Padding counts at both ends")
def padded_sides(output_size, draw):
    observed = []
    for padding in (1, 2, 3, 1, 2, 3, 1, 2, 3):
        observed.append(output_size(draw.choice(range(7, 30)), kernel_size=draw.choice([3, 5, 7]), padding=padding))
    return observed


@check("What is left over after the last stride is not looked at")
def strides_that_leave_a_rest(output_size, draw):
    observed = []
    for stride in (2, 3, 4, 5, 2, 3, 4, 5, 3, 4):
        kernel_size = draw.choice([2, 3, 4])
        size = kernel_size + stride * draw.choice([2, 3, 4]) + draw.choice(range(1, stride))
        observed.append(output_size(size, kernel_size=kernel_size, stride=stride))
    return observed


@check("Where the strides come out even, the last place counts")
def strides_that_come_out_even(output_size, draw):
    observed = []
    for stride in (2, 3, 4, 5, 2, 3, 4, 5, 3, 4):
        kernel_size = draw.choice([1, 2, 3])
        observed.append(
            output_size(kernel_size + stride * draw.choice([2, 3, 4]), kernel_size=kernel_size, stride=stride)
        )
    return observed


@check("Stride and padding together")
def strides_and_padding(output_size, draw):
    observed = []
    for _ in range(12):
        stride, padding = draw.choice([2, 3, 4]), draw.choice([1, 2, 3])
        options = {"kernel_size": draw.choice([2, 3, 5]), "stride": stride, "padding": padding}
        observed.append(output_size(draw.choice(range(8, 40)), **options))
    return observed


@check("A kernel as long as the padded image has one place, a longer one is refused with ValueError")
def kernels_that_hardly_fit(output_size, draw):
    observed = []
    for padding in (0, 0, 1, 1, 2, 2, 3, 3, 4, 4):
        size = draw.choice(range(2, 12))
        fits = size + 2 * padding
        options = {"stride": draw.choice([1, 2, 3]), "padding": padding}
        observed.append(output_size(size, kernel_size=fits, **options))
        observed.append(raises(output_size, size, kernel_size=fits + draw.choice([1, 2, 9]), **options))
    return observed


# conv2d


@check("One patch, small enough to do by hand")
def one_patch(conv2d, draw):
    return [conv2d(draw.integers(1, 2, 2, 2).float(), draw.integers(1, 2, 2, 2).float()) for _ in range(3)]


@check("The kernel slides as it is: neither flipped nor transposed")
def kernel_slides_as_it_is(conv2d, draw):
    return [conv2d(draw.normal(2, 1, 5, 7), draw.normal(1, 1, side, side)) for side in (2, 3, 4)]


@check("Kernels that are wider than high, and higher than wide")
def oblong_kernels(conv2d, draw):
    return [conv2d(draw.normal(2, 2, 6, 9), draw.normal(3, 2, *sides)) for sides in ((1, 4), (5, 2), (2, 3))]


@check("Every channel counts, and what they find adds up")
def channels_add_up(conv2d, draw):
    return [conv2d(draw.normal(2, c, 7, 10), draw.normal(4, c, 3, 3)) for c in (2, 3, 5)]


@check("Padding surrounds the picture on all four sides")
def padding_on_all_sides(conv2d, draw):
    images = draw.normal(2, 3, 6, 9)
    return [conv2d(images, draw.normal(4, 3, 3, 3), padding=padding) for padding in (1, 2, 3)]


@check("The places are a stride apart, from the first one on, with padding too")
def places_are_a_stride_apart(conv2d, draw):
    images = draw.normal(2, 3, 9, 12)
    options = [{"stride": stride, "padding": padding} for stride in (2, 3) for padding in (0, 1)]
    return [conv2d(images, draw.normal(4, 3, 3, 3), **each) for each in options]


@check("Each filter has one bias, the same at all of its places")
def one_bias_for_each_filter(conv2d, draw):
    images = draw.normal(2, 3, 6, 7)  # a 3x3 filter has as many places in a row as there are filters
    return [conv2d(images, draw.normal(5, 3, 3, 3), draw.normal(5)) for _ in range(4)]


@check("Gradients reach the images, the filters and the bias")
def gradients_of_a_convolution(conv2d, draw):
    tensors = [draw.normal(*shape, dtype=torch.float64) for shape in ((2, 3, 6, 7), (5, 3, 3, 3), (5,))]
    inputs = [tensor.requires_grad_() for tensor in tensors]
    output = conv2d(*inputs, padding=1, stride=2)
    (output * draw.normal(2, 5, 3, 4, dtype=torch.float64)).sum().backward()
    return [tensor.grad for tensor in inputs]


# max_pool2d


@check("Windows side by side: the largest number of each")
def windows_side_by_side(max_pool2d, draw):
    return [max_pool2d(draw.normal(2, 3, side, 2 * side), kernel_size=side // 2) for side in (4, 6, 8)]


@check("Windows that are all negative")
def negative_windows(max_pool2d, draw):
    return [max_pool2d(-draw.uniform(2, 3, 6, 8, low=0.1), kernel_size=2) for _ in range(3)]


@check("A strongly negative number does not win")
def negative_numbers_do_not_win(max_pool2d, draw):
    observed = []
    for kernel_size in (2, 3, 4):
        images = draw.uniform(2, 3, 8, 12) - 3 * (draw.uniform(2, 3, 8, 12) < 0.2)
        observed.append(max_pool2d(images, kernel_size=kernel_size))
    return observed


@check("Windows that overlap, and windows with gaps between them")
def windows_with_a_stride(max_pool2d, draw):
    images = draw.normal(2, 3, 8, 11)
    return [max_pool2d(images, kernel_size=size, stride=stride) for size, stride in ((3, 1), (3, 2), (2, 3), (4, 3))]


@check("A window that would stick out is left away")
def no_partial_windows(max_pool2d, draw):
    images = draw.normal(2, 3, 7, 11)
    return [max_pool2d(images, kernel_size=kernel_size) for kernel_size in (2, 3, 4)]


@check("Each channel is pooled by itself")
def channels_stay_apart(max_pool2d, draw):
    return [max_pool2d(draw.normal(2, channels, 6, 4), kernel_size=2) for channels in (2, 4, 5)]


# receptive_field


def random_layers(draw, *, depth, strides, kernels=(2, 3, 5, 7)):
    return [(draw.choice(kernels), draw.choice(strides)) for _ in range(depth)]


@check("One layer sees its kernel; none sees the pixel itself")
def single_layers(receptive_field, draw):
    layers = [[(draw.choice([2, 3, 5, 7]), draw.choice([1, 2, 3]))] for _ in range(8)]
    return [receptive_field([]), *[receptive_field(each) for each in layers]]


@check("Layers that move by one pixel: each adds a little")
def layers_without_a_stride(receptive_field, draw):
    return [receptive_field(random_layers(draw, depth=depth, strides=[1])) for depth in (2, 3, 4, 5, 6, 7, 8, 9)]


@check("Behind a stride, everything counts for more pixels of the image")
def layers_behind_a_stride(receptive_field, draw):
    observed = []
    for depth in (1, 2, 3, 1, 2, 3, 4, 5):
        layers = random_layers(draw, depth=depth, strides=[1], kernels=(3, 5))
        observed.append(receptive_field([(draw.choice([2, 3]), draw.choice([2, 3, 4])), *layers]))
    return observed


@check("The stride of the last layer widens no kernel, only the step")
def stride_at_the_end(receptive_field, draw):
    observed = []
    for depth in (1, 2, 3, 4, 1, 2, 3, 4):
        layers = random_layers(draw, depth=depth, strides=[1], kernels=(3, 5))
        observed.append(receptive_field([*layers, (draw.choice([2, 3]), draw.choice([2, 3, 4]))]))
    return observed


@check("Many strides: steps multiply")
def many_strides(receptive_field, draw):
    return [receptive_field(random_layers(draw, depth=depth, strides=[2, 3])) for depth in (2, 3, 4, 5, 2, 3, 4, 5)]
