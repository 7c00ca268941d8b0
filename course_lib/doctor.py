"""`course doctor`: what this machine has, and what is wrong with its fix; meant to be pasted into a bug report."""

import importlib
import os
import platform
import re
import shutil
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import psutil

from course_lib import __version__
from course_lib.errors import CourseError
from course_lib.paths import checkout, data_dir, lessons, state_dir, workbook_dir

OLDEST_PYTHON, NEWEST_PYTHON = (3, 11), (3, 14)
OLDEST_TORCH, NEWEST_TORCH = (2, 10), (2, 15)  # as in pyproject.toml: a test keeps them equal
SET_UP_AGAIN = "python3 scripts/setup.py --fresh"


@dataclass(frozen=True)
class Finding:
    """One line of the report. A finding with a fix is wrong, unless it is only a note."""

    topic: str
    text: str
    fix: str | None = None
    is_note: bool = False

    def __str__(self) -> str:
        mark = "ok   " if self.fix is None else "note " if self.is_note else "WRONG"
        fix = "" if self.fix is None else f"\n{'':21}Fix: {self.fix}"
        return f"{mark} {self.topic:14} {self.text}{fix}"


def doctor() -> int:
    """Print the report.

    Returns:
        0 when the course can run here, 1 when something is wrong.
    """
    print(f"Software 2.0: Seeing and Hearing {__version__}\n")
    wrong = 0
    for look in LOOKS:
        for finding in _safely(look):
            print(without_home(str(finding)), flush=True)
            wrong += finding.fix is not None and not finding.is_note
    print("\nAll is well." if not wrong else f"\nWrong: {wrong}. What stands after `Fix:` should mend it.")
    return 1 if wrong else 0


def without_home(text: str) -> str:
    """The text with the home folder, which tells a person's name, shown as ~."""
    return re.sub(re.escape(str(Path.home())) + r"(?![\w.-])", "~", text)


def look_at_python() -> Iterable[Finding]:
    is_supported = OLDEST_PYTHON <= sys.version_info[:2] <= NEWEST_PYTHON
    fix = None if is_supported else f"install Python 3.11 to 3.14, then: {SET_UP_AGAIN}"
    yield Finding("Python", f"{platform.python_version()} in {sys.prefix}", fix)
    yield Finding("System", f"{platform.system()} {platform.release()} {platform.machine()}")
    yield Finding("Course", f"{checkout()}")


def look_at_torch() -> Iterable[Finding]:
    torch = yield from _import("torch", fix=SET_UP_AGAIN)
    if torch is None:
        return
    number = tuple(int(part) for part in torch.__version__.split(".")[:2])
    if not OLDEST_TORCH <= number <= NEWEST_TORCH:
        yield Finding("torch", "the course supports 2.10 to 2.15", SET_UP_AGAIN)
    same_index = f"take torch and torchvision from one index in versions that belong together: {SET_UP_AGAIN}"
    yield from _import("torchvision", fix=same_index)
    yield from _import("torchaudio", fix=f"the lessons about sound compare with it: {SET_UP_AGAIN}", is_note=True)
    yield from look_at_device()


def look_at_device() -> Iterable[Finding]:
    import torch

    from course_lib.device import best_device, describe_device, usable_cores

    yield Finding("Device", describe_device())
    device = best_device()
    try:
        is_right = torch.ones(8, 8, device=device).mm(torch.ones(8, 8, device=device)).sum().item() == 512
        if not is_right:
            yield Finding("Device", f"{device} multiplies wrongly", "update its driver, or set CUDA_VISIBLE_DEVICES=")
    except RuntimeError as error:
        problem = str(error).splitlines()[0]
        yield Finding("Device", f"{device}: {problem}", "update its driver, or set CUDA_VISIBLE_DEVICES= to do without")
    threads, cores = torch.get_num_threads(), usable_cores()
    setting = f"OMP_NUM_THREADS={os.environ.get('OMP_NUM_THREADS', 'not set')}"
    fix = f"export OMP_NUM_THREADS={cores}" if threads > cores else None
    yield Finding("Threads", f"torch uses {threads} of {cores} cores ({os.cpu_count()} in all), {setting}", fix)


