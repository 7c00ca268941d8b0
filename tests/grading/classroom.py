"""A class for the tests: a small course with a secret in each corner, honest students, and those who attack."""

import contextlib
import csv
import json
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

import nbformat
from nbformat.v4 import new_code_cell, new_notebook

ROOT = Path(__file__).resolve().parents[2]
ATTACKS = Path(__file__).parent / "attacks"
CANARIES = {name: f"canary-{name}-47113" for name in ("solutions", "home", "environment", "other")}
IMPORTS = "import torch\n\nfrom course_lib.exercises import borrow, exercise\n"
RIGHT = {
    "accuracy": """@exercise
def accuracy(batches):
    
    right = total = 0
    for predictions, labels in batches:
        right += (predictions == labels).sum().item()
        total += len(labels)
    return right / total
""",
    "confusion_matrix": """@exercise
def confusion_matrix(predictions, labels, num_classes):
    table = torch.zeros(num_classes, num_classes, dtype=torch.int64)
    for label, prediction in zip(labels.tolist(), predictions.tolist()):
        table[label, prediction] += 1
    return table
""",
}
WRONG_ACCURACY = """@exercise
def accuracy(batches):
    shares = [(predictions == labels).double().mean() for predictions, labels in batches]
    return (sum(shares) / len(shares)).item()
"""


def notebook_of(*cells: str, tags: dict[int, str] | None = None) -> bytes:
    """A notebook of lesson 01 with these code cells."""
    made = [
        new_code_cell(
            source, metadata={"tags": [(tags or {}).get(number, "exercise")]} if "@exercise" in source or tags else {}
        )
        for number, source in enumerate(cells)
    ]
    book = new_notebook(cells=made, metadata={"course": {"lesson": "software_2"}})
    return nbformat.writes(book).encode()


def honest() -> bytes:
    """Everything right, but for the exercise that was not attempted."""
    return notebook_of(IMPORTS, *RIGHT.values())


def with_a_secret() -> bytes:
    """Everything right, in a Python file, with a comment that is nobody else's business."""
    return "\n\n".join([f"# {CANARIES['other']}\n{IMPORTS}", *RIGHT.values()]).encode()


@dataclass
class Classroom:
    """A course, a home, and a folder of submissions, all with secrets in them."""

    folder: Path
    placeholders: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("checkout", "home", "submissions", "spoils"):
            (self.folder / name).mkdir(parents=True)
        (self.folder / "spoils").chmod(0o777)
        self._make_course()
        (self.home / "diary.txt").write_text(f"token = {CANARIES['home']}\n")
        self.heard: list[bytes] = []
        self.placeholders = {
            "{CHECKOUT}": str(self.checkout),
            "{HOME}": str(self.home),
            "{SUBMISSIONS}": str(self.submissions),
            "{OUT}": str(self.out),
            "{SECRET_FOLDER}": str(self.folder / "spoils"),
            "{BRACKETS}": "(" * 5_000 + ")" * 5_000,
        }

    checkout = property(lambda self: self.folder / "checkout")
    home = property(lambda self: self.folder / "home")
    submissions = property(lambda self: self.folder / "submissions")
    out = property(lambda self: self.folder / "out")

    def _make_course(self) -> None:
        parts = ("lessons/01_software_2.py", "solutions/software_2.py", "tests/exercises/software_2.py")
        for part in parts:
            (self.checkout / part).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / part, self.checkout / part)
        solutions = self.checkout / "solutions/software_2.py"
        solutions.write_text(solutions.read_text() + f'\nSECRET = "{CANARIES["solutions"]}"\n')

    def hand_in(self, student: str, content: bytes, name: str = "01_software_2.ipynb") -> Path:
        """Put a file into a student's folder."""
        path = self.submissions / student / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return path

    def hand_in_attack(self, attack: Path) -> None:
        """Hand in one of the submissions in attacks/, as a Python file with this classroom's places in it."""
        text = attack.read_text(encoding="utf-8")
        for placeholder, value in self.placeholders.items():
            text = text.replace(placeholder, value)
        self.hand_in(attack.stem, text.encode(), "01_software_2.py")

    def grade(self, *options: str, check: bool = True, jobs: int = 4) -> subprocess.CompletedProcess:
        """Run `course grade` on all submissions, as an instructor does."""
        return subprocess.run(
            self.command(*options, jobs=jobs),
            env=self.environment(),
            capture_output=True,
            text=True,
            check=check,
            timeout=1500,  # a guard for what hangs, not a measure
        )

    def command(self, *options: str, jobs: int = 4) -> list[str]:
        course = [sys.executable, "-m", "course_lib.cli", "grade", str(self.submissions), "--out", str(self.out)]
        return [*course, "--lesson", "software_2", "--jobs", str(jobs), *options]

    def environment(self) -> dict[str, str]:
        paths = {"PYTHONPATH": str(ROOT), "COURSE_CHECKOUT": str(self.checkout), "HOME": str(self.home)}
        return {**os.environ, **paths, "TOKEN": CANARIES["environment"], "OMP_NUM_THREADS": "1"}

    def points(self) -> dict[str, float]:
        """Every student's total."""
        with open(self.out / "grades.csv", encoding="utf-8", newline="") as stream:
            return {row["student"]: float(row["total"]) for row in csv.DictReader(stream)}

    def record(self, student: str) -> dict:
        """What the run has written down of one student."""
        for path in (self.out / ".records").glob("*.json"):
            found = json.loads(path.read_text(encoding="utf-8"))
            if found.get("student") == student:
                return found
        raise KeyError(student)

    def everything_said_to(self, student: str) -> str:
        """All that a student gets to see, and all that is kept of them."""
        record = self.record(student)
        slug = f"*-{record['key'][:6]}"
        shown = [*self.out.glob(f"students/{slug}.html"), *self.out.glob(f"gradescope/{slug}/results.json")]
        assert len(shown) == 2
        return "".join(path.read_text(encoding="utf-8") for path in shown) + json.dumps(record)


@contextlib.contextmanager
def listening(classroom: Classroom):
    """Ears on this machine: TCP, UDP and an abstract socket; what they hear goes to `classroom.heard`."""
    tcp, udp = socket.create_server(("127.0.0.1", 0)), socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    port = tcp.getsockname()[1]
    udp.bind(("127.0.0.1", port))
    abstract = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    abstract.bind(f"\0course-{port}".encode())
    classroom.placeholders["{PORT}"] = str(port)
    for ear in (tcp, udp, abstract):
        ear.settimeout(0.2)
    over = threading.Event()

    def listen() -> None:
        while not over.is_set():
            with contextlib.suppress(TimeoutError):
                classroom.heard.append(tcp.accept()[0].recv(100))
            for ear in (udp, abstract):
                with contextlib.suppress(TimeoutError):
                    classroom.heard.append(ear.recv(100))

    thread = threading.Thread(target=listen)
    thread.start()
    try:
        yield
        time.sleep(0.7)
    finally:
        over.set()
        thread.join()
        for ear in (tcp, udp, abstract):
            ear.close()
