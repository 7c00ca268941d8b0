"""What a run grades: lessons, their exercises, fresh seeds, and what each worker is told."""

import hashlib
import re
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from course_lib import __version__
from course_lib.errors import CourseError
from course_lib.exercises.excerpts import excerpt
from course_lib.exercises.registry import Exercise, LessonExercises, load_lesson
from course_lib.exercises.stubs import stub_sources
from course_lib.paths import Lesson, lessons

SECONDS_PER_CHECK = 5.0
MORE_TIME = 3  # times as much for an answer that the machine, not the answer, was too slow for


@dataclass(frozen=True)
class Plan:
    """One run's lessons, its seed, and the time limit of a check in seconds."""

    lessons: dict[str, LessonExercises]
    seed: int = field(repr=False)
    seconds: float = SECONDS_PER_CHECK

    @property
    def deadline(self) -> float:
        """Seconds until a worker is ended, whatever it does; the first check that is over time is its last."""
        return 3 * self.seconds + 5

    def read_request(self, filename: str) -> dict[str, Any]:
        """What the worker is told that reads a file."""
        return {"kind": "read", "filename": filename, "names": list(all_exercises()), "deadline": self.deadline}

    def run_request(
        self, exercise: Exercise, cells: list, mentions: set[str], *, patience: float = 1
    ) -> dict[str, Any]:
        """What the worker is told that runs one exercise: nothing of its reference, its mistakes, or another student.

        Args:
            exercise: the exercise.
            cells: the code of the submission, as the reading worker gave it.
            mentions: which exercises the submission's code uses.
            patience: how many times the usual time limits.
        """
        lesson = self.lessons[exercise.lesson]
        return {
            "kind": "run",
            "exercise": exercise.name,
            "names": list(lesson.exercises),
            "stubs": stub_sources(lesson.lesson),
            "cells": cells,
            "checks": _text(lesson.lesson.checks),
            "lent": {name: _reference(lesson.lesson.solutions, name) for name in self.lent(exercise, mentions)},
            "shortcuts": list(exercise.shortcuts),
            "seed": self.seed,
            "seconds": self.seconds * patience,
            "deadline": self.deadline * patience,
        }

    def lent(self, exercise: Exercise, mentions: set[str]) -> list[str]:
        """The other exercises whose references an answer needs: those its scenarios name, and earlier ones it uses.

        What uses the exercise itself is never lent: its worker must not hold the answer, under whatever name.
        """
        lesson = self.lessons[exercise.lesson]
        order = list(lesson.exercises)
        named = {name for check in exercise.checks for name in check.parameters[2:]}
        earlier = set(order[: order.index(exercise.name)])
        return [
            name
            for name in order
            if name in named | (earlier & mentions)
            and not re.search(rf"\b{re.escape(exercise.name)}\b", _reference(lesson.lesson.solutions, name))
        ]


@lru_cache(maxsize=64)
def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8")


@lru_cache(maxsize=256)
def _reference(solutions: Path, name: str) -> str:
    return excerpt(name, _text(solutions))


@lru_cache(maxsize=1)
def all_exercises() -> dict[str, str]:
    """The lesson of every exercise of the course, by the exercise's name."""
    return {name: lesson.name for lesson in lessons() for name in stub_sources(lesson)}


def make_plan(keys: list[str], *, seed: int, seconds: float = SECONDS_PER_CHECK) -> Plan:
    """The plan for these lessons.

    Raises:
        CourseError: there is no such lesson, or it has no exercises.
    """
    found = {}
    for key in keys:
        lesson = load_lesson(key)
        if not lesson.exercises:
            raise CourseError(f"Lesson {lesson.lesson.stem} has no exercises: there is nothing to grade.")
        found[lesson.lesson.name] = lesson
    return Plan(found, seed, seconds)


def lessons_named_in(filenames: list[str]) -> list[str]:
    """The lessons that the files' names speak of, by number."""
    return [lesson.name for lesson in lessons() if any(names_lesson(filename, lesson) for filename in filenames)]


def names_lesson(filename: str, lesson: Lesson) -> bool:
    """Whether a file is called like a lesson: `02_backprop.ipynb`, `backprop-final.ipynb`."""
    return re.search(rf"(^|[^a-z]){re.escape(lesson.name)}([^a-z]|$)", Path(filename).stem.lower()) is not None


def edition_of(plan: Plan) -> str:
    """A fingerprint of all that decides a grade: stubs, references, mistakes and checks of the lessons, the library."""
    digest = hashlib.sha256(__version__.encode())
    for lesson in plan.lessons.values():
        for path in (lesson.lesson.source, lesson.lesson.solutions, lesson.lesson.checks):
            digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def imports_of(plan: Plan) -> list[str]:
    """The modules that the lessons import, so that every worker has them from the start."""
    found = {"numpy", "torch", "matplotlib.pyplot", "course_lib.exercises", "course_lib.plots"}
    for lesson in plan.lessons.values():
        for path in (lesson.lesson.source, lesson.lesson.checks):
            text = path.read_text(encoding="utf-8")
            found |= set(re.findall(r"^\s*(?:from|import) +([\w.]+)", text, re.MULTILINE))
            found |= {f"course_lib.{name}" for name in re.findall(r"^from course_lib import (\w+)", text, re.MULTILINE)}
    return sorted(name for name in found if not name.startswith(("google", "solutions", "tests")))
