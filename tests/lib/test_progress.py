"""Progress: what was right stays right, two kernels can write at once, and a damaged file is left alone."""

import json
import subprocess
import sys

import pytest

from course_lib.errors import CourseError
from course_lib.exercises import progress
from course_lib.exercises.diagnosis import Diagnosis
from course_lib.exercises.verdict import Verdict
from course_lib.paths import Lesson

RIGHT, WRONG = Verdict("softmax", "right"), Verdict("softmax", "wrong")
SHORTCUT = Verdict("softmax", "right", shortcut="torch.softmax")
UNWRITTEN = Verdict("softmax", "unwritten")
CERTAIN = Verdict("softmax", "wrong", diagnoses=[Diagnosis("over_rows", "hint", True)])
PERHAPS = Verdict("softmax", "wrong", diagnoses=[Diagnosis("over_rows", "hint", False)])

pytestmark = pytest.mark.usefixtures("tiny_course")


def after(*verdicts) -> dict:
    for verdict in verdicts:
        progress.record("tiny", verdict)
    return progress.load().get("tiny", {}).get("softmax", {})


@pytest.mark.parametrize(
    ("verdicts", "state"),
    [
        ([WRONG], "wrong"),
        ([RIGHT], "right"),
        ([SHORTCUT], "shortcut"),
        ([WRONG, RIGHT], "right"),
        ([RIGHT, WRONG], "right"),
        ([RIGHT, SHORTCUT], "right"),
        ([SHORTCUT, WRONG], "shortcut"),
        ([SHORTCUT, RIGHT], "right"),
    ],
)
def test_the_best_that_was_ever_reached_is_kept(verdicts, state):
    assert after(*verdicts)["state"] == state


def test_an_unwritten_answer_changes_nothing():
    assert after(UNWRITTEN) == {} and not progress.progress_file().exists()
    solved = after(RIGHT)
    assert after(UNWRITTEN) == solved


def test_attempts_and_certain_mistakes_are_counted():
    entry = after(WRONG, CERTAIN, CERTAIN, PERHAPS, RIGHT)
    assert entry["attempts"] == 5 and entry["mistakes"] == {"over_rows": 2}


def test_the_first_success_keeps_its_date():
    first = after(RIGHT)["first_right"]
    stored = progress.load()
    stored["tiny"]["softmax"]["first_right"] = "2026-01-01T00:00:00+00:00"
    progress.progress_file().write_text(json.dumps(stored))
    entry = after(RIGHT)
    assert entry["first_right"].startswith("2026-01-01") and entry["last_checked"] >= first


def test_without_success_there_is_no_date_of_it():
    assert "first_right" not in after(WRONG, SHORTCUT)


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "[]",
        "null",
        '{"tiny": []}',
        '{"tiny": {"softmax": "right"}}',
        '{"tiny": {"softmax": {}}}',
        '{"tiny": {"softmax": {"state": "great", "attempts": 1, "mistakes": {}}}}',
        '{"tiny": {"softmax": {"state": "right", "attempts": "1", "mistakes": {}}}}',
        '{"tiny": {"softmax": {"state": "right", "attempts": 1, "mistakes": []}}}',
        b"\xff\xfe",
    ],
)
def test_a_damaged_file_is_told_and_left_as_it_is(content):
    progress.state_dir().mkdir()
    content = content if isinstance(content, bytes) else content.encode()
    progress.progress_file().write_bytes(content)
    for use in (progress.load, lambda: progress.record("tiny", RIGHT), progress.show):
        with pytest.raises(CourseError, match=r"progress\.json .*Rename it to start afresh"):
            use()
    assert progress.progress_file().read_bytes() == content


def test_a_place_that_cannot_be_written_is_told_with_the_fix(monkeypatch, tmp_path):
    (tmp_path / "file").touch()
    monkeypatch.setenv("COURSE_STATE", str(tmp_path / "file"))
    with pytest.raises(CourseError, match="set COURSE_STATE to a folder"):
        progress.record("tiny", RIGHT)


def test_two_kernels_at_once_lose_nothing():
    code = (
        "import sys\n"
        "from course_lib.exercises import progress\n"
        "from course_lib.exercises.verdict import Verdict\n"
        "for number in range(20):\n"
        "    progress.record('tiny', Verdict(sys.argv[1], 'right'))\n"
    )
    kernels = [subprocess.Popen([sys.executable, "-c", code, name]) for name in ("softmax", "accuracy")]
    assert [kernel.wait(300) for kernel in kernels] == [0, 0]
    assert {name: entry["attempts"] for name, entry in progress.load()["tiny"].items()} == {
        "softmax": 20,
        "accuracy": 20,
    }


def test_the_overview_lists_all_exercises_in_order():
    after(RIGHT)
    ((stem, exercises),) = progress.overview()
    assert stem == "01_tiny" and exercises[:2] == [("softmax", "right"), ("cross_entropy", "unwritten")]
    assert len(exercises) == 8


def test_course_progress_prints_the_overview_and_where_it_is_kept(capsys):
    after(SHORTCUT)
    progress.record("tiny", Verdict("accuracy", "right"))
    progress.record("tiny", Verdict("flatten", "wrong"))
    assert progress.show() == 0
    printed = capsys.readouterr().out
    assert printed.startswith("01_tiny  1 of 8 solved\n    ! softmax  (solved with the library's own function)\n")
    assert "    ○ cross_entropy\n    ✓ accuracy\n" in printed and "    ✗ flatten\n" in printed
    assert str(progress.progress_file()) in printed


def test_a_gap_in_the_lessons_numbers_is_explained(monkeypatch, capsys):
    monkeypatch.setattr(progress, "progress_text", lambda: "")
    monkeypatch.setattr(progress, "lessons", lambda: [Lesson(number, "little") for number in (1, 2, 5)])
    assert progress.show() == 0
    assert "There are no lessons 3, 4: numbers are fixed" in capsys.readouterr().out


def test_what_is_noted_of_exercises_that_no_longer_exist_does_no_harm():
    progress.record("gone", Verdict("old", "right"))
    progress.record("tiny", Verdict("renamed", "right"))
    assert "01_tiny  0 of 8 solved" in progress.progress_text()
    assert after(RIGHT)["state"] == "right" and progress.load()["gone"]["old"]["state"] == "right"
