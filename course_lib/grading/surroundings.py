"""What of this machine a worker gets to see: Python, its packages and course_lib, and none of the instructor's own."""

import os
import sys
from pathlib import Path

import course_lib
from course_lib.paths import checkout

THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS")


def checkouts(search: list[str] | None = None) -> list[Path]:
    """Every folder that this Python would import a course from (or one with these paths); each holds solutions."""
    places = [*sys.path, *(search or []), Path(course_lib.__file__).parents[1]]
    found = [Path(each).resolve() for each in places if each]
    return [path for path in found if (path / "course_lib").is_dir() or (path / "solutions").is_dir()]


def visible_paths(search: list[str]) -> list[Path]:
    """What a worker needs to see of this machine: Python, its packages, the system's libraries, and course_lib.

    Args:
        search: where the process that imports for it finds modules. Not our own `sys.path`: there the instructor's
            current folder may stand, and whatever else our own starter put into it.
    """
    course = Path(course_lib.__file__).resolve().parent
    inside = {checkout(), *checkouts(search)}
    candidates = [sys.prefix, sys.base_prefix, sys.exec_prefix, *search]
    candidates += ["/usr", "/bin", "/lib", "/lib64", "/etc/ld.so.cache", "/etc/alternatives", "/sys/devices/system/cpu"]
    found: list[Path] = [course]
    for path in sorted({Path(each).resolve() for each in candidates if each}):
        holds_the_course = any(folder == path or path in folder.parents for folder in inside)
        if path.exists() and not holds_the_course and not any(seen in (path, *path.parents) for seen in found):
            found.append(path)
    links = [Path(each) for each in ("/bin", "/lib", "/lib64") if Path(each).is_symlink()]
    return [*found, *links]


def environment() -> dict[str, str]:
    """Nothing of the instructor's, but where Python finds the course and matplotlib its fonts."""
    kept = {name: os.environ[name] for name in ("HOME", "SYSTEMROOT", "LD_LIBRARY_PATH") if name in os.environ}
    course = Path(course_lib.__file__).resolve().parents[1]
    return {
        **kept,
        "PATH": "/usr/bin:/bin",
        "LANG": "C.UTF-8",
        "PYTHONPATH": str(course),
        "PYTHONDONTWRITEBYTECODE": "1",
        "MPLBACKEND": "agg",
        "COURSE_CHECKOUT": "/nowhere",
        "COURSE_STATE": "/tmp/state",
        "COURSE_DATA": "/tmp/data",
        **dict.fromkeys(THREADS, "1"),
    }
