"""The Free Spoken Digit Dataset: six people say each digit fifty times; 8 kHz, here brought to 16 kHz.

License: CC BY-SA 4.0.
Citation: Jackson et al. 2018, Free Spoken Digit Dataset, doi:10.5281/zenodo.1342401

The archive is the commit of v1.0.10. GitHub packs it anew for each download and promises no hash, so none stands here:
what was fetched is held to its 3,000 file names, and its hash is noted on the card. A copy may have fewer speakers.

Splits: recordings 0 to 4 of each speaker and digit are the official test set, 5 to 9 are "validation" here. All
speakers are thus in all splits. To leave one out: `course_lib.recordings.join` and `split_off_speakers`.
"""

import re
from pathlib import Path

import torch

from course_lib.errors import CourseError
from course_lib.generate.grammar import DIGIT_WORDS
from course_lib.recordings import Recordings, record
from data_scripts.fetch import KnownFile
from data_scripts.sounds import find, read_all, unpacked

COMMIT = "d6938f9bf1545aa66d8489fc9f1385a7abd64282"
MIRRORS = ["https://github.com/Jakobovski/free-spoken-digit-dataset/archive/"]
ARCHIVE = KnownFile(f"{COMMIT}.zip", None)
NUM_FILES = 3_000
LONGEST = 5.0  # seconds


def read(source: Path | None, workspace: Path) -> dict[str, Recordings]:
    """The recordings, by their official split.

    Args:
        source: the archive, or a folder that holds `<digit>_<speaker>_<number>.wav`; None downloads it.
        workspace: a folder for what is downloaded or unpacked.
    """
    folder = unpacked(source, [ARCHIVE], mirrors=MIRRORS, workspace=workspace)
    files = find(folder, "*.wav", _parse, what="files like 7_jackson_32.wav")
    if source is None and len(files) != NUM_FILES:
        raise CourseError(f"The archive holds {len(files):,} recordings instead of {NUM_FILES:,}. Try again later.")
    parts = {path: _part(number) for path, (_, _, number) in files.items()}
    return {
        part: _split([path for path in files if parts[path] == part], files) for part in sorted(set(parts.values()))
    }


def _parse(path: Path) -> tuple[int, str, int] | None:
    """Digit, speaker and number."""
    match = re.fullmatch(r"(\d)_([a-z]+)_(\d+)\.wav", path.name)
    return (int(match[1]), match[2], int(match[3])) if match else None


def _part(number: int) -> str:
    return "test" if number < 5 else "validation" if number < 10 else "train"


def _split(paths: list[Path], files: dict[Path, tuple]) -> Recordings:
    return record(
        read_all(paths, max_seconds=LONGEST),
        texts=[DIGIT_WORDS[files[path][0]] for path in paths],
        speakers=[files[path][1] for path in paths],
        labels=torch.tensor([files[path][0] for path in paths]),
    )
