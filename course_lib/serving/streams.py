"""Speech to text: whole recordings, and streams that are transcribed while somebody speaks.

A stream keeps what it needs between two pieces: samples that don't fill a frame yet, frames that don't fill a stack of
four, and the network's state. So its transcript is the one that the whole recording would get.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from course_lib.audio import HOP, SAMPLE_RATE, WINDOW, log_mel
from course_lib.drift import sound_statistics
from course_lib.speech_models import ROWS, STACKED, stack_frames
from course_lib.text import BLANK, Alphabet

ROW_SECONDS = STACKED * HOP / SAMPLE_RATE / ROWS  # each row of logits stands for 20 ms
AFTERWARDS = SAMPLE_RATE // 2  # samples of silence after the end: a network that hears forwards only writes a bit late


@dataclass
class Spelled:
    """What a greedy reader has written so far: its characters, each with the row where it begins and ends."""

    alphabet: Alphabet
    rows: int = 0
    before: int = BLANK
    characters: list[tuple[str, int, int]] = field(default_factory=list)
    sure: list[float] = field(default_factory=list)  # the probability of each label that is no blank

    def read(self, logits: Tensor) -> None:
        """Read on.

        Args:
            logits: the new rows, shape `(rows, labels)`.
        """
        best = logits.softmax(dim=1).max(dim=1)
        for label, probability in zip(best.indices.tolist(), best.values.tolist(), strict=True):
            if label != BLANK:
                self.sure.append(probability)
            if label != BLANK and label == self.before:
                character, start, _ = self.characters[-1]
                self.characters[-1] = character, start, self.rows + 1
            elif label != BLANK:
                self.characters.append((self.alphabet.decode([label]), self.rows, self.rows + 1))
            self.before = label
            self.rows += 1

    @property
    def confidence(self) -> float:
        """The mean probability of what was written; 0 where nothing was."""
        return sum(self.sure) / max(1, len(self.sure))

    @property
    def text(self) -> str:
        """Words with one space between them."""
        return " ".join("".join(character for character, _, _ in self.characters).split())

    def words(self, *, seconds: float) -> list[dict[str, Any]]:
        """Each word with its start and end in seconds; nothing ends after the recording does.

        The path of the most probable label in each row is also the most probable one that spells this text, so forced
        alignment would find the same times.
        """
        words: list[list[tuple[str, int, int]]] = [[]]
        for each in self.characters:
            words.append([]) if each[0] == " " else words[-1].append(each)
        return [
            {
                "word": "".join(character for character, _, _ in letters),
                "start": round(min(letters[0][1] * ROW_SECONDS, seconds), 3),
                "end": round(min(letters[-1][2] * ROW_SECONDS, seconds), 3),
            }
            for letters in words
            if letters
        ]


class Stream:
    """Somebody speaks: samples in, characters out. All of its methods compute, so call them where the network runs.

    Args:
        network: a `StreamingRecognizer`.
        alphabet: its labels.
    """

    def __init__(self, network: nn.Module, alphabet: Alphabet):
        self.network, self.spelled = network, Spelled(alphabet)
        self.samples, self.frames, self.state = torch.zeros(0), torch.zeros(0, 40), None
        self.num_samples, self.heard = 0, [self.frames]

    @property
    def seconds(self) -> float:
        """How much has been heard."""
        return self.num_samples / SAMPLE_RATE

    def hear(self, pcm: bytes) -> str:
        """Hear a piece: 16-bit little-endian samples. Returns the text so far."""
        self.num_samples += len(pcm) // 2
        return self._hear(torch.from_numpy(np.frombuffer(pcm, dtype="<i2").astype(np.float32) / 32768))

    def end(self) -> str:
        """The speaker has ended: write what is still to be written. Returns the whole text."""
        return self._hear(torch.zeros(AFTERWARDS))

    def words(self) -> list[dict[str, Any]]:
        """The words with their times."""
        return self.spelled.words(seconds=self.seconds)

    def statistics(self) -> Tensor:
        """What drift is seen by, shape `(1, statistics)`."""
        return _statistics(torch.cat(self.heard), self.num_samples, self.spelled)[None]

    @torch.inference_mode()
    def _hear(self, samples: Tensor) -> str:
        self.samples = torch.cat([self.samples, samples])
        if len(self.samples) >= WINDOW:
            new = log_mel(self.samples)
            self.samples = self.samples[len(new) * HOP :].clone()
            self.frames = torch.cat([self.frames, new])
            self.heard.append(new)
        stacked = stack_frames(self.frames)
        if len(stacked):
            self.frames = self.frames[len(stacked) * STACKED :].clone()
            logits, self.state = self.network.listen(stacked[None], self.state)
            self.spelled.read(logits[0])
        return self.spelled.text


@dataclass(frozen=True)
class Transcript:
    """What was said in a recording.

    Attributes:
        text: words with one space between them.
        words: each with its start and end in seconds.
        seconds: the length of the recording.
        statistics: what drift is seen by, shape `(statistics,)`.
    """

    text: str
    words: list[dict[str, Any]]
    seconds: float
    statistics: Tensor


@torch.inference_mode()
def transcribe(network: nn.Module, alphabet: Alphabet, waveforms: list[Tensor]) -> list[Transcript]:
    """Whole recordings, together.

    Args:
        network: a `StreamingRecognizer`; it hears forwards only, so padding behind a recording changes nothing.
        alphabet: its labels.
        waveforms: 16 kHz, each of shape `(time,)`.
    """
    features = [log_mel(torch.cat([waveform, torch.zeros(AFTERWARDS)])) for waveform in waveforms]
    stacks = [stack_frames(each) for each in features]
    logits, _ = network.listen(nn.utils.rnn.pad_sequence(stacks, batch_first=True))
    results = []
    for waveform, frames, stack, rows in zip(waveforms, features, stacks, logits, strict=True):
        spelled, seconds = Spelled(alphabet), len(waveform) / SAMPLE_RATE
        spelled.read(rows[: ROWS * len(stack)])
        told = _statistics(frames, len(waveform), spelled)
        results.append(Transcript(spelled.text, spelled.words(seconds=seconds), round(seconds, 3), told))
    return results


def _statistics(frames: Tensor, num_samples: int, spelled: Spelled) -> Tensor:
    """Of the recording's own frames, without the silence that was put behind it."""
    own = frames[: max(1, 1 + (num_samples - WINDOW) // HOP)]
    return torch.cat([sound_statistics(own), torch.tensor([spelled.confidence])])
