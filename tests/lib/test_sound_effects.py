"""Noise, rooms, speed and SpecAugment: held to torchaudio, to physics, and to statistics that can't fail by chance."""

import math

import pytest
import torch

from course_lib.sound_effects import add_noise, change_speed, resample, reverberate, spec_augment
from tests.lib.torchaudio_peer import AF

MASKS = {"num_freq_masks": 2, "max_freq": 6, "num_time_masks": 2, "max_time": 9}


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def tone(hertz, *, rate=16_000, seconds=0.5):
    return (2 * math.pi * hertz * torch.arange(round(rate * seconds), dtype=torch.float64) / rate).sin().float()


def masked(features, lengths=None, seed=0, **options):
    return spec_augment(features, **(MASKS | options), lengths=lengths, generator=seeded(seed))


def test_what_is_hidden_becomes_the_mean_of_its_utterance_and_the_rest_stays():
    features = torch.randn(5, 40, 23, generator=seeded(1)) + torch.arange(5.0).view(5, 1, 1)
    augmented = masked(features)
    hidden = augmented != features
    means = features.mean(dim=(1, 2), keepdim=True).expand_as(features)
    assert hidden.any(dim=2).any(dim=1).all()
    torch.testing.assert_close(augmented[hidden], means[hidden])


def test_padding_is_never_touched_and_never_counts_in_the_mean():
    features, lengths = torch.randn(64, 30, 11, generator=seeded(1)), torch.arange(64) % 30
    padding = torch.arange(30) >= lengths.unsqueeze(1)
    features[padding] = 1e6
    augmented = masked(features, lengths)
    assert torch.equal(augmented[padding], features[padding])
    assert augmented[~padding].abs().max() < 10


def test_each_mask_is_one_stretch_no_wider_than_allowed_and_reaches_every_place():
    features = torch.randn(2_000, 12, 9, generator=seeded(1))
    hidden = masked(features, num_freq_masks=0, num_time_masks=1, max_time=4) != features
    assert torch.equal(hidden.any(dim=2), hidden.all(dim=2))  # whole frames
    frames = hidden[:, :, 0].int()
    widths = frames.sum(dim=1)
    assert set(widths.tolist()) == {0, 1, 2, 3, 4}
    assert (frames.diff(dim=1, prepend=torch.zeros(2_000, 1)).eq(1).sum(dim=1) <= 1).all()
    assert frames.any(dim=0).all()
    assert widths.bincount().float().div(2_000).sub(0.2).abs().max() < 0.06  # six standard deviations: 0.054


def test_a_mask_wider_than_the_utterance_hides_at_most_all_of_it():
    features = torch.randn(50, 5, 3, generator=seeded(1))
    assert masked(features, max_time=100, max_freq=100).isfinite().all()


def test_masks_differ_between_utterances_and_follow_the_generator():
    features = torch.randn(1, 40, 23, generator=seeded(1)).expand(8, -1, -1)
    hidden = masked(features) != features
    assert len({tuple(each.flatten().tolist()) for each in hidden}) == 8
    assert torch.equal(masked(features), masked(features))
    assert not torch.equal(masked(features), masked(features, seed=1))


@pytest.mark.torchaudio
@pytest.mark.parametrize("snr_db", [-5.0, 0.0, 20.0])
def test_noise_is_added_as_torchaudio_does(snr_db):
    waveform, noise = torch.randn(3, 999, generator=seeded(1)), torch.randn(3, 1_200, generator=seeded(2))
    theirs = AF.add_noise(waveform, noise[:, :999], torch.full((3,), snr_db))
    torch.testing.assert_close(add_noise(waveform, noise, snr_db=snr_db), theirs, rtol=1e-4, atol=1e-4)
    each = add_noise(waveform, noise, snr_db=torch.full((3,), snr_db))
    torch.testing.assert_close(each, theirs, rtol=1e-4, atol=1e-4)


def test_silence_stays_silent_and_short_noise_is_refused():
    silence, noise = torch.zeros(2, 50), torch.randn(2, 50, generator=seeded())
    assert torch.equal(add_noise(silence, noise, snr_db=5.0), silence)
    assert torch.equal(add_noise(noise, silence, snr_db=5.0), noise)
    with pytest.raises(ValueError, match="49 samples, but the sound 50"):
        add_noise(silence, noise[:, :49], snr_db=5.0)


