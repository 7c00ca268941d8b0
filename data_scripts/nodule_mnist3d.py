"""NoduleMNIST3D: 1,633 lung nodules cut out of CT scans, 28x28x28, benign or malignant in the judgment of radiologists.

The labels are opinions on pictures: "malignant" are those that were rated 4 or 5 of 5, "benign" 1 or 2. What was rated
3 was left out.

License: CC BY 4.0.
Citation: Yang et al. 2023, MedMNIST v2, doi:10.1038/s41597-022-01721-8; from LIDC-IDRI: Armato et al. 2011,
doi:10.1118/1.3528204
"""

import zipfile
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from course_lib.errors import CourseError
from data_scripts.fetch import KnownFile, collect, download, unpack

MIRRORS = ["https://zenodo.org/records/10519652/files/"]
FILE = KnownFile("nodulemnist3d.npz", "md5:8755a7e9e05a4d9ce80a24c3e7a256f3")
PARTS = {"train": "train", "validation": "val", "test": "test"}  # as the file calls them
Labeled = tuple[Tensor, Tensor]


def read(source: Path | None, workspace: Path) -> dict[str, Labeled]:
    """The official training, validation and test cubes.

    Args:
        source: the file under whatever name, or a folder or an archive that holds it; None downloads it.
        workspace: a folder for what is downloaded or unpacked.

    Returns:
        For "train", "validation" and "test" the cubes, uint8, shape `(n, 28, 28, 28)`, their slices as channels, and
        the labels, int64, shape `(n,)`.
    """
    return read_splits(FILE, source, workspace, sides=3)


def read_splits(file: KnownFile, source: Path | None, workspace: Path, *, sides: int) -> dict[str, Labeled]:
    """The splits of one of MedMNIST's files: pictures with one channel (two sides), or cubes (three)."""
    if source is None:
        path = download([file], mirrors=MIRRORS, folder=workspace)[file.name]
    else:
        is_archive = source.is_file() and not file.is_at(source) and source.suffix != ".npz"
        folder = unpack(source, workspace / "unpacked") if is_archive else source
        path = collect([file], source=folder)[file.name]
    return read_npz(path, sides=sides)


def read_npz(path: Path, *, sides: int) -> dict[str, Labeled]:
    """What an npz file of MedMNIST holds. It is a zip of plain arrays; whatever would need pickle is refused.

    Args:
        path: the file.
        sides: dimensions of each example, 2 or 3.

    Raises:
        CourseError: it holds something else.
    """
    splits = {}
    try:
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as content:
            for name, theirs in PARTS.items():
                pixels, labels = content[f"{theirs}_images"], content[f"{theirs}_labels"]
                if pixels.dtype != np.uint8 or pixels.ndim != sides + 1 or labels.shape != (len(pixels), 1):
                    raise ValueError(f"{name} is {pixels.dtype} {pixels.shape} with labels {labels.shape}")
                cubes = pixels if sides == 3 else pixels[:, None]
                splits[name] = torch.from_numpy(cubes), torch.from_numpy(labels[:, 0].astype(np.int64))
    except (KeyError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise CourseError(f"{path} is none of MedMNIST's files ({error}). Download it again.") from error
    return splits
