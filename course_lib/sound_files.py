"""Sound files: any wav, flac or ogg becomes a waveform of the course, or an error that says what is wrong with it."""

import io
from pathlib import Path

import numpy as np
import soundfile
import torch
from torch import Tensor

from course_lib.audio import SAMPLE_RATE
from course_lib.errors import CourseError
from course_lib.paths import write_atomically
from course_lib.sound_effects import resample

FORMATS = ("WAV", "WAVEX", "FLAC", "OGG")
RATES = 4_000, 192_000  # samples per second; a header may claim anything
MAX_CHANNELS = 8
UNKNOWN = 2**62  # frames: what libsndfile says where the header doesn't
SILENCE = 2 / 32768  # two steps of 16 bit, around the mean


class TooLong(CourseError):
    """A recording is longer than whoever reads it wanted."""


def read_sound(source: str | Path | bytes, *, max_seconds: float = 30.0) -> Tensor:
    """Read a recording: a file's path, or its bytes as a browser sends them.

    Args:
        source: wav, flac or ogg; any sample rate, mono or stereo.
        max_seconds: what is longer is refused, before it is decoded.

    Returns:
        The waveform at 16 kHz, mono, float32 in [-1, 1], shape `(time,)`.

    Raises:
        CourseError: there is no such file, it is not audio, or it is empty, too long, silent or damaged.
    """
    waveform = decode(source, max_seconds=max_seconds)
    if (waveform - waveform.mean()).abs().max() <= SILENCE:
        raise CourseError(
            f"{_name(source)} is silent. Is the microphone on, and was it chosen in the system's settings?"
        )
    return waveform


def decode(source: str | Path | bytes, *, max_seconds: float) -> Tensor:
    """As `read_sound`, but silence is welcome."""
    name = _name(source)
    if isinstance(source, (str, Path)) and not Path(source).is_file():
        raise CourseError(f"There is no file {source}. Give the path of a wav, flac or ogg file.")
    try:
        with (
            io.BytesIO(source) if isinstance(source, bytes) else open(source, "rb") as content,
            soundfile.SoundFile(content) as file,
        ):
            _check_header(file, name, max_seconds)
            samples, rate = file.read(dtype="float32", always_2d=True), file.samplerate
    except soundfile.SoundFileError as error:
        reason = str(error).rpartition(": ")[2].rstrip(".")
        raise CourseError(f"{name} is not a whole wav, flac or ogg file ({reason}). Convert it first.") from None
    if len(samples) == 0:
        raise CourseError(f"{name} is empty: it has a header, and no samples. Record it again.")
    if not np.isfinite(samples).all():
        raise CourseError(f"{name} holds values that are no numbers (NaN or infinite). Write it again as 16-bit wav.")
    waveform = resample(torch.from_numpy(samples.mean(axis=1)), from_rate=rate)
    return waveform / max(1.0, waveform.abs().max().item())  # floats in a file may be any, and filters overshoot


def write_sound(path: str | Path, waveform: Tensor) -> None:
    """Write a waveform as a file of 16 bit at 16 kHz, whole or not at all.

    Args:
        path: its ending says the form: .wav, .flac or .ogg.
        waveform: mono, in [-1, 1], shape `(time,)`.

    Raises:
        ValueError: the waveform has another shape or leaves [-1, 1], or the ending is another.
    """
    path, form = Path(path), Path(path).suffix.lstrip(".").upper()
    if form not in FORMATS:
        raise ValueError(f"'{path.name}' ends in '{path.suffix}'; endings are .wav, .flac and .ogg")
    if waveform.ndim != 1 or len(waveform) == 0:
        raise ValueError(f"waveform has the shape {tuple(waveform.shape)}; give one channel, shape (time,)")
    if not waveform.abs().max() <= 1:  # NaN fails too
        raise ValueError("waveform leaves [-1, 1] or holds NaN; divide it by its largest magnitude")
    content = io.BytesIO()
    samples = waveform.detach().cpu().numpy()
    soundfile.write(content, samples, SAMPLE_RATE, format=form, subtype="VORBIS" if form == "OGG" else "PCM_16")
    write_atomically(path, content.getvalue())


def _check_header(file: soundfile.SoundFile, name: str, max_seconds: float) -> None:
    """What the header alone gives away: 181 kB of FLAC can become 230 MB."""
    if file.format not in FORMATS:
        raise CourseError(f"{name} is {file.format}; wav, flac and ogg can be read. Convert it first.")
    if file.channels > MAX_CHANNELS:
        raise CourseError(
            f"{name} has {file.channels:,} channels; mono and stereo are fine, {MAX_CHANNELS} is the most."
        )
    if not RATES[0] <= file.samplerate <= RATES[1]:
        raise CourseError(
            f"{name} has {file.samplerate:,} samples per second; {RATES[0]:,} to {RATES[1]:,} can be read."
        )
    seconds = file.frames / file.samplerate
    if seconds > max_seconds:
        length = f"{seconds:,.1f} s long" if file.frames < UNKNOWN else "of unknown length"
        raise TooLong(f"{name} is {length}; {max_seconds:g} s is the most. Cut it, or raise max_seconds.")


def _name(source: str | Path | bytes) -> str:
    return "The recording" if isinstance(source, bytes) else str(source)
