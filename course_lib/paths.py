"""Where everything lives: lessons and their parts, data, progress, the learner's own copies."""

import os
import re
import tempfile
from dataclasses import dataclass
from pathlib import Path

from course_lib.errors import CourseError, what_was_meant


def checkout() -> Path:
    """The folder that holds `lessons/`, `solutions/` and `course_lib/` (or `COURSE_CHECKOUT`, where that is set)."""
    return _folder("COURSE_CHECKOUT", Path(__file__).resolve().parent.parent)


def data_dir() -> Path:
    """Where data sets live: `COURSE_DATA`, or `data/` in the checkout."""
    return _folder("COURSE_DATA", checkout() / "data")


def state_dir() -> Path:
    """Where progress, reports and checkpoints live: `COURSE_STATE`, or `.course/` in the checkout."""
    return _folder("COURSE_STATE", checkout() / ".course")


def workbook_dir() -> Path:
    """Where the learner's own copies of the lessons live: `COURSE_WORKBOOK`, or `workbook/` in the checkout."""
    return _folder("COURSE_WORKBOOK", checkout() / "workbook")


def _folder(variable: str, default: Path) -> Path:
    value = os.environ.get(variable)
    return Path(value).expanduser().resolve() if value else default


@dataclass(frozen=True)
class Lesson:
    """One lesson and the places of its parts."""

    number: int
    name: str

    @property
    def stem(self) -> str:
        return f"{self.number:02d}_{self.name}"

    @property
    def source(self) -> Path:
        return checkout() / "lessons" / f"{self.stem}.py"

    @property
    def notebook(self) -> Path:
        return checkout() / "notebooks" / f"{self.stem}.ipynb"

    @property
    def solutions(self) -> Path:
        return checkout() / "solutions" / f"{self.name}.py"

    @property
    def checks(self) -> Path:
        return checkout() / "tests" / "exercises" / f"{self.name}.py"


def lessons() -> list[Lesson]:
    """Every lesson of the course, by number."""
    found = [re.fullmatch(r"(\d\d)_(\w+)\.py", path.name) for path in (checkout() / "lessons").glob("*.py")]
    return sorted((Lesson(int(match[1]), match[2]) for match in found if match), key=lambda lesson: lesson.number)


def find_lesson(key: str | Path) -> Lesson:
    """The lesson that somebody means by "backprop", "2", "02", "02_backprop" or the path of its notebook.

    Raises:
        CourseError: there is no such lesson; the message names a similar one, or all.
    """
    wanted = Path(str(key)).name.removesuffix(".ipynb").removesuffix(".py")
    for lesson in lessons():
        if wanted in (lesson.name, lesson.stem, str(lesson.number), f"{lesson.number:02d}"):
            return lesson
    there = [lesson.name for lesson in lessons()]
    raise CourseError(f"There is no lesson '{key}'. {what_was_meant(wanted, there, kind='lessons')}")


def write_atomically(path: Path, content: str | bytes) -> None:
    """Write a file so that a crash or a full disk leaves the old one whole, never half of the new one.

    Args:
        path: the file; missing folders are made.
        content: text (written as UTF-8 with plain newlines) or bytes.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    data = content.encode() if isinstance(content, str) else content
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        os.chmod(temporary, path.stat().st_mode & 0o777 if path.exists() else 0o666 & ~_umask())
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
