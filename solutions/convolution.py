"""Lesson 04, convolution: the reference of each exercise, and the mistakes that people make."""

import torch
import torch.nn.functional as F

from course_lib.exercises import built_without, mistake


def output_size(size, *, kernel_size, stride=1, padding=0):
    """Count the places at which a kernel fits along one side of an image.

    Args:
        size: the side of the image in pixels, 1 or more.
        kernel_size: the side of the kernel in pixels, 1 or more.
        stride: pixels from one place to the next, 1 or more.
        padding: zeros that are added to the image at each of the two ends.

    Returns:
        The number of places, a whole number: the first one starts at the padded image's first pixel, and the kernel
        may not stick out at the end.

    Raises:
        ValueError: the kernel is longer than the padded image.

    Example: 7 pixels and a kernel of 3 have 5 places; with `stride=2` it is 3, and with `padding=1` too it is 4.
    """
    padded = size + 2 * padding
    if kernel_size > padded:
        raise ValueError(f"the kernel has {kernel_size} pixels, the padded image only {padded}")
    return (padded - kernel_size) // stride + 1


@mistake(
    of=output_size,
    hint="You round up: the kernel's last place then sticks out of the image. What is left over at the end is not "
    "looked at, so round down.",
)
def output_size_rounds_up(size, *, kernel_size, stride=1, padding=0):
    output_size(size, kernel_size=kernel_size, stride=stride, padding=padding)
    return -(-(size + 2 * padding - kernel_size) // stride) + 1


@mistake(
    of=output_size,
    hint="You count the padding once. It is added at both ends of the image.",
)
def output_size_pads_one_end(size, *, kernel_size, stride=1, padding=0):
    output_size(size, kernel_size=kernel_size, stride=stride, padding=padding)
    return (size + padding - kernel_size) // stride + 1


@mistake(
    of=output_size,
    hint="You count the moves, not the places: a kernel that can't move at all still has one place, the one where it "
    "stands.",
)
def output_size_counts_the_moves(size, *, kernel_size, stride=1, padding=0):
    return output_size(size, kernel_size=kernel_size, stride=stride, padding=padding) - 1


@mistake(
    of=output_size,
    hint="You divide the number of places at stride 1 by the stride, and round down. The first place counts "
    "before any move is made: divide the free pixels by the stride, then add 1.",
)
def output_size_divides_the_places(size, *, kernel_size, stride=1, padding=0):
    return output_size(size, kernel_size=kernel_size, padding=padding) // stride


@mistake(
    of=output_size,
    hint="You lay kernels side by side, without overlap. From one place to the next it is `stride` pixels, not the "
    "length of the kernel.",
)
def output_size_lays_kernels_side_by_side(size, *, kernel_size, stride=1, padding=0):
    return output_size(size, kernel_size=kernel_size, stride=kernel_size, padding=padding)


@mistake(
    of=output_size,
    hint="You ignore the stride: with stride 2, every second place is left out.",
)
def output_size_ignores_the_stride(size, *, kernel_size, stride=1, padding=0):
    return output_size(size, kernel_size=kernel_size, padding=padding)


@mistake(
    of=output_size,
    hint="For a kernel that is longer than the padded image you return a number. There is no such place: raise a "
    "ValueError, or the mistake shows up much later and far from its cause.",
)
def output_size_accepts_any_kernel(size, *, kernel_size, stride=1, padding=0):
    return (size + 2 * padding - kernel_size) // stride + 1


@built_without("torch.conv2d", "torch.nn.Conv2d", "torch.convolution", "torch.conv3d")
def conv2d(images, weight, bias=None, *, stride=1, padding=0):
    """Slide each filter over each image, and sum over the channels (cross-correlation, as deep learning does it).

    Args:
        images: floating point, shape `(n, c, h, w)`; left as they were.
        weight: the filters, shape `(f, c, kh, kw)`.
        bias: one number per filter, shape `(f,)`, or None.
        stride: pixels from one place of a filter to the next, down and to the right.
        padding: zeros added on every side of the images.

    Returns:
        Shape `(n, f, oh, ow)`, where `oh` and `ow` are the numbers of places along both sides. Each number is the sum
        of `c * kh * kw` products, and its filter's bias.

    Example: the image `[[1, 2], [3, 4]]` and the filter `[[1, 0], [5, 0]]` give the single number 1·1 + 3·5 = 16.
    """
    (h, w), (kh, kw) = images.shape[2:], weight.shape[2:]
    oh, ow = (h + 2 * padding - kh) // stride + 1, (w + 2 * padding - kw) // stride + 1
    padded = F.pad(images, [padding] * 4)
    output = images.new_zeros(len(images), len(weight), oh, ow)
    for i in range(kh):
        for j in range(kw):
            window = padded[:, :, i : i + stride * oh : stride, j : j + stride * ow : stride]  # (n, c, oh, ow)
            output = output + torch.einsum("nchw,fc->nfhw", window, weight[:, :, i, j])
    return output if bias is None else output + bias[:, None, None]


@mistake(
    of=conv2d,
    hint="You flipped the kernel. That is the convolution of mathematics; deep learning slides it as it is.",
)
def conv2d_flips_the_kernel(images, weight, bias=None, *, stride=1, padding=0):
    return conv2d(images, weight.flip(-1, -2), bias, stride=stride, padding=padding)


@mistake(
    of=conv2d,
    hint="Rows and columns of the kernel changed places: the cell in row i and column j is `weight[:, :, i, j]`.",
)
def conv2d_transposes_the_kernel(images, weight, bias=None, *, stride=1, padding=0):
    kh, kw = weight.shape[2:]
    if kh != kw:
        raise IndexError(f"index {max(kh, kw) - 1} is out of bounds")
    return conv2d(images, weight.mT, bias, stride=stride, padding=padding)


@mistake(
    of=conv2d,
    hint="Padding went onto the bottom and the right only, so the picture is no longer centered. Pad all four sides.",
)
def conv2d_pads_two_sides(images, weight, bias=None, *, stride=1, padding=0):
    return conv2d(F.pad(images, [0, 2 * padding, 0, 2 * padding]), weight, bias, stride=stride)


@mistake(
    of=conv2d,
    hint="Only the last channel counts: each one overwrites what those before it found. A filter has a slice for each "
    "channel; add up what they find.",
)
def conv2d_keeps_the_last_channel(images, weight, bias=None, *, stride=1, padding=0):
    return conv2d(images[:, -1:], weight[:, -1:], bias, stride=stride, padding=padding)


@mistake(
    of=conv2d,
    hint="You average over the channels. Each channel has weights of its own that say how much it counts: add up.",
)
def conv2d_averages_the_channels(images, weight, bias=None, *, stride=1, padding=0):
    return conv2d(images, weight / images.shape[1], bias, stride=stride, padding=padding)


@mistake(
    of=conv2d,
    hint="You applied the stride to the kernel: its cells look at pixels that are `stride` apart, and from place to "
    "place it moves by one. The kernel stays as it is; its places are `stride` apart.",
)
def conv2d_strides_the_kernel(images, weight, bias=None, *, stride=1, padding=0):
    (h, w), (kh, kw) = images.shape[2:], weight.shape[2:]
    oh, ow = (h + 2 * padding - kh) // stride + 1, (w + 2 * padding - kw) // stride + 1
    spread = weight.new_zeros(*weight.shape[:2], (kh - 1) * stride + 1, (kw - 1) * stride + 1)
    spread[:, :, ::stride, ::stride] = weight
    room = F.pad(images, [padding, padding + kw * stride, padding, padding + kh * stride])
    return conv2d(room, spread, bias)[:, :, :oh, :ow]


@mistake(
    of=conv2d,
    hint="Your bias runs along the columns of the output, one number for each column of pixels, because `output + "
    "bias` matches the last axis. There is one for each filter: `bias[:, None, None]`.",
)
def conv2d_gives_each_column_a_bias(images, weight, bias=None, *, stride=1, padding=0):
    output = conv2d(images, weight, stride=stride, padding=padding)
    return output if bias is None else output + bias


@mistake(
    of=conv2d,
    hint="The bias is added once for each cell of the kernel, because it stands inside the loop. Add it once, at the "
    "end.",
)
def conv2d_adds_the_bias_in_the_loop(images, weight, bias=None, *, stride=1, padding=0):
    kh, kw = weight.shape[2:]
    return conv2d(images, weight, None if bias is None else kh * kw * bias, stride=stride, padding=padding)


@built_without("torch.nn.functional.max_pool2d", "torch.max_pool2d", "torch.nn.MaxPool2d")
def max_pool2d(images, *, kernel_size, stride=None):
    """Keep the largest number of each window, channel by channel.

    Args:
        images: numbers of any sign, shape `(n, c, h, w)`; left as they were.
        kernel_size: height and width of a window, in pixels; at most h and w.
        stride: pixels from one window to the next; None means windows side by side: as far as a window is wide.

    Returns:
        Shape `(n, c, oh, ow)`: one number for each window that lies fully inside.

    Example: `[[1, 5, 2], [0, 3, 4], [9, 9, 9]]` with `kernel_size=2` gives `[[5]]`, and with `stride=1`
        `[[5, 5], [9, 9]]`.
    """
    stride = kernel_size if stride is None else stride
    oh, ow = ((side - kernel_size) // stride + 1 for side in images.shape[2:])
    windows = [
        images[:, :, i : i + stride * oh : stride, j : j + stride * ow : stride]
        for i in range(kernel_size)
        for j in range(kernel_size)
    ]
    return torch.stack(windows).amax(dim=0)  # (kernel_size², n, c, oh, ow) to (n, c, oh, ow)


@mistake(
    of=max_pool2d,
    hint="You take the mean of each window. That is average pooling: one strong answer drowns among weak ones.",
)
def max_pool2d_averages(images, *, kernel_size, stride=None):
    return F.avg_pool2d(images, kernel_size, stride)


@mistake(
    of=max_pool2d,
    hint="Your maximum starts at 0, so a window of negative numbers gives 0. Start from one of the window's own "
    "numbers, or from minus infinity.",
)
def max_pool2d_starts_at_zero(images, *, kernel_size, stride=None):
    return max_pool2d(images, kernel_size=kernel_size, stride=stride).clamp(min=0)


@mistake(
    of=max_pool2d,
    hint="Without a stride you move by one pixel. None means windows side by side: the stride is the kernel size.",
)
def max_pool2d_moves_by_one(images, *, kernel_size, stride=None):
    return max_pool2d(images, kernel_size=kernel_size, stride=1 if stride is None else stride)


@mistake(
    of=max_pool2d,
    hint="You ignore the stride that was asked for: windows may overlap, or leave pixels out between them.",
)
def max_pool2d_ignores_the_stride(images, *, kernel_size, stride=None):
    return max_pool2d(images, kernel_size=kernel_size)


@mistake(
    of=max_pool2d,
    hint="You keep windows that stick out at the bottom or on the right. Only those that lie fully inside count: round "
    "down.",
)
def max_pool2d_keeps_partial_windows(images, *, kernel_size, stride=None):
    stride = kernel_size if stride is None else stride
    missing = [-(side - kernel_size) % stride for side in images.shape[2:]]
    padded = F.pad(images, [0, missing[1], 0, missing[0]], value=-torch.inf)
    return max_pool2d(padded, kernel_size=kernel_size, stride=stride)


@mistake(
    of=max_pool2d,
    hint="You take the number of largest size, whatever its sign: −9 beats 5. The largest number is 5.",
)
def max_pool2d_compares_sizes(images, *, kernel_size, stride=None):
    high = max_pool2d(images, kernel_size=kernel_size, stride=stride)
    low = -max_pool2d(-images, kernel_size=kernel_size, stride=stride)
    return torch.where(-low > high, low, high)


@mistake(
    of=max_pool2d,
    hint="You take the maximum over the channels as well. Each channel is pooled by itself: they ask different "
    "questions.",
)
def max_pool2d_mixes_the_channels(images, *, kernel_size, stride=None):
    return (
        max_pool2d(images, kernel_size=kernel_size, stride=stride)
        .amax(dim=1, keepdim=True)
        .expand_as(max_pool2d(images, kernel_size=kernel_size, stride=stride))
    )


def receptive_field(layers):
    """Say how many pixels of the image, along one side, a single output pixel of a stack of layers depends on.

    Args:
        layers: `(kernel_size, stride)` of each convolution or pooling, from the image to the output; may be empty.

    Returns:
        The side of the receptive field in pixels, and the step: how many pixels of the image lie between what two
        neighboring output pixels look at. Whole numbers.

    Example: two 3×3 convolutions see 5 pixels with a step of 1. With stride 2 in the first one, they see 7 with a step
        of 2.
    """
    field, step = 1, 1
    for kernel_size, stride in layers:
        field += (kernel_size - 1) * step
        step *= stride
    return field, step


@mistake(
    of=receptive_field,
    hint="You add the whole kernel each time. One of its cells falls onto what is seen already, so a kernel adds only "
    "`kernel_size - 1` steps.",
)
def receptive_field_adds_whole_kernels(layers):
    field, step = 1, 1
    for kernel_size, stride in layers:
        field += kernel_size * step
        step *= stride
    return field, step


@mistake(
    of=receptive_field,
    hint="You add each kernel as if it moved over the image's own pixels. Behind a stride of 2, one cell of a kernel "
    "is two pixels of the image away from the next: multiply by the step so far.",
)
def receptive_field_ignores_strides(layers):
    return 1 + sum(kernel_size - 1 for kernel_size, _ in layers), receptive_field(layers)[1]


@mistake(
    of=receptive_field,
    hint="You update the step before you use it, so each layer's own stride widens its own kernel. The stride counts "
    "from the next layer on: first the field, then the step.",
)
def receptive_field_strides_too_early(layers):
    field, step = 1, 1
    for kernel_size, stride in layers:
        step *= stride
        field += (kernel_size - 1) * step
    return field, step


@mistake(
    of=receptive_field,
    hint="You go from the output to the image with the formula for the other direction. Start at the image, "
    "or else turn the formula round as well.",
)
def receptive_field_reads_backwards(layers):
    return receptive_field(list(layers)[::-1])


@mistake(
    of=receptive_field,
    hint="Your steps add up. Two layers of stride 3, one after the other, leave every ninth pixel, not every fifth "
    "or sixth: steps multiply.",
)
def receptive_field_adds_the_strides(layers):
    field, step = 1, 1
    for kernel_size, stride in layers:
        field += (kernel_size - 1) * step
        step += stride - 1
    return field, step


@mistake(
    of=receptive_field,
    hint="You multiply the sizes of the kernels. Two 3×3 kernels see 5 pixels along a side, not 9: their windows "
    "overlap.",
)
def receptive_field_multiplies_the_kernels(layers):
    field = 1
    for kernel_size, _ in layers:
        field *= kernel_size
    return field, receptive_field(layers)[1]


@mistake(
    of=receptive_field,
    hint="You start at 0. Without any layer, an output pixel is a pixel of the image and sees 1: itself.",
)
def receptive_field_starts_at_zero(layers):
    field, step = receptive_field(layers)
    return field - 1, step


@mistake(
    of=receptive_field,
    hint="You return the area. The side is asked for: 5 pixels for two 3×3 kernels, not 25.",
)
def receptive_field_counts_the_area(layers):
    field, step = receptive_field(layers)
    return field**2, step
