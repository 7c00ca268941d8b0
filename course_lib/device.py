"""What this machine computes on, and how much of a lesson it can carry."""

import os
import platform
import subprocess
from pathlib import Path
from typing import TypeVar

import psutil
import torch

Value = TypeVar("Value")


def best_device() -> torch.device:
    """The fastest device that this machine has: a CUDA GPU, Apple's GPU, or the CPU."""
    if torch.cuda.is_available():
        return torch.device("cuda")
    if torch.backends.mps.is_available():
        return torch.device("mps")
    return torch.device("cpu")


def describe_device() -> str:
    """One line that says what a run was made on: device, threads, versions."""
    facts = machine()
    cores, threads = _count(facts["cores"], "core"), _count(torch.get_num_threads(), "thread")
    device = {
        "cuda": f"GPU {facts['gpu']}",
        "mps": f"Apple GPU of {facts['cpu']}",
        "cpu": f"CPU {facts['cpu']}",
    }[best_device().type]
    return f"{device}, {cores}, {threads}, torch {torch.__version__}, Python {platform.python_version()}"


def budget(*, cpu: Value, gpu: Value) -> Value:
    """Choose how much to do: small where a lesson runs on a laptop, large where there is a CUDA GPU.

    Args:
        cpu: the value for a machine without a CUDA GPU (a number of epochs, a width, the name of a data set).
        gpu: the value for a machine with one.

    Returns:
        One of the two, as it came.
    """
    return gpu if best_device().type == "cuda" else cpu


def machine() -> dict[str, str | int | float | None]:
    """What the machine is, and nothing that tells whose: processor, usable cores, memory in GB, GPU or None."""
    return {
        "cpu": _cpu_model(),
        "cores": usable_cores(),
        "memory_gb": round(psutil.virtual_memory().total / 1e9, 1),
        "gpu": torch.cuda.get_device_name(0) if torch.cuda.is_available() else None,
    }


def usable_cores() -> int:
    """How many cores this process may use, which is fewer than the machine has where somebody set a limit."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _cpu_model() -> str:
    """The processor's name as its maker writes it; the architecture where no name can be had."""
    try:
        if platform.system() == "Darwin":
            return subprocess.check_output(["sysctl", "-n", "machdep.cpu.brand_string"], text=True, timeout=5).strip()
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except (OSError, subprocess.SubprocessError):
        pass
    return platform.processor() or platform.machine()


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"
