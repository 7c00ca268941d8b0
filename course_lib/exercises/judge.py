"""The one judge: does what the learner's answer showed equal what the reference showed?

Structure first, then shape, then kind, then values. A difference is measured in tolerances, so that 1 is the border
between right and wrong and 100 is beyond doubt.
"""

import ctypes
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from course_lib.exercises.observations import Opaque, OutOfTime, Raised, describe

# relative tolerance by precision; a hundredth of it, times the largest expected magnitude, forgives cancellation
TOLERANCE = {
    "float64": 1e-7,
    "complex128": 1e-7,
    "float32": 1e-4,
    "complex64": 1e-4,
    "float16": 1e-2,
    "bfloat16": 2e-2,
}
CLEARLY = 100.0


@dataclass(frozen=True)
class Comparison:
    """One leaf of an observation beside the expected one.

    Attributes:
        path: where in the observation, such as `[2]`.
        size: the difference in tolerances; above 1 it is wrong, infinite if structure, shape or kind differ.
        problem: the difference in words; empty if there is none.
        weight: what this leaf counts as evidence for a known mistake: a third for several numbers, an eighth for one.
    """

    path: str
    size: float
    problem: str
    weight: float


def compare(observed: Any, expected: Any, path: str = "", *, nan_equals_nan: bool = False) -> Iterator[Comparison]:
    """Compare two observations leaf by leaf, in the order of the expected one.

    Args:
        observed: what one answer showed.
        expected: what the other did.
        path: where in the observation this is; for the function's own use.
        nan_equals_nan: when judging, NaN equals nothing; when two wrong answers are compared, it equals itself.
    """
    if isinstance(expected, list) and isinstance(observed, list) and len(observed) == len(expected):
        for index, (got, wanted) in enumerate(zip(observed, expected, strict=True)):
            yield from compare(got, wanted, f"{path}[{index}]", nan_equals_nan=nan_equals_nan)
    elif isinstance(expected, dict) and isinstance(observed, dict) and observed.keys() == expected.keys():
        for key in expected:
            yield from compare(observed[key], expected[key], f"{path}.{key}", nan_equals_nan=nan_equals_nan)
    else:
        size, problem = _difference(observed, expected, nan_equals_nan)
        yield Comparison(path, size, problem if size > 1 else "", _weight(observed))


def _weight(observed: Any) -> float:
    """Nothing, NaN and exceptions prove nothing; several numbers at once prove more than a single one."""
    if observed is None or isinstance(observed, Raised | OutOfTime | Opaque):
        return 0.0
    if isinstance(observed, list | dict):
        return 1 / 3 if len(observed) > 1 else 1 / 8
    if isinstance(observed, Tensor | np.ndarray):
        values = torch.as_tensor(observed)
        if values.is_floating_point() and values.isnan().any():
            return 0.0
        return 1 / 3 if values.numel() > 1 else 1 / 8
    return 0.0 if isinstance(observed, float) and math.isnan(observed) else 1 / 8


def _difference(observed: Any, expected: Any, nan_equals_nan: bool) -> tuple[float, str]:
    """The difference of two leaves in tolerances, and in words."""
    if isinstance(observed, OutOfTime):
        return math.inf, f"did not end within {observed.seconds:g} seconds. Is there a loop that never stops?"
    if isinstance(observed, Raised) and not isinstance(expected, Raised):
        return math.inf, f"raised {describe(observed)}" + (f" ({observed.where})" if observed.where else "")
    observed = plain_numbers(observed, expected)
    if isinstance(expected, Tensor | np.ndarray):
        return _array_difference(observed, expected, nan_equals_nan)
    if isinstance(expected, bool) or isinstance(observed, bool) or not isinstance(expected, int | float | complex):
        return _exact_difference(observed, expected)
    if nan_equals_nan and _is_nan(observed) and _is_nan(expected):
        return 0.0, ""
    return _number_difference(observed, expected)


def _is_nan(value: Any) -> bool:
    return isinstance(value, float | complex) and value != value


def plain_numbers(observed: Any, expected: Any) -> Any:
    """What was observed, with a number for each tensor of one number where a number is expected: it serves as well."""
    if isinstance(observed, list) and isinstance(expected, list) and expected:
        return [plain_numbers(item, expected[min(index, len(expected) - 1)]) for index, item in enumerate(observed)]
    if isinstance(observed, dict) and isinstance(expected, dict):
        return {key: plain_numbers(item, expected.get(key)) for key, item in observed.items()}
    if isinstance(observed, Tensor | np.ndarray) and observed.ndim == 0 and isinstance(expected, int | float | complex):
        return observed.item()
    return observed


