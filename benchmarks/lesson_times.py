"""Seconds and peak memory of each lesson, run from top to bottom as it ships, on one torch thread.

    python -m benchmarks.lesson_times [--runs 3] [LESSON ...]

Each lesson runs several times in a kernel of its own; a figure is the median. Lessons that are not named keep the
figures that they have. CPU seconds stand beside wall seconds: on a
machine that others use, they are the ones to compare. Peak memory is that of the kernel.
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import time

import nbformat

from benchmarks.report import report
from course_lib.authoring.kernel import execute
from course_lib.paths import checkout, find_lesson, lessons

KEPT = checkout() / "benchmarks" / "results" / "lesson_times.json"


def run_once(key: str) -> dict[str, float]:
    """Execute one notebook in this process' only child, so that the child's accounts are the kernel's."""
    lesson = find_lesson(key)
    notebook = nbformat.read(lesson.notebook, as_version=4)
    started = time.perf_counter()
    execute(notebook, folder=lesson.notebook.parent)
    wall = time.perf_counter() - started
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    kilobytes = used.ru_maxrss / (1024 if sys.platform == "darwin" else 1)
    return {"wall_s": wall, "cpu_s": used.ru_utime + used.ru_stime, "peak_mb": kilobytes / 1024}


def kept_figures() -> dict[str, float]:
    """What an earlier command measured."""
    return json.loads(KEPT.read_text(encoding="utf-8"))["figures"] if KEPT.exists() else {}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("lessons", nargs="*", help="such as 04; all, if none is named")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--once", metavar="LESSON", help="run one lesson once, and print what it took as JSON")
    options = parser.parse_args()
    if options.once:
        print(json.dumps(run_once(options.once)))
        return
    figures = kept_figures()
    for lesson in [find_lesson(key) for key in options.lessons] or lessons():
        runs = []
        for _ in range(options.runs):
            command = [sys.executable, "-m", "benchmarks.lesson_times", "--once", lesson.name]
            environment = {**os.environ, "OMP_NUM_THREADS": "1"}
            said = subprocess.run(command, cwd=checkout(), env=environment, check=True, capture_output=True, text=True)
            runs.append(json.loads(said.stdout))
        for name in runs[0]:
            figures[f"{lesson.stem}_{name}"] = round(statistics.median(run[name] for run in runs), 1)
        figures[f"{lesson.stem}_runs"] = options.runs
    report("lesson_times", dict(sorted(figures.items())), packages=("jupyterlab", "ipykernel"))


if __name__ == "__main__":
    main()
