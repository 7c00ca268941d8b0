"""Batches: an order that depends on (seed, epoch) alone, ranks that share, resumption anywhere."""

from itertools import chain

import pytest
import torch
from torch.utils.data import TensorDataset

from course_lib.batches import Batches, LoadedBatches, mixed_seed

NUMBERS = torch.arange(53)


def kinds(**options):
    return [Batches(NUMBERS, **options), LoadedBatches(TensorDataset(NUMBERS), **options)]


def numbers_in(batches):
    return [batch[0].tolist() for batch in batches]


@pytest.mark.parametrize("kind", [0, 1], ids=["Batches", "LoadedBatches"])
class TestBoth:
    def test_every_example_comes_once_and_the_last_batch_is_short(self, kind):
        batches = kinds(batch_size=8, shuffle=True)[kind]
        seen = numbers_in(batches.epoch(3))
        assert [len(batch) for batch in seen] == [8] * 6 + [5]
        assert sorted(chain(*seen)) == NUMBERS.tolist()
        assert len(batches) == 7

    def test_the_order_depends_on_seed_and_epoch_alone(self, kind):
        torch.manual_seed(1)
        first = numbers_in(kinds(batch_size=8, shuffle=True, seed=4)[kind].epoch(2))
        torch.manual_seed(2)
        assert numbers_in(kinds(batch_size=8, shuffle=True, seed=4)[kind].epoch(2)) == first
        assert numbers_in(kinds(batch_size=8, shuffle=True, seed=4)[kind].epoch(3)) != first
        assert numbers_in(kinds(batch_size=8, shuffle=True, seed=5)[kind].epoch(2)) != first

    def test_without_shuffling_the_order_stays(self, kind):
        assert list(chain(*numbers_in(kinds(batch_size=8)[kind].epoch(7)))) == NUMBERS.tolist()

    def test_an_epoch_can_go_on_from_any_step(self, kind):
        batches = kinds(batch_size=8, shuffle=True)[kind]
        assert numbers_in(batches.epoch(1, start=4)) == numbers_in(batches.epoch(1))[4:]

    def test_ranks_share_each_batch_and_no_two_see_the_same_example(self, kind):
        batches = kinds(batch_size=8, shuffle=True)[kind]
        shares = [numbers_in(batches.epoch(1, rank=rank, num_ranks=3)) for rank in range(3)]
        together = [sorted(chain(*parts)) for parts in zip(*shares, strict=True)]
        assert together == [sorted(batch) for batch in numbers_in(batches.epoch(1))]


def test_workers_fetch_the_same_batches():
    dataset = TensorDataset(NUMBERS)
    alone, with_workers = (LoadedBatches(dataset, batch_size=8, shuffle=True, num_workers=n) for n in (0, 2))
    assert numbers_in(with_workers.epoch(1)) == numbers_in(alone.epoch(1))


def test_augmentation_works_on_whole_batches_and_is_the_same_after_resuming():
    def add_noise(values, *, generator):
        return (values + torch.rand(len(values), generator=generator),)

    batches = Batches(NUMBERS.float(), batch_size=8, augment=add_noise)
    whole, rest = list(batches.epoch(1)), list(batches.epoch(1, start=3))
    assert all(torch.equal(a[0], b[0]) for a, b in zip(whole[3:], rest, strict=True))
    assert not torch.equal(whole[0][0], next(batches.epoch(2))[0])


@pytest.mark.parametrize("tensors, batch_size", [([], 4), ([torch.ones(3), torch.ones(4)], 2), ([torch.ones(3)], 0)])
def test_wrong_input_is_told(tensors, batch_size):
    with pytest.raises(ValueError, match="tensors of one length and a batch size of at least 1"):
        Batches(*tensors, batch_size=batch_size)


def test_mixed_seeds_do_not_collide():
    seeds = {mixed_seed(seed, epoch, step) for seed in range(20) for epoch in range(20) for step in range(20)}
    assert len(seeds) == 8000
    assert max(seeds) < 2**63
