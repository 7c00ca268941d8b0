"""Notice an answer that is right because it calls the very library function that was to be built."""

import importlib
import inspect
import sys
from collections.abc import Callable
from typing import Any


def shortcut_used(names: tuple[str, ...], run: Callable[[], Any]) -> str | None:
    """Run something and tell which of the named functions, classes or methods it called, if any.

    It sees calls by whatever alias, from Python or C, since it watches the calls themselves and not the source.

    Args:
        names: dotted names, such as `"torch.conv2d"`, `"torch.nn.Conv2d"` or `"torch.Tensor.softmax"`.
        run: what to run.
    """
    codes: dict[Any, str] = {}
    builtins: list[tuple[Any, type | None, str]] = []
    for name in names:
        _watch(name, codes, builtins)
    used: list[str] = []

    def profiler(frame: Any, event: str, argument: Any) -> None:
        if event == "call" and frame.f_code in codes:
            used.append(codes[frame.f_code])
        elif event == "c_call":
            used.extend(name for function, owner, name in builtins if _is_call_of(argument, function, owner))

    previous = sys.getprofile()
    sys.setprofile(profiler)
    try:
        run()
    finally:
        sys.setprofile(previous)
    return used[0] if used else None


def _watch(name: str, codes: dict[Any, str], builtins: list[tuple[Any, type | None, str]]) -> None:
    owner, target = resolve(name)
    methods = (
        [vars(target)[key] for key in ("__init__", "__new__", "forward") if key in vars(target)]
        if (inspect.isclass(target))
        else [target]
    )
    for method in methods:
        function = inspect.unwrap(getattr(method, "__func__", method))
        if inspect.isfunction(function):
            codes[function.__code__] = name
        else:
            builtins.append((target, owner if inspect.isclass(owner) else None, name))


def resolve(name: str) -> tuple[Any, Any]:
    parts = name.split(".")
    for length in range(len(parts) - 1, 0, -1):
        try:
            found: Any = importlib.import_module(".".join(parts[:length]))
        except ModuleNotFoundError:
            continue
        owner = found
        for part in parts[length:]:
            owner, found = found, getattr(found, part)
        return owner, found
    raise LookupError(f"built_without names '{name}', which does not exist")


def _is_call_of(called: Any, function: Any, owner: type | None) -> bool:
    if owner is None:
        return called == function
    return getattr(called, "__name__", "") == getattr(function, "__name__", None) and isinstance(
        getattr(called, "__self__", None), owner
    )
