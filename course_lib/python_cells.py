"""The code of a learner's notebook or Python file, cell by cell, as plain Python."""

import ast
import linecache
import re
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from IPython.core.inputtransformer2 import TransformerManager
from nbformat import NotebookNode

from course_lib.copies import read_notebook, tags
from course_lib.errors import CourseError
from course_lib.exercises.stubs import Definition

PERCENT = re.compile(r"^# ?%%+(| .*)$", re.MULTILINE)
FIRST_WORDS = re.compile(r"^(?:async +def|def|class) +(\w+)", re.MULTILINE)
MAGICS_THAT_RUN_THE_CELL = ("%%time", "%%capture", "%%prun")


@dataclass(frozen=True)
class PythonCell:
    """One code cell.

    Attributes:
        filename: what tracebacks call it.
        source: as it was typed.
        tags: its tags.
        first_line: where its source begins in the file, from 1.
    """

    filename: str
    source: str
    tags: tuple[str, ...] = ()
    first_line: int = 1

    def parse(self) -> ast.Module:
        """The cell's Python, with the line numbers of the file; what only IPython understands has become `pass`.

        Raises:
            SyntaxError: its `lineno` counts within the cell.
        """
        tree = _WithoutMagics().visit(ast.parse(plain_python(self.source), self.filename))
        return ast.increment_lineno(tree, self.first_line - 1)

    def source_of(self, node: Definition) -> str:
        """The source of one of the definitions in `parse()`, decorators included."""
        first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
        lines = plain_python(self.source).splitlines()
        return "\n".join(lines[first - self.first_line : node.end_lineno - self.first_line + 1])

    def place(self, line: int) -> str:
        """A place in it, for a person."""
        return f"{Path(self.filename).name}, line {line}"


def read_cells(path: Path) -> list[PythonCell]:
    """The code cells of a notebook (.ipynb) or of a Python file (.py, in percent format or plain, which is one cell).

    Raises:
        CourseError: the file can't be read or is neither.
    """
    if path.suffix == ".ipynb":
        return [
            _notebook_cell(f"{path.name} cell {number}", cell)
            for number, cell in enumerate(read_notebook(path).cells, start=1)
            if cell.cell_type == "code"
        ]
    if path.suffix != ".py":
        raise CourseError(f"{path} is neither a notebook (.ipynb) nor a Python file (.py).")
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise CourseError(f"{path} can't be read: {error}.") from error
    return _percent_cells(path, text)


def _notebook_cell(filename: str, cell: NotebookNode) -> PythonCell:
    text = plain_python(cell.source)
    linecache.cache[filename] = (len(text), None, text.splitlines(keepends=True), filename)  # for tracebacks
    return PythonCell(filename, cell.source, tuple(tags(cell)))


def _percent_cells(path: Path, text: str) -> list[PythonCell]:
    marks = list(PERCENT.finditer(text))
    headers = ["", *(mark[1] for mark in marks)]
    begins, ends = [0, *(mark.end() for mark in marks)], [*(mark.start() for mark in marks), len(text)]
    cells = []
    for header, begin, end in zip(headers, begins, ends, strict=True):
        if not re.search(r"\[(markdown|md|raw)\]", header):
            tagged = re.search(r"tags=\[(.*?)\]", header)
            names = re.findall(r"[\w-]+", tagged[1]) if tagged else []
            cells.append(PythonCell(str(path), text[begin:end], tuple(names), text.count("\n", 0, begin) + 1))
    return cells


def plain_python(source: str) -> str:
    """Translate a cell as IPython would: magics and shell lines become calls of `get_ipython()`, on the same lines.

    A cell that is not Python at all (`%%bash`) becomes empty; what can't be translated stays as it is.
    """
    source = source.replace("\0", "")  # with one of these Python's parser gives up altogether
    lines = source.splitlines()
    start = _first_written(lines)
    if start < len(lines) and lines[start].startswith("%%"):
        if lines[start].split()[0] not in MAGICS_THAT_RUN_THE_CELL:
            return ""
        lines[start] = ""
        start = _first_written(lines)
    try:
        return "\n" * start + TransformerManager().transform_cell("\n".join(lines))  # which drops the blank lines above
    except (SyntaxError, RuntimeError):
        return source


def _first_written(lines: list[str]) -> int:
    return next((number for number, line in enumerate(lines) if line.strip()), len(lines))


def definitions_in(source: str) -> dict[str, Definition | None]:
    """The functions and classes that a cell defines, by name.

    Where Python can't read the cell, a function is known by its first lines alone, with a body that returns; None
    stands for a class, and for a function whose first lines are unreadable too.
    """
    try:
        tree = ast.parse(plain_python(source))
    except SyntaxError:
        return {match[1]: _first_lines(source[match.start() :]) for match in FIRST_WORDS.finditer(source)}
    return {node.name: node for node in tree.body if isinstance(node, Definition)}


def _first_lines(source: str) -> Definition | None:
    """The `def` of a half-typed answer: it tells how the function is called."""
    lines = source.splitlines()
    for count in range(1, min(len(lines), 12) + 1):
        with suppress(SyntaxError):
            node = ast.parse("\n".join(lines[:count]) + " return").body[0]
            return None if isinstance(node, ast.ClassDef) else node
    return None


class _WithoutMagics(ast.NodeTransformer):
    def visit(self, node: ast.AST) -> ast.AST:
        if isinstance(node, ast.Expr | ast.Assign) and _asks_ipython(node.value):
            return ast.copy_location(ast.Pass(), node)
        return self.generic_visit(node)


def _asks_ipython(value: ast.expr) -> bool:
    """Whether this is what IPython makes of a magic or a shell line: `get_ipython().something(...)`."""
    caller = value.func.value if isinstance(value, ast.Call) and isinstance(value.func, ast.Attribute) else None
    return isinstance(caller, ast.Call) and isinstance(caller.func, ast.Name) and caller.func.id == "get_ipython"
