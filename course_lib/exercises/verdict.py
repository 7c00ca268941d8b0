"""Examine an answer: run its checks, judge them, explain what is wrong."""

import inspect
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from course_lib.exercises.declare import Check
from course_lib.exercises.diagnosis import Diagnosis, diagnose, is_right, known_observation
from course_lib.exercises.judge import compare
from course_lib.exercises.observations import OutOfTime, Raised
from course_lib.exercises.registry import Exercise
from course_lib.exercises.scenario import Run, run_scenario
from course_lib.exercises.shortcuts import shortcut_used

MARKS = {"right": "✓", "shortcut": "!", "wrong": "✗", "unwritten": "○"}


@dataclass
class Outcome:
    """One check on one answer; `problem` is empty if it passed, `passed` is None if it was not reached."""

    name: str
    demand: str
    passed: bool | None
    problem: str = ""
    call: str = ""
    printed: str = ""


@dataclass
class Verdict:
    """What is to be said of an answer.

    Attributes:
        exercise: its name.
        state: "right", "wrong" or "unwritten".
        outcomes: one for each check, in order.
        diagnoses: known mistakes that explain a wrong answer, best first.
        note: a remark that concerns the whole answer, such as a changed signature; empty if there is none.
        shortcut: the library function that a right answer called instead of building it.
        seconds: how long the checks took.
        unwritten: the names of the parts that are still to be written.
    """

    exercise: str
    state: str
    outcomes: list[Outcome] = field(default_factory=list)
    diagnoses: list[Diagnosis] = field(default_factory=list)
    note: str = ""
    shortcut: str | None = None
    seconds: float = 0.0
    unwritten: list[str] = field(default_factory=list)

    @property
    def diagnosis(self) -> Diagnosis | None:
        return self.diagnoses[0] if self.diagnoses else None

    @property
    def look(self) -> str:
        """The state, but "shortcut" for a right answer that called the library: one that does not count as solved."""
        return "shortcut" if self.shortcut else self.state

    @property
    def missed(self) -> int:
        """How many checks were not passed, because they failed or because they were not reached."""
        return sum(outcome.passed is not True for outcome in self.outcomes)

    @property
    def failed(self) -> list[str]:
        return [outcome.name for outcome in self.outcomes if outcome.passed is False]

    def to_json(self) -> dict[str, Any]:
        """One plain object: name, state, failed checks, diagnosed mistake."""
        return {
            "name": self.exercise,
            "state": self.state,
            "failed": self.failed,
            "mistake": self.diagnosis.mistake if self.diagnosis and self.diagnosis.certain else None,
            "diagnoses": [asdict(diagnosis) for diagnosis in self.diagnoses],
            "shortcut": self.shortcut,
            "note": self.note,
        }


def examine(exercise: Exercise, implementation: Any, *, seed: int = 0, seconds: float = 5.0) -> Verdict:
    """Run an exercise's checks on an answer and judge them.

    Args:
        exercise: the exercise.
        implementation: the learner's function or class.
        seed: the same seed gives the same inputs.
        seconds: the time limit of each check; after one that is over time the rest is not run.
    """
    started = time.perf_counter()
    note = signature_problem(exercise, implementation)
    if note:
        verdict = Verdict(exercise.name, "wrong", _not_reached(exercise), note=note)
    else:
        runs = _run_all(exercise, implementation, seed, seconds)
        verdict = judge_runs(exercise, runs, seed=seed)
        if verdict.state == "right":
            verdict.shortcut = _shortcut(exercise, implementation, seed, seconds)
        elif not verdict.diagnoses:
            observed = {name: run.observation for name, run in runs.items()}
            verdict.note = _changes_its_mind(exercise, implementation, verdict, observed, seed, seconds)
    verdict.seconds = time.perf_counter() - started
    return verdict


def judge_runs(exercise: Exercise, runs: Mapping[str, Run], *, seed: int) -> Verdict:
    """Judge what the checks' scenarios showed, wherever they ran; the answer itself is not needed.

    Args:
        exercise: the exercise.
        runs: what each check showed, by the check's name; a check that is missing here was not reached.
        seed: the one that the scenarios ran with.

    Returns:
        A verdict, right or wrong, without anything that needs the answer itself: shortcut and remarks.
    """
    verdict = Verdict(exercise.name, "wrong", _not_reached(exercise))
    for check, outcome in zip(exercise.checks, verdict.outcomes, strict=True):
        run = runs.get(check.name)
        if run is not None:
            expected = known_observation(exercise, exercise.reference, check, seed)
            outcome.problem = is_right(check, run.observation, expected) or ""
            outcome.passed = not outcome.problem
            outcome.call, outcome.printed = _telling_call(run, expected, check), run.printed
    if all(outcome.passed for outcome in verdict.outcomes):
        verdict.state = "right"
    else:
        verdict.diagnoses = diagnose(exercise, {name: run.observation for name, run in runs.items()}, seed=seed)
    return verdict


