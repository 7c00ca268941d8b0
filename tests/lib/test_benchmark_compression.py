"""What the benchmark of compression computes, and what its section of the page says."""

import json

import pytest

from benchmarks.compression_speech import points_lost
from benchmarks.draw_compression import compression
from benchmarks.draw_results import ranged, table
from course_lib.paths import checkout

SAID = ["turn on the light", "one two three", "stop"]


def test_points_lost_are_word_errors_of_all_texts_together():
    before = ["turn on the light", "one two", "stop"]  # one of eight words is missing
    after = ["turn of a light", "one two", "stop"]  # and two more are wrong
    lost, low, high = points_lost(SAID, before, after)
    assert lost == pytest.approx(100 * 2 / 8)
    assert low <= lost <= high


def test_a_network_that_hears_better_loses_less_than_nothing():
    assert points_lost(SAID, ["turn on", "one two three", "go"], SAID)[0] == pytest.approx(-100 * 3 / 8)


def test_nothing_changed_is_nothing_lost_for_certain():
    assert points_lost(SAID, SAID, SAID) == (0, 0, 0)


def test_a_target_that_is_missed_is_said_to_be_missed():
    place = checkout() / "benchmarks" / "results" / "compression.json"
    figures = json.loads(place.read_text(encoding="utf-8"))["figures"]
    missed = figures | {"image_speedup_batch1": 5.9, "speech_mb": 0.701}
    page = "\n".join(compression(missed, table=table, ranged=ranged))
    assert page.count("**not reached**") == 2
    assert "≥ 6: **not reached**" in page
    assert "≤ 0.7: **not reached**" in page
