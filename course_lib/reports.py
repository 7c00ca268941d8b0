"""What `course report` writes: all that is needed to see whether the learner or the check is right."""

import json
import math
import platform
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from course_lib import __version__
from course_lib.exercises.cards import card_text
from course_lib.exercises.diagnosis import known_observation
from course_lib.exercises.kernel import Answer
from course_lib.exercises.observations import OutOfTime, Raised, describe
from course_lib.exercises.registry import Exercise
from course_lib.exercises.scenario import run_scenario
from course_lib.exercises.verdict import Verdict
from course_lib.paths import state_dir, write_atomically

SEED = 0  # the one that cards are made with
MAX_NUMBERS = 1_000


def write_report(known: Exercise, verdict: Verdict, answer: Answer | None, *, came_from: str) -> Path:
    """Write a report on one answer into a new file, for people (Markdown) and programs (the JSON at its end).

    Args:
        known: the exercise.
        verdict: the verdict on the answer.
        answer: the answer; None if it could not even be defined.
        came_from: the name of the file that it was found in.

    Returns:
        Where the report is.
    """
    made = datetime.now(UTC)
    facts = {
        "exercise": known.name,
        "lesson": known.lesson,
        "file": came_from,
        "made": made.isoformat(timespec="seconds"),
        "seed": SEED,
        "verdict": verdict.to_json(),
        "source": answer.source if answer else "",
        "checks": _observe(known, answer) if answer and verdict.state != "unwritten" else [],
        "versions": _versions(),
    }
    path = state_dir() / "reports" / f"{known.name}-{made:%Y-%m-%d-%H%M%S-%f}.md"
    write_atomically(path, _markdown(facts, verdict))
    return path


def _observe(known: Exercise, answer: Answer) -> list[dict[str, Any]]:
    """Each check again, with the inputs that it drew, what the answer did and what the reference does."""
    observed = []
    for check in known.checks:
        run = run_scenario(check, answer.implementation, siblings=known.siblings, seed=SEED)
        expected = known_observation(known, known.reference, check, SEED)
        observed.append(
            {
                "name": check.name,
                "demand": check.demand,
                "calls": run.calls,
                "printed": run.printed,
                "inputs": plain(run.drawn),
                "observed": plain(run.observation),
                "expected": plain(expected),
                "in_words": {
                    "inputs": describe(run.drawn),
                    "observed": describe(run.observation),
                    "expected": describe(expected),
                },
            }
        )
        if isinstance(run.observation, OutOfTime):
            break
    return observed


def plain(value: Any) -> Any:
    """An observation as JSON: tensors with dtype, shape and values (none beyond 1,000), NaN and infinity as text."""
    if isinstance(value, Tensor | np.ndarray):
        values = value.tolist() if np.prod(value.shape, dtype=int) <= MAX_NUMBERS else "too many to list"
        kind = "tensor" if isinstance(value, Tensor) else "array"
        return {kind: str(value.dtype).removeprefix("torch."), "shape": list(value.shape), "values": plain(values)}
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, Raised):
        return {"raised": value.kind, "message": value.message, "where": value.where}
    if value is None or isinstance(value, bool | int | str) or (isinstance(value, float) and math.isfinite(value)):
        return value
    return describe(value)


def _versions() -> dict[str, str]:
    return {
        "course": __version__,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "numpy": np.__version__,
        "system": f"{platform.system()} {platform.machine()}",
    }


def _markdown(facts: dict[str, Any], verdict: Verdict) -> str:
    lines = [
        f"# Report on `{facts['exercise']}`: {verdict.state}",
        "",
        f"Lesson {facts['lesson']}, from {facts['file']}, {facts['made']}. Nothing was sent; this file is all. "
        "It holds the answer below, what it was asked and what it said, and no more of the notebook.",
        "",
        "## Verdict",
        "",
        *_fenced(card_text(verdict)),
        "",
        "## The answer",
        "",
        *_fenced(facts["source"] or "It could not be defined.", "python"),
        "",
        "## What was asked",
        "",
        f"Seed {facts['seed']}.",
        "",
    ]
    for check in facts["checks"]:
        lines += [f"### {check['demand']}", ""]
        lines += [f"- {label}: `{text}`" for label, text in check["in_words"].items()]
        lines += [f"- called: `{call}`" for call in check["calls"][:3]] + [""]
    lines += ["## Versions", "", *(f"- {name} {version}" for name, version in facts["versions"].items()), ""]
    lines += ["## The same for a program", "", *_fenced(json.dumps(facts, ensure_ascii=False, indent=1), "json"), ""]
    return "\n".join(lines)


def _fenced(text: str, language: str = "text") -> list[str]:
    fence = "```"
    while fence in text:
        fence += "`"
    return [f"{fence}{language}", text, fence]