def _not_reached(exercise: Exercise) -> list[Outcome]:
    return [Outcome(check.name, check.demand, None) for check in exercise.checks]


def _run_all(exercise: Exercise, implementation: Any, seed: int, seconds: float) -> dict[str, Run]:
    runs = {}
    for check in exercise.checks:
        runs[check.name] = run_scenario(check, implementation, siblings=exercise.siblings, seed=seed, seconds=seconds)
        if isinstance(runs[check.name].observation, OutOfTime):
            break
    return runs


def _telling_call(run: Run, expected: Any, check: Check) -> str:
    """The call that belongs to the first wrong place, where each call gave one item; else the last or the first."""
    if not run.calls or isinstance(run.observation, Raised | OutOfTime):
        return run.calls[-1] if run.calls else ""
    if check.judge is None and isinstance(expected, list) and len(expected) == len(run.calls):
        for leaf in compare(run.observation, expected):
            if leaf.problem and leaf.path.startswith("["):
                return run.calls[int(leaf.path[1:].split("]")[0])]
    return run.calls[0]


def signature_problem(exercise: Exercise, implementation: Any) -> str:
    """How an answer's parameters differ from the stub's so that it can't be called alike; empty if they don't."""
    if inspect.isclass(implementation) != inspect.isclass(exercise.reference):
        wanted = "class" if inspect.isclass(exercise.reference) else "function"
        return f"{exercise.name} is to be a {wanted}: keep the first line as it came."
    if not callable(implementation):
        return f"{exercise.name} is to be callable, but it is {type(implementation).__name__}."
    wanted = inspect.signature(exercise.reference)
    try:
        given = inspect.signature(implementation)
    except ValueError:  # some functions written in C don't tell
        return ""
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in given.parameters.values()):
        return ""
    missing = [name for name in wanted.parameters if name not in given.parameters]
    strange = [
        name
        for name, parameter in given.parameters.items()
        if name not in wanted.parameters
        and parameter.default is parameter.empty
        and parameter.kind is not parameter.VAR_POSITIONAL
    ]
    if missing:
        what = "lacks " + ", ".join(missing)
    elif strange:
        what = "also wants " + ", ".join(strange)
    elif _positional(wanted, given) != _positional(given, wanted):
        what = "has its parameters in another order"
    else:
        return ""
    return (
        f"Your {exercise.name}{given} {what}. It is called as {exercise.name}{wanted}: keep the first line as it came."
    )


def _positional(signature: inspect.Signature, other: inspect.Signature) -> list[str]:
    """The parameters, in order, that both signatures let come by position."""
    by_position = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return [
        name
        for name, parameter in signature.parameters.items()
        if parameter.kind in by_position and name in other.parameters and other.parameters[name].kind in by_position
    ]


def _shortcut(exercise: Exercise, implementation: Any, seed: int, seconds: float) -> str | None:
    if not exercise.shortcuts:
        return None

    def run_again() -> None:
        for check in exercise.checks:
            run_scenario(check, implementation, siblings=exercise.siblings, seed=seed, seconds=seconds)

    return shortcut_used(exercise.shortcuts, run_again, answer=implementation, others=exercise.siblings.values())


def _changes_its_mind(
    exercise: Exercise, implementation: Any, verdict: Verdict, observed: dict[str, Any], seed: int, seconds: float
) -> str:
    """Say so if an answer differs when it is asked the same twice: it keeps something from call to call."""
    for check in exercise.checks:
        seen = observed.get(check.name)
        if check.name not in verdict.failed or isinstance(seen, OutOfTime | Raised):
            continue
        again, expected_again = (
            run_scenario(check, asked, siblings=exercise.siblings, seed=seed, seconds=seconds, luck=1).observation
            for asked in (implementation, exercise.reference)
        )
        expected = known_observation(exercise, exercise.reference, check, seed)
        if _differ(again, seen) and not isinstance(again, OutOfTime) and not _differ(expected_again, expected):
            return (
                "Asked the same twice, your code answers differently: it keeps something between calls (a global, a "
                "default argument that is a list) or draws from a random source of its own."
            )
    return ""


def _differ(observed: Any, other: Any) -> bool:
    return any(leaf.size > 1 for leaf in compare(observed, other, nan_equals_nan=True))
