"""Mini-batches. The order of an epoch depends on (seed, epoch) alone, so training can stop and go on anywhere."""

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

Augment = Callable[..., tuple[Tensor, ...]]


class Batches:
    """Batches cut from tensors that already live on the device: nothing is copied but the batch itself.

    Args:
        tensors: all with the same first dimension, such as images and labels.
        batch_size: examples in a batch, over all processes together.
        shuffle: a new order for each epoch, or always the order as it is.
        augment: takes a batch's tensors and a `generator=`, returns the tensors changed.
        seed: of the order and of the augmentation.

    Raises:
        ValueError: the tensors differ in length, or there is none.
    """

    def __init__(
        self,
        *tensors: Tensor,
        batch_size: int,
        shuffle: bool = False,
        augment: Augment | None = None,
        seed: int = 0,
    ):
        lengths = [len(tensor) for tensor in tensors]
        if not lengths or min(lengths) != max(lengths) or batch_size < 1:
            raise ValueError(
                f"Batches needs tensors of one length and a batch size of at least 1, but got lengths {lengths} "
                f"and batch_size={batch_size}."
            )
        self.tensors, self.batch_size, self.shuffle, self.augment, self.seed = (
            tensors,
            batch_size,
            shuffle,
            augment,
            seed,
        )

    def __len__(self) -> int:
        return -(-len(self.tensors[0]) // self.batch_size)

    def __iter__(self) -> Iterator[tuple[Tensor, ...]]:
        return self.epoch(0)

    def epoch(self, epoch: int, *, start: int = 0, rank: int = 0, num_ranks: int = 1) -> Iterator[tuple[Tensor, ...]]:
        """The batches of one epoch.

        Args:
            epoch: its number; the same number gives the same batches.
            start: the first batch, for those who resume.
            rank: which process this is; the processes share each batch, and no two see the same example.
            num_ranks: how many processes there are.
        """
        device = self.tensors[0].device
        order = epoch_order(len(self.tensors[0]), self.shuffle, self.seed, epoch).to(device)
        for step in range(start, len(self)):
            indices = order[step * self.batch_size + rank : (step + 1) * self.batch_size : num_ranks]
            batch = tuple(tensor[indices] for tensor in self.tensors)
            if self.augment is not None:
                generator = torch.Generator(device).manual_seed(mixed_seed(self.seed, epoch, step, rank))
                batch = self.augment(*batch, generator=generator)
            yield batch


class LoadedBatches:
    """The same, for a data set that does not fit into memory: PyTorch's DataLoader fetches each example.

    Args:
        dataset: gives one example for an index; define it in a module, not in a notebook, if `num_workers` is above 0.
        batch_size: examples in a batch, over all processes together.
        shuffle: a new order for each epoch, or always the order as it is.
        seed: of the order.
        num_workers: processes that fetch; 0 fetches in this one.
    """

    def __init__(
        self, dataset: Dataset[Any], *, batch_size: int, shuffle: bool = False, seed: int = 0, num_workers: int = 0
    ):
        self.dataset, self.batch_size, self.shuffle, self.seed = dataset, batch_size, shuffle, seed
        self.num_workers = num_workers

    def __len__(self) -> int:
        return -(-len(self.dataset) // self.batch_size)

    def __iter__(self) -> Iterator[tuple[Tensor, ...]]:
        return self.epoch(0)

    def epoch(self, epoch: int, *, start: int = 0, rank: int = 0, num_ranks: int = 1) -> Iterator[tuple[Tensor, ...]]:
        """The batches of one epoch; see `Batches.epoch`."""
        order = epoch_order(len(self.dataset), self.shuffle, self.seed, epoch).tolist()
        indices = [
            order[step * self.batch_size : (step + 1) * self.batch_size][rank::num_ranks]
            for step in range(start, len(self))
        ]
        generator = torch.Generator().manual_seed(mixed_seed(self.seed, epoch, start, rank))
        yield from DataLoader(
            self.dataset,
            batch_sampler=indices,
            num_workers=self.num_workers,
            generator=generator,
            pin_memory=torch.cuda.is_available(),
        )


def epoch_order(num_examples: int, shuffle: bool, seed: int, epoch: int) -> Tensor:
    """The order of the examples in an epoch, int64, shape `(num_examples,)`."""
    if not shuffle:
        return torch.arange(num_examples)
    return torch.randperm(num_examples, generator=torch.Generator().manual_seed(mixed_seed(seed, epoch)))


def mixed_seed(*numbers: int) -> int:
    """One seed from several numbers, different whenever one of them is (to all practical purposes)."""
    mixed = 0x9E3779B97F4A7C15
    for number in numbers:  # splitmix64: neighboring numbers give unrelated seeds
        mixed = (mixed + number + 0x9E3779B97F4A7C15) & 0xFFFFFFFFFFFFFFFF
        mixed = ((mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9) & 0xFFFFFFFFFFFFFFFF
        mixed = ((mixed ^ (mixed >> 27)) * 0x94D049BB133111EB) & 0xFFFFFFFFFFFFFFFF
        mixed ^= mixed >> 31
    return mixed >> 1
