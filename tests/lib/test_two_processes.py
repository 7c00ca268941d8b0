"""Two processes train as one does: the same gradients from the same global batch."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

WORKER = Path(__file__).with_name("two_processes_worker.py")


def run(command, folder):
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run([*command, WORKER, folder], capture_output=True, text=True, timeout=600, env=environment)
    assert done.returncode == 0, done.stderr
    return json.loads((folder / "result.json").read_text())


@pytest.mark.slow
def test_two_processes_equal_one_with_the_same_global_batch(tmp_path):
    (tmp_path / "one").mkdir(), (tmp_path / "two").mkdir()
    one = run([sys.executable], tmp_path / "one")
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    two = run(torchrun, tmp_path / "two")
    assert two["ranks"] == 2
    assert two["weights"] == pytest.approx(one["weights"], abs=1e-5)
    assert two["train_loss"] == pytest.approx(one["train_loss"], rel=1e-5)
    assert two["accuracy"] == pytest.approx(one["accuracy"])
