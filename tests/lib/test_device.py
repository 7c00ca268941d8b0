"""What the machine is, told without telling whose it is."""

import json
import os
import platform
import socket

import psutil
import pytest
import torch

from benchmarks.report import report
from course_lib import device


@pytest.fixture
def has_gpu(monkeypatch):
    """Make torch believe in a CUDA GPU, or in none."""

    def pretend(there):
        monkeypatch.setattr(torch.cuda, "is_available", lambda: there)
        monkeypatch.setattr(torch.cuda, "get_device_name", lambda index: "NVIDIA T4")
        monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)

    return pretend


def test_the_budget_follows_the_machine(has_gpu):
    has_gpu(False)
    assert device.budget(cpu=2, gpu=30) == 2
    has_gpu(True)
    assert device.budget(cpu=2, gpu=30) == 30


def test_apples_gpu_is_used_but_has_a_laptops_budget(has_gpu, monkeypatch):
    has_gpu(False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    assert device.best_device() == torch.device("mps")
    assert device.budget(cpu="digits", gpu="cifar10") == "digits"


def test_one_line_says_device_threads_and_versions(has_gpu):
    has_gpu(False)
    line = device.describe_device()
    assert line.startswith("CPU ") and "\n" not in line
    assert f"torch {torch.__version__}" in line and f"Python {platform.python_version()}" in line
    threads = torch.get_num_threads()
    assert f"{threads} thread" in line


def test_a_gpu_is_named(has_gpu):
    has_gpu(True)
    assert device.describe_device().startswith("GPU NVIDIA T4, ")
    assert device.machine()["gpu"] == "NVIDIA T4"


def test_the_machine_has_a_processor_cores_and_memory(has_gpu):
    has_gpu(False)
    facts = device.machine()
    assert facts["cpu"] and facts["gpu"] is None
    assert 1 <= facts["cores"] <= os.cpu_count()
    assert facts["memory_gb"] == round(psutil.virtual_memory().total / 1e9, 1)


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system can't limit a process to some cores")
def test_a_limit_on_the_cores_is_seen():
    before = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {min(before)})
        assert device.usable_cores() == 1
    finally:
        os.sched_setaffinity(0, before)


def test_a_benchmark_prints_and_writes_the_same_object(tmp_path, capsys):
    result = report("check_latency", {"first_ms": 120.5}, packages=("ipython", "no-such-package"), folder=tmp_path)
    assert json.loads((tmp_path / "check_latency.json").read_text()) == json.loads(capsys.readouterr().out) == result
    assert list(result) == ["name", "date", "machine", "versions", "figures"]
    assert result["versions"]["torch"] == torch.__version__ and result["versions"]["no-such-package"] is None
    assert list(result["machine"]) == ["cpu", "cores", "memory_gb", "gpu"]


def test_a_benchmark_does_not_tell_whose_machine_it_ran_on(tmp_path, monkeypatch):
    monkeypatch.setattr(socket, "gethostname", lambda: "annas-laptop")
    monkeypatch.setattr(platform, "node", lambda: "annas-laptop")
    report("check_latency", {}, folder=tmp_path)
    assert "annas-laptop" not in (tmp_path / "check_latency.json").read_text()


def test_a_benchmark_without_a_number_is_an_error(tmp_path):
    with pytest.raises(ValueError):
        report("check_latency", {"first_ms": float("nan")}, folder=tmp_path)


@pytest.mark.parametrize(
    ("gpu", "can", "precision"),
    [(True, True, "bf16"), (True, False, "fp32"), (False, True, "bf16"), (False, False, "fp32")],
)
def test_the_fast_precision_is_bf16_only_where_the_machine_multiplies_it(has_gpu, monkeypatch, gpu, can, precision):
    has_gpu(gpu)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: including_emulation or can)
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: can)
    assert device.fast_precision() == precision
