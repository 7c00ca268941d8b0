"""The loop that every lesson shares: `train_epoch`, `evaluate`, and `fit`, which repeats them and looks after the rest.

One idea carries images, sound and transfer: a function `(model, batch) -> (batch,)` that gives one number per example.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.optim import Optimizer

from course_lib.device import Engine
from course_lib.metrics import Mean
from course_lib.training.history import History
from course_lib.training.runs import PerExample, Recipe, Run


def train_epoch(
    model: nn.Module,
    batches: Iterable[Any],
    losses_fn: PerExample,
    *,
    optimizer: Optimizer,
    engine: Engine,
    max_norm: float | None = 1.0,
    mean_loss: Mean | None = None,
) -> float:
    """One pass over the data.

    Args:
        model: prepared by the engine.
        batches: whatever `losses_fn` understands, batch by batch.
        losses_fn: gives one loss per example, shape `(batch,)`.
        optimizer: prepared by the engine.
        engine: the machine.
        max_norm: clip the gradients' norm to this; None does not clip.
        mean_loss: where the losses are collected, for an epoch that goes on.

    Returns:
        The mean loss per example.
    """
    model.train()
    mean_loss = Mean() if mean_loss is None else mean_loss
    for batch in batches:
        for part, share in engine.parts_of(batch):  # the whole batch, unless memory is short
            losses = losses_fn(model, part)  # (batch,): one number per example
            engine.backward(engine.mean(losses), share=share)
            mean_loss.update(losses.detach())
        if max_norm is not None:
            engine.clip_grad_norm_(model.parameters(), max_norm)
        optimizer.step()
        optimizer.zero_grad()
    return mean_loss.compute(engine)  # sum and count meet across processes: exact on a short last batch


@torch.no_grad()
def evaluate(
    model: nn.Module, batches: Iterable[Any], scores: dict[str, PerExample], *, engine: Engine | None = None
) -> dict[str, float]:
    """The mean of each score over the data, with the model in evaluation mode and put back as it was.

    Args:
        model: any model; prepared by the engine if there is one.
        batches: the data.
        scores: by name, functions that give one number per example, shape `(batch,)`; a loss is one, too.
        engine: the machine; needed for more than one process.
    """
    was_training = model.training
    model.eval()
    means = {name: Mean() for name in scores}
    for batch in batches:
        for name, score in scores.items():
            means[name].update(score(model, batch))
    model.train(was_training)
    return {name: mean.compute(engine) for name, mean in means.items()}


def fit(
    model: nn.Module,
    train: Any,
    losses_fn: PerExample,
    *,
    recipe: Recipe,
    validation: Any = None,
    checkpoint: Path | str | None = None,
    resume: bool = False,
) -> History:
    """Train a model: `recipe.epochs` times `train_epoch` and `evaluate`, and in the end the best weights.

    Args:
        model: any module; it is moved to the device and trained in place.
        train: `Batches` or `LoadedBatches`.
        losses_fn: gives one loss per example, shape `(batch,)`.
        recipe: how to train.
        validation: batches that decide which epoch is best; without them the last one is.
        checkpoint: the file that keeps the state, at least after each epoch.
        resume: go on from the checkpoint, from the very step, as if nothing had happened (bit for bit on a CPU).

    Returns:
        The history, one row per epoch.

    Raises:
        TrainingDiverged: the loss became NaN or infinite.
        OutOfMemory: the batch does not fit; the message says which one would.
        KeyboardInterrupt: "stop" was pressed; the step was finished and the checkpoint written first.
        CourseError: there is nothing to resume from.
    """
    scores = {"loss": losses_fn, **recipe.scores}
    with Run(model, train, losses_fn, recipe=recipe, checkpoint=checkpoint, resume=resume) as run:
        while not run.finished:
            loss = train_epoch(
                run.model,
                run.rest_of_epoch(),
                losses_fn,
                optimizer=run.optimizer,
                engine=run.engine,
                max_norm=recipe.max_norm,
                mean_loss=run.mean_loss,
            )
            measured = evaluate(run.model, run.share_of(validation), scores, engine=run.engine) if validation else {}
            run.end_epoch(loss, measured)
    return run.history