def look_at_space() -> Iterable[Finding]:
    memory = psutil.virtual_memory()
    fix = "close other programs and kernels" if memory.available < 1.5e9 else None
    text = f"{memory.total / 1e9:.1f} GB, {memory.available / 1e9:.1f} available"
    yield Finding("Memory", text, fix, is_note=True)
    free = shutil.disk_usage(checkout()).free
    yield Finding("Disk", f"{free / 1e9:.1f} GB free", "free some space" if free < 1e9 else None)


def look_at_jupyter() -> Iterable[Finding]:
    hosted = any(name in os.environ for name in ("COLAB_RELEASE_TAG", "KAGGLE_KERNEL_RUN_TYPE"))
    for package, is_needed in [("jupyterlab", not hosted), ("ipywidgets", True), ("ipykernel", True)]:
        try:
            yield Finding(package, version(package))
        except PackageNotFoundError:
            yield Finding(package, "not installed", "pip install -e '.[lab]'" if is_needed else None)


def look_at_lessons() -> Iterable[Finding]:
    found = lessons()
    names = ", ".join(lesson.stem for lesson in found)
    yield Finding("Lessons", names or "none", None if found else "clone the whole repository, and run `course` from it")
    for lesson in found:
        if not lesson.notebook.exists():
            fix = f"git checkout notebooks, or: course build {lesson.name}"
            yield Finding("Notebook", f"{lesson.notebook.name} is missing", fix)
    copies = sorted(path.name for path in workbook_dir().glob("*.ipynb"))
    yield Finding("Workbook", f"{workbook_dir()}: {', '.join(copies) or 'empty until the first `course lab`'}")
    for topic, folder in [("Workbook", workbook_dir()), ("Progress", state_dir())]:
        existing = next(parent for parent in [folder, *folder.parents] if parent.exists())
        if not os.access(existing, os.W_OK):
            yield Finding(topic, f"{folder} can't be written to", f"sudo chown -R $USER {existing}")


def look_at_progress() -> Iterable[Finding]:
    from course_lib.exercises.progress import load

    progress = load()
    solved = sum(entry.get("state") == "right" for exercises in progress.values() for entry in exercises.values())
    yield Finding("Progress", f"{solved} solved, kept in {state_dir()}")


def look_at_data() -> Iterable[Finding]:
    folder = data_dir()
    names = sorted(path.name for path in folder.iterdir() if not path.name.startswith(".")) if folder.is_dir() else []
    yield Finding("Data", f"{folder}: {', '.join(names) or 'nothing, and nothing is needed'}")


def look_at_tools() -> Iterable[Finding]:
    tools = ["git", "make", "chromium", "nvidia-smi"]
    yield Finding("Tools", ", ".join(f"{tool}: {'yes' if shutil.which(tool) else 'no'}" for tool in tools))


LOOKS: list[Callable[[], Iterable[Finding]]] = [
    look_at_python,
    look_at_torch,
    look_at_space,
    look_at_jupyter,
    look_at_lessons,
    look_at_progress,
    look_at_data,
    look_at_tools,
]


def _import(name: str, *, fix: str, is_note: bool = False):
    """Import a package, say its version, and return it; None where it can't be imported."""
    try:
        package = importlib.import_module(name)
    except (ImportError, OSError, RuntimeError) as error:  # the three ways in which a mismatched torch says no
        yield Finding(name, f"can't be imported: {(str(error).splitlines() or [repr(error)])[0]}", fix, is_note)
        return None
    yield Finding(name, package.__version__)
    return package


def _safely(look: Callable[[], Iterable[Finding]]) -> Iterable[Finding]:
    """One look that fails must not hide what the others find."""
    topic = look.__name__.removeprefix("look_at_").capitalize()
    try:
        yield from look()
    except CourseError as error:
        yield Finding(topic, "can't be read", str(error))
    except ImportError as error:
        yield Finding(topic, f"can't be looked at: {error}", SET_UP_AGAIN)
    except Exception as error:
        yield Finding(topic, f"{type(error).__name__}: {error}", "please report this line as a bug")
