"""`course build`: from `lessons/NN_name.py` to an executed `notebooks/NN_name.ipynb`, the same bytes each time."""

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


def build(keys: list[str]) -> int:
    """Build the lessons that `keys` name, one after another; all of them if it names none.

    Returns:
        The exit status: 0 if every notebook was built and keeps the rules that the tests hold it to.
    """
    chosen = [paths.find_lesson(key) for key in keys] or paths.lessons()
    if not chosen:
        raise CourseError("There is no lesson to build. `course new lesson NAME` begins one.")
    return max([_build_and_tell(lesson) for lesson in chosen])


def _build_and_tell(lesson: paths.Lesson) -> int:
    started = time.perf_counter()
    before = lesson.notebook.read_bytes() if lesson.notebook.exists() else None
    try:
        notebook = build_lesson(lesson)
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
    text = lesson.source.read_text(encoding="utf-8")
    notebook = notebook_from_source(text, name=lesson.name, source=f"lessons/{lesson.stem}.py")
    lesson.notebook.parent.mkdir(parents=True, exist_ok=True)
    try:
        kernel.execute(notebook, folder=lesson.notebook.parent)
    except kernel.CellBroken as broken:
        raise CourseError(f"{broken}\n\nMend it in {lesson.source}, then build again.") from None
    normalize_outputs(notebook)
    paths.write_atomically(lesson.notebook, nbformat.writes(notebook) + "\n")
    return notebook
