"""Fashion-MNIST: 70,000 pictures of clothes, 28x28, gray.

License: MIT.
Citation: Xiao, Rasul & Vollgraf 2017, Fashion-MNIST, arXiv:1708.07747
"""

from pathlib import Path

from data_scripts.fetch import KnownFile
from data_scripts.mnist import Labeled, read_idx_pairs

MIRRORS = [
    "https://github.com/zalandoresearch/fashion-mnist/raw/master/data/fashion/",
    "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
]
TRAIN = (
    KnownFile("train-images-idx3-ubyte.gz", "sha256:3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84"),
    KnownFile("train-labels-idx1-ubyte.gz", "sha256:a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845"),
)
TEST = (
    KnownFile("t10k-images-idx3-ubyte.gz", "sha256:346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073"),
    KnownFile("t10k-labels-idx1-ubyte.gz", "sha256:67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5"),
)


def read(source: Path | None, workspace: Path) -> dict[str, Labeled]:
    """The official training and test images; see `data_scripts.mnist.read`."""
    return read_idx_pairs({"train": TRAIN, "test": TEST}, source, workspace, mirrors=MIRRORS)
