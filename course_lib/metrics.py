"""Numbers that say how good a model is."""

from collections.abc import Sequence
from typing import Any

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


def edit_distance(reference: Sequence[Any], hypothesis: Sequence[Any]) -> int:
    """How many items must be replaced, inserted or deleted, at least, to make one sequence of the other.

    Args:
        reference: what was said: words, characters, labels.
        hypothesis: what was understood.

    Source: Levenshtein 1966; the algorithm of Wagner & Fischer 1974, doi:10.1145/321796.321811
    """
    distances = list(range(len(hypothesis) + 1))  # from the empty reference to each beginning of the hypothesis
    for row, said in enumerate(reference, start=1):
        diagonal, distances[0] = distances[0], row
        for column, understood in enumerate(hypothesis, start=1):
            replaced = diagonal + (said != understood)
            diagonal = distances[column]
            distances[column] = min(replaced, diagonal + 1, distances[column - 1] + 1)
    return distances[-1]


def word_error_rate(references: Sequence[str], hypotheses: Sequence[str]) -> float:
    """Word errors for each word that was said; it can exceed 1. All texts together, so that long ones weigh more.

    Args:
        references: what was said, words separated by spaces.
        hypotheses: what was understood, in the same order.

    Raises:
        ValueError: there is not one hypothesis per reference, or nothing was said at all.
    """
    return _error_rate([text.split() for text in references], [text.split() for text in hypotheses])


def character_error_rate(references: Sequence[str], hypotheses: Sequence[str]) -> float:
    """Character errors for each character that was said, spaces included (but not around the text).

    Args:
        references: what was said.
        hypotheses: what was understood, in the same order.

    Raises:
        ValueError: there is not one hypothesis per reference, or nothing was said at all.
    """
    return _error_rate([text.strip() for text in references], [text.strip() for text in hypotheses])


def _error_rate(references: list[Any], hypotheses: list[Any]) -> float:
    total = sum(len(reference) for reference in references)
    if len(references) != len(hypotheses) or total == 0:
        raise ValueError(
            f"An error rate needs one hypothesis per reference and at least one reference that is not empty, but got "
            f"{len(references)} references with {total} items and {len(hypotheses)} hypotheses."
        )
    errors = sum(edit_distance(said, heard) for said, heard in zip(references, hypotheses, strict=True))
    return errors / total
