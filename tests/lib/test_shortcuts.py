"""Using the library where one was to build it: noticed by whatever name, if it is the answer that calls it."""

import cProfile
import sys

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from sklearn import metrics

from course_lib.exercises.shortcuts import resolve, shortcut_used

NAMES = (
    "torch.softmax",
    "torch.nn.functional.softmax",
    "torch.Tensor.softmax",
    "torch.nn.Softmax",
    "numpy.convolve",
    "sklearn.metrics.accuracy_score",
)
soft, method = F.softmax, torch.Tensor.softmax


def through_a_helper(x):
    return by_method(x)


def by_function(x):
    return torch.softmax(x, -1)


def by_alias(x):
    return soft(x, dim=-1)


def by_method(x):
    return x.softmax(-1)


def by_unbound_method(x):
    return method(x, -1)


def by_class(x):
    return torch.nn.Softmax(dim=-1)(x)


def by_getattr(x):
    return getattr(torch, "soft" + "max")(x, -1)


def by_map(x):
    return next(map(torch.nn.Softmax(dim=-1), [x]))


def by_numpy(x):
    return np.convolve(x.numpy(), [1.0])


def by_scikit_learn(x):
    return metrics.accuracy_score([1], [1])


USERS = [by_function, by_alias, by_method, by_unbound_method, by_class, by_getattr, by_map, by_numpy, by_scikit_learn]


def own_work(x):
    powers = (x - x.amax(-1, keepdim=True)).exp()
    return F.log_softmax(powers / powers.sum(-1, keepdim=True), -1)


@pytest.mark.parametrize("answer", [*USERS, through_a_helper])
def test_the_library_is_noticed_by_whatever_name_it_is_called(answer):
    assert shortcut_used(NAMES, lambda: answer(torch.ones(3)), answer=answer) in NAMES


def test_the_name_that_was_used_is_told():
    assert shortcut_used(NAMES, lambda: by_method(torch.ones(3)), answer=by_method) == "torch.Tensor.softmax"
    assert shortcut_used(NAMES, lambda: by_numpy(torch.ones(3)), answer=by_numpy) == "numpy.convolve"


def test_own_work_with_other_functions_of_the_library_is_none():
    assert shortcut_used(NAMES, lambda: own_work(torch.ones(3)), answer=own_work) is None


def elsewhere(source: str):
    names = {"torch": torch}
    exec(compile(source, "<another file>", "exec"), names)
    return names["function"]


def test_what_the_check_itself_calls_does_not_count():
    answer = elsewhere("def function(x): return x")
    assert shortcut_used(NAMES, lambda: answer(torch.ones(3)).softmax(-1), answer=answer) is None


def test_what_a_siblings_reference_calls_does_not_count_but_the_answers_own_call_does():
    sibling = elsewhere("def function(x): return torch.softmax(x, -1)")

    def honest(x):
        return sibling(x)

    def both(x):
        return sibling(x) + torch.softmax(x, -1)

    assert shortcut_used(NAMES, lambda: honest(torch.ones(3)), answer=honest, others=[sibling]) is None
    assert shortcut_used(NAMES, lambda: both(torch.ones(3)), answer=both, others=[sibling]) == "torch.softmax"


def test_a_class_is_watched_in_all_its_methods():
    class Layer:
        @property
        def weights(self):
            return torch.ones(3).softmax(-1)

    assert shortcut_used(NAMES, lambda: Layer().weights, answer=Layer) == "torch.Tensor.softmax"


@pytest.mark.parametrize("name", ["torch.no_such_thing", "torch.Tensor.no_such_thing", "no_such_module.f"])
def test_a_name_that_does_not_exist_is_refused(name):
    with pytest.raises(LookupError, match="which does not exist"):
        resolve(name)


@pytest.mark.parametrize("name", ["numpy.exp", "torch.float32"])
def test_a_name_whose_calls_cannot_be_watched_is_refused(name):
    with pytest.raises(LookupError, match="can't be watched"):
        shortcut_used((name,), lambda: None, answer=own_work)


def test_a_library_that_nobody_has_imported_is_not_imported_to_watch_it(monkeypatch):
    def answer():
        return 1

    for module in [name for name in sys.modules if name.partition(".")[0] == "wave"]:
        monkeypatch.delitem(sys.modules, module)
    assert shortcut_used(("wave.open",), answer, answer=answer) is None
    assert "wave" not in sys.modules


def test_the_profiler_of_somebody_else_comes_back():
    seen = []
    sys.setprofile(lambda *event: seen.append(event[1]))
    try:
        profiler = sys.getprofile()
        shortcut_used(NAMES, lambda: by_method(torch.ones(3)), answer=by_method)
        assert sys.getprofile() is profiler
    finally:
        sys.setprofile(None)


def test_a_learner_may_profile_an_exercise():
    with cProfile.Profile():  # before Python 3.12 it takes the place that the watching needs
        assert shortcut_used(NAMES, lambda: by_method(torch.ones(3)), answer=by_method) in (None, *NAMES)
