"""One voice for errors: what came, what was expected, how to fix it."""


class CourseError(Exception):
    """An error that the reader can mend; its text is one line that says how."""

    def _render_traceback_(self) -> list[str]:
        """What a notebook shows: the line, and no traceback."""
        return [f"{type(self).__name__}: {self}"]


class ExerciseFailed(CourseError):
    """An answer is wrong. The card above it says why."""
