"""What a training step costs around the model: `fit` beside a bare loop and beside other trainers.

    python -m benchmarks.trainer_overhead

Every contestant does the same work on the same tiny MLP: AdamW (fused), gradients clipped to norm 1, the mean loss over
all examples. Each peer takes turns with ours in a process that has imported no other peer (some of them slow down all
that runs after them), so that a machine that slows down slows both. Nobody shows a progress bar. A ratio is the median
over the turns. Trainers that are not installed are reported as null;
``python -m pip install skorch 'lightning>=2.6.6' fastai`` brings them.
"""

import functools
import json
import os
import statistics
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Iterator

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from benchmarks.report import report
from course_lib.batches import Batches
from course_lib.training import Recipe, fit

NUM_EXAMPLES, BATCH_SIZE, EPOCHS, ROUNDS = 16_384, 64, 2, 9
STEPS = EPOCHS * NUM_EXAMPLES // BATCH_SIZE
Contestant = Callable[[nn.Module, Tensor, Tensor], None]


def make_data() -> tuple[Tensor, Tensor]:
    inputs = torch.randn(NUM_EXAMPLES, 32, generator=torch.Generator().manual_seed(0))
    return inputs, inputs[:, :10].argmax(dim=1)


def make_model() -> nn.Module:
    torch.manual_seed(1)
    return nn.Sequential(nn.Linear(32, 64), nn.ReLU(), nn.Linear(64, 10))


def adamw(parameters: Iterator[Tensor], lr: float = 1e-3) -> torch.optim.Optimizer:
    return torch.optim.AdamW(parameters, lr=lr, fused=True)


def ours(model: nn.Module, inputs: Tensor, targets: Tensor) -> None:
    fit(
        model,
        Batches(inputs, targets, batch_size=BATCH_SIZE, shuffle=True),
        lambda model, batch: F.cross_entropy(model(batch[0]), batch[1], reduction="none"),
        recipe=Recipe(lambda model: adamw(model.parameters()), EPOCHS),
    )


def bare_tensors(model: nn.Module, inputs: Tensor, targets: Tensor) -> None:
    optimizer = adamw(model.parameters())
    for _ in range(EPOCHS):
        order, total = torch.randperm(len(inputs)), 0.0
        for start in range(0, len(inputs), BATCH_SIZE):
            chosen = order[start : start + BATCH_SIZE]
            total += bare_step(model, optimizer, inputs[chosen], targets[chosen])


def bare_dataloader(model: nn.Module, inputs: Tensor, targets: Tensor) -> None:
    optimizer = adamw(model.parameters())
    loader = DataLoader(TensorDataset(inputs, targets), batch_size=BATCH_SIZE, shuffle=True)
    for _ in range(EPOCHS):
        total = 0.0
        for batch in loader:
            total += bare_step(model, optimizer, *batch)


def bare_step(model: nn.Module, optimizer: torch.optim.Optimizer, inputs: Tensor, targets: Tensor) -> float:
    losses = F.cross_entropy(model(inputs), targets, reduction="none")
    losses.mean().backward()
    nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    optimizer.zero_grad()
    return losses.detach().sum(dtype=torch.float64).item()


def accelerate_alone(model: nn.Module, inputs: Tensor, targets: Tensor) -> None:
    from accelerate import Accelerator

    accelerator = Accelerator(cpu=True)
    loader = DataLoader(TensorDataset(inputs, targets), batch_size=BATCH_SIZE, shuffle=True)
    model, optimizer, loader = accelerator.prepare(model, adamw(model.parameters()), loader)
    for _ in range(EPOCHS):
        total = 0.0
        for batch in loader:
            losses = F.cross_entropy(model(batch[0]), batch[1], reduction="none")
            accelerator.backward(losses.mean())
            accelerator.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            optimizer.zero_grad()
            total += losses.detach().sum(dtype=torch.float64).item()


def skorch(model: nn.Module, inputs: Tensor, targets: Tensor) -> None:
    from skorch import NeuralNetClassifier
    from skorch.callbacks import GradientNormClipping

    NeuralNetClassifier(
        model, criterion=nn.CrossEntropyLoss, optimizer=adamw, max_epochs=EPOCHS, batch_size=BATCH_SIZE,
        iterator_train__shuffle=True, train_split=None, verbose=0, callbacks=[GradientNormClipping(1.0)],
    ).fit(inputs, targets)  # fmt: skip


