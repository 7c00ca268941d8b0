"""RESULTS.md, drawn from benchmarks/results/*.json: python -m benchmarks.draw_results"""

import json
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from textwrap import fill
from typing import Any

from benchmarks.check_latency import TARGETS as LATENCY_TARGETS
from benchmarks.cifar_cpu import GOALS, HOPED_FOR, PLANS, TARGETS
from benchmarks.draw_compression import ABOUT as ABOUT_COMPRESSION
from benchmarks.draw_compression import TITLE as TITLE_OF_COMPRESSION
from benchmarks.draw_compression import compression
from benchmarks.draw_grading import ABOUT as ABOUT_GRADING
from benchmarks.draw_grading import TITLE as TITLE_OF_GRADING
from benchmarks.draw_grading import grading
from benchmarks.draw_serving import ABOUT as ABOUT_SERVING
from benchmarks.draw_serving import TITLE as TITLE_OF_SERVING
from benchmarks.draw_serving import serving
from benchmarks.draw_speech import ABOUT as ABOUT_SPEECH
from benchmarks.draw_speech import TITLE as TITLE_OF_SPEECH
from benchmarks.draw_speech import speech
from benchmarks.draw_transfer import ABOUT as ABOUT_TRANSFER
from benchmarks.draw_transfer import TITLE as TITLE_OF_TRANSFER
from benchmarks.draw_transfer import transfer
from course_lib.paths import checkout, write_atomically

Figures = dict[str, Any]
OVERHEAD_TARGETS = {"bare_tensors": 1.15, "bare_dataloader": 0.7}
TRAINERS = {
    "bare_tensors": "a bare loop, tensors in memory",
    "bare_dataloader": "a bare loop with a DataLoader",
    "accelerate": "Accelerate with a DataLoader",
    "skorch": "skorch",
    "lightning": "Lightning Trainer",
    "fastai": "fastai",
}
FINDINGS: dict[str, tuple[str, float | None, bool]] = {
    "auc": ("area under the ROC curve", 0.95, True),
    "recall": ("recall at the chosen threshold", 0.90, True),
    "false_alarm_rate": ("false alarm rate at that threshold", None, False),
    "dice": ("Dice where there is a nodule", 0.80, True),
    "healthy_false_rate": ("healthy windows with a false region", 0.10, False),
    "slice_nodules_found": ("nodules found in whole slices", None, True),
    "false_regions_per_slice": ("false regions per slice", None, False),
}
LATENCIES = {
    "stub_ms": "an exercise not yet written",
    "first_ms": "the first right answer in a kernel",
    "repeated_ms": "the same again",
}
INTRO = """# Results

What the course claims about speed and accuracy, measured. This page is drawn from `benchmarks/results/*.json` by
`python -m benchmarks.draw_results`; a test holds it to them. Behind a mean or a median stands, in brackets, the range
from the least to the greatest. CPU seconds count all threads of a process; on a machine that others use, they are the
ones to compare. No figure here is estimated: what was not measured is said to be so.
"""


def draw(results: dict[str, dict[str, Any]]) -> str:
    """The page.

    Args:
        results: what `benchmarks.report` wrote, by the benchmark's name; those missing are "not measured yet".
    """
    return "\n".join([INTRO, *(section(*each, results) for each in SECTIONS)])


def section(name: str, title: str, about: str, body: Callable[[Figures], list[str]], results: dict[str, Any]) -> str:
    """A heading, the command, what it measures, and the tables or why there are none."""
    lines = [f"## {title}", "", f"`python -m benchmarks.{name}`", "", fill(about, 120), ""]
    result = results.get(name)
    if result is None:
        missing = "Not measured: no GPU was at hand." if name == "cifar_gpu" else "Not measured yet."
        return "\n".join([*lines, missing, ""])
    return "\n".join([*lines, *body(result["figures"]), "", provenance(result), ""])


def provenance(result: dict[str, Any]) -> str:
    """Where and when, and with which versions."""
    machine = result["machine"]
    place = machine["gpu"] or f"{machine['cpu']}, {machine['cores']} cores"
    versions = ", ".join(f"{name} {version}" for name, version in result["versions"].items() if version)
    return fill(f"Measured {result['date']} on {place}, {machine['memory_gb']:g} GB of memory; {versions}.", 120)


def table(head: list[str], rows: Iterable[list[str]]) -> list[str]:
    """A Markdown table whose first column is text and whose others are figures."""
    lines = [head, ["---", *["--:"] * (len(head) - 1)], *rows]
    return [f"| {' | '.join(line)} |" for line in lines]


