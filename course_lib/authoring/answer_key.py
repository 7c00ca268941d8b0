"""Type the reference of every exercise into a notebook, as a learner would who found each of them."""

import ast

from nbformat import NotebookNode

from course_lib.authoring.sources import tree_of
from course_lib.exercises.excerpts import names_made, needed_by
from course_lib.exercises.stubs import Definition, definitions, is_exercise


def type_references(notebook: NotebookNode, solutions: str) -> list[str]:
    """Put the references in place of the stubs; what a reference needs from its file is typed above it.

    Args:
        notebook: is changed in place.
        solutions: the text of `solutions/NAME.py`.

    Returns:
        The names of the exercises that were answered.
    """
    code_cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    exercises = [_exercise(cell) for cell in code_cells]
    answered = [node.name for node in exercises if node is not None]
    already_there = set(answered)
    for cell, node in zip(code_cells, exercises, strict=True):
        already_there |= {name for statement in tree_of(cell).body for name in names_made(statement)}
        if node is not None:
            cell.source = typed_answer(node.name, solutions, already_there=already_there)
    return answered


def typed_answer(name: str, solutions: str, *, already_there: set[str] = frozenset()) -> str:
    """The cell of one exercise with its reference: imports, constants and helpers that it uses, then the answer.

    Args:
        name: the exercise.
        solutions: the text of the file that defines its reference.
        already_there: names that the notebook has from other cells.

    Returns:
        The cell's source.

    Raises:
        KeyError: the file has no such reference.
    """
    body = ast.parse(solutions).body
    makers = {made: statement for statement in body for made in names_made(statement)}
    reference = definitions(solutions)[name]
    reference.decorator_list = [ast.Name("exercise")]
    needed = needed_by(reference, makers, known=already_there | {name})
    above = [ast.get_source_segment(solutions, statement) for statement in body if statement in needed]
    lines = solutions.splitlines()[reference.lineno - 1 : reference.end_lineno]
    return "\n".join([*above, "@exercise", *lines])


def _exercise(cell: NotebookNode) -> Definition | None:
    return next((node for node in definitions(cell.source).values() if is_exercise(node)), None)
