"""Observations between processes: JSON and raw numbers, checked piece by piece on the trusted side. Never pickles."""

import json
import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor

from course_lib.exercises.observations import MAX_DEPTH, Opaque, OutOfTime, Raised

MAX_HEADER = 8 * 2**20  # bytes of JSON in one answer
MAX_NUMBERS = 64 * 2**20  # bytes of raw numbers
MAX_PARTS = 100_000  # lists, dicts and leaves
MAX_TEXT = 20_000  # characters of one string

DTYPES = {
    str(dtype).removeprefix("torch."): dtype
    for dtype in (
        *(torch.bool, torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64),
        *(torch.uint16, torch.uint32, torch.uint64),
        *(torch.float16, torch.bfloat16, torch.float32, torch.float64, torch.complex64, torch.complex128),
    )
}
NUMPY_DTYPES = {name: np.dtype(name) for name in DTYPES if name != "bfloat16"}
STRANGE_FLOATS = {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}


class BadAnswer(Exception):
    """What came from a worker is not an answer; the text says why, and holds nothing of the worker's own words."""


def pack(value: Any) -> tuple[Any, bytes]:
    """Turn a snapshot into JSON-ready data and the raw bytes of its tensors and arrays, in their order."""
    blob = bytearray()
    return _pack(value, blob), bytes(blob)


def _pack(value: Any, blob: bytearray) -> Any:
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, int):
        return value if abs(value) < 2**63 else {"int": hex(value)}
    if isinstance(value, float):
        return value if math.isfinite(value) else {"float": str(value)}
    if isinstance(value, complex):
        return {"complex": [_pack(value.real, blob), _pack(value.imag, blob)]}
    if isinstance(value, list):
        return [_pack(item, blob) for item in value]
    if isinstance(value, dict):
        return {"dict": [[key, _pack(item, blob)] for key, item in value.items()]}
    if isinstance(value, Tensor):
        name = str(value.dtype).removeprefix("torch.")
        if name not in DTYPES:
            return {"opaque": f"Tensor of {name}"}
        blob += value.contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()
        return {"tensor": name, "shape": list(value.shape)}
    if isinstance(value, np.ndarray):
        blob += value.tobytes()
        return {"array": str(value.dtype), "shape": list(value.shape)}
    if isinstance(value, Raised):
        return {"raised": [value.kind, value.message, value.where]}
    if isinstance(value, OutOfTime):
        return {"out_of_time": value.seconds}
    return {"opaque": value.type_name if isinstance(value, Opaque) else type(value).__name__}


def read_header(text: bytes) -> dict[str, Any]:
    """Parse the JSON part of an answer.

    Raises:
        BadAnswer: it is too long, no JSON, or no object.
    """
    if len(text) > MAX_HEADER:
        raise BadAnswer("the answer is too long")
    try:
        header = json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise BadAnswer("the answer is not JSON") from error
    if not isinstance(header, dict):
        raise BadAnswer("the answer is not a JSON object")
    return header


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


