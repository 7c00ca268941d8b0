"""From waveforms to the pictures that speech networks read, and sound made harder to hear: for whole batches.

Everywhere: 16 kHz, mono, float samples in [-1, 1], time as the last axis of a waveform `(..., time)`. Features have one
row per frame, `(..., frames, num_mels)`. The conventions, all of them also torchaudio's under the settings named here:

- frames: 400 samples (25 ms) every 160 (10 ms). No centering: the first frame begins with the first sample, and only
  full frames count, `1 + (time - 400) // 160`. In torchaudio: `center=False, pad=(num_fft - window) // 2`.
- window: Hann, periodic (`torch.hann_window(400)`); each frame is then padded with zeros to 512 samples for the FFT.
- spectrogram: power |X|², not scaled; 257 bins from 0 to 8,000 Hz, 31.25 Hz apart.
- mel: HTK's scale, triangles of height 1 from 0 to 8,000 Hz (`norm=None`); Slaney's scale and area norm on request.
- log: natural, of the energy plus 1e-6, so that silence is -13.8 and not minus infinity (`log_mels=True`).
- MFCC: orthonormal DCT-II of the log-mels, the first 13; no liftering, no energy in place of the zeroth.
"""

import math
from functools import cache

import torch
from torch import Tensor

SAMPLE_RATE = 16_000
NUM_FFT, WINDOW, HOP = 512, 400, 160
LOG_OFFSET = 1e-6


def frame(waveform: Tensor, *, window: int = WINDOW, hop: int = HOP) -> Tensor:
    """Cut a waveform into overlapping frames.

    Args:
        waveform: floating point, shape `(..., time)`.
        window: samples in a frame.
        hop: samples from one frame's beginning to the next one's.

    Returns:
        Shape `(..., 1 + (time - window) // hop, window)`, a view; what is left over at the end is in no frame.

    Raises:
        TypeError: the samples are whole numbers.
        ValueError: the waveform is shorter than one window, or window or hop is below 1.
    """
    if not waveform.is_floating_point():
        raise TypeError(f"got samples of {waveform.dtype}, expected floats in [-1, 1]: divide int16 by 32768.")
    if window < 1 or hop < 1:
        raise ValueError(f"window is {window} and hop {hop}, but both must be at least 1 sample.")
    if waveform.shape[-1] < window:
        raise ValueError(
            f"the waveform has {waveform.shape[-1]} samples, but one window has {window}: "
            "pad it with zeros or take a longer clip."
        )
    return waveform.unfold(-1, window, hop)


def power_spectrogram(waveform: Tensor, *, num_fft: int = NUM_FFT, window: int = WINDOW, hop: int = HOP) -> Tensor:
    """How much of each frequency there is in each frame: the squared magnitude of the short-time Fourier transform.

    Args:
        waveform: shape `(..., time)`.
        num_fft: length of the transform, at least the window; each frame is padded with zeros to this length.
        window: samples in a frame, each weighed by a periodic Hann window.
        hop: samples from frame to frame.

    Returns:
        Power |X|², shape `(..., frames, num_fft // 2 + 1)`; bin k stands for `k * sample_rate / num_fft` Hz.

    Raises:
        ValueError: the waveform is shorter than one window, or num_fft is.

    Source: Allen & Rabiner 1977, doi:10.1109/PROC.1977.10770
    """
    if num_fft < window:
        raise ValueError(f"num_fft is {num_fft}, but must hold a window of {window} samples: make it at least that.")
    frames = frame(waveform, window=window, hop=hop)
    weights = torch.hann_window(window, dtype=waveform.dtype, device=waveform.device)
    spectrum = torch.fft.rfft(frames * weights, n=num_fft)
    return spectrum.real**2 + spectrum.imag**2


def to_decibels(power: Tensor, *, top: float = 80.0) -> Tensor:
    """Power in decibels below the loudest value, which becomes 0; what is quieter than `-top` becomes `-top`.

    Args:
        power: at least 0, any shape; one loudest value for all of it.
        top: the range that is kept, in dB.
    """
    decibels = 10 * power.clamp(min=1e-10).log10()
    return (decibels - decibels.max()).clamp(min=-top)


def mel_filterbank(
    *,
    num_mels: int = 40,
    num_fft: int = NUM_FFT,
    sample_rate: int = SAMPLE_RATE,
    scale: str = "htk",
    norm: str | None = None,
) -> Tensor:
    """Overlapping triangles, equally wide in mel, that gather the bins of a spectrum into bands as the ear does.

    Args:
        num_mels: how many bands, from 0 Hz to half of the sample rate.
        num_fft: length of the transform that made the spectrum.
        sample_rate: in Hz.
        scale: "htk", mel = 2595 log10(1 + f / 700), or "slaney", linear up to 1 kHz and logarithmic above.
        norm: None for triangles of height 1, "slaney" for triangles of area 1 (in Hz).

    Returns:
        Float32, shape `(num_fft // 2 + 1, num_mels)`: `power @ mel_filterbank()` gives the energy of each band.

    Raises:
        ValueError: there is no such scale or norm, or a band is so narrow that it holds no bin.

    Source: Davis & Mermelstein 1980, doi:10.1109/TASSP.1980.1163420; Slaney 1998, Auditory Toolbox
    """
    return _filterbank(num_mels, num_fft, sample_rate, scale, norm).clone()


