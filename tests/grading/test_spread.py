"""Grading on a cluster, with a Ray of a few lines that breaks off at will: nobody is lost, nothing is endless."""

import os
import pickle
import sys
from dataclasses import dataclass
from types import SimpleNamespace

import pytest

from course_lib.errors import CourseError
from course_lib.grading.command import Options, grade_class
from course_lib.grading.intake import Source, Submission, Unreadable
from course_lib.grading.plan import edition_of, make_plan
from course_lib.grading.spread import TRIES, Cluster, Grader, Orders, alike
from course_lib.grading.submission import record_key
from tests.grading.classroom import Classroom, honest

CONTENT = honest()


class Gone(Exception):
    """What this Ray raises where a process is gone."""


@dataclass(eq=False)
class Promise:
    work: object
    given: object


class TinyRay:
    """Starts nothing: `grades(submission)` and `begins(number of the grader)` say what becomes of them."""

    exceptions = SimpleNamespace(RayError=Gone)

    def __init__(self, grades, begins=lambda number: {"node": "one", "tier": "namespaces"}):
        self.grades, self.begins, self.made = grades, begins, 0

    def remote(self, **options):
        def make(orders, slot):
            self.made += 1
            number = self.made
            method = lambda work: SimpleNamespace(remote=lambda given=number: Promise(work, given))  # noqa: E731
            return SimpleNamespace(begin=method(self.begins), grade=method(self.grades))

        return lambda kind: SimpleNamespace(remote=make)

    put = staticmethod(lambda value: value)
    wait = staticmethod(lambda promises, timeout: (promises[:1], promises[1:]))
    get = staticmethod(lambda promise: promise.work(pickle.loads(pickle.dumps(promise.given))))
    kill = staticmethod(lambda grader: None)


@pytest.fixture(scope="module")
def plan():
    return make_plan(["software_2"], seed=1)


@pytest.fixture
def class_of_five():
    return [Submission(f"s{number}", "", [Source("01_software_2.ipynb", lambda: CONTENT)]) for number in range(5)]


def spread_over(ray, submissions, plan):
    kept = []
    Cluster(ray, Orders({}, [], 0, 0, [], {}), 2).spread(submissions, plan, kept.append)
    return kept


def test_everybody_is_graded_once_though_every_third_grader_breaks_off(class_of_five, plan):
    count = iter(range(1, 100))

    def grades(submission):
        if next(count) % 3 == 0:
            raise Gone
        return {"student": submission.student, "read": submission.sources[0].read()}

    kept = spread_over(TinyRay(grades), class_of_five, plan)
    assert sorted(each["student"] for each in kept) == ["s0", "s1", "s2", "s3", "s4"]
    assert all(each["read"] == CONTENT for each in kept)


def test_who_ends_every_grader_is_given_up_and_the_class_goes_on(class_of_five, plan):
    tried = []

    def grades(submission):
        tried.append(submission.student)
        if submission.student == "s2":
            raise Gone
        return {"student": submission.student, "problems": []}

    kept = {each["student"]: each for each in spread_over(TinyRay(grades), class_of_five, plan)}
    assert len(kept) == 5 and tried.count("s2") == TRIES
    assert "broke off 3 times" in kept["s2"]["problems"][0]
    assert kept["s2"]["lessons"] == {"software_2": {"file": "", "exercises": {}}}
    assert kept["s2"]["key"] == record_key(class_of_five[2], edition_of(plan))


def test_a_node_that_can_not_reach_what_is_required_stops_everything(class_of_five, plan):
    def begins(number):
        return {"node": "poor", "problem": "No isolation."} if number == 2 else {"node": "one", "tier": "namespaces"}

    with pytest.raises(CourseError, match="Node poor can't grade with the others"):
        spread_over(TinyRay(lambda submission: {}, begins), class_of_five, plan)


def test_graders_that_never_start_are_not_tried_for_ever(class_of_five, plan):
    def begins(number):
        raise Gone("no such module")

    ray = TinyRay(lambda submission: {}, begins)
    with pytest.raises(CourseError, match="don't start on this cluster: no such module"):
        spread_over(ray, class_of_five, plan)
    assert ray.made < 20


def test_a_file_that_can_not_be_read_travels_as_the_reason(plan):
    def unreadable():
        raise Unreadable("it is a link")

    def grades(submission):
        with pytest.raises(Unreadable, match="it is a link"):
            submission.sources[0].read()
        return {"student": submission.student}

    assert spread_over(TinyRay(grades), [Submission("ann", "", [Source("x.py", unreadable)])], plan)


@pytest.mark.parametrize("what", alike())
def test_a_node_with_another_version_does_not_grade(what):
    orders = Orders({}, [], 0, 0, [], {**alike(), what: "older"})
    assert f"{what} is" in Grader(orders, 0).begin()["problem"]


def test_without_the_extra_the_one_command_is_named(monkeypatch, tmp_path):
    room = Classroom(tmp_path / "class")
    room.hand_in("ann", honest())
    monkeypatch.setitem(sys.modules, "ray", None)
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", os.environ.get("RAY_USAGE_STATS_ENABLED", "0"))
    with pytest.raises(CourseError, match=r"pip install -e '\.\[scale\]'"):
        grade_class(Options([room.submissions], lessons=["software_2"], out=room.out, ray=""))
