"""Hear a waveform on the page: the browser's own player, with a name, and a sentence where there is no sound."""

import base64
import io
import wave
from html import escape

import torch
from IPython.display import display

from course_lib.audio import SAMPLE_RATE

MAX_SECONDS = 30  # a player holds its sound in the page: more would make the notebook heavy


def play(waveform, *, label, sample_rate=SAMPLE_RATE):
    """Put a player for a sound on the page; nothing plays until it is pressed.

    Args:
        waveform: samples in [-1, 1], shape `(time,)`; what lies beyond is cut off, as a loudspeaker does.
        label: what there is to hear; shown beside the player and read aloud by a screen reader.
        sample_rate: samples per second, in Hz.

    Raises:
        ValueError: the waveform is not one row of finite numbers, or holds more than 480,000, or the label is empty.
    """
    display(Player(waveform, label=label, sample_rate=sample_rate))


class Player:
    """A sound as the page shows it: a player, and only a sentence where there are no pages."""

    def __init__(self, waveform, *, label, sample_rate=SAMPLE_RATE):
        self.html = player_html(waveform, label=label, sample_rate=sample_rate)
        self.words = describe_sound(waveform, label=label, sample_rate=sample_rate)

    def _repr_html_(self):
        return self.html

    def __repr__(self):
        return self.words


def describe_sound(waveform, *, label, sample_rate=SAMPLE_RATE):
    """The player's text twin: a line with the sound's name, length, and how loud it gets."""
    samples = _checked(waveform, label)
    seconds, peak = len(samples) / sample_rate, samples.abs().max().item()
    return f"sound: {label} ({seconds:.2f} s, {sample_rate:,} samples per second, peak {peak:.2f})"


def player_html(waveform, *, label, sample_rate=SAMPLE_RATE):
    """The player as HTML, for `play` and for explorers; its sound is inside."""
    source = "data:audio/wav;base64," + base64.b64encode(wav_bytes(_checked(waveform, label), sample_rate)).decode()
    return (
        '<div style="display:flex;flex-wrap:wrap;align-items:center;gap:4px 12px;margin:4px 0">'
        f'<audio controls preload="metadata" aria-label="{escape(label)}" src="{source}" '
        f'style="height:40px;width:300px;max-width:100%"></audio><span>{escape(label)}</span></div>'
    )


def wav_bytes(waveform, sample_rate=SAMPLE_RATE):
    """A WAV file of 16-bit samples."""
    samples = (waveform.detach().cpu().double().clamp(-1, 1) * 32767).round().to(torch.int16)
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setnchannels(1)
        writer.setsampwidth(2)
        writer.setframerate(sample_rate)
        writer.writeframes(samples.numpy().astype("<i2").tobytes())
    return file.getvalue()


def _checked(waveform, label):
    samples = torch.as_tensor(waveform).detach()
    if samples.ndim != 1 or not 0 < len(samples) <= MAX_SECONDS * SAMPLE_RATE or not samples.isfinite().all():
        got = f"shape {tuple(samples.shape)}" + ("" if samples.isfinite().all() else " with NaN or infinity in it")
        raise ValueError(
            f"play() got {got}, expected one row of finite samples, at most {MAX_SECONDS * SAMPLE_RATE:,}: "
            "index the batch, or cut a piece out"
        )
    if not label.strip():
        raise ValueError("play() got an empty label, expected words: say what there is to hear")
    return samples
