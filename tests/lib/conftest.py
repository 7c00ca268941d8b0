"""A tiny course of its own for these tests, and a place of their own for what they leave behind."""

from pathlib import Path

import pytest
from hypothesis import settings

from course_lib.exercises.registry import Exercise, find_exercise
from course_lib.exercises.verdict import Verdict, examine

settings.register_profile("course", deadline=None, derandomize=True, database=None)  # no luck, no clock
settings.load_profile("course")

TINY_COURSE = Path(__file__).parent / "tiny_course"


@pytest.fixture
def tiny_course(monkeypatch, tmp_path):
    """The tiny course's folder; progress goes into a temporary one."""
    monkeypatch.setenv("COURSE_CHECKOUT", str(TINY_COURSE))
    monkeypatch.setenv("COURSE_STATE", str(tmp_path / "state"))
    return TINY_COURSE


@pytest.fixture
def known(tiny_course):
    """`known("softmax")` is that exercise of the tiny course."""

    def find(name: str) -> Exercise:
        return find_exercise(name)

    return find


@pytest.fixture
def verdict(tiny_course):
    """`verdict(answer)` examines an answer to the exercise whose name it has."""

    def on(answer, **options) -> Verdict:
        return examine(find_exercise(answer.__name__), answer, **options)

    return on
