"""What each exercise is worth: from one file, or one point each."""

import tomllib
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path

from course_lib.errors import CourseError
from course_lib.grading import WEIGHTS_EXAMPLE
from course_lib.grading.plan import all_exercises
from course_lib.paths import lessons


@dataclass(frozen=True)
class Weights:
    """Points by exercise.

    Attributes:
        points: for the exercises that the file names.
        default: for all others.
        shortcut: the share of the points for an answer that is right, but calls what was to be built.
        lessons: the lessons that the file names.
    """

    points: dict[str, float] = field(default_factory=dict)
    default: float = 1.0
    shortcut: float = 0.0
    lessons: list[str] = field(default_factory=list)

    def worth(self, exercise: str) -> float:
        """The most that an exercise brings."""
        return self.points.get(exercise, self.default)

    def earned(self, exercise: str, look: str) -> float:
        """What an answer that looks "right", "shortcut", "wrong" or "unwritten" brings."""
        return self.worth(exercise) * {"right": 1.0, "shortcut": self.shortcut}.get(look, 0.0)


def read_weights(path: Path | None) -> Weights:
    """Read a weights file: a table per lesson, with points by exercise; `[rules]` may set `default` and `shortcut`.

    Raises:
        CourseError: it can't be read, or names a lesson or an exercise that does not exist.
    """
    if path is None:
        return Weights()
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CourseError(f"The weights {path} can't be read: {error}. It is a TOML file, {WEIGHTS_EXAMPLE}") from error
    rules = tables.pop("rules", {})
    points = {}
    known = {lesson.name for lesson in lessons()}
    if not isinstance(rules, dict):
        raise CourseError(f"{path}: rules is to be a table, {WEIGHTS_EXAMPLE}")
    for lesson, table in tables.items():
        _must_be_known(lesson, known, "lesson", path)
        if not isinstance(table, dict):
            raise CourseError(f"{path}: {lesson} is to be a table, {WEIGHTS_EXAMPLE}")
        for exercise, value in table.items():
            _must_be_known(exercise, {name for name, of in all_exercises().items() if of == lesson}, "exercise", path)
            points[exercise] = _number(exercise, value, path)
    for rule in rules:
        _must_be_known(rule, {"default", "shortcut"}, "rule", path)
    settings = {name: _number(name, value, path) for name, value in rules.items()}
    if settings.get("shortcut", 0) > 1:
        raise CourseError(
            f"{path}: shortcut = {rules['shortcut']!r} is to be a share of an exercise's points, from 0 to 1, "
            f"{WEIGHTS_EXAMPLE}"
        )
    return Weights(points, lessons=[lesson.name for lesson in lessons() if lesson.name in tables], **settings)


def _must_be_known(name: str, known: set[str], what: str, path: Path) -> None:
    if name not in known:
        similar = get_close_matches(name, known, n=1)
        meant = f"Did you mean '{similar[0]}'?" if similar else f"There are: {', '.join(sorted(known))}."
        raise CourseError(
            f"{path}: there is no {what} called '{name}'. {meant} A weights file is TOML, {WEIGHTS_EXAMPLE}"
        )


def _number(name: str, value: object, path: Path) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1e6:
        raise CourseError(f"{path}: {name} = {value!r} is to be a number of points, 0 or more, {WEIGHTS_EXAMPLE}")
    return float(value)
