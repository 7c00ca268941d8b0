"""What data there is: for each set its classes, where it comes from, and what it costs to get it."""

from dataclasses import dataclass
from pathlib import Path

from course_lib.errors import CourseError, what_was_meant
from course_lib.generate.grammar import SINGLE_WORDS
from course_lib.generate.nodules import LUNG_SETS
from course_lib.generate.shapes import SETS
from course_lib.generate.spoken import SPOKEN
from course_lib.paths import data_dir

DIGITS = tuple("0123456789")
CIFAR10 = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
COMMANDS = ("down", "go", "left", "no", "off", "on", "right", "stop", "up", "yes", "unknown", "silence")
FASHION = ("T-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot")


@dataclass(frozen=True)
class Entry:
    """What the catalog knows of a data set before anything is loaded."""

    name: str
    title: str
    classes: tuple[str, ...]
    source: str
    license: str
    citation: str
    download_mb: float = 0  # 0: there is nothing to download
    disk_mb: float = 0
    from_path_only: bool = False

    @property
    def place(self) -> Path | None:
        """Where it is kept, without an ending; None for what comes with a package."""
        if self.name in (*SETS, *LUNG_SETS, *SPOKEN):
            return data_dir() / "generated" / self.name
        return None if self.name == "digits" else data_dir() / self.name

    @property
    def command(self) -> str:
        """What to type to get it."""
        return f"course data {self.name}" + (" --from PATH" if self.from_path_only else "")

    @property
    def cost(self) -> str:
        """What that costs."""
        if not self.download_mb:
            return f"from files that you have, {self.disk_mb:g} MB on disk, about a minute"
        minutes = max(1, round(self.download_mb / 60))
        return f"{self.download_mb:g} MB to download, {self.disk_mb:g} MB on disk, about {minutes} min at 1 MB/s"


