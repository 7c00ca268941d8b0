"""The section of RESULTS.md that shows `benchmarks/results/serving.json`."""

from collections.abc import Callable
from textwrap import fill
from typing import Any

Figures = dict[str, Any]
TITLE = "The service under load"
ABOUT = (
    "`course serve` in one process, its clients in another one on the same machine. Each sends a picture of its own, "
    "whose answer was computed outside the service, so that a wrong or crossed answer is seen. The model is that for "
    "shapes, on one thread."
)
GOALS = (  # what, figure, at most (None: only said)
    ("requests in {seconds:g} s", "requests", None),
    ("wrong answers", "wrong", 0),
    ("lost requests", "lost", 0),
    ("answers crossed between clients", "crossed", 0),
    ("answers of 5xx", "errors_5xx", 0),
    ("answers per second", "requests_per_s", None),
    ("time to the answer, median, ms", "answer_p50_ms", None),
    ("the same, 99th percentile, ms", "answer_p99_ms", None),
    ("growth of memory meanwhile, MB", "memory_growth_mb", None),
    ("refusal past capacity, 99th percentile, ms", "refusal_p99_ms", 100),
    ("stop of a stream to its final text, median, ms", "stream_final_ms", None),
)


def serving(figures: Figures, *, table: Callable[..., list[str]], ranged: Callable[..., str]) -> list[str]:
    """The tables.

    Args:
        figures: of `benchmarks.serving`.
        table: draws a table.
        ranged: writes a figure with its range.
    """
    rows = [[title.format(**figures), f"{figures[name]:,}", goal(figures[name], most)] for title, name, most in GOALS]
    tried, survived = figures["bad_inputs_tried"], figures["bad_inputs_survived"]
    reached = "all: " + ("reached" if tried == survived else "**not reached**")
    rows.append([f"bad inputs refused clearly, of {tried}", f"{survived}", reached])
    return [
        *table([f"{figures['clients']} clients at once", "", "target"], rows),
        "",
        *table(["answers per second", "up to 32 at once", "one by one", "gain", "target"], rates(figures, ranged)),
        "",
        *beside_litserve(figures, ranged),
        fill(
            f"Past capacity, {figures['overload_answered']:,} requests were answered and "
            f"{figures['overload_refused']:,} refused. Load of the machine meanwhile {ranged(figures, 'load')}, the "
            f"benchmark's own processes included; nice value of its session {figures['priority']}.",
            120,
        ),
    ]


def goal(value: float, most: float | None) -> str:
    """Whether a figure is as low as was demanded."""
    return "–" if most is None else f"≤ {most:g}: " + ("reached" if value <= most else "**not reached**")


def rates(figures: Figures, ranged: Callable[..., str]) -> list[list[str]]:
    """One row per runtime."""
    rows = []
    for title, prefix, least in (("PyTorch", "", 2.5), ("ONNX Runtime", "onnx_", None)):
        gain = figures[f"{prefix}batching_gain"]
        target = "–" if least is None else f"≥ {least:g}: " + ("reached" if gain >= least else "**not reached**")
        both = [ranged(figures, f"{prefix}{which}_per_s", digits=0) for which in ("batched", "unbatched")]
        rows.append([title, *both, ranged(figures, f"{prefix}batching_gain", digits=2), target])
    return rows


def beside_litserve(figures: Figures, ranged: Callable[..., str]) -> list[str]:
    """The sentence about the peer."""
    if "litserve_ratio" not in figures:
        return ["LitServe was not installed.", ""]
    said = (
        f"LitServe {figures['litserve']}, same model and decoding, same clients, in turns: "
        f"{ranged(figures, 'litserve_per_s', digits=0)} answers per second, ours beside it "
        f"{ranged(figures, 'beside_litserve_per_s', digits=0)}, ratio {ranged(figures, 'litserve_ratio', digits=2)}. "
        f"Its processes use {figures['litserve_cpu_ms']:.2f} CPU ms per answer, ours "
        f"{figures['beside_litserve_cpu_ms']:.2f}."
    )
    return [fill(said, 120), ""]
