"""Does `course grade` hold? The attacks, honest but messy notebooks, a class of 300; and the peers on the same attacks.

python -m benchmarks.grading            (about ten minutes on two quiet cores)
python -m benchmarks.grading --peers    (nbgrader and otter-grader, in .venv-benchmarks: see requirements.txt)
"""

import json
import os
import random
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import nbformat
import psutil

from benchmarks.report import report
from course_lib.authoring.answer_key import typed_answer
from course_lib.copies import fresh_notebook
from course_lib.exercises.excerpts import excerpt
from course_lib.exercises.registry import load_lesson
from course_lib.exercises.stubs import definitions, is_exercise
from course_lib.paths import checkout
from tests.grading.classroom import (
    ATTACKS,
    CANARIES,
    WRONG_ACCURACY,
    Classroom,
    honest,
    listening,
    with_a_secret,
)
from tests.grading.generated import GENERATED
from tests.grading.messy import MESSY

NUM_STUDENTS, NUM_JOBS = 300, 2
LESSON = "backprop"
PEERS = checkout() / ".venv-benchmarks" / "bin" / "python"
OF_OUR_OWN_PARTS = {  # forging attacks that speak of our own worker, registry or judge: peers have none of these
    "another_exercise",
    "asks_the_registry",
    "at_the_end",
    "bad_frames",
    "collects_garbage",
    "deep_frame",
    "endless_frame",
    "every_descriptor",
    "forged_answer",
    "forged_words",
    "forged_words_by_pipe",
    "patches_the_draw",
    "patches_the_judge",
    "patches_the_scenario",
    "pickles",
}
HONEST = {"aaron", "mia", "zoe", "with_secret"}


def main() -> None:
    """Measure, and write `benchmarks/results/grading.json`."""
    path = checkout() / "benchmarks" / "results" / "grading.json"
    figures = json.loads(path.read_text())["figures"] if path.exists() else {}
    if "--peers" in sys.argv:
        figures["peers"] = peers()
    else:
        with tempfile.TemporaryDirectory() as folder:
            figures |= attack(Path(folder) / "attacked")
            figures |= grade_many(Path(folder) / "many")
    report("grading", figures)


def attack(folder: Path) -> dict:
    """Grade attackers and honest students side by side, and count what went wrong."""
    room = Classroom(folder)
    with listening(room):
        for student in sorted(HONEST - {"with_secret"}):
            room.hand_in(student, honest())
        room.hand_in("with_secret", with_a_secret(), "01_software_2.py")
        for student, (make, _, name) in MESSY.items():
            room.hand_in(student, make(), name)
        for path in ATTACKS.glob("*/*.py"):
            room.hand_in_attack(path)
        for name, make in GENERATED.items():
            make(room, name)
        started = time.monotonic()
        printed = room.grade("--seconds", "2").stdout
    points = room.points()
    attackers = [*(path.stem for path in ATTACKS.glob("*/*.py")), *GENERATED]
    said = {name: room.everything_said_to(name) for name in attackers if name in points}
    leaked = [name for name, text in said.items() if any(canary in text for canary in CANARIES.values())]
    misgraded = [name for name, (_, earned, _) in MESSY.items() if _looks(room, name) != earned]
    return {
        "tier": printed.partition("Isolation: ")[2].partition(" ")[0],
        "attacks": len(attackers),
        "families": {each.name: len(list(each.glob("*.py"))) for each in sorted(ATTACKS.iterdir()) if each.is_dir()}
        | {"made by programs": len(GENERATED)},
        "forged": sum(points.get(name, 0) > 0 for name in attackers),
        "leaked": len(leaked) + len(room.heard),
        "harmed": sum(points.get(name) != 2.0 for name in HONEST),
        "honest_notebooks": len(MESSY),
        "honest_misgraded": len(misgraded),
        "seconds_for_attacks": round(time.monotonic() - started, 1),
    }


def _looks(room: Classroom, student: str) -> dict[str, str]:
    entries = room.record(student)["lessons"]["software_2"]["exercises"]
    return {name: entry["look"] for name, entry in entries.items()}


def grade_many(folder: Path) -> dict:
    """Grade 300 submissions of one lesson on two workers, and watch the trusted process's memory."""
    expected = make_class(folder / "submissions")
    command = [
        sys.executable,
        "-m",
        "course_lib.cli",
        "grade",
        str(folder / "submissions"),
        "--out",
        str(folder / "out"),
    ]
    started, loads, memory = time.monotonic(), [], []
    with subprocess.Popen([*command, "--jobs", str(NUM_JOBS)], env={**os.environ, "OMP_NUM_THREADS": "1"}) as process:
        while process.poll() is None:
            time.sleep(1.0)
            done = len(list((folder / "out" / ".records").glob("*.json")))
            try:
                memory.append((done, psutil.Process(process.pid).memory_info().rss / 2**20))
            except psutil.Error:
                break
            loads.append(os.getloadavg()[0])
    seconds = time.monotonic() - started
    graded = {}
    for path in (folder / "out" / ".records").glob("*.json"):
        record = json.loads(path.read_text())
        if "student" in record:
            entries = record["lessons"][LESSON]["exercises"]
            graded[record["student"]] = {name: entry["look"] for name, entry in entries.items()}
    third = NUM_STUDENTS // 3
    return {
        "students": len(graded),
        "exercises": sum(map(len, graded.values())),
        "misgraded_of_300": sum(graded.get(name) != looks for name, looks in expected.items()),
        "seconds_for_300": round(seconds, 1),
        "jobs": NUM_JOBS,
        "mean_load_meanwhile": round(sum(loads) / len(loads), 1),
        "trusted_mb_after_a_third": round(max(mb for done, mb in memory if done <= third + 1)),
        "trusted_mb_at_most": round(max(mb for _, mb in memory)),
    }


