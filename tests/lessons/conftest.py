"""Small notebooks and a small checkout to try things on, and the second pass over a notebook."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from course_lib.authoring import kernel
from course_lib.authoring.answer_key import type_references
from course_lib.authoring.notebook_rules import is_checked
from course_lib.authoring.outputs import normalize_outputs

HERE = Path(__file__).resolve().parent
LITTLE_LESSON = """\
# %% [markdown]
# # A little lesson
#
# One minute, nothing needed.

# %%
import io

# %% [markdown]
# **Predict.** What is two and two?

# %%
# NBVAL_CHECK_OUTPUT
print("two and two:", 2 + 2)


# %% tags=["setup"]
def double(number):
    return 2 * number


# %% [markdown]
# Four. That is all.
"""


@pytest.fixture
def small_checkout(tmp_path, monkeypatch) -> Path:
    """A checkout with nothing but a little lesson, `lessons/07_little.py`, and this project's settings."""
    monkeypatch.setenv("COURSE_CHECKOUT", str(tmp_path))
    shutil.copy(HERE.parents[1] / "pyproject.toml", tmp_path)
    (tmp_path / "lessons").mkdir()
    (tmp_path / "lessons" / "07_little.py").write_text(LITTLE_LESSON, encoding="utf-8")
    return tmp_path


@pytest.fixture(scope="session")
def notebook_of():
    """Make a notebook as if its cells had been run.

    A string is a Markdown cell; a pair is code and what it printed; a third part sets tags, outputs or execution count.
    """

    def make(*cells: str | tuple) -> nbformat.NotebookNode:
        notebook = nbformat.v4.new_notebook()
        for content in cells:
            if isinstance(content, str):
                notebook.cells.append(nbformat.v4.new_markdown_cell(content))
                continue
            source, printed, special = content if len(content) == 3 else (*content, {})
            special = dict(special)
            number = sum(cell.cell_type == "code" for cell in notebook.cells) + 1
            cell = nbformat.v4.new_code_cell(source, execution_count=number, metadata={"tags": special.pop("tags", [])})
            cell.outputs = [nbformat.v4.new_output("stream", text=printed)] if printed else []
            cell.update(special)
            notebook.cells.append(cell)
        return notebook

    return make


@pytest.fixture
def second_pass(tmp_path):
    """Type the references into a lesson's notebook, run it from top to bottom, and ask `course check` about it."""

    def run(lesson, answer_key: str | None = None) -> None:
        notebook = nbformat.read(lesson.notebook, as_version=4)
        claims = [cell.outputs for cell in notebook.cells if is_checked(cell)]
        answered = type_references(notebook, answer_key or lesson.solutions.read_text(encoding="utf-8"))
        kernel.execute(notebook, folder=lesson.notebook.parent)
        normalize_outputs(notebook)
        nbformat.write(notebook, tmp_path / lesson.notebook.name)
        verdicts = check(lesson.name, tmp_path / lesson.notebook.name)
        assert [verdict for verdict in verdicts if verdict["state"] != "right"] == []
        assert [verdict for verdict in verdicts if verdict["shortcut"]] == []
        assert sorted(verdict["name"] for verdict in verdicts) == sorted(answered)
        assert [texts(cell.outputs) for cell in notebook.cells if is_checked(cell)] == [
            texts(claim) for claim in claims
        ]

    return run


def check(name: str, notebook: Path) -> list[dict]:
    """What `course check` says of the answers in a notebook; its exit status must say the same."""
    command = [sys.executable, "-m", "course_lib.cli", "check", name, "--from", str(notebook), "--json"]
    environment = os.environ | {"PYTHONPATH": str(HERE.parents[1])}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, encoding="utf-8")
    assert done.stderr == ""
    verdicts = [json.loads(line) for line in done.stdout.splitlines()]
    assert (done.returncode == 0) == all(verdict["state"] == "right" for verdict in verdicts)
    return verdicts


def texts(outputs) -> str:
    """What outputs say, without the numbers of their cells."""
    return "".join(output.get("text", "") or str(output.get("data", {}).get("text/plain", "")) for output in outputs)
