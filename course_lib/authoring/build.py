"""`course build`: from `lessons/NN_name.py` to an executed `notebooks/NN_name.ipynb`, the same bytes each time."""

import itertools
import sys
import time

import nbformat
from nbformat import NotebookNode

from course_lib import paths
from course_lib.authoring import kernel
from course_lib.authoring.notebook_rules import faults
from course_lib.authoring.outputs import normalize_outputs
from course_lib.authoring.sources import notebook_from_source
from course_lib.errors import CourseError


def build(keys: list[str], *, keep_outputs: bool = False) -> int:
    """Build the lessons that `keys` name, one after another; all of them if it names none.

    Args:
        keys: names or numbers of lessons.
        keep_outputs: run nothing, and take the outputs of the standing notebook; for a change of prose or of the
            builder itself.

    Returns:
        The exit status: 0 if every notebook was built and keeps the rules that the tests hold it to.
    """
    chosen = [paths.find_lesson(key) for key in keys] or paths.lessons()
    if not chosen:
        raise CourseError("There is no lesson to build. `course new lesson NAME` begins one.")
    return max([_build_and_tell(lesson, keep_outputs) for lesson in chosen])


def _build_and_tell(lesson: paths.Lesson, keep_outputs: bool) -> int:
    started = time.perf_counter()
    before = lesson.notebook.read_bytes() if lesson.notebook.exists() else None
    try:
        notebook = (retext_lesson if keep_outputs else build_lesson)(lesson)
    except CourseError as error:
        print(f"{lesson.stem}: not built. {error}", file=sys.stderr)
        return 1
    news = "as before" if lesson.notebook.read_bytes() == before else "new"
    print(f"{lesson.stem}: {time.perf_counter() - started:.1f} s, {news}", flush=True)
    found = faults(notebook)
    for fault in found:
        print(f"{lesson.stem}: the tests will refuse this: {fault}", file=sys.stderr)
    return 1 if found else 0


def build_lesson(lesson: paths.Lesson) -> NotebookNode:
    """Build one lesson and write its notebook; if it breaks, the old notebook stays as it was.

    Raises:
        CourseError: a cell raised, hung or killed the kernel; the text shows the cell and what happened in it.
    """
    notebook = _unexecuted(lesson)
    lesson.notebook.parent.mkdir(parents=True, exist_ok=True)
    try:
        kernel.execute(notebook, folder=lesson.notebook.parent)
    except kernel.CellBroken as broken:
        raise CourseError(f"{broken}\n\nMend it in {lesson.source}, then build again.") from None
    normalize_outputs(notebook)
    paths.write_atomically(lesson.notebook, nbformat.writes(notebook) + "\n")
    return notebook


def retext_lesson(lesson: paths.Lesson) -> NotebookNode:
    """Write one lesson's notebook anew without running it, with the outputs that stand under the same code.

    Raises:
        CourseError: there is no notebook yet, or a code cell is not the one whose output stands there.
    """
    notebook = _unexecuted(lesson)
    if not lesson.notebook.exists():
        raise CourseError(f"There are no outputs to keep: run `course build {lesson.name}` first.")
    kept = nbformat.read(lesson.notebook, as_version=4)
    old, new = ([cell for cell in each.cells if cell.cell_type == "code"] for each in (kept, notebook))
    for number, (before, cell) in enumerate(itertools.zip_longest(old, new), start=1):
        is_setup = number == 1  # the builder's own: it shows nothing where notebooks are built
        if before is None or cell is None or (not is_setup and before.source != cell.source):
            raise CourseError(f"Cell [{number}] has changed, so it must run: `course build {lesson.name}`.")
        cell.outputs, cell.execution_count = before.outputs, before.execution_count
    normalize_outputs(notebook)
    paths.write_atomically(lesson.notebook, nbformat.writes(notebook) + "\n")
    return notebook


def _unexecuted(lesson: paths.Lesson) -> NotebookNode:
    text = lesson.source.read_text(encoding="utf-8")
    return notebook_from_source(text, name=lesson.name, source=f"lessons/{lesson.stem}.py")