def lightning_trainer(model: nn.Module, inputs: Tensor, targets: Tensor) -> None:
    import lightning

    class Module(lightning.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def training_step(self, batch: list[Tensor], number: int) -> Tensor:
            loss = F.cross_entropy(self.model(batch[0]), batch[1])
            self.log("loss", loss, on_step=False, on_epoch=True, batch_size=len(batch[0]))
            return loss

        def configure_optimizers(self) -> torch.optim.Optimizer:
            return adamw(self.parameters())

    trainer = lightning.Trainer(
        accelerator="cpu", devices=1, max_epochs=EPOCHS, gradient_clip_val=1.0, logger=False,
        enable_checkpointing=False, enable_progress_bar=False, enable_model_summary=False,
    )  # fmt: skip
    trainer.fit(Module(), DataLoader(TensorDataset(inputs, targets), batch_size=BATCH_SIZE, shuffle=True))


def fastai(model: nn.Module, inputs: Tensor, targets: Tensor) -> None:
    from fastai.callback.training import GradientClip
    from fastai.data.core import DataLoaders
    from fastai.data.load import DataLoader as FastLoader
    from fastai.learner import Learner
    from fastai.optimizer import OptimWrapper

    loader = FastLoader(TensorDataset(inputs, targets), bs=BATCH_SIZE, shuffle=True, num_workers=0, device="cpu")
    learner = Learner(
        DataLoaders(loader, FastLoader(TensorDataset(inputs[:1], targets[:1]), bs=1, num_workers=0, device="cpu")),
        model, loss_func=nn.CrossEntropyLoss(), opt_func=functools.partial(OptimWrapper, opt=adamw),
        cbs=GradientClip(1.0),
    )  # fmt: skip
    with learner.no_bar(), learner.no_logging():
        learner.fit(EPOCHS, lr=1e-3)


PEERS: dict[str, Contestant] = {
    "bare_tensors": bare_tensors,
    "bare_dataloader": bare_dataloader,
    "accelerate": accelerate_alone,
    "skorch": skorch,
    "lightning": lightning_trainer,
    "fastai": fastai,
}


def measure(contestant: Contestant, data: tuple[Tensor, Tensor]) -> tuple[float, float]:
    """Wall and CPU microseconds per step."""
    model = make_model()
    wall, cpu = time.perf_counter(), time.process_time()
    contestant(model, *data)
    return (time.perf_counter() - wall) / STEPS * 1e6, (time.process_time() - cpu) / STEPS * 1e6


def take_turns(peer: Contestant) -> dict[str, list[tuple[float, float]]] | None:
    """Ours and a peer, one after the other, in turns; None if the peer is not installed."""
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    data = make_data()
    try:
        measure(peer, data)  # a warm-up, and a look whether it is installed
    except ImportError:
        return None
    measure(ours, data)
    turns = [(measure(ours, data), measure(peer, data)) for _ in range(ROUNDS)]
    return {"ours": [mine for mine, _ in turns], "peer": [theirs for _, theirs in turns]}


def summary(name: str, times: dict[str, list[tuple[float, float]]]) -> dict[str, float]:
    """What the turns with one peer say: both medians, and the ratio of CPU times with its spread."""
    ratios = [mine[1] / theirs[1] for mine, theirs in zip(times["ours"], times["peer"], strict=True)]
    figures = {
        f"{name}_wall_us": statistics.median(wall for wall, _ in times["peer"]),
        f"{name}_cpu_us": statistics.median(cpu for _, cpu in times["peer"]),
        f"ours_beside_{name}_cpu_us": statistics.median(cpu for _, cpu in times["ours"]),
    }
    spread = {"": statistics.median(ratios), "_min": min(ratios), "_max": max(ratios)}
    return {key: round(value, 1) for key, value in figures.items()} | {
        f"ours_over_{name}{ending}": round(value, 3) for ending, value in spread.items()
    }


def main() -> None:
    figures: dict[str, float | None] = {}
    for name in PEERS:
        command = [sys.executable, "-m", "benchmarks.trainer_overhead", name]
        quiet = {**os.environ, "TQDM_DISABLE": "1"}
        said = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=quiet).stdout
        times = json.loads(said.splitlines()[-1])
        figures |= summary(name, times) if times else {f"ours_over_{name}": None}
    figures |= {"steps_per_run": STEPS, "rounds": ROUNDS}
    report("trainer_overhead", figures, packages=("accelerate", "skorch", "lightning", "fastai"))


if __name__ == "__main__":
    if len(sys.argv) > 1:
        print(json.dumps(take_turns(PEERS[sys.argv[1]])))
    else:
        main()
