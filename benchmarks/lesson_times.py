"""Seconds and peak memory of each lesson, run from top to bottom as it ships, on one torch thread.

    python -m benchmarks.lesson_times

Each lesson runs three times in a kernel of its own; a figure is the median. CPU seconds stand beside wall seconds: on a
machine that others use, they are the ones to compare. Peak memory is that of the kernel.
"""

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

RUNS = 3


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


def main() -> None:
    figures: dict[str, float] = {}
    for lesson in lessons():
        runs = []
        for _ in range(RUNS):
            command = [sys.executable, "-m", "benchmarks.lesson_times", lesson.name]
            environment = {**os.environ, "OMP_NUM_THREADS": "1"}
            said = subprocess.run(command, cwd=checkout(), env=environment, check=True, capture_output=True, text=True)
            runs.append(json.loads(said.stdout))
        for name in runs[0]:
            figures[f"{lesson.stem}_{name}"] = round(statistics.median(run[name] for run in runs), 1)
    report("lesson_times", figures, packages=("jupyterlab", "ipykernel"))


if __name__ == "__main__":
    if len(sys.argv) > 1:
        print(json.dumps(run_once(sys.argv[1])))
    else:
        main()
