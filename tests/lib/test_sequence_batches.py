"""Batches of sequences: similar lengths, an order that depends on (seed, epoch) alone, resumption anywhere."""

from itertools import chain

import pytest
import torch
from torch import nn

from course_lib.sequence_batches import SequenceBatches
from course_lib.training import Recipe, fit

LENGTHS = torch.randint(3, 90, (203,), generator=torch.Generator().manual_seed(0)).tolist()
FEATURES = [torch.full((length, 2), float(number + 1)) for number, length in enumerate(LENGTHS)]
TARGETS = [torch.full((1 + number % 5,), number + 1) for number in range(len(LENGTHS))]


def make(**options):
    return SequenceBatches(FEATURES, TARGETS, **{"batch_size": 8, "shuffle": True} | options)


def numbers_in(batches):
    """Which sequences came, batch by batch."""
    return [(batch[0][:, 0, 0] - 1).long().tolist() for batch in batches]


def test_every_sequence_comes_once():
    batches = make()
    seen = numbers_in(batches.epoch(3))
    assert sorted(chain(*seen)) == list(range(203))
    assert len(seen) == len(batches) == 26
    assert sorted(map(len, seen)) == [3] + [8] * 25


def test_sequences_and_targets_are_whole_and_padded_with_zeros():
    for features, lengths, targets, target_lengths in make().epoch(0):
        for row, (length, target_length) in enumerate(zip(lengths, target_lengths, strict=True)):
            number = int(features[row, 0, 0]) - 1
            assert torch.equal(features[row, :length], FEATURES[number])
            assert torch.equal(targets[row, :target_length], TARGETS[number])
            assert not features[row, length:].any()
            assert not targets[row, target_length:].any()
        assert features.shape[1] == lengths.max()
        assert targets.shape[1] == target_lengths.max()


def test_little_is_padded():
    shares = [1 - lengths.sum() / features[..., 0].numel() for features, lengths, *_ in make().epoch(0)]
    at_random = [1 - lengths.sum() / features[..., 0].numel() for features, lengths, *_ in make(shuffle=False)]
    assert sum(shares) / len(shares) < 0.1 < 0.3 < sum(at_random) / len(at_random)


def test_short_and_long_batches_come_mixed():
    longest = torch.tensor([int(lengths.max()) for _, lengths, *_ in make().epoch(0)]).float()
    assert (longest.diff() > 0).float().mean() < 0.75  # sorted, it would be all of them


def test_the_order_depends_on_seed_and_epoch_alone():
    torch.manual_seed(1)
    first = numbers_in(make(seed=4).epoch(2))
    torch.manual_seed(2)
    assert numbers_in(make(seed=4).epoch(2)) == first
    assert numbers_in(make(seed=4).epoch(3)) != first
    assert numbers_in(make(seed=5).epoch(2)) != first


def test_without_shuffling_the_order_stays():
    assert list(chain(*numbers_in(make(shuffle=False).epoch(7)))) == list(range(203))


def test_an_epoch_can_go_on_from_any_step():
    assert numbers_in(make().epoch(1, start=11)) == numbers_in(make().epoch(1))[11:]


def test_ranks_share_each_batch_and_no_two_see_the_same_sequence():
    shares = [numbers_in(make().epoch(1, rank=rank, num_ranks=3)) for rank in range(3)]
    together = [sorted(chain(*parts)) for parts in zip(*shares, strict=True)]
    assert together == [sorted(batch) for batch in numbers_in(make().epoch(1))]


def test_augmentation_sees_the_whole_batch_and_is_the_same_after_resuming():
    def add_noise(features, *rest, generator):
        return features + torch.rand(features.shape, generator=generator), *rest

    batches = make(augment=add_noise)
    whole, rest = list(batches.epoch(1)), list(batches.epoch(1, start=5))
    assert all(torch.equal(a[0], b[0]) for a, b in zip(whole[5:], rest, strict=True))
    assert not torch.equal(whole[0][0], next(batches.epoch(2))[0])


def test_one_label_per_sequence_comes_as_it_is():
    labels = torch.arange(203)
    for features, lengths, numbers in SequenceBatches(FEATURES, labels, batch_size=8, shuffle=True).epoch(0):
        assert (features[:, 0, 0] - 1).long().tolist() == numbers.tolist()
        assert lengths.tolist() == [LENGTHS[number] for number in numbers]


@pytest.mark.parametrize(
    "features, targets, batch_size",
    [([], [], 4), (FEATURES[:3], TARGETS[:2], 4), ([torch.zeros(0, 2)], TARGETS[:1], 4), (FEATURES, TARGETS, 0)],
)
def test_wrong_input_is_told(features, targets, batch_size):
    with pytest.raises(ValueError, match="one target for each and a batch size of at least 1"):
        SequenceBatches(features, targets, batch_size=batch_size)


class MeanReader(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear, self.dropout = nn.Linear(2, 1), nn.Dropout(0.2)

    def forward(self, features, lengths):
        return self.linear(self.dropout(features.sum(dim=1) / lengths[:, None]))[:, 0]


def squared_errors(model, batch):
    features, lengths, _, target_lengths = batch
    return (model(features / 200, lengths) - target_lengths) ** 2


def test_fit_trains_on_them_and_resumes_bit_for_bit(tmp_path):
    class Stop(Exception):
        pass

    calls = []

    def stops_midway(model, batch):
        calls.append(1)
        if len(calls) == 40:
            raise Stop
        return squared_errors(model, batch)

    def run(losses_fn, **options):
        torch.manual_seed(0)
        model = MeanReader()
        recipe = Recipe(lambda model: torch.optim.AdamW(model.parameters(), lr=0.01), epochs=3, checkpoint_every=1)
        fit(model, make(), losses_fn, recipe=recipe, **options)
        return model.linear.weight

    uninterrupted = run(squared_errors)
    with pytest.raises(Stop):
        run(stops_midway, checkpoint=tmp_path / "run.safetensors")
    resumed = run(squared_errors, checkpoint=tmp_path / "run.safetensors", resume=True)
    assert torch.equal(uninterrupted, resumed)
