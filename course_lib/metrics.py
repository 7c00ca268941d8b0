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


def roc_curve(scores: Tensor, labels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """What each threshold would find, and what it would take for found: one point for each score that occurs.

    Args:
        scores: the higher, the more likely positive, shape `(n,)`.
        labels: 1 for positive, 0 for negative, shape `(n,)`; both occur.

    Returns:
        The thresholds, from infinity (nothing is called positive) down to the lowest score (everything is); of the
        negatives the share at or above each of them, and of the positives that share (the recall), float64.
    """
    order = scores.argsort(descending=True)
    ranked, positive = scores[order].double(), labels[order].double()
    last_of_ties = torch.cat([ranked[1:] != ranked[:-1], torch.ones_like(ranked[:1], dtype=torch.bool)])
    found, false = positive.cumsum(0)[last_of_ties], (1 - positive).cumsum(0)[last_of_ties]
    start = ranked.new_zeros(1)
    thresholds = torch.cat([ranked.new_full((1,), torch.inf), ranked[last_of_ties]])
    return thresholds, torch.cat([start, false / false[-1]]), torch.cat([start, found / found[-1]])


def dice(predicted: Tensor, true: Tensor) -> Tensor:
    """How well masks overlap: twice what both have in common, over the sum of both; 1 where both are empty.

    Args:
        predicted: bool, shape `(n, ...)`.
        true: bool, the same shape.

    Returns:
        float32, shape `(n,)`.

    Source: Dice 1945, doi:10.2307/1932409
    """
    both, sizes = (predicted & true).flatten(1).sum(1), predicted.flatten(1).sum(1) + true.flatten(1).sum(1)
    return torch.where(sizes > 0, 2 * both / sizes.clamp(min=1), torch.ones_like(sizes, dtype=torch.float32))