def make_class(folder: Path) -> dict[str, dict[str, str]]:
    """Submissions as a class makes them: mostly right, known mistakes, gaps, here and there a loop; and what is due."""
    lesson, choose, expected = load_lesson(LESSON), random.Random(300), {}
    solutions = lesson.lesson.solutions.read_text(encoding="utf-8")
    for number in range(NUM_STUDENTS):
        notebook, looks = fresh_notebook(lesson.lesson), {}
        for cell in notebook.cells:
            node = next((each for each in definitions(cell.source).values() if is_exercise(each)), None)
            if cell.cell_type == "code" and node is not None:
                cell.source, looks[node.name] = _answer(node.name, cell.source, solutions, choose)
        student = f"student{number:03d}"
        (folder / student).mkdir(parents=True)
        nbformat.write(notebook, folder / student / f"{lesson.lesson.stem}.ipynb")
        expected[student] = looks
    return expected


def _answer(name: str, stub: str, solutions: str, choose: random.Random) -> tuple[str, str]:
    right = typed_answer(name, solutions)
    luck = choose.random()
    if luck < 0.70:
        return right, "right"
    if luck < 0.80:
        return stub, "unwritten"
    head = right.partition("\n    ")[0]
    if luck < 0.81:
        return f"{head}\n    while True:\n        pass", "wrong"
    if luck < 0.97:
        return _mistaken(name, choose.choice(list(load_lesson(LESSON).exercises[name].mistakes)), solutions), "wrong"
    return f"{head}\n    return None", "wrong"


def _mistaken(name: str, mistake: str, solutions: str) -> str:
    """A known mistake as a learner's answer: under the exercise's name, with what it does right as a helper."""
    text = re.sub(rf"\b{name}\b", f"rightly_{name}", excerpt(mistake, solutions))
    text = re.sub(rf"\b{mistake}\b", name, text)
    return re.sub(rf"^def {name}\b", f"@exercise\ndef {name}", text, flags=re.MULTILINE)


def peers() -> dict:
    """What nbgrader and otter-grader give the forging attacks; each in a process of its own over there."""
    script = Path(__file__).with_name("grading_peers.py")
    attacks = sorted((ATTACKS / "forging").glob("*.py"))
    with tempfile.TemporaryDirectory() as folder:
        room = Classroom(Path(folder) / "room")
        room.placeholders["{PORT}"] = "9"
        for path in attacks:
            if path.stem not in OF_OUR_OWN_PARTS:
                room.hand_in_attack(path)
        for name, code in _controls().items():
            room.hand_in(name, code.encode(), "01.py")
        paths = f"{PEERS.parent}{os.pathsep}{os.environ['PATH']}"  # nbgrader starts alembic by its name
        environment = {**os.environ, "PATH": paths, "HOME": str(room.home), "OMP_NUM_THREADS": "1"}
        answer = subprocess.run(
            [str(PEERS), str(script), str(room.submissions), folder],
            env={**environment, "PYTHONPATH": str(checkout())},
            cwd=folder, stdout=subprocess.PIPE, text=True, check=True,
        )  # fmt: skip
    found = json.loads(answer.stdout.splitlines()[-1])
    return {name: {**each, "not_applicable": len(OF_OUR_OWN_PARTS)} for name, each in found.items()}


def _controls() -> dict[str, str]:
    """Honest work whose points are known: without these a peer that was set up wrongly would look safe."""
    head = "import torch\nfrom course_lib.exercises import exercise"
    solutions = load_lesson("software_2").lesson.solutions.read_text(encoding="utf-8")
    names = ("accuracy", "confusion_matrix", "stratified_split")
    right = [typed_answer(name, solutions) for name in names]
    wrong = [
        WRONG_ACCURACY,
        "def confusion_matrix(predictions, labels, num_classes):\n    return torch.zeros(num_classes, num_classes)",
        "def stratified_split(images, labels, *, fractions=(0.6, 0.2, 0.2), seed=0):\n"
        "    return torch.arange(len(images)).tensor_split(3)",
    ]
    answers = {"honest_right": right, "honest_wrong": wrong, "honest_half": [right[0], wrong[1]]}
    return {name: "\n\n".join([head, *codes]) for name, codes in answers.items()}


if __name__ == "__main__":
    main()
