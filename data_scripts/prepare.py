"""`course data`: list what there is, or fetch, verify and convert one data set, so that `load` finds it."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pooch
from filelock import FileLock, Timeout
from torch import Tensor

from course_lib import datasets, storage
from course_lib.catalog import Entry, catalog, find
from course_lib.errors import CourseError
from course_lib.paths import data_dir
from course_lib.recordings import Recordings
from data_scripts import (
    cifar10,
    fashion_mnist,
    fsdd,
    librispeech,
    mnist,
    nodule_mnist3d,
    pneumonia_mnist,
    speech_commands,
    yesno,
)
from data_scripts.fetch import OUT_OF_SPACE

Splits = dict[str, tuple[Tensor, Tensor]] | dict[str, Recordings]
READERS: dict[str, Callable[[Path | None, Path], Splits]] = {
    "mnist": mnist.read,
    "mnist_t10k": mnist.read_test_set,
    "fashion_mnist": fashion_mnist.read,
    "cifar10": cifar10.read,
    "cifar10_images": cifar10.read_images,
    "nodule_mnist3d": nodule_mnist3d.read,
    "pneumonia_mnist": pneumonia_mnist.read,
    "fsdd": fsdd.read,
    "speech_commands": speech_commands.read,
    "librispeech": librispeech.read,
    "yesno": yesno.read,
}


def prepare(name: str | None = None, *, source: str | Path | None = None) -> int:
    """Prepare a data set under `COURSE_DATA`; where none is named, list them all.

    Args:
        name: as in the catalog.
        source: an archive or a folder that is here already, instead of a download.

    Returns:
        0, the exit status.

    Raises:
        CourseError: it could not be prepared. Then nothing is taken for prepared, and files that were downloaded whole
            are kept for the next time.
    """
    if name is None:
        _list()
        return 0
    entry, source = find(name), None if source is None else Path(source).expanduser()
    _hold_to_what_is_possible(entry, source)
    try:
        if not datasets.available(name):
            data_dir().mkdir(parents=True, exist_ok=True)
            with _alone(FileLock(f"{entry.place}.lock")):
                if not datasets.available(name):  # it may have been prepared while we waited
                    _prepare(entry, source)
    except PermissionError as error:
        raise CourseError(
            f"{error.filename} can't be read or written. Set COURSE_DATA to a folder of your own."
        ) from error
    print(f"{datasets.load(name)}\nReady in {data_dir()}.")
    return 0


@contextmanager
def _alone(lock: FileLock) -> Iterator[None]:
    """Inside, no other process prepares the same; a second one waits here, and then finds the work done."""
    try:
        lock.acquire(timeout=0)
    except Timeout:
        print("Another process is preparing it. Waiting.", flush=True)
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def _list() -> None:
    for entry in catalog():
        if datasets.available(entry.name):
            state = "ready"
        else:
            state = f"{entry.command} ({entry.cost}; license: {entry.license})"
        print(f"{entry.name:15} {entry.title}: {state}")


def _hold_to_what_is_possible(entry: Entry, source: Path | None) -> None:
    if entry.name not in READERS:
        raise CourseError(f"{entry.name} needs no preparation: load('{entry.name}') makes it.")
    if source is None and entry.from_path_only:
        raise CourseError(
            f"{entry.name} can't be downloaded: {entry.command}, with the folder or archive that you have."
        )
    if source is not None and not source.exists():
        raise CourseError(f"There is nothing at {source}. Give the path of a folder or an archive.")


def _prepare(entry: Entry, source: Path | None) -> None:
    workspace = data_dir() / "downloads" / entry.name
    needed = (entry.download_mb + 3 * entry.disk_mb) * 1e6  # the download, unpacked, prepared
    free = shutil.disk_usage(data_dir()).free
    if free < needed:
        raise CourseError(
            f"{entry.title} needs {needed / 1e6:.0f} MB while it is prepared, but {data_dir()} has {free / 1e6:.0f} MB "
            "left. Free some space, or set COURSE_DATA to another disk."
        )
    shutil.rmtree(workspace / "unpacked", ignore_errors=True)  # of a run that was killed
    try:
        splits = READERS[entry.name](source, workspace)
    finally:
        shutil.rmtree(workspace / "unpacked", ignore_errors=True)
    tensors = datasets.as_tensors(splits if "validation" in splits else _with_validation(splits))
    about = {**datasets.facts(entry, tensors), "downloaded": _hashes(workspace)}
    try:
        storage.store(entry.place, tensors, about)
    except OSError as error:
        if error.errno not in OUT_OF_SPACE:
            raise
        raise CourseError(f"No space left for {entry.title} in {data_dir()}. Free some, or set COURSE_DATA.") from error
    shutil.rmtree(workspace, ignore_errors=True)


def _with_validation(splits: Splits) -> Splits:
    """A tenth of the training images set apart."""
    pixels, labels = splits["train"]
    kept, held = datasets.hold_out(labels, count=len(labels) // 10)
    return {
        "train": (pixels[kept], labels[kept]),
        "validation": (pixels[held], labels[held]),
        "test": splits["test"],
    }


def _hashes(workspace: Path) -> dict[str, str]:
    """What was downloaded, by name and hash, for the card."""
    files = sorted(path for path in workspace.glob("*") if path.is_file())
    return {path.name: "sha256:" + pooch.file_hash(str(path), alg="sha256") for path in files}
