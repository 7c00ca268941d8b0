"""`@exercise` and `borrow`: what a notebook calls."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from course_lib.errors import CourseError, ExerciseFailed
from course_lib.exercises import progress
from course_lib.exercises.cards import card_html, card_text, headline
from course_lib.exercises.registry import Exercise, find_exercise
from course_lib.exercises.stubs import is_unwritten, source_of, stub_sources, unwritten_parts
from course_lib.exercises.verdict import Verdict, examine
from course_lib.paths import find_lesson


@dataclass(frozen=True)
class Answer:
    """A learner's answer as it was found: the object and its source (empty if unknown)."""

    implementation: Any
    source: str


_collected: ContextVar[dict[str, Answer] | None] = ContextVar("collected", default=None)


@contextmanager
def collecting() -> Iterator[dict[str, Answer]]:
    """Inside, `@exercise` checks and shows nothing, but notes each answer by name: for `course check` and grading."""
    answers: dict[str, Answer] = {}
    token = _collected.set(answers)
    try:
        yield answers
    finally:
        _collected.reset(token)


def exercise(answer: Any) -> Any:
    """Check the answer below, show a card, and bind the name.

    An unwritten answer is bound to the reference, so that the lesson goes on. A right or wrong one is bound to itself.

    Raises:
        ExerciseFailed: the answer is wrong; the card says why.
        CourseError: there is no exercise of this name.
    """
    caller = sys._getframe(1)
    name = answer.__name__
    source = source_of(name, caller.f_code.co_filename)
    collected = _collected.get()
    if collected is not None:
        collected[name] = Answer(answer, source)
        return answer
    known = find_exercise(name)
    verdict = verdict_on(known, Answer(answer, source))
    show_card(verdict)
    try:
        progress.record(known.lesson, verdict)
    except CourseError as error:  # a broken progress file must not keep anybody from learning
        print(f"Your progress could not be noted. {error}", file=sys.stderr)
    if verdict.state == "unwritten":
        return known.reference
    if verdict.state == "wrong":
        caller.f_globals[name] = answer  # the decorator's own binding does not happen when it raises
        raise ExerciseFailed(f"{headline(verdict)} The card above says why.")
    return answer


def verdict_on(known: Exercise, answer: Answer, *, seed: int = 0, seconds: float = 5.0) -> Verdict:
    """The verdict on an answer, whether it is written or not; the same in a notebook and from the shell."""
    stub = stub_sources(find_lesson(known.lesson)).get(known.name, "")
    if is_unwritten(answer.source, stub):
        return Verdict(known.name, "unwritten", unwritten=unwritten_parts(answer.source, stub))
    return examine(known, answer.implementation, seed=seed, seconds=seconds)


def borrow(name: str) -> Any:
    """Lend the reference of an exercise: bind it to its name where this is called, and return it.

    For those who want to read on with a wrong answer in the cell; the answer itself stays as it is.

    Raises:
        CourseError: there is no exercise of this name.
    """
    reference = find_exercise(name).reference
    sys._getframe(1).f_globals[name] = reference
    return reference


def show_card(verdict: Verdict) -> None:
    """Show the card as HTML in a notebook, as text elsewhere."""
    if "IPython" in sys.modules and sys.modules["IPython"].get_ipython() is not None:
        from IPython.display import display

        display({"text/html": card_html(verdict), "text/plain": card_text(verdict)}, raw=True)
    else:
        print(card_text(verdict))
