"""How long a learner waits for a card, in a real Jupyter kernel: from sending the cell until the kernel is idle again.

    python -m benchmarks.check_latency

For every exercise of the course and in several fresh kernels each, with torch imported and nothing else: the untouched
stub, then the reference typed as an answer for the first time (reading the exercises, checks and all), then the same
again. Each figure is that of the slowest exercise, its median over the kernels.
"""

import os
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager

from jupyter_client.blocking import BlockingKernelClient
from jupyter_client.manager import start_new_kernel

from benchmarks.report import report
from course_lib.authoring.answer_key import typed_answer
from course_lib.exercises.registry import load_lesson
from course_lib.exercises.stubs import stub_sources
from course_lib.paths import checkout, lessons

KERNELS, REPEATS = 3, 5
TARGETS = {"stub_ms": 10, "first_ms": 700, "repeated_ms": 100}
IMPORTS = "from course_lib.exercises import exercise\n"


@contextmanager
def fresh_kernel() -> Iterator[BlockingKernelClient]:
    """A kernel as JupyterLab starts it, with torch imported; its progress goes to a folder that is thrown away."""
    with tempfile.TemporaryDirectory() as state:
        environment = {**os.environ, "COURSE_STATE": state, "PYTHONPATH": str(checkout()), "OMP_NUM_THREADS": "1"}
        manager, client = start_new_kernel(kernel_name="python3", env=environment, cwd=state)
        try:
            run(client, "import torch")
            yield client
        finally:
            client.stop_channels()
            manager.shutdown_kernel(now=True)


def run(client: BlockingKernelClient, cell: str, *, mark: str = "") -> float:
    """Run a cell and return its milliseconds.

    Raises:
        RuntimeError: the card did not begin with the mark, so something else was measured.
    """
    shown = []
    started = time.perf_counter()
    reply = client.execute_interactive(cell, output_hook=shown.append, allow_stdin=False, timeout=600)
    elapsed = 1000 * (time.perf_counter() - started)
    cards = [message["content"]["data"]["text/plain"] for message in shown if message["msg_type"] == "display_data"]
    if reply["content"]["status"] != "ok" or (mark and not (cards and cards[-1].startswith(mark))):
        error = reply["content"].get("evalue", "")
        raise RuntimeError(f"expected a card that begins with {mark!r}, got {cards} {error} after\n{cell}")
    return elapsed


def measure(stub: str, answer: str) -> dict[str, float]:
    """The figures of one exercise in one fresh kernel."""
    with fresh_kernel() as client:
        first = run(client, IMPORTS + answer, mark="✓")
        repeated = [run(client, answer, mark="✓") for _ in range(REPEATS)]
        stubs = [run(client, stub, mark="○") for _ in range(REPEATS)]
    return {
        "stub_ms": statistics.median(stubs),
        "first_ms": first,
        "repeated_ms": statistics.median(repeated),
    }


def main() -> int:
    """Measure every exercise; 0 if all targets are met."""
    medians = {}
    for lesson in lessons():
        stubs, solutions = stub_sources(lesson), lesson.solutions.read_text(encoding="utf-8")
        for name in load_lesson(lesson.name).exercises:
            runs = [measure(stubs[name], typed_answer(name, solutions)) for _ in range(KERNELS)]
            medians[name] = {figure: statistics.median(each[figure] for each in runs) for figure in TARGETS}
            print(name, {figure: round(value, 1) for figure, value in medians[name].items()}, file=sys.stderr)
    figures = {figure: round(max(each[figure] for each in medians.values()), 1) for figure in TARGETS}
    report("check_latency", figures, packages=("ipykernel", "ipython"))
    missed = [
        f"{figure} is {figures[figure]}, target {target}"
        for figure, target in TARGETS.items()
        if figures[figure] > target
    ]
    print("\n".join(missed), file=sys.stderr)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
