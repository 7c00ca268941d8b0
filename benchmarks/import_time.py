"""Milliseconds until the library is there, in fresh interpreters: beside torch, which any lesson imports anyway.

python -m benchmarks.import_time
"""

import statistics
import subprocess
import sys

from benchmarks.report import report
from course_lib.paths import checkout

RUNS = 7
MODULES = ["course_lib.exercises", "course_lib.training", "course_lib.plots", "course_lib.widgets.graph"]
PROGRAM = """
import sys, time
started = time.perf_counter(); import torch
middle = time.perf_counter(); __import__(sys.argv[1])
print((middle - started) * 1e3, (time.perf_counter() - middle) * 1e3)
"""


def main() -> None:
    times: dict[str, list[tuple[float, float]]] = {module: [] for module in MODULES}
    for run in range(RUNS + 1):
        for module in MODULES:  # in turn, so that a slow minute slows all of them
            command = [sys.executable, "-c", PROGRAM, module]
            said = subprocess.run(command, cwd=checkout(), check=True, capture_output=True, text=True).stdout
            print(f"\rround {run} of {RUNS}: {module:40s}", end="", file=sys.stderr, flush=True)
            if run > 0:  # the first one warms the disk's cache
                times[module].append(tuple(map(float, said.split())))
    print(file=sys.stderr)
    figures = {"torch_ms": round(statistics.median(torch for runs in times.values() for torch, _ in runs), 1)}
    for module, runs in times.items():
        name = module.removeprefix("course_lib.").replace(".", "_")
        figures[f"{name}_after_torch_ms"] = round(statistics.median(ours for _, ours in runs), 1)
    report("import_time", figures)


if __name__ == "__main__":
    main()
