"""The instructor's page says what is in the records, and nothing that is not."""

import pytest
from bs4 import BeautifulSoup

from course_lib.exercises.diagnosis import Diagnosis
from course_lib.exercises.verdict import Verdict
from course_lib.grading import tables
from course_lib.grading.class_page import Class, class_page
from course_lib.grading.plan import make_plan
from course_lib.grading.similarity import Similarity
from course_lib.grading.submission import entry_of
from course_lib.grading.weights import Weights

MISTAKE = "accuracy_averages_the_batches"


@pytest.fixture(scope="module")
def plan():
    return make_plan(["software_2"], seed=1)


def record(student, accuracy=None, *, problems=()):
    """Somebody's record: a verdict on `accuracy`, nothing else attempted; without one, nothing could be read."""
    lesson = {"file": "", "exercises": {}}
    if accuracy:
        answer = {"fingerprint": student[:3], "size": 100}
        unwritten = [
            entry_of(Verdict(name, "unwritten"), [], None) for name in ("confusion_matrix", "stratified_split")
        ]
        entries = [entry_of(accuracy, [], answer), *unwritten]
        lesson = {"file": "x.ipynb", "exercises": {each["verdict"]["exercise"]: each for each in entries}}
    key = student.encode().hex().ljust(12, "0")
    return {
        "student": student, "identifier": "", "key": key, "problems": list(problems), "lessons": {"software_2": lesson},
    }  # fmt: skip


RIGHT, WRONG = Verdict("accuracy", "right"), Verdict("accuracy", "wrong", diagnoses=[Diagnosis(MISTAKE, "hint", True)])


def page(plan, records, history=()):
    group, similarity = Class(plan.lessons), Similarity()
    for each in records:
        row = tables.row_of(each, Weights(), f"students/{tables.slug_of(each)}.html")
        group.add(each, row)
        similarity.add(each, row.page)
    runs = [*history, {"when": "2026-11-21T10:00:00", **group.summary()}]
    found = BeautifulSoup(class_page(group, Weights(), similarity.pairs(), runs, tier="namespaces"), "html.parser")
    tables_by_caption = {table.caption.text: table for table in found.find_all("table")}
    return found, {
        caption: [[cell.text.strip() for cell in line.find_all(["th", "td"])] for line in table.find_all("tr")]
        for caption, table in tables_by_caption.items()
    }


def test_each_submission_is_counted_in_one_column_and_what_can_not_be_read_in_its_own(plan):
    damaged = record("eve", problems=["eve.ipynb is not a readable notebook."])
    found, shown = page(plan, [record("ann", RIGHT), record("bob", WRONG), record("cy", WRONG), damaged, record("dan")])
    heads, accuracy, matrix, _ = shown["Submissions by exercise"]
    assert heads[3:] == ["right", "shortcut", "wrong", "unwritten", "not readable"]
    assert accuracy[2:] == ["20 %", "1", "", "2", "1", "1"]
    assert matrix[2:] == ["0 %", "", "", "", "4", "1"]
    assert shown["Each with a page of their own"][4][0] == "eve"
    assert found.find(attrs={"aria-label": "3 not readable"}) is not None


def test_mistakes_are_counted_and_named_in_words(plan):
    found, shown = page(plan, [record("ann", WRONG), record("bob", WRONG), record("cy", RIGHT)])
    (_, line) = shown["Most frequent first, with the hint on the page of each student"]
    assert line[:3] == ["2", "accuracy", "averages the batches"]
    assert "Hardest were confusion_matrix, stratified_split: 0 of 3 passed" in found.p.text


def test_runs_are_compared_by_share_and_those_of_other_lessons_are_left_out(plan):
    first = {"when": "2026-10-01T09:30:00", "students": 4, "right": {"accuracy": 1, "confusion_matrix": 0}}
    other = {"when": "2026-10-02T09:30:00", "students": 9, "right": {"sgd_step": 9}}
    found, shown = page(plan, [record("ann", RIGHT), record("bob", WRONG)], [first, other])
    heads, accuracy, _, split = shown["Share of submissions that passed"]
    assert len(heads) == 5 and accuracy[1:4] == ["25 %", "50 %", "+25"]
    assert split[1:4] == ["–", "0 %", "+0"]
    assert len(found.find("polyline")["points"].split()) == 2


def test_a_single_run_has_moved_nothing(plan):
    assert "from run to run" not in page(plan, [record("ann", RIGHT)])[0].text


def test_equal_answers_lead_to_both_students(plan):
    found, shown = page(plan, [record("ann 1", RIGHT), record("ann 2", RIGHT), record("bob", RIGHT)])
    assert shown["Answers that few others have"][1] == ["ann 1", "ann 2", "accuracy"]
    assert "No two students" not in found.text
    assert "No two students" in page(plan, [record("ann", RIGHT), record("bob", RIGHT)])[0].text
