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

BUILDER_VERSION = 3  # raise it when the builder makes something else from the same source: all notebooks count as old
PYTHON = {
    "kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
    "language_info": {"file_extension": ".py", "mimetype": "text/x-python", "name": "python"},
}
PROVENANCE = "<sub>Built from {source} by `course build`. To change this page, edit that file.</sub>"
# Words, not pictures: a picture would be fetched from three hosts each time that somebody opens a lesson.
BADGES = (
    "**Open in** [Colab](https://colab.research.google.com/github/{path}/blob/main/{notebook}) · "
    "[Kaggle](https://kaggle.com/kernels/welcome?src=https://github.com/{path}/blob/main/{notebook}) · "
    "[Binder](https://mybinder.org/v2/gh/{path}/main?urlpath=lab/tree/{notebook})"
)
SETUP_TEMPLATE = """\
# On Colab and Kaggle: fetch the course, and install what is missing beside their own torch. Elsewhere: nothing to do.
import os
import sys

USE_DRIVE = False  # True, on Colab: progress and checkpoints are kept on your Google Drive, and outlive this runtime
if "google.colab" in sys.modules or "KAGGLE_KERNEL_RUN_TYPE" in os.environ:
    import subprocess

    folder = "/content/{name}" if "google.colab" in sys.modules else "/kaggle/working/{name}"
    if not os.path.exists(folder):
        repository = "{repository}"
        subprocess.run(["git", "clone", "--quiet", "--depth=1", repository, folder], check=True)
    sys.path[:] = [folder, *(path for path in sys.path if path != folder)]  # so that no restart is needed
    from course_lib.hosted import set_up

    set_up("{lesson}", use_drive=USE_DRIVE)"""


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
    cells[0].source += "\n\n" + "\n\n".join([*badges(source), PROVENANCE.format(source=source)])
    folded = {"source_hidden": True}  # in JupyterLab, where it does nothing; one click shows it
    setup = nbformat.v4.new_code_cell(setup_source(name), metadata={"tags": ["setup"], "jupyter": folded})
    cells.insert(1, setup)
    give_stable_ids(cells)
    course = {"lesson": name, "source": source, "hash": source_hash(text, name)}
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
    setup = setup_source(notebook.metadata.course.lesson)
    written = [cell for cell in notebook.cells if cell.source.strip() and cell.source.strip() != setup]
    cells = [copy.deepcopy(cell) for cell in written]
    for cell in cells:
        cell.source = cell.source.strip("\n")
    if cells and cells[0].cell_type == "markdown":
        for line in (BADGES, PROVENANCE):
            pattern = re.sub(r"\\\{\w+\\\}", r"\\S+", re.escape(line))
            cells[0].source = re.sub(rf"(^|\n\n){pattern}(?=\n|$)", "", cells[0].source)
    return cells


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


def source_hash(text: str, name: str) -> str:
    """What a notebook remembers of its source: the text, the set-up cell and the builder's version."""
    return hashlib.sha256("\n".join([str(BUILDER_VERSION), setup_source(name), text]).encode()).hexdigest()


def setup_source(lesson: str) -> str:
    """The first code cell of a lesson's notebook, for the repository that `pyproject.toml` names."""
    address = repository()
    folder = address.rsplit("/", 1)[-1].removesuffix(".git")
    return SETUP_TEMPLATE.format(repository=address, name=folder, lesson=lesson)


def badges(source: str) -> list[str]:
    """The line that opens a notebook on Colab, Kaggle and Binder; none where the course is not published on GitHub."""
    host, _, path = repository().removesuffix(".git").partition("github.com/")
    notebook = source.replace("lessons/", "notebooks/").replace(".py", ".ipynb")
    return [BADGES.format(path=path, notebook=notebook)] if host == "https://" and path else []


def repository() -> str:
    """Where the course is published: the one setting from which badges and set-up cells are made.

    Raises:
        CourseError: `pyproject.toml` does not say.
    """
    settings = tomllib.loads((paths.checkout() / "pyproject.toml").read_text(encoding="utf-8"))
    try:
        return settings["tool"]["course"]["repository"].removesuffix("/")
    except KeyError:
        raise CourseError("pyproject.toml must say where the course is published: [tool.course] repository.") from None
