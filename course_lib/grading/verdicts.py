"""From what a worker said to a verdict: checked, judged and explained where no learner's code ever runs."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from course_lib.errors import CourseError
from course_lib.exercises.declare import Check
from course_lib.exercises.diagnosis import known_observation
from course_lib.exercises.observations import OutOfTime, Raised
from course_lib.exercises.registry import Exercise
from course_lib.exercises.scenario import MAX_CALLS, MAX_PRINTED, Run, run_scenario, told
from course_lib.exercises.timelimit import TimeIsUp, time_limit
from course_lib.exercises.verdict import Outcome, Verdict, judge_runs, signature_problem
from course_lib.grading.packing import BadAnswer, Unpacker, read_header, strange_numbers, text
from course_lib.grading.pool import Reply
from course_lib.grading.signatures import stand_in

SECONDS_TO_TELL = 5.0
MAX_LEAVES = 64  # times as many parts as the reference showed
WHY_NOT = {
    "time": "Your code did not end within {seconds:.0f} s, and was ended. Is there a loop that never stops?",
    "memory": "Your code took more memory than there is for one answer, and was ended.",
    "flood": "Your code sent far more than an answer, and was ended.",
    "died": "The process in which your code ran broke off.",
    "ended": "The process in which your code ran ended before it had answered.",
}


@dataclass(frozen=True)
class Graded:
    """A verdict and what else is to be known of the answer.

    Attributes:
        verdict: what the learner reads.
        remarks: what did not run, in words.
        was_answered: False where the worker was cut off; the machine may have been too busy.
    """

    verdict: Verdict
    remarks: list[str]
    was_answered: bool = True


def verdict_of(exercise: Exercise, reply: Reply, *, seed: int, quiet: bool) -> Graded:
    """Judge a worker's reply.

    Args:
        exercise: the exercise.
        reply: what came from the worker.
        seed: the one that its scenarios had.
        quiet: say nothing that the worker said, since another exercise's reference was lent to it.
    """
    if reply.end != "ended" or not reply.said:
        note = WHY_NOT[reply.end].format(seconds=reply.seconds)
        return Graded(_without_checks(exercise, note), [], was_answered=reply.end == "ended")
    try:
        header, blob = _split(reply.said)
        remarks = [text(remark, 500) for remark in _list(header.get("remarks", []))[:20]]
        verdict = _judge(exercise, header, blob, seed)
        return _quiet(verdict) if quiet else Graded(verdict, remarks)
    except BadAnswer as error:
        return Graded(_without_checks(exercise, f"The worker's answer can't be used: {error}."), [])
    except Exception as error:  # a judge that fails must not stop the class
        remark = f"The checks of {exercise.name} failed on this answer ({type(error).__name__}): please report it."
        return Graded(_without_checks(exercise, "The checks could not judge this answer."), [remark])


def _split(said: bytes) -> tuple[dict[str, Any], bytes]:
    length = int.from_bytes(said[:8], "little")
    if len(said) < 8 + length:
        raise BadAnswer("it broke off")
    return read_header(said[8 : 8 + length]), said[8 + length :]


def _list(value: Any) -> list:
    if not isinstance(value, list):
        raise BadAnswer("a list is no list")
    return value


def _quiet(verdict: Verdict) -> Graded:
    """Only which checks passed, and which known mistake it was: nothing that the worker could have put in words."""
    for outcome in verdict.outcomes:
        outcome.problem = "`course check` shows it; not shown here." if outcome.problem else ""
        outcome.call = outcome.printed = ""
    if verdict.note:
        verdict.note = "Python can't define it, or it can't be called as it came. `course check` shows where."
    verdict.unwritten = []
    return Graded(verdict, [])


def _judge(exercise: Exercise, header: dict[str, Any], blob: bytes, seed: int) -> Verdict:
    state = header.get("state")
    if state == "broken":
        return _without_checks(exercise, text(header.get("why"), 1_000))
    if state in ("missing", "unwritten"):
        parts = [text(part, 200) for part in _list(header.get("parts", []))[:50]]
        return Verdict(exercise.name, "unwritten", unwritten=parts)
    if state != "answered":
        raise BadAnswer("it has no known state")
    note = signature_problem(exercise, stand_in(header.get("signature")))
    if note:
        return _without_checks(exercise, note)
    verdict = judge_claims(exercise, _runs(exercise, header, blob), seed=seed)
    shortcut = header.get("shortcut")
    if verdict.state == "right" and shortcut is not None:
        verdict.shortcut = shortcut if shortcut in exercise.shortcuts else "a function that was not to be called"
    return verdict


def judge_claims(exercise: Exercise, runs: dict[str, Run], *, seed: int) -> Verdict:
    """Judge observations that a worker claims to have made; they may be anything, as long as they are plain data.

    Args:
        exercise: the exercise.
        runs: by the check's name, as `run_scenario(..., raw=True)` gives them; they are changed in place.
        seed: the one that was asked for.
    """
    _tell(exercise, runs, seed)
    _refuse_what_no_judge_should_meet(exercise, runs, seed)
    return judge_runs(exercise, runs, seed=seed)


def _runs(exercise: Exercise, header: dict[str, Any], blob: bytes) -> dict[str, Run]:
    names, unpacker, runs = [check.name for check in exercise.checks], Unpacker(blob), {}
    for entry in _list(header.get("runs")):
        if not isinstance(entry, dict) or entry.get("check") not in names or entry["check"] in runs:
            raise BadAnswer("it answers a check that was not asked")
        calls = [text(call, 1_000) for call in _list(entry.get("calls"))[:MAX_CALLS]]
        observation = unpacker.unpack(entry.get("observation"))
        runs[entry["check"]] = Run(observation, calls, printed=text(entry.get("printed"), MAX_PRINTED))
    unpacker.finish()
    return runs


def _tell(exercise: Exercise, runs: dict[str, Run], seed: int) -> None:
    """Where a check tells what an answer shows, it is told here: from what we ask, and what the worker answered."""
    for check in exercise.checks:
        run = runs.get(check.name)
        if check.tell is None or run is None or isinstance(run.observation, Raised | OutOfTime):
            continue
        try:
            answers = [answered for _, answered in run.observation]
            asked = _asked(exercise, check, seed)
            if _size(answers) > MAX_LEAVES * (_size(asked) + 16):
                raise ValueError("far larger than the answer that was asked for")
            with time_limit(SECONDS_TO_TELL):
                run.observation = told(check, zip(asked, answers, strict=True))
        except (Exception, TimeIsUp) as error:  # whatever a worker made up
            run.observation = Raised(type(error).__name__, "the answer has not the structure that was asked for")


@lru_cache(maxsize=1024)
def _asked_with(check: Check, implementation: Any, seed: int) -> list[Any]:
    pairs = run_scenario(check, implementation, siblings={}, seed=seed, seconds=30.0, raw=True).observation
    return [asked for asked, _ in pairs]


def _asked(exercise: Exercise, check: Check, seed: int) -> list[Any]:
    if check.parameters[2:]:
        raise CourseError(f"{check.name} tells what it saw, so it can't ask for other exercises.")
    return _asked_with(check, exercise.reference, seed)


def _refuse_what_no_judge_should_meet(exercise: Exercise, runs: dict[str, Run], seed: int) -> None:
    """A property is judged by an author's own function: it gets nothing infinite and nothing huge."""
    for check in exercise.checks:
        run = runs.get(check.name)
        if check.judge is None or run is None or isinstance(run.observation, Raised | OutOfTime):
            continue
        expected = known_observation(exercise, exercise.reference, check, seed)
        if strange_numbers(run.observation) and not strange_numbers(expected):
            run.observation = Raised("ValueError", "an observation holds NaN or infinity, where there is none to find")
        elif _size(run.observation) > MAX_LEAVES * (_size(expected) + 16):
            run.observation = Raised("ValueError", "an observation is far larger than the answer that was asked for")


def _size(value: Any) -> int:
    if isinstance(value, dict):
        return 1 + sum(_size(item) for item in value.values())
    if isinstance(value, list):
        return 1 + sum(_size(item) for item in value)
    if isinstance(value, str):
        return 1 + len(value) // 16
    return 1 + getattr(value, "nbytes", 0) // 8


def _without_checks(exercise: Exercise, note: str) -> Verdict:
    outcomes = [Outcome(check.name, check.demand, None) for check in exercise.checks]
    return Verdict(exercise.name, "wrong", outcomes, note=note)
