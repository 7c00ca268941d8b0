"""Reuse a trained network: freeze it, give it a new head, let its layers learn at different rates, adapt it by LoRA."""

import copy
import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

BEHAVES_DIFFERENTLY_IN_TRAINING = (nn.modules.batchnorm._NormBase, nn.modules.dropout._DropoutNd)


def freeze(module: nn.Module, *, statistics: bool = True) -> nn.Module:
    """Let nothing in a module learn any more.

    A parameter without gradient is only half of it: batch norm's running mean and variance follow every batch that
    passes in training mode. So batch norm (and dropout) stay in evaluation mode, whatever `train()` says.

    Args:
        module: what to freeze, with all that is in it.
        statistics: freeze batch norm's statistics and dropout, too; False shows what happens if one forgets.

    Returns:
        The same module.
    """
    module.requires_grad_(False)
    if statistics:
        for part in module.modules():
            if isinstance(part, BEHAVES_DIFFERENTLY_IN_TRAINING) and _stay_in_evaluation not in _hooks(part):
                part.register_forward_pre_hook(_stay_in_evaluation)
    return module


def unfreeze(module: nn.Module) -> nn.Module:
    """Let everything in a module learn again; call `train()` afterwards, or let `fit` do it. Returns the module."""
    module.requires_grad_(True)
    for part in module.modules():
        for number, hook in list(part._forward_pre_hooks.items()):
            if hook is _stay_in_evaluation:
                del part._forward_pre_hooks[number]
    return module


def _hooks(module: nn.Module) -> list:
    return list(module._forward_pre_hooks.values())


