"""What `fit` looks after between the steps: schedule, progress, checkpoints, interrupts, and losses that explode."""

import math
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

from torch import Tensor, nn
from torch.optim import Optimizer
from tqdm import tqdm

from course_lib.checkpoints import load_checkpoint, random_state, restore_random_state, save_checkpoint
from course_lib.device import engine
from course_lib.errors import CourseError
from course_lib.metrics import Mean
from course_lib.training.history import History
from course_lib.training.interrupts import stop_after_step
from course_lib.training.mishaps import is_out_of_memory, largest_that_fits, likely_causes, tensors_in

PerExample = Callable[[nn.Module, Any], Tensor]
ASK_GPU_EVERY = 50  # steps; to ask a GPU for a loss is to wait for it


class TrainingDiverged(CourseError):
    """The loss became NaN or infinite."""


class OutOfMemory(CourseError):
    """A batch does not fit into memory."""


@dataclass(frozen=True)
class Recipe:
    """How to train: everything but the model and the data.

    Attributes:
        optimizer: makes the optimizer for a model, such as `lambda model: AdamW(model.parameters(), lr=1e-3)`.
        epochs: passes over the training data.
        schedule: factor on the learning rate by progress, from 0 at the first step to 1 at the end.
        scores: what validation measures besides the loss, by name: functions `(model, batch) -> (batch,)`.
        monitor: the score that decides which weights are best; smaller is better if its name ends in "loss".
        patience: stop after so many epochs without a better one; None never stops early.
        max_norm: clip the gradients' norm to this; None does not clip.
        parts: take each batch in so many parts, one after another, to save memory; the gradients add up to the same.
        precision: "fp32", "bf16" or "fp16".
        checkpoint_every: steps between checkpoints, besides the one after each epoch.
        live: redraw the learning curve after each epoch.
    """

    optimizer: Callable[[nn.Module], Optimizer]
    epochs: int
    schedule: Callable[[float], float] = lambda progress: 1.0
    scores: dict[str, PerExample] = field(default_factory=dict)
    monitor: str = "loss"
    patience: int | None = None
    max_norm: float | None = 1.0
    parts: int = 1
    precision: str = "fp32"
    checkpoint_every: int | None = None
    live: bool = False


