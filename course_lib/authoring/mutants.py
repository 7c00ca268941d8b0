"""Small changes to the references, to see whether the checks notice: what survives needs a check or a reason.

The reasons stand in `solutions/equivalent_mutants.toml`, by exercise: `"the change" = "why it changes nothing"`.
"""

import ast
import copy
import inspect
import tomllib
import warnings
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from course_lib.exercises.diagnosis import is_right, known_observation
from course_lib.exercises.registry import Exercise, load_lesson
from course_lib.exercises.scenario import run_scenario
from course_lib.exercises.stubs import Definition
from course_lib.paths import Lesson, lessons

OPERATORS = {ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.FloorDiv: ast.Div}
COMPARISONS = {ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq}
SECONDS = 2.0


@dataclass(frozen=True)
class MutantReport:
    """One mutant: the change, whether a check noticed, and the reason why none has to."""

    exercise: str
    change: str
    killed: bool
    reason: str = ""

    @property
    def problem(self) -> str:
        if self.killed or self.reason:
            return ""
        return f"no check notices {self.change}: add a check, or the reason to solutions/equivalent_mutants.toml"

    @property
    def change_cell(self) -> str:
        return "`" + self.change.replace("|", "\\|") + "`"


def mutant_reports(lesson: Lesson) -> list[MutantReport]:
    """Every mutant of a lesson's references and of the helpers beside them."""
    exercises = load_lesson(lesson.name).exercises
    if not exercises:
        return []
    tree = ast.parse(lesson.solutions.read_text(encoding="utf-8"))
    reasons = _reasons(lesson)
    reports = []
    for name, exercise in exercises.items():
        for change, mutated in mutants_of(tree, _used_by(tree, name, exercises)):
            answer = _build(mutated, exercise)
            killed = answer is None or _is_noticed(exercise, answer)
            reports.append(MutantReport(name, change, killed, reasons.get(name, {}).get(change, "")))
    return reports


def mutants_of(tree: ast.Module, names: set[str]) -> Iterator[tuple[str, ast.Module]]:
    """Every small change within the named definitions, each as a whole changed module with the change in words."""
    seen: Counter[str] = Counter()
    for place, definition in enumerate(tree.body):
        if not isinstance(definition, Definition) or definition.name not in names:
            continue
        lines = _lines_of(definition)
        for number, node in enumerate(ast.walk(definition)):
            for version in range(len(_changes(node))):
                changed = copy.deepcopy(tree)
                target = list(ast.walk(changed.body[place]))[number]
                before = ast.unparse(target)
                _changes(target)[version]()
                ast.fix_missing_locations(changed)
                change = f"{before} → {ast.unparse(target)} in: {lines[node]}"
                seen[change] += 1
                yield change + (f" ({seen[change]})" if seen[change] > 1 else ""), changed


def _lines_of(definition: Definition) -> dict[ast.AST, str]:
    """The first line of the innermost statement around each node."""
    lines: dict[ast.AST, str] = {}
    for statement in ast.walk(definition):  # from the outside in, so that the innermost one is written last
        if isinstance(statement, ast.stmt):
            first = ast.unparse(statement).lstrip("@").splitlines()[0]
            lines |= dict.fromkeys(ast.walk(statement), first)
    return lines


def _changes(node: ast.AST) -> list[Any]:
    """The changes that a node allows, as functions that carry them out in place."""
    if isinstance(node, ast.BinOp) and type(node.op) in OPERATORS:
        other = OPERATORS[type(node.op)]()
        changes = [lambda: setattr(node, "op", other)]
        if isinstance(node.op, ast.Add | ast.Sub):
            changes.append(lambda: _become(node, node.left))
        return changes
    if isinstance(node, ast.AugAssign) and type(node.op) in OPERATORS:
        return [lambda: setattr(node, "op", OPERATORS[type(node.op)]())]
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        return [lambda: _become(node, node.operand)]
    if isinstance(node, ast.Compare) and type(node.ops[0]) in COMPARISONS:
        return [lambda: setattr(node, "ops", [COMPARISONS[type(node.ops[0])](), *node.ops[1:]])]
    if isinstance(node, ast.Constant) and type(node.value) is int:
        return [lambda: setattr(node, "value", node.value + 1), lambda: setattr(node, "value", node.value - 1)]
    if isinstance(node, ast.keyword) and node.arg in ("dim", "axis") and isinstance(node.value, ast.UnaryOp):
        return [lambda: setattr(node, "value", ast.Constant(0))]
    if isinstance(node, ast.Constant) and type(node.value) is bool:
        return [lambda: setattr(node, "value", not node.value)]
    return []


def _become(node: ast.AST, other: ast.AST) -> None:
    node.__class__, node.__dict__ = other.__class__, other.__dict__


def _used_by(tree: ast.Module, name: str, exercises: dict[str, Exercise]) -> set[str]:
    """The reference's definition and the helpers that it calls, other exercises aside."""
    bodies = {node.name: node for node in tree.body if isinstance(node, Definition)}
    wanted, used = [name], set()
    while wanted:
        current = wanted.pop()
        used.add(current)
        called = {node.id for node in ast.walk(bodies[current]) if isinstance(node, ast.Name)}
        wanted += [other for other in called if other in bodies and other not in used and other not in exercises]
    return used


def _build(tree: ast.Module, exercise: Exercise) -> Any:
    """The mutated answer, living beside its mutated helpers; None if it does not even load."""
    kept = [node for node in tree.body if not _is_mistake(node)]
    for node in kept:
        if isinstance(node, Definition):
            node.decorator_list = [d for d in node.decorator_list if "built_without" not in ast.unparse(d)]
    namespace = {"__name__": inspect.getmodule(exercise.reference).__name__}
    try:
        exec(compile(ast.Module(kept, []), "<mutant>", "exec"), namespace)
    except Exception:
        return None
    return namespace[exercise.name]


def _is_mistake(node: ast.stmt) -> bool:
    decorators = getattr(node, "decorator_list", [])
    return any(isinstance(d, ast.Call) and getattr(d.func, "id", "") == "mistake" for d in decorators)


def _is_noticed(exercise: Exercise, answer: Any) -> bool:
    for check in exercise.checks:
        with warnings.catch_warnings():  # a changed number may make layers without channels: the check judges them
            warnings.filterwarnings("ignore", "Initializing zero-element tensors")
            run = run_scenario(check, answer, siblings=exercise.siblings, seconds=SECONDS)
        if is_right(check, run.observation, known_observation(exercise, exercise.reference, check, 0)) is not None:
            return True
    return False


def _reasons(lesson: Lesson) -> dict[str, dict[str, str]]:
    path = lesson.solutions.parent / "equivalent_mutants.toml"
    return tomllib.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


def mutants() -> int:
    """`course mutants`: print the survivors without a reason; 0 if there is none."""
    reports = [report for lesson in lessons() for report in mutant_reports(lesson)]
    for report in reports:
        if report.problem:
            print(f"{report.exercise}: {report.change}")
    print(
        f"{len(reports)} mutants, {sum(report.killed for report in reports)} killed, "
        f"{sum(bool(report.problem) for report in reports)} unexplained."
    )
    return 1 if any(report.problem for report in reports) else 0