CATALOG = {
    entry.name: entry
    for entry in (
        Entry(
            "digits",
            "scikit-learn's digits",
            DIGITS,
            "https://archive.ics.uci.edu/dataset/80 (its test set, as shipped with scikit-learn)",
            "CC BY 4.0",
            "Alpaydin & Kaynak 1998, Optical Recognition of Handwritten Digits, doi:10.24432/C50P49",
        ),
        Entry(
            "shapes",
            "Shapes",
            tuple(SETS["shapes"]),
            "drawn by course_lib.generate.shapes",
            "BSD 3-Clause",
            "this course",
        ),
        Entry(
            "other_shapes",
            "Other shapes",
            tuple(SETS["other_shapes"]),
            "drawn by course_lib.generate.shapes",
            "BSD 3-Clause",
            "this course",
        ),
        Entry(
            "lung_patches",
            "Windows of lungs, some with a nodule",
            ("healthy", "nodule"),
            "drawn by course_lib.generate.nodules",
            "BSD 3-Clause",
            "this course",
        ),
        Entry(
            "lung_slices",
            "Slices through chests, most with nodules",
            ("healthy", "nodule"),
            "drawn by course_lib.generate.nodules",
            "BSD 3-Clause",
            "this course",
        ),
        Entry(
            "spoken_commands",
            "Spoken commands and digit strings",
            (),
            "spoken by espeak-ng 1.52 through course_lib.generate.spoken",
            "BSD 3-Clause",
            "this course; espeak-ng, https://github.com/espeak-ng/espeak-ng",
        ),
        Entry(
            "spoken_words",
            "Spoken words",
            SINGLE_WORDS,
            "spoken by espeak-ng 1.52 through course_lib.generate.spoken",
            "BSD 3-Clause",
            "this course; espeak-ng, https://github.com/espeak-ng/espeak-ng",
        ),
        Entry(
            "mnist",
            "MNIST",
            DIGITS,
            "http://yann.lecun.com/exdb/mnist/",
            "CC BY-SA 3.0",
            "LeCun, Bottou, Bengio & Haffner 1998, Gradient-based learning applied to document recognition, "
            "doi:10.1109/5.726791",
            download_mb=11.6,
            disk_mb=55,
        ),
        Entry(
            "mnist_t10k",
            "MNIST's test set alone, split anew",
            DIGITS,
            "http://yann.lecun.com/exdb/mnist/",
            "CC BY-SA 3.0",
            "LeCun, Bottou, Bengio & Haffner 1998, Gradient-based learning applied to document recognition, "
            "doi:10.1109/5.726791",
            download_mb=1.7,
            disk_mb=8,
        ),
        Entry(
            "fashion_mnist",
            "Fashion-MNIST",
            FASHION,
            "https://github.com/zalandoresearch/fashion-mnist",
            "MIT",
            "Xiao, Rasul & Vollgraf 2017, Fashion-MNIST, arXiv:1708.07747",
            download_mb=30.9,
            disk_mb=55,
        ),
        Entry(
            "cifar10",
            "CIFAR-10",
            CIFAR10,
            "https://www.cs.toronto.edu/~kriz/cifar.html",
            "none stated; published for research",
            "Krizhevsky 2009, Learning Multiple Layers of Features from Tiny Images",
            download_mb=170.5,
            disk_mb=185,
        ),
        Entry(
            "cifar10_images",
            "CIFAR-10 as a folder of images",
            CIFAR10,
            "image files train/<class>/* and test/<class>/* made from CIFAR-10; as JPEG they are slightly lossy",
            "none stated; published for research",
            "Krizhevsky 2009, Learning Multiple Layers of Features from Tiny Images",
            disk_mb=170,
            from_path_only=True,
        ),
        Entry(
            "nodule_mnist3d",
            "NoduleMNIST3D",
            ("benign", "malignant"),
            "https://zenodo.org/records/10519652",
            "CC BY 4.0",
            "Yang et al. 2023, MedMNIST v2, doi:10.1038/s41597-022-01721-8; from LIDC-IDRI: Armato et al. 2011, "
            "doi:10.1118/1.3528204",
            download_mb=36,  # at most: so much as its pixels
            disk_mb=36,
        ),
        Entry(
            "pneumonia_mnist",
            "PneumoniaMNIST",
            ("normal", "pneumonia"),
            "https://zenodo.org/records/10519652",
            "CC BY 4.0",
            "Yang et al. 2023, MedMNIST v2, doi:10.1038/s41597-022-01721-8; from Kermany et al. 2018, "
            "doi:10.1016/j.cell.2018.02.010",
            download_mb=4.2,
            disk_mb=5,
        ),
        Entry(
            "fsdd",
            "Free Spoken Digit Dataset",
            DIGITS,
            "https://github.com/Jakobovski/free-spoken-digit-dataset/tree/v1.0.10",
            "CC BY-SA 4.0",
            "Jackson et al. 2018, Free Spoken Digit Dataset, doi:10.5281/zenodo.1342401",
            download_mb=16.4,
            disk_mb=45,
        ),
        Entry(
            "speech_commands",
            "Speech Commands v0.02",
            COMMANDS,
            "https://storage.googleapis.com/download.tensorflow.org/data/speech_commands_v0.02.tar.gz",
            "CC BY 4.0",
            "Warden 2018, Speech Commands: A Dataset for Limited-Vocabulary Speech Recognition, arXiv:1804.03209",
            download_mb=2428.9,
            disk_mb=1500,
        ),
        Entry(
            "librispeech",
            "LibriSpeech, train-clean-5 and dev-clean",
            (),
            "https://www.openslr.org/12/ and https://www.openslr.org/31/",
            "CC BY 4.0",
            "Panayotov, Chen, Povey & Khudanpur 2015, LibriSpeech: an ASR corpus based on public domain audio books, "
            "doi:10.1109/ICASSP.2015.7178964",
            download_mb=671,
            disk_mb=1250,
        ),
        Entry(
            "yesno",
            "yesno",
            (),
            "https://www.openslr.org/1/",
            'none stated; "to test out the Kaldi scripts for free"',
            "Anonymous, yesno, OpenSLR 1, https://www.openslr.org/1/",
            download_mb=4.7,
            disk_mb=12,
        ),
    )
}


def catalog() -> list[Entry]:
    """Every data set that the course knows."""
    return list(CATALOG.values())


def find(name: str) -> Entry:
    """The catalog's entry of that name.

    Raises:
        CourseError: there is none; the message names a similar one, or all.
    """
    if name not in CATALOG:
        raise CourseError(f"There is no data set '{name}'. {what_was_meant(name, CATALOG, kind='data sets')}")
    return CATALOG[name]
