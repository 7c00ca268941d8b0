"""Other throats: everything moves by whole bands, for each utterance by its own chance."""

import torch

from course_lib.sound_effects import shift_bands


def shifted(features, most, seed=0):
    return shift_bands(features, most=most, generator=torch.Generator().manual_seed(seed))


def shift_of(before, after):
    """By how many bands the tone in band 5 has moved."""
    return int(after[0].argmax() - before[0].argmax())


def test_a_tone_moves_by_whole_bands_and_each_shift_is_about_as_likely():
    tones = torch.zeros(900, 3, 11)
    tones[:, :, 5] = 1.0
    after = shifted(tones, 2)
    assert after.sum().item() == tones.sum().item()
    counts = torch.tensor([shift_of(a, b) for a, b in zip(tones, after, strict=True)]).add(2).bincount(minlength=5)
    assert len(counts) == 5
    assert counts.min() > 120  # 180 of each are expected, give or take 12


def test_all_frames_of_an_utterance_move_alike_and_the_edge_is_repeated():
    features = torch.arange(7.0).expand(40, 5, 7)
    for row in shifted(features, 3):
        assert torch.equal(row, row[:1].expand_as(row))
        shift = int(3 - row[0, 3])
        assert row[0].tolist() == [min(max(band - shift, 0), 6) for band in range(7)]


def test_no_shift_changes_nothing_and_padding_stays_zero():
    features = torch.randn(4, 6, 8, generator=torch.Generator().manual_seed(0))
    assert torch.equal(shifted(features, 0), features)
    features[:, 4:] = 0
    assert not shifted(features, 3)[:, 4:].any()
    assert torch.equal(shifted(features, 3, seed=1), shifted(features, 3, seed=1))
