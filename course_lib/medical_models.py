"""The networks of lesson 06: one says whether there is a nodule, the other where. Gray pictures in, logits out."""

import itertools
import math

import torch
import torch.nn.functional as F
from scipy import ndimage
from torch import Tensor, nn


def _layer(in_channels: int, out_channels: int, *, size: int = 3, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(in_channels, out_channels, size, stride=stride, padding=size // 2, bias=False),
        nn.BatchNorm2d(out_channels),
        nn.ReLU(),
    )


class NoduleNet(nn.Module):
    """Is there a nodule anywhere? `(n, 1, h, w)` in [0, 1] to logits `(n,)`; any size from 16x16 on will do.

    The last layer looks at the strongest answer of each filter, wherever it was: one nodule is enough.

    Args:
        widths: channels at a half, a quarter and an eighth of the resolution.
        in_channels: 1 for gray pictures.
    """

    def __init__(self, *, widths: tuple[int, int, int] = (16, 32, 48), in_channels: int = 1):
        super().__init__()
        self.features = nn.Sequential(
            _layer(in_channels, widths[0], size=5, stride=2),
            nn.MaxPool2d(2),
            _layer(widths[0], widths[1]),
            _layer(widths[1], widths[1]),
            nn.MaxPool2d(2),
            _layer(widths[1], widths[2]),
        )
        self.head = nn.Linear(widths[2], 1)

    def forward(self, images: Tensor) -> Tensor:
        return self.head(self.features(images * 2 - 1).amax(dim=(2, 3)))[:, 0]


class UpBlock(nn.Module):
    """Double the size of what the deeper layers found, lay beside it what the shallower ones saw, and convolve both."""

    def __init__(self, coarse_channels: int, skip_channels: int):
        super().__init__()
        self.convolve = nn.Conv2d(coarse_channels + skip_channels, skip_channels, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(skip_channels)

    def forward(self, coarse: Tensor, skip: Tensor) -> Tensor:
        larger = F.interpolate(coarse, scale_factor=2.0, mode="nearest")
        down, right = skip.shape[-2] - larger.shape[-2], skip.shape[-1] - larger.shape[-1]
        larger = F.pad(larger, (0, right, 0, down), mode="replicate")  # pooling drops an odd row or column
        return F.relu(self.norm(self.convolve(torch.cat([larger, skip], dim=1))))


class UNet(nn.Module):
    """Where is the nodule? `(n, 1, h, w)` in [0, 1] to one logit for each pixel, `(n, 1, h, w)`.

    Args:
        widths: channels at full resolution, at a half, a quarter ...
        share: about how many of the pixels belong to a nodule. The last bias starts at the logit of that, so that the
            first masks are as empty as most true ones.
        up_block: what goes one level up, a class like `UpBlock`.

    Source: Ronneberger, Fischer & Brox 2015, doi:10.1007/978-3-319-24574-4_28, made smaller
    """

    def __init__(
        self, *, widths: tuple[int, ...] = (6, 12, 24, 32), share: float = 0.003, up_block: type[UpBlock] = UpBlock
    ):
        super().__init__()
        self.down = nn.ModuleList(_layer(before, after) for before, after in zip((1, *widths), widths, strict=False))
        deepest_first = widths[::-1]
        self.up = nn.ModuleList(up_block(coarse, skip) for coarse, skip in itertools.pairwise(deepest_first))
        self.head = nn.Conv2d(widths[0], 1, 1)
        nn.init.constant_(self.head.bias, math.log(share / (1 - share)))

    def forward(self, images: Tensor) -> Tensor:
        features = self.down[0](images * 2 - 1)
        skips = []
        for layer in self.down[1:]:
            skips.append(features)
            features = layer(F.max_pool2d(features, 2))
        for block in self.up:
            features = block(features, skips.pop())
        return self.head(features)


def masks_from(logits: Tensor, *, threshold: float = 0.5, smallest: int = 12) -> Tensor:
    """The masks that a U-Net means: pixels that are likely enough, without specks.

    Args:
        logits: one for each pixel, shape `(n, 1, h, w)`.
        threshold: a pixel belongs to the mask from this probability on.
        smallest: connected regions of fewer pixels are dropped.

    Returns:
        bool, the same shape, on the CPU.
    """
    masks = (logits.sigmoid() >= threshold).cpu()
    for mask in masks[:, 0].numpy():  # shares its memory with the tensor
        regions, count = ndimage.label(mask)
        areas = ndimage.sum_labels(mask, regions, range(1, count + 1))
        for number, area in enumerate(areas, start=1):
            if area < smallest:
                mask[regions == number] = False
    return masks


def compare_regions(true: Tensor, drawn: Tensor) -> tuple[int, int, int]:
    """Count findings instead of pixels.

    Args:
        true: where something is, bool, shape `(n, 1, h, w)`.
        drawn: where something was seen, the same.

    Returns:
        How many connected regions are true; how many of these were met; and how many regions were drawn in vain.
    """
    there, met, vain = 0, 0, 0
    for truth, answer in zip(true[:, 0].numpy(), drawn[:, 0].numpy(), strict=True):
        true_regions, num_true = ndimage.label(truth)
        drawn_regions, num_drawn = ndimage.label(answer)
        both = truth & answer
        there += num_true
        met += len(set(true_regions[both].tolist()))
        vain += num_drawn - len(set(drawn_regions[both].tolist()))
    return there, met, vain


def flip(images: Tensor, targets: Tensor, *, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Mirror a whole batch left to right, or top to bottom, or both, by chance; its masks likewise, labels not.

    Args:
        images: shape `(n, c, h, w)`.
        targets: masks, shape `(n, 1, h, w)`, or labels, shape `(n,)`.
        generator: the source of chance.
    """
    for side in (2, 3):
        if torch.rand((), generator=generator, device=generator.device) < 0.5:
            images = images.flip(side)
            targets = targets.flip(side) if targets.ndim == 4 else targets
    return images, targets
