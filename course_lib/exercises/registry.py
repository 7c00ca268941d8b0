"""Every exercise with its reference, its checks, its known mistakes and its forbidden shortcuts."""

import importlib.util
import inspect
import re
import sys
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from types import ModuleType
from typing import Any

from course_lib.errors import CourseError, what_was_meant
from course_lib.exercises.declare import Check, Mistake
from course_lib.paths import Lesson, find_lesson, lessons


@dataclass(frozen=True)
class Exercise:
    """One exercise of a lesson and all that is known about it."""

    name: str
    lesson: str
    reference: Any
    checks: list[Check]
    siblings: dict[str, Any]
    mistakes: dict[str, Mistake] = field(default_factory=dict)
    shortcuts: tuple[str, ...] = ()


@dataclass(frozen=True)
class LessonExercises:
    """The exercises of one lesson, in the order of their checks."""

    lesson: Lesson
    exercises: dict[str, Exercise]


def load_lesson(key: str) -> LessonExercises:
    """Load the exercises of a lesson from `solutions/NAME.py` and `tests/exercises/NAME.py`.

    Raises:
        CourseError: there is no such lesson, or a check or mistake belongs to nothing.
    """
    lesson = find_lesson(key)
    stamps = tuple(path.stat().st_mtime_ns if path.exists() else 0 for path in (lesson.solutions, lesson.checks))
    return _load(lesson, lesson.source.parent, stamps)


def find_exercise(name: str) -> Exercise:
    """The exercise of this name; names are unique over the whole course.

    Raises:
        CourseError: no lesson has such an exercise; the message names a similar one, or all.
    """
    pattern = re.compile(rf"^(?:def|class) {re.escape(name)}\b", re.MULTILINE)
    for lesson in lessons():
        if lesson.solutions.exists() and pattern.search(lesson.solutions.read_text(encoding="utf-8")):
            exercises = load_lesson(lesson.name).exercises
            if name in exercises:
                return exercises[name]
    there = [other for lesson in lessons() for other in load_lesson(lesson.name).exercises]
    meant = what_was_meant(name, there, kind="exercises")
    raise CourseError(f"There is no exercise called '{name}'. {meant} An exercise keeps the name that it came with.")


@lru_cache(maxsize=64)
def _load(lesson: Lesson, folder: Path, stamps: tuple[int, ...]) -> LessonExercises:
    if not lesson.solutions.exists() or not lesson.checks.exists():
        return LessonExercises(lesson, {})
    solutions = _import(lesson.solutions, f"course_solutions_{lesson.name}")
    checks = [
        value
        for value in vars(_import(lesson.checks, f"course_checks_{lesson.name}")).values()
        if isinstance(value, Check)
    ]
    mistakes = [
        value.__dict__["known_mistake"]
        for value in vars(solutions).values()
        if (inspect.isfunction(value) or inspect.isclass(value)) and "known_mistake" in value.__dict__
    ]
    names = list(dict.fromkeys(check.exercise for check in checks))
    _refuse_loose_ends(lesson, checks, mistakes, solutions)
    references = {name: getattr(solutions, name) for name in names}
    return LessonExercises(
        lesson,
        {
            name: Exercise(
                name,
                lesson.name,
                reference,
                checks=[check for check in checks if check.exercise == name],
                siblings={other: value for other, value in references.items() if other != name},
                mistakes={mistake.name: mistake for mistake in mistakes if mistake.of == name},
                shortcuts=reference.__dict__.get("built_without", ()),
            )
            for name, reference in references.items()
        },
    )


def _refuse_loose_ends(lesson: Lesson, checks: list[Check], mistakes: list[Mistake], solutions: ModuleType) -> None:
    """A check needs a reference and siblings that exist, a mistake an exercise that is checked."""
    names = {check.exercise for check in checks}
    for check in checks:
        strange = [
            name for name in (check.exercise, *check.parameters[2:]) if name not in names & vars(solutions).keys()
        ]
        if strange:
            raise CourseError(
                f"{lesson.checks.name}: {check.name} wants {', '.join(strange)}, which {lesson.solutions.name} lacks. "
                "A scenario's parameters are the exercise, `draw`, and sibling exercises by name."
            )
    for mistake in mistakes:
        if mistake.of not in names:
            raise CourseError(
                f"{lesson.solutions.name}: {mistake.name} is a mistake of {mistake.of}, which has no checks in "
                f"{lesson.checks.name}."
            )


def _import(path: Path, name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # classes and pickles look themselves up there
    spec.loader.exec_module(module)
    return module
