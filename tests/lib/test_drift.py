"""Drift: distances are scipy's, alarms without drift are as rare as promised, and drift is noticed."""

import pytest
import torch
from scipy.stats import ks_2samp

from course_lib.drift import (
    DriftWatch,
    alarm_level,
    distances,
    drift_score,
    image_statistics,
    sound_statistics,
)


@pytest.fixture
def generator():
    return torch.Generator().manual_seed(0)


def correlated(count, generator, num_statistics=5):
    """Statistics that depend on each other, as brightness and contrast do, and some that are coarse."""
    rows = torch.randn(count, num_statistics, generator=generator)
    rows = rows + rows[:, :1]
    rows[:, 1] = (2 * rows[:, 1]).round()
    return rows


def test_a_distance_is_scipys(generator):
    reference, live = correlated(300, generator), correlated(50, generator) + 0.2
    expected = [ks_2samp(reference[:, each], live[:, each]).statistic for each in range(5)]
    assert distances(reference, live).tolist() == pytest.approx(expected, abs=1e-6)


def test_equal_samples_have_no_distance_and_separate_ones_the_largest(generator):
    rows = correlated(60, generator)
    assert distances(rows, rows.flip(0)).max() == 0
    assert distances(rows, rows + 100).min() == 1


@pytest.mark.parametrize("shape", [(0, 5), (4, 3)])
def test_what_cannot_be_compared_is_refused(shape, generator):
    with pytest.raises(ValueError, match="at least one row"):
        distances(correlated(10, generator), torch.zeros(shape))


@pytest.mark.parametrize("false_alarms", [0.01, 0.1])
def test_without_drift_alarms_are_as_rare_as_promised(false_alarms, generator):
    # 2,000 windows: with a true rate as promised, six standard deviations above it happen once in a billion
    level, trials = alarm_level(5, false_alarms=false_alarms), 2000
    alarms = 0
    for _ in range(trials):
        alarms += int(drift_score(correlated(300, generator), correlated(50, generator)).max() > level)
    assert alarms / trials <= false_alarms + 6 * (false_alarms * (1 - false_alarms) / trials) ** 0.5
    assert alarms > 0.1 * false_alarms * trials  # nor is it deaf


def test_an_image_that_gets_dark_raises_the_alarm(generator):
    images = 0.3 + 0.4 * torch.rand(400, 3, 8, 8, generator=generator) * torch.rand(400, 1, 1, 1, generator=generator)
    reference, live = image_statistics(images[:300]), images[300:]
    watch = DriftWatch(reference, window=50)
    watch.observe(image_statistics(live[:50]))
    assert not watch.latest.alarm
    watch.observe(image_statistics(0.4 * live[50:]))
    assert watch.latest.alarm and watch.latest.scores[0] > 5  # brightness


def test_a_window_is_judged_once_it_is_full(generator):
    watch = DriftWatch(correlated(100, generator), window=20)
    for _ in range(19):
        watch.observe(correlated(1, generator))
    assert watch.latest is None
    watch.observe(correlated(1, generator))
    assert watch.latest is not None and len(watch.rows) == 0


def test_the_statistics_of_images_are_what_they_are_called():
    striped = torch.zeros(1, 3, 4, 4)
    striped[:, 0, :, ::2] = 1  # red columns on black
    brightness, contrast, sharpness, color = image_statistics(striped)[0].tolist()
    assert brightness == pytest.approx(1 / 6) and contrast == pytest.approx((1 / 6 * 5 / 6) ** 0.5)
    assert sharpness == pytest.approx((0 + 1 / 3) / 2) and color == pytest.approx(0.5)


def test_a_louder_recording_has_a_higher_level_and_nothing_else(generator):
    mels = torch.randn(100, 40, generator=generator)
    quiet, loud = sound_statistics(mels), sound_statistics(mels + 2)
    assert (loud - quiet).tolist() == pytest.approx([2, 0, 0, 0], abs=1e-5)
