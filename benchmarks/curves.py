"""What the curves of timed runs say. A run is a dict with `rows`, one per epoch: seconds so far and accuracy."""

import statistics
from typing import Any

Run = dict[str, Any]  # what `benchmarks.cifar_speed.run` returns
Rows = list[dict[str, float]]


def seconds_to(goal: float, rows: Rows, *, key: str = "cpu_s") -> float | None:
    """The training seconds at the end of the first epoch whose validation accuracy reaches the goal; None if none does.

    Args:
        goal: in percent.
        rows: one per epoch, with `accuracy` from 0 to 1 and the seconds so far.
        key: "cpu_s" or "wall_s".
    """
    return next((row[key] for row in rows if 100 * row["accuracy"] >= goal), None)


def quickest(goal: float, plans: dict[str, list[Run]], *, key: str = "cpu_s") -> str | None:
    """The plan that reaches the goal in all of its runs, in the fewest seconds on average; None if none does."""
    costs = {}
    for name, runs in plans.items():
        seconds = [seconds_to(goal, each["rows"], key=key) for each in runs]
        if seconds and None not in seconds:
            costs[name] = statistics.mean(seconds)
    return min(costs, key=costs.get, default=None)


def most_accurate(plans: dict[str, list[Run]]) -> str:
    """The plan whose runs are best on validation images, on average."""
    return max(plans, key=lambda name: statistics.mean(best_row(each)["accuracy"] for each in plans[name]))


def best_row(run: Run) -> dict[str, float]:
    """The epoch that validation chooses."""
    return max(run["rows"], key=lambda row: row["accuracy"])


def costs_of_epochs(rows: Rows) -> list[float]:
    """The CPU seconds of each epoch, from those that training took so far."""
    so_far = [row["cpu_s"] for row in rows]
    return [after - before for before, after in zip([0.0, *so_far], so_far, strict=False)]


def spread(name: str, values: list[float | None], *, digits: int) -> dict[str, float | None]:
    """A mean under its name, and the least and the greatest value beside it; None alone, where a value is missing."""
    if None in values:
        return {name: None}
    chosen = {"": statistics.mean(values), "_min": min(values), "_max": max(values)}
    return {name + ending: round(value, digits) for ending, value in chosen.items()}
