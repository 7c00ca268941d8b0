"""Data by name: `load("digits")` gives named splits of images or recordings, with classes, source and license.

Nothing is downloaded and nothing is substituted on the way. What has to be fetched is fetched by `course data NAME`;
until then, `load` says so and `available` is False.
"""

import hashlib
import warnings
from collections.abc import Callable
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
from course_lib.generate.nodules import LUNG_SETS, draw_lungs
from course_lib.generate.shapes import SETS, draw_shapes
from course_lib.generate.speech import is_installed
from course_lib.generate.spoken import SPOKEN, speak_corpus
from course_lib.recordings import Recordings, from_tensors


def _recipe(*names: str) -> str:
    """The hash of the code that makes something. Once it has changed, what it made is made anew."""
    home = Path(__file__).parent / "generate"
    return hashlib.sha256(b"".join((home / f"{name}.py").read_bytes() for name in names)).hexdigest()


RECIPE_OF_SHAPES = _recipe("shapes")
RECIPE_OF_LUNGS = _recipe("lungs", "nodules")
RECIPE_OF_SPEECH = _recipe("voices", "grammar", "espeak_worker", "speech", "spoken")
PARTS = ("train", "validation", "test")


class MissingData(CourseError):
    """A data set is not here; the text says which command brings it, and what that costs."""


@dataclass(frozen=True)
class Split:
    """Images and labels of one part of a data set.

    Attributes:
        pixels: the images as they are kept, uint8, shape `(n, c, h, w)`; read from disk where they are used.
        labels: positions in the data set's `classes`, int64, shape `(n,)`.
        white: the pixel value that stands for 1.
        masks: where what is to be found is exactly, bool, shape `(n, 1, h, w)`; None where nobody knows.
        contrasts: how much brighter than its surroundings that is, in units of white, shape `(n,)`; None likewise.
    """

    pixels: Tensor
    labels: Tensor
    white: int = 255
    masks: Tensor | None = None
    contrasts: Tensor | None = None

    @cached_property
    def images(self) -> Tensor:
        """The images as float32 in [0, 1], shape `(n, c, h, w)`; converted once, on first use."""
        return self.pixels.float().div_(self.white)

    def __len__(self) -> int:
        return len(self.labels)


AnySplit = Split | Recordings


@dataclass(frozen=True)
class Data:
    """A data set: its splits "train", "validation" and "test", and where it comes from."""

    name: str
    title: str
    splits: dict[str, AnySplit]
    classes: list[str]
    source: str
    license: str
    citation: str

    def __str__(self) -> str:
        counts = ", ".join(f"{len(split):,} {name}" for name, split in self.splits.items())
        return f"{self.title}: {counts} {self._kind()}. License: {self.license}."

    def _kind(self) -> str:
        first = next(iter(self.splits.values()))
        classes = f", {len(self.classes)} classes" if self.classes else ""
        if isinstance(first, Split):
            return f"images of {' × '.join(map(str, first.pixels.shape[1:]))}{classes}"
        minutes = sum(split.durations.sum().item() for split in self.splits.values()) / 60
        return f"recordings, {minutes:,.0f} min{classes}"


def available(name: str) -> bool:
    """Whether `load(name)` works without fetching anything first.

    Raises:
        CourseError: the catalog has no such name.
    """
    entry = find(name)
    if entry.place is None or name in (*SETS, *LUNG_SETS) or (name in SPOKEN and is_installed()):
        return True
    try:
        storage.card_of(entry.place)
    except storage.NotPrepared:
        return False
    return True


def load(name: str) -> Data:
    """Load a data set.

    Args:
        name: as in the catalog, which `course data` prints: "digits" comes with scikit-learn; "shapes", "other_shapes",
            "lung_patches", "lung_slices", "spoken_commands" and "spoken_words" are made on first use, in seconds;
            others by `course data NAME`.

    Returns:
        The data, with the splits "train", "validation" and "test", each a `Split` of images or `Recordings`. Splits are
        the official ones, where there are any; validation examples are then cut from the training examples, chosen
        once and for all: a tenth of the images, some of the speakers.

    Raises:
        MissingData: it has to be fetched first; the message holds the command.
        CourseError: the catalog has no such name, or speech is to be made and its engine is not installed.
    """
    entry = find(name)
    splits = _digits() if name == "digits" else _splits(_tensors(entry))
    return Data(name, entry.title, splits, list(entry.classes), entry.source, entry.license, entry.citation)


def _tensors(entry: Entry) -> dict[str, Tensor]:
    if entry.name in SETS:
        return _made(entry, RECIPE_OF_SHAPES, lambda: as_tensors(draw_shapes(entry.name)))
    if entry.name in LUNG_SETS:
        return _made(entry, RECIPE_OF_LUNGS, lambda: as_tensors(draw_lungs(entry.name)))
    if entry.name in SPOKEN:
        return _made(entry, RECIPE_OF_SPEECH, lambda: as_tensors(speak_corpus(entry.name)))
    return _prepared(entry)


def _splits(tensors: dict[str, Tensor]) -> dict[str, AnySplit]:
    """Splits in their order, from tensors by the names under which they are stored."""
    parts: dict[str, dict[str, Tensor]] = {}
    for key, tensor in tensors.items():
        part, _, kind = key.partition(".")
        parts.setdefault(part, {})[kind] = tensor
    return {
        part: Split(**parts[part]) if "pixels" in parts[part] else from_tensors(parts[part])
        for part in sorted(parts, key=PARTS.index)
    }


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


def _made(entry: Entry, recipe: str, make: Callable[[], dict[str, Tensor]]) -> dict[str, Tensor]:
    """What the course makes itself, from the cache, or made and put there; two processes at once make it once."""
    try:
        return _cached(entry, recipe)
    except storage.NotPrepared:
        pass
    tensors = None
    try:
        entry.place.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{entry.place}.lock"):
            try:
                return _cached(entry, recipe)
            except storage.NotPrepared:
                tensors = make()
                storage.store(entry.place, tensors, {**facts(entry, tensors), "recipe": recipe})
    except OSError as error:
        warnings.warn(f"{entry.name} could not be kept for the next time: {error}", stacklevel=4)
    return tensors or make()


def _cached(entry: Entry, recipe: str) -> dict[str, Tensor]:
    tensors, card = storage.retrieve(entry.place)
    if card.get("recipe") != recipe:
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


def as_tensors(splits: dict[str, tuple[Tensor, Tensor] | dict[str, Tensor] | Recordings]) -> dict[str, Tensor]:
    """Splits (pixels and labels, tensors by name, or recordings) under the names by which they are stored."""
    tensors = {}
    for name, split in splits.items():
        parts = split.to_tensors() if isinstance(split, Recordings) else split
        if isinstance(parts, tuple):
            parts = {"pixels": parts[0], "labels": parts[1]}
        tensors.update({f"{name}.{kind}": tensor for kind, tensor in parts.items()})
    return tensors


def facts(entry: Entry, tensors: dict[str, Tensor]) -> dict[str, Any]:
    """What the card of a prepared data set says."""
    counts = {name: len(split) for name, split in _splits(tensors).items()}
    about = {key: getattr(entry, key) for key in ("name", "title", "source", "license", "citation", "classes")}
    return {**about, "counts": counts}
