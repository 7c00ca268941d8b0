"""What is kept between runs: the run's own data, a record for each submission, a line of history for each run."""

import datetime
import json
import os
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from course_lib.errors import CourseError
from course_lib.paths import write_atomically


@dataclass
class Run:
    """One run over a class, which goes on where it was broken off.

    Attributes:
        folder: where its records lie.
        seed: what all its random inputs follow from; fresh for each run, and never told to a worker before its own.
        is_resumed: whether it goes on with an earlier one.
    """

    folder: Path
    seed: int
    is_resumed: bool

    def record(self, key: str) -> dict[str, Any] | None:
        """The record of a submission, if there is a whole one."""
        try:
            found = json.loads((self.folder / f"{key}.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        return found if isinstance(found, dict) and found.get("key") == key else None

    def keep(self, record: dict[str, Any]) -> None:
        """Write a record, whole or not at all."""
        write_atomically(self.folder / f"{record['key']}.json", json.dumps(record, ensure_ascii=False))

    def records(self, keys: list[str]) -> Iterator[dict[str, Any]]:
        """The records of these submissions, one at a time."""
        return (record for key in keys if (record := self.record(key)))


def begin(out: Path, *, edition: str, lessons: list[str]) -> Run:
    """A fresh run with a seed of its own; or the last one, if it was broken off and nothing has changed since.

    Args:
        out: the folder that the grades go to.
        edition: the fingerprint of what decides a grade.
        lessons: the lessons to grade.
    """
    folder, path = out / ".records", out / ".records" / "run.json"
    asked = {"edition": edition, "lessons": lessons}
    try:
        known = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        known = {}
    if {name: known.get(name) for name in asked} == asked and not known.get("finished", True):
        return Run(folder, known["seed"], is_resumed=True)
    for old in folder.glob("*.json"):
        old.unlink()
    seed = secrets.randbits(60)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        os.chmod(folder, 0o700)
        write_atomically(path, json.dumps({**asked, "seed": seed, "finished": False}))
    except OSError as error:
        raise CourseError(f"{out} can't be written: {error.strerror}. Choose another folder with --out.") from error
    return Run(folder, seed, is_resumed=False)


def finish(run: Run, out: Path, summary: dict[str, Any]) -> list[dict[str, Any]]:
    """Note that a run is complete, and add its summary to the history.

    Returns:
        The summaries of all runs so far, oldest first.
    """
    path = run.folder / "run.json"
    write_atomically(path, json.dumps({**json.loads(path.read_text(encoding="utf-8")), "finished": True}))
    history = out / "history.jsonl"
    summary = {"when": datetime.datetime.now().astimezone().isoformat(timespec="seconds"), **summary}
    lines = history.read_text(encoding="utf-8").splitlines() if history.exists() else []
    lines.append(json.dumps(summary, ensure_ascii=False))
    write_atomically(history, "\n".join(lines) + "\n")
    return [json.loads(line) for line in lines]