def ranged(figures: Figures, name: str, *, percent: bool = False, digits: int = 1) -> str:
    """A figure with its range, where it has one; "not reached" where it is null, a dash where it is absent."""
    if name not in figures:
        return "–"
    if figures[name] is None:
        return "not reached"
    value, *ends = (
        f"{figures[key] * (100 if percent else 1):,.{digits}f}"
        for key in (name, f"{name}_min", f"{name}_max")
        if key in figures
    )
    return f"{value} ({ends[0]} to {ends[1]})" if ends else value


def verdict(value: float | None, target: float | None) -> str:
    """Whether a target was reached: at most so much."""
    if target is None:
        return "–"
    return f"≤ {target:g}: " + ("reached" if value is not None and value <= target else "**not reached**")


def trainer_overhead(figures: Figures) -> list[str]:
    rows = []
    for name, title in TRAINERS.items():
        if figures.get(f"ours_over_{name}") is None:
            rows.append([title, "not installed", "", "", "–"])
            continue
        theirs, mine = figures[f"{name}_cpu_us"], figures.get(f"ours_beside_{name}_cpu_us", figures.get("ours_cpu_us"))
        ratio = ranged(figures, f"ours_over_{name}", digits=2)
        target = verdict(figures[f"ours_over_{name}"], OVERHEAD_TARGETS.get(name))
        rows.append([title, f"{theirs:,.0f}", f"{mine:,.0f}", ratio, target])
    return table(["peer", "CPU µs per step", "ours beside it", "ours / peer", "target"], rows)


def check_latency(figures: Figures) -> list[str]:
    rows = [
        [title, f"{figures[name]:,.0f}", verdict(figures[name], LATENCY_TARGETS[name])]
        for name, title in LATENCIES.items()
    ]
    return table(["the card appears after", "ms", "target"], rows)


def cifar_cpu(figures: Figures) -> list[str]:
    goals = []
    for goal in GOALS:
        plan, ratio = figures[f"plan_to_{goal}"], f"to_{goal}_in_keras_epochs"
        times = [ranged(figures, f"{who}_s_to_{goal}") for who in ("ours_cpu", "ours_wall", "keras_cpu")]
        target = verdict(figures[ratio], TARGETS.get(goal))
        goals.append([f"{goal} %", plan or "–", *times, ranged(figures, ratio, digits=2), target])
    head = ["validation accuracy", "plan", "our CPU s", "our wall s", "Keras' CPU s", "in Keras' epochs", "target"]
    epoch = ranged(figures, "keras_cpu_s_per_epoch", digits=2)
    said = f"One of Keras' epochs takes {epoch} CPU seconds. All runs with {figures['seeds']} seeds, one thread each,"
    peer = f"Keras {figures['keras']} on TensorFlow {figures['tensorflow']} in fp32"
    load = f"ours in {figures['ours_precision']}, {peer}; load of the machine meanwhile {ranged(figures, 'load')}."
    return [fill(f"{said} {load}", 120), "", *table(head, goals), "", *cifar_plans(figures), "", how_far(figures)]


def cifar_plans(figures: Figures) -> list[str]:
    """The table of whole runs."""
    rows = []
    for name in ("keras", *PLANS):
        if f"{name}_epochs" in figures:
            accuracies = ("best_validation", "best_test", "test_with_flips")
            counts = [f"{figures[f'{name}_{count}']:,}" for count in ("parameters", "epochs")]
            costs = [ranged(figures, f"{name}_cpu_s"), ranged(figures, f"{name}_validation_cpu_s")]
            rows.append(
                [name, *counts, *costs, *(ranged(figures, f"{name}_{each}", percent=True) for each in accuracies)]
            )
    head = ["plan", "parameters", "epochs", "CPU s", "CPU s of validation", "validation %", "test %"]
    missing = ", ".join(f"`{name}`" for name in PLANS if f"{name}_epochs" not in figures)
    note = ["", f"Not measured yet: {missing}."] if missing else []
    return [*table([*head, "test %, with mirror images"], rows), *note]


def how_far(figures: Figures) -> str:
    """Whether what one hopes for was reached."""
    best = 100 * figures["ours_best_test"]
    said = "was reached" if best >= HOPED_FOR else f"was **not reached**: {HOPED_FOR - best:.1f} points are missing"
    return fill(
        f"The {HOPED_FOR} % that the usual ResNet-50 walk-through claims {said}. The best plan by validation, "
        f"`{figures['best_plan']}`, has {ranged(figures, 'ours_best_test', percent=True)} % on the test images.",
        120,
    )


