"""One voice for errors: what came, what was expected, how to fix it."""


class CourseError(Exception):
    """An error that the reader can mend; its text is one line that says how."""


class ExerciseFailed(CourseError):
    """An answer is wrong. The card above it says why, so a notebook shows one line and no traceback."""

    def _render_traceback_(self) -> list[str]:
        return [f"ExerciseFailed: {self}"]
