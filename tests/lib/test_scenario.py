"""Running a scenario: fresh inputs, references for siblings, and a learner's session that stays as it was."""

import functools
import random

import numpy as np
import pytest
import torch

from course_lib.exercises import check, raises
from course_lib.exercises.observations import Opaque, OutOfTime, Raised
from course_lib.exercises.scenario import run_scenario


@check("Doubles its input")
def doubles(double, draw):
    return double(draw.normal(3))


def observe(answer, *, scenario=doubles, siblings=None, **options):
    return run_scenario(scenario, answer, siblings=siblings or {}, **options)


def run_on(source: str, name: str = "double", **options):
    """Run an answer that was typed into a notebook of its own; returns the run and the notebook's names."""
    names = {"torch": torch, "before": "untouched"}
    exec(compile(source, "<cell>", "exec"), names)
    return observe(names[name], **options), names


def test_the_same_seed_repeats_a_run_and_another_changes_its_inputs():
    first, again, other = (observe(lambda x: 2 * x, seed=seed).observation for seed in (0, 0, 1))
    assert torch.equal(first, again) and not torch.equal(first, other)


def test_each_run_gets_fresh_inputs_whatever_the_last_one_did_to_them():
    def double(values):
        return values.mul_(2)

    first, again = observe(double), observe(double)
    assert torch.equal(first.observation, again.observation)
    assert torch.equal(2 * first.drawn[0], first.observation)


def test_a_random_answer_repeats_itself_and_luck_changes_what_it_draws():
    def double(values):
        return torch.rand(1) + np.random.rand() + random.random() + 0 * values

    first, again, lucky = (observe(double, luck=luck) for luck in (0, 0, 1))
    assert torch.equal(first.observation, again.observation)
    assert not torch.equal(first.observation, lucky.observation)
    assert torch.equal(first.drawn[0], lucky.drawn[0])


def test_the_global_random_state_goes_on_as_if_nothing_had_happened():
    def double(values):
        torch.manual_seed(1)
        random.seed(1)
        return values + torch.rand(1) + np.random.rand()

    before = torch.get_rng_state(), random.getstate(), np.random.get_state()[1].tolist()
    observe(double)
    assert torch.equal(torch.get_rng_state(), before[0])
    assert (random.getstate(), np.random.get_state()[1].tolist()) == before[1:]


def test_gradients_work_even_where_the_learner_has_switched_them_off():
    @check("Has a gradient")
    def gradient(double, draw):
        values = torch.ones(2, requires_grad=True)
        double(values).sum().backward()
        return values.grad

    with torch.no_grad():
        assert observe(lambda x: 2 * x, scenario=gradient).observation.tolist() == [2, 2]
        assert not torch.is_grad_enabled()


def test_prints_are_kept_from_the_page_and_cut_where_they_never_end(capsys):
    def double(values):
        for _ in range(1000):
            print("step")
        return values

    run = observe(double)
    assert capsys.readouterr().out == ""
    assert run.printed.startswith("step\nstep") and len(run.printed) == 2000


def test_an_exception_shows_the_learners_own_line(tmp_path):
    file = tmp_path / "cell.py"
    file.write_text("import torch\ndef double(values):\n    wrong = torch.ones(2, 4) @ values\n    return wrong\n")
    names = {}
    exec(compile(file.read_text(), str(file), "exec"), names)
    seen = observe(names["double"]).observation
    assert isinstance(seen, Raised) and seen.kind == "RuntimeError" and "size mismatch" in seen.message
    assert seen.where == "line 3: wrong = torch.ones(2, 4) @ values"


def test_an_exception_in_the_check_shows_what_the_answer_had_returned():
    @check("Has a shape")
    def shape(double, draw):
        return list(double(draw.normal(2)).shape)

    run, _ = run_on("def double(values):\n    return 3", scenario=shape)
    assert run.observation.kind == "AttributeError" and run.observation.where == "after double returned 3"


def test_an_exception_before_any_call_says_nothing_of_the_answer():
    @check("Breaks")
    def breaks(double, draw):
        raise ValueError("of the check's own")

    run, _ = run_on("def double(values):\n    return 3", scenario=breaks)
    assert run.observation == Raised("ValueError", "of the check's own", "")


