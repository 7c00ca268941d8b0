"""What happens inside a worker: a notebook is read, or one exercise's scenarios run beside the learner's code.

Nothing here is trusted afterwards. Whatever a learner's code does to this process, it only changes what is observed.
"""

import ast
import hashlib
import linecache
import tempfile
from pathlib import Path
from types import ModuleType
from typing import Any

import nbformat.v4
import torch

from course_lib.copies import course_metadata
from course_lib.errors import CourseError
from course_lib.execution import execute
from course_lib.exercises.declare import Check
from course_lib.exercises.observations import OutOfTime
from course_lib.exercises.scenario import Run, run_scenario
from course_lib.exercises.shortcuts import shortcut_used
from course_lib.exercises.stubs import Definition, is_exercise, is_unwritten, unwritten_parts
from course_lib.grading.packing import pack
from course_lib.grading.signatures import describe_signature
from course_lib.python_cells import PythonCell, definitions_in, plain_python, read_cells

MAX_SOURCE = 2 * 2**20  # characters of code in one notebook
WORTH_A_LOOK = {"setprofile", "settrace", "_getframe", "ctypes", "get_objects", "get_referrers", "__subclasses__"}


def work(request: dict[str, Any], blob: bytes) -> tuple[dict[str, Any], bytes]:
    """Do what a request asks for; the answer is a header and raw bytes."""
    torch.set_num_threads(1)
    if request["kind"] == "read":
        return read(request, blob), b""
    return run(request)


def read(request: dict[str, Any], blob: bytes) -> dict[str, Any]:
    """The cells of a notebook or Python file, and what can be said of its answers without executing any of it."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / request["filename"]
        path.write_bytes(blob)
        try:
            cells = read_cells(path)
        except CourseError as error:
            return {"error": str(error).replace(str(path), request["filename"])}
    if sum(len(cell.source) for cell in cells) > MAX_SOURCE:
        return {"error": f"{request['filename']} holds more than {MAX_SOURCE:,} characters of code."}
    names = set(request["names"])
    return {
        "cells": [[Path(cell.filename).name, cell.source, list(cell.tags), cell.first_line] for cell in cells],
        "lesson": _lesson(blob) if path.suffix == ".ipynb" else "",
        "answers": _answers(cells, names),
        "mentions": sorted(_mentions(cells, names)),
        "look": sorted(_mentions(cells, WORTH_A_LOOK)),
    }


def _lesson(blob: bytes) -> str:
    """The lesson that a notebook says it is."""
    name = course_metadata(nbformat.v4.reads_json(blob.decode("utf-8-sig"))).get("lesson")
    return name if isinstance(name, str) else ""


def _answers(cells: list[PythonCell], names: set[str]) -> dict[str, dict[str, Any]]:
    """Each exercise that is defined somewhere, with a fingerprint that forgives renaming and comments."""
    found: dict[str, tuple[bool, Definition | None]] = {}
    for cell in cells:
        for name, node in definitions_in(cell.source).items():
            if name in names:
                marked = "exercise" in cell.tags or (node is not None and is_exercise(node))
                if marked or not found.get(name, (False, None))[0]:
                    found[name] = (marked, node)
    return {name: _fingerprint(node) for name, (_, node) in found.items()}


def _fingerprint(node: Definition | None) -> dict[str, Any]:
    if node is None:
        return {"fingerprint": "", "size": 0}
    text = normalized(node)
    return {"fingerprint": hashlib.sha256(text.encode()).hexdigest()[:16], "size": sum(1 for _ in ast.walk(node))}


def normalized(node: Definition) -> str:
    """A definition's structure, with its own names numbered, and without docstring, decorators and annotations."""
    node.decorator_list, numbers = [], {}
    for part in ast.walk(node):
        if isinstance(part, Definition) and ast.get_docstring(part, clean=False) is not None:
            part.body = part.body[1:] or [ast.Pass()]
        if isinstance(part, ast.FunctionDef | ast.AsyncFunctionDef):
            part.returns = None
        if isinstance(part, ast.arg):
            part.annotation = None
            numbers.setdefault(part.arg, f"v{len(numbers)}")
        if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store):
            numbers.setdefault(part.id, f"v{len(numbers)}")
    for part in ast.walk(node):
        if isinstance(part, ast.Name):
            part.id = numbers.get(part.id, part.id)
        if isinstance(part, ast.arg):
            part.arg = numbers[part.arg]
    return ast.dump(node)