def cifar_gpu(figures: Figures) -> list[str]:
    names = [name.removesuffix("_best_test") for name in figures if name.endswith("_best_test")]
    columns = {"_first_run_s": 1, "_s": 2, "_s_to_86": 2, "_s_to_90": 2}
    rows = [
        [name, *(ranged(figures, name + ending, digits=digits) for ending, digits in columns.items())]
        + [ranged(figures, f"{name}_{which}", percent=True) for which in ("best_test", "test_with_flips")]
        for name in names
    ]
    head = ["variant", "first run, s", "whole run, s", "s to 86 %", "s to 90 %", "test %", "test %, with mirror images"]
    return [f"Data: `{figures['data']}`, {figures['seeds']} seeds.", "", *table(head, rows)]


def lesson_times(figures: Figures) -> list[str]:
    stems = [name.removesuffix("_wall_s") for name in figures if name.endswith("_wall_s")]
    rows = [
        [stem, *(f"{figures[f'{stem}_{what}']:,.0f}" for what in ("wall_s", "cpu_s", "peak_mb", "runs"))]
        for stem in stems
    ]
    return table(["lesson", "wall s", "CPU s", "peak memory, MB", "runs"], rows)


def import_time(figures: Figures) -> list[str]:
    rows = [[name.removesuffix("_ms").removesuffix("_after_torch"), f"{value:,.0f}"] for name, value in figures.items()]
    return table(["import (all but torch: after torch)", "ms"], rows)


def medical(figures: Figures) -> list[str]:
    rows = []
    for name, (title, target, at_least) in FINDINGS.items():
        reached = target is None or (figures[name] >= target if at_least else figures[name] <= target)
        goal = (
            "–"
            if target is None
            else f"{'≥' if at_least else '≤'} {target:g}: " + ("reached" if reached else "**not reached**")
        )
        rows.append([title, ranged(figures, name, digits=3), f"{figures[f'{name}_spread']:.3f}", goal])
    return table(["on drawn test windows", "mean", "standard deviation", "target"], rows)


SECTIONS = (
    (
        "cifar_cpu",
        "CIFAR-10 on a laptop's processor",
        "The data are a copy of CIFAR-10 as JPEG images, slightly lossy and harder than the original: published "
        "figures don't compare. 45,000 images to learn from, 5,000 of the training images for validation, 5,000 test "
        "images that are looked at once per run. The peer is the textbook's CNN (122,570 parameters, Adam, batches of "
        "64) in Keras, tested after its last epoch; our runs are tested with the weights of their best one. Goals are "
        "reached without mirror images at test time.",
        cifar_cpu,
    ),
    (
        "cifar_gpu",
        "CIFAR-10 on one GPU",
        "Ours beside a public speed-run's recipe (airbench, arXiv:2404.00498) re-expressed in our loop; fp32, bf16 and "
        "fp16, with and without `torch.compile`.",
        cifar_gpu,
    ),
    ("speech", TITLE_OF_SPEECH, ABOUT_SPEECH, partial(speech, table=table, ranged=ranged)),
    (
        "medical",
        "Nodules in drawn lungs",
        "Lesson 06, three seeds. Thresholds are chosen on validation. The lungs are drawn by the course: nothing here "
        "says anything about patients.",
        medical,
    ),
    ("compression", TITLE_OF_COMPRESSION, ABOUT_COMPRESSION, partial(compression, table=table, ranged=ranged)),
    ("transfer", TITLE_OF_TRANSFER, ABOUT_TRANSFER, partial(transfer, table=table, ranged=ranged)),
    ("grading", TITLE_OF_GRADING, ABOUT_GRADING, partial(grading, table=table)),
    ("serving", TITLE_OF_SERVING, ABOUT_SERVING, partial(serving, table=table, ranged=ranged)),
    (
        "trainer_overhead",
        "What a training step costs around the model",
        "A tiny MLP; every peer does the same work, in turns with ours. Medians.",
        trainer_overhead,
    ),
    (
        "check_latency",
        "How long a learner waits for a card",
        "In a real Jupyter kernel; the slowest exercise of the course, the median over several kernels.",
        check_latency,
    ),
    (
        "lesson_times",
        "Lessons from top to bottom",
        "As they ship, on one torch thread. Medians, where there was more than one run.",
        lesson_times,
    ),
    (
        "import_time",
        "Imports",
        "Milliseconds in fresh interpreters. Medians.",
        import_time,
    ),
)


def read_results(folder: Path) -> dict[str, dict[str, Any]]:
    """What the benchmarks wrote, by name."""
    return {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.json"))}


def main() -> None:
    results = read_results(checkout() / "benchmarks" / "results")
    write_atomically(checkout() / "RESULTS.md", draw(results))
    print(f"RESULTS.md: {', '.join(results)}")


if __name__ == "__main__":
    main()
