"""What the scripts for corpora of sounds share: the folder, the files in it, and splits by speaker."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from tqdm.auto import tqdm

from course_lib.errors import CourseError
from course_lib.sound_files import decode
from data_scripts.fetch import KnownFile, collect, download, unpack

SHARES = {"test": 0.2, "validation": 0.15}  # of the speakers, where the corpus has no split of its own


def unpacked(source: Path | None, archives: Sequence[KnownFile], *, mirrors: list[str], workspace: Path) -> Path:
    """The folder with a corpus in it.

    Args:
        source: an archive or a folder, or a folder with the published archives; None downloads these. What has the
            name of a published archive must be that archive, byte for byte.
        archives: as published.
        mirrors: where to download from.
        workspace: a folder for what is downloaded or unpacked.
    """
    if source is not None and source.is_dir() and not any(any(source.rglob(each.name)) for each in archives):
        return source
    if source is not None and source.is_file():
        known = [each for each in archives if each.name == source.name]
        paths = collect(known, source=source) if known else {source.name: source}
    elif source is not None:
        paths = collect([each for each in archives if any(source.rglob(each.name))], source=source)
    else:
        paths = download(archives, mirrors=mirrors, folder=workspace)
    for number, path in enumerate(paths.values()):
        unpack(path, workspace / "unpacked" / str(number))
    return workspace / "unpacked"


def find(folder: Path, pattern: str, parse: Callable[[Path], tuple | None], *, what: str) -> dict[Path, tuple]:
    """The sound files of a corpus, in order of their names, each with what its name says.

    Args:
        folder: it and all folders in it are searched.
        pattern: of the file names, such as "*.wav".
        parse: what a path says; None if it is no file of this corpus.
        what: such a file, in words, for the error if there is none.
    """
    said = {path: parse(path) for path in sorted(folder.rglob(pattern)) if not path.name.startswith(".")}
    found = {path: each for path, each in said.items() if each is not None}
    if not found:
        raise CourseError(f"{folder} holds no {what}. Give the folder of the corpus, or its archive.")
    return found


def read_all(paths: Sequence[Path], *, max_seconds: float, length: int | None = None) -> list[np.ndarray]:
    """The recordings at 16 kHz, int16; where a length is given, cut or followed by silence."""
    clips = []
    for path in tqdm(paths, desc="reading", unit=" files"):
        clip = (decode(path, max_seconds=max_seconds) * 32768).round().clamp(-32768, 32767).short().numpy()
        if length is not None:
            clip = np.pad(clip[:length], (0, max(0, length - len(clip))))
        clips.append(clip)
    return clips


def split_speakers(speakers: Sequence[str], *, seed: int = 0) -> dict[str, set[str]]:
    """Everybody into one of "train", "validation" and "test", the same on every machine.

    Raises:
        CourseError: there are fewer than three.
    """
    people = sorted(set(speakers))
    if len(people) < 3:
        raise CourseError(f"There are recordings of {len(people)} speakers, and three splits need at least three.")
    order = [people[number] for number in np.random.RandomState(seed).permutation(len(people))]
    splits, start = {}, 0
    for part, share in SHARES.items():
        stop = start + max(1, round(share * len(people)))
        splits[part], start = set(order[start:stop]), stop
    return {"train": set(order[start:]), **splits}
