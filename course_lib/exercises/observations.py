"""Observations: what a check saw, as plain data that holds still and can travel between processes."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

MAX_DEPTH = 20


@dataclass(frozen=True)
class Raised:
    """The scenario ended in an exception; `where` is the learner's own line, if it was raised there."""

    kind: str
    message: str
    where: str = ""


@dataclass(frozen=True)
class OutOfTime:
    """The scenario did not end within its time."""

    seconds: float


@dataclass(frozen=True)
class Opaque:
    """Something that is not plain data: a set, a generator, an object of one's own."""

    type_name: str


def snapshot(value: Any, depth: int = 0) -> Any:
    """Copy a scenario's answer into plain data: tensors, arrays, numbers, strings, None, lists and dicts of them.

    Tuples become lists, views and strided tensors become contiguous copies, gradients are left behind.
    """
    if isinstance(value, Raised | OutOfTime):
        return value
    if isinstance(value, Tensor):
        dense = value.detach().to_dense() if value.layout != torch.strided else value.detach()
        return torch.empty(dense.shape, dtype=dense.dtype, device="cpu").copy_(dense)
    if isinstance(value, np.ndarray):
        return _plain_array(value)
    if value is None or isinstance(value, bool | np.bool_):
        return None if value is None else bool(value)
    for kind, numbers in ((int, np.integer), (float, np.floating), (complex, np.complexfloating)):
        if isinstance(value, kind | numbers):
            return kind(value)
    if isinstance(value, str):
        return str(value)
    if depth < MAX_DEPTH and isinstance(value, list | tuple | range):
        return [snapshot(item, depth + 1) for item in value]
    if depth < MAX_DEPTH and isinstance(value, Mapping):
        return {str(key): snapshot(item, depth + 1) for key, item in value.items()}
    return Opaque(type(value).__name__)


def _plain_array(array: np.ndarray) -> Any:
    """A contiguous copy in a dtype that torch knows too; what holds no numbers is opaque."""
    if array.dtype.kind not in "biufc":
        return Opaque(f"ndarray of {array.dtype}")
    native = array.dtype.newbyteorder("=")
    if native.itemsize > {"f": 8, "c": 16}.get(native.kind, 8):  # long double
        native = np.dtype("float64" if native.kind == "f" else "complex128")
    return np.array(array, dtype=native, order="C")


def leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every leaf of an observation with its path, such as `("[2].loss", 0.5)`."""
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield from leaves(item, f"{path}[{index}]")
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from leaves(item, f"{path}.{key}")
    else:
        yield path, value


def describe(value: Any) -> str:
    """A value in a few words: small ones in full, large ones by kind and shape. It need not be a snapshot."""
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, Tensor):
        dtype, plain = str(value.dtype).removeprefix("torch."), value.layout == torch.strided and not value.is_meta
        small = plain and 0 < value.numel() <= 8
        return f"{dtype} tensor " + (_numbers(value.tolist()) if small else f"of shape {tuple(value.shape)}")
    if isinstance(value, np.ndarray):
        small = 0 < value.size <= 8
        return f"{value.dtype} NumPy array " + (_numbers(value.tolist()) if small else f"of shape {value.shape}")
    if isinstance(value, float | complex):
        return _numbers(value)
    if isinstance(value, Raised):
        return f"{value.kind}: {value.message}" if value.message else value.kind
    if isinstance(value, list | tuple | range):
        text = "[" + ", ".join(describe(item) for item in value[:8]) + (", ...]" if len(value) > 8 else "]")
        return text if len(text) <= 120 else f"a list of {len(value)}"
    if isinstance(value, dict):
        text = "{" + ", ".join(f"{key}: {describe(item)}" for key, item in list(value.items())[:8])
        return shorten(text + (", ...}" if len(value) > 8 else "}"))
    if isinstance(value, int) and abs(value) >= 10**30:  # Python itself refuses to print thousands of digits
        return f"a whole number of about {int(value.bit_length() * 0.30103)} digits"
    if value is None or isinstance(value, int | str):
        return shorten(repr(value))
    return f"an object of type {value.type_name if isinstance(value, Opaque) else type(value).__name__}"


def shorten(text: str, length: int = 120) -> str:
    """The text, or its beginning if it is longer."""
    return text if len(text) <= length else text[: length - 3] + "..."


def _numbers(value: Any) -> str:
    if isinstance(value, list):
        return "[" + ", ".join(_numbers(item) for item in value) + "]"
    return f"{value:.6g}" if isinstance(value, float) else str(value)
