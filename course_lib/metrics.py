"""Numbers that say how good a model is."""

import torch
from torch import Tensor

from course_lib.device import Engine


class Mean:
    """A running mean over examples, not over batches: a short last batch weighs what it should."""

    def __init__(self, total: float = 0.0, count: int = 0):
        self.total: Tensor | float = total
        self.count = count

    def update(self, values: Tensor) -> None:
        """Add one number per example; shape `(batch,)`, without gradient."""
        total = values.sum(dtype=torch.float32 if values.device.type == "mps" else torch.float64)
        self.total += total.item() if values.device.type == "cpu" else total  # on a GPU, to ask is to wait
        self.count += len(values)

    def compute(self, engine: Engine | None = None) -> float:
        """The mean so far, over all processes; NaN before the first update."""
        total, count = float(self.total), self.count
        if engine is not None and engine.num_ranks > 1:
            pair = torch.tensor([total, count], dtype=torch.float64, device=engine.device)
            total, count = engine.total(pair).tolist()
        return total / count if count else float("nan")


def correct(logits: Tensor, targets: Tensor) -> Tensor:
    """One for each example whose largest logit is at its target, else zero; its mean is the accuracy.

    Args:
        logits: shape `(batch, classes)`.
        targets: class labels, shape `(batch,)`.

    Returns:
        float32, shape `(batch,)`.
    """
    return (logits.argmax(dim=-1) == targets).float()
