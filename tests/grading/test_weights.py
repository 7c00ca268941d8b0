"""What an answer is worth: from one file, whose slips are named."""

import pytest

from course_lib.cli import main
from course_lib.errors import CourseError
from course_lib.grading.weights import Weights, read_weights


@pytest.fixture
def weights(tmp_path):
    def read(text):
        (tmp_path / "weights.toml").write_text(text)
        return read_weights(tmp_path / "weights.toml")

    return read


def test_without_a_file_every_exercise_is_worth_one_point_and_a_shortcut_none():
    found = read_weights(None)
    assert [found.earned("accuracy", look) for look in ("right", "shortcut", "wrong", "unwritten", "no such")] == [
        1,
        0,
        0,
        0,
        0,
    ]


def test_the_file_names_points_lessons_and_rules(weights):
    found = weights("[backprop]\nbackward_rule = 10\ngradient_check = 0\n[rules]\ndefault = 2\nshortcut = 0.5\n")
    assert found.lessons == ["backprop"]
    assert [found.worth(name) for name in ("backward_rule", "gradient_check", "sgd_step")] == [10, 0, 2]
    assert found.earned("backward_rule", "shortcut") == 5


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[backprob]\n", "Did you mean 'backprop'"),
        ("[backprop]\nbackward_rul = 1\n", "Did you mean 'backward_rule'"),
        ("[backprop]\naccuracy = 1\n", "no exercise called 'accuracy'"),
        ("[backprop]\nbackward_rule = -1\n", "number of points"),
        ("[backprop]\nbackward_rule = true\n", "number of points"),
        ("[backprop]\nbackward_rule = inf\n", "number of points"),
        ("[rules]\nshortcuts = 1\n", "Did you mean 'shortcut'"),
        ("backprop = 5\n", "is to be a table"),
        ("rules = 5\n", "is to be a table"),
        ("[backprop", "can't be read"),
    ],
)
def test_a_slip_in_the_file_is_named_with_its_mending(weights, text, said):
    with pytest.raises(CourseError, match=said) as caught:
        weights(text)
    _, _, example = str(caught.value).partition("for example:")
    assert weights(example).worth("backward_rule") == 10, "every slip is answered with a file that can be read"


def test_the_help_shows_a_file_that_can_be_read(weights, capsys):
    with pytest.raises(SystemExit):
        main(["grade", "--help"])
    _, _, example = capsys.readouterr().out.partition("for example:\n")
    assert weights(example).worth("gradient_check") == 5


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(CourseError, match="can't be read"):
        read_weights(tmp_path / "none.toml")


def test_weights_are_read_only():
    assert Weights().points == {}


def test_a_shortcut_earns_a_share_of_the_points_and_never_more_than_all(weights):
    with pytest.raises(CourseError, match=r"shortcut = 5 is to be a share of an exercise's points, from 0 to 1"):
        weights("[rules]\nshortcut = 5\n")
    assert weights("[rules]\nshortcut = 1\n").earned("accuracy", "shortcut") == 1