@pytest.mark.parametrize("error", [SystemExit(0), KeyError("a"), AssertionError(), StopIteration(), GeneratorExit()])
def test_whatever_an_answer_raises_is_an_observation(error):
    def double(values):
        raise error

    assert observe(double).observation.kind == type(error).__name__


def test_stop_of_the_kernel_is_not_swallowed():
    def double(values):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        observe(double)


def test_an_exception_that_cannot_say_what_it_is_and_one_that_says_too_much():
    class Mute(Exception):
        def __str__(self):
            raise ValueError

    def mute(values):
        raise Mute

    def loud(values):
        raise ValueError("x" * 10**6)

    assert observe(mute).observation.message == ""
    assert len(observe(loud).observation.message) == 1000


def test_unlimited_recursion_is_an_observation_too():
    run, _ = run_on("def double(values):\n    return double(values)")
    assert run.observation.kind == "RecursionError"


def test_an_endless_loop_is_ended():
    run, _ = run_on("def double(values):\n    while True: pass", seconds=0.05)
    assert run.observation == OutOfTime(0.05)


def test_a_recursive_answer_finds_itself_by_name():
    run, names = run_on(
        "def double(values, n=3):\n    return double(values, n - 1) if n else 2 * values\ninner = double\ndel double",
        "inner",
    )
    assert run.observation.tolist() == (2 * run.drawn[0]).tolist()
    assert "double" not in names


def test_siblings_are_their_references_meanwhile_and_the_learners_own_come_back():
    source = "def square(x): ...\ndef double(values):\n    return square(values) + helper(values)"
    run, names = run_on(source, siblings={"square": torch.square, "helper": torch.zeros_like})
    assert run.observation.tolist() == torch.square(run.drawn[0]).tolist()
    assert names["square"](2) is None and "helper" not in names and names["before"] == "untouched"


def test_siblings_come_back_after_an_exception_and_after_an_endless_loop():
    for body in ("raise KeyError", "while True: pass"):
        _, names = run_on(f"square = 'mine'\ndef double(values):\n    {body}", siblings={"square": abs}, seconds=0.05)
        assert names["square"] == "mine"


def test_a_scenario_can_ask_for_a_siblings_reference():
    @check("Twice the square")
    def twice_the_square(double, draw, square):
        return double(square(draw.normal(2)))

    run = observe(lambda x: 2 * x, scenario=twice_the_square, siblings={"square": torch.square})
    assert torch.equal(run.observation, 2 * run.drawn[0] ** 2)


def test_calls_are_written_down_as_they_were_before_the_answer_damaged_its_inputs():
    @check("Twice")
    def twice(double, draw):
        double(torch.ones(2))
        return double(torch.ones(2), scale=[1, 2])

    def double(values, scale=None):
        return values.mul_(2)

    run = observe(double, scenario=twice)
    assert run.calls == ["double(float32 tensor [1, 1])", "double(float32 tensor [1, 1], scale=[1, 2])"]
    assert run.returned == "float32 tensor [2, 2]"


def test_a_thousand_calls_are_not_all_written_down():
    @check("Often")
    def often(double, draw):
        return [double(1) for _ in range(1000)]

    assert len(observe(lambda x: x, scenario=often).calls) == 40


def test_answers_may_be_decorated_cached_or_objects():
    class Double:
        def __call__(self, values):
            return 2 * values

    @torch.no_grad()
    def decorated(values):
        return 2 * values

    wanted = observe(lambda x: 2 * x).observation
    for answer in (Double(), decorated, functools.partial(torch.mul, 2), functools.lru_cache(lambda x: 2 * x)):
        assert torch.equal(observe(answer).observation, wanted)


def test_what_is_no_plain_data_is_seen_as_what_it_is():
    assert observe(lambda x: (n for n in x)).observation == Opaque("generator")


def test_raises_observes_the_kind_of_an_exception():
    assert raises(int, "x") == "ValueError"
    assert raises(int, "3") == "nothing"
    assert raises(int, "x", base=99) == "ValueError"


def test_a_scenario_without_draw_is_refused():
    with pytest.raises(TypeError, match="too few parameters"):
        check("Nothing")(lambda double: None)
