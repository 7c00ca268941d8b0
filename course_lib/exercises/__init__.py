"""Exercises: from the learner's cell to a card. Authors declare checks and mistakes; notebooks say `@exercise`."""

from course_lib.exercises.declare import built_without, check, mistake, raises
from course_lib.exercises.draw import Draw
from course_lib.exercises.kernel import borrow, collecting, exercise

__all__ = ["Draw", "borrow", "built_without", "check", "collecting", "exercise", "mistake", "raises"]
