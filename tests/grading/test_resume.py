"""A run that is broken off goes on where it was; one that is complete is graded anew, with other inputs."""

import json
import signal
import subprocess
import time

import psutil
import pytest

from tests.grading.classroom import Classroom, honest

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]


@pytest.fixture
def room(tmp_path):
    room = Classroom(tmp_path / "class")
    for number in range(6):
        room.hand_in(f"student{number}", honest())
    return room


def records(room):
    return {path: path.stat().st_mtime_ns for path in (room.out / ".records").glob("*.json") if path.stem != "run"}


def kill_after(room, count):
    """Start grading, and kill it with SIGKILL once there are this many records; its helpers end by themselves."""
    process = subprocess.Popen(
        room.command(jobs=1), env=room.environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        give_up = time.monotonic() + 400
        while len(records(room)) < count and process.poll() is None and time.monotonic() < give_up:
            time.sleep(0.02)
        helpers = psutil.Process(process.pid).children(recursive=True)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert psutil.wait_procs(helpers, timeout=60)[1] == []


def test_a_killed_run_goes_on_and_a_finished_one_begins_anew(room):
    kill_after(room, 2)
    before = records(room)
    assert 2 <= len(before) < 6
    seed = json.loads((room.out / ".records/run.json").read_text())["seed"]

    assert "Going on with 6 submissions" in room.grade(jobs=2).stdout
    after = records(room)
    assert len(after) == 6 and all(after[path] == stamp for path, stamp in before.items())
    assert set(room.points().values()) == {2.0}
    assert json.loads((room.out / ".records/run.json").read_text())["seed"] == seed

    room.hand_in("student3", b"")
    assert "Grading 6 submissions" in room.grade(jobs=2).stdout
    assert json.loads((room.out / ".records/run.json").read_text())["seed"] != seed
    points = room.points()
    assert points.pop("student3") == 0.0 and set(points.values()) == {2.0}
    for folder in ("students", "gradescope"):  # what was written of the notebook before is gone
        assert len([path for path in (room.out / folder).iterdir() if path.name.startswith("student3")]) == 1
    history = [json.loads(line) for line in (room.out / "history.jsonl").read_text().splitlines()]
    assert [each["right"]["accuracy"] for each in history] == [6, 5]
    assert "from run to run" in (room.out / "class.html").read_text(encoding="utf-8")


def test_where_nobody_hands_in_an_answer_of_that_lesson_it_is_said(tmp_path):
    room = Classroom(tmp_path / "class")
    room.hand_in("nobody", b"")
    assert "No submission holds an answer to software_2" in room.grade(jobs=1).stderr
    (page,) = (room.out / "students").iterdir()
    assert "Your answers met the same checks" not in page.read_text(encoding="utf-8")
