"""Noise: as loud as it says, of the color it says, and the same for the same seed."""

import pytest
import torch

from course_lib.generate.noise import KINDS, make_noise

VOICES = [torch.sin(torch.arange(n) * 0.1 * (1 + n / 9000)) for n in (3000, 5000, 9000)]


def noise(kind, num_samples=32_000, seed=0):
    return make_noise(kind, num_samples, generator=torch.Generator().manual_seed(seed), voices=VOICES)


@pytest.mark.parametrize("kind", KINDS)
def test_noise_is_as_long_as_asked_as_loud_as_any_and_repeatable(kind):
    assert noise(kind).shape == (32_000,)
    assert noise(kind).std().item() == pytest.approx(1, abs=0.05)
    assert torch.equal(noise(kind), noise(kind))
    assert not torch.equal(noise(kind), noise(kind, seed=1))


def power_of_octaves(waveform):
    power = torch.fft.rfft(waveform).abs() ** 2
    return torch.stack([power[start : 2 * start].sum() for start in (500, 1000, 2000, 4000)])


def test_white_noise_doubles_from_octave_to_octave_and_pink_noise_stays():
    white, pink = power_of_octaves(noise("white")), power_of_octaves(noise("pink"))
    assert (white[1:] / white[:-1]).tolist() == pytest.approx([2] * 3, rel=0.25)
    assert (pink[1:] / pink[:-1]).tolist() == pytest.approx([1] * 3, rel=0.25)


def test_babble_is_made_of_the_voices():
    alone = make_noise("babble", 9_000, generator=torch.Generator().manual_seed(0), voices=[VOICES[2]])
    power = torch.fft.rfft(alone).abs() ** 2
    assert power[250:320].sum() > 0.9 * power.sum()  # one tone around bin 286, six times


@pytest.mark.parametrize("kind, voices", [("brown", VOICES), ("babble", None), ("babble", [])])
def test_wrong_input_is_told(kind, voices):
    with pytest.raises(ValueError, match="kinds are white, pink, babble"):
        make_noise(kind, 100, generator=torch.Generator(), voices=voices)
