"""The section of RESULTS.md that shows `benchmarks/results/compression.json`."""

from collections.abc import Callable
from textwrap import fill
from typing import Any

Figures = dict[str, Any]

TITLE = "Smaller and faster networks"
ABOUT = (
    "Lesson 15's ways, each beside its control. The image network is `SmallResNet` on drawn shapes, trained anew for "
    "each seed; the networks that hear are the course's checkpoints, of which nothing is trained: behind a figure of "
    "theirs stands what other sentences might have given (95 %, paired bootstrap over the test sentences). Latencies "
    "are medians on one thread, the networks taking turns, in wall time and CPU time; where the machine is busy, the "
    "latter is the one to compare. Chosen on validation data, tested once."
)
TARGETS = (  # what, figure, limit, whether at least or at most, unit
    ("image, batch 1: PyTorch's time / that of 8 bits", "image_speedup_batch1", 6.0, True, 1),
    ("image: points of test accuracy lost in 8 bits", "image_points_lost", 0.5, False, 2),
    ("speech: megabytes", "speech_mb", 0.7, False, 3),
    ("speech: words wrong, percentage points more", "speech_wer_points_lost", 0.3, False, 2),
)
RUNTIMES = {"eager": "PyTorch", "fp32": "ONNX Runtime, 32 bits", "int8": "ONNX Runtime, 8 bits"}
WIDTHS = {"32": "32 bits", "8": "8 bits", "lstm8_conv4": "8 bits, convolution 4", "4": "4 bits"}
HEARING = {"speech_streaming": "streaming", "speech_noise": "whole sentences"}


def compression(figures: Figures, *, table: Callable, ranged: Callable) -> list[str]:
    """Tables of targets, of runtimes, of the networks that hear; and the controls.

    Args:
        figures: what `benchmarks.compression` wrote.
        table: makes a table from its head and its rows.
        ranged: shows a figure with its range.
    """
    targets = []
    for title, name, limit, at_least, digits in TARGETS:
        reached = figures[name] >= limit if at_least else figures[name] <= limit
        goal = f"{'≥' if at_least else '≤'} {limit:g}: " + ("reached" if reached else "**not reached**")
        targets.append([title, ranged(figures, name, digits=digits), goal])
    runtimes = [
        [title, ranged(figures, f"image_test_{name}")]
        + [
            ranged(figures, f"image_{name}_batch{batch}_{kind}", digits=3)
            for batch in (1, 32)
            for kind in ("ms", "cpu_ms")
        ]
        for name, title in RUNTIMES.items()
    ]
    head = ["image network", "test %", "ms, batch 1", "CPU ms, batch 1", "ms, batch 32", "CPU ms, batch 32"]
    blocks = [table(["what", "measured", "target"], targets), table(head, runtimes), hearing(figures, table)]
    return "\n\n".join(["\n".join(each) for each in blocks] + [fill(controls(figures, ranged), 120)]).split("\n")


def hearing(figures: Figures, table: Callable) -> list[str]:
    """One row for each network and width."""
    rows = []
    for name, kind in HEARING.items():
        for width, title in WIDTHS.items():
            lost, low, high = (figures[f"{name}_{width}_test_points_lost{end}"] for end in ("", "_min", "_max"))
            words = [f"{figures[f'{name}_{width}_{part}_wer']:.1f}" for part in ("validation", "test")]
            times = [f"{figures[f'{name}_{width}_{each}']:.2f}" for each in ("ms", "cpu_ms")]
            change = "–" if width == "32" else f"{lost:+.2f} ({low:+.2f} to {high:+.2f})"
            rows.append([f"{kind}, {title}", f"{figures[f'{name}_{width}_mb']:.2f}", *words, change, *times])
    head = ["network that hears", "MB", "words wrong %, validation", "test", "points worse", "ms for 0.32 s", "CPU ms"]
    return table(head, rows)


def controls(figures: Figures, ranged: Callable) -> str:
    """What pruning and distillation are worth beside their controls."""
    tuned, control = (ranged(figures, f"image_{name}") for name in ("pruned_tuned", "unpruned_tuned"))
    alone, taught = (ranged(figures, f"student_{name}") for name in ("alone", "taught"))
    gain = ranged(figures, "student_gain")
    cpu = ranged(figures, "image_speedup_batch1_cpu")
    return (
        f"In CPU time, 8 bits are {cpu} times as fast as PyTorch at batch 1. Pruned to 80 % zeros and tuned for one "
        f"epoch: {tuned} % on test images; tuned without pruning: {control} %. A student with widths 8, 12 and 16, "
        f"for equally many steps: {alone} % from the labels alone, {taught} % with a teacher, a gain of {gain} points. "
        f"{figures['seeds']} seeds; load of the machine meanwhile {figures['image_load']:g} (image), "
        f"{figures['speech_load']:g} (speech), with two cores."
    )
