"""What a check draws its inputs from: seeded, fresh for every call, and written down for the report."""

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from course_lib.exercises.observations import snapshot


def seed_for(*parts: object) -> int:
    """A seed that depends on all the parts and on nothing else (Python's own `hash` changes from run to run)."""
    digest = hashlib.sha256("/".join(map(str, parts)).encode()).digest()
    return int.from_bytes(digest[:4], "little")


class Draw:
    """A source of random inputs. The same seed gives the same inputs, in the same order, on every machine."""

    def __init__(self, seed: int):
        self._numbers = np.random.default_rng(seed)
        self.drawn: list[Any] = []

    def normal(self, *shape: int, dtype: torch.dtype = torch.float32) -> Tensor:
        """Standard normal numbers of the given shape."""
        return self._keep(torch.from_numpy(np.asarray(self._numbers.standard_normal(shape))).to(dtype))

    def uniform(self, *shape: int, low: float = 0.0, high: float = 1.0, dtype: torch.dtype = torch.float32) -> Tensor:
        """Numbers from `low` (included) to `high` (excluded), all equally likely."""
        return self._keep(torch.from_numpy(np.asarray(self._numbers.uniform(low, high, shape))).to(dtype))

    def integers(self, *shape: int, low: int = 0, high: int = 10, dtype: torch.dtype = torch.int64) -> Tensor:
        """Whole numbers from `low` (included) to `high` (excluded)."""
        return self._keep(torch.from_numpy(np.asarray(self._numbers.integers(low, high, shape))).to(dtype))

    def labels(self, n: int, num_classes: int) -> Tensor:
        """Class labels, int64, shape `(n,)`."""
        return self.integers(n, high=num_classes)

    def permutation(self, n: int) -> list[int]:
        """The numbers 0 to n - 1 in a random order."""
        return self._keep(self._numbers.permutation(n).tolist())

    def choice(self, options: Sequence[Any]) -> Any:
        """One of the options."""
        return self._keep(options[int(self._numbers.integers(len(options)))])

    def number(self, low: float = -1.0, high: float = 1.0) -> float:
        """One Python float."""
        return self._keep(float(self._numbers.uniform(low, high)))

    def seed(self) -> int:
        """A seed for whatever wants one."""
        return self._keep(int(self._numbers.integers(2**31)))

    def generator(self) -> torch.Generator:
        """A torch generator with a seed of its own."""
        return torch.Generator().manual_seed(self.seed())

    def _keep(self, value: Any) -> Any:
        self.drawn.append(snapshot(value))  # an answer may damage the original
        return value
