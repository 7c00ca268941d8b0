"""Small notebooks and a small checkout to try things on."""

import shutil
from pathlib import Path

import nbformat
import pytest

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
    """Make a notebook as if its cells had been run: strings are Markdown, pairs are code and what it printed."""

    def make(*cells: str | tuple[str, str]) -> nbformat.NotebookNode:
        notebook = nbformat.v4.new_notebook()
        for content in cells:
            if isinstance(content, str):
                notebook.cells.append(nbformat.v4.new_markdown_cell(content))
                continue
            source, printed = content
            outputs = [nbformat.v4.new_output("stream", text=printed)] if printed else []
            number = sum(cell.cell_type == "code" for cell in notebook.cells) + 1
            notebook.cells.append(nbformat.v4.new_code_cell(source, outputs=outputs, execution_count=number))
        return notebook

    return make
