"""What the learner has solved, kept in one local file and nowhere else."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from filelock import FileLock

from course_lib.errors import CourseError
from course_lib.exercises.registry import load_lesson
from course_lib.exercises.verdict import MARKS, Verdict
from course_lib.paths import lessons, state_dir, write_atomically


def progress_file() -> Path:
    """The file: JSON, `{lesson: {exercise: {state, attempts, first_right, last_checked, mistakes}}}`."""
    return state_dir() / "progress.json"


def load() -> dict[str, dict[str, dict[str, Any]]]:
    """The progress so far.

    Raises:
        CourseError: the file is not what it should be; nothing is overwritten.
    """
    if not progress_file().exists():
        return {}
    try:
        found = json.loads(progress_file().read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CourseError(f"{progress_file()} can't be read as JSON ({error}). Rename it to start afresh.") from None
    if not _is_progress(found):
        raise CourseError(f"{progress_file()} holds something else than progress. Rename it to start afresh.")
    return found


def _is_progress(found: Any) -> bool:
    return isinstance(found, dict) and all(
        isinstance(entries, dict) and all(_is_entry(entry) for entry in entries.values()) for entries in found.values()
    )


def _is_entry(entry: Any) -> bool:
    return (
        isinstance(entry, dict)
        and entry.get("state") in ("right", "shortcut", "wrong")
        and isinstance(entry.get("attempts"), int)
        and isinstance(entry.get("mistakes"), dict)
    )


def record(lesson: str, verdict: Verdict) -> None:
    """Add one verdict. What was right once stays right; an unwritten answer changes nothing.

    Raises:
        CourseError: the file can't be read or written; nothing is overwritten.
    """
    if verdict.state == "unwritten":
        return
    with _locked():
        progress = load()
        entry = progress.setdefault(lesson, {}).setdefault(
            verdict.exercise, {"state": "wrong", "attempts": 0, "mistakes": {}}
        )
        now = datetime.now(UTC).isoformat(timespec="seconds")
        entry["attempts"] += 1
        entry["last_checked"] = now
        if verdict.look == "right":
            entry["state"] = "right"
            entry.setdefault("first_right", now)
        elif verdict.state == "right" and entry["state"] != "right":
            entry["state"] = "shortcut"
        if verdict.diagnosis and verdict.diagnosis.certain:
            name = verdict.diagnosis.mistake
            entry["mistakes"][name] = entry["mistakes"].get(name, 0) + 1
        write_atomically(progress_file(), json.dumps(progress, indent=1, sort_keys=True) + "\n")


@contextmanager
def _locked() -> Iterator[None]:
    """Two kernels may solve exercises at the same time."""
    try:
        state_dir().mkdir(parents=True, exist_ok=True)
        with FileLock(state_dir() / "progress.lock", timeout=10):
            yield
    except OSError as error:  # also the lock's Timeout
        raise CourseError(
            f"{state_dir()} can't be used ({error}). Make it writable, or set COURSE_STATE to a folder that is."
        ) from None


def overview() -> list[tuple[str, list[tuple[str, str]]]]:
    """Each lesson's stem with its exercises and their states: right, shortcut, wrong or unwritten."""
    progress = load()
    return [
        (
            lesson.stem,
            [
                (name, progress.get(lesson.name, {}).get(name, {}).get("state", "unwritten"))
                for name in load_lesson(lesson.name).exercises
            ],
        )
        for lesson in lessons()
    ]


def progress_text() -> str:
    """The overview as text."""
    lines = []
    for stem, exercises in overview():
        solved = sum(state == "right" for _, state in exercises)
        lines.append(f"{stem}  {solved} of {len(exercises)} solved")
        lines += [
            f"    {MARKS[state]} {name}" + ("  (solved with the library's own function)" if state == "shortcut" else "")
            for name, state in exercises
        ]
    return "\n".join(lines)


def show() -> int:
    """`course progress`: print the overview."""
    print(progress_text())
    numbers = [lesson.number for lesson in lessons()]
    gaps = [str(number) for number in range(1, max(numbers, default=0)) if number not in numbers]
    if gaps:
        print(f"\nThere are no lessons {', '.join(gaps)}: numbers are fixed, so that lessons can be added in between.")
    print(f"\nKept in {progress_file()}")
    return 0
