"""Speech without a microphone: text in, a waveform of 16,000 samples a second out, spoken by espeak-ng.

The engine works in processes of its own (`espeak_worker`), each with a fixed part of the requests, so that the samples
depend neither on the number of processors nor on what was spoken before.
"""

import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from course_lib.audio import SAMPLE_RATE
from course_lib.errors import CourseError
from course_lib.generate.voices import DEFAULT_VOICE, check_voice
from course_lib.recordings import WordTimes

CHUNK = 100  # requests per process: to change it changes the samples
TIMEOUT = 300  # seconds for one chunk, which takes less than one
INSTALL = "python -m pip install espeakng-loader"
MAX_CHARACTERS = 1_000


@dataclass(frozen=True)
class Request:
    """What to say, and how.

    Attributes:
        text: words.
        voice: accent and variant, as in "en-us+f2".
        words_per_minute: 80 to 450.
        pitch: 0 to 99; 50 is the variant's own.
    """

    text: str
    voice: str = DEFAULT_VOICE
    words_per_minute: int = 160
    pitch: int = 50

    def __post_init__(self):
        check_voice(self.voice)
        if not self.text.strip() or len(self.text) > MAX_CHARACTERS:
            raise ValueError(f"text has {len(self.text)} characters; give some words, at most {MAX_CHARACTERS:,}")
        if not 80 <= self.words_per_minute <= 450:
            raise ValueError(f"words_per_minute is {self.words_per_minute}; give 80 to 450")
        if not 0 <= self.pitch <= 99:
            raise ValueError(f"pitch is {self.pitch}; give 0 to 99")


def speak(text: str, *, voice: str = DEFAULT_VOICE, words_per_minute: int = 160, pitch: int = 50) -> Tensor:
    """Say a text; the same text and voice give the same samples, always.

    Args:
        text: English words.
        voice: accent and variant, as in "en-us+f2"; `course_lib.generate.voices` lists them.
        words_per_minute: 80 to 450.
        pitch: 0 to 99; 50 is the voice's own.

    Returns:
        The waveform at 16 kHz, float32 in [-1, 1], shape `(time,)`.

    Raises:
        CourseError: there is no such voice, or the engine is not installed; the message holds the command.
        ValueError: the text is empty or too long, or a number is out of range.
    """
    return speak_with_times(text, voice=voice, words_per_minute=words_per_minute, pitch=pitch)[0]


def speak_with_times(
    text: str, *, voice: str = DEFAULT_VOICE, words_per_minute: int = 160, pitch: int = 50
) -> tuple[Tensor, WordTimes]:
    """As `speak`, and also when each word is spoken: (word, start, end), in seconds."""
    ((samples, times),) = recite([Request(text, voice, words_per_minute, pitch)])
    return torch.from_numpy(samples).float() / 32768, times


def recite(requests: Sequence[Request]) -> list[tuple[np.ndarray, WordTimes]]:
    """Say many texts, on all processors.

    Args:
        requests: what to say; the samples of one depend on those before it, by very little.

    Returns:
        For each request its samples at 16 kHz, int16, shape `(time,)`, and its words with start and end in seconds.

    Raises:
        CourseError: the engine is not installed, or fails.
    """
    if not is_installed():
        raise CourseError(
            f"Speech needs the engine espeak-ng, which is not installed (extra 'speech'). Install it: {INSTALL}"
        )
    chunks = [requests[start : start + CHUNK] for start in range(0, len(requests), CHUNK)]
    with ThreadPoolExecutor(max_workers=min(8, os.cpu_count() or 1)) as pool:
        return [spoken for chunk in pool.map(_recite_chunk, chunks) for spoken in chunk]


def is_installed() -> bool:
    """Whether the engine is there."""
    return importlib.util.find_spec("espeakng_loader") is not None


def _recite_chunk(requests: Sequence[Request]) -> list[tuple[np.ndarray, WordTimes]]:
    """One fresh process for these requests."""
    from scipy.signal import resample_poly  # slow to import

    command = [sys.executable, "-m", "course_lib.generate.espeak_worker"]
    home = Path(__file__).resolve().parents[2]  # where course_lib is found, whether or not it was installed
    typed = json.dumps([asdict(request) for request in requests]).encode()
    try:
        answer = subprocess.run(command, input=typed, capture_output=True, cwd=home, timeout=TIMEOUT, check=True).stdout
    except (subprocess.SubprocessError, OSError) as error:
        said = (getattr(error, "stderr", None) or b"").decode(errors="replace").strip()
        reason = said.splitlines()[-1] if said else str(error)
        raise CourseError(
            f"The speech engine failed: {reason}. Install it anew: {INSTALL} --force-reinstall"
        ) from error
    spoken, start = [], 0
    for _ in requests:
        stop = answer.index(b"\n", start)
        head = json.loads(answer[start:stop])
        start = stop + 1 + head["bytes"]
        samples = np.frombuffer(answer[stop + 1 : start], dtype="<i2").astype(np.float32)
        resampled = resample_poly(samples, SAMPLE_RATE, head["sample_rate"])
        times = [(word, begin, end) for word, begin, end in head["words"]]
        spoken.append((resampled.round().clip(-32768, 32767).astype(np.int16), times))
    return spoken
