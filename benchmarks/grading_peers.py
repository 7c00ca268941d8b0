"""Started by benchmarks.grading in .venv-benchmarks: what nbgrader and otter-grader give the same submissions.

Three exercises with a point each; their tests compare with an independent computation on random inputs.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path

import nbformat
from nbformat.v4 import new_code_cell, new_notebook

SECONDS = 180
TESTS = {
    "accuracy": """
import torch
batches = [(torch.randint(3, (n,)), torch.randint(3, (n,))) for n in (7, 7, 2)]
hits = sum((p == y).sum().item() for p, y in batches)
assert abs(accuracy(batches) - hits / 16) < 1e-7
""",
    "confusion_matrix": """
import torch
p, y = torch.randint(5, (80,)), torch.randint(5, (80,))
expected = torch.zeros(5, 5, dtype=torch.int64)
for a, b in zip(y.tolist(), p.tolist()):
    expected[a, b] += 1
assert torch.equal(confusion_matrix(p, y, num_classes=5), expected)
""",
    "stratified_split": """
import torch
images, labels = torch.randn(100, 3, 3), torch.arange(100) % 4
parts = [sorted(part.tolist()) for part in stratified_split(images, labels, seed=3)]
assert sorted(sum(parts, [])) == list(range(100))
assert [len(part) for part in parts] == [60, 20, 20]
""",
}


HONEST = {"honest_right": 3.0, "honest_wrong": 0.0, "honest_half": 1.0}


def main() -> None:
    """Print one JSON object: for each peer who was forged, and whether honest work got its points."""
    submissions, folder = Path(sys.argv[1]), Path(sys.argv[2])
    codes = {path.parent.name: _code(path) for path in sorted(submissions.glob("*/*.py"))}
    results = {}
    for name, grade in (("nbgrader", with_nbgrader), ("otter-grader", with_otter)):
        started = time.monotonic()
        points = grade(codes, folder / name)
        results[name] = {
            "version": version(name),
            "attacks": len(points.keys() - HONEST.keys()),
            "forged": sum(value > 0 for student, value in points.items() if student not in HONEST),
            "points": {student: value for student, value in points.items() if value > 0 and student not in HONEST},
            "honest_misgraded": sorted(student for student, due in HONEST.items() if points[student] != due),
            "seconds": round(time.monotonic() - started),
        }
    print(json.dumps(results))


def _code(path: Path) -> str:
    """A submission without our own decorator, which would check it by ours."""
    return re.sub(
        r"^from course_lib.exercises import exercise$", "exercise = lambda it: it", path.read_text(), flags=re.M
    )


def _run(command: list[str], folder: Path) -> str:
    """Run a peer's own command; whatever becomes of it, the next submission follows."""
    with subprocess.Popen(
        command,
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            return process.communicate(timeout=SECONDS)[0]
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, 9)
            return "out of time"


def with_nbgrader(codes: dict[str, str], folder: Path) -> dict[str, float]:
    """Make an assignment, hand in, autograde; each submission by a command of its own."""
    config = "c = get_config()\nc.ExecutePreprocessor.timeout = 60\nc.ClearSolutions.code_stub = {'python': '...'}\n"
    (folder / "source" / "hw").mkdir(parents=True)
    (folder / "nbgrader_config.py").write_text(config)
    tool = [sys.executable, "-m", "nbgrader"]
    nbformat.write(_assignment("exercise = lambda it: it\n"), folder / "source" / "hw" / "hw.ipynb")
    _run([*tool, "generate_assignment", "hw"], folder)
    points = {}
    for student, code in codes.items():
        place = folder / "submitted" / student / "hw"
        place.mkdir(parents=True)
        nbformat.write(_assignment(code), place / "hw.ipynb")
        _run([*tool, "autograde", "hw", "--student", student], folder)
        points[student] = _nbgrader_points(folder, student)
    return points


def _assignment(code: str):
    def marked(name: str, source: str, **more):
        data = {
            "schema_version": 3,
            "grade_id": name,
            "task": False,
            "locked": False,
            "solution": False,
            "grade": False,
        }
        return new_code_cell(source, metadata={"nbgrader": {**data, **more}}, id=name)

    tests = [marked(f"test_{name}", text, grade=True, points=1, locked=True) for name, text in TESTS.items()]
    return new_notebook(cells=[marked("answers", code, solution=True), *tests])


def _nbgrader_points(folder: Path, student: str) -> float:
    from nbgrader.api import Gradebook

    with Gradebook(f"sqlite:///{folder / 'gradebook.db'}") as book:
        try:
            return float(book.find_submission("hw", student).score)
        except Exception:  # it could not be graded at all
            return 0.0


def with_otter(codes: dict[str, str], folder: Path) -> dict[str, float]:
    """Generate an autograder, then `otter run` for each submission."""
    (folder / "tests").mkdir(parents=True)
    for name, text in TESTS.items():
        body = "".join(f"    {line}\n" for line in text.strip().splitlines())
        head = "from otter.test_files import test_case\n\nOK_FORMAT = False\n"
        head += f'name = "{name}"\npoints = 1\n\n\n@test_case(points=1, hidden=True)\n'
        (folder / "tests" / f"{name}.py").write_text(f"{head}def test_{name}({name}):\n{body}")
    tool = [sys.executable, "-m", "otter"]
    _run([*tool, "generate", "-t", "tests", "-o", "autograder.zip", "--no-environment"], folder)
    points = {}
    for student, code in codes.items():
        place = folder / student
        place.mkdir()
        nbformat.write(new_notebook(cells=[new_code_cell(code)]), place / "hw.ipynb")
        _run([*tool, "run", "-a", "autograder.zip", "-o", str(place), str(place / "hw.ipynb")], folder)
        points[student] = _otter_points(place / "results.json")
    shutil.rmtree(folder / "tests")
    return points


def _otter_points(path: Path) -> float:
    try:
        return float(sum(test.get("score") or 0 for test in json.loads(path.read_text())["tests"] if "score" in test))
    except (OSError, ValueError, KeyError):
        return 0.0


if __name__ == "__main__":
    main()
