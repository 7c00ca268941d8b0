"""Who has the same answers? Equal ones by structure, whatever the names in them; and JPlag, where it is installed."""

import os
import shutil
import subprocess
import tempfile
from collections import defaultdict
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

LARGE = 60  # nodes of the syntax tree: below this, two people may well write the same


@dataclass(frozen=True)
class Pair:
    """Two students with equal answers, and to what."""

    first: str
    second: str
    exercises: tuple[str, ...]


class Similarity:
    """Collects the answers of a class, one record at a time."""

    def __init__(self) -> None:
        self._by_answer: dict[tuple[str, str], list[str]] = defaultdict(list)
        self._count = 0

    def add(self, record: dict[str, Any], who: str) -> None:
        """Take note of one student's answers."""
        self._count += 1
        for each in record["lessons"].values():
            for name, entry in each["exercises"].items():
                if entry["look"] != "unwritten" and entry["size"] >= LARGE and entry["fingerprint"]:
                    self._by_answer[name, entry["fingerprint"]].append(who)

    def pairs(self, most: int = 200) -> list[Pair]:
        """Pairs with equal answers that few others have, most equal answers first.

        An answer that more than a tenth of a class gives (and more than five) is what one writes; it says nothing.
        """
        common, shared = max(5, self._count // 10), defaultdict(list)
        for (name, _), who in self._by_answer.items():
            if 1 < len(who) <= common:
                for first, second in combinations(sorted(who), 2):
                    shared[first, second].append(name)
        found = [Pair(first, second, tuple(sorted(names))) for (first, second), names in shared.items()]
        return sorted(found, key=lambda pair: (-len(pair.exercises), pair.first, pair.second))[:most]


def jplag_command() -> list[str] | None:
    """How to start JPlag here: the program `jplag`, or the file that `JPLAG_JAR` names; None if there is none."""
    if shutil.which("jplag"):
        return ["jplag"]
    jar = os.environ.get("JPLAG_JAR")
    return ["java", "-jar", jar] if jar and Path(jar).is_file() and shutil.which("java") else None


def run_jplag(command: list[str], codes: dict[str, str], report: Path, *, seconds: float = 600.0) -> str:
    """Compare all answers by JPlag; returns where its report is, or what went wrong, in words.

    Args:
        command: from `jplag_command`.
        codes: each student's answers as one Python text, by a name that is safe as a file name.
        report: the file to write, without its ending.
        seconds: the time limit.
    """
    with tempfile.TemporaryDirectory() as folder:
        for name, code in codes.items():
            place = Path(folder) / name
            place.mkdir()
            (place / "answers.py").write_text(code, encoding="utf-8", errors="replace")
        try:
            subprocess.run(
                [*command, "-l", "python3", "-r", str(report), "--mode", "RUN", folder],
                check=True,
                capture_output=True,
                timeout=seconds,
            )
        except (OSError, subprocess.SubprocessError) as error:
            return f"JPlag did not work: {error}."
    return f"JPlag's report is in {report}."
