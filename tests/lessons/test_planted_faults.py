"""Each rule for notebooks, seen to bite: a fault is planted into a small notebook, and the suite's own command fails.

The faults that show without running are given to the rules one by one, and to the command all in one notebook.
"""

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from xml.etree import ElementTree

import nbformat
import pytest

from course_lib import paths
from course_lib.authoring.notebook_rules import CHECKED, faults

ROOT = Path(__file__).resolve().parents[2]
TITLE = "# A small notebook"
ERROR = nbformat.v4.new_output("error", ename="ValueError", evalue="x", traceback=[])
WARNING = nbformat.v4.new_output("stream", name="stderr", text="UserWarning: old")
PICTURE = nbformat.v4.new_output("display_data", data={"text/html": '<img src="x.png">'})
CLAIM = (f"{CHECKED}\nprint(1 + 1)", "2\n")

# What is put below the title and the claim, and words that the report must have. Cells as `notebook_of` takes them.
SEEN_WITHOUT_RUNNING = {
    "a checked cell shows nothing": ((f"{CHECKED}\nx = 1", ""), "nothing to compare"),
    "a marker stands in a Markdown cell": (f"{CHECKED}\n\nText.", "only in a code cell"),
    "a marker is not the first line": ((f"x = 2\n{CHECKED}\nprint(x)", "2\n"), "must be the first line"),
    "a marker shares its line": (("print(2)  # NBVAL_CHECK_OUTPUT", "2\n"), "'print(2)  # NBVAL_CHECK_OUTPUT'"),
    "a marker is misspelt": (("# NBVAL_CHECK_OUTPUTS\nprint(2)", "2\n"), "'# NBVAL_CHECK_OUTPUTS'"),
    "a marker skips its cell": (("# NBVAL_SKIP\nprint(2)", "2\n"), "'# NBVAL_SKIP'"),
    "a marker allows any exception": (("# NBVAL_RAISES_EXCEPTION\n2", ""), "'# NBVAL_RAISES_EXCEPTION'"),
    "a tag allows any exception": (("2", "", {"tags": ["raises-exception"]}), "has the tag raises-exception"),
    "a tag skips a cell": (("2", "", {"tags": ["nbval-skip"]}), "has the tag nbval-skip"),
    "a cell was never run": (("2", "", {"execution_count": None}), "not run in its turn"),
    "an assertion has brackets": (('assert (1 == 2, "never")', ""), "always true"),
    "an exception is stored": (("2", "", {"outputs": [ERROR]}), "stores an exception"),
    "a warning is stored": (("2", "", {"outputs": [WARNING]}), "warns its readers (UserWarning: old)"),
    "a picture has no words": (("2", "", {"outputs": [PICTURE]}), "without alternative text"),
    "an output has an absolute path": (("2", "/home/ada/course/data\n"), "/home/ada/course/data"),
    "an output has an address": (("2", "<object at 0x7f3a2b1c0d00>\n"), "0x7f3a2b1c0d00"),
    "an output has a timing": (("2", "trained in 3.2 s\n"), "trained in 3.2 s"),
    "a cell describes the machine": (("describe_device = str\ndescribe_device()", ""), "the tag machine"),
}
SEEN_BY_RUNNING = {
    "a command fails": (("!exit 3", ""), "CalledProcessError"),
    "a command fails whose output is kept": (("listing = !ls /nowhere", ""), "CalledProcessError"),
    "a thread raises": (("import threading\nthreading.Thread(target=lambda: 1 / 0).start()", ""), "ZeroDivisionError"),
    "a checked output has changed": ((f"{CHECKED}\nprint(1 + 2)", "4\n"), "Cell outputs differ"),
    "a cell raises": (("1 / 0", ""), "ZeroDivisionError"),
    "a cell kills its kernel": (("import os\nos._exit(1)", ""), "killed its kernel"),
}


def test_the_clean_notebook_keeps_all_rules(notebook_of):
    assert faults(notebook_of(TITLE, CLAIM)) == []


@pytest.mark.parametrize("fault", SEEN_WITHOUT_RUNNING)
def test_the_rules_name_a_fault(fault, notebook_of):
    cell, words = SEEN_WITHOUT_RUNNING[fault]
    found = faults(notebook_of(TITLE, CLAIM, cell))
    assert len(found) == 1 and words in found[0]


