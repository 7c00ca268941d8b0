"""What to say when training breaks: why a loss exploded, which batch would have fitted."""

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, nn


def tensors_in(batch: Any) -> Iterator[Tensor]:
    """Every tensor of a batch, however it is nested."""
    if isinstance(batch, Tensor):
        yield batch
    elif isinstance(batch, dict):
        yield from tensors_in(list(batch.values()))
    elif isinstance(batch, list | tuple):
        for item in batch:
            yield from tensors_in(item)


def first_of(batch: Any, count: int) -> Any:
    """The first examples of a batch."""
    if isinstance(batch, Tensor):
        return batch[:count]
    if isinstance(batch, dict):
        return {key: first_of(value, count) for key, value in batch.items()}
    return type(batch)(first_of(item, count) for item in batch) if isinstance(batch, list | tuple) else batch


def likely_causes(batch: Any, *, rate: float, max_norm: float | None, precision: str) -> list[str]:
    """Why a loss may have become NaN or infinite, the likeliest cause first.

    Args:
        batch: the one that gave it.
        rate: the learning rate of that step.
        max_norm: the clipping, if there was any.
        precision: "fp32", "bf16" or "fp16".
    """
    causes = []
    if any(tensor.is_floating_point() and not tensor.isfinite().all() for tensor in tensors_in(batch)):
        causes.append("the batch itself holds NaN or infinity: look at the data and its normalization")
    causes.append(f"the learning rate ({rate:.3g}) is too high: try a tenth of it, or a warm-up")
    if max_norm is None:
        causes.append("gradients are not clipped: try max_norm=1.0")
    if precision == "fp16":
        causes.append("fp16 overflows beyond 65,504: try precision='bf16'")
    causes.append("the loss takes the logarithm of zero, or divides by zero")
    return causes


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an exception says that memory ran out, on a GPU or on the CPU."""
    said = str(error).lower()
    words = ("out of memory", "can't allocate memory", "cannot allocate memory")
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or (
        isinstance(error, RuntimeError) and any(word in said for word in words)
    )


def largest_that_fits(model: nn.Module, batch: Any, losses_fn: Callable[[nn.Module, Any], Tensor]) -> int:
    """The largest halving of a batch that fits into memory, forwards and backwards; 0 if not even one example does."""
    count = len(next(tensors_in(batch))) // 2
    while count > 0:
        try:
            losses_fn(model, first_of(batch, count)).mean().backward()
            return count
        except Exception as error:
            if not is_out_of_memory(error):
                raise
            count //= 2
        finally:
            model.zero_grad(set_to_none=True)
            if torch.cuda.is_available():
                torch.cuda.empty_cache()
    return 0
