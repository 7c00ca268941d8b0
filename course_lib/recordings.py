"""Recordings of speech: waveforms at 16 kHz of any length, with what is said, by whom, and when."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
import torch
from torch import Tensor

from course_lib.audio import SAMPLE_RATE

WordTimes = list[tuple[str, float, float]]


@dataclass(frozen=True)
class Recordings:
    """One part of a data set of sounds.

    Attributes:
        samples: all recordings one after the other, int16, shape `(total_time,)`; read from disk where they are used.
        offsets: where each begins, and the end of the last one, int64, shape `(n + 1,)`.
        texts: what is said.
        speakers: by whom.
        labels: positions in the data set's `classes`, int64, shape `(n,)`; None where there are no classes.
        word_times: for each recording its words as (word, start, end), in seconds; None where nobody knows.
        heard: whether the text occurs in the training split, bool, shape `(n,)`; None for recordings of people.
    """

    samples: Tensor
    offsets: Tensor
    texts: list[str]
    speakers: list[str]
    labels: Tensor | None = None
    word_times: list[WordTimes] | None = None
    heard: Tensor | None = None

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @property
    def durations(self) -> Tensor:
        """Length of each recording in seconds, float64, shape `(n,)`."""
        return self.offsets.diff().double() / SAMPLE_RATE

    def waveform(self, number: int) -> Tensor:
        """One recording, float32 in [-1, 1], shape `(time,)`."""
        if not -len(self) <= number < len(self):
            raise IndexError(f"there is no recording {number}: there are {len(self):,}, from 0 on")
        number %= len(self)
        return self.samples[self.offsets[number] : self.offsets[number + 1]].float() / 32768

    def waveforms(self) -> list[Tensor]:
        """All recordings, each as `waveform` gives it."""
        return [self.waveform(number) for number in range(len(self))]

    def stacked(self) -> Tensor:
        """All recordings as one tensor, where they have one length: float32 in [-1, 1], shape `(n, time)`.

        Raises:
            ValueError: they have several lengths.
        """
        lengths = self.offsets.diff().unique()
        if len(lengths) > 1:
            raise ValueError(
                f"recordings have {lengths.min():,} to {lengths.max():,} samples, and a tensor has one length for all: "
                "take waveforms(), a list"
            )
        return self.samples[: self.offsets[-1]].reshape(len(self), -1).float() / 32768

    def select(self, rows: Tensor | Sequence[int]) -> "Recordings":
        """Some of the recordings, by their row numbers or by a mask of bools, in this order."""
        rows = torch.as_tensor(rows)
        rows = (rows.nonzero().flatten() if rows.dtype == torch.bool else rows.long()).tolist()
        pieces = [self.samples[self.offsets[row] : self.offsets[row + 1]] for row in rows]
        return record(
            pieces,
            texts=[self.texts[row] for row in rows],
            speakers=[self.speakers[row] for row in rows],
            labels=None if self.labels is None else self.labels[rows],
            word_times=None if self.word_times is None else [self.word_times[row] for row in rows],
            heard=None if self.heard is None else self.heard[rows],
        )

    def to_tensors(self) -> dict[str, Tensor]:
        """Everything as tensors, by which it is stored; texts become the bytes of a JSON text."""
        words = {"texts": self.texts, "speakers": self.speakers, "word_times": self.word_times}
        written = np.frombuffer(json.dumps(words, ensure_ascii=False).encode(), dtype=np.uint8)
        tensors = {name: getattr(self, name) for name in ("samples", "offsets", "labels", "heard")}
        tensors["words"] = torch.from_numpy(written.copy())
        return {name: tensor for name, tensor in tensors.items() if tensor is not None}


def from_tensors(tensors: dict[str, Tensor]) -> Recordings:
    """What `to_tensors` made, as recordings again."""
    words = json.loads(tensors["words"].numpy().tobytes())
    if words["word_times"] is not None:
        words["word_times"] = [[tuple(time) for time in times] for times in words["word_times"]]
    others = {name: tensor for name, tensor in tensors.items() if name != "words"}
    return Recordings(**others, **words)


def record(clips: Sequence[np.ndarray | Tensor], **about) -> Recordings:
    """Put clips together.

    Args:
        clips: int16, each of shape `(time,)`.
        about: texts, speakers and the other attributes of `Recordings`.
    """
    clips = [torch.as_tensor(clip) for clip in clips]
    lengths = torch.tensor([0, *(len(clip) for clip in clips)], dtype=torch.int64)
    samples = torch.cat(clips) if clips else torch.zeros(0, dtype=torch.int16)
    return Recordings(samples, lengths.cumsum(0), **about)


def join(parts: Sequence[Recordings]) -> Recordings:
    """Several parts as one. What one of them lacks (labels, word times, heard), the whole lacks."""
    about = {}
    for name in (field.name for field in fields(Recordings) if field.name not in ("samples", "offsets")):
        values = [getattr(part, name) for part in parts]
        if any(value is None for value in values):
            about[name] = None
        else:
            about[name] = (
                torch.cat(values) if isinstance(values[0], Tensor) else [each for one in values for each in one]
            )
    bounds = [(part, *pair) for part in parts for pair in zip(part.offsets, part.offsets[1:], strict=False)]
    clips = [part.samples[start:stop] for part, start, stop in bounds]
    return record(clips, **about)


def split_off_speakers(recordings: Recordings, speakers: Sequence[str]) -> tuple[Recordings, Recordings]:
    """The recordings of everybody else, and those of these speakers: to leave one out, for example.

    Raises:
        ValueError: somebody is not there.
    """
    unknown = set(speakers) - set(recordings.speakers)
    if unknown:
        raise ValueError(f"no recordings by {sorted(unknown)}; there are {sorted(set(recordings.speakers))}")
    theirs = torch.tensor([speaker in speakers for speaker in recordings.speakers])
    return recordings.select(~theirs), recordings.select(theirs)
