"""scripts/train_ddp.py: two processes, whole or sharded, train as one does, and go on where others stopped."""

import contextlib
import os
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
import torch

from course_lib.checkpoints import load_checkpoint

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = [str(ROOT / "scripts" / "train_ddp.py"), "--batch-size", "100"]  # the last batch has an odd number of digits
TORCHRUN = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
PATIENCE = 400  # seconds, for a process that hangs


class Training:
    """The script, alone or under torchrun; whatever is left of it ends with the `with` block."""

    def __init__(self, *options, processes):
        command = [sys.executable, *(TORCHRUN if processes == 2 else []), *SCRIPT, *map(str, options)]
        environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
        self.process = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=environment,
        )

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.kill()

    def kill(self):
        """All at once, as in a power cut; torchrun's workers are in sessions of their own."""
        family = [psutil.Process(self.process.pid)] if self.process.poll() is None else []
        family += [child for parent in family for child in parent.children(recursive=True)]
        for member in family:
            with contextlib.suppress(psutil.NoSuchProcess):
                member.kill()  # kills nobody else, should the number have been given away since
        self.process.wait()
        self.process.stdout.close()

    def output(self):
        said, _ = self.process.communicate(timeout=PATIENCE)
        assert self.process.returncode == 0, said
        return said


def weights_after(folder, *options, processes):
    file = folder / "run.safetensors"
    with Training("--epochs", 2, "--checkpoint", file, *options, processes=processes) as training:
        said = training.output()
    return load_checkpoint(file)["model"], said


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """What one process learns from the same global batches."""
    return weights_after(tmp_path_factory.mktemp("alone"), processes=1)


def distance(some, others):
    assert some.keys() == others.keys()
    return max((some[name] - others[name]).abs().max().item() for name in some)


@pytest.mark.slow
@pytest.mark.parametrize("options", [[], ["--shard"]], ids=["whole", "sharded"])
def test_two_processes_equal_one_with_the_same_global_batch(alone, tmp_path, options):
    expected, said_alone = alone
    found, said = weights_after(tmp_path, *options, processes=2)
    assert distance(found, expected) < 1e-5
    assert "2 process(es)" in said and "1 process(es)" in said_alone
    assert [line for line in said.splitlines() if line.startswith("epoch")] == said_alone.splitlines()[:2]


@pytest.mark.slow
def test_one_process_goes_on_where_two_sharded_ones_were_killed(alone, tmp_path):
    file = tmp_path / "run.safetensors"
    options = ["--epochs", 2, "--checkpoint", file]
    with Training(*options, "--shard", processes=2) as training:
        deadline = time.monotonic() + PATIENCE
        while not file.exists() and training.process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.05)
        training.kill()
    assert load_checkpoint(file)["epochs_done"] in (1, 2)
    with Training(*options, "--resume", processes=1) as training:
        training.output()
    assert distance(load_checkpoint(file)["model"], alone[0]) < 1e-5


@pytest.mark.slow
def test_a_checkpoint_of_another_run_is_refused(alone, tmp_path):
    from course_lib.checkpoints import save_checkpoint

    save_checkpoint(tmp_path / "other.safetensors", {"run": {"data": "shapes"}, "epochs_done": 1})
    with Training("--checkpoint", tmp_path / "other.safetensors", "--resume", processes=1) as training:
        said, _ = training.process.communicate(timeout=PATIENCE)
    assert training.process.returncode != 0 and "was written by another run" in said


def test_weights_that_differ_are_seen():
    assert distance({"w": torch.zeros(2)}, {"w": torch.tensor([0.0, 2e-5])}) > 1e-5
