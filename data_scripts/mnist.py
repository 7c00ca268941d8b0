"""MNIST: 70,000 handwritten digits, 28x28, gray.

License: CC BY-SA 3.0.
Citation: LeCun, Bottou, Bengio & Haffner 1998, Gradient-based learning applied to document recognition,
doi:10.1109/5.726791
"""

import gzip
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from course_lib.datasets import hold_out
from data_scripts.fetch import KnownFile, collect, download, unpack

MIRRORS = [
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "http://yann.lecun.com/exdb/mnist/",
]
TRAIN = (
    KnownFile("train-images-idx3-ubyte.gz", "sha256:440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609"),
    KnownFile("train-labels-idx1-ubyte.gz", "sha256:3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c"),
)
TEST = (
    KnownFile("t10k-images-idx3-ubyte.gz", "sha256:8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6"),
    KnownFile("t10k-labels-idx1-ubyte.gz", "sha256:f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6"),
)
Labeled = tuple[Tensor, Tensor]


def read(source: Path | None, workspace: Path) -> dict[str, Labeled]:
    """The official training and test images.

    Args:
        source: a folder or archive that holds the four files; None downloads them.
        workspace: a folder for what is downloaded or unpacked.

    Returns:
        For "train" and "test" the pixels, uint8, shape `(n, 1, 28, 28)`, and the labels, int64, shape `(n,)`.
    """
    return read_idx_pairs({"train": TRAIN, "test": TEST}, source, workspace, mirrors=MIRRORS)


def read_test_set(source: Path | None, workspace: Path) -> dict[str, Labeled]:
    """The official test images alone, of which 2,000 are set apart as "test" and the rest is "train"."""
    pixels, labels = read_idx_pairs({"test": TEST}, source, workspace, mirrors=MIRRORS)["test"]
    train, test = hold_out(labels, count=len(labels) // 5, seed=1)
    return {"train": (pixels[train], labels[train]), "test": (pixels[test], labels[test])}


def read_idx_pairs(
    pairs: dict[str, tuple[KnownFile, KnownFile]], source: Path | None, workspace: Path, *, mirrors: list[str]
) -> dict[str, Labeled]:
    """Images and labels from pairs of IDX files, as MNIST and Fashion-MNIST are published."""
    files = [file for pair in pairs.values() for file in pair]
    if source is None:
        paths = download(files, mirrors=mirrors, folder=workspace)
    else:
        paths = collect(files, source=unpack(source, workspace / "unpacked") if source.is_file() else source)
    return {
        name: (read_idx(paths[images.name]).unsqueeze(1), read_idx(paths[labels.name]).long())
        for name, (images, labels) in pairs.items()
    }


def read_idx(path: Path) -> Tensor:
    """The bytes of a gzipped IDX file, uint8, in the shape that its header tells.

    Source: "The IDX file format", http://yann.lecun.com/exdb/mnist/
    """
    content = gzip.decompress(path.read_bytes())
    num_dimensions = content[3]
    shape = np.frombuffer(content, dtype=">u4", count=num_dimensions, offset=4)
    values = np.frombuffer(content, dtype=np.uint8, offset=4 + 4 * num_dimensions)
    return torch.from_numpy(values.reshape(tuple(int(length) for length in shape)).copy())
