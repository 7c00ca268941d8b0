"""A class graded on a Ray cluster of two workers, one of which is killed meanwhile, has the grades of one machine."""

import json
import subprocess
import time

import psutil
import pytest

from tests.grading.classroom import ATTACKS, IMPORTS, WRONG_ACCURACY, Classroom, honest, notebook_of

pytestmark = [pytest.mark.scale, pytest.mark.timeout(1800)]
PATIENCE = 800  # seconds, for a machine that others use


@pytest.fixture(scope="module")
def room(tmp_path_factory):
    """A class of right, wrong, damaged and hostile submissions, graded without Ray."""
    room = Classroom(tmp_path_factory.mktemp("class"))
    room.hand_in("right", honest())
    for number in range(7):  # what is said of a wrong answer depends on the inputs
        room.hand_in(f"wrong{number}", notebook_of(IMPORTS, WRONG_ACCURACY))
    room.hand_in("damaged", honest()[:200])
    room.hand_in_attack(ATTACKS / "forging/leaves_with_success.py")
    room.grade(jobs=2)
    return room


def records(out):
    """Everything that was written of everybody, but for how long it took."""

    def timeless(part):
        if isinstance(part, dict):
            return {name: timeless(value) for name, value in part.items() if name != "seconds"}
        return [timeless(each) for each in part] if isinstance(part, list) else part

    paths = [path for path in (out / ".records").glob("*.json") if path.stem != "run"]
    return {found["student"]: timeless(found) for found in (json.loads(path.read_text()) for path in paths)}


def grade_again(room, name, *options):
    """The command that grades into another folder, with the very inputs that the first run had."""
    run = json.loads((room.out / ".records/run.json").read_text())
    (room.folder / name / ".records").mkdir(parents=True)
    (room.folder / name / ".records/run.json").write_text(json.dumps({**run, "finished": False}))
    command = room.command("--ray", *options, jobs=2)
    command[command.index("--out") + 1] = str(room.folder / name)
    return command


def grading(process):
    """Processes of the cluster that grade at this moment."""
    found = []
    for child in psutil.Process(process.pid).children(recursive=True):
        try:
            if "ray::Grader.grade" in " ".join(child.cmdline()):
                found.append(child)
        except psutil.Error:
            continue
    return found


def test_a_killed_worker_costs_nobody_a_point(room):
    out, victim, give_up = room.folder / "spread", None, time.monotonic() + PATIENCE
    with subprocess.Popen(
        grade_again(room, "spread"),
        env=room.environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True,
    ) as process:  # fmt: skip
        try:
            while victim is None and process.poll() is None and time.monotonic() < give_up:
                if records(out):
                    victim = next(iter(grading(process)), None)
                time.sleep(0.02)
            if victim:
                victim.kill()
            said = process.communicate(timeout=PATIENCE)[0]
        finally:
            process.kill()
    assert process.returncode == 0 and victim is not None, said
    assert "broke off while it graded" in said and ": isolation namespaces." in said, said
    assert records(out) == records(room.out)
    assert (out / "grades.csv").read_bytes() == (room.out / "grades.csv").read_bytes()
    wrong = records(out)["wrong0"]["lessons"]["software_2"]["exercises"]["accuracy"]["verdict"]["outcomes"]
    assert any(each["problem"] for each in wrong), "what came and what was expected is part of what was compared"


def test_a_lower_tier_is_refused_before_anything_starts(room):
    found = subprocess.run(
        grade_again(room, "refused", "--isolation", "process"),
        env=room.environment(), capture_output=True, text=True, timeout=PATIENCE,
    )  # fmt: skip
    assert found.returncode == 1 and "Ray runs what it is sent" in found.stderr
    assert not (room.folder / "refused/grades.csv").exists()
