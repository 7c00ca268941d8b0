"""The whole promise of the library in a few seconds. Read this first."""

import ast
import math

import pytest
import torch
import torch.nn.functional as F

from course_lib.errors import CourseError
from course_lib.exercises import Draw, built_without, check, mistake
from course_lib.exercises.cards import card_html, card_text
from course_lib.exercises.declare import Mistake
from course_lib.exercises.registry import Exercise
from course_lib.exercises.stubs import is_unwritten
from course_lib.exercises.verdict import examine
from course_lib.paths import checkout, find_lesson, lessons


@built_without("torch.softmax", "torch.Tensor.softmax")
def softmax(logits):
    """The reference: what an exercise asks for."""
    powers = (logits - logits.amax(-1, keepdim=True)).exp()
    return powers / powers.sum(-1, keepdim=True)


@mistake(of=softmax, hint="You sum over the wrong axis.")
def softmax_over_rows(logits):
    return F.softmax(logits, 0)


@check("Each row adds up to one")
def rows_add_up(softmax, draw):
    return [softmax(draw.normal(3, 5)) for _ in range(3)]


@check("Large numbers do not overflow")
def large_numbers(softmax, draw):
    return softmax(1000 * draw.normal(1, 8))


known: Mistake = softmax_over_rows.known_mistake
EXERCISE = Exercise(
    "softmax", "tiny", softmax, [rows_add_up, large_numbers], {}, {known.name: known}, softmax.built_without
)


def verdict(answer):
    return examine(EXERCISE, answer, seconds=0.2)


def test_the_reference_is_right():
    assert verdict(softmax).state == "right"


def test_right_but_different_is_right():
    assert verdict(lambda logits: F.log_softmax(logits.double(), -1).exp()).state == "right"


def test_a_known_mistake_is_named_however_it_is_written():
    found = verdict(lambda logits: (logits - logits.logsumexp(0)).exp())
    assert (found.state, found.diagnosis.mistake, found.diagnosis.certain) == ("wrong", "softmax_over_rows", True)


def test_an_unknown_mistake_is_told_by_what_was_seen():
    found = verdict(lambda logits: logits)
    assert found.diagnosis is None and "first differs at [0, 0]: got" in found.outcomes[0].problem


def test_nan_is_told_as_what_it_is():
    found = verdict(lambda logits: logits.exp() / logits.exp().sum(-1, keepdim=True))
    assert found.failed == ["large_numbers"] and "NaN (not a number)" in found.outcomes[1].problem


def test_an_endless_loop_ends():
    def loop(logits):
        while True:
            pass

    assert "never stops" in verdict(loop).outcomes[0].problem


def test_an_exception_shows_the_learners_own_line():
    assert "ZeroDivisionError" in verdict(lambda logits: 1 / 0).outcomes[0].problem


def test_calling_the_library_is_right_but_noted():
    assert verdict(lambda logits: logits.softmax(-1)).shortcut == "torch.Tensor.softmax"


def test_a_changed_first_line_is_told_before_anything_runs():
    assert "lacks logits" in verdict(lambda x: x).note


def test_an_untouched_stub_is_unwritten_and_a_begun_one_is_not():
    assert is_unwritten('def f(x):\n    """Doc."""\n    ...') and not is_unwritten("def f(x):\n    return x")


def test_the_card_says_the_same_in_html_and_in_text():
    found = verdict(lambda logits: F.softmax(logits, 0))
    assert known.hint in card_html(found) and known.hint in card_text(found)


def test_checks_leave_the_random_state_alone():
    before = torch.get_rng_state()
    verdict(lambda logits: torch.rand(logits.shape))
    assert torch.equal(torch.get_rng_state(), before)


def test_the_same_seed_draws_the_same_inputs():
    assert torch.equal(Draw(7).normal(3), Draw(7).normal(3))


def test_the_checks_hold_the_reference_to_torch():
    logits = Draw(0).normal(4, 6)
    assert torch.allclose(softmax(logits), F.softmax(logits, -1)) and math.isclose(
        softmax(logits).sum().item(), 4, rel_tol=1e-6
    )


def test_a_lesson_that_does_not_exist_is_answered_with_those_that_do():
    with pytest.raises(CourseError, match=r"Did you mean 'backprop'\?"):
        find_lesson("backprob")
    with pytest.raises(CourseError, match=r"The lessons are: software_2, backprop"):
        find_lesson("alchemy")


@pytest.mark.parametrize("part", ["source", "notebook", "solutions", "checks"])
def test_every_lesson_has_all_its_parts(part):
    assert lessons() and [lesson.name for lesson in lessons() if not getattr(lesson, part).exists()] == []


def test_importing_the_library_imports_nothing_else():
    assert [
        type(node).__name__ for node in ast.parse((checkout() / "course_lib" / "__init__.py").read_text()).body
    ] == ["Expr", "Assign"]
