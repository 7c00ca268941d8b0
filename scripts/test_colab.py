"""Run the notebooks as Colab would: with Colab's versions of everything, through their own set-up cells.

    make test-colab                    every set-up cell, twice, and three whole lessons
    make test-colab TORCH=2.10.0       the same with another torch; TORCH=newest takes the newest that there is
    make test-colab ARGS="--lessons sound"

What `scripts/colab_packages.txt` lists goes into `.venv-colab`, once; each run begins by taking out again what set-up
cells have added since. A stand-in for the module google.colab tells the cells that they are on Colab. They clone this
checkout, at its last commit, instead of the published repository, and install what is missing from the package index.
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

from course_lib import paths
from course_lib.authoring.notebook_rules import is_checked
from course_lib.authoring.outputs import normalize_outputs
from course_lib.authoring.sources import repository

PACKAGES = paths.checkout() / "scripts" / "colab_packages.txt"
WHOLE = ("software_2", "training", "sound")
HELD = ("torch", "torchvision", "torchaudio", "numpy", "ipywidgets", "ipython")
CELL_SECONDS = 1200
STAND_IN = {
    "google/colab/__init__.py": "from google.colab import drive, output\n",
    "google/colab/output.py": "def enable_custom_widget_manager():\n    pass\n",
    "google/colab/drive.py": "def mount(place):\n    raise RuntimeError('nobody asked for Drive')\n",
    "sitecustomize.py": "import google.colab\n",
}
TWICE = """\
import json, sys
cell = json.load(sys.stdin)
exec(cell, {})
exec(cell, {})
import course_lib
print(course_lib.__file__)
"""


class Colab:
    """An environment with Colab's versions, and a folder that stands for `/content`."""

    def __init__(self, folder: Path, content: Path):
        self.python = python_in(folder)
        self.content = content
        for name, text in STAND_IN.items():
            paths.write_atomically(content / "stand_in" / name, text)
        self.environment = os.environ | {
            "GIT_CONFIG_COUNT": "1",
            "GIT_CONFIG_KEY_0": f"url.{paths.checkout().as_uri()}.insteadOf",
            "GIT_CONFIG_VALUE_0": repository(),
            "OMP_NUM_THREADS": "1",
            "PYDEVD_DISABLE_FILE_VALIDATION": "1",
            "PYTHONPATH": str(content / "stand_in"),
            "TQDM_DISABLE": "1",
        }
        for name in ("COURSE_CHECKOUT", "COURSE_DATA", "COURSE_STATE", "COURSE_WORKBOOK", "VIRTUAL_ENV"):
            self.environment.pop(name, None)

    def versions(self) -> dict[str, str]:
        """Every installed package."""
        done = self.run(["-m", "pip", "list", "--format=json", "--disable-pip-version-check"])
        return {each["name"].lower(): each["version"] for each in json.loads(done.stdout)}

    def run(self, arguments: list[str], **options) -> subprocess.CompletedProcess:
        command = [str(self.python), *arguments]
        done = subprocess.run(
            command, env=self.environment, cwd=self.content, capture_output=True, text=True, **options
        )
        if done.returncode:
            raise Trouble(f"{' '.join(arguments)[:80]}\n{done.stdout[-1500:]}{done.stderr[-3000:]}")
        return done

    def set_up(self, notebook: nbformat.NotebookNode) -> None:
        """The set-up cell, twice, in a fresh process; the course must then come from the clone."""
        done = self.run(["-c", TWICE], input=json.dumps(self.set_up_cell(notebook)), timeout=1800)
        if str(self.content) not in done.stdout.splitlines()[-1]:
            raise Trouble(f"course_lib comes from {done.stdout.strip()}, not from the clone.")

    def set_up_cell(self, notebook: nbformat.NotebookNode) -> str:
        (cell,) = [each for each in notebook.cells[:2] if each.cell_type == "code"]
        if "/content/" not in cell.source:
            raise Trouble("The first code cell is not the set-up cell.")
        return cell.source.replace("/content/", f"{self.content}/")

    def run_whole(self, notebook: nbformat.NotebookNode) -> None:
        """The whole lesson in a kernel of this environment; what it claims must come out as it stands on the page."""
        claims = [_texts(cell) for cell in notebook.cells if is_checked(cell)]
        notebook.cells[1].source = self.set_up_cell(notebook)
        kernels = self.content / "jupyter" / "kernels" / "colab"
        spec = {
            "argv": [str(self.python), "-m", "ipykernel_launcher", "-f", "{connection_file}"],
            "display_name": "Colab",
        }
        paths.write_atomically(kernels / "kernel.json", json.dumps(spec | {"language": "python"}))
        os.environ["JUPYTER_PATH"] = str(self.content / "jupyter")
        where = {"metadata": {"path": str(self.content)}}
        client = NotebookClient(notebook, timeout=CELL_SECONDS, kernel_name="colab", resources=where)
        try:
            client.execute(env=self.environment)
        except CellExecutionError as error:
            raise Trouble(re.sub(r"\x1b\[[0-9;]*m", "", str(error))[-3000:]) from None
        normalize_outputs(notebook)
        for page, now in zip(claims, [_texts(cell) for cell in notebook.cells if is_checked(cell)], strict=True):
            if page != now and not (is_left_out(now) and self.lacks_torchaudio()):
                raise Trouble(f"A claim came out otherwise.\nOn the page: {page}\nHere:        {now}")

    def lacks_torchaudio(self) -> bool:
        """Whether its torchaudio can't be imported beside its torch: the last release knows no later one."""
        import_it = [str(self.python), "-c", "import torchaudio"]
        return subprocess.run(import_it, env=self.environment, capture_output=True).returncode != 0


