"""An edition frozen for the term stays what it was, and a change to it is noticed."""

import os

import pytest

from course_lib.errors import CourseError
from course_lib.grading.frozen import use_edition
from course_lib.grading.plan import edition_of, make_plan
from course_lib.paths import checkout


@pytest.fixture
def edition(monkeypatch, tmp_path):
    monkeypatch.setenv("COURSE_CHECKOUT", str(checkout()))
    assert "is frozen in" in use_edition(tmp_path / "fall")
    return tmp_path / "fall"


def test_a_frozen_edition_grades_as_the_course_did(monkeypatch, edition, request):
    frozen = edition_of(make_plan(["software_2"], seed=0))
    monkeypatch.setenv("COURSE_CHECKOUT", str(request.config.rootpath))
    assert checkout() != edition and edition_of(make_plan(["software_2"], seed=0)) == frozen
    assert "Graded by the edition" in use_edition(edition)
    assert os.environ["COURSE_CHECKOUT"] == str(edition)


@pytest.mark.parametrize(
    "part", ["solutions/software_2.py", "tests/exercises/software_2.py", "lessons/01_software_2.py"]
)
def test_a_changed_edition_is_refused(edition, part):
    with (edition / part).open("a") as stream:
        stream.write("# slightly other\n")
    with pytest.raises(CourseError, match="was changed since it was frozen"):
        use_edition(edition)


def test_a_folder_with_something_else_is_left_alone(tmp_path):
    (tmp_path / "mine.txt").write_text("x")
    with pytest.raises(CourseError, match="is not empty"):
        use_edition(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]
