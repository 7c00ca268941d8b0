"""The learner's copies of the lessons: read, recognized by what they say of themselves, made afresh, backed up."""

import datetime
import hashlib
import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import nbformat.v4
from nbformat import NotebookNode

from course_lib.errors import CourseError
from course_lib.paths import Lesson, lessons, workbook_dir, write_atomically

BACKUP_NAME = re.compile(r"\.before-\d{4}-\d\d-\d\d(-\d+)?\.ipynb$")


class UnreadableNotebook(CourseError):
    """A file that is called a notebook and is none."""


@dataclass(frozen=True)
class Copy:
    """One of the learner's copies of a lesson."""

    path: Path
    lesson: Lesson
    notebook: NotebookNode


def read_notebook(path: Path) -> NotebookNode:
    """Read a notebook as it stands, from Jupyter, Colab or an editor; what these left out of a cell is filled in.

    Raises:
        UnreadableNotebook: the file is missing, is not JSON, or not a notebook of format 4.
    """
    try:
        notebook = nbformat.v4.reads_json(path.read_text(encoding="utf-8-sig"))
        if notebook.nbformat != 4 or not all(isinstance(cell.source, str) for cell in notebook.cells):
            raise ValueError("it is not a notebook of format 4")
        for cell in notebook.cells:
            cell.setdefault("metadata", NotebookNode())
            if cell.cell_type == "code":
                cell.setdefault("outputs", [])
                cell.setdefault("execution_count", None)
    except OSError as error:
        raise UnreadableNotebook(f"{path} can't be read: {error.strerror}.") from error
    except (ValueError, AttributeError, TypeError, KeyError) as error:
        raise UnreadableNotebook(f"{path} is not a readable notebook ({error}).") from error
    return notebook


def notebook_text(notebook: NotebookNode) -> str:
    """What Jupyter itself would write for this notebook."""
    return nbformat.v4.writes_json(notebook) + "\n"


def course_metadata(notebook: NotebookNode) -> dict:
    """What `course build` and `course lab` wrote down in a notebook: lesson, hash of the edition, its cells."""
    metadata = notebook.metadata.get("course", {})
    return metadata if isinstance(metadata, dict) else {}


def cells_it_came_with(notebook: NotebookNode) -> dict[str, str]:
    """The fingerprint of each cell by its id, as `fresh_notebook` listed them in order; empty if there is no list."""
    return dict(course_metadata(notebook).get("cells", []))


def tags(cell: NotebookNode) -> list[str]:
    """The tags of a cell."""
    return list(cell.metadata.get("tags") or [])


def fingerprint(cell: NotebookNode) -> str:
    """Short and the same for the same text, whichever program saved it."""
    lines = [line.rstrip() for line in cell.source.strip().splitlines()]
    return hashlib.sha256("\n".join([cell.cell_type, *lines]).encode()).hexdigest()[:12]


def fresh_notebook(lesson: Lesson) -> NotebookNode:
    """A lesson as the learner gets it: without outputs, and with a list of its cells, to see later what was changed.

    Raises:
        CourseError: the lesson was not built.
    """
    if not lesson.notebook.exists():
        raise CourseError(f"Lesson {lesson.stem} has no notebook yet: `course build {lesson.number:02d}` makes it.")
    notebook = read_notebook(lesson.notebook)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    notebook.metadata.setdefault("course", NotebookNode(lesson=lesson.name))
    notebook.metadata.course.cells = [[cell.id, fingerprint(cell)] for cell in notebook.cells]
    return notebook


def is_untouched(notebook: NotebookNode) -> bool:
    """Whether nothing of the learner's is in a copy: every cell is as it came, and none was run."""
    ran = any(cell.get("outputs") or cell.get("execution_count") for cell in notebook.cells)
    return not ran and list(cells_it_came_with(notebook).values()) == [fingerprint(cell) for cell in notebook.cells]


def is_current(copy: Copy) -> bool:
    """Whether a copy is of the newest edition, or its lesson has none to offer."""
    if not copy.lesson.notebook.exists():
        return True
    newest = course_metadata(read_notebook(copy.lesson.notebook)).get("hash")
    return course_metadata(copy.notebook).get("hash") == newest


def scan_workbook() -> tuple[list[Copy], list[UnreadableNotebook]]:
    """The learner's copies, whatever they are called now, and the notebooks that can't be read. Backups are neither."""
    by_name, copies, unreadable = {lesson.name: lesson for lesson in lessons()}, [], []
    for path in _notebooks():
        try:
            notebook = read_notebook(path)
        except UnreadableNotebook as error:
            unreadable.append(error)
        else:
            lesson = by_name.get(course_metadata(notebook).get("lesson"))
            copies += [Copy(path, lesson, notebook)] if lesson else []
    return copies, unreadable


def _notebooks() -> Iterator[Path]:
    for path in sorted(workbook_dir().rglob("*.ipynb")):
        hidden = any(part.startswith(".") for part in path.relative_to(workbook_dir()).parts)
        if not hidden and not BACKUP_NAME.search(path.name):
            yield path


def find_copy(lesson: Lesson) -> Copy | None:
    """The learner's copy of a lesson: the one with the lesson's own name, else the one that was changed last."""
    copies = [copy for copy in scan_workbook()[0] if copy.lesson == lesson]
    return max(copies, key=lambda copy: (copy.path.stem == lesson.stem, copy.path.stat().st_mtime), default=None)


def back_up(path: Path) -> Path:
    """Keep a file beside itself, byte for byte, under a name that tells the day; no other file is ever overwritten."""
    content = path.read_bytes()
    for number in itertools.count(1):
        again = f"-{number}" if number > 1 else ""
        backup = path.with_name(f"{path.stem}.before-{datetime.date.today()}{again}.ipynb")
        if not backup.exists():
            write_atomically(backup, content)
            return backup
        if backup.read_bytes() == content:
            return backup
