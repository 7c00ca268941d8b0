"""One definition of a file with all that it needs from the rest of that file."""

import ast
import builtins

from course_lib.exercises.stubs import Definition


def excerpt(name: str, source: str) -> str:
    """A definition, and the imports, constants and helpers of its file that it uses, as a program of its own.

    Docstrings and decorators are left out.

    Args:
        name: a function or class that the source defines at its top.
        source: the text of the file.

    Raises:
        KeyError: it defines no such thing.
    """
    body = ast.parse(source).body
    makers = {made: statement for statement in body for made in names_made(statement)}
    wanted = makers[name]
    wanted.decorator_list = []
    needed = needed_by(wanted, makers, known={name})
    kept = [statement for statement in body if statement in needed]
    program = ast.Module([*kept, wanted], [])
    for part in ast.walk(program):
        if isinstance(part, Definition) and ast.get_docstring(part, clean=False) is not None:
            part.body = part.body[1:] or [ast.Pass()]
    return ast.unparse(program)


def names_made(statement: ast.stmt) -> list[str]:
    """The names that a statement at the top of a file brings into being."""
    if isinstance(statement, Definition):
        return [statement.name]
    if isinstance(statement, ast.Import | ast.ImportFrom):
        return [alias.asname or alias.name.partition(".")[0] for alias in statement.names]
    return [node.id for node in ast.walk(statement) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)]


def needed_by(node: ast.AST, makers: dict[str, ast.stmt], *, known: set[str]) -> set[ast.stmt]:
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