@pytest.mark.slow
def test_the_suite_passes_the_clean_notebook(reports):
    assert reports["clean"] == ""


@pytest.mark.slow
def test_the_suite_fails_when_there_is_no_code_cell(reports):
    assert "no code cell" in reports["empty"]


@pytest.mark.slow
def test_the_suite_fails_when_no_claim_is_checked(reports):
    assert "No claim is checked" in reports["without_claim"]


@pytest.mark.slow
@pytest.mark.parametrize("fault", SEEN_WITHOUT_RUNNING)
def test_the_suite_fails_without_running_when(fault, reports):
    assert SEEN_WITHOUT_RUNNING[fault][1] in reports["many_faults"]


@pytest.mark.slow
@pytest.mark.parametrize("fault", SEEN_BY_RUNNING)
def test_the_suite_fails_when(fault, reports):
    assert SEEN_BY_RUNNING[fault][1] in reports[fault.replace(" ", "_")]


@pytest.mark.slow
def test_the_suite_fails_when_a_cell_hangs(tmp_path, notebook_of):
    nbformat.write(notebook_of(TITLE, CLAIM, ("while True: pass", "")), tmp_path / "hangs.ipynb")
    reports = run_suite(tmp_path, "--nbval-cell-timeout=4", "-n", "0")
    assert "Timeout of 4 seconds exceeded" in reports["hangs"]


@pytest.mark.slow
def test_the_suite_fails_when_there_is_no_notebook(tmp_path):
    assert suite(tmp_path, "-n", "0").returncode == pytest.ExitCode.NO_TESTS_COLLECTED


@pytest.fixture(scope="session")
def reports(tmp_path_factory, worker_id, notebook_of) -> dict[str, str]:
    """What the suite's command said about each planted notebook; it runs once, whatever number of workers asks."""
    shared = tmp_path_factory.getbasetemp() if worker_id == "master" else tmp_path_factory.getbasetemp().parent
    folder, result = shared / "planted", shared / "planted.json"
    try:
        folder.mkdir()
    except FileExistsError:  # another worker is at it
        while not result.exists():
            time.sleep(0.2)
        return json.loads(result.read_text())
    for name, notebook in planted_notebooks(notebook_of).items():
        nbformat.write(notebook, folder / f"{name.replace(' ', '_')}.ipynb")
    paths.write_atomically(result, json.dumps(run_suite(folder)))
    return json.loads(result.read_text())


def planted_notebooks(notebook_of) -> dict[str, nbformat.NotebookNode]:
    """One notebook for each fault that must be run to be seen, one with all the others, and the clean twin."""
    notebooks = {name: notebook_of(TITLE, CLAIM, cell, ("2", "")) for name, (cell, _) in SEEN_BY_RUNNING.items()}
    notebooks["many faults"] = notebook_of(TITLE, CLAIM, *[cell for cell, _ in SEEN_WITHOUT_RUNNING.values()])
    notebooks["without claim"] = notebook_of(TITLE, ("1 + 1", ""))
    notebooks["empty"] = notebook_of(TITLE)
    notebooks["clean"] = notebook_of(TITLE, CLAIM)
    return notebooks


def run_suite(folder: Path, *options: str) -> dict[str, str]:
    """Run the suite's own command over a folder of notebooks; returns what it said of each, nothing if it passed."""
    done = suite(folder, f"--junitxml={folder / 'report.xml'}", *options)
    said = {path.stem: "" for path in folder.glob("*.ipynb")}
    for case in ElementTree.parse(folder / "report.xml").iter("testcase"):
        problems = [part.text or "" for part in case if part.tag in ("failure", "error")]
        said[Path(case.get("classname").replace(".ipynb", "").replace(".", "/")).name] += "\n".join(problems)
    assert bool(done.returncode) == any(said.values()), done.stdout
    return said


def suite(folder: Path, *options: str) -> subprocess.CompletedProcess:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    command = ["-m", "pytest", "-c", "tests/lessons/nbval.ini", "--rootdir", str(folder), str(folder), *options]
    return subprocess.run([sys.executable, *command], cwd=ROOT, env=environment, capture_output=True, text=True)
