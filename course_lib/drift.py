"""Drift: does what comes in still look like what the model knows? Nobody has labels for it, but its statistics tell.

A camera gets dark, a voice has a new accent: the model answers as before, only worse. So a few numbers of each input
(brightness, loudness, how sure the model is) are compared with those of inputs from the time of training.
"""

from collections import deque
from typing import NamedTuple

import torch
from scipy.stats import kstwobign
from torch import Tensor

IMAGE_STATISTICS = ("brightness", "contrast", "sharpness", "color", "confidence")
SOUND_STATISTICS = ("level", "dynamics", "low bands", "high bands", "confidence")


def image_statistics(images: Tensor) -> Tensor:
    """What can be said about pictures without knowing what they show.

    Args:
        images: in [0, 1], shape `(n, c, h, w)`.

    Returns:
        Brightness (mean), contrast (standard deviation), sharpness (mean step between neighbors) and color (mean
        distance between the channels), shape `(n, 4)`.
    """
    down, right = (images.diff(dim=dim).abs().mean(dim=(1, 2, 3)) for dim in (2, 3))
    color = (images.amax(dim=1) - images.amin(dim=1)).mean(dim=(1, 2))
    flat = images.flatten(start_dim=1)
    return torch.stack([flat.mean(dim=1), flat.std(dim=1, correction=0), (down + right) / 2, color], dim=1)


def sound_statistics(log_mels: Tensor) -> Tensor:
    """What can be said about a recording without knowing what was said.

    Args:
        log_mels: shape `(frames, num_mels)`.

    Returns:
        Level (the mean of the louder half of the frames), dynamics (the standard deviation over the frames), and how
        far the lowest and the highest quarter of the bands stand above the level, shape `(4,)`.
    """
    frames, quarter = log_mels.mean(dim=1), log_mels.shape[1] // 4
    loud = log_mels[frames >= frames.median()].mean(dim=0)  # (num_mels,)
    level = loud.mean()
    low, high = loud[:quarter].mean() - level, loud[-quarter:].mean() - level
    return torch.stack([level, frames.std(correction=0), low, high])


def distances(reference: Tensor, live: Tensor) -> Tensor:
    """How far apart two samples of each statistic are: the largest gap between their distribution functions.

    Args:
        reference: shape `(n, statistics)`.
        live: shape `(m, statistics)`.

    Returns:
        From 0 to 1, shape `(statistics,)`.

    Raises:
        ValueError: one of them is empty, or they have different statistics.

    Source: Kolmogorov 1933; Smirnov 1939, the two-sample statistic
    """
    if not len(reference) or not len(live) or reference.shape[1:] != live.shape[1:]:
        raise ValueError(
            f"got reference {tuple(reference.shape)} and live {tuple(live.shape)}, but both need at least one row, "
            "and the same statistics in the same order."
        )
    reference, live = reference.T.contiguous().sort().values, live.T.contiguous().sort().values  # (statistics, n or m)
    places = torch.cat([reference, live], dim=1)
    shares = [torch.searchsorted(each, places, right=True) / each.shape[1] for each in (reference, live)]
    return (shares[0] - shares[1]).abs().amax(dim=1)


def drift_score(reference: Tensor, live: Tensor) -> Tensor:
    """How much each statistic has changed: its distance, in units that chance gives it.

    With inputs of the old kind a score is about 1, however many there are; compare the largest with `alarm_level`.

    Args:
        reference: statistics of inputs that the model knows, shape `(n, statistics)`.
        live: statistics of the latest inputs, shape `(m, statistics)`.

    Returns:
        At least 0, shape `(statistics,)`.
    """
    n, m = len(reference), len(live)
    return distances(reference, live) * (n * m / (n + m)) ** 0.5


def alarm_level(num_statistics: int, *, false_alarms: float = 0.01) -> float:
    """The score that the largest of several scores of inputs of the old kind exceeds in at most this share of cases.

    Each statistic gets an equal part of the allowed share (Bonferroni), so they may depend on each other; and the limit
    of Kolmogorov's distribution for many examples is on the safe side for few.

    Args:
        num_statistics: how many are compared.
        false_alarms: the share of false alarms, per look at fresh inputs.
    """
    return float(kstwobign.isf(false_alarms / num_statistics))


class Judgement(NamedTuple):
    """What a window of inputs looked like: whether it raises the alarm, and the score of each statistic."""

    alarm: bool
    scores: Tensor


class DriftWatch:
    """Looks at inputs window by window; each input is judged once, so false alarms are as rare as `alarm_level` says.

    Args:
        reference: statistics of inputs that the model knows, shape `(n, statistics)`.
        window: inputs that are judged together.
        false_alarms: the share of windows with a false alarm, at most.

    Attributes:
        latest: the judgement of the last full window; None before there was one.
    """

    def __init__(self, reference: Tensor, *, window: int = 50, false_alarms: float = 0.01):
        self.reference, self.window = reference, window
        self.level = alarm_level(reference.shape[1], false_alarms=false_alarms)
        self.rows: deque[Tensor] = deque()
        self.latest: Judgement | None = None

    def observe(self, statistics: Tensor) -> None:
        """Take in new inputs, shape `(k, statistics)`."""
        self.rows.extend(statistics)
        while len(self.rows) >= self.window:
            live = torch.stack([self.rows.popleft() for _ in range(self.window)])
            scores = drift_score(self.reference, live)
            self.latest = Judgement(bool(scores.max() > self.level), scores)
