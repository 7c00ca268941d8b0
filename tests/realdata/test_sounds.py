"""Real recordings under COURSE_DATA: their published names and counts, their loudness, and splits by speaker."""

import pytest
import torch

from course_lib.datasets import available, load
from course_lib.generate.grammar import DIGIT_WORDS
from course_lib.paths import data_dir
from course_lib.recordings import join
from data_scripts.prepare import prepare

pytestmark = [pytest.mark.realdata, pytest.mark.slow]
FOLDERS = {"fsdd": "fsdd", "speech_commands": "SpeechCommands", "yesno": "waves_yesno"}


@pytest.fixture(scope="module", params=FOLDERS)
def corpus(request):
    return prepared(request.param)


def prepared(name):
    """The data set, prepared from what lies in COURSE_DATA if that was not done before."""
    if not available(name):
        folder = data_dir() / FOLDERS[name]
        if not folder.is_dir():
            pytest.skip(f"realdata: COURSE_DATA holds no {FOLDERS[name]}/; put one there, then: make test")
        prepare(name, source=folder)
    return load(name)


def test_people_are_heard_and_nobody_is_cut_off(corpus):
    for split in corpus.splits.values():
        for number, text in enumerate(split.texts):
            waveform = split.waveform(number)
            assert waveform.isfinite().all() and (waveform.abs().max() > 0.005 or not text)
        assert split.durations.min() > 0.1 and split.durations.max() < 10


@pytest.mark.parametrize("name", ["fsdd", "yesno"])
def test_what_was_recorded_at_8_khz_has_nothing_above_4_khz(name):
    split = prepared(name).splits["test"]
    for number in range(len(split)):
        power = torch.fft.rfft(split.waveform(number)).abs() ** 2
        assert power[int(0.53 * len(power)) :].sum() < 0.01 * power.sum()


def test_fsdd_has_fifty_of_each_digit_by_each_speaker_and_its_official_test_set():
    splits = prepared("fsdd").splits
    whole = join(list(splits.values()))
    people = sorted(set(whole.speakers))
    assert set(people) <= {"george", "jackson", "lucas", "nicolas", "theo", "yweweler"}
    assert torch.bincount(whole.labels).tolist() == [50 * len(people)] * 10
    assert len(splits["test"]) == 50 * len(people) and sorted(set(splits["test"].speakers)) == people
    assert whole.texts == [DIGIT_WORDS[label] for label in whole.labels]


def test_speech_commands_are_seconds_of_twelve_classes_and_nobody_is_in_two_splits():
    data = prepared("speech_commands")
    people = [set(split.speakers) - {""} for split in data.splits.values()]
    assert all(people) and sum(map(len, people)) == len(set.union(*people))
    for split in data.splits.values():
        assert split.stacked().shape == (len(split), 16_000)
        assert torch.bincount(split.labels, minlength=12).min() > 10


def test_yesno_has_sixty_recordings_of_eight_words():
    whole = join(list(prepared("yesno").splits.values()))
    assert len(whole) == 60 and len(set(whole.texts)) == 60
    assert all(len(text.split()) == 8 and set(text.split()) <= {"yes", "no"} for text in whole.texts)
