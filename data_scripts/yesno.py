"""yesno: one man says "yes" or "no" eight times in each of sixty recordings; 8 kHz, here brought to 16 kHz.

License: none stated; "to test out the Kaldi scripts for free".
Citation: Anonymous, yesno, OpenSLR 1, https://www.openslr.org/1/

The hash is the one that torchaudio 2.11 knows. There is one speaker, so the splits can't be by speaker: a third of the
recordings is drawn for "test" and "validation". Words are stored as "yes" and "no"; OpenSLR says that they are Hebrew.
"""

import re
from pathlib import Path

import numpy as np

from course_lib.recordings import Recordings, record
from data_scripts.fetch import KnownFile
from data_scripts.sounds import find, read_all, unpacked

MIRRORS = ["https://www.openslr.org/resources/1/", "https://openslr.trmal.net/resources/1/"]
ARCHIVE = KnownFile("waves_yesno.tar.gz", "sha256:c3f49e0cca421f96b75b41640749167b52118f232498667ca7a5f9416aef8e73")
WORDS = {"0": "no", "1": "yes"}
LONGEST = 20.0  # seconds


def read(source: Path | None, workspace: Path) -> dict[str, Recordings]:
    """The recordings: of sixty, 40 for "train", 8 for "validation" and 12 for "test".

    Args:
        source: the archive, or a folder that holds files like 0_1_1_0_0_1_1_0.wav; None downloads it.
        workspace: a folder for what is downloaded or unpacked.
    """
    folder = unpacked(source, [ARCHIVE], mirrors=MIRRORS, workspace=workspace)
    files = find(folder, "*.wav", _parse, what="files like 0_1_1_0_0_1_1_0.wav")
    shuffled = [list(files)[number] for number in np.random.RandomState(0).permutation(len(files))]
    num_test, num_validation = len(files) // 5, len(files) * 2 // 15
    rest = shuffled[num_test + num_validation :]
    parts = {"train": rest, "validation": shuffled[num_test:][:num_validation], "test": shuffled[:num_test]}
    return {part: _split(sorted(paths), files) for part, paths in parts.items()}


def _parse(path: Path) -> tuple[str, ...] | None:
    """The eight words."""
    return tuple(WORDS[each] for each in path.stem.split("_")) if re.fullmatch(r"[01](_[01]){7}", path.stem) else None


def _split(paths: list[Path], files: dict[Path, tuple]) -> Recordings:
    clips = read_all(paths, max_seconds=LONGEST)
    return record(clips, texts=[" ".join(files[path]) for path in paths], speakers=["anonymous"] * len(paths))
