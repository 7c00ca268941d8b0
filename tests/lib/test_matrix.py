"""The kill matrix and the mutants find what is wrong with an exercise: each fault is planted and must be named."""

import warnings

import pytest

from course_lib.authoring.matrix import document, matrix, measure
from course_lib.authoring.mutants import mutant_reports
from course_lib.authoring.mutants import mutants as run_mutants
from course_lib.paths import find_lesson

LESSON = """
# %% tags=["exercise"]
@exercise
def scale(values, factor):
    \"\"\"Multiply, and add one.\"\"\"
    ...
"""
SOLUTIONS = """
import torch
from course_lib.exercises import built_without, mistake

@built_without("torch.lerp")
def scale(values, factor):
    \"\"\"Multiply, and add one.\"\"\"
    return values * factor + 1

@mistake(of=scale, hint="You forgot to add one.")
def scale_adds_nothing(values, factor):
    return values * factor

@mistake(of=scale, hint="You forgot the factor.")
def scale_without_factor(values, factor):
    return values + 1

@mistake(of=scale, hint="You divide.")
def scale_divides(values, factor):
    return values / factor + 1

@mistake(of=scale, hint="You take one away.")
def scale_takes_one_away(values, factor):
    return values * factor - 1
"""
CHECKS = """
from course_lib.exercises import check

@check("Three vectors")
def three_vectors(scale, draw):
    return [scale(draw.normal(n), 2.5) for n in (3, 4, 5)]
"""
COINCIDING = """
@mistake(of=scale, hint="The same again.")
def scale_adds_nothing_either(values, factor):
    return factor * values
"""
HARMLESS = """
@mistake(of=scale, hint="No mistake at all.")
def scale_is_right(values, factor):
    return 1 + factor * values
"""
IDLE = """
@check("Says nothing")
def says_nothing(scale, draw):
    return 1
"""
BROKEN = """
@check("Forgot an import")
def forgot_an_import(scale, draw):
    return scale(math.pi, 2)
"""


@pytest.fixture
def course(tmp_path, monkeypatch):
    """`course(lesson, solutions, checks)` writes a course of one exercise and measures it."""

    def write(lesson=LESSON, solutions=SOLUTIONS, checks=CHECKS):
        for path, text in (
            ("lessons/01_sums.py", lesson),
            ("solutions/sums.py", solutions),
            ("tests/exercises/sums.py", checks),
        ):
            (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / path).write_text(text)
        return measure(find_lesson("sums"))

    monkeypatch.setenv("COURSE_CHECKOUT", str(tmp_path))
    return write


def test_a_sound_exercise_has_no_problem_and_is_counted_in_the_last_line(course, tmp_path, capsys):
    report = course()
    assert report.problems == []
    assert matrix() == 0
    assert capsys.readouterr().out.splitlines()[-1] == "1 exercises, 4 mistakes, 4 killed, 4 diagnosed."
    assert (tmp_path / "docs" / "kill_matrix.md").read_text() == document([report])
    assert "| `scale_divides` | ✗ | yes |" in document([report])


@pytest.mark.parametrize(
    "parts, problem",
    [
        ({"solutions": SOLUTIONS + COINCIDING}, "coincide: no check tells them apart"),
        ({"solutions": SOLUTIONS + HARMLESS}, "scale_is_right passes every check"),
        ({"checks": CHECKS + IDLE}, "the check says_nothing kills no known mistake"),
        ({"checks": CHECKS + BROKEN}, "the scenario of forgot_an_import ends in NameError"),
        ({"checks": CHECKS.replace("(3, 4, 5)", "(3, 4)")}, "scale_adds_nothing is not diagnosed as itself"),
        ({"lesson": LESSON.replace("factor)", "factor=2)")}, "stub and reference differ in their signature"),
        ({"lesson": LESSON.replace("Multiply", "Scale")}, "stub and reference differ in their docstring"),
        ({"lesson": LESSON.replace("...", "return values * factor + 1")}, "the untouched stub passes every check"),
        ({"lesson": LESSON.replace("scale", "other")}, "no cell of the lesson holds its stub"),
        ({"lesson": LESSON.replace("scale", "other")}, "the exercise other has no checks"),
        ({"solutions": SOLUTIONS.replace("torch.lerp", "torch.no_such_thing")}, "torch.no_such_thing, which does not"),
        ({"solutions": SOLUTIONS.replace("values * factor + 1", "torch.lerp(values * 0 + 1, values + 1, factor)", 1)},
         "the reference itself calls torch.lerp"),
        ({"solutions": SOLUTIONS[: SOLUTIONS.index("@mistake(of=scale, hint=\"You take")]}, "it has 3 known mistakes"),
    ],
)  # fmt: skip
def test_each_broken_rule_is_named(course, parts, problem):
    assert any(problem in found for found in course(**parts).problems), problem


def test_a_library_that_is_here_but_does_not_load_is_no_problem(course, tmp_path, monkeypatch):
    (tmp_path / "stubborn.py").write_text("raise RuntimeError('compiled with different CUDA versions')\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert course(solutions=SOLUTIONS.replace("torch.lerp", "stubborn.lerp")).problems == []


def test_a_changed_number_that_leaves_a_layer_without_inputs_warns_nobody(course):
    layer = "values * factor + torch.nn.Linear(1, 1).weight.new_ones(1)"
    course(solutions=SOLUTIONS.replace("values * factor + 1", layer, 1))
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        changes = [report.change for report in mutant_reports(find_lesson("sums"))]
    assert any("1 → 0" in change and "Linear" in change for change in changes) and said == []


def test_a_change_that_no_check_notices_needs_a_reason(course, tmp_path, capsys):
    blind = SOLUTIONS.replace("values * factor + 1", "values * factor + max(1, 0)", 1)
    problems = course(solutions=blind).problems
    assert problems == [
        "scale: no check notices 0 → 1 in: return values * factor + max(1, 0): add a check, or the reason to "
        "solutions/equivalent_mutants.toml",
        "scale: no check notices 0 → -1 in: return values * factor + max(1, 0): add a check, or the reason to "
        "solutions/equivalent_mutants.toml",
    ]
    assert run_mutants() == 1
    reasons = "".join(f'"0 → {n} in: return values * factor + max(1, 0)" = "1 is larger"\n' for n in (1, -1))
    (tmp_path / "solutions" / "equivalent_mutants.toml").write_text("[scale]\n" + reasons)
    assert run_mutants() == 0
    assert "1 is larger" in document([measure(find_lesson("sums"))])


def test_mutants_flip_signs_drop_terms_swap_axes_and_count_one_more_or_less(course):
    solutions = SOLUTIONS.replace("values * factor + 1", "-(values * factor).sum(dim=-1) + (1 if factor > 0 else 2)", 1)
    course(solutions=solutions)
    changes = [mutant.change.split(" in: ")[0] for mutant in mutant_reports(find_lesson("sums"))]
    for expected in (
        "dim=-1 → dim=0",
        "values * factor → values / factor",
        "factor > 0 → factor >= 0",
        "2 → 3",
        "2 → 1",
    ):
        assert expected in changes
    assert "-(values * factor).sum(dim=-1) → (values * factor).sum(dim=-1)" in changes
