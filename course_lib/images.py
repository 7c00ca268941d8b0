"""Normalization and augmentation of whole batches of images, each image with its own draw from a generator.

Images are float tensors of shape `(n, c, h, w)`; the generator lives on their device. Every function returns new images
of the same shape and leaves those it was given as they were. They go into `Batches` through `on_images`:

    augment = on_images(random_flip, partial(random_crop, padding=4))
    Batches(images, labels, batch_size=64, shuffle=True, augment=augment)
"""

import math
from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Generator, Tensor


def channel_statistics(images: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation of each channel over all images, for `normalize`. Take them from training images.

    Args:
        images: shape `(n, c, h, w)`.

    Returns:
        Two tensors of shape `(c,)`.
    """
    std, mean = torch.std_mean(images, dim=(0, 2, 3), correction=0)
    return mean, std


def normalize(images: Tensor, *, mean: Tensor | Sequence[float], std: Tensor | Sequence[float]) -> Tensor:
    """Shift and scale each channel: `(images - mean) / std`.

    Args:
        images: shape `(n, c, h, w)`.
        mean: one number per channel.
        std: one number per channel, above 0.
    """
    mean, std = (torch.as_tensor(each, dtype=images.dtype, device=images.device).view(-1, 1, 1) for each in (mean, std))
    return (images - mean) / std


def on_images(*transforms: Callable[..., Tensor]) -> Callable[..., tuple[Tensor, ...]]:
    """Make an `augment` for `Batches`: the transforms change the images, one after the other; labels stay as they are.

    Args:
        transforms: functions `(images, generator=...) -> images`.
    """

    def augment(images: Tensor, *others: Tensor, generator: Generator) -> tuple[Tensor, ...]:
        for transform in transforms:
            images = transform(images, generator=generator)
        return images, *others

    return augment


def random_flip(images: Tensor, *, generator: Generator) -> Tensor:
    """Mirror each image left to right, or leave it: heads or tails."""
    mirrored = _uniform(images, generator) < 0.5
    return torch.where(mirrored.view(-1, 1, 1, 1), images.flip(-1), images)


def random_crop(images: Tensor, *, padding: int, generator: Generator) -> Tensor:
    """Move each image by up to `padding` pixels in each direction; what comes in is the image's own mirror image.

    Args:
        images: shape `(n, c, h, w)`.
        padding: pixels; less than the height and the width.
        generator: the source of chance.

    Raises:
        ValueError: the padding is as large as the images, or negative.
    """
    height, width = images.shape[-2:]
    if not 0 <= padding < min(height, width):
        raise ValueError(f"padding is {padding}, but must be from 0 to {min(height, width) - 1} for {height}x{width}.")
    padded = F.pad(images, [padding] * 4, mode="reflect")
    down, right = (_integers(images, 2 * padding + 1, generator) for _ in range(2))
    rows = down.view(-1, 1) + torch.arange(height, device=images.device)  # (n, h)
    columns = right.view(-1, 1) + torch.arange(width, device=images.device)  # (n, w)
    numbers = torch.arange(len(images), device=images.device)
    cropped = padded.movedim(1, -1)[numbers.view(-1, 1, 1), rows.unsqueeze(2), columns.unsqueeze(1)]  # (n, h, w, c)
    return cropped.movedim(-1, 1)


def cutout(images: Tensor, *, size: int, generator: Generator) -> Tensor:
    """Set a square somewhere in each image to 0, the mean of normalized images; near the rim it is cut off.

    Args:
        images: shape `(n, c, h, w)`.
        size: the square's side in pixels, at least 1.
        generator: the source of chance.

    Raises:
        ValueError: there is no such square.

    Source: DeVries & Taylor 2017, arXiv:1708.04552
    """
    if size < 1:
        raise ValueError(f"size is {size}, but a square needs at least 1 pixel.")
    inside = []
    for length in images.shape[-2:]:
        first = _integers(images, length, generator).view(-1, 1) - size // 2
        places = torch.arange(length, device=images.device)
        inside.append((places >= first) & (places < first + size))  # (n, length)
    rows, columns = inside
    return images.masked_fill((rows.unsqueeze(2) & columns.unsqueeze(1)).unsqueeze(1), 0.0)


def random_affine(
    images: Tensor, *, shift: float = 0.0, zoom: float = 0.0, shear: float = 0.0, generator: Generator
) -> Tensor:
    """Shift, zoom and shear each image by its own amounts; what comes in from outside continues the rim.

    Args:
        images: shape `(n, c, h, w)`.
        shift: the largest shift in each direction, as a share of height and width.
        zoom: the largest zoom; 0.2 makes things up to 20 percent larger or smaller, in height and width alike.
        shear: the largest slant of upright lines, as an angle in radians.
        generator: the source of chance.

    Raises:
        ValueError: zoom is not from 0 up to, but without, 1, or shear not below a quarter turn.
    """
    if not 0 <= zoom < 1 or not 0 <= shear < math.pi / 2:
        raise ValueError(f"zoom is {zoom} and shear {shear}, but zoom must be in [0, 1) and shear in [0, pi / 2).")
    if len(images) == 0:  # a process's share of a short last batch; affine_grid refuses it
        return images.clone()
    right, down, larger, slant = (2 * _uniform(images, generator) - 1 for _ in range(4))  # each in [-1, 1)
    scale = 1 / (1 + zoom * larger)  # a matrix says where each output pixel looks: it zooms out to zoom in
    matrices = images.new_zeros(len(images), 2, 3)
    matrices[:, 0, 0] = matrices[:, 1, 1] = scale
    matrices[:, 0, 1] = scale * torch.tan(shear * slant)
    matrices[:, 0, 2], matrices[:, 1, 2] = 2 * shift * right, 2 * shift * down  # the picture is 2 units wide
    grid = F.affine_grid(matrices, list(images.shape), align_corners=False)
    return F.grid_sample(images, grid, mode="bilinear", padding_mode="border", align_corners=False)


def _uniform(images: Tensor, generator: Generator) -> Tensor:
    return torch.rand(len(images), generator=generator, device=images.device)


def _integers(images: Tensor, high: int, generator: Generator) -> Tensor:
    return torch.randint(high, (len(images),), generator=generator, device=images.device)
