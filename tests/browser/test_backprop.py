"""Lesson 02 in JupyterLab, as a learner meets it: run it, walk through its graph, answer wrongly, then rightly.

All tests share one open page; each does what it needs itself, so that their order doesn't matter.
"""

import re
from dataclasses import dataclass

import pytest
from playwright.sync_api import expect

from course_lib.authoring.answer_key import typed_answer
from course_lib.exercises.registry import find_exercise
from course_lib.paths import find_lesson
from tests.browser.every_lesson import assert_everyone_can_read, both_themes
from tests.browser.jupyterlab import Notebook

pytestmark = pytest.mark.browser
LESSON = find_lesson("backprop")
STUB = "def sgd_step("
RIGHT = typed_answer("sgd_step", LESSON.solutions.read_text(encoding="utf-8"))
WRONG = "\n".join(line for line in RIGHT.splitlines() if "parameter.grad = 0.0" not in line)
HINT = find_exercise("sgd_step").mistakes["sgd_step_keeps_the_gradients"].hint.replace("`", "")


@dataclass(frozen=True)
class FirstRun:
    """The lesson, and what it looked like when it had run from top to bottom with nothing answered."""

    notebook: Notebook
    numbers: list[int | None]
    errors: list[str]


@pytest.fixture(scope="module")
def first_run(lab):
    notebook = lab.open(LESSON.notebook.name)
    notebook.run_all()
    return FirstRun(notebook, [cell.number for cell in notebook.code_cells], notebook.errors.all_inner_texts())


@pytest.fixture
def notebook(first_run):
    return first_run.notebook


def test_an_unanswered_lesson_runs_to_its_end(first_run):
    assert first_run.errors == []
    assert first_run.numbers and None not in first_run.numbers


def test_the_graph_is_walked_step_by_step(notebook, picture):
    graph = notebook.locator.locator(".course-graph")
    sentence, drawing = graph.locator(".course-graph-sentence"), graph.locator(".course-graph-picture svg")

    def press(button, words):
        graph.get_by_role("button", name=button).click()
        expect(sentence).to_contain_text(words)
        expect(drawing).to_have_attribute("aria-label", re.compile(words))
        return drawing.inner_html()

    start = press("First", "The leaves hold")
    after_one_step = press("Step", "Forwards")
    graph.screenshot(path=picture("graph_after_one_step"))
    assert press("Back", "The leaves hold") == start
    end = press("Last", "Done")
    graph.screenshot(path=picture("graph_at_the_end"))
    assert len({start, after_one_step, end}) == 3


def test_a_wrong_answer_reads_its_hint_and_the_right_one_counts(notebook, server, picture):
    answer = notebook.cell_with(STUB)
    answer.type(WRONG)
    answer.run()
    expect(answer.card("wrong")).to_contain_text(HINT)
    answer.screenshot(picture("wrong"))

    answer.type(RIGHT)
    answer.run()
    expect(answer.card("right")).to_be_visible()
    answer.screenshot(picture("right"))

    progress = notebook.new_cell("from course_lib.widgets.progress import progress_widget\nprogress_widget()")
    progress.run()
    expect(progress.output).to_contain_text("✓ sgd_step: solved")
    progress.screenshot(picture("progress"))
    assert "✓ sgd_step" in server.course("progress")


def test_with_a_right_answer_everything_runs_after_a_restart(notebook):
    answer = notebook.cell_with(STUB)
    answer.type(RIGHT)
    notebook.restart_and_run_all()
    expect(answer.card("right")).to_be_visible()
    assert None not in [cell.number for cell in notebook.code_cells]


def test_with_a_wrong_answer_everything_stops_at_one_line(notebook, page, picture):
    answer = notebook.cell_with(STUB)
    answer.type(WRONG)
    notebook.restart_and_run_all()
    answer.output.scroll_into_view_if_needed()
    page.screenshot(path=picture("stopped"))
    expect(notebook.errors).to_have_count(1)
    assert re.fullmatch(r"ExerciseFailed: sgd_step is not right yet: .*", notebook.errors.inner_text().strip())
    ran = [cell.number is not None for cell in notebook.code_cells]
    assert ran == sorted(ran, reverse=True) and not ran[-1]


@both_themes
def test_everyone_can_read_it(notebook, lab, page, picture, theme):
    notebook.locator.locator(".course-graph").get_by_role("button", name="Last").click()
    assert_everyone_can_read(notebook, lab, page, picture, theme)