def test_a_room_answers_a_click_with_echoes_that_die_away():
    click = torch.zeros(200, 8_000)
    click[:, 100] = 1.0
    heard = reverberate(click, generator=seeded())
    assert heard[:, :100].abs().max() < 1e-4  # nothing is heard before the click
    early, late = heard[:, 101:901].square().sum(dim=1), heard[:, 4_000:].square().sum(dim=1)
    assert (early > 0.01).all()
    assert (late < early / 10).all()
    direct = heard[:, 100].square()
    above_db = 10 * (direct / (1 - direct)).log10()  # all energies add up to the click's own, 1
    assert 0 - 0.2 < above_db.min() < 3 < 7 < above_db.max() < 10.2


def test_a_room_keeps_shape_and_loudness_and_differs_for_each_sound():
    waveform = torch.randn(1, 3_000, generator=seeded(1)).expand(2, 3, -1)
    heard = reverberate(waveform, generator=seeded())
    assert heard.shape == waveform.shape
    torch.testing.assert_close(heard.square().mean(dim=-1), waveform.square().mean(dim=-1), rtol=1e-3, atol=0)
    assert not torch.allclose(heard[0, 0], heard[1, 1], atol=0.01)
    assert torch.equal(reverberate(torch.zeros(500), generator=seeded()), torch.zeros(500))


@pytest.mark.torchaudio
@pytest.mark.parametrize(
    ("from_rate", "to_rate"), [(8_000, 16_000), (44_100, 16_000), (22_050, 16_000), (16_000, 8_000)]
)
def test_a_tone_keeps_its_pitch_at_another_rate_as_with_torchaudio(from_rate, to_rate):
    sound = torch.stack([tone(440, rate=from_rate), 0.5 * tone(1_700, rate=from_rate)])
    ours = resample(sound, from_rate=from_rate, to_rate=to_rate)
    truth = torch.stack([tone(440, rate=to_rate), 0.5 * tone(1_700, rate=to_rate)])
    theirs = AF.resample(sound, from_rate, to_rate, lowpass_filter_width=64)
    assert ours.shape == truth.shape == theirs.shape
    middle = slice(to_rate // 20, -to_rate // 20)  # the ends ring, since a tone cut off there holds all frequencies
    for expected in (truth, theirs):
        torch.testing.assert_close(ours[:, middle], expected[:, middle], rtol=0, atol=1e-3)


@pytest.mark.parametrize("hertz", [4_050, 5_000, 7_900])
def test_what_the_new_rate_cannot_hold_is_80_db_weaker(hertz):
    resampled = resample(tone(hertz), from_rate=16_000, to_rate=8_000)[400:-400]
    assert 20 * resampled.abs().max().log10() < -75


def test_what_it_can_hold_passes_unchanged():
    sound = tone(3_600, rate=16_000)
    resampled = resample(sound, from_rate=16_000, to_rate=8_000)
    torch.testing.assert_close(resampled[400:-400], sound[::2][400:-400], rtol=0, atol=1e-3)


def test_resampling_keeps_length_kind_and_the_original():
    for dtype in (torch.float32, torch.float64):
        sound = torch.randn(2, 1_001, generator=seeded(), dtype=dtype)
        assert resample(sound, from_rate=44_100).shape == (2, math.ceil(1_001 * 16_000 / 44_100))
        same = resample(sound, from_rate=16_000)
        assert torch.equal(same, sound) and same.data_ptr() != sound.data_ptr() and same.dtype == dtype
    with pytest.raises(ValueError, match="from_rate=0"):
        resample(sound, from_rate=0)


@pytest.mark.parametrize("factor", [0.9, 1.1, 1.25])
def test_faster_is_shorter_and_higher(factor):
    changed = change_speed(tone(500), factor=factor)
    assert len(changed) == math.ceil(8_000 / round(100 * factor) * 100)
    torch.testing.assert_close(
        changed[500:-500], tone(500 * factor, seconds=1.0)[500 : len(changed) - 500], rtol=0, atol=5e-3
    )


def test_a_speed_of_nothing_is_refused():
    for factor in (0.0, -1.0, math.nan, math.inf):
        with pytest.raises(ValueError, match="must be at least"):
            change_speed(tone(500), factor=factor)
