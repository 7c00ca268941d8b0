"""Learning-rate schedules: the factor on the rate, by progress from 0 to 1."""

import math
from collections.abc import Callable

Schedule = Callable[[float], float]


def constant(progress: float) -> float:
    """The rate stays as it is."""
    return 1.0


def cosine(progress: float) -> float:
    """From 1 to 0 along half a cosine. Source: Loshchilov & Hutter 2017, arXiv:1608.03983."""
    return 0.5 * (1 + math.cos(math.pi * progress))


def one_cycle(*, warmup: float = 0.25, first: float = 0.04, last: float = 0.0) -> Schedule:
    """Up in a straight line, then down in a straight line.

    Args:
        warmup: the share of the training in which the rate rises.
        first: the factor at the start.
        last: the factor at the end.

    Source: Smith & Topin 2017, arXiv:1708.07120
    """

    def factor(progress: float) -> float:
        if progress < warmup:
            return first + (1 - first) * progress / warmup
        return 1 + (last - 1) * (progress - warmup) / (1 - warmup)

    return factor
