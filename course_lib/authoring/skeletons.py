"""`course new`: the files of a new lesson, and the parts of a new exercise, complete enough to be built at once.

What they are filled with is a small example that works: its author changes it, piece by piece, and always has something
that runs.
"""

import ast
import keyword
import re
from pathlib import Path
from string import Template

from course_lib import paths
from course_lib.errors import CourseError

TEMPLATES = Path(__file__).parent / "templates"
CLOSING = "# %% [markdown]\n# ## What to remember"  # new exercises go above this cell


def new_lesson(name: str, number: int | None = None) -> int:
    """Write the skeleton of a lesson: its source, and the files for its references and checks.

    Args:
        name: such as "convolution"; lower case, words joined by underscores.
        number: its place in the course; without it, the next free one.

    Returns:
        The exit status, 0.

    Raises:
        CourseError: the name or the number can't be taken; nothing has been written.
    """
    _refuse_bad_name(name)
    lesson = paths.Lesson(_free_number(number), name)
    for other in paths.lessons():
        if other.name == name:
            raise CourseError(f"There is a lesson {name} already: {other.source}. Choose another name.")
    texts = {
        lesson.source: _filled("lesson", number=f"{lesson.number:02d}", title=name.replace("_", " ").capitalize()),
        lesson.solutions: f'"""Lesson {lesson.number:02d}, {name}: references and known mistakes."""\n',
        lesson.checks: f'"""What the exercises of lesson {lesson.number:02d}, {name}, owe us."""\n',
    }
    for path in texts:
        if path.exists():
            raise CourseError(f"{path} exists already, and is left as it is. Move it away or choose another name.")
    for path, text in texts.items():
        paths.write_atomically(path, text)
        print(f"wrote {path}")
    print(f"\nNext: `course new exercise NAME --lesson {name}`, write in {lesson.source}, `course build {name}`.")
    return 0


def new_exercise(name: str, lesson: str | None = None) -> int:
    """Add an exercise to a lesson: its cells, a reference with known mistakes, and checks.

    Args:
        name: the function that the learner will write; unique over the whole course.
        lesson: the lesson; may be left out where there is only one.

    Returns:
        The exit status, 0.

    Raises:
        CourseError: the name is taken, or it is unclear which lesson is meant; nothing has been written.
    """
    _refuse_bad_name(name)
    home = _lesson_of_choice(lesson)
    _refuse_taken_name(name)
    stub = _filled("stub", name=name).rstrip("\n")
    source = home.source.read_text(encoding="utf-8")
    cells = _filled("exercise_cells", name=name, stub=stub, number=source.count('# %% tags=["exercise"]') + 1)
    before, closing, after = source.partition(CLOSING)
    texts = {
        home.source: f"{before.rstrip()}\n\n{cells}\n{closing}{after}".rstrip() + "\n",
        home.solutions: _appended(home.solutions, _filled("solutions", name=name, stub=stub), ["mistake"]),
        home.checks: _appended(home.checks, _filled("checks", name=name), ["check"]),
    }
    for path, text in texts.items():
        paths.write_atomically(path, text)
        print(f"added {name} to {path}")
    print(
        f"\nWhat you find there is an example that works: make it yours. An exercise has 4 to 8 known mistakes.\n"
        f"Then `course build {home.name}`, `course matrix` and `make check` say whether all of it holds together."
    )
    return 0


def _filled(template: str, **values: object) -> str:
    return Template((TEMPLATES / f"{template}.txt").read_text(encoding="utf-8")).substitute(values)


def _refuse_bad_name(name: str) -> None:
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name) or keyword.iskeyword(name):
        raise CourseError(f"'{name}' can't be a name here: take lower case and underscores, as in max_pool2d.")


def _free_number(number: int | None) -> int:
    taken = {lesson.number: lesson for lesson in paths.lessons()}
    if number is None:
        number = max(taken, default=0) + 1
    if number in taken:
        raise CourseError(f"Lesson {number:02d} is {taken[number].name}. Choose another number.")
    if not 1 <= number <= 99:
        raise CourseError(f"Lessons are numbered from 1 to 99, not {number}.")
    return number


def _lesson_of_choice(key: str | None) -> paths.Lesson:
    there = paths.lessons()
    if key is None and len(there) != 1:
        names = ", ".join(lesson.name for lesson in there) or "none; `course new lesson NAME` begins one"
        raise CourseError(f"Say for which lesson, with `--lesson NAME`. The lessons are: {names}.")
    return there[0] if key is None else paths.find_lesson(key)


def _refuse_taken_name(name: str) -> None:
    pattern = re.compile(rf"^(def|class) {name}\b", re.MULTILINE)
    for lesson in paths.lessons():
        for path in (lesson.source, lesson.solutions, lesson.checks):
            if path.exists() and pattern.search(path.read_text(encoding="utf-8")):
                raise CourseError(f"{path} has something called {name} already. Names of exercises are unique.")


def _appended(path: Path, addition: str, needs: list[str]) -> str:
    """A file's text with an addition at its end, and with the imports that the addition needs."""
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    imported = {alias.name for node in ast.parse(text).body if isinstance(node, ast.ImportFrom) for alias in node.names}
    missing = [name for name in needs if name not in imported]
    if missing:
        docstring, lines = ast.parse(text).body[:1], text.splitlines()
        end = docstring[0].end_lineno if docstring and isinstance(docstring[0], ast.Expr) else 0
        lines[end:end] = ["", f"from course_lib.exercises import {', '.join(missing)}"]
        text = "\n".join(lines) + "\n"
    return text.rstrip("\n") + "\n" + addition
