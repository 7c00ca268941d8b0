"""Trains in children that are killed at random moments, and prints what came of it; run by test_resume.py.

A process that has imported torch but computed nothing yet may be forked: twenty children cost one import.
"""

import contextlib
import hashlib
import json
import os
import random
import signal
import sys
import time
from pathlib import Path

import torch
import torch._dynamo  # what the first step of an optimizer would import, in every child anew
import torch.nn.functional as F
from torch import nn

from course_lib.batches import Batches
from course_lib.checkpoints import load_checkpoint
from course_lib.metrics import correct
from course_lib.training import Recipe, fit, one_cycle

EPOCHS, NUM_EXAMPLES, BATCH_SIZE = 4, 330, 8  # 168 steps
MOST_STEPS = 14  # from one kill to the next


def add_noise(inputs, targets, *, generator):
    return inputs + 0.1 * torch.randn(inputs.shape, generator=generator), targets


on_its_way = os.pipe()


def losses_fn(model, batch):
    os.write(on_its_way[1], b".")
    time.sleep(0.002)  # so that there are many moments to be killed at
    return F.cross_entropy(model(batch[0]), batch[1], reduction="none")


def train(folder: Path, resume: bool) -> None:
    torch.set_num_threads(1)
    torch.manual_seed(1)
    model = nn.Sequential(nn.Linear(6, 12), nn.BatchNorm1d(12), nn.ReLU(), nn.Dropout(0.3), nn.Linear(12, 3))
    inputs = torch.randn(NUM_EXAMPLES, 6, generator=torch.Generator().manual_seed(0))
    targets = inputs[:, :3].argmax(dim=1)
    recipe = Recipe(
        lambda model: torch.optim.AdamW(model.parameters(), lr=1e-2), EPOCHS, one_cycle(),
        scores={"accuracy": lambda model, batch: correct(model(batch[0]), batch[1])}, monitor="accuracy",
        checkpoint_every=3,
    )  # fmt: skip
    batches = Batches(inputs, targets, batch_size=BATCH_SIZE, shuffle=True, augment=add_noise, seed=5)
    validation = Batches(inputs[:60], targets[:60], batch_size=60)
    path = folder / "run.safetensors"
    history = fit(model, batches, losses_fn, recipe=recipe, validation=validation, checkpoint=path, resume=resume)
    weights = b"".join(value.numpy().tobytes() for value in model.state_dict().values())
    found = {"weights": hashlib.sha256(weights).hexdigest(), "rows": history.rows, "best": history.best_epoch}
    (folder / "result.json").write_text(json.dumps(found))


def in_a_child(folder: Path, resume: bool, chance: random.Random | None = None) -> bool:
    """Train in a child; with `chance`, kill it after a few steps, somewhere within one. Whether it came to its end."""
    child = os.fork()
    if child == 0:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # the progress bar
        train(folder, resume)
        os.write(on_its_way[1], b"." * MOST_STEPS)
        os._exit(0)
    if chance is not None:
        for _ in range(chance.randint(1, MOST_STEPS)):
            os.read(on_its_way[0], 1)
        time.sleep(chance.uniform(0, 0.005))
        os.kill(child, signal.SIGKILL)
    finished = os.waitpid(child, 0)[1] == 0
    os.set_blocking(on_its_way[0], False)
    with contextlib.suppress(BlockingIOError):
        os.read(on_its_way[0], 65536)
    os.set_blocking(on_its_way[0], True)
    return finished


def main(folder: Path, kills: int) -> None:
    for name in ("whole", "killed"):
        (folder / name).mkdir()
    assert in_a_child(folder / "whole", False)
    chance, places, path = random.Random(), [], folder / "killed" / "run.safetensors"
    while len(places) < kills:
        finished = in_a_child(folder / "killed", path.exists(), chance)
        if finished:
            break
        places.append(place_of(path) if path.exists() else None)
    assert in_a_child(folder / "killed", path.exists())
    results = [json.loads((folder / name / "result.json").read_text()) for name in ("whole", "killed")]
    print(json.dumps({"places": places, "whole": results[0], "killed": results[1]}))


def place_of(path: Path) -> list[int]:
    """Epoch and step of a checkpoint, read in a child, since reading it computes."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        state = load_checkpoint(path)
        os.write(writer, json.dumps([state["epoch"], state["step"]]).encode())
        os._exit(0)
    os.waitpid(child, 0)
    os.close(writer)
    with os.fdopen(reader) as stream:
        return json.loads(stream.read())


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
