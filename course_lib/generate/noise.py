"""Noise to hear through: hiss, rumble, and a room full of other people."""

import torch
from torch import Generator, Tensor

KINDS = ("white", "pink", "babble")
NUM_TALKERS = 6


def make_noise(
    kind: str,
    num_samples: int,
    *,
    generator: Generator,
    voices: list[Tensor] | None = None,
    num_talkers: int = NUM_TALKERS,
) -> Tensor:
    """Noise of one kind, with a standard deviation of about 1.

    Args:
        kind: "white", equally strong at all frequencies; "pink", whose power falls with 1 / f as in wind and traffic;
            "babble", several people who talk at once.
        num_samples: how long it is.
        generator: the source of chance.
        voices: waveforms `(time,)` from which the babble is mixed.
        num_talkers: how many of them talk at once.

    Returns:
        Shape `(num_samples,)`.

    Raises:
        ValueError: there is no such kind, or no voice to babble.
    """
    if kind == "white":
        return torch.randn(num_samples, generator=generator)
    if kind == "pink":
        spectrum = torch.fft.rfft(torch.randn(num_samples, generator=generator))
        spectrum /= torch.arange(len(spectrum)).clamp(min=1).sqrt()
        return _standardized(torch.fft.irfft(spectrum, n=num_samples))
    if kind == "babble" and voices:
        talkers = torch.randint(len(voices), (num_talkers,), generator=generator).tolist()
        return _standardized(sum(_looped(voices[talker], num_samples, generator) for talker in talkers))
    raise ValueError(
        f"make_noise got kind={kind!r} and {len(voices or [])} voices; kinds are {', '.join(KINDS)}, and "
        "babble needs voices."
    )


def _looped(voice: Tensor, num_samples: int, generator: Generator) -> Tensor:
    """A voice over and over, from anywhere on, as loud as any other."""
    start = int(torch.randint(len(voice), (1,), generator=generator))
    times = -(-(start + num_samples) // len(voice))
    return _standardized(voice.repeat(times)[start : start + num_samples])


def _standardized(waveform: Tensor) -> Tensor:
    return waveform / waveform.std().clamp(min=1e-9)
