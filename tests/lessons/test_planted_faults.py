"""Each rule for notebooks, seen to bite: a fault is planted into a small notebook, and the suite's own command fails.

The faults that show without running are also given to the rules directly, which takes no time.
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

from course_lib.authoring.notebook_rules import CHECKED, faults

ROOT = Path(__file__).resolve().parents[2]
TITLE = "# A small notebook"
CLAIM = (f"{CHECKED}\nprint(1 + 1)", "2\n")

# Cells as `notebook_of` takes them, and words that the report must have.
SEEN_WITHOUT_RUNNING = {
    "there is no code cell": ([TITLE], "no code cell"),
    "no claim is checked": ([TITLE, ("1 + 1", "")], "No claim is checked"),
    "a checked cell shows nothing": ([TITLE, (f"{CHECKED}\nx = 1", "")], "nothing to compare"),
    "a marker stands in a Markdown cell": ([TITLE, CLAIM, f"{CHECKED}\n\nText."], "only in a code cell"),
    "a marker is not the first line": ([TITLE, CLAIM, (f"x = 2\n{CHECKED}\nprint(x)", "2\n")], "first line"),
    "a marker shares its line": ([TITLE, CLAIM, ("print(2)  # NBVAL_CHECK_OUTPUT", "2\n")], "a line of its own"),
    "a marker is misspelt": ([TITLE, CLAIM, ("# NBVAL_CHECK_OUTPUTS\nprint(2)", "2\n")], "the only marker"),
    "a marker skips its cell": ([TITLE, CLAIM, ("# NBVAL_SKIP\nprint(2)", "2\n")], "the only marker"),
    "an assertion has brackets": ([TITLE, CLAIM, ('assert (1 == 2, "never")', "")], "always true"),
    "an output has an absolute path": ([TITLE, CLAIM, ("2", "/home/ada/course/data\n")], "machine to machine"),
    "an output has an address": ([TITLE, CLAIM, ("2", "<object at 0x7f3a2b1c0d00>\n")], "machine to machine"),
    "a cell describes the machine": (
        [TITLE, CLAIM, ("describe_device = str\ndescribe_device()", "")],
        "the tag machine",
    ),
    "an output has a timing": ([TITLE, CLAIM, ("2", "trained in 3.2 s\n")], "machine to machine"),
}
SEEN_BY_RUNNING = {
    "a command fails": ([TITLE, CLAIM, ("!exit 3", "")], "CalledProcessError"),
    "a command fails whose output is kept": ([TITLE, CLAIM, ("listing = !ls /nowhere", "")], "CalledProcessError"),
    "a thread raises": (
        [TITLE, CLAIM, ("import threading\nthreading.Thread(target=lambda: 1 / 0).start()", ""), ("2", "")],
        "ZeroDivisionError",
    ),
    "a checked output has changed": ([TITLE, (f"{CHECKED}\nprint(1 + 1)", "3\n")], "Cell outputs differ"),
    "a cell raises": ([TITLE, CLAIM, ("1 / 0", "")], "ZeroDivisionError"),
    "a cell kills its kernel": ([TITLE, CLAIM, ("import os\nos._exit(1)", "")], "killed its kernel"),
}


def with_fault_in_a_cell(notebook_of, fault: str) -> tuple[nbformat.NotebookNode, str]:
    """Notebooks whose fault lies in a cell's metadata or outputs, and words that the report must have."""
    notebook = notebook_of(TITLE, CLAIM, ("2", ""))
    cell = notebook.cells[2]
    if fault == "a cell was never run":
        cell.execution_count = None
        return notebook, "not run in its turn"
    if fault == "a tag allows any exception":
        cell.metadata.tags = ["raises-exception"]
        return notebook, "has the tag raises-exception"
    if fault == "a tag skips a cell":
        cell.metadata.tags = ["nbval-skip"]
        return notebook, "has the tag nbval-skip"
    if fault == "an exception is stored":
        cell.outputs = [nbformat.v4.new_output("error", ename="ValueError", evalue="x", traceback=[])]
        return notebook, "stores an exception"
    if fault == "a warning is stored":
        cell.outputs = [nbformat.v4.new_output("stream", name="stderr", text="UserWarning: old")]
        return notebook, "warns its readers"
    cell.outputs = [nbformat.v4.new_output("display_data", data={"text/html": '<img src="x.png">'})]
    return notebook, "without alternative text"


IN_A_CELL = [
    "a cell was never run",
    "a tag allows any exception",
    "a tag skips a cell",
    "an exception is stored",
    "a warning is stored",
    "a picture has no words",
]


def test_the_clean_notebook_keeps_all_rules(notebook_of):
    assert faults(notebook_of(TITLE, CLAIM)) == []


@pytest.mark.parametrize("fault", [*SEEN_WITHOUT_RUNNING, *IN_A_CELL])
def test_the_rules_name_a_fault(fault, notebook_of):
    notebook, words = planted(notebook_of, fault)
    assert words in "\n".join(faults(notebook))


@pytest.mark.slow
def test_the_suite_passes_the_clean_notebook(reports):
    assert reports["clean"] == ""


@pytest.mark.slow
@pytest.mark.parametrize("fault", [*SEEN_WITHOUT_RUNNING, *IN_A_CELL, *SEEN_BY_RUNNING])
def test_the_suite_fails_when(fault, reports, notebook_of):
    assert planted(notebook_of, fault)[1] in reports[fault.replace(" ", "_")]


@pytest.mark.slow
def test_the_suite_fails_when_a_cell_hangs(tmp_path, notebook_of):
    nbformat.write(notebook_of(TITLE, CLAIM, ("while True: pass", "")), tmp_path / "hangs.ipynb")
    reports = run_suite(tmp_path, "--nbval-cell-timeout=4", "-n", "0")
    assert "Timeout of 4 seconds exceeded" in reports["hangs"]


@pytest.mark.slow
def test_the_suite_fails_when_there_is_no_notebook(tmp_path):
    assert suite(tmp_path, "-n", "0").returncode == pytest.ExitCode.NO_TESTS_COLLECTED


def planted(notebook_of, fault: str) -> tuple[nbformat.NotebookNode, str]:
    """A notebook with one fault, and words that the report must have."""
    if fault in IN_A_CELL:
        return with_fault_in_a_cell(notebook_of, fault)
    cells, words = (SEEN_WITHOUT_RUNNING | SEEN_BY_RUNNING)[fault]
    return notebook_of(*cells), words


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
    nbformat.write(notebook_of(TITLE, CLAIM), folder / "clean.ipynb")
    for fault in [*SEEN_WITHOUT_RUNNING, *IN_A_CELL, *SEEN_BY_RUNNING]:
        nbformat.write(planted(notebook_of, fault)[0], folder / f"{fault.replace(' ', '_')}.ipynb")
    (shared / "partial.json").write_text(json.dumps(run_suite(folder)))
    (shared / "partial.json").rename(result)
    return json.loads(result.read_text())


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
