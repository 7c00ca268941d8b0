"""What other programs read: CSV, Canvas, JUnit, Gradescope; and the pages that people read."""

import csv
import json
from xml.etree import ElementTree

import pytest

from course_lib.grading.tables import junit_suite
from tests.grading.messy import MESSY

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]


def rows(path):
    with open(path, encoding="utf-8", newline="") as stream:
        return list(csv.reader(stream))


def test_grades_have_a_column_for_each_exercise_and_add_up(attacked_class):
    heads, *students = rows(attacked_class.out / "grades.csv")
    exercises = ["accuracy", "confusion_matrix", "stratified_split"]
    assert heads == ["student", "id", *exercises, "total", "of", "percent", "remarks"]
    assert all(sum(map(float, row[2:5])) == float(row[5]) and row[6] == "3" for row in students)


def test_canvas_finds_its_columns_and_the_points_possible(attacked_class):
    heads, possible, *students = rows(attacked_class.out / "canvas.csv")
    assert heads == ["Student", "ID", "SIS User ID", "SIS Login ID", "Section", "01 software_2"]
    assert possible == ["    Points Possible", "", "", "", "", "3"]
    assert len(students) == len(attacked_class.points())


def test_junit_has_a_suite_for_each_student_and_a_case_for_each_exercise(attacked_class):
    root = ElementTree.parse(attacked_class.out / "junit.xml").getroot()
    suites = {suite.get("name"): suite for suite in root}
    assert {case.get("name") for case in suites["aaron"]} == {"accuracy", "confusion_matrix", "stratified_split"}
    wrong = next(case for case in suites["one_known_mistake"] if case.get("name") == "accuracy")
    assert "not right yet" in wrong.find("failure").get("message")
    assert suites["aaron"].get("failures") == "0" and suites["aaron"].get("skipped") == "1"


def test_gradescope_gets_scores_within_their_maximum(attacked_class):
    found = list((attacked_class.out / "gradescope").glob("*/results.json"))
    assert len(found) == len(attacked_class.points())
    for path in found:
        results = json.loads(path.read_text(encoding="utf-8"))
        assert results["score"] == sum(test["score"] for test in results["tests"])
        for test in results["tests"]:
            assert 0 <= test["score"] <= test["max_score"] and test["status"] in ("passed", "failed")
            assert isinstance(test["output"], str) and test["output_format"] == "text"


def test_every_student_has_a_page_that_the_class_page_leads_to(attacked_class):
    page = (attacked_class.out / "class.html").read_text(encoding="utf-8")
    pages = list((attacked_class.out / "students").iterdir())
    assert len(pages) == len(attacked_class.points())
    assert all(f'href="students/{path.name}"' in page for path in pages)


def test_equal_answers_that_few_have_are_reported(attacked_class):
    assert len(MESSY) > 20  # most of them hold the same two answers, which says nothing
    page = (attacked_class.out / "class.html").read_text(encoding="utf-8")
    assert "Worth a look" in page and "_getframe" in page


def test_a_notebook_that_can_not_be_read_is_an_error_for_junit():
    suite = junit_suite({"student": "ada", "problems": ["ada.ipynb can't be read."], "lessons": {}})
    assert suite.get("errors") == "1" and suite.find("testcase/error").get("message") == "ada.ipynb can't be read."
