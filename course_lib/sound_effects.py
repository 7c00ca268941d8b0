"""Sound made harder to hear, so that networks learn to hear well: noise, rooms, speed, and SpecAugment.

Waveforms are 16 kHz, `(..., time)`; features are `(batch, frames, num_mels)`. Nothing is changed in place.
"""

import math
from fractions import Fraction

import torch
from torch import Generator, Tensor

from course_lib.audio import SAMPLE_RATE


def spec_augment(
    features: Tensor,
    *,
    num_freq_masks: int,
    max_freq: int,
    num_time_masks: int,
    max_time: int,
    generator: Generator,
    lengths: Tensor | None = None,
) -> Tensor:
    """Hide bands and moments of each utterance behind its own mean value: learning from what is left makes robust.

    Args:
        features: log-mels, shape `(batch, frames, num_mels)`.
        num_freq_masks: how many masks over bands each utterance gets.
        max_freq: the widest of them; widths are drawn from 0 to this, and at most all bands.
        num_time_masks: how many masks over frames.
        max_time: the longest of them; at most all frames of an utterance.
        generator: the source of chance, on the features' device.
        lengths: frames of each utterance, shape `(batch,)`; what stands behind is padding and left as it is.

    Returns:
        Same shape. Each utterance has masks of its own, filled with the mean of its frames over all bands.

    Source: Park et al. 2019, doi:10.21437/Interspeech.2019-2680
    """
    batch, num_frames, num_mels = features.shape
    if lengths is None:
        lengths = torch.full((batch,), num_frames, device=features.device)
    all_mels = torch.full_like(lengths, num_mels)
    bands = _masks(num_freq_masks, max_freq, sizes=all_mels, length=num_mels, generator=generator)
    moments = _masks(num_time_masks, max_time, sizes=lengths, length=num_frames, generator=generator)
    spoken = (torch.arange(num_frames, device=features.device) < lengths.unsqueeze(1)).unsqueeze(
        2
    )  # (batch, frames, 1)
    mean = (features * spoken).sum(dim=(1, 2)) / (lengths * num_mels).clamp(min=1)
    hidden = (bands.unsqueeze(1) | moments.unsqueeze(2)) & spoken  # (batch, frames, num_mels)
    return torch.where(hidden, mean.view(-1, 1, 1), features)


def shift_bands(features: Tensor, *, most: int, generator: Generator) -> Tensor:
    """Let each utterance sound as from a longer or a shorter throat: move all it says some bands up or down.

    A throat that is ten percent longer lowers all its resonances by as much. On the mel scale, nearly logarithmic above
    1 kHz, that is about one band of 40.

    Args:
        features: log-mels, shape `(batch, frames, num_mels)`.
        most: the largest shift, in bands; each utterance's is drawn evenly from `-most` to `most`.
        generator: the source of chance, on the features' device.

    Returns:
        Same shape; at the edge, the last band is repeated.

    Source: after Jaitly & Hinton 2013, "Vocal tract length perturbation (VTLP) improves speech recognition"
    """
    batch, num_frames, num_mels = features.shape
    shifts = torch.randint(-most, most + 1, (batch, 1, 1), generator=generator, device=features.device)
    bands = (torch.arange(num_mels, device=features.device) - shifts).clamp(0, num_mels - 1)
    return features.gather(2, bands.expand(-1, num_frames, -1))


def _masks(count: int, widest: int, *, sizes: Tensor, length: int, generator: Generator) -> Tensor:
    """Where at least one of `count` masks lies, shape `(batch, length)`; each one inside the first `sizes` places."""
    chance = torch.rand(2, len(sizes), count, generator=generator, device=sizes.device)
    sizes = sizes.unsqueeze(1)  # (batch, 1)
    widths = (chance[0] * (sizes.clamp(max=widest) + 1)).long()  # (batch, count): from 0 to the widest
    starts = (chance[1] * (sizes - widths + 1)).long()
    places = torch.arange(length, device=sizes.device)
    inside = (places >= starts.unsqueeze(2)) & (places < (starts + widths).unsqueeze(2))  # (batch, count, length)
    return inside.any(dim=1)


