"""Data by name: `load("digits")` gives named splits of images and labels, with their classes, source and license.

Nothing is downloaded and nothing is substituted on the way. What has to be fetched is fetched by `course data NAME`;
until then, `load` says so and `available` is False.
"""

import hashlib
import warnings
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from filelock import FileLock
from torch import Tensor

from course_lib import storage
from course_lib.catalog import Entry, find
from course_lib.errors import CourseError
from course_lib.generate import shapes
from course_lib.generate.shapes import SETS, draw_shapes

# Pictures in the cache are drawn anew once the code that drew them has changed.
RECIPE_OF_SHAPES = hashlib.sha256(Path(shapes.__file__).read_bytes()).hexdigest()


class MissingData(CourseError):
    """A data set is not here; the text says which command brings it, and what that costs."""


@dataclass(frozen=True)
class Split:
    """Images and labels of one part of a data set.

    Attributes:
        pixels: the images as they are kept, uint8, shape `(n, c, h, w)`; read from disk where they are used.
        labels: positions in the data set's `classes`, int64, shape `(n,)`.
        white: the pixel value that stands for 1.
    """

    pixels: Tensor
    labels: Tensor
    white: int = 255

    @cached_property
    def images(self) -> Tensor:
        """The images as float32 in [0, 1], shape `(n, c, h, w)`; converted once, on first use."""
        return self.pixels.float().div_(self.white)

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True)
class Data:
    """A data set: its splits "train", "validation" and "test", and where it comes from."""

    name: str
    title: str
    splits: dict[str, Split]
    classes: list[str]
    source: str
    license: str
    citation: str

    def __str__(self) -> str:
        counts = ", ".join(f"{len(split):,} {name}" for name, split in self.splits.items())
        size = " × ".join(map(str, self.splits["train"].pixels.shape[1:]))
        return f"{self.title}: {counts} images of {size}, {len(self.classes)} classes. License: {self.license}."


def available(name: str) -> bool:
    """Whether `load(name)` works without fetching anything first.

    Raises:
        CourseError: the catalog has no such name.
    """
    entry = find(name)
    if entry.place is None or name in SETS:
        return True
    try:
        storage.card_of(entry.place)
    except storage.NotPrepared:
        return False
    return True


def load(name: str) -> Data:
    """Load a data set.

    Args:
        name: "digits" (comes with scikit-learn), "shapes", "other_shapes" (drawn on first use, in seconds), or what
            `course data NAME` has prepared: "mnist", "mnist_t10k", "fashion_mnist", "cifar10", "cifar10_images".

    Returns:
        The data, with the splits "train", "validation" and "test". Splits are the official ones, where there are any;
        validation images are then one tenth of the training images, chosen once and for all.

    Raises:
        MissingData: it has to be fetched first; the message holds the command.
        CourseError: the catalog has no such name.
    """
    entry = find(name)
    if name == "digits":
        splits = _digits()
    else:
        tensors = _shapes(entry) if name in SETS else _prepared(entry)
        names = dict.fromkeys(key.partition(".")[0] for key in tensors)
        order = sorted(names, key=("train", "validation", "test").index)
        splits = {each: Split(tensors[f"{each}.pixels"], tensors[f"{each}.labels"]) for each in order}
    return Data(name, entry.title, splits, list(entry.classes), entry.source, entry.license, entry.citation)


def hold_out(labels: Tensor, *, count: int, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Choose examples at random and set them apart, of each class its share; the same choice on every machine.

    Args:
        labels: int64, shape `(n,)`.
        count: how many to set apart.
        seed: of the choice.

    Returns:
        The row numbers of those that stay and of those set apart, int64, each in ascending order.
    """
    random = np.random.RandomState(seed)
    shuffled = torch.from_numpy(random.permutation(len(labels)))
    place_in_class = torch.empty(len(labels), dtype=torch.float64)  # from 0 to 1
    for label in labels.unique():
        rows = shuffled[labels[shuffled] == label]
        place_in_class[rows] = (torch.arange(len(rows), dtype=torch.float64) + 0.5) / len(rows)
    order = place_in_class.argsort(stable=True)
    return order[count:].sort().values, order[:count].sort().values


def _digits() -> dict[str, Split]:
    from sklearn.datasets import load_digits  # slow to import

    bunch = load_digits()
    pixels, labels = torch.from_numpy(bunch.images).to(torch.uint8).unsqueeze(1), torch.from_numpy(bunch.target).long()
    rest, test = hold_out(labels, count=300)
    kept, validation = hold_out(labels[rest], count=300)
    rows = {"train": rest[kept], "validation": rest[validation], "test": test}
    return {name: Split(pixels[which], labels[which], white=16) for name, which in rows.items()}


def _shapes(entry: Entry) -> dict[str, Tensor]:
    """The pictures from the cache, or drawn and put there; two processes at once draw them once."""
    try:
        return _cached_shapes(entry)
    except storage.NotPrepared:
        pass
    tensors = None
    try:
        entry.place.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{entry.place}.lock"):
            try:
                return _cached_shapes(entry)
            except storage.NotPrepared:
                tensors = as_tensors(draw_shapes(entry.name))
                storage.store(entry.place, tensors, {**facts(entry, tensors), "recipe": RECIPE_OF_SHAPES})
    except OSError as error:
        warnings.warn(f"{entry.name} could not be kept for the next time: {error}", stacklevel=3)
    return tensors or as_tensors(draw_shapes(entry.name))


def _cached_shapes(entry: Entry) -> dict[str, Tensor]:
    tensors, card = storage.retrieve(entry.place)
    if card.get("recipe") != RECIPE_OF_SHAPES:
        raise storage.NotPrepared("from another edition of the course")
    return tensors


def _prepared(entry: Entry) -> dict[str, Tensor]:
    try:
        return storage.retrieve(entry.place)[0]
    except storage.NotPrepared as reason:
        raise MissingData(
            f"{entry.title} is {reason} (looked in {entry.place.parent}). Get it: {entry.command} ({entry.cost}; "
            f"license: {entry.license}). " + ("" if entry.from_path_only else "A copy that you have: add --from PATH.")
        ) from None


def as_tensors(splits: dict[str, tuple[Tensor, Tensor]]) -> dict[str, Tensor]:
    """Splits of pixels and labels, under the names by which they are stored."""
    return {
        f"{name}.{kind}": splits[name][number] for name in splits for number, kind in enumerate(("pixels", "labels"))
    }


def facts(entry: Entry, tensors: dict[str, Tensor]) -> dict[str, Any]:
    """What the card of a prepared data set says."""
    counts = {key.removesuffix(".labels"): len(each) for key, each in tensors.items() if key.endswith(".labels")}
    about = {key: getattr(entry, key) for key in ("name", "title", "source", "license", "citation", "classes")}
    return {**about, "counts": counts}
