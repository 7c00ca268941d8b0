"""For a machine that has Python, torch and NumPy, but no network: small stand-ins for what the course imports besides.

`provide_missing()`, called before anything of the course is imported, stands in for what is missing of these alone:
tqdm (no progress bar is shown), psutil (how much memory there is) and safetensors (prepared data can be read, but not
written). What is installed is left alone.
"""

import json
import os
import sys
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import torch
from torch import Tensor

TYPES = {"U8": torch.uint8, "I64": torch.int64, "F32": torch.float32}


class SilentBar:
    """What `fit` asks of a progress bar."""

    disable = True

    def __init__(self, *unused: Any, **options: Any):
        self.total = options.get("total")

    def update(self, steps: int = 1) -> None:
        pass

    def write(self, text: str) -> None:
        print(text, file=sys.stderr)

    def close(self) -> None:
        pass


def read_tensors(path: Path) -> dict[str, Tensor]:
    """The tensors of a safetensors file: a length, a header in JSON, and the numbers one after the other.

    Args:
        path: a file of uint8, int64 and float32 tensors, as `course data` writes it.

    Source: https://github.com/huggingface/safetensors#format
    """
    content = bytearray(Path(path).read_bytes())
    start = 8 + int.from_bytes(content[:8], "little")
    header = json.loads(content[8:start])
    tensors = {}
    for name, about in header.items():
        if name != "__metadata__":
            first, last = (start + offset for offset in about["data_offsets"])
            tensors[name] = torch.frombuffer(content[first:last], dtype=TYPES[about["dtype"]]).reshape(about["shape"])
    return tensors


def write_nothing(*unused: Any, **options: Any) -> bytes:
    """In place of functions that write."""
    raise RuntimeError("safetensors is not installed here: this machine can read prepared data, but not write any")


def provide_missing() -> list[str]:
    """Stand in for what is not installed; returns the names of these packages."""
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 0
    contents: dict[str, dict[str, Any]] = {
        "tqdm": {"tqdm": SilentBar},
        "psutil": {"virtual_memory": lambda: SimpleNamespace(total=pages)},
        "safetensors": {"SafetensorError": ValueError, "safe_open": write_nothing},
    }
    missing = [name for name in contents if name not in sys.modules and find_spec(name) is None]
    for name in missing:
        sys.modules[name] = _module(name, contents[name])
    if "safetensors" in missing:
        functions = {"load_file": read_tensors, "save": write_nothing}
        sys.modules["safetensors.torch"] = _module("safetensors.torch", functions)
    return missing


def _module(name: str, contents: dict[str, Any]) -> ModuleType:
    module = ModuleType(name)
    module.__dict__.update(contents)
    return module
