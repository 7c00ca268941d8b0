"""One voice for errors: what came, what was expected, how to fix it."""

from collections.abc import Iterable
from difflib import get_close_matches


class CourseError(Exception):
    """An error that the reader can mend; its text is one line that says how."""

    def _render_traceback_(self) -> list[str]:
        """What a notebook shows: the line, and no traceback."""
        return [f"{type(self).__name__}: {self}"]


class ExerciseFailed(CourseError):
    """An answer is wrong. The card above it says why."""


def what_was_meant(name: str, there: Iterable[str], *, kind: str) -> str:
    """The end of an error about a name that is not there: the most similar one, or all where none is similar.

    Args:
        name: what came.
        there: the names that there are.
        kind: what the names are, in the plural, such as "lessons".
    """
    known = list(there)
    similar = get_close_matches(name, known, n=1)
    return f"Did you mean '{similar[0]}'?" if similar else f"The {kind} are: {', '.join(known) or 'none'}."
