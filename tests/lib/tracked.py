"""Which files belong to the project, and not to somebody who left them lying about."""

import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def project_files(pattern: str) -> list[Path]:
    """Tracked files by a git pattern, in which * crosses folders: "course_lib/*.py"."""
    answer = subprocess.run(["git", "ls-files", pattern], cwd=ROOT, capture_output=True, text=True, check=True)
    return [ROOT / line for line in answer.stdout.splitlines() if (ROOT / line).is_file()]
