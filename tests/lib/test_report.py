"""`course report`: all that an instructor needs to see who is right."""

import json
import math

import pytest
import torch

from course_lib.answers import report
from course_lib.errors import CourseError
from course_lib.exercises.observations import Raised
from course_lib.reports import plain

UNREADABLE = """import torch
from course_lib.exercises import exercise

@exercise
def softmax(logits, *, dim=-1):
    print("noise")
    return (logits - logits.amax(dim=dim, keepdim=True)).exp()

@exercise
def flatten(nested):
    return [

@exercise
def dropout(values, *, probability, generator):
    ...
"""
ANSWERS = UNREADABLE.replace("return [", "return []")


@pytest.fixture
def written(tiny_course, tmp_path, capsys):
    """`written("softmax")` is the report on that answer, as text and as the object at its end."""

    def make(exercise, answers=ANSWERS):
        path = tmp_path / "mine.py"
        path.write_text(answers)
        assert report(exercise, source=str(path)) == 0
        said = capsys.readouterr().out
        [file] = (tmp_path / "state" / "reports").iterdir()
        assert str(file) in said and "Nothing was sent" in said and "noise" not in said
        text = file.read_text(encoding="utf-8")
        return text, json.loads(text.rpartition("```json\n")[2].rpartition("\n```")[0])

    return make


def test_a_report_holds_the_answer_its_inputs_and_both_observations(written):
    text, facts = written("softmax")
    first = facts["checks"][0]
    assert facts["source"].startswith("@exercise\ndef softmax(logits, *, dim=-1):") and facts["source"] in text
    assert first["inputs"][0]["shape"] == [3, 5] and first["printed"] == "noise\n"
    assert torch.tensor(first["observed"]["values"]).amax() == 1
    assert torch.tensor(first["expected"]["values"]).sum(dim=1).allclose(torch.ones(3))


def test_a_report_says_the_verdict_the_seed_and_the_versions(written):
    text, facts = written("softmax")
    assert facts["verdict"]["mistake"] == "softmax_divides_by_the_largest" and facts["seed"] == 0
    assert facts["versions"]["torch"] == torch.__version__
    assert "Nothing was sent" in text


def test_a_report_tells_nothing_about_the_learners_machine(written, tmp_path):
    text, _ = written("softmax")
    assert str(tmp_path) not in text


def test_an_answer_that_python_cannot_read_is_reported_too(written):
    _, facts = written("softmax", UNREADABLE)
    assert "can't read" in facts["verdict"]["note"] and facts["checks"] == []


def test_an_unwritten_answer_is_reported_as_such(written):
    _, facts = written("dropout")
    assert facts["verdict"]["state"] == "unwritten" and facts["checks"] == []


def test_where_there_is_no_answer_there_is_no_report(tiny_course, tmp_path):
    (tmp_path / "mine.py").write_text("x = 1")
    with pytest.raises(CourseError, match="no answer to softmax"):
        report("softmax", source=str(tmp_path / "mine.py"))


@pytest.mark.parametrize("value", [math.nan, math.inf, 1j, Raised("ValueError", "no"), torch.tensor([math.nan])])
def test_every_observation_is_plain_json(value):
    json.dumps(plain([value, {"key": value}]), allow_nan=False)


def test_large_tensors_are_not_listed():
    assert plain(torch.zeros(1001))["values"] == "too many to list"
