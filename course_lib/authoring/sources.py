"""A lesson's text and its notebook: one is made from the other, without running anything.

Three things stand in a notebook that its source does not have: the set-up cell for Colab, a line that says where the
notebook comes from, and metadata with a hash by which a test sees that the two belong together.
"""

import ast
import copy
import hashlib
import re
import tomllib

import jupytext
import nbformat
from nbformat import NotebookNode

from course_lib import paths
from course_lib.errors import CourseError
from course_lib.python_cells import plain_python

BUILDER_VERSION = 2  # raise it when the builder makes something else from the same source: all notebooks count as old
PYTHON = {
    "kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
    "language_info": {"file_extension": ".py", "mimetype": "text/x-python", "name": "python"},
}
PROVENANCE = "<sub>Built from {source} by `course build`. To change this page, edit that file.</sub>"
SETUP_TEMPLATE = """\
# On Colab: fetch the course and install it beside the torch that is already there. Everywhere else: nothing to do.
import sys

if "google.colab" in sys.modules:
    import os
    import subprocess

    from google.colab import output

    folder = "/content/{name}"
    if not os.path.exists(folder):
        repository = "{repository}"
        subprocess.run(["git", "clone", "--quiet", "--depth=1", repository, folder], check=True)
    subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--editable", folder], check=True)
    sys.path[:] = [folder, *(path for path in sys.path if path != folder)]  # so that no restart is needed
    output.enable_custom_widget_manager()"""


def notebook_from_source(text: str, *, name: str, source: str) -> NotebookNode:
    """Make the notebook of a lesson, not yet executed.

    Args:
        text: the lesson in Jupytext's percent format.
        name: the lesson's name, such as "backprop".
        source: where the text stands, seen from the checkout, such as "lessons/02_backprop.py".

    Returns:
        A notebook with stable cell ids, the set-up cell, and `metadata.course`.

    Raises:
        CourseError: the lesson doesn't begin with a Markdown cell.
    """
    cells = cells_of(text)
    if not cells or cells[0].cell_type != "markdown":
        raise CourseError(f"{source} must begin with a Markdown cell (`# %% [markdown]`) that says what it is about.")
    cells[0].source += "\n\n" + PROVENANCE.format(source=source)
    folded = {"source_hidden": True}  # in JupyterLab, where it does nothing; one click shows it
    setup = nbformat.v4.new_code_cell(setup_source(), metadata={"tags": ["setup"], "jupyter": folded})
    cells.insert(1, setup)
    give_stable_ids(cells)
    course = {"lesson": name, "source": source, "hash": source_hash(text)}
    return nbformat.v4.new_notebook(cells=cells, metadata={"course": course, **PYTHON})


def cells_of(text: str) -> list[NotebookNode]:
    """The cells of a percent source, with their tags and without the layout notes that Jupytext keeps."""
    cells = jupytext.reads(text, fmt="py:percent").cells
    for cell in cells:
        cell.source = cell.source.strip("\n")
        cell.metadata = nbformat.from_dict(
            {key: value for key, value in cell.metadata.items() if not key.startswith("lines_to_")}
        )
    return cells


def written_cells(notebook: NotebookNode) -> list[NotebookNode]:
    """The cells that came from the lesson's text: copies, without what the builder added, and without empty cells."""
    cells = [copy.deepcopy(cell) for cell in notebook.cells if cell.source.strip() and not _is_generated(cell)]
    for cell in cells:
        cell.source = cell.source.strip("\n")
    if cells and cells[0].cell_type == "markdown":
        line = re.escape(PROVENANCE).replace(r"\{source\}", r"\S+")
        cells[0].source = re.sub(rf"(^|\n\n){line}(?=\n|$)", "", cells[0].source)
    return cells


def _is_generated(cell: NotebookNode) -> bool:
    return cell.cell_type == "code" and cell.source.strip() == setup_source()


def give_stable_ids(cells: list[NotebookNode]) -> None:
    """Name each cell by its content, so that an id stays while the cells around it change."""
    seen: dict[str, int] = {}
    for cell in cells:
        digest = hashlib.sha256(f"{cell.cell_type}\n{cell.source}".encode()).hexdigest()[:12]
        seen[digest] = seen.get(digest, 0) + 1
        cell.id = digest if seen[digest] == 1 else f"{digest}-{seen[digest]}"


def cell_label(cells: list[NotebookNode], index: int) -> str:
    """How a person finds a cell: by the number beside it, or by the beginning of its text."""
    cell = cells[index]
    if cell.cell_type == "code":
        return f"Cell [{sum(other.cell_type == 'code' for other in cells[: index + 1])}]"
    first_line = cell.source.strip().partition("\n")[0]
    return f'The Markdown cell "{first_line[:40].rstrip("# ")}{"…" if len(first_line) > 40 else ""}"'


def tree_of(cell: NotebookNode) -> ast.Module:
    """The cell's syntax tree, as IPython would read it; empty if it isn't Python."""
    try:
        return ast.parse(plain_python(cell.source))
    except SyntaxError:
        return ast.Module(body=[], type_ignores=[])


def source_hash(text: str) -> str:
    """What a notebook remembers of its source: the text, the set-up cell and the builder's version."""
    return hashlib.sha256("\n".join([str(BUILDER_VERSION), setup_source(), text]).encode()).hexdigest()


def setup_source() -> str:
    """The first code cell of every notebook, for the repository that `pyproject.toml` names."""
    settings = tomllib.loads((paths.checkout() / "pyproject.toml").read_text(encoding="utf-8"))
    try:
        repository = settings["tool"]["course"]["repository"].removesuffix("/")
    except KeyError:
        raise CourseError("pyproject.toml must say where the course is published: [tool.course] repository.") from None
    return SETUP_TEMPLATE.format(repository=repository, name=repository.rsplit("/", 1)[-1].removesuffix(".git"))
