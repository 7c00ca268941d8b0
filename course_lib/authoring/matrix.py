"""The kill matrix: every known mistake must fail a check and be diagnosed as itself. `course matrix` proves it."""

import ast
import inspect
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from course_lib.authoring.mutants import MutantReport, mutant_reports
from course_lib.exercises.diagnosis import known_observation
from course_lib.exercises.judge import compare
from course_lib.exercises.observations import Raised
from course_lib.exercises.registry import Exercise, load_lesson
from course_lib.exercises.shortcuts import resolve
from course_lib.exercises.stubs import definitions, is_unwritten, stub_sources
from course_lib.exercises.verdict import Verdict, examine
from course_lib.paths import Lesson, checkout, lessons, write_atomically

SEEDS = (0, 1, 2)
NUM_MISTAKES = range(4, 9)


@dataclass
class ExerciseReport:
    """What the known mistakes of one exercise do to its checks, and every rule that is broken."""

    exercise: Exercise
    stub: str
    problems: list[str] = field(default_factory=list)

    @cached_property
    def verdicts(self) -> dict[str, list[Verdict]]:
        """Each mistake's verdicts, one for each seed."""
        return {
            name: [examine(self.exercise, mistake.implementation, seed=seed) for seed in SEEDS]
            for name, mistake in self.exercise.mistakes.items()
        }

    def killed(self, name: str) -> bool:
        return all(verdict.state == "wrong" and verdict.failed for verdict in self.verdicts[name])

    def diagnosed(self, name: str) -> bool:
        return all(
            verdict.diagnosis and verdict.diagnosis.certain and verdict.diagnosis.mistake == name
            for verdict in self.verdicts[name]
        )


def report_on(exercise: Exercise, stub: str) -> ExerciseReport:
    """Hold one exercise to the rules; the report lists what is broken, in words for its author."""
    report = ExerciseReport(exercise, stub)
    report.problems = [
        *_reference_problems(exercise),
        *_stub_problems(exercise, stub),
        *_mistake_problems(report),
        *_coincidences(exercise),
        *_idle_checks(report),
    ]
    return report


def _reference_problems(exercise: Exercise) -> list[str]:
    problems = []
    for seed in SEEDS:
        verdict = examine(exercise, exercise.reference, seed=seed)
        problems += [f"the reference fails {name} (seed {seed})" for name in verdict.failed]
        problems += [
            f"the scenario of {check.name} ends in {said.kind}: {said.message}"  # reference and answer would look alike
            for check in exercise.checks
            if isinstance(said := known_observation(exercise, exercise.reference, check, seed), Raised)
        ]
        if verdict.shortcut:
            problems.append(f"the reference itself calls {verdict.shortcut}, which built_without forbids")
    for name in exercise.shortcuts:
        try:
            resolve(name)
        except (LookupError, AttributeError):
            problems.append(f"built_without names {name}, which does not exist")
        except (ImportError, OSError, RuntimeError):
            pass  # its library is here but does not load, as torchaudio beside a later torch: then nobody calls it
    return problems


def _stub_problems(exercise: Exercise, stub: str) -> list[str]:
    if not stub:
        return ["no cell of the lesson holds its stub"]
    problems = [] if is_unwritten(stub, stub) else ["the stub counts as written"]
    namespace = dict(vars(inspect.getmodule(exercise.reference)))
    node = definitions(stub)[exercise.name]
    node.decorator_list = []
    exec(compile(ast.Module([node], []), f"<stub of {exercise.name}>", "exec"), namespace)
    answer = namespace[exercise.name]
    if not examine(exercise, answer).failed:
        problems.append("the untouched stub passes every check")
    for said, kept, expected in _pairs(answer, exercise.reference):
        if str(kept) != str(expected):
            problems.append(f"stub and reference differ in {said}: {kept} and {expected}")
    return problems


def _pairs(stub: Any, reference: Any) -> list[tuple[str, Any, Any]]:
    """What stub and reference have to agree in: signature and docstring, of a class's public methods too."""
    pairs = [
        ("their signature", inspect.signature(stub), inspect.signature(reference)),
        ("their docstring", inspect.getdoc(stub), inspect.getdoc(reference)),
    ]
    if inspect.isclass(stub):
        for name, method in vars(stub).items():
            if inspect.isfunction(method) and (not name.startswith("_") or name == "__init__"):
                other = getattr(reference, name, None)
                kept = (str(inspect.signature(method)), inspect.getdoc(method))
                expected = (str(inspect.signature(other)), inspect.getdoc(other)) if other else "nothing"
                pairs.append((f"the method {name}", kept, expected))
    return pairs


def _mistake_problems(report: ExerciseReport) -> list[str]:
    problems = []
    if len(report.exercise.mistakes) not in NUM_MISTAKES:
        problems.append(f"it has {len(report.exercise.mistakes)} known mistakes; 4 to 8 are wanted")
    for name, verdicts in report.verdicts.items():
        if not report.killed(name):
            problems.append(f"{name} passes every check")
        elif not report.diagnosed(name):
            said = [[(found.mistake, found.certain) for found in verdict.diagnoses] for verdict in verdicts]
            problems.append(f"{name} is not diagnosed as itself, but as {said}")
    return problems


