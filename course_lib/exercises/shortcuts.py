"""Notice an answer that is right because it calls the very library function that was to be built."""

import importlib
import inspect
import sys
from collections.abc import Callable, Iterable
from types import CodeType, FrameType
from typing import Any

from course_lib.exercises.scenario import functions_of


def shortcut_used(
    names: tuple[str, ...], run: Callable[[], Any], *, answer: Any, others: Iterable[Any] = ()
) -> str | None:
    """Run something and tell which of the named functions, classes or methods an answer called in it, if any.

    It sees calls by whatever alias, from Python or C, since it watches the calls themselves and not the source.

    Args:
        names: dotted names, such as `"torch.conv2d"`, `"torch.nn.Conv2d"` or `"torch.Tensor.softmax"`.
        run: what to run.
        answer: the function or class whose calls count, also the indirect ones. It has run before, so what it imports
            is there by now.
        others: functions and classes that the answer may call, and whose own calls don't count: sibling exercises.

    Raises:
        LookupError: calls of one of the names can't be watched.
    """
    own_files = {function.__code__.co_filename for function in functions_of(answer)}
    foreign = {function.__code__ for other in others for function in functions_of(other)}
    codes: dict[Any, str] = {}
    builtins: dict[str, list[tuple[Any, type | None, str]]] = {}  # by their own last name, to be quick
    for name in names:
        if _is_loaded(name):
            _watch(name, codes, builtins)
    used: list[str] = []

    def profiler(frame: Any, event: str, argument: Any) -> None:
        if event == "call":
            found = [codes[frame.f_code]] if frame.f_code in codes else []
        elif event == "c_call":
            watched = builtins.get(argument.__name__, ())
            found = [name for function, owner, name in watched if _is_call_of(argument, function, owner)]
        else:
            return
        if found and _is_below(frame, own_files, foreign):
            used.extend(found)

    previous = sys.getprofile()
    if previous is not None and not callable(previous):  # cProfile, as in %prun: it could not be put back
        return None
    sys.setprofile(profiler)
    try:
        run()
    finally:
        sys.setprofile(previous)
    return used[0] if used else None


def _is_below(frame: FrameType | None, own_files: set[str], foreign: set[CodeType]) -> bool:
    """Whether the nearest caller that is known is the answer: not a sibling, and not the check itself."""
    while frame is not None:
        if frame.f_code in foreign:
            return False
        if frame.f_code.co_filename in own_files:
            return True
        frame = frame.f_back
    return False


def _is_loaded(name: str) -> bool:
    """Whether a name's module is imported. If it isn't, nobody has called it, and importing it may take seconds."""
    first, *parts = name.split(".")
    module, path = sys.modules.get(first), first
    for part in parts:
        path = f"{path}.{part}"
        if path not in sys.modules:
            return module is not None and part in vars(module)
        module = sys.modules[path]
    return True


def _watch(name: str, codes: dict[Any, str], builtins: dict[str, list[tuple[Any, type | None, str]]]) -> None:
    owner, target = resolve(name)
    keys = ("__init__", "__new__", "forward")
    methods = [vars(target)[key] for key in keys if key in vars(target)] if inspect.isclass(target) else [target]
    functions = [inspect.unwrap(getattr(method, "__func__", method)) for method in methods]
    codes.update({function.__code__: name for function in functions if inspect.isfunction(function)})
    if inspect.isbuiltin(target) or inspect.ismethoddescriptor(target):
        builtins.setdefault(target.__name__, []).append((target, owner if inspect.isclass(owner) else None, name))
    elif name not in codes.values():
        raise LookupError(f"built_without names '{name}', whose calls can't be watched")


def resolve(name: str) -> tuple[Any, Any]:
    """What a dotted name stands for, and what holds it.

    Raises:
        LookupError: there is no such thing.
    """
    parts = name.split(".")
    for length in range(len(parts) - 1, 0, -1):
        try:
            found: Any = importlib.import_module(".".join(parts[:length]))
        except ModuleNotFoundError:
            continue
        owner = found
        for part in parts[length:]:
            owner, found = found, getattr(found, part, None)
        if found is not None:
            return owner, found
        break
    raise LookupError(f"built_without names '{name}', which does not exist")


def _is_call_of(called: Any, function: Any, owner: type | None) -> bool:
    if owner is None:
        return called == function
    return isinstance(getattr(called, "__self__", None), owner)