def _exact_difference(observed: Any, expected: Any) -> tuple[float, str]:
    if isinstance(observed, Raised) and isinstance(expected, Raised):
        same = observed.kind == expected.kind
    elif isinstance(expected, list | dict) and type(observed) is type(expected):
        return math.inf, f"got {_size(observed)}, expected {_size(expected)}"
    else:
        same = type(observed) is type(expected) and not isinstance(expected, Opaque) and observed == expected
    return (0.0, "") if same else (math.inf, _expected_but_got(observed, expected))


def _number_difference(observed: Any, expected: complex) -> tuple[float, str]:
    if not isinstance(observed, int | float | complex):
        return math.inf, _expected_but_got(observed, expected)
    if observed == expected:
        return 0.0, ""
    problem = _got_and_expected(observed, expected)
    single = isinstance(observed, float) and ctypes.c_float(observed).value == observed  # it was computed in float32
    try:
        allowed = TOLERANCE["float32" if single else "float64"] * (abs(expected) + (1e-4 if expected else 1e-2))
        size = abs(observed - expected) / allowed
    except OverflowError:  # whole numbers that no float can hold
        return math.inf, problem
    return (math.inf if size != size else size), problem


def _array_difference(observed: Any, expected: Tensor | np.ndarray, nan_equals_nan: bool) -> tuple[float, str]:
    if not isinstance(observed, type(expected)):
        return math.inf, _expected_but_got(observed, expected)
    observed, expected = torch.as_tensor(observed), torch.as_tensor(expected)
    if observed.shape != expected.shape:
        return math.inf, f"got shape {tuple(observed.shape)}, expected shape {tuple(expected.shape)}"
    if _kind(observed) != _kind(expected):
        return math.inf, f"got {_kind(observed)} ({_dtype(observed)}), expected {_kind(expected)} ({_dtype(expected)})"
    if observed.numel() == 0:
        return 0.0, ""
    sizes = _sizes(observed, expected)
    if nan_equals_nan:
        sizes[(observed != observed) & (expected != expected)] = 0.0
    wrong = sizes > 1
    if not wrong.any():
        return sizes.max().item(), ""
    place = [int(index) for index in wrong.nonzero()[0]]
    problem = _got_and_expected(observed[tuple(place)].item(), expected[tuple(place)].item())
    if place:
        many = f"; {int(wrong.sum())} of {wrong.numel()} numbers differ" if wrong.numel() > 1 else ""
        problem = f"first differs at {place}: {problem}{many}"
    return sizes.max().item(), problem


def _sizes(observed: Tensor, expected: Tensor) -> Tensor:
    """The difference of each pair of numbers, in tolerances (infinite where one is NaN, or one alone is infinite)."""
    if not expected.is_floating_point() and not expected.is_complex():
        return torch.where(observed.to(torch.int64) == expected.to(torch.int64), 0.0, torch.inf)
    tolerance = max(TOLERANCE.get(_dtype(tensor), 1e-4) for tensor in (observed, expected))
    wide = torch.complex128 if expected.is_complex() else torch.float64
    observed, expected = observed.to(wide), expected.to(wide)
    magnitude = expected.abs()
    finite = magnitude[magnitude.isfinite()]
    largest = finite.max().item() if finite.numel() else 0.0
    allowed = tolerance * (magnitude + 0.01 * (largest or 1.0))
    sizes = (observed - expected).abs() / allowed
    return torch.where(observed == expected, 0.0, torch.nan_to_num(sizes, nan=torch.inf, posinf=torch.inf))


def _kind(tensor: Tensor) -> str:
    if tensor.dtype == torch.bool:
        return "truth values"
    if tensor.is_complex():
        return "complex numbers"
    return "floating-point numbers" if tensor.is_floating_point() else "whole numbers"


def _dtype(tensor: Tensor) -> str:
    return str(tensor.dtype).removeprefix("torch.")


def _size(value: list | dict) -> str:
    return f"a list of {len(value)}" if isinstance(value, list) else "the keys " + ", ".join(value)


def _got_and_expected(observed: complex, expected: complex) -> str:
    if observed != observed:
        return f"got NaN (not a number), expected {describe(expected)}"
    got, wanted = describe(observed), describe(expected)
    if got == wanted:  # they differ in digits that are not shown
        got, wanted = repr(observed), repr(expected)
    return f"got {got}, expected {wanted}"


def _expected_but_got(observed: Any, expected: Any) -> str:
    if observed is None:
        return f"got None, expected {describe(expected)}. Does your code return its result?"
    if isinstance(expected, Tensor) and isinstance(observed, np.ndarray):
        return f"got a NumPy array, expected a torch tensor of shape {tuple(expected.shape)}"
    return f"got {describe(observed)}, expected {describe(expected)}"
