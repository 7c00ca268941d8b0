"""Wheels, data and notebooks in one folder, for a room without a network.

    make bundle                               into bundle/, for this kind of machine and this Python
    make bundle ARGS="--out /media/stick"     onto a stick

Made on a machine with a network, for machines with the same system and the same Python. There, without a network:

    python3 install.py

makes `course/.venv` from the wheels, after holding every file to the hash that was taken here. Then, in `course/`:
`.venv/bin/course preflight` and `.venv/bin/course lab`.
"""

import argparse
import hashlib
import json
import platform
import shutil
import subprocess
import sys
from pathlib import Path

from course_lib import paths
from course_lib.catalog import CATALOG
from course_lib.datasets import available, load
from course_lib.errors import CourseError

EXTRAS = "lab,speech,deploy"
INSTALL = '''\
"""Install the course from this folder, without a network. It needs nothing but Python: python3 install.py"""

import hashlib
import json
import os
import platform
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent


def main():
    about = json.loads((HERE / "bundle.json").read_text(encoding="utf-8"))
    here = [platform.system(), platform.machine(), "%d.%d" % sys.version_info[:2]]
    if about["made_for"] != here:
        sys.exit("This bundle is for %s, and this is %s. Fix: take the Python that it is for, or make another bundle."
                 % (" ".join(about["made_for"]), " ".join(here)))
    for name, expected in about["sha256"].items():
        path = HERE / name
        if not path.exists() or hashlib.sha256(path.read_bytes()).hexdigest() != expected:
            sys.exit("%s is missing or damaged. Fix: copy the bundle again." % name)
    venv = HERE / "course" / ".venv"
    subprocess.run([sys.executable, "-m", "venv", str(venv)], check=True)
    python = venv / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    subprocess.run([str(python), "-m", "pip", "install", "--no-index", "--find-links", str(HERE / "wheels"),
                    "--disable-pip-version-check", "--constraint", str(HERE / "course" / "constraints.txt"),
                    "--editable", "%s[%s]" % (HERE / "course", about["extras"])], check=True)
    print("Installed. In %s: .venv/bin/course preflight, then .venv/bin/course lab" % (HERE / "course"))


if __name__ == "__main__":
    main()
'''


def main() -> int:
    parser = argparse.ArgumentParser(
        description="Wheels, data and notebooks in one folder, for a room without a network."
    )
    parser.add_argument(
        "--out", type=Path, default=paths.checkout() / "bundle", help="the folder; it must not exist yet"
    )
    options = parser.parse_args()
    try:
        pack(options.out)
    except CourseError as error:
        print(f"bundle: {error}", file=sys.stderr)
        return 1
    return 0


def pack(folder: Path) -> None:
    """Make the bundle.

    Args:
        folder: where; it must not exist yet.

    Raises:
        CourseError: there is something already, or a part can't be had.
    """
    if folder.exists():
        raise CourseError(f"{folder} exists already. Delete it, or give another: --out FOLDER.")
    print("Copying what git knows of the course.", flush=True)
    copy_course(folder / "course")
    print("Making the data that lessons make on first use.", flush=True)
    copy_data(folder / "course" / "data")
    print("Fetching wheels: 3 GB where PyTorch comes with CUDA.", flush=True)
    fetch_wheels(folder / "wheels")
    paths.write_atomically(folder / "install.py", INSTALL)
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    about = {
        "made_for": [platform.system(), platform.machine(), f"{sys.version_info[0]}.{sys.version_info[1]}"],
        "extras": EXTRAS,
        "sha256": {path.relative_to(folder).as_posix(): digest(path) for path in files},
    }
    paths.write_atomically(folder / "bundle.json", json.dumps(about, indent=1) + "\n")
    size = sum(path.stat().st_size for path in files) / 1e9
    print(f"{folder}: {len(files)} files, {size:.1f} GB. There, without a network: python3 install.py")


def copy_course(folder: Path) -> None:
    """The files that git knows, as they stand now."""
    listed = run(["git", "-C", str(paths.checkout()), "ls-files", "-z"])
    for name in filter(None, listed.split("\0")):
        source = paths.checkout() / name
        if source.is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, folder / name)


def copy_data(folder: Path) -> None:
    """Every data set that is here or can be made here."""
    for name, entry in CATALOG.items():
        if available(name):
            load(name)
            for path in entry.place.parent.glob(f"{entry.place.name}.*") if entry.place else ():
                target = folder / path.relative_to(paths.data_dir())
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(path, target)


def fetch_wheels(folder: Path) -> None:
    """What pip would install, and what it builds the course with."""
    checkout = paths.checkout()
    fetch = [sys.executable, "-m", "pip", "wheel", "--quiet", "--disable-pip-version-check", "--wheel-dir", str(folder)]
    run([*fetch, "--constraint", str(checkout / "constraints.txt"), f"{checkout}[{EXTRAS}]", "flit_core>=3.11,<5"])
    for own in folder.glob("seeing_and_hearing-*.whl"):
        own.unlink()  # it is installed from its folder, where notebooks and data are


def run(command: list[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise CourseError(f"`{' '.join(command[:4])} ...` failed: {done.stderr.strip()[-600:]}")
    return done.stdout


def digest(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


if __name__ == "__main__":
    sys.exit(main())