@cache
def _filterbank(num_mels: int, num_fft: int, sample_rate: int, scale: str, norm: str | None) -> Tensor:
    if scale not in _SCALES or norm not in (None, "slaney"):
        raise ValueError(
            f'scale is {scale!r} and norm {norm!r}, but scale is "htk" or "slaney", norm None or "slaney".'
        )
    to_mel, to_hertz = _SCALES[scale]
    highest = torch.tensor(sample_rate / 2, dtype=torch.float64)
    bins = torch.linspace(0, highest, num_fft // 2 + 1, dtype=torch.float64).unsqueeze(1)  # (bins, 1)
    corners = to_hertz(torch.linspace(0, to_mel(highest), num_mels + 2, dtype=torch.float64))
    left, center, right = corners[:-2], corners[1:-1], corners[2:]  # of each triangle, in Hz
    triangles = torch.minimum((bins - left) / (center - left), (right - bins) / (right - center)).clamp(min=0)
    if (empty := (triangles == 0).all(dim=0)).any():
        raise ValueError(
            f"{num_mels} bands are too many for num_fft={num_fft}: {int(empty.sum())} of them hold no bin. "
            "Take fewer bands or a longer transform."
        )
    if norm == "slaney":
        triangles *= 2 / (right - left)
    return triangles.float()


def _slaney_to_mel(hertz: Tensor) -> Tensor:
    return torch.where(hertz < 1000, hertz * 3 / 200, 15 + 27 * (hertz / 1000).log() / math.log(6.4))


def _slaney_to_hertz(mel: Tensor) -> Tensor:
    return torch.where(mel < 15, mel * 200 / 3, 1000 * ((mel - 15) * math.log(6.4) / 27).exp())


_SCALES = {
    "htk": (lambda hertz: 2595 * (1 + hertz / 700).log10(), lambda mel: 700 * (10 ** (mel / 2595) - 1)),
    "slaney": (_slaney_to_mel, _slaney_to_hertz),
}


def log_mel(waveform: Tensor, *, num_mels: int = 40) -> Tensor:
    """Turn a waveform into the picture that a speech network reads: 25 ms windows, every 10 ms.

    Args:
        waveform: mono, 16 kHz, in [-1, 1], shape `(..., time)`.
        num_mels: mel bands (HTK, no norm).

    Returns:
        Natural log of the mel energies plus 1e-6, shape `(..., frames, num_mels)`; 98 frames for one second.

    Raises:
        ValueError: the clip is shorter than one window of 400 samples.

    Source: Davis & Mermelstein 1980, doi:10.1109/TASSP.1980.1163420
    """
    power = power_spectrogram(waveform)
    bands = _filterbank(num_mels, NUM_FFT, SAMPLE_RATE, "htk", None)
    return (power @ bands.to(power) + LOG_OFFSET).log()


def mfcc(waveform: Tensor, *, num_coefficients: int = 13, num_mels: int = 40) -> Tensor:
    """Few numbers for the shape of each frame's spectrum: an orthonormal DCT-II of the log-mels.

    Args:
        waveform: mono, 16 kHz, in [-1, 1], shape `(..., time)`.
        num_coefficients: how many to keep, from the smoothest on; at most `num_mels`.
        num_mels: mel bands below them.

    Returns:
        Shape `(..., frames, num_coefficients)`.

    Raises:
        ValueError: the clip is shorter than one window, or there are more coefficients than bands.

    Source: Davis & Mermelstein 1980, doi:10.1109/TASSP.1980.1163420
    """
    if not 1 <= num_coefficients <= num_mels:
        raise ValueError(f"num_coefficients is {num_coefficients}, but must be from 1 to num_mels={num_mels}.")
    places = torch.arange(num_mels, dtype=torch.float64) + 0.5
    orders = torch.arange(num_coefficients, dtype=torch.float64).unsqueeze(1)
    waves = (math.pi / num_mels * orders * places).cos() * math.sqrt(2 / num_mels)  # (num_coefficients, num_mels)
    waves[0] /= math.sqrt(2)
    features = log_mel(waveform, num_mels=num_mels)
    return features @ waves.T.to(features)


def deltas(features: Tensor, *, reach: int = 2) -> Tensor:
    """How fast each feature changes: the slope of a line through each frame and its neighbors.

    Args:
        features: shape `(..., frames, num_features)`.
        reach: neighbors on each side; beyond the ends, the first and the last frame are repeated.

    Returns:
        Change per frame, same shape: sum over n of n (x[t + n] - x[t - n]) / (2 sum of n²).

    Source: Furui 1986, doi:10.1109/TASSP.1986.1164788
    """
    num_frames = features.shape[-2]
    places = torch.arange(-reach, num_frames + reach, device=features.device).clamp(0, num_frames - 1)
    around = features.index_select(-2, places).unfold(-2, 2 * reach + 1, 1)  # (..., frames, num_features, 2 reach + 1)
    offsets = torch.arange(-reach, reach + 1, dtype=features.dtype, device=features.device)
    return around @ offsets / offsets.square().sum()


def normalize_features(features: Tensor) -> Tensor:
    """Give each band of each utterance mean 0 and standard deviation 1 over time, so that loudness drops out.

    Args:
        features: one utterance or several of equal length, without padding, shape `(..., frames, num_features)`.

    Returns:
        Same shape; a band that never changes becomes 0.
    """
    std, mean = torch.std_mean(features, dim=-2, correction=0, keepdim=True)
    return (features - mean) / (std + 1e-5)
