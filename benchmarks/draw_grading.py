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
            f"{name} {found['version']}",
            str(found["attacks"]),
            str(found["not_applicable"]),
            str(found["forged"]),
            ", ".join(f"`{which}`" for which in found["points"]) or "–",
            ", ".join(found["honest_misgraded"]) or "none of 3",
        ]
        for name, found in figures["peers"].items()
    ]
    about = (
        "The peers grade the same forging attacks, each submission by a command of its own: `nbgrader autograde`, and "
        "`otter run` with what `otter generate` made. (The other families would harm a machine without walls.) Each of "
        "three exercises has one test, written as their manuals write them: assertions on what the function returns, "
        "with random inputs, in the kernel in which the submission runs. A container around that kernel would keep "
        "secrets in; about forging it changes nothing. Not applicable: attacks on our own parts (the worker's pipe, "
        "the judge, the registry), of which the peers have none; attacks on parts of theirs were not written. Three "
        "controls hold the set-up to account: all right, all wrong, one right of three. What earned points: objects "
        "that answer every comparison with yes, which a test that first asks for the type would refuse; and a "
        "transformer in IPython that rewrites the cells with the tests before they run."
    )
    heads = ["peer", "attacks", "not applicable", "forged", "which", "controls misgraded"]
    return [fill(about, 120, break_long_words=False, break_on_hyphens=False), "", *table(heads, rows)]