class Run:
    """One training run: where it stands, and how to get back there. Use it in a `with` statement."""

    def __init__(
        self,
        model: nn.Module,
        train: Any,
        losses_fn: PerExample,
        *,
        recipe: Recipe,
        checkpoint: Path | str | None,
        resume: bool,
    ):
        self.recipe, self.train, self.losses_fn = recipe, train, losses_fn
        self.checkpoint = Path(checkpoint) if checkpoint else None
        self.engine = engine(recipe.precision, parts=recipe.parts)
        model.to(self.engine.device)
        self.model, self.optimizer = self.engine.prepare(model, recipe.optimizer(model))
        self.rates = [group["lr"] for group in self.optimizer.param_groups]
        self.epoch, self.step, self.mean_loss = 0, 0, Mean()  # step counts within the epoch
        self.history, self.best_weights = History(), None
        self.saved = "none was written yet"
        if resume:
            self._restore()

    def __enter__(self) -> "Run":
        total = self.recipe.epochs * len(self.train)
        # tqdm obeys this variable of its own only where `disable` is not given
        hidden = self.engine.rank > 0 or bool(os.environ.get("TQDM_DISABLE"))
        # JupyterLab paints standard error pink, as if something were wrong; a terminal's output may go to a file
        where = sys.stdout if "ipykernel" in sys.modules else sys.stderr
        self.bar = tqdm(
            total=total, initial=self.steps_done, leave=False, disable=hidden, unit="step", ncols=90, file=where
        )
        self.interrupt = stop_after_step()
        self.interrupt.__enter__()
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.interrupt.__exit__(kind, error, trace)
        self.bar.close()
        if isinstance(error, CourseError | KeyboardInterrupt) or error is None:
            self._use_best_weights()
        elif is_out_of_memory(error):
            raise OutOfMemory(self._what_would_fit()) from error
        elif self.checkpoint:
            error.add_note(f"Last checkpoint: {self.saved}; fit(..., resume=True) goes on from there.")
        self.engine.finish()

    @property
    def steps_done(self) -> int:
        return self.epoch * len(self.train) + self.step

    @property
    def finished(self) -> bool:
        return self.epoch >= self.recipe.epochs or self.history.stopped_early

    def rest_of_epoch(self) -> Iterator[Any]:
        """The batches that this epoch still has; what follows a step happens here, when the next batch is asked for."""
        total = self.recipe.epochs * len(self.train)
        for batch in self.train.epoch(
            self.epoch, start=self.step, rank=self.engine.rank, num_ranks=self.engine.num_ranks
        ):
            factor = self.recipe.schedule(self.steps_done / total)
            for group, rate in zip(self.optimizer.param_groups, self.rates, strict=True):
                group["lr"] = rate * factor
            yield batch
            self.step += 1
            self._after_step()

    def _why_diverged(self, exact: bool) -> str:
        where = f"at step {self.step}" if exact else f"within the {ASK_GPU_EVERY} steps up to step {self.step}"
        batch = next(self.train.epoch(self.epoch, start=self.step - 1))
        rate = self.optimizer.param_groups[0]["lr"]
        causes = likely_causes(batch, rate=rate, max_norm=self.recipe.max_norm, precision=self.recipe.precision)
        listed = "; ".join(f"({number}) {cause}" for number, cause in enumerate(causes, 1))
        return (
            f"The loss is no longer a number, {where} of epoch {self.epoch + 1}. Likely causes: {listed}. "
            f"Last good checkpoint: {self.saved}."
        )

    def _what_would_fit(self) -> str:
        self.optimizer.zero_grad()
        batch = next(self.train.epoch(self.epoch, start=min(self.step, len(self.train) - 1)))
        asked, fits = len(next(tensors_in(batch))), largest_that_fits(self.model, batch, self.losses_fn)
        if fits == 0:
            return f"Out of memory with {asked} examples, and even one does not fit: use a smaller model or input."
        return (
            f"Out of memory with {asked} examples; {fits} fit. Use batch_size={fits}, or keep the batch and take it in "
            f"Recipe(parts={-(-asked // fits)})."
        )

    def share_of(self, batches: Any) -> Iterator[Any]:
        """This process' share of the validation data."""
        return batches.epoch(0, rank=self.engine.rank, num_ranks=self.engine.num_ranks)

    def _after_step(self) -> None:
        on_cpu = self.engine.device.type == "cpu"
        if on_cpu or self.step % ASK_GPU_EVERY == 0 or self.step == len(self.train):
            total = float(self.mean_loss.total)
            if not math.isfinite(total):
                raise TrainingDiverged(self._why_diverged(on_cpu))
            if not self.bar.disable:
                self.bar.set_postfix_str(f"loss {total / self.mean_loss.count:.4f}", refresh=False)
        self.bar.update()
        if self.interrupt.requested:
            self.save()
            raise KeyboardInterrupt(
                f"Stopped after step {self.step} of epoch {self.epoch + 1}. Checkpoint: {self.saved}."
            )
        if self.recipe.checkpoint_every and self.step % self.recipe.checkpoint_every == 0:
            self.save()

    def end_epoch(self, loss: float, measured: dict[str, float]) -> None:
        """Note the epoch's scores, keep the best weights, save."""
        self.epoch, self.step, self.mean_loss = self.epoch + 1, 0, Mean()
        scores = {("validation_loss" if name == "loss" else name): value for name, value in measured.items()}
        self.history.rows.append({"epoch": self.epoch, "train_loss": loss, **scores})
        if measured and self._is_best(measured[self.recipe.monitor]):
            self.history.best_epoch = self.epoch
            self.best_weights = {name: value.detach().clone() for name, value in self._weights().items()}
        waited = self.epoch - (self.history.best_epoch or self.epoch)
        self.history.stopped_early = self.recipe.patience is not None and waited >= self.recipe.patience
        if self.recipe.live:
            self.history.redraw()
        self.save()
        if self.interrupt.requested:
            raise KeyboardInterrupt(f"Stopped after epoch {self.epoch}. Checkpoint: {self.saved}.")

    def _is_best(self, score: float) -> bool:
        name = "validation_loss" if self.recipe.monitor == "loss" else self.recipe.monitor
        earlier = [row[name] for row in self.history.rows[:-1]]
        if math.isnan(score) or not earlier:
            return not math.isnan(score)
        return score < min(earlier) if name.endswith("loss") else score > max(earlier)

    def save(self) -> None:
        """Write the checkpoint, if there is to be one. A full disk does not end the training: the old one stays."""
        if self.checkpoint is None or self.engine.rank > 0:
            return
        state = {
            "model": self._weights(),
            "optimizer": self.optimizer.state_dict(),
            "random": random_state(),
            "epoch": self.epoch,
            "step": self.step,
            "best_weights": self.best_weights,
            "mean_loss": [float(self.mean_loss.total), self.mean_loss.count],
            "history": self.history.to_dict(),
            "rates": self.rates,
            "run": self._fingerprint(),
        }
        try:
            save_checkpoint(self.checkpoint, state)
            self.saved = f"{self.checkpoint} (epoch {self.epoch + 1}, step {self.step})"
        except CourseError as error:
            self.bar.write(f"{error} Training goes on.")

    def _restore(self) -> None:
        if self.checkpoint is None:
            raise CourseError("fit(resume=True) needs checkpoint=PATH, the file to go on from.")
        state = load_checkpoint(self.checkpoint)
        if state["run"] != self._fingerprint():
            raise CourseError(
                f"{self.checkpoint} was written by another run: {state['run']}, but this one is {self._fingerprint()}. "
                "Use the same data, batch size, seed and model, or another checkpoint file."
            )
        self.engine.unwrap(self.model).load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.epoch, self.step, self.rates = state["epoch"], state["step"], state["rates"]
        self.mean_loss, self.history = Mean(*state["mean_loss"]), History(**state["history"])
        self.best_weights, self.saved = state["best_weights"], f"{self.checkpoint} (the one resumed from)"
        restore_random_state(state["random"])

    def _fingerprint(self) -> dict[str, Any]:
        """What has to be alike for a run to go on where another one stopped."""
        weights = self._weights()
        return {
            "parameters": sum(value.numel() for value in weights.values()),
            "tensors": len(weights),
            "batches": len(self.train),
            "batch_size": self.train.batch_size,
            "seed": self.train.seed,
            "epochs": self.recipe.epochs,
        }

    def _weights(self) -> dict[str, Tensor]:
        return self.engine.unwrap(self.model).state_dict()

    def _use_best_weights(self) -> None:
        if self.best_weights is not None:
            self.engine.unwrap(self.model).load_state_dict(self.best_weights)
