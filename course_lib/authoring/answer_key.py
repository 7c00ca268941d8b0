"""Type the reference of every exercise into a notebook, as a learner would who found each of them."""

import ast
import builtins

from nbformat import NotebookNode

from course_lib.authoring.sources import tree_of
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
        already_there |= {name for statement in tree_of(cell).body for name in _names_made(statement)}
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
    makers = {made: statement for statement in body for made in _names_made(statement)}
    reference = definitions(solutions)[name]
    reference.decorator_list = [ast.Name("exercise")]
    needed = _needed_by(reference, makers, known=already_there | {name})
    above = [ast.get_source_segment(solutions, statement) for statement in body if statement in needed]
    lines = solutions.splitlines()[reference.lineno - 1 : reference.end_lineno]
    return "\n".join([*above, "@exercise", *lines])


def _exercise(cell: NotebookNode) -> Definition | None:
    return next((node for node in definitions(cell.source).values() if is_exercise(node)), None)


def _names_made(statement: ast.stmt) -> list[str]:
    """The names that a statement at the top of a file brings into being."""
    if isinstance(statement, Definition):
        return [statement.name]
    if isinstance(statement, ast.Import | ast.ImportFrom):
        return [alias.asname or alias.name.partition(".")[0] for alias in statement.names]
    return [node.id for node in ast.walk(statement) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)]


def _needed_by(node: ast.AST, makers: dict[str, ast.stmt], *, known: set[str]) -> set[ast.stmt]:
    """The statements that make what `node` uses, and what those use in turn."""
    needed: set[ast.stmt] = set()
    waiting = [node]
    while waiting:
        used = {part.id for part in ast.walk(waiting.pop()) if isinstance(part, ast.Name)}
        for name in sorted(used - known - set(dir(builtins))):
            if name in makers and makers[name] not in needed:
                needed.add(makers[name])
                waiting.append(makers[name])
    return needed
