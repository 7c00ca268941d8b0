"""Trains a small model and writes what came of it; run by test_two_processes.py, alone or under torchrun."""

import json
import os
import sys
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import nn

from course_lib.batches import Batches
from course_lib.metrics import correct
from course_lib.training import Recipe, fit

torch.manual_seed(1)
model = nn.Sequential(nn.Linear(6, 12), nn.Tanh(), nn.Linear(12, 3))
inputs = torch.randn(101, 6, generator=torch.Generator().manual_seed(0))  # the last batch has 5: it splits unevenly
targets = inputs[:, :3].argmax(dim=1)
recipe = Recipe(
    lambda model: torch.optim.SGD(model.parameters(), lr=0.2, momentum=0.9),
    epochs=3,
    scores={"accuracy": lambda model, batch: correct(model(batch[0]), batch[1])},
)
history = fit(
    model,
    Batches(inputs, targets, batch_size=16, shuffle=True),
    lambda model, batch: F.cross_entropy(model(batch[0]), batch[1], reduction="none"),
    recipe=recipe,
    validation=Batches(inputs, targets, batch_size=33),
)
if int(os.environ.get("RANK", 0)) == 0:
    found = {
        "ranks": int(os.environ.get("WORLD_SIZE", 1)),
        "weights": torch.cat([weight.flatten() for weight in model.parameters()]).tolist(),
        "train_loss": history["train_loss"],
        "accuracy": history["accuracy"],
    }
    (Path(sys.argv[1]) / "result.json").write_text(json.dumps(found))
