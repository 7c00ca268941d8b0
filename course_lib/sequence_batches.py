"""Mini-batches of sequences: padded to a common length, and of similar lengths, so that little is padded."""

from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from course_lib.batches import epoch_order, mixed_seed

Augment = Callable[..., tuple[Tensor, ...]]
BATCHES_IN_A_POOL = 16  # sequences are sorted by length within so many batches; more would make the batches less mixed


class SequenceBatches:
    """Batches of sequences that differ in length. The order of an epoch depends on (seed, epoch) alone.

    A batch is `(features, lengths, targets, target_lengths)`: features padded with zeros, shape `(batch, time, ...)`;
    targets padded with zeros, shape `(batch, longest)`. Where there is one label per sequence it is
    `(features, lengths, labels)`.

    Args:
        features: one tensor per sequence, shape `(time, ...)`, all on one device.
        targets: one int64 tensor per sequence, shape `(length,)`; or one label per sequence, int64, shape `(n,)`.
        batch_size: sequences in a batch, over all processes together.
        shuffle: a new order for each epoch, in batches of similar lengths; or always the order as it is.
        augment: takes the tensors of a batch and a `generator=`, returns them changed.
        seed: of the order and of the augmentation.

    Raises:
        ValueError: there is no sequence, an empty one, or not one target for each.
    """

    def __init__(
        self,
        features: Sequence[Tensor],
        targets: Sequence[Tensor] | Tensor,
        *,
        batch_size: int,
        shuffle: bool = False,
        augment: Augment | None = None,
        seed: int = 0,
    ):
        lengths = [len(each) for each in features]
        if not lengths or min(lengths) == 0 or len(targets) != len(lengths) or batch_size < 1:
            raise ValueError(
                f"SequenceBatches needs sequences that are not empty, one target for each and a batch size of at least "
                f"1, but got {len(lengths)} sequences (the shortest: {min(lengths, default=0)}), {len(targets)} "
                f"targets and batch_size={batch_size}."
            )
        self.features, self.targets, self.batch_size = features, targets, batch_size
        self.shuffle, self.augment, self.seed = shuffle, augment, seed
        self.lengths = torch.tensor(lengths)

    def __len__(self) -> int:
        return -(-len(self.features) // self.batch_size)

    def __iter__(self) -> Iterator[tuple[Tensor, ...]]:
        return self.epoch(0)

    def epoch(self, epoch: int, *, start: int = 0, rank: int = 0, num_ranks: int = 1) -> Iterator[tuple[Tensor, ...]]:
        """The batches of one epoch; see `course_lib.batches.Batches.epoch`."""
        for step, indices in list(enumerate(self.order(epoch)))[start:]:
            batch = self._batch(indices[rank::num_ranks])
            if self.augment is not None:
                device = batch[0].device
                generator = torch.Generator(device).manual_seed(mixed_seed(self.seed, epoch, step, rank))
                batch = self.augment(*batch, generator=generator)
            yield batch

    def order(self, epoch: int) -> list[list[int]]:
        """Which sequences make up each batch of an epoch."""
        order = epoch_order(len(self.features), self.shuffle, self.seed, epoch)
        if not self.shuffle:
            return [part.tolist() for part in order.split(self.batch_size)]
        pools = order.split(self.batch_size * BATCHES_IN_A_POOL)
        by_length = [pool[self.lengths[pool].argsort(stable=True)] for pool in pools]
        batches = [part.tolist() for pool in by_length for part in pool.split(self.batch_size)]
        return [batches[i] for i in epoch_order(len(batches), True, self.seed + 1, epoch).tolist()]

    def _batch(self, indices: list[int]) -> tuple[Tensor, ...]:
        features = [self.features[i] for i in indices]
        device = features[0].device
        padded = pad_sequence(features, batch_first=True), self.lengths[indices].to(device)
        if isinstance(self.targets, Tensor):
            return *padded, self.targets[indices].to(device)
        targets = [self.targets[i] for i in indices]
        target_lengths = torch.tensor([len(each) for each in targets], device=device)
        return *padded, pad_sequence(targets, batch_first=True).to(device), target_lengths
