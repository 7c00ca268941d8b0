"""Single words for `speech_strangers`: features without what is only a habit, and clips in disguise."""

from dataclasses import dataclass
from functools import cache

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from course_lib.audio import mel_filterbank, power_spectrogram
from course_lib.recordings import Recordings

BINS, NUM_MELS = 129, 24  # bins of 31.25 Hz up to 4 kHz, which is all that FSDD, recorded at 8 kHz, has
SMOOTHING = 7  # bins, about 220 Hz: wider than the lines of a voice's pitch, narrower than the throat's resonances
AUDIBLE, SPEECH = 8.0, 6.5  # nats of energy below the loudest: 35 dB for a band of the word, 28 dB for a whole frame
MARGIN = 3  # frames of 10 ms that are kept before and after what is speech; later two become one
THROATS = (0.85, 0.92, 1.0, 1.08, 1.17)  # by how much shorter than the speaker's own: resonances that much higher
COLORING = 0.6  # nats: the spread of each of the slow waves that a random microphone adds over the bands
SHORTEST, SILENCE = 8, -20.0  # frames of 20 ms; nats of energy


@dataclass(frozen=True)
class Words:
    """Single words as log-mels, once for each of `THROATS`.

    Attributes:
        versions: for each throat the features of each clip, shape `(frames, NUM_MELS)`.
        texts: the word of each clip.
        speakers: by whom each clip is.
    """

    versions: dict[float, list[Tensor]]
    texts: list[str]
    speakers: list[str]


def hear(recordings: Recordings) -> Words:
    """The features of single words, without the silence around them."""
    spectra = [spoken_part(power_spectrogram(waveform)[:, :BINS]) for waveform in recordings.waveforms()]
    versions = {throat: [log_mels(power, throat=throat) for power in spectra] for throat in THROATS}
    return Words(versions, recordings.texts, recordings.speakers)


def spoken_part(power: Tensor) -> Tensor:
    """Cut off the frames before and after the word; some corpora leave much silence there, some none."""
    loudness = (power.sum(dim=1) + 1e-6).log()
    loudness = F.avg_pool1d(loudness[None], 3, stride=1, padding=1, count_include_pad=False)[0]  # a click is no word
    heard = (loudness > loudness.max() - SPEECH).nonzero()
    return power[max(0, int(heard[0]) - MARGIN) : int(heard[-1]) + 1 + MARGIN]


def log_mels(power: Tensor, *, throat: float) -> Tensor:
    """Log-mels up to 4 kHz of a smoothed spectrum, as if from another throat.

    Args:
        power: shape `(frames, BINS)`.
        throat: by how much the resonances lie higher.

    Returns:
        Shape `(frames // 2, NUM_MELS)`, one frame for 20 ms; at least `SHORTEST`, since the network halves them.
    """
    before = (torch.arange(BINS) / throat).round().long().clamp(max=BINS - 1)
    smooth = F.avg_pool1d(power[None], SMOOTHING, stride=1, padding=SMOOTHING // 2)[0]
    mels = (smooth[:, before] @ _bands()).log().clamp(min=SILENCE)
    mels = F.avg_pool1d(mels.T[None], 2)[0].T
    return F.pad(mels, (0, 0, 0, max(0, SHORTEST - len(mels))), value=float(mels.min()))


@cache
def _bands() -> Tensor:
    return mel_filterbank(num_mels=NUM_MELS, num_fft=2 * (BINS - 1), sample_rate=8_000)


def normalize(padded: Tensor, lengths: Tensor, labels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Take out loudness and what is too quiet to hear: each clip gets mean 0 and standard deviation 1, padding 0.

    The mean is one for all bands. A mean of its own for each band would take out the microphone, and with it the vowel:
    most digits have only one.
    """
    real = (torch.arange(padded.shape[1]) < lengths[:, None])[:, :, None]  # (batch, frames, 1)
    loudest = padded.masked_fill(~real, -torch.inf).amax(dim=(1, 2), keepdim=True)
    audible = padded.maximum(loudest - AUDIBLE)
    count = (lengths * padded.shape[2])[:, None, None]
    centered = (audible - (audible * real).sum(dim=(1, 2), keepdim=True) / count) * real
    return centered / (centered.square().sum(dim=(1, 2), keepdim=True) / count + 1e-5).sqrt(), lengths, labels


def disguise(padded: Tensor, lengths: Tensor, labels: Tensor, *, generator: Generator) -> tuple[Tensor, ...]:
    """Let each clip of a batch sound as through another microphone, in another room, and cut and spoken otherwise."""
    padded = padded.masked_fill((torch.arange(padded.shape[1]) >= lengths[:, None])[:, :, None], SILENCE)
    tempo, cut = torch.rand(2, generator=generator).tolist()
    first = int(cut * MARGIN)
    if int(lengths.min()) - first >= SHORTEST:
        padded, lengths = padded[:, first:], lengths - first
    factor = 0.75 + 0.6 * tempo
    size = max(SHORTEST, round(factor * padded.shape[1]))
    padded = F.interpolate(padded.mT, size=size, mode="linear", align_corners=False).mT
    lengths = (lengths * factor).round().long().clamp(SHORTEST, size)
    places = torch.linspace(0, torch.pi, padded.shape[2])
    waves = (torch.arange(1, 5)[:, None] * places).cos()  # (4, mels): from a tilt to ripples
    padded = padded + COLORING * (torch.randn(len(padded), 4, generator=generator) @ waves)[:, None]
    below, slope = torch.rand(2, len(padded), 1, 1, generator=generator)
    hiss = padded.amax(dim=(1, 2), keepdim=True) - 3 - 6 * below - 3 * slope * places / torch.pi
    grain = torch.rand(padded.shape, generator=generator) + 0.5
    return normalize(torch.logaddexp(padded, hiss + grain.log()), lengths, labels)
