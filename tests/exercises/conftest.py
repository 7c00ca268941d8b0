"""Collects every check as a test: of the reference, or with `--impl FILE` of the answers in a notebook or Python file.

pytest tests/exercises
pytest tests/exercises/backprop.py --impl workbook/02_backprop.ipynb
"""

from pathlib import Path

import pytest

from course_lib.exercises.diagnosis import diagnose, is_right, known_observation
from course_lib.exercises.registry import Exercise, load_lesson
from course_lib.exercises.scenario import run_scenario
from course_lib.exercises.stubs import is_unwritten, stub_sources
from course_lib.exercises.verdict import signature_problem
from course_lib.paths import find_lesson, lessons


def pytest_addoption(parser):
    parser.addoption("--impl", metavar="FILE", help="check the answers in this notebook or Python file")


def pytest_collect_file(file_path, parent):
    if file_path in [lesson.checks for lesson in lessons()]:
        return CheckFile.from_parent(parent, path=file_path)
    return None


class CheckFile(pytest.File):
    """The checks of one lesson."""

    def collect(self):
        answers = self._answers()
        for name, exercise in load_lesson(self.path.stem).exercises.items():
            for check in exercise.checks:
                item = CheckItem.from_parent(self, name=f"{name}::{check.name}")
                item.exercise, item.check, item.answer = exercise, check, answers[name]
                yield item

    def _answers(self):
        exercises = load_lesson(self.path.stem).exercises
        impl = self.config.getoption("--impl", default=None)
        if not impl:
            return {name: exercise.reference for name, exercise in exercises.items()}
        from course_lib.answers import read_answers

        lesson = find_lesson(self.path.stem)
        stubs, found = stub_sources(lesson), read_answers(lesson, Path(impl)).answers
        return {
            name: found[name].implementation
            if name in found and not is_unwritten(found[name].source, stubs.get(name, ""))
            else None
            for name in exercises
        }


class CheckItem(pytest.Item):
    """One check on one answer."""

    exercise: Exercise

    def runtest(self):
        if self.answer is None:
            pytest.fail(f"{self.exercise.name} is unwritten", pytrace=False)
        problem = signature_problem(self.exercise, self.answer)
        run = None if problem else run_scenario(self.check, self.answer, siblings=self.exercise.siblings)
        if run is not None:
            expected = known_observation(self.exercise, self.exercise.reference, self.check, 0)
            problem = is_right(self.check, run.observation, expected)
        if problem:
            pytest.fail(f"{self.check.demand}: {problem}\n{self._hints()}", pytrace=False)

    def _hints(self):
        """The diagnosis needs all checks of the exercise, so it is made when one has failed."""
        observed = {
            check.name: run_scenario(check, self.answer, siblings=self.exercise.siblings).observation
            for check in self.exercise.checks
        }
        return "\n".join(
            found.hint if found.certain else f"Perhaps: {found.hint}"
            for found in diagnose(self.exercise, observed, seed=0)
        )

    def reportinfo(self):
        return self.path, 0, f"{self.path.stem}::{self.name}"
