"""What this machine computes on, and how much of a lesson it can carry."""

import os
import platform
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import psutil
import torch
from torch import Tensor, nn
from torch.optim import Optimizer

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


class Engine:
    """What a training step needs from the machine: one device, float32, and nothing in the way of the step."""

    def __init__(self, *, parts: int = 1):
        self.device, self.parts = best_device(), parts
        self.rank, self.num_ranks = 0, 1

    def parts_of(self, batch: Any) -> Iterator[tuple[Any, float]]:
        """A batch in `parts` parts, each with its share of the whole, so that their gradients add up to the batch's."""
        if self.parts == 1:
            yield batch, 1.0
            return
        tensors = [tensor.chunk(self.parts) for tensor in batch]
        for part in zip(*tensors, strict=True):
            yield part, len(part[0]) / len(batch[0])

    def prepare(self, model: nn.Module, optimizer: Optimizer) -> tuple[nn.Module, Optimizer]:
        """Put the model on the device; returns what the training loop is to use instead of the two."""
        return model.to(self.device), optimizer

    def mean(self, losses: Tensor) -> Tensor:
        """The mean of the losses of one batch, over all processes, such that gradients are those of one big batch."""
        return losses.mean()

    def backward(self, loss: Tensor, *, share: float = 1.0) -> None:
        """Backpropagate the loss of a batch, or of a part that has this share of its batch."""
        (loss if share == 1.0 else loss * share).backward()

    def clip_grad_norm_(self, parameters: Iterable[Tensor], max_norm: float) -> None:
        """Scale the gradients down together, if their norm exceeds `max_norm`."""
        nn.utils.clip_grad_norm_(parameters, max_norm)

    def total(self, number: Tensor) -> Tensor:
        """The sum of a tensor over all processes."""
        return number

    def unwrap(self, model: nn.Module) -> nn.Module:
        """The model itself, below whatever `prepare` put around it."""
        return model

    def wait(self) -> None:
        """Wait until all processes are here."""

    def finish(self) -> None:
        """Say goodbye to the other processes."""


class AcceleratedEngine(Engine):
    """The same through Accelerate: mixed precision, and many processes under `torchrun`.

    Args:
        precision: "fp32", "bf16" or "fp16".
    """

    def __init__(self, precision: str, *, parts: int = 1):
        from accelerate import Accelerator
        from accelerate.state import AcceleratorState

        AcceleratorState._reset_state()  # precision is fixed once per process, but a notebook may change its mind
        mixed = "no" if precision == "fp32" else precision
        self.accelerator = Accelerator(mixed_precision=mixed, cpu=best_device().type == "cpu")
        self.device, self.parts = self.accelerator.device, parts
        self.rank, self.num_ranks = self.accelerator.process_index, self.accelerator.num_processes
        self.prepared: tuple[nn.Module, Optimizer] | None = None

    def prepare(self, model: nn.Module, optimizer: Optimizer) -> tuple[nn.Module, Optimizer]:
        self.prepared = self.accelerator.prepare(model, optimizer)
        return self.prepared

    def mean(self, losses: Tensor) -> Tensor:
        if self.num_ranks == 1:
            return losses.mean()
        count = self.total(torch.tensor(len(losses), device=self.device))
        return losses.sum() * self.num_ranks / count  # gradients are averaged over the processes afterwards

    def backward(self, loss: Tensor, *, share: float = 1.0) -> None:
        self.accelerator.backward(loss * share)

    def clip_grad_norm_(self, parameters: Iterable[Tensor], max_norm: float) -> None:
        self.accelerator.clip_grad_norm_(parameters, max_norm)

    def total(self, number: Tensor) -> Tensor:
        return self.accelerator.reduce(number, reduction="sum")

    def unwrap(self, model: nn.Module) -> nn.Module:
        return self.accelerator.unwrap_model(model)  # it goes on in its precision: that wrapper stays until `finish`

    def wait(self) -> None:
        self.accelerator.wait_for_everyone()

    def finish(self) -> None:
        if self.prepared:
            self.accelerator.unwrap_model(self.prepared[0], keep_fp32_wrapper=False)
        self.accelerator.end_training()


def engine(precision: str = "fp32", *, parts: int = 1) -> Engine:
    """The engine for this machine: plain in one process and float32, through Accelerate otherwise.

    Args:
        precision: "fp32", or "bf16" (CPU and recent GPUs) or "fp16" (GPUs only) for mixed precision.
        parts: in how many parts a batch is taken; see `Engine.parts_of`.

    Raises:
        ValueError: no such precision, or one that this device lacks.
    """
    if precision not in ("fp32", "bf16", "fp16"):
        raise ValueError(f"precision is '{precision}', but must be 'fp32', 'bf16' or 'fp16'.")
    if precision == "fp16" and best_device().type == "cpu":
        raise ValueError("fp16 needs a GPU; on this CPU take precision='bf16' or 'fp32'.")
    alone = int(os.environ.get("WORLD_SIZE", 1)) == 1
    return Engine(parts=parts) if alone and precision == "fp32" else AcceleratedEngine(precision, parts=parts)


def fast_precision() -> str:
    """What training is fastest in here at the same accuracy: "bf16" where the device has units for it, else "fp32".

    On a CPU these are AMX's matrix units. With vector instructions alone bf16 gains nothing, and where it is imitated
    an LSTM takes ten times as long.
    """
    if best_device().type == "cuda":
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp32"
    has_units = best_device().type == "cpu" and torch.cpu._is_amx_tile_supported()  # no public function says it
    return "bf16" if has_units else "fp32"


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
