"""`course import`: an edit made in JupyterLab goes back into the source, or is refused before anything is lost."""

import ast
import difflib
import re
from pathlib import Path

import jupytext
import nbformat
from nbformat import NotebookNode

from course_lib import paths
from course_lib.authoring.sources import cell_label, cells_of, source_hash, written_cells
from course_lib.errors import CourseError
from course_lib.exercises.stubs import definitions, is_exercise, stub_sources, unwritten_parts

# What JupyterLab, Colab and VS Code remember about a cell's looks. A lesson does not keep it, and nobody misses it.
LOOKS = {"collapsed", "scrolled", "editable", "deletable", "execution", "jupyter", "colab", "id", "outputId", "vscode"}


def import_notebook(path: str) -> int:
    """Bring the edits in a notebook back into `lessons/NN_name.py`; cells that nobody touched keep their every byte.

    Args:
        path: a notebook that `course build` has made, edited since.

    Returns:
        The exit status, 0.

    Raises:
        CourseError: something would be lost; neither file has been changed.
    """
    notebook = _read(Path(path))
    lesson = paths.find_lesson(notebook.metadata["course"]["lesson"])
    old = lesson.source.read_text(encoding="utf-8")
    if notebook.metadata["course"]["hash"] != source_hash(old, lesson.name):
        raise CourseError(
            f"{lesson.source} is no longer what {path} was built from, so an import would undo the newer text. "
            f"Keep a copy of the notebook, run `course build {lesson.name}`, make the edit again in the new notebook."
        )
    cells = written_cells(notebook)
    _refuse_what_a_source_cannot_hold(cells)
    _refuse_answers(cells, stub_sources(lesson))
    new = edited_source(old, cells)
    if [_content(cell) for cell in cells_of(new)] != [_content(cell) for cell in cells]:
        raise CourseError(f"{path} holds a cell that the percent format can't express; edit {lesson.source} by hand.")
    if new == old:
        print(f"{lesson.source}: nothing to import, the notebook says the same.")
        return 0
    paths.write_atomically(lesson.source, new)
    print(f"{lesson.source}: edits imported. Now `course build {lesson.name}` makes the notebook anew.")
    return 0


def edited_source(old: str, cells: list[NotebookNode]) -> str:
    """The source with `cells` instead of its own; the text of every cell that stayed is taken over as it stands.

    Args:
        old: a lesson in the percent format.
        cells: the cells that the new source must have, without generated ones.

    Returns:
        The new source.
    """
    head, blocks = _blocks(old)
    old_contents = [_content(cell) for cell in cells_of(old)]
    if len(old_contents) != len(blocks):
        raise CourseError("The lesson's source holds text outside its cells: every cell must begin with a line `# %%`.")
    contents = [_content(cell) for cell in cells]
    new_blocks: list[str] = []
    for kind, old_from, old_to, new_from, new_to in _changes(old_contents, contents):
        new_blocks += blocks[old_from:old_to] if kind == "equal" else map(_block, cells[new_from:new_to])
    return head + "".join(new_blocks).rstrip("\n") + "\n"


def _read(path: Path) -> NotebookNode:
    try:
        notebook = nbformat.read(path, as_version=4)
    except (OSError, ValueError) as error:  # a notebook that isn't one raises a kind of ValueError
        raise CourseError(f"{path} can't be read as a notebook: {error}") from None
    if "course" not in notebook.metadata:
        raise CourseError(f"{path} was not built by `course build`, so it is unknown which lesson it belongs to.")
    return notebook


def _refuse_what_a_source_cannot_hold(cells: list[NotebookNode]) -> None:
    for index, cell in enumerate(cells):
        where = cell_label(cells, index)
        if cell.get("attachments"):
            raise CourseError(f"{where} has a pasted picture, which a source can't hold: draw it in a code cell.")
        if cell.cell_type == "code" and "google.colab" in cell.source:
            raise CourseError(f"{where} is the set-up cell: edit it in course_lib/authoring/sources.py.")
        unknown = set(cell.metadata) - LOOKS - {"tags"}
        if unknown:
            raise CourseError(f"{where} has metadata that no lesson keeps: delete {', '.join(sorted(unknown))}.")


def _refuse_answers(cells: list[NotebookNode], stubs: dict[str, str]) -> None:
    """A lesson keeps its stubs: an exercise that was open in the source must be open in the notebook."""
    for index, cell in enumerate(cells):
        for name, node in definitions(cell.source).items() if cell.cell_type == "code" else ():
            was_open = is_exercise(node) and unwritten_parts(stubs.get(name, ""))
            if was_open and not unwritten_parts(ast.unparse(node)):
                where = cell_label(cells, index)
                raise CourseError(f"{where} answers {name}; a lesson keeps the stub: put `...` in its place.")


def _blocks(source: str) -> tuple[str, list[str]]:
    """The source's text before the first cell, and the text of each cell with its own `# %%` line."""
    head, *blocks = re.split(r"^(?=# %%)", source, flags=re.MULTILINE)
    return head, blocks


def _block(cell: NotebookNode) -> str:
    """A cell in the percent format, followed by an empty line."""
    tags = {"tags": cell.metadata["tags"]} if cell.metadata.get("tags") else {}
    lone = nbformat.v4.new_notebook(
        cells=[nbformat.from_dict(cell | {"metadata": tags})],
        metadata={"jupytext": {"notebook_metadata_filter": "-all", "cell_metadata_filter": "tags,-all"}},
    )
    return jupytext.writes(lone, fmt="py:percent").strip("\n") + "\n\n"


def _content(cell: NotebookNode) -> tuple[str, str, tuple[str, ...]]:
    return cell.cell_type, cell.source, tuple(cell.metadata.get("tags", []))


def _changes(old: list, new: list) -> list[tuple[str, int, int, int, int]]:
    return difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes()
