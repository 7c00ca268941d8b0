"""Run one check's scenario on an answer: its own seed, fresh inputs, a time limit, and a record of what happened."""

import functools
import inspect
import io
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass, field
from types import FunctionType
from typing import Any

import torch

from course_lib.exercises.declare import Check
from course_lib.exercises.draw import Draw, seed_for
from course_lib.exercises.observations import OutOfTime, Raised, describe, shorten, snapshot
from course_lib.exercises.timelimit import TimeIsUp, time_limit
from course_lib.seeds import undisturbed_random_state

MAX_CALLS = 40
MAX_PRINTED = 2_000
MAX_MESSAGE = 1_000


@dataclass
class Run:
    """What one run of a scenario showed.

    Attributes:
        observation: plain data, or `Raised`, or `OutOfTime`.
        calls: the calls of the answer with their arguments in a few words, the first 40 of them.
        returned: what the last call returned, in a few words.
        printed: what the answer printed, its first 2,000 characters.
        drawn: the inputs, for the report.
    """

    observation: Any = None
    calls: list[str] = field(default_factory=list)
    returned: str = ""
    printed: str = ""
    drawn: list[Any] = field(default_factory=list)


def run_scenario(
    check: Check,
    implementation: Any,
    *,
    siblings: Mapping[str, Any],
    seed: int = 0,
    seconds: float = 5.0,
    luck: int = 0,
    raw: bool = False,
) -> Run:
    """Run a check's scenario on an implementation and record what happened; judges nothing.

    Args:
        check: the check.
        implementation: a function or a class.
        siblings: the references of the lesson's other exercises; while the scenario runs, the answer sees these
            instead of the learner's own.
        seed: the same seed gives the same inputs.
        seconds: the time limit.
        luck: another number leaves the inputs alone, but changes what the global random generators give.
        raw: leave what was asked and answered as it is, where the check has a way to tell what it shows.
    """
    run, printed = Run(), _Printed()
    own_seed = seed_for(seed, check.exercise, check.name)
    draw = Draw(own_seed)
    extra = {name: siblings[name] for name in check.parameters[2:]}
    answer = implementation if inspect.isclass(implementation) else _recorded(implementation, run)
    bound = _bound(implementation, siblings, check.exercise)
    global_seed = (own_seed + luck) % 2**32
    with undisturbed_random_state(global_seed), bound, redirect_stdout(printed), torch.enable_grad():
        try:
            with time_limit(seconds):
                run.observation = snapshot(check.scenario(answer, draw, **extra))
                if check.tell and not raw:
                    run.observation = told(check, run.observation)
        except TimeIsUp:
            run.observation = OutOfTime(seconds)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # SystemExit in an answer must not end the kernel
            run.observation = _raised(error, implementation, run)
    run.printed, run.drawn = printed.getvalue(), draw.drawn
    return run


def told(check: Check, pairs: Any) -> Any:
    """What a check's `tell` makes of each pair of what was asked and what was answered."""
    return [snapshot(check.tell(asked, answered)) for asked, answered in pairs]


class _Printed(io.StringIO):
    """Keeps the first characters only: an endless loop that prints must not fill the memory."""

    def write(self, text: str) -> int:
        if self.tell() < MAX_PRINTED:
            super().write(text[: MAX_PRINTED - self.tell()])
        return len(text)


def _recorded(function: Any, run: Run) -> Any:
    """The same function, but each call is written down before it happens, and its result afterwards."""

    @functools.wraps(function)
    def recorded(*args: Any, **kwargs: Any) -> Any:
        if len(run.calls) < MAX_CALLS:
            given = [describe(arg) for arg in args] + [f"{key}={describe(value)}" for key, value in kwargs.items()]
            run.calls.append(f"{name_of(function)}({', '.join(given)})")
        result = function(*args, **kwargs)
        if len(run.calls) < MAX_CALLS:
            run.returned = describe(result)
        return result

    return recorded


def name_of(implementation: Any) -> str:
    """The name of a function or class; of another callable, the name of its class."""
    return getattr(implementation, "__name__", type(implementation).__name__)


def functions_of(implementation: Any) -> list[FunctionType]:
    """The functions that an answer consists of: itself, or the methods of a class, without their decorators."""
    candidates = (implementation, *getattr(implementation, "__dict__", {}).values())
    functions = [
        getattr(each, "fget", getattr(each, "__func__", each)) for each in candidates
    ]  # properties, class methods
    return [inspect.unwrap(function) for function in functions if inspect.isfunction(function)]


@contextmanager
def _bound(implementation: Any, siblings: Mapping[str, Any], name: str) -> Iterator[None]:
    """Where the answer was written, let the siblings be their references, and its own name itself (for recursion)."""
    functions = functions_of(implementation)
    namespace = functions[0].__globals__ if functions else {}
    itself = {name: implementation} if name_of(implementation) == name else {}
    before = {key: namespace[key] for key in {**siblings, **itself} if key in namespace}
    namespace.update(siblings, **itself)
    try:
        yield
    finally:
        for key in {**siblings, **itself}:
            namespace.pop(key, None)
        namespace.update(before)


def _raised(error: BaseException, implementation: Any, run: Run) -> Raised:
    """The exception, with the learner's own line if it was raised below one, else with what their code had returned."""
    files = {function.__code__.co_filename for function in functions_of(implementation)}
    own = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename in files]
    where = f"line {own[-1].lineno}: {own[-1].line}" if own else ""
    if not own and run.returned:
        where = f"after {name_of(implementation)} returned {run.returned}"
    return Raised(type(error).__name__, _message(error), where)


def _message(error: BaseException) -> str:
    try:
        return shorten(str(error), MAX_MESSAGE)
    except Exception:  # an exception of the learner's own that can't say what it is
        return ""
