"""PneumoniaMNIST: 5,856 chest X-rays of children, 28x28, gray, normal or with pneumonia.

License: CC BY 4.0.
Citation: Yang et al. 2023, MedMNIST v2, doi:10.1038/s41597-022-01721-8; from Kermany et al. 2018,
doi:10.1016/j.cell.2018.02.010
"""

from pathlib import Path

from data_scripts.fetch import KnownFile
from data_scripts.nodule_mnist3d import Labeled, read_splits

FILE = KnownFile("pneumoniamnist.npz", "md5:28209eda62fecd6e6a2d98b1501bb15f")


def read(source: Path | None, workspace: Path) -> dict[str, Labeled]:
    """The official training, validation and test images; see `data_scripts.nodule_mnist3d.read`.

    Returns:
        For each split the pixels, uint8, shape `(n, 1, 28, 28)`, and the labels, int64, shape `(n,)`.
    """
    return read_splits(FILE, source, workspace, sides=2)