def _mentions(cells: list[PythonCell], names: set[str]) -> set[str]:
    """Which of these names the notebook's definitions use, other than by defining them."""
    used = set()
    for cell in cells:
        try:
            tree = ast.parse(plain_python(cell.source))
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            continue
        for statement in tree.body:
            if isinstance(statement, Definition | ast.Import | ast.ImportFrom):
                used |= {name for part in ast.walk(statement) for name in _names_in(part)}
    return used & names


def _names_in(part: ast.AST) -> list[str]:
    if isinstance(part, ast.Name):
        return [part.id]
    if isinstance(part, ast.Attribute):
        return [part.attr]
    return [part.name.partition(".")[0]] if isinstance(part, ast.alias) else []


def run(request: dict[str, Any]) -> tuple[dict[str, Any], bytes]:
    """Execute a notebook's answers, and run one exercise's scenarios on its answer."""
    name, stub = request["exercise"], request["stubs"].get(request["exercise"], "")
    lent = {each: _lend(each, source) for each, source in request["lent"].items()}
    answers = execute(
        [_cell(*parts) for parts in request["cells"]],
        names=set(request["names"]),
        references=lent,
        stubs=request["stubs"],
    )
    header: dict[str, Any] = {"remarks": answers.remarks[:20]}
    if name in answers.broken:
        return {**header, "state": "broken", "why": answers.broken[name]}, b""
    if name not in answers.found:
        return {**header, "state": "missing"}, b""
    answer = answers.found[name]
    if is_unwritten(answer.source, stub):
        return {**header, "state": "unwritten", "parts": unwritten_parts(answer.source, stub)}, b""
    header |= {"state": "answered", "signature": describe_signature(answer.implementation)}
    checks = _checks(request["checks"], name)
    runs, blob = _run_all(checks, answer.implementation, lent, request)
    if runs and not _timed_out(runs):
        header["shortcut"] = _shortcut(checks, answer.implementation, lent, request)
    return {**header, "runs": runs}, blob


def _cell(filename: str, source: str, tags: list[str], first_line: int) -> PythonCell:
    before = linecache.cache[filename][2] if filename in linecache.cache else []  # other cells of the same file
    before += ["\n"] * (first_line - 1 - len(before))
    lines = before[: first_line - 1] + plain_python(source).splitlines(keepends=True)
    linecache.cache[filename] = (sum(map(len, lines)), None, lines, filename)  # for tracebacks
    return PythonCell(filename, source, tuple(tags), first_line)


def _lend(name: str, source: str) -> Any:
    module = ModuleType(f"lent_{name}")
    exec(compile(source, f"<{name}>", "exec", dont_inherit=True), vars(module))
    return vars(module)[name]


def _checks(source: str, exercise: str) -> list[Check]:
    module = ModuleType("course_checks")
    exec(compile(source, "<checks>", "exec", dont_inherit=True), vars(module))
    checks = [value for value in vars(module).values() if isinstance(value, Check)]
    return [check for check in checks if check.exercise == exercise]


def _run_all(
    checks: list[Check], implementation: Any, lent: dict[str, Any], request: dict[str, Any]
) -> tuple[list[dict[str, Any]], bytes]:
    runs, blob = [], b""
    for check in checks:
        seen = _scenario(check, implementation, lent, request)
        tree, numbers = pack(seen.observation)
        runs.append({"check": check.name, "observation": tree, "calls": seen.calls, "printed": seen.printed})
        blob += numbers
        if isinstance(seen.observation, OutOfTime):
            break
    return runs, blob


def _timed_out(runs: list[dict[str, Any]]) -> bool:
    return isinstance(runs[-1]["observation"], dict) and "out_of_time" in runs[-1]["observation"]


def _scenario(check: Check, implementation: Any, lent: dict[str, Any], request: dict[str, Any]) -> Run:
    return run_scenario(
        check, implementation, siblings=lent, seed=request["seed"], seconds=request["seconds"], raw=True
    )


def _shortcut(checks: list[Check], implementation: Any, lent: dict[str, Any], request: dict[str, Any]) -> str | None:
    if not request["shortcuts"]:
        return None

    def run_again() -> None:
        for check in checks:
            _scenario(check, implementation, lent, request)

    return shortcut_used(tuple(request["shortcuts"]), run_again, answer=implementation, others=lent.values())
