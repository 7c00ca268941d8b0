"""Is an answer unwritten? Reads the learner's own source, and the stubs that the lessons ship."""

import ast
import linecache
from functools import lru_cache
from pathlib import Path

from course_lib.paths import Lesson

Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


def definitions(source: str) -> dict[str, Definition]:
    """The top-level functions and classes of a source by name, the last one of each name; none if it does not parse."""
    try:
        tree = ast.parse(source)
    except SyntaxError:
        return {}
    return {node.name: node for node in tree.body if isinstance(node, Definition)}


def is_exercise(node: Definition) -> bool:
    """Whether a definition wears `@exercise`."""
    return any(isinstance(decorator, ast.Name) and decorator.id == "exercise" for decorator in node.decorator_list)


def stub_sources(lesson: Lesson) -> dict[str, str]:
    """The stub of each exercise of a lesson, as the lesson's source ships it, decorator included."""
    return _stubs(lesson.source, lesson.source.stat().st_mtime_ns)


@lru_cache(maxsize=64)
def _stubs(path: Path, stamp: int) -> dict[str, str]:
    source = path.read_text(encoding="utf-8")
    lines = source.splitlines()
    return {
        name: "\n".join(lines[node.decorator_list[0].lineno - 1 : node.end_lineno])
        for name, node in definitions(source).items()
        if is_exercise(node)
    }


def source_of(name: str, filename: str) -> str:
    """The source of a definition in a cell or file that Python has executed; empty if it is not known."""
    lines = linecache.getlines(filename)
    node = definitions("".join(lines)).get(name)
    if node is None:
        return ""
    first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
    return "".join(lines[first - 1 : node.end_lineno])


def is_unwritten(source: str, stub: str = "") -> bool:
    """Whether an answer is still to be written.

    Args:
        source: the source of the answer, a function or a class; an empty one counts as written.
        stub: what the lesson ships; an answer that equals it, comments aside, is unwritten too (as in a bug hunt).
    """
    node = _first(source)
    if node is None:
        return False
    if stub and _without_decorators(node) == _without_decorators(_first(stub)):
        return True
    return bool(unwritten_parts(source, stub))


def _first(source: str) -> Definition | None:
    return next(iter(definitions(source).values()), None)


def _without_decorators(node: Definition) -> str:
    node.decorator_list = []
    return ast.dump(node)


def unwritten_parts(source: str, stub: str = "") -> list[str]:
    """The functions of an answer whose body is only `...`, `pass` or `raise NotImplementedError`.

    A class with one unwritten method is unwritten as a whole; the result names that method. Where the stub is known,
    only the methods count that it leaves open: others may do nothing on purpose.
    """
    node = _first(source)
    if node is None:
        return []
    if _is_placeholder(node.body):
        return [node.name]
    if not isinstance(node, ast.ClassDef):
        return []
    parts = [part.name for part in node.body if isinstance(part, Definition) and _is_placeholder(part.body)]
    open_in_stub = unwritten_parts(stub) if stub else parts
    return [part for part in parts if part in open_in_stub]


def _is_placeholder(body: list[ast.stmt]) -> bool:
    return all(_says_nothing(statement) for statement in body)


def _says_nothing(statement: ast.stmt) -> bool:
    if isinstance(statement, ast.Raise):
        kind = statement.exc.func if isinstance(statement.exc, ast.Call) else statement.exc
        return isinstance(kind, ast.Name) and kind.id == "NotImplementedError"
    docstring_or_dots = isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
    return isinstance(statement, ast.Pass) or docstring_or_dots
