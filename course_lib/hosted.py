"""The first code cell of a lesson on Colab and Kaggle: it installs what is missing, and touches nothing that is there.

Colab and Kaggle bring their own torch, built for their own drivers. So whatever is installed is held at its version:
every package becomes a constraint, and only what is missing altogether is asked for.
"""

import importlib
import os
import re
import subprocess
import sys
import tempfile
import tomllib
from importlib import metadata
from pathlib import Path

from course_lib.errors import CourseError
from course_lib.paths import checkout

DRIVE = Path("/content/drive")


def set_up(lesson: str, *, use_drive: bool = False) -> None:
    """Make a hosted notebook ready for a lesson. A second call finds nothing left to do.

    Args:
        lesson: the lesson's name, such as "sound".
        use_drive: on Colab, keep progress, reports and checkpoints on the learner's Google Drive, so that they
            outlive the runtime.

    Raises:
        CourseError: something that is missing can't be installed; the message says what pip said.
    """
    missing = missing_packages(lesson)
    if missing:
        _install(missing)
    if not _is_installed("seeing-and-hearing"):  # for `!course check`
        _pip(["--no-deps", "--editable", str(checkout())])
    os.environ["PYTHONPATH"] = str(checkout())  # for processes that the course starts: they see no sys.path of a kernel
    importlib.invalidate_caches()
    if "google.colab" in sys.modules:
        from google.colab import output

        output.enable_custom_widget_manager()
        if use_drive:
            keep_on_drive()


def missing_packages(lesson: str) -> list[str]:
    """The requirements of a lesson, as pip reads them, of which no version at all is installed."""
    settings = tomllib.loads((checkout() / "pyproject.toml").read_text(encoding="utf-8"))
    requirements = list(settings["project"]["dependencies"])
    for extra, lessons in settings["tool"]["course"].get("extras", {}).items():
        if lesson in lessons:
            requirements += settings["project"]["optional-dependencies"][extra]
    return [each for each in requirements if not _is_installed(re.match(r"[\w.-]+", each)[0])]


def keep_on_drive() -> Path:
    """Mount Google Drive, and keep there what must outlive the runtime; the folder is returned."""
    from google.colab import drive

    drive.mount(str(DRIVE))
    folder = DRIVE / "MyDrive" / checkout().name
    folder.mkdir(parents=True, exist_ok=True)
    os.environ["COURSE_STATE"] = str(folder)
    print(f"Progress and checkpoints are kept on your Drive, in {folder.name}/.")
    return folder


def installed_versions() -> list[str]:
    """Every installed package at its version, one constraint each."""
    found = {each.name: each.version for each in metadata.distributions() if each.name and each.version}
    return sorted(f"{name}=={version}" for name, version in found.items() if re.match(r"\d", version))


def _is_installed(name: str) -> bool:
    try:
        metadata.version(name)
    except metadata.PackageNotFoundError:
        return False
    return True


def _install(requirements: list[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        constraints = Path(folder) / "installed.txt"
        constraints.write_text("\n".join(installed_versions()) + "\n", encoding="utf-8")
        _pip(["--constraint", str(constraints), *requirements])


def _pip(arguments: list[str]) -> None:
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *arguments]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        said = "\n".join((done.stderr or done.stdout).strip().splitlines()[-8:])
        raise CourseError(
            f"pip could not install {' '.join(arguments[2:] or arguments)} beside what is here; nothing was changed. "
            f"On Kaggle, switch Internet on in the notebook's settings; else restart the runtime, run this cell "
            f"again, and if that does not help, report this:\n{said}"
        )
