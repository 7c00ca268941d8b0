"""Recordings: what was put in comes out, in any order, from memory or from disk."""

import numpy as np
import pytest
import torch
from safetensors.torch import load, save

from course_lib.recordings import Recordings, from_tensors, join, record, split_off_speakers


@pytest.fixture
def clips():
    random = np.random.RandomState(0)
    return [random.randint(-32768, 32768, size=length).astype(np.int16) for length in (5, 0, 3, 16_000)]


@pytest.fixture
def recordings(clips):
    return record(
        clips,
        texts=["yes", "", "nö", "one two"],
        speakers=["ann", "bob", "ann", "cy"],
        labels=torch.tensor([0, 1, 1, 2]),
        word_times=[[("yes", 0.0, 0.1)], [], [("nö", 0.0, 0.1)], [("one", 0.1, 0.4), ("two", 0.4, 0.9)]],
        heard=torch.tensor([True, False, True, True]),
    )


def same(one: Recordings, other: Recordings) -> bool:
    return all(
        torch.equal(a, b) if isinstance(a, torch.Tensor) else a == b
        for a, b in zip(vars(one).values(), vars(other).values(), strict=True)
    )


def test_a_waveform_is_its_clip_between_minus_1_and_1(recordings, clips):
    assert len(recordings) == 4
    for number in (0, 1, 2, 3, -1):
        expected = torch.from_numpy(clips[number].astype(np.float32) / 32768)
        assert torch.equal(recordings.waveform(number), expected)
    assert [len(waveform) for waveform in recordings.waveforms()] == [5, 0, 3, 16_000]
    assert recordings.durations[3] == 1.0


@pytest.mark.parametrize("number", [4, -5])
def test_a_recording_that_is_not_there_is_an_index_error_so_that_loops_end(recordings, number):
    with pytest.raises(IndexError, match=r"no recording .*: there are 4"):
        recordings.waveform(number)


def test_recordings_of_one_length_are_stacked_and_others_say_what_to_do(recordings, clips):
    some = recordings.select([3, 3])
    assert torch.equal(some.stacked(), torch.from_numpy(np.stack([clips[3]] * 2).astype(np.float32) / 32768))
    with pytest.raises(ValueError, match=r"0 to 16,000 samples.*waveforms\(\)"):
        recordings.stacked()


@pytest.mark.parametrize("rows", [[2, 0], torch.tensor([2, 0]), torch.tensor([True, False, True, False])])
def test_a_selection_takes_everything_that_belongs_to_a_row(recordings, rows):
    some = recordings.select(rows)
    order = [2, 0] if not (isinstance(rows, torch.Tensor) and rows.dtype == torch.bool) else [0, 2]
    assert some.texts == [recordings.texts[row] for row in order] and some.speakers == ["ann", "ann"]
    assert some.labels.tolist() == [int(recordings.labels[row]) for row in order] and some.heard.tolist() == [True] * 2
    assert some.word_times == [recordings.word_times[row] for row in order]
    assert all(torch.equal(some.waveform(n), recordings.waveform(row)) for n, row in enumerate(order))


def test_what_was_stored_is_the_same_again(recordings):
    assert same(from_tensors(load(save(recordings.to_tensors()))), recordings)
    bare = Recordings(recordings.samples, recordings.offsets, recordings.texts, recordings.speakers)
    assert same(from_tensors(load(save(bare.to_tensors()))), bare) and bare.labels is None


def test_parts_that_are_joined_are_the_whole(recordings):
    assert same(join([recordings.select([0, 1]), recordings.select([2, 3])]), recordings)
    without = record([], texts=[], speakers=[])
    assert join([recordings, without]).labels is None and len(join([recordings, without])) == 4


def test_a_speaker_is_left_out_with_all_recordings_and_no_others(recordings):
    rest, theirs = split_off_speakers(recordings, ["ann"])
    assert theirs.texts == ["yes", "nö"] and rest.speakers == ["bob", "cy"]
    with pytest.raises(ValueError, match=r"no recordings by \['dora'\].*'ann', 'bob', 'cy'"):
        split_off_speakers(recordings, ["dora"])
