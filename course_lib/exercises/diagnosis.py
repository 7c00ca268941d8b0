"""Which known mistake is it? Evidence decides, and where it is thin the card says "perhaps" or nothing."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from course_lib.exercises.declare import Check, Mistake
from course_lib.exercises.judge import CLEARLY, compare, plain_numbers
from course_lib.exercises.observations import snapshot
from course_lib.exercises.registry import Exercise
from course_lib.exercises.scenario import run_scenario

ENOUGH = 1 - 1e-9
ENOUGH_FOR_PERHAPS = 0.5


@dataclass(frozen=True)
class Diagnosis:
    """A known mistake that explains a wrong answer.

    Attributes:
        mistake: its name in `solutions/`.
        hint: what the learner reads.
        certain: the answer behaves as the mistake does wherever the mistake shows; else only in some of these places.
    """

    mistake: str
    hint: str
    certain: bool


@lru_cache(maxsize=4096)
def _observe(check: Check, implementation: Any, siblings: tuple[tuple[str, Any], ...], seed: int) -> Any:
    return run_scenario(check, implementation, siblings=dict(siblings), seed=seed, seconds=30.0).observation


def known_observation(exercise: Exercise, implementation: Any, check: Check, seed: int) -> Any:
    """What the reference or a known mistake shows in a check; remembered, since neither changes."""
    return _observe(check, implementation, tuple(exercise.siblings.items()), seed)


def is_right(check: Check, observed: Any, expected: Any) -> str | None:
    """None if what was observed meets the check's demand, else what is wrong with it, in words."""
    if check.judge is None:
        wrong = [leaf for leaf in compare(observed, expected) if leaf.problem]
        return _problem(wrong[0].path, wrong[0].problem) if wrong else None
    observed, expected = snapshot(plain_numbers(observed, expected)), snapshot(expected)  # a judge may sort in place
    if not _alike(observed, expected):
        return next(compare(observed, expected)).problem  # an exception, None, no answer in time
    try:
        return check.judge(observed, expected)
    except Exception as error:
        return f"the answer has not the structure that was asked for ({type(error).__name__}: {error})"


def _alike(observed: Any, expected: Any) -> bool:
    if isinstance(observed, bool) or isinstance(expected, bool):
        return type(observed) is type(expected)
    both_numbers = isinstance(observed, int | float | complex) and isinstance(expected, int | float | complex)
    return both_numbers or isinstance(observed, type(expected))


def _problem(path: str, problem: str) -> str:
    return f"answer{path}: {problem}" if path else problem


def diagnose(exercise: Exercise, observed: dict[str, Any], *, seed: int) -> list[Diagnosis]:
    """Explain a wrong answer by known mistakes.

    A mistake is certain if the answer's observations equal the mistake's in every check in which the mistake clearly
    differs from the reference, and these hold enough evidence: three differing tensors, or eight differing single
    values. Where an answer equals a mistake in only some of these checks, the mistake is a "perhaps".

    Args:
        exercise: the exercise.
        observed: the answer's observations by the check's name.
        seed: the one that the observations were made with.

    Returns:
        The certain mistakes that explain different failures, best first; or else at most two "perhaps".
    """
    candidates = [
        candidate for mistake in exercise.mistakes.values() if (candidate := _weigh(exercise, mistake, observed, seed))
    ]
    certain = [candidate for candidate in candidates if candidate.certain]
    certain.sort(key=lambda candidate: (len(candidate.explained), candidate.evidence), reverse=True)
    chosen, explained = [], set()
    for candidate in certain:
        if not candidate.explained <= explained:
            chosen.append(candidate)
            explained |= candidate.explained
    if not chosen:
        chosen = sorted(candidates, key=lambda candidate: candidate.evidence, reverse=True)[:2]
    return [Diagnosis(candidate.mistake.name, candidate.mistake.hint, candidate.certain) for candidate in chosen]


@dataclass(frozen=True)
class _Candidate:
    mistake: Mistake
    certain: bool
    evidence: float
    explained: frozenset[str]


def _weigh(exercise: Exercise, mistake: Mistake, observed: dict[str, Any], seed: int) -> _Candidate | None:
    clear, evidence, same = 0, 0.0, set()
    for check in exercise.checks:
        expected = known_observation(exercise, exercise.reference, check, seed)
        mistaken = known_observation(exercise, mistake.implementation, check, seed)
        differing = [leaf for leaf in compare(mistaken, expected) if leaf.size > CLEARLY]
        if not differing or is_right(check, mistaken, expected) is None:
            continue
        clear += 1
        if check.name in observed and _same(observed[check.name], mistaken):
            same.add(check.name)
            evidence += sum(leaf.weight for leaf in differing)
    certain = len(same) == clear and evidence >= ENOUGH
    if not certain and evidence < ENOUGH_FOR_PERHAPS:
        return None
    return _Candidate(mistake, certain, evidence, frozenset(same))


def _same(observed: Any, mistaken: Any) -> bool:
    return all(leaf.size <= 1 for leaf in compare(observed, mistaken, nan_equals_nan=True))
