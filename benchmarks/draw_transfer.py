"""The section of RESULTS.md that shows `benchmarks/results/transfer.json`."""

from collections.abc import Callable
from textwrap import fill
from typing import Any

Figures = dict[str, Any]
Ranged = Callable[..., str]
Table = Callable[[list[str], list[list[str]]], list[str]]

TITLE = "What a trained network is worth, in labels"
ABOUT = (
    "Lesson 11, three seeds. A network is pretrained on some classes and moved to others of which it gets only so many "
    "labels: ten shapes to ten other shapes, and five classes of CIFAR-10 (a copy as JPEG images) to the five others. "
    "All that train take equally many steps: 60, from 500 pictures on 120, from 1,000 on 300. Rates and steps were "
    "chosen on validation pictures of the shapes, with other seeds, and kept for CIFAR-10."
)
METHODS = {
    "scratch": "from scratch",
    "probe": "linear probe",
    "finetune": "fine-tuned, one rate",
    "discriminative": "fine-tuned, by depth",
    "gradual": "gradually unfrozen",
    "lora": "LoRA",
}
TASKS = {"": "shapes, test, %", "cifar10_": "classes of CIFAR-10, test, %"}


def transfer(figures: Figures, *, table: Table, ranged: Ranged) -> list[str]:
    """A table for each task: labels per class down, methods across, mean and range; then the spreads in a sentence.

    Args:
        figures: what `benchmarks.transfer` wrote.
        table: makes a table from its head and its rows.
        ranged: shows a figure with its range.
    """
    lines = []
    for prefix, title in TASKS.items():
        budgets = [name.removeprefix(f"{prefix}scratch_") for name in figures if name.startswith(f"{prefix}scratch_")]
        budgets = [
            budget for budget in budgets if budget.isdecimal() and figures[f"{prefix}scratch_{budget}"] is not None
        ]
        if not budgets:
            lines += [f"{title}: not measured; the data set was not there.", ""]
            continue
        rows = [
            [budget, *(ranged(figures, f"{prefix}{method}_{budget}", percent=True) for method in METHODS)]
            for budget in budgets
        ]
        lines += [
            *table([f"labels per class ({title})", *METHODS.values()], rows),
            "",
            said(figures, prefix, budgets),
            "",
        ]
    return lines[:-1]


def said(figures: Figures, prefix: str, budgets: list[str]) -> str:
    """How far the seeds lie apart."""
    spreads = {
        (method, budget): figures[f"{prefix}{method}_{budget}_spread"] for method in METHODS for budget in budgets
    }
    (method, budget), most = max(spreads.items(), key=lambda each: each[1])
    where = f"{METHODS[method]}, {budget} labels"
    middle = sorted(spreads.values())[len(spreads) // 2]
    return fill(
        f"Standard deviation over the seeds: {100 * middle:.1f} points in the middle of all cells, at most "
        f"{100 * most:.1f} ({where}).",
        120,
    )
