"""The section of RESULTS.md that shows `benchmarks/results/grading.json`."""

from collections.abc import Callable
from textwrap import fill
from typing import Any

Figures = dict[str, Any]
Table = Callable[[list[str], list[list[str]]], list[str]]

TITLE = "Grading code that nobody trusts"
ABOUT = (
    "`course grade` on a class in which honest students sit beside attackers. Forged: an attack that earned a point. "
    "Leaked: a secret (in the references, the instructor's home and environment, another submission) that reached the "
    "attacker's page, a file or a listener on the machine. Harmed: an honest student without the points that were due. "
    "The messy notebooks hold prints, plots, magics, installs, drafts and leftovers. The class of 300 is generated "
    "from lesson 02: 70 % right answers, known mistakes, gaps, and an endless loop in every hundredth."
)


def grading(figures: Figures, *, table: Table) -> list[str]:
    """The tables, from the figures."""
    families = ", ".join(f"{count} {name}" for name, count in figures["families"].items())
    lines = [
        [f"attacks ({families})", str(figures["attacks"]), "≥ 40"],
        ["forged", str(figures["forged"]), "0"],
        ["leaked", str(figures["leaked"]), "0"],
        ["harmed", str(figures["harmed"]), "0"],
        ["messy honest notebooks", str(figures["honest_notebooks"]), "≥ 20"],
        ["of these, misgraded", str(figures["honest_misgraded"]), "0"],
        ["seconds for 300 submissions", f"{figures['seconds_for_300']:.0f}", "≤ 600"],
        ["of these, misgraded", str(figures["misgraded_of_300"]), "0"],
        ["MB of the trusted process, first third", str(figures["trusted_mb_after_a_third"]), ""],
        ["MB of the trusted process, at most", str(figures["trusted_mb_at_most"]), "flat"],
    ]
    load = (
        f"Isolation: {figures['tier']}. The 300 were graded by {figures['jobs']} workers on two cores that others used "
        f"too: the mean load meanwhile was {figures['mean_load_meanwhile']}."
    )
    return [*table(["", "measured", "target"], lines), "", fill(load, 120), "", *_peers(figures, table)]


def _peers(figures: Figures, table: Table) -> list[str]:
    if "peers" not in figures:
        return ["The peers were not measured."]
    rows = [
        [
            name,
            str(found["attacks"]),
            str(found["forged"]),
            f"{found['honest_points']:g} of 3",
            ", ".join(found["which"]) or "–",
        ]
        for name, found in figures["peers"].items()
    ]
    about = (
        "The peers grade every third of the forging attacks by name (the other families would harm a machine without "
        "walls; some of these speak our worker's own language), "
        "with a test of their own kind for each of three exercises, in their default set-up, without a container. The "
        "honest notebook answers two of the three."
    )
    heads = ["peer", "attacks", "forged", "honest points", "which"]
    return [fill(about, 120), "", *table(heads, rows)]