def _stay_in_evaluation(module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
    module.training = False


def replace_head(model: nn.Module, num_classes: int) -> nn.Module:
    """Replace the last layer by a new one for other classes; its weights start at random, the rest stays.

    Args:
        model: one of ours, or any torchvision classifier.
        num_classes: of the new task.

    Returns:
        The new head, on the device of the old one; the model is changed in place.

    Raises:
        ValueError: the last layer with weights is neither linear nor a 1x1 convolution.
    """
    layers = [
        (name, part) for name, part in model.named_modules() if next(part.parameters(recurse=False), None) is not None
    ]
    name, old = layers[-1] if layers else ("", None)
    if isinstance(old, nn.Linear):
        new: nn.Module = nn.Linear(old.in_features, num_classes, bias=old.bias is not None)
    elif isinstance(old, nn.Conv2d) and old.kernel_size == (1, 1):  # as in SqueezeNet
        new = nn.Conv2d(old.in_channels, num_classes, 1, bias=old.bias is not None)
    else:
        raise ValueError(
            f"The last layer with weights is {name or 'missing'} ({type(old).__name__}), but a head is a linear layer "
            "or a 1x1 convolution. Replace it by hand."
        )
    if not name:
        raise ValueError("The model is a single layer: make a new one instead.")
    model.set_submodule(name, new.to(old.weight.device, old.weight.dtype))
    return new


def parameter_groups(
    parts: Sequence[nn.Module], *, learning_rate: float, factor: float = 0.3
) -> list[dict[str, list[nn.Parameter] | float]]:
    """Discriminative learning rates: what an optimizer takes, with smaller steps for what lies further from the head.

    Args:
        parts: the model's parts, from its input to its head; no parameter may stand in two of them.
        learning_rate: of the last part, the head.
        factor: the rate of each part is that of the next part, times this.

    Returns:
        One group for each part that has parameters to learn, in the same order. Frozen ones are left out.

    Raises:
        ValueError: a parameter stands in two parts, or nothing is left to learn.

    Source: Howard & Ruder 2018, doi:10.18653/v1/P18-1031, section 3.2
    """
    groups, seen = [], set()
    for distance, part in zip(range(len(parts) - 1, -1, -1), parts, strict=True):
        learning = [parameter for parameter in part.parameters() if parameter.requires_grad]
        if seen & {id(parameter) for parameter in learning}:
            raise ValueError(f"Part {len(parts) - 1 - distance} shares parameters with an earlier one: list each once.")
        seen |= {id(parameter) for parameter in learning}
        if learning:
            groups.append({"params": learning, "lr": learning_rate * factor**distance})
    if not groups:
        raise ValueError("All parameters are frozen: unfreeze a part, or give the model a new head.")
    return groups


class LoRALinear(nn.Module):
    """A frozen linear layer with a small one beside it, which learns: `W x + b + (alpha / rank) B A x`.

    It starts as the layer that it wraps, since B starts at zero.

    Args:
        linear: the trained layer, `(..., in_features)` to `(..., out_features)`; it is frozen.
        rank: the width of the bottleneck; `rank * (in_features + out_features)` numbers learn.
        alpha: how much the small layer weighs; by default as much as its rank, which makes the factor one.

    Raises:
        ValueError: the rank is not between 1 and the layer's smaller side.

    Source: Hu et al. 2022, arXiv:2106.09685, section 4.1
    """

    def __init__(self, linear: nn.Linear, *, rank: int, alpha: float | None = None):
        super().__init__()
        largest = min(linear.in_features, linear.out_features)
        if not 1 <= rank <= largest:
            raise ValueError(f"rank is {rank}, but must be from 1 to {largest} for this layer.")
        self.linear = linear.requires_grad_(False)
        self.scale = (rank if alpha is None else alpha) / rank
        self.down = nn.Parameter(linear.weight.new_empty(rank, linear.in_features))
        self.up = nn.Parameter(linear.weight.new_zeros(linear.out_features, rank))
        nn.init.kaiming_uniform_(self.down, a=math.sqrt(5))  # as nn.Linear begins

    def forward(self, inputs: Tensor) -> Tensor:
        return self.linear(inputs) + self.scale * F.linear(F.linear(inputs, self.down), self.up)

    @torch.no_grad()
    def merge(self) -> nn.Linear:
        """One plain linear layer that computes the same: nothing is slower than before."""
        merged = nn.Linear(self.linear.in_features, self.linear.out_features, bias=self.linear.bias is not None)
        merged.to(self.down.device, self.down.dtype).load_state_dict(self.linear.state_dict())
        merged.weight += self.scale * self.up @ self.down
        return merged


class LoRAConv2d(nn.Module):
    """The same for a convolution: beside it a convolution to `rank` channels, then a 1x1 one to all of them.

    Args:
        conv: the trained layer, `(n, c, h, w)` to `(n, f, oh, ow)`; it is frozen.
        rank: channels of the bottleneck.
        alpha: how much the small layers weigh; by default as much as their rank.

    Raises:
        ValueError: the rank is below 1, or the convolution has groups.
    """

    def __init__(self, conv: nn.Conv2d, *, rank: int, alpha: float | None = None):
        super().__init__()
        if rank < 1 or conv.groups > 1:
            raise ValueError(f"LoRA needs a rank of at least 1 and one group, but got {rank} and {conv.groups}.")
        self.conv = conv.requires_grad_(False)
        self.scale = (rank if alpha is None else alpha) / rank
        like = {"device": conv.weight.device, "dtype": conv.weight.dtype, "bias": False}
        self.down = nn.Conv2d(
            conv.in_channels, rank, conv.kernel_size, conv.stride, conv.padding, conv.dilation, **like
        )
        self.up = nn.Conv2d(rank, conv.out_channels, 1, **like)
        nn.init.zeros_(self.up.weight)

    def forward(self, images: Tensor) -> Tensor:
        return self.conv(images) + self.scale * self.up(self.down(images))

    @torch.no_grad()
    def merge(self) -> nn.Conv2d:
        """One plain convolution that computes the same."""
        merged = copy.deepcopy(self.conv)
        merged.weight += self.scale * torch.einsum("fr,rcij->fcij", self.up.weight[:, :, 0, 0], self.down.weight)
        return merged


def add_lora(model: nn.Module, *, rank: int, alpha: float | None = None) -> list[LoRALinear | LoRAConv2d]:
    """Freeze a model and wrap each of its linear layers and convolutions but the last, the head, which learns on.

    Args:
        model: any module; it is changed in place.
        rank: see `LoRALinear`; a layer whose smaller side is narrower gets that.
        alpha: see `LoRALinear`.

    Returns:
        The wrapped layers.

    Raises:
        ValueError: there is nothing to wrap besides the head.
    """
    layers = [(name, part) for name, part in model.named_modules() if isinstance(part, nn.Linear | nn.Conv2d)]
    if len(layers) < 2:
        raise ValueError(f"LoRA needs a layer besides the head, but the model has {len(layers)} in all.")
    freeze(model)
    wrapped: list[LoRALinear | LoRAConv2d] = []
    for name, layer in layers[:-1]:
        kind = LoRALinear if isinstance(layer, nn.Linear) else LoRAConv2d
        wrapped.append(kind(layer, rank=min(rank, *layer.weight.shape[:2]), alpha=alpha))
        model.set_submodule(name, wrapped[-1])
    unfreeze(layers[-1][1])
    return wrapped
