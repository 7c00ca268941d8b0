"""Read a learner's answers from their notebook or Python file, executing no more of it than that takes.

Executed are imports, definitions, literal assignments, cells tagged `setup`, and exercise cells down to their answer.
"""

import __future__

import ast
import contextlib
import os
import sys
import traceback
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

from course_lib.exercises import collecting, exercise
from course_lib.exercises.kernel import Answer
from course_lib.exercises.registry import LessonExercises
from course_lib.exercises.stubs import Definition, is_exercise, is_unwritten, stub_sources
from course_lib.exercises.timelimit import TimeIsUp, time_limit
from course_lib.python_cells import PythonCell, definitions_in, plain_python, read_cells

MODULE = "learners_answers"
SECONDS_PER_STATEMENT = 60.0


@dataclass
class Answers:
    """What was found.

    Attributes:
        found: the answers by the exercise's name.
        broken: for each answer that could not even be defined, why, in words for the learner.
        remarks: what else did not work, such as an import that failed, with its place.
    """

    found: dict[str, Answer] = field(default_factory=dict)
    broken: dict[str, str] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)


def read_answers(path: Path, lesson: LessonExercises) -> Answers:
    """Find the answers to a lesson's exercises in a notebook or Python file.

    An answer is the last definition of that name that is decorated or in an exercise cell, else the last one at all.

    Args:
        path: a notebook (.ipynb) or Python file (.py).
        lesson: the lesson and its exercises.

    Raises:
        CourseError: the file can't be read.
    """
    cells = read_cells(path.resolve())
    references = {name: known.reference for name, known in lesson.exercises.items()}
    with _beside(path.resolve()):
        return execute(cells, names=set(references), references=references, stubs=stub_sources(lesson.lesson))


def execute(cells: list[PythonCell], *, names: set[str], references: dict[str, Any], stubs: dict[str, str]) -> Answers:
    """Execute as much of these cells as their answers need, and find the answers.

    Args:
        cells: the code of a notebook, in order.
        names: the exercises of the lesson.
        references: what stands in, by name, for an exercise that is still unwritten; there need not be one for each.
        stubs: what the lesson ships, by the exercise's name.
    """
    execution = _Execution(names, references, stubs)
    with collecting(), silence():
        for cell in cells:
            execution.run_cell(cell)
    return execution.answers