def add_noise(waveform: Tensor, noise: Tensor, *, snr_db: float | Tensor) -> Tensor:
    """Add noise, scaled so that the sound's energy stands `snr_db` decibels above it.

    Args:
        waveform: shape `(..., time)`.
        noise: at least as long in time; the rest of it is cut off.
        snr_db: signal-to-noise ratio in dB, a number or shape `(...)`.

    Returns:
        Same shape as the waveform. Where the sound or the noise is silent, the sound as it was.

    Raises:
        ValueError: the noise is too short.
    """
    num_samples = waveform.shape[-1]
    if noise.shape[-1] < num_samples:
        raise ValueError(
            f"the noise has {noise.shape[-1]} samples, but the sound {num_samples}: repeat the noise first."
        )
    noise = noise[..., :num_samples]
    sound_power, noise_power = (each.square().mean(dim=-1, keepdim=True) for each in (waveform, noise))
    snr_db = torch.as_tensor(snr_db, dtype=waveform.dtype, device=waveform.device).unsqueeze(-1)
    gain = (sound_power / noise_power.clamp(min=1e-20) * 10 ** (-snr_db / 10)).sqrt()
    return waveform + gain * noise


def reverberate(waveform: Tensor, *, generator: Generator) -> Tensor:
    """Put each sound into a room of its own: echoes that grow denser and die away, as noise under a falling curve.

    The room's reverberation time, until its sound has lost 60 dB, is drawn from 0.1 to 0.5 s; the energy of what comes
    directly stands 0 to 10 dB above that of the echoes.

    Args:
        waveform: shape `(..., time)`.
        generator: the source of chance, on the waveform's device.

    Returns:
        Same shape, as loud as before in the mean; echoes after the end are cut off.

    Source: Polack 1988, the model of a room's late response as decaying Gaussian noise
    """
    leading, device, num_taps = waveform.shape[:-1], waveform.device, SAMPLE_RATE // 2
    chance = torch.rand(2, *leading, 1, generator=generator, device=device)
    seconds, above_db = 0.1 + 0.4 * chance[0], 10 * chance[1]
    times = torch.arange(1, num_taps, device=device) / SAMPLE_RATE
    fading = 10 ** (-3 * times / seconds)  # 60 dB, a factor of 1,000 in pressure, after `seconds`
    echoes = torch.randn(*leading, num_taps - 1, generator=generator, device=device) * fading
    echoes *= 10 ** (-above_db / 20) / echoes.square().sum(dim=-1, keepdim=True).sqrt()
    room = torch.cat([torch.ones(*leading, 1, device=device), echoes], dim=-1).to(waveform.dtype)
    num_samples = waveform.shape[-1]
    num_fft = 2 ** math.ceil(math.log2(num_samples + num_taps))  # long enough that the end doesn't wrap around
    heard = torch.fft.irfft(torch.fft.rfft(waveform, n=num_fft) * torch.fft.rfft(room, n=num_fft), n=num_fft)
    heard = heard[..., :num_samples]
    before, after = (each.square().mean(dim=-1, keepdim=True) for each in (waveform, heard))
    return heard * (before / after.clamp(min=1e-20)).sqrt()


def resample(waveform: Tensor, *, from_rate: int, to_rate: int = SAMPLE_RATE) -> Tensor:
    """Give a sound another sample rate. What lies above half of the new rate is filtered out first: no aliasing.

    Frequencies up to 92 percent of half of the lower rate pass; those beyond it are weakened by 80 dB.

    Args:
        waveform: shape `(..., time)`.
        from_rate: its sample rate, in Hz.
        to_rate: the new one.

    Returns:
        Shape `(..., ceil(time * to_rate / from_rate))`, same dtype and device. Without gradient.

    Raises:
        ValueError: a rate is below 1.

    Source: Crochiere & Rabiner 1981, doi:10.1109/PROC.1981.11969; the filter is a Kaiser window's, 128 periods long
    """
    if from_rate < 1 or to_rate < 1:
        raise ValueError(f"got from_rate={from_rate} and to_rate={to_rate}, expected whole numbers of Hz, at least 1.")
    if from_rate == to_rate:
        return waveform.clone()
    from scipy.signal import firwin, resample_poly  # here, since importing it takes as long as torch does

    ratio = Fraction(to_rate, from_rate)
    up, down = ratio.numerator, ratio.denominator
    taps = firwin(2 * 64 * max(up, down) + 1, 0.96 / max(up, down), window=("kaiser", 8.0))
    samples = resample_poly(waveform.detach().cpu().double().numpy(), up, down, axis=-1, window=taps)
    return torch.from_numpy(samples).to(waveform)


def change_speed(waveform: Tensor, *, factor: float) -> Tensor:
    """Play a sound faster or slower, as a tape would: at 1.1 it is ten percent faster, and higher.

    Args:
        waveform: shape `(..., time)`.
        factor: above 0, rounded to a hundredth.

    Returns:
        Shape `(..., ceil(time / factor))`.

    Raises:
        ValueError: the factor is not at least 0.01.
    """
    if not 0.01 <= factor < math.inf:
        raise ValueError(f"factor is {factor}, but must be at least 0.01; 1 leaves the speed as it is.")
    return resample(waveform, from_rate=round(100 * factor), to_rate=100)