class Unpacker:
    """Builds observations from an answer's JSON and its raw bytes, and trusts neither."""

    def __init__(self, blob: bytes):
        self._blob, self._at, self._parts = blob, 0, 0

    def unpack(self, tree: Any, depth: int = 0) -> Any:
        """The observation that a piece of JSON stands for.

        Raises:
            BadAnswer: it has a type, a shape, a dtype or a size that no honest observation has.
        """
        self._parts += 1
        if self._parts > MAX_PARTS or depth > MAX_DEPTH + 2:
            raise BadAnswer("an observation has too many parts")
        if tree is None or isinstance(tree, bool | float):
            return tree
        if isinstance(tree, int):
            return _need(abs(tree) < 2**63, "a number is out of range") and tree
        if isinstance(tree, str):
            return text(tree)
        if isinstance(tree, list):
            return [self.unpack(item, depth + 1) for item in tree]
        return self._unpack_object(tree, depth)

    def finish(self) -> None:
        """All raw bytes must have been used.

        Raises:
            BadAnswer: some are left.
        """
        _need(self._at == len(self._blob), "there is more than what was announced")

    def _unpack_object(self, tree: dict[str, Any], depth: int) -> Any:
        kind = next(iter(tree), "")
        value = tree.get(kind)
        if kind in ("tensor", "array") and tree.keys() == {kind, "shape"}:
            return self._numbers(kind, value, tree["shape"])
        _need(len(tree) == 1, "a part of the observation is of no known kind")
        if kind == "dict" and isinstance(value, list):
            return dict(self._pair(pair, depth) for pair in value)
        if kind == "float" and isinstance(value, str) and value in STRANGE_FLOATS:
            return STRANGE_FLOATS[value]
        if kind == "int" and isinstance(value, str) and len(value) <= 2_000:
            return _whole_number(value)
        if kind == "complex" and isinstance(value, list) and len(value) == 2:
            real, imaginary = (self.unpack(part, depth + 1) for part in value)
            _need(isinstance(real, float) and isinstance(imaginary, float), "a complex number has strange parts")
            return complex(real, imaginary)
        if kind == "raised" and isinstance(value, list) and len(value) == 3:
            return Raised(*map(text, value))
        if kind == "out_of_time" and isinstance(value, int | float) and not isinstance(value, bool):
            return OutOfTime(float(value))
        if kind == "opaque":
            return Opaque(text(value))
        raise BadAnswer("a part of the observation is of no known kind")

    def _pair(self, pair: Any, depth: int) -> tuple[str, Any]:
        _need(isinstance(pair, list) and len(pair) == 2, "a dict has something else than pairs")
        return text(pair[0]), self.unpack(pair[1], depth + 1)

    def _numbers(self, kind: str, dtype: Any, shape: Any) -> Tensor | np.ndarray:
        known = DTYPES if kind == "tensor" else NUMPY_DTYPES
        _need(isinstance(dtype, str) and dtype in known, "an array has an unknown dtype")
        _need(isinstance(shape, list) and len(shape) <= 32, "an array has no shape")
        _need(all(type(size) is int and 0 <= size <= MAX_NUMBERS for size in shape), "an array has a strange shape")
        num_bytes = math.prod(shape) * DTYPES[dtype].itemsize
        _need(num_bytes <= len(self._blob) - self._at, "an array is longer than what came")
        raw = bytearray(self._blob[self._at : self._at + num_bytes])
        self._at += num_bytes
        if dtype == "bool":
            _need(not raw or max(raw) <= 1, "a truth value is neither true nor false")
        if kind == "array":
            return np.frombuffer(raw, dtype=NUMPY_DTYPES[dtype]).reshape(shape)
        flat = torch.frombuffer(raw, dtype=DTYPES[dtype]) if raw else torch.empty(0, dtype=DTYPES[dtype])
        return flat.reshape(shape)


def text(value: Any, limit: int = MAX_TEXT) -> str:
    """A string from a worker, cut to a length, without what can't be written to a file or an XML document.

    Raises:
        BadAnswer: it is no string.
    """
    _need(isinstance(value, str), "a text is no text")
    kept = (sign if sign.isprintable() or sign in "\n\t" else "\ufffd" for sign in value[:limit])
    return "".join(kept)


def strange_numbers(value: Any) -> bool:
    """Whether an observation holds a NaN or an infinity anywhere."""
    return any(not _is_finite(leaf) for leaf in _leaves(value))


def _leaves(value: Any) -> Iterator[Any]:
    if isinstance(value, list | dict):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _leaves(item)
    else:
        yield value


def _is_finite(leaf: Any) -> bool:
    if isinstance(leaf, Tensor | np.ndarray):
        return bool(torch.as_tensor(leaf).isfinite().all())
    return not isinstance(leaf, float | complex) or (math.isfinite(leaf.real) and math.isfinite(leaf.imag))


def _whole_number(value: str) -> int:
    try:
        return int(value, 16)
    except ValueError as error:
        raise BadAnswer("a number is no number") from error


def _need(holds: bool, otherwise: str) -> bool:
    if not holds:
        raise BadAnswer(otherwise)
    return True
