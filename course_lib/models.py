"""The finished form of each network that the lessons build: images `(n, c, h, w)` in, logits `(n, classes)` out."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class MLP(nn.Sequential):
    """Fully connected layers with ReLU between them; it sees an image as a plain list of pixels.

    Args:
        num_inputs: numbers per example, `c * h * w` for images.
        hidden_sizes: the width of each hidden layer.
        num_classes: logits per example.
        dropout: the share of each hidden layer that is switched off in training.
    """

    def __init__(
        self, num_inputs: int, *, hidden_sizes: tuple[int, ...] = (128,), num_classes: int = 10, dropout: float = 0.0
    ):
        layers: list[nn.Module] = [nn.Flatten()]
        for num_outputs in hidden_sizes:
            layers += [nn.Linear(num_inputs, num_outputs), nn.ReLU()]
            if dropout > 0:
                layers.append(nn.Dropout(dropout))
            num_inputs = num_outputs
        super().__init__(*layers, nn.Linear(num_inputs, num_classes))


class SmallCNN(nn.Sequential):
    """Two convolutions, a pooling and two linear layers, for scikit-learn's 8x8 digits: `(n, 1, 8, 8)` to `(n, 10)`."""

    def __init__(self, *, in_channels: int = 1, num_classes: int = 10):
        super().__init__(
            nn.Conv2d(in_channels, 16, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(16, 32, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),  # (n, 32, 4, 4)
            nn.Flatten(),
            nn.Linear(32 * 4 * 4, 64),
            nn.ReLU(),
            nn.Linear(64, num_classes),
        )


class TextbookCNN(nn.Sequential):
    """The plain CNN of the textbooks, for 32x32 images: `(n, 3, 32, 32)` to `(n, 10)`, 122,570 parameters.

    Conv32, pool, Conv64, pool, Conv64, Dense64, Dense10; 3x3 filters without padding, ReLU throughout.

    Source: the layers of Keras' and TensorFlow's CIFAR-10 tutorials, https://www.tensorflow.org/tutorials/images/cnn
    """

    def __init__(self, *, in_channels: int = 3, num_classes: int = 10):
        super().__init__(
            nn.Conv2d(in_channels, 32, 3),
            nn.ReLU(),
            nn.MaxPool2d(2),  # (n, 32, 15, 15)
            nn.Conv2d(32, 64, 3),
            nn.ReLU(),
            nn.MaxPool2d(2),  # (n, 64, 6, 6)
            nn.Conv2d(64, 64, 3),
            nn.ReLU(),
            nn.Flatten(),  # (n, 64 * 4 * 4)
            nn.Linear(64 * 4 * 4, 64),
            nn.ReLU(),
            nn.Linear(64, num_classes),
        )


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions with batch norm, and a shortcut that is added to what they found.

    `(n, in_channels, h, w)` to `(n, out_channels, h / stride, w / stride)`. Where the shape changes, the shortcut is a
    1x1 convolution.

    Source: He et al. 2016, doi:10.1109/CVPR.2016.90
    """

    def __init__(self, in_channels: int, out_channels: int, *, stride: int = 1):
        super().__init__()
        self.residual = nn.Sequential(
            nn.Conv2d(in_channels, out_channels, 3, stride=stride, padding=1, bias=False),
            nn.BatchNorm2d(out_channels),
            nn.ReLU(),
            nn.Conv2d(out_channels, out_channels, 3, padding=1, bias=False),
            nn.BatchNorm2d(out_channels),
        )
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or in_channels != out_channels:
            self.shortcut = nn.Sequential(
                nn.Conv2d(in_channels, out_channels, 1, stride=stride, bias=False), nn.BatchNorm2d(out_channels)
            )

    def forward(self, images: Tensor) -> Tensor:
        return F.relu(self.residual(images) + self.shortcut(images))


class SmallResNet(nn.Module):
    """A residual net that a laptop trains in seconds: one convolution, one residual block per width, one linear layer.

    `(n, in_channels, h, w)` to `(n, num_classes)`; any image of at least 8x8 will do.

    Args:
        widths: channels after the first convolution and in each block; all blocks but the first halve the picture.
        in_channels: 3 for color.
        num_classes: logits per example.

    Source: He et al. 2016, doi:10.1109/CVPR.2016.90, section 4.2, made smaller.
    """

    def __init__(self, *, widths: tuple[int, ...] = (16, 32, 64), in_channels: int = 3, num_classes: int = 10):
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(in_channels, widths[0], 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(widths[0]), nn.ReLU()
        )
        self.blocks = nn.Sequential(
            *(
                ResidualBlock(before, after, stride=1 if number == 0 else 2)
                for number, (before, after) in enumerate(zip((widths[0], *widths), widths, strict=False))
            )
        )
        self.head = nn.Linear(widths[-1], num_classes)

    def features(self, images: Tensor) -> Tensor:
        """What the head decides upon, shape `(n, widths[-1])`."""
        return self.blocks(self.stem(images)).mean(dim=(2, 3))

    def forward(self, images: Tensor) -> Tensor:
        return self.head(self.features(images))


class FastResNet(nn.Module):
    """A residual net made to learn fast: `(n, 3, 32, 32)` to `(n, num_classes)`.

    What makes it fast: a first layer that is computed, not learned (it makes neighboring pixels uncorrelated); filters
    that start by handing their input on; early pooling; GELU; batch norm without scales; logits that start small.

    Args:
        images: some thousand training images, as the net will see them (normalized), from which the first layer is
            computed; None for a net whose weights are loaded afterwards.
        widths: channels of the three stages; (64, 256, 256) is made for a GPU, (32, 96, 128) for a laptop.
        num_classes: logits per example.

    Source: after Jordan 2024, "94% on CIFAR-10 in 3.29 seconds on a single GPU", arXiv:2404.00498; ours adds shortcuts
    """

    def __init__(self, images: Tensor | None, *, widths: tuple[int, int, int] = (64, 256, 256), num_classes: int = 10):
        super().__init__()
        self.whiten = nn.Conv2d(3, 24, 2)
        self.whiten.weight.requires_grad_(False)
        if images is not None:
            self.whiten.weight.copy_(whitening_filters(images))
            nn.init.zeros_(self.whiten.bias)
        self.stages = nn.Sequential(
            *(FastStage(before, after) for before, after in zip((24, *widths), widths, strict=False))
        )
        self.head = nn.Linear(widths[-1], num_classes, bias=False)

    def forward(self, images: Tensor) -> Tensor:
        features = self.stages(F.gelu(self.whiten(images)))  # (n, widths[-1], 3, 3)
        return self.head(features.amax(dim=(2, 3))) / 9


class FastStage(nn.Module):
    """Convolution, pooling, and a convolution with a shortcut: `(n, in, h, w)` to `(n, out, h // 2, w // 2)`."""

    def __init__(self, in_channels: int, out_channels: int):
        super().__init__()
        self.conv1 = _dirac(nn.Conv2d(in_channels, out_channels, 3, padding=1, bias=False))
        self.norm1 = _unscaled(nn.BatchNorm2d(out_channels, momentum=0.4))
        self.conv2 = _dirac(nn.Conv2d(out_channels, out_channels, 3, padding=1, bias=False))
        self.norm2 = _unscaled(nn.BatchNorm2d(out_channels, momentum=0.4))

    def forward(self, features: Tensor) -> Tensor:
        pooled = F.gelu(self.norm1(F.max_pool2d(self.conv1(features), 2)))
        return pooled + F.gelu(self.norm2(self.conv2(pooled)))


def _dirac(conv: nn.Conv2d) -> nn.Conv2d:
    """Let the first filters hand on one channel each; the others start at random."""
    nn.init.dirac_(conv.weight[: conv.in_channels])
    return conv


def _unscaled(norm: nn.BatchNorm2d) -> nn.BatchNorm2d:
    norm.weight.requires_grad_(False)
    return norm


@torch.no_grad()
def whitening_filters(images: Tensor, *, size: int = 2, epsilon: float = 5e-4) -> Tensor:
    """Filters whose answers on these images are uncorrelated and about equally strong; each comes with its negative.

    Args:
        images: shape `(n, c, h, w)`.
        size: height and width of the filters.
        epsilon: added to each variance, so that what hardly varies is not blown up.

    Returns:
        Shape `(2 * c * size * size, c, size, size)`.
    """
    channels = images.shape[1]
    patches = F.unfold(images[:5000].float(), size).transpose(1, 2).flatten(0, 1)  # (places, c * size * size)
    variances, directions = torch.linalg.eigh(torch.cov(patches.T).double())
    filters = (directions / (variances + epsilon).sqrt()).T.flip(0)  # the strongest first
    return torch.cat([filters, -filters]).float().reshape(-1, channels, size, size)
