"""The progress overview: the same as the text says, for eyes and for screen readers, and new at a click."""

import re

import pytest
from bs4 import BeautifulSoup

from course_lib.exercises import progress
from course_lib.exercises.verdict import Verdict
from course_lib.widgets.progress import progress_html, progress_widget
from tests.lib.test_cards import contrast

pytestmark = pytest.mark.usefixtures("tiny_course")


@pytest.fixture
def begun():
    progress.record("tiny", Verdict("softmax", "right"))
    progress.record("tiny", Verdict("accuracy", "wrong"))
    progress.record("tiny", Verdict("flatten", "right", shortcut="itertools.chain"))


def page():
    return BeautifulSoup(progress_html(), "html.parser")


def test_it_says_what_the_text_says(begun):
    exercises = page().find("tbody").find_all("td")[1].get_text(" ")
    for line in progress.progress_text().splitlines()[1:]:
        mark, name, *_ = line.split()
        assert re.search(rf"{re.escape(mark)}\s+{name}\b", exercises)


def test_a_screen_reader_hears_each_state_as_a_word(begun):
    seen = page()
    for hidden in seen.find_all(attrs={"aria-hidden": "true"}):
        hidden.decompose()
    text = " ".join(seen.get_text(" ").split())
    assert "1 of 8 exercises solved" in text and "softmax : solved" in text and "accuracy : not right yet" in text
    assert "flatten : solved with the library's own function" in text and "dropout : not begun" in text
    assert not re.search("[✓✗○!]", text)


def test_the_table_has_a_caption_and_headers():
    seen = page()
    assert seen.caption.get_text() == "Progress by lesson"
    assert [th.get_text() for th in seen.find_all("th", scope="col")] == ["Lesson", "Solved", "Exercises"]
    assert [th.get_text() for th in seen.find_all("th", scope="row")] == ["01 tiny"]


def test_every_color_on_its_background_can_be_read(begun):
    for tag in page().find_all(style=re.compile(r"(?<![-\w])color:#")):
        color = re.search(r"(?<![-\w])color:(#\w+)", tag["style"])[1]
        behind = next(each for each in [tag, *tag.parents] if "background:" in each.get("style", ""))
        assert contrast(color, re.search(r"background:(#\w+)", behind["style"])[1]) >= 4.5


def test_the_button_reads_the_progress_anew():
    view, button = progress_widget().children
    assert "0 of 8 exercises solved" in view.value
    progress.record("tiny", Verdict("softmax", "right"))
    button.click()
    assert "1 of 8 exercises solved" in view.value and button.description == "Refresh"


def test_a_damaged_file_is_told_in_the_widget_too():
    progress.state_dir().mkdir()
    progress.progress_file().write_text("<b>{")
    view, button = progress_widget().children
    assert "Rename it to start afresh" in view.value and 'role="alert"' in view.value and "<b>" not in view.value
    progress.progress_file().unlink()
    button.click()
    assert "0 of 8" in view.value
