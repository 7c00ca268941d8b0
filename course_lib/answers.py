"""`course check` and `course report`: the learner's answers, examined from the shell."""

import json
import os
import sys
from pathlib import Path

from course_lib.copies import find_copy
from course_lib.errors import CourseError
from course_lib.execution import Answers, read_answers, silence
from course_lib.exercises import progress
from course_lib.exercises.cards import card_text
from course_lib.exercises.kernel import verdict_on
from course_lib.exercises.registry import Exercise, find_exercise, load_lesson
from course_lib.exercises.verdict import MARKS, Outcome, Verdict
from course_lib.paths import Lesson, workbook_dir
from course_lib.reports import write_report

COLORS = {"right": "32", "shortcut": "33", "wrong": "31", "unwritten": "2"}


def check_lesson(name: str, source: str | None = None, as_json: bool = False) -> int:
    """`course check`: examine all answers of a lesson and print a table and the cards of the wrong ones.

    Args:
        name: the lesson, such as "backprop" or "2".
        source: a notebook or Python file; if None the learner's copy in the workbook, for which progress is recorded.
        as_json: print one JSON object per exercise instead, one per line.

    Returns:
        The exit status: 0 only if all are right, without a shortcut; 1 while one is wrong or unwritten.

    Raises:
        CourseError: there is no such lesson or file, or the lesson has no exercises.
    """
    lesson = load_lesson(name)
    if not lesson.exercises:
        raise CourseError(f"Lesson {lesson.lesson.stem} has no exercises.")
    path = _find_source(lesson.lesson, source)
    answers = read_answers(path, lesson)
    verdicts = [_verdict(known, answers) for known in lesson.exercises.values()]
    if as_json:
        for verdict in verdicts:
            print(json.dumps(verdict.to_json(), ensure_ascii=False))
    else:
        print(_table(lesson.lesson, path, verdicts))
    for remark in answers.remarks:
        print(f"Did not run: {remark}", file=sys.stderr if as_json else sys.stdout)
    if source is None:
        _note_progress(lesson.lesson, verdicts)
    return 0 if all(verdict.look == "right" for verdict in verdicts) else 1


def report(exercise_name: str, source: str | None = None) -> int:
    """`course report`: write down all about one answer, for a learner who is sure to be right.

    Args:
        exercise_name: the exercise.
        source: a notebook or Python file; the learner's own copy in the workbook if None.

    Returns:
        The exit status, 0.

    Raises:
        CourseError: there is no such exercise or file, or no answer in it.
    """
    known = find_exercise(exercise_name)
    lesson = load_lesson(known.lesson)
    path = _find_source(lesson.lesson, source)
    answers = read_answers(path, lesson)
    if known.name not in answers.found and known.name not in answers.broken:
        raise CourseError(f"{path} has no answer to {known.name}: there is nothing to report.")
    verdict = _verdict(known, answers)
    with silence():
        written = write_report(known, verdict, answers.found.get(known.name), came_from=path.name)
    print(f"{known.name} is {verdict.state}. The report is in {written}")
    print("Nothing was sent. Read it, then send the file to your instructor if you like.")
    return 0


def _find_source(lesson: Lesson, source: str | None) -> Path:
    if source is not None:
        return Path(source).expanduser()
    copy = find_copy(lesson)
    if copy is None:
        raise CourseError(
            f"{workbook_dir()} has no copy of {lesson.stem} that can be read. `course lab` makes one and opens it; "
            "--from FILE checks another file."
        )
    return copy.path


def _verdict(known: Exercise, answers: Answers) -> Verdict:
    if known.name in answers.broken:
        outcomes = [Outcome(check.name, check.demand, None) for check in known.checks]
        return Verdict(known.name, "wrong", outcomes, note=answers.broken[known.name])
    if known.name not in answers.found:
        return Verdict(known.name, "unwritten")
    with silence():
        return verdict_on(known, answers.found[known.name])


def _note_progress(lesson: Lesson, verdicts: list[Verdict]) -> None:
    try:
        for verdict in verdicts:
            progress.record(lesson.name, verdict)
    except CourseError as error:  # as in the kernel: what was found out counts all the same
        print(f"Your progress could not be noted. {error}", file=sys.stderr)


def _table(lesson: Lesson, path: Path, verdicts: list[Verdict]) -> str:
    width = max(len(verdict.exercise) for verdict in verdicts)
    lines = [f"Lesson {lesson.number:02d} {lesson.name} · {path}", ""]
    for verdict in verdicts:
        state = _colored(f"{MARKS[verdict.look]} {verdict.exercise:<{width}}  {verdict.look:<9}", verdict.look)
        lines.append(f"  {state}  {_summary(verdict)}".rstrip())
    for verdict in verdicts:
        if verdict.look in ("wrong", "shortcut"):
            lines += ["", card_text(verdict)]
    counts = [(look, sum(verdict.look == look for verdict in verdicts)) for look in MARKS]
    return "\n".join([*lines, "", ", ".join(f"{count} {look}" for look, count in counts if count)])


def _summary(verdict: Verdict) -> str:
    count = len(verdict.outcomes)
    if verdict.state == "unwritten":
        return ""
    if verdict.state == "right":
        return f"{count} of {count} checks, {verdict.seconds:.2f} s"
    return f"{verdict.missed} of {count} checks not passed" if verdict.failed else "could not be checked"


def _colored(text: str, look: str) -> str:
    if not sys.stdout.isatty() or os.environ.get("NO_COLOR"):
        return text
    return f"\033[{COLORS[look]}m{text}\033[0m"
