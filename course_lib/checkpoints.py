"""Checkpoints that a crash, a full disk or a second process can't spoil: one file, written whole or not at all.

A checkpoint is one safetensors file: its tensors under their paths, everything else as JSON in the header. Loading one
runs no code, unlike a pickle.
"""

import errno
import json
import random
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as to_bytes
from torch import Tensor

from course_lib.errors import CourseError
from course_lib.paths import write_atomically


def save_checkpoint(path: Path, state: dict[str, Any]) -> None:
    """Save a state so that the file at `path` is at every moment either the old one or the new one, whole.

    Args:
        path: the file, by custom `*.safetensors`; missing folders are made.
        state: tensors, numbers, strings, None, and lists and dicts of them, as `state_dict()` gives them. Tensors that
            share memory are stored once each.

    Raises:
        CourseError: no space is left; what stood at `path` is still there.
        TypeError: the state holds something else; the message says where.
    """
    tensors: dict[str, Tensor] = {}
    skeleton = _take_apart(state, "", tensors)
    content = to_bytes(tensors, metadata={"state": json.dumps(skeleton)})
    try:
        write_atomically(Path(path), content)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise CourseError(
            f"No space left for {Path(path).name} ({len(content) / 1e6:.1f} MB); the one before it is untouched. "
            "Free some space, or give another folder."
        ) from error


def load_checkpoint(path: Path) -> dict[str, Any]:
    """Load what `save_checkpoint` saved; tensors come back on the CPU.

    Raises:
        CourseError: there is no such file, or it is not a checkpoint of this course, or it is damaged.
    """
    path = Path(path)
    if not path.exists():
        raise CourseError(f"There is no checkpoint at {path}. Train without resume=True first, or give the right path.")
    try:
        with safe_open(path, "pt") as stream:
            skeleton = json.loads((stream.metadata() or {})["state"])
            tensors = {name: stream.get_tensor(name) for name in stream.keys()}  # noqa: SIM118  not a dict
    except (SafetensorError, KeyError, ValueError, OSError) as error:
        raise CourseError(f"{path} is not a readable checkpoint ({error}). Delete it and train again.") from None
    return _put_together(skeleton, tensors)


def _take_apart(value: Any, path: str, tensors: dict[str, Tensor]) -> Any:
    """Move the tensors of a nested state into `tensors`; what is left is plain JSON. Dict keys may be numbers."""
    if isinstance(value, Tensor):
        tensors[path] = value.detach().to("cpu", copy=True).contiguous()
        return {"tensor": path}
    if isinstance(value, dict):
        return {"dict": [[key, _take_apart(item, f"{path}/{key}", tensors)] for key, item in value.items()]}
    if isinstance(value, list | tuple):
        return {"list": [_take_apart(item, f"{path}/{number}", tensors) for number, item in enumerate(value)]}
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise TypeError(f"A checkpoint can't hold a {type(value).__name__} (at {path}); use tensors, numbers or strings.")


def _put_together(value: Any, tensors: dict[str, Tensor]) -> Any:
    if not isinstance(value, dict):
        return value
    ((kind, content),) = value.items()
    if kind == "tensor":
        return tensors[content]
    if kind == "list":
        return [_put_together(item, tensors) for item in content]
    return {key: _put_together(item, tensors) for key, item in content}


def random_state() -> dict[str, Any]:
    """The state of all global random generators, ready for a checkpoint."""
    version, words, gauss = random.getstate()
    _, keys, position, has_gauss, cached = np.random.get_state()
    return {
        "python": [version, list(words), gauss],
        "numpy": [keys.tolist(), position, has_gauss, cached],
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
    }


def restore_random_state(state: dict[str, Any]) -> None:
    """Put the global random generators back to where `random_state` found them."""
    version, words, gauss = state["python"]
    random.setstate((version, tuple(words), gauss))
    keys, position, has_gauss, cached = state["numpy"]
    np.random.set_state(("MT19937", np.array(keys, dtype=np.uint32), position, has_gauss, cached))
    torch.set_rng_state(state["torch"])
    if state["cuda"] and torch.cuda.is_available():
        torch.cuda.set_rng_state_all(state["cuda"])