class Trouble(Exception):
    """What a learner on Colab would have run into."""


def main() -> int:
    options = parse()
    folder = environment_for(options.torch)
    failed = []
    with tempfile.TemporaryDirectory(prefix="course-colab-") as content:
        colab = Colab(folder, Path(content).resolve())
        before = pristine(colab, folder)
        about = {name: before.get(name, "absent") for name in HELD}
        print(f"Python {python_version(colab)}, " + ", ".join(f"{name} {version}" for name, version in about.items()))
        if colab.lacks_torchaudio():
            print("torchaudio does not load beside this torch: a lesson that compares with it must say so and go on.")
        lessons = paths.lessons()
        for lesson in lessons:
            failed += attempt(f"set-up of {lesson.stem}, twice", colab.set_up, read(lesson))
        after = colab.versions()
        changed = {name: (version, after.get(name)) for name, version in before.items() if after.get(name) != version}
        added = sorted(f"{name} {version}" for name, version in after.items() if name not in before)
        print(f"added: {', '.join(added) or 'nothing'}; changed: {changed or 'nothing'}")
        failed += ["versions"] if changed else []
        for name in options.lessons:
            failed += attempt(f"the whole of {name}", colab.run_whole, read(paths.find_lesson(name)))
    print(f"\nfailed: {', '.join(failed)}" if failed else "\nAll is well.")
    return 1 if failed else 0


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Run the notebooks as Colab would; see the top of this file.")
    parser.add_argument("--torch", help="another torch than Colab's, such as 2.10.0, or newest")
    parser.add_argument("--lessons", nargs="*", default=WHOLE, help="those that run as a whole")
    return parser.parse_args()


def environment_for(torch: str | None) -> Path:
    """The environment's folder; made where it isn't there yet."""
    folder = paths.checkout() / f".venv-colab{f'-{torch}' if torch else ''}"
    if (folder / "complete.json").exists():
        return folder
    shutil.rmtree(folder, ignore_errors=True)
    python = works("python3.13") or sys.executable  # Colab's, if it is here
    print(f"Making {folder.name} with {python}: some 3 GB to download, 6 GB on disk.", flush=True)
    subprocess.run([python, "-m", "venv", str(folder)], check=True)
    colab_python = python_in(folder)
    install = [str(colab_python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    with tempfile.TemporaryDirectory() as place:
        wanted = Path(place) / "packages.txt"
        wanted.write_text(with_torch(PACKAGES.read_text(encoding="utf-8"), torch), encoding="utf-8")
        subprocess.run([*install, "--requirement", str(wanted)], check=True)
    listed = subprocess.run(
        [str(colab_python), "-m", "pip", "list", "--format=json"], capture_output=True, text=True, check=True
    )
    paths.write_atomically(folder / "complete.json", listed.stdout)
    return folder


def python_in(folder: Path) -> Path:
    """The Python of an environment."""
    return next(each for each in (folder / "bin" / "python", folder / "Scripts" / "python.exe") if each.exists())


def works(python: str) -> str | None:
    """The path of a Python that starts (a version manager's stand-in may not)."""
    found = shutil.which(python)
    return found if found and not subprocess.run([found, "-c", ""], capture_output=True).returncode else None


def with_torch(packages: str, torch: str | None) -> str:
    """The list with another torch, and with the torchvision that belongs to it."""
    if torch is None:
        return packages
    number = re.fullmatch(r"2\.(\d+)\.\d+", torch)
    if not number and torch != "newest":
        raise SystemExit(f"--torch is {torch}, but must be a version such as 2.10.0, or newest.")
    pins = {"torch": f"torch=={torch}", "torchvision": f"torchvision==0.{int(number[1]) + 15}.*"} if number else {}
    pins = pins or {"torch": "torch>=2.10,<2.16", "torchvision": "torchvision"}
    pins["torchaudio"] = "torchaudio==2.10.*" if torch.startswith("2.10.") else "torchaudio"
    return re.sub(r"^(torch|torchvision|torchaudio)==.*$", lambda found: pins[found[1]], packages, flags=re.MULTILINE)


def pristine(colab: Colab, folder: Path) -> dict[str, str]:
    """Take out what set-up cells of earlier runs have added; returns what is left."""
    shipped = {each["name"].lower() for each in json.loads((folder / "complete.json").read_text(encoding="utf-8"))}
    added = [name for name in colab.versions() if name not in shipped]
    if added:
        colab.run(["-m", "pip", "uninstall", "--yes", "--quiet", *added])
    return colab.versions()


def python_version(colab: Colab) -> str:
    return colab.run(["-c", "import platform; print(platform.python_version())"]).stdout.strip()


def attempt(what: str, run, notebook: nbformat.NotebookNode) -> list[str]:
    """Try it and say how it went; the list has one entry if it went wrong."""
    started = time.perf_counter()
    try:
        run(notebook)
    except (Trouble, subprocess.TimeoutExpired) as error:
        print(f"FAILED {what}: {error}", flush=True)
        return [what]
    print(f"ok     {what} ({time.perf_counter() - started:.0f} s)", flush=True)
    return []


def is_left_out(printed: str) -> bool:
    """Whether a claim says that its comparison with torchaudio is left out."""
    return "The comparison with torchaudio is left out" in printed


def read(lesson: paths.Lesson) -> nbformat.NotebookNode:
    return nbformat.read(lesson.notebook, as_version=4)


def _texts(cell: nbformat.NotebookNode) -> str:
    return "".join(
        output.get("text", "") or str(output.get("data", {}).get("text/plain", "")) for output in cell.outputs
    )


if __name__ == "__main__":
    sys.exit(main())