def _coincidences(exercise: Exercise) -> list[str]:
    mistakes = list(exercise.mistakes.values())
    return [
        f"{first.name} and {second.name} coincide: no check tells them apart"
        for index, first in enumerate(mistakes)
        for second in mistakes[index + 1 :]
        if all(_alike(exercise, check, first.implementation, second.implementation) for check in exercise.checks)
    ]


def _alike(exercise: Exercise, check: Any, first: Any, second: Any) -> bool:
    pair = [known_observation(exercise, implementation, check, SEEDS[0]) for implementation in (first, second)]
    return all(leaf.size <= 1 for leaf in compare(*pair, nan_equals_nan=True))


def _idle_checks(report: ExerciseReport) -> list[str]:
    exercise = report.exercise
    return [
        f"the check {check.name} kills no known mistake"
        for check in exercise.checks
        if not any(check.name in verdict.failed for verdicts in report.verdicts.values() for verdict in verdicts)
    ]


def table(report: ExerciseReport) -> str:
    """One exercise's part of the document: mistakes against checks."""
    checks = report.exercise.checks
    lines = [f"### `{report.exercise.name}`", ""]
    lines += [f"{number}. {check.demand}" for number, check in enumerate(checks, 1)]
    lines += ["", "| known mistake | " + " | ".join(str(n) for n in range(1, len(checks) + 1)) + " | diagnosed |"]
    lines.append("| --- |" + " :-: |" * (len(checks) + 1))
    for name, verdicts in report.verdicts.items():
        cells = ["✗" if check.name in verdicts[0].failed else "" for check in checks]
        lines.append(f"| `{name}` | " + " | ".join(cells) + f" | {'yes' if report.diagnosed(name) else '**no**'} |")
    return "\n".join(lines)


@dataclass(frozen=True)
class LessonReport:
    """What was measured of one lesson."""

    lesson: Lesson
    exercises: list[ExerciseReport]
    mutants: list[MutantReport]

    @property
    def problems(self) -> list[str]:
        orphans = set(stub_sources(self.lesson)) - {report.exercise.name for report in self.exercises}
        return [
            *[f"{self.lesson.name}: the exercise {name} has no checks" for name in sorted(orphans)],
            *[f"{report.exercise.name}: {problem}" for report in self.exercises for problem in report.problems],
            *[f"{mutant.exercise}: {mutant.problem}" for mutant in self.mutants if mutant.problem],
        ]


def measure(lesson: Lesson) -> LessonReport:
    """Run every known mistake and every mutant of one lesson."""
    stubs = stub_sources(lesson)
    exercises = load_lesson(lesson.name).exercises.items()
    reports = [report_on(exercise, stubs.get(name, "")) for name, exercise in exercises]
    return LessonReport(lesson, reports, mutant_reports(lesson))


def document(measured: list[LessonReport]) -> str:
    """The text of docs/kill_matrix.md."""
    parts = ["# Kill matrix", "", INTRODUCTION]
    for report in measured:
        tables = [table(own) + "\n" for own in report.exercises]
        parts += [f"## {report.lesson.stem}", "", *tables, mutant_table(report.mutants)]
    return "\n".join([*parts, summary(measured), ""])


def summary(measured: list[LessonReport]) -> str:
    """The counts, in one line."""
    reports = [own for report in measured for own in report.exercises]
    names = [(own, name) for own in reports for name in own.exercise.mistakes]
    killed = sum(own.killed(name) for own, name in names)
    diagnosed = sum(own.diagnosed(name) for own, name in names)
    return f"{len(reports)} exercises, {len(names)} mistakes, {killed} killed, {diagnosed} diagnosed."


def matrix() -> int:
    """`course matrix`: write docs/kill_matrix.md; 0 only if every mistake is diagnosed, every rule kept."""
    measured = [measure(lesson) for lesson in lessons()]
    write_atomically(checkout() / "docs" / "kill_matrix.md", document(measured))
    problems = [problem for report in measured for problem in report.problems]
    print(*problems, summary(measured), sep="\n")
    return 1 if problems else 0


INTRODUCTION = """By `course matrix`. Rows are known mistakes, columns are the checks as numbered above each table;
✗ marks a check that the mistake fails. Below each lesson stand the small changes to the references (a flipped sign, a
dropped term, another axis, one more or less) that no check notices, and why none has to.
"""


def mutant_table(mutants: list[MutantReport]) -> str:
    """How many mutants of a lesson's references were killed, and the survivors with the reason."""
    survivors = [mutant for mutant in mutants if not mutant.killed]
    lines = [f"Mutants of the references: {len(mutants)}, killed {len(mutants) - len(survivors)}.", ""]
    if survivors:
        lines += ["| survivor | why it is no mistake |", "| --- | --- |"]
        lines += [
            f"| `{mutant.exercise}`: {mutant.change_cell} | {mutant.reason or '**none given**'} |"
            for mutant in survivors
        ]
    return "\n".join([*lines, ""])
