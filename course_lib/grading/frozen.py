"""An edition frozen for the term: whatever is mended meanwhile, everybody is graded by the same checks."""

import hashlib
import json
import os
from pathlib import Path

from course_lib import __version__
from course_lib.errors import CourseError
from course_lib.paths import checkout, write_atomically

PARTS = ("lessons/*.py", "solutions/*.py", "tests/exercises/*.py")
MANIFEST = "edition.json"


def use_edition(folder: Path) -> str:
    """Grade by the edition in this folder; the first time, freeze this checkout's there.

    Returns:
        What was done, for the instructor.

    Raises:
        CourseError: the frozen edition was changed, or the folder holds something else.
    """
    manifest = folder / MANIFEST
    if not folder.exists() or not any(folder.iterdir()):
        freeze(folder)
        done = f"This edition is frozen in {folder} now."
    elif not manifest.exists():
        raise CourseError(f"{folder} holds no frozen edition, and it is not empty: name a new folder to freeze one.")
    else:
        done = f"Graded by the edition that is frozen in {folder}."
    known = json.loads(manifest.read_text(encoding="utf-8"))
    if known["files"] != _fingerprints(folder):
        raise CourseError(f"The edition in {folder} was changed since it was frozen: restore it, or freeze a new one.")
    if known["version"] != __version__:
        done += f" It was frozen with version {known['version']} of the library; this is {__version__}."
    os.environ["COURSE_CHECKOUT"] = str(folder.resolve())
    return done


def freeze(folder: Path) -> None:
    """Copy what decides a grade, and note what it was."""
    for pattern in PARTS:
        for path in checkout().glob(pattern):
            write_atomically(folder / path.relative_to(checkout()), path.read_bytes())
    content = {"version": __version__, "files": _fingerprints(folder)}
    write_atomically(folder / MANIFEST, json.dumps(content, indent=1) + "\n")


def _fingerprints(folder: Path) -> dict[str, str]:
    paths = [path for pattern in PARTS for path in folder.glob(pattern)]
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(paths)
    }
