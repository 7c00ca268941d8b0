"""The second pass: the references are typed into every notebook as a learner would, and every card is green."""

import pytest

from course_lib import paths
from course_lib.authoring.build import build
from course_lib.authoring.kernel import CellBroken
from course_lib.authoring.skeletons import new_exercise, new_lesson

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("lesson", paths.lessons(), ids=lambda lesson: lesson.stem)
def test_a_notebook_with_the_references_typed_in_is_all_green(lesson, second_pass):
    second_pass(lesson)


def test_a_wrong_answer_would_be_noticed(small_checkout, second_pass):
    (small_checkout / "lessons" / "07_little.py").unlink()
    new_lesson("recurrent")
    new_exercise("center")
    build([])
    lesson = paths.find_lesson("recurrent")
    answer_key = lesson.solutions.read_text().replace("values - values.mean(dim=0)", "values - values.mean()", 1)
    with pytest.raises(CellBroken, match="raised ExerciseFailed"):
        second_pass(lesson, answer_key)