class _Execution:
    """A namespace like a fresh kernel's, and what was found in it."""

    def __init__(self, names: set[str], references: dict[str, Any], stubs: dict[str, str]):
        self.answers = Answers()
        self._names, self._references, self._stubs = names, references, stubs
        self._marked: set[str] = set()  # exercises with an answer that is decorated or in an exercise cell
        self._future = 0  # what `from __future__ import ...` switched on
        module = ModuleType(MODULE)
        module.exercise = exercise
        sys.modules[MODULE] = module  # where dataclasses and pickles look for it
        self._namespace = vars(module)

    def run_cell(self, cell: PythonCell) -> None:
        try:
            statements = cell.parse().body
        except SyntaxError as error:
            self._note_syntax_error(cell, error)
            return
        for number, statement in enumerate(statements):
            until_the_answer = "exercise" in cell.tags and any(map(self._is_answer, statements[number:]))
            if is_listed(statement) or "setup" in cell.tags or until_the_answer:
                self._run(statement, cell)

    def _run(self, statement: ast.stmt, cell: PythonCell) -> None:
        try:
            if isinstance(statement, ast.ImportFrom) and statement.module == "__future__":
                self._future |= sum(getattr(__future__, alias.name).compiler_flag for alias in statement.names)
            code = compile(ast.Module([statement], []), cell.filename, "exec", self._future, dont_inherit=True)
            with time_limit(SECONDS_PER_STATEMENT):
                exec(code, self._namespace)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # whatever it is: the learner's other answers shall be checked
            self._note_failure(statement, cell, error)
        else:
            if self._is_answer(statement):
                self._keep(statement, cell)

    def _is_answer(self, statement: ast.stmt) -> bool:
        return isinstance(statement, Definition) and statement.name in self._names

    def _keep(self, node: Definition, cell: PythonCell) -> None:
        source = cell.source_of(node)
        if self._counts(node.name, is_exercise(node) or "exercise" in cell.tags):
            self.answers.found[node.name] = Answer(self._namespace[node.name], source)
            self.answers.broken.pop(node.name, None)
        if node.name in self._references and is_unwritten(source, self._stubs.get(node.name, "")):
            self._namespace[node.name] = self._references[node.name]  # as in the kernel, it stands in

    def _break(self, name: str, why: str, *, is_marked: bool) -> None:
        if self._counts(name, is_marked):
            self.answers.broken[name] = why
            self.answers.found.pop(name, None)

    def _counts(self, name: str, is_marked: bool) -> bool:
        """Whether this definition is the answer so far: a draft elsewhere doesn't replace a marked one."""
        if is_marked:
            self._marked.add(name)
        return is_marked or name not in self._marked

    def _note_failure(self, statement: ast.stmt, cell: PythonCell, error: BaseException) -> None:
        frames = traceback.extract_tb(error.__traceback__)
        own_lines = [frame.lineno for frame in frames if frame.filename == cell.filename]
        place = cell.place(own_lines[-1] if own_lines else statement.lineno)
        what = f"{type(error).__name__}: {str(error).partition(chr(10))[0]}"
        if isinstance(error, TimeIsUp):
            what = f"stopped after {SECONDS_PER_STATEMENT:g} s"
        if self._is_answer(statement):
            marked = is_exercise(statement) or "exercise" in cell.tags
            self._break(statement.name, f"Python can't define it. {place}: {what}", is_marked=marked)
        else:
            self.answers.remarks.append(f"{place}: {what}")

    def _note_syntax_error(self, cell: PythonCell, error: SyntaxError) -> None:
        number = error.lineno or 1  # its text is that of another line where the cell begins within a file
        line = plain_python(cell.source).splitlines()[number - 1 : number]
        why = f"Python can't read it. {cell.place(number + cell.first_line - 1)}: {error.msg}: {''.join(line).strip()}"
        names = [name for name in definitions_in(cell.source) if name in self._names]
        for name in names:
            self._break(name, why, is_marked="exercise" in cell.tags or "@exercise" in cell.source)
        if not names:
            self.answers.remarks.append(why)


def is_listed(statement: ast.stmt) -> bool:
    """Whether a statement is executed wherever it stands: an import (or a `try` of one), a definition, a literal."""
    if isinstance(statement, ast.Try):
        parts = [*statement.body, *statement.orelse, *statement.finalbody]
        parts += [part for handler in statement.handlers for part in handler.body]
        return all(is_listed(part) for part in parts)
    if isinstance(statement, ast.Assign):
        return all(map(_is_name, statement.targets)) and _is_literal(statement.value)
    if isinstance(statement, ast.AnnAssign):
        return _is_name(statement.target) and statement.value is not None and _is_literal(statement.value)
    return isinstance(statement, ast.Import | ast.ImportFrom | ast.Pass | Definition)


def _is_name(target: ast.expr) -> bool:
    if isinstance(target, ast.Tuple | ast.List):
        return all(map(_is_name, target.elts))
    return isinstance(target, ast.Name)


def _is_literal(value: ast.expr) -> bool:
    try:
        ast.literal_eval(value)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return False
    return True


@contextlib.contextmanager
def silence() -> Iterator[None]:
    """Nothing that is printed inside reaches standard output, not even from below Python; `input()` finds nothing."""
    sys.stdout.flush()
    standard_output, standard_input = os.dup(1), sys.stdin
    with open(os.devnull, "r+") as nothing, contextlib.redirect_stdout(nothing), contextlib.redirect_stderr(nothing):
        os.dup2(nothing.fileno(), 1)
        sys.stdin = nothing
        try:
            yield
        finally:
            sys.stdin = standard_input
            os.dup2(standard_output, 1)
            os.close(standard_output)


@contextlib.contextmanager
def _beside(path: Path) -> Iterator[None]:
    """As in a kernel, modules in the folder of the notebook can be imported."""
    sys.path.insert(0, str(path.parent))
    try:
        yield
    finally:
        sys.path.remove(str(path.parent))
