"""The form of a lesson's page: short cells, questions before answers, a beginning and an end."""

import re

import pytest

from course_lib import paths
from course_lib.authoring.notebook_rules import CHECKED
from course_lib.authoring.sources import cell_label, cells_of
from course_lib.exercises.stubs import stub_sources

BRITISH = (
    r"\b(?:\w+(?:ise[ds]?|ising|isation)|\w*(?:colour|neighbour|behaviour|favour)\w*|centre[ds]?|catalogue|grey)\b"
)
NOT_BRITISH = (
    r"\w*(?:wise|raise[ds]?|raising|noise|promise[ds]?|precise|exercise[ds]?|otherwise|likewise|rise[ds]?|rising)"
)
every_lesson = pytest.mark.parametrize("lesson", paths.lessons(), ids=lambda lesson: lesson.stem)


def cells(lesson):
    return cells_of(lesson.source.read_text(encoding="utf-8"))


def prose(text):
    """What is read at once: without folded hints, tables, formulas and code."""
    for hidden in (r"<details>.*?</details>", r"\$\$.*?\$\$", r"```.*?```", r"^\|.*?$"):
        text = re.sub(hidden, " ", text, flags=re.DOTALL | re.MULTILINE)
    return text


def count_words(text):
    return len(re.findall(r"\S*\w\S*", prose(text)))


def count_lines(source):
    """Lines that one reads: without empty ones, and without the marker that is meant for the tests."""
    return sum(bool(line.strip()) and line != CHECKED for line in source.splitlines())


@every_lesson
def test_a_lesson_is_one_sitting(lesson):
    assert 25 <= len(cells(lesson)) <= 45, "a lesson has 25 to 45 cells"
    assert 3 <= len(stub_sources(lesson)) <= 7, "a lesson has 3 to 7 exercises"


@every_lesson
def test_code_cells_fit_a_glance(lesson):
    page = cells(lesson)
    long = [
        f"{cell_label(page, index)} has {count_lines(cell.source)} lines"
        for index, cell in enumerate(page)
        if cell.cell_type == "code" and "exercise" not in cell.metadata.get("tags", [])
        if count_lines(cell.source) > 15
    ]
    assert long == [], "at most 15 lines: divide the cell, or move what is not the lesson's point into the library"


@every_lesson
def test_prose_cells_fit_a_glance(lesson):
    page = cells(lesson)
    long = [
        f"{cell_label(page, index)} has {count_words(cell.source)} words"
        for index, cell in enumerate(page)
        if cell.cell_type == "markdown" and count_words(cell.source) > 110
    ]
    assert long == [], "at most about 90 words: one idea per cell"


@every_lesson
def test_the_first_cell_says_what_for_with_what_and_how_long(lesson):
    first = cells(lesson)[0].source
    assert first.startswith(f"# {lesson.number:02d} · ")
    for words in ("will be able to", "need", "minutes"):
        assert words in first.lower(), f"the first cell says {words!r}"


@every_lesson
def test_the_last_cells_say_what_to_remember_and_where_to_go(lesson):
    last = "\n".join(cell.source for cell in cells(lesson)[-4:] if cell.cell_type == "markdown").lower()
    for words in ("remember", "going further", "next"):
        assert words in last, f"the last cells say {words!r}"


@every_lesson
def test_questions_come_before_answers(lesson):
    predictions = [cell for cell in cells(lesson) if "**Predict.**" in cell.source]
    assert len(predictions) >= 5, "predict, run, read: ask before you show"


@every_lesson
def test_every_exercise_says_how_hard_how_long_and_has_hints_in_steps(lesson):
    page = "\n".join(cell.source for cell in cells(lesson) if cell.cell_type == "markdown")
    for name in stub_sources(lesson):
        heading = re.search(rf"^### Exercise \d+ · `{name}` · difficulty [●○]{{3}} · \d+ min$", page, re.MULTILINE)
        assert heading, f"`### Exercise 1 · `{name}` · difficulty ●○○ · 10 min` is missing"
        statement = page[heading.end() :].partition("\n### ")[0]
        assert statement.count("<details><summary>Hint ") >= 3, f"{name}: a nudge, the idea, nearly the code"


@every_lesson
def test_whoever_reads_a_red_card_can_borrow(lesson):
    code = "\n".join(cell.source for cell in cells(lesson) if cell.cell_type == "code")
    assert re.search(r"^from course_lib.exercises import borrow, exercise$", code, re.MULTILINE), "cards speak of it"


@every_lesson
def test_the_spelling_is_american(lesson):
    page = "\n".join(prose(cell.source) for cell in cells(lesson) if cell.cell_type == "markdown")
    words = {
        word for word in re.findall(BRITISH, page, re.IGNORECASE) if not re.fullmatch(NOT_BRITISH, word, re.IGNORECASE)
    }
    assert words == set()
