"""Does each notebook belong to its lesson? Seen from the files alone, without running anything."""

import nbformat
from nbformat import NotebookNode

from course_lib import paths
from course_lib.authoring.sources import notebook_from_source


def drift() -> list[str]:
    """Every way in which lessons and notebooks have come apart, in words; empty if they belong together."""
    known = {lesson.notebook: lesson for lesson in paths.lessons()}
    strays = sorted(set((paths.checkout() / "notebooks").glob("*.ipynb")) - set(known))
    found = [f"{path.name} has no lesson: move its text to lessons/, or delete it." for path in strays]
    return found + [complaint for lesson in known.values() if (complaint := _drift_of(lesson))]


def _drift_of(lesson: paths.Lesson) -> str:
    way_out = f"run `course build {lesson.name}` and commit the notebook"
    if not lesson.notebook.exists():
        return f"{lesson.stem} has no notebook: {way_out}."
    text = lesson.source.read_text(encoding="utf-8")
    fresh = notebook_from_source(text, name=lesson.name, source=f"lessons/{lesson.stem}.py")
    kept = nbformat.read(lesson.notebook, as_version=4)
    if kept.metadata.get("course") != fresh.metadata["course"]:
        return f"{lesson.source.name} has changed since its notebook was built: {way_out}."
    if [_content(cell) for cell in kept.cells] != [_content(cell) for cell in fresh.cells]:
        return f"{lesson.notebook.name} was edited: `course import` brings the edits into the lesson; or {way_out}."
    return ""


def _content(cell: NotebookNode) -> tuple:
    return cell.get("id"), cell.cell_type, cell.source, cell.metadata
