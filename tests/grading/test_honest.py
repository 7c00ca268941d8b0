"""Honest but messy notebooks get exactly what they earned, even beside a class of attackers."""

import pytest

from course_lib.answers import check_lesson
from tests.grading.messy import MESSY

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]


def test_there_are_at_least_twenty():
    assert len(MESSY) >= 20


@pytest.mark.parametrize("student", MESSY)
def test_a_messy_notebook_gets_what_it_earned(attacked_class, student):
    entries = attacked_class.record(student)["lessons"]["software_2"]["exercises"]
    assert {name: entry["look"] for name, entry in entries.items()} == MESSY[student][1]


@pytest.mark.parametrize("student", ["magics", "one_shortcut", "one_known_mistake", "scratch_after"])
def test_course_check_says_the_same(student, tmp_path, capsys):
    make, earned, name = MESSY[student]
    (tmp_path / name).write_bytes(make())
    check_lesson("software_2", source=str(tmp_path / name))
    said = capsys.readouterr().out
    assert all(f"{exercise:<16}  {look}" in said for exercise, look in earned.items())


def test_a_known_mistake_is_explained_to_the_student_and_counted_for_the_instructor(attacked_class):
    said = attacked_class.everything_said_to("one_known_mistake")
    assert "short last batch" in said
    assert "<td>averages the batches</td>" in (attacked_class.out / "class.html").read_text(encoding="utf-8")
