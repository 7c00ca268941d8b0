"""Smaller and faster networks: what a call costs in operations and in time, pruning, distillation."""

import math
import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Masks = dict[str, Tensor]


@torch.no_grad()
def count_flops(model: nn.Module, *inputs: Tensor) -> int:
    """Multiplications and additions of one call, in the layers where nearly all of them are.

    Args:
        model: convolutions, linear layers and one-directional LSTMs are counted; it is asked in evaluation mode.
        inputs: what it is called with; one example, if the cost of one is wanted.

    Returns:
        Two for each weight that meets a number; biases, activations and norms are left out, as is usual.
    """
    total, was_training = 0, model.training

    def count(layer: nn.Module, arguments: tuple, output: Any) -> None:
        nonlocal total
        if isinstance(layer, nn.LSTM):
            total += 2 * sum(each.numel() for each in layer.parameters() if each.ndim == 2) * output[0][..., 0].numel()
        elif isinstance(layer, nn.ConvTranspose1d):  # each number of the input meets its weights once
            total += 2 * arguments[0][:, 0].numel() * layer.weight.numel()
        else:  # each number of the output is a sum over one filter, or over one row of weights
            total += 2 * output.numel() * layer.weight[0].numel()

    counted = (nn.Conv1d, nn.Conv2d, nn.ConvTranspose1d, nn.Linear, nn.LSTM)
    hooks = [part.register_forward_hook(count) for part in model.modules() if isinstance(part, counted)]
    model.eval()(*inputs)
    model.train(was_training)
    for hook in hooks:
        hook.remove()
    return total


@dataclass(frozen=True)
class Latency:
    """How long one call takes, in milliseconds.

    Attributes:
        median: half of the calls take no longer.
        p95: 95 of 100 calls take no longer.
        low, high: the median of all calls there could be lies between them, with 95% confidence.
    """

    median: float
    p95: float
    low: float
    high: float

    @classmethod
    def of(cls, milliseconds: list[float]) -> "Latency":
        """From the times of at least ten calls."""
        ordered, count = sorted(milliseconds), len(milliseconds)
        reach = 0.98 * math.sqrt(count)  # ranks: the number of calls below the true median is binomial
        low, high = math.floor(count / 2 - reach), math.ceil(count / 2 + reach)
        return cls(
            statistics.median(ordered),
            ordered[math.ceil(0.95 * count) - 1],
            ordered[max(low - 1, 0)],
            ordered[min(high, count - 1)],
        )

    def __str__(self) -> str:
        return f"{self.median:.3f} ms ({self.low:.3f} to {self.high:.3f}), 95% within {self.p95:.3f} ms"


def measure_latency(
    calls: Mapping[str, Callable[[], Any]],
    *,
    warmup: int = 20,
    turns: int = 40,
    each: int = 5,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, Latency]:
    """Time some functions in turns, so that a machine that is busy for a while is busy for all of them.

    Args:
        calls: by name, functions without arguments.
        warmup: calls of each that are made first and not counted: caches fill, memory is asked for.
        turns: how often each has its turn.
        each: counted calls in one turn. One more goes before them, uncounted: it finds the others' data in the cache.
        clock: seconds; `time.process_time` counts what the process computes and nothing of what others do.
    """
    for call in calls.values():
        for _ in range(warmup):
            call()
    times: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(turns):
        for name, call in calls.items():
            call()
            for _ in range(each):
                began = clock()
                call()
                times[name].append(1000 * (clock() - began))
    return {name: Latency.of(milliseconds) for name, milliseconds in times.items()}


def magnitude_masks(model: nn.Module, *, share: float) -> Masks:
    """Say which weights are worth keeping: the largest of all layers together.

    Args:
        model: weights with two axes or more are looked at; biases and norms are few, and each counts.
        share: of these weights, how many go, from 0 to 1.

    Returns:
        For each such weight, by name, where it stays; bool, its shape.

    Source: Han et al. 2015, arXiv:1506.02626
    """
    weights = {name: each.detach() for name, each in model.named_parameters() if each.ndim > 1}
    sizes = torch.cat([each.abs().flatten() for each in weights.values()])
    stays = torch.ones_like(sizes, dtype=torch.bool)
    stays[sizes.argsort(stable=True)[: round(share * len(sizes))]] = False
    parts = stays.split([each.numel() for each in weights.values()])
    return {name: part.reshape(each.shape) for (name, each), part in zip(weights.items(), parts, strict=True)}


@torch.no_grad()
def apply_masks(model: nn.Module, masks: Masks) -> None:
    """Set what a mask doesn't keep to zero."""
    for name, mask in masks.items():
        model.get_parameter(name).mul_(mask)


@contextmanager
def kept_pruned(model: nn.Module, masks: Masks) -> Iterator[None]:
    """Prune a network, and let it learn meanwhile without what was pruned growing back.

    The optimizer moves every weight, also those at zero; so the masks are applied before each call and at the end.
    """
    hook = model.register_forward_pre_hook(lambda module, inputs: apply_masks(module, masks))
    try:
        yield
    finally:
        hook.remove()
        apply_masks(model, masks)


def distillation_losses(
    student: Tensor, teacher: Tensor, labels: Tensor, *, temperature: float = 4.0, share: float = 0.9
) -> Tensor:
    """Learn from a larger network's doubts and from the labels.

    Args:
        student: logits, shape `(batch, classes)`.
        teacher: logits of the larger network, same shape; no gradient flows into them.
        labels: int64, shape `(batch,)`.
        temperature: both networks' logits are divided by it, so that the teacher's small probabilities show.
        share: of the teacher; the rest is cross-entropy with the labels.

    Returns:
        One loss per example, shape `(batch,)`. The teacher's part is multiplied by the squared temperature, since its
        gradients shrink by that.

    Source: Hinton et al. 2015, arXiv:1503.02531
    """
    expected = (teacher.detach() / temperature).softmax(dim=1)
    surprise = F.kl_div((student / temperature).log_softmax(dim=1), expected, reduction="none").sum(dim=1)
    return share * temperature**2 * surprise + (1 - share) * F.cross_entropy(student, labels, reduction="none")
