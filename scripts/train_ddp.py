"""Train one network on several processes: one for each GPU, or two on a CPU to see that it works.

    torchrun --nproc-per-node 2 scripts/train_ddp.py                      two processes on this machine
    torchrun --nproc-per-node gpu scripts/train_ddp.py --data cifar10     one for each GPU of this machine
    python scripts/train_ddp.py                                           one process: the same weights, up to rounding

On several machines, the same command is typed on each of them; they find each other at the address of the first:

    torchrun --nnodes 2 --nproc-per-node gpu --rdzv-backend c10d --rdzv-id lesson --rdzv-endpoint FIRST:29500 \\
        scripts/train_ddp.py --data cifar10 --checkpoint /shared/run.safetensors --resume

Every process holds the whole data and takes its share of each batch, so `--batch-size` is that of all processes
together, and their number changes the speed but not the result. Each holds the whole network, too (DDP), or with
`--shard` only its part of each layer (FSDP), for networks that one GPU can't hold. The checkpoint is the same file
either way: what eight sharded processes wrote, one can read. With `--max-restarts 3` and `--resume`, torchrun goes on
after a crash by itself; docs/many_machines.md says more.

`course_lib.training.fit` runs under torchrun just so, through Accelerate. This script spells out what that does.
"""

import argparse
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import Tensor, nn
from torch.distributed.checkpoint.state_dict import StateDictOptions, get_state_dict, set_state_dict
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.nn.parallel import DistributedDataParallel
from torch.optim import Optimizer

from course_lib.batches import Batches
from course_lib.checkpoints import load_checkpoint, save_checkpoint
from course_lib.datasets import load
from course_lib.device import Engine
from course_lib.errors import CourseError
from course_lib.metrics import correct
from course_lib.models import SmallCNN, TextbookCNN
from course_lib.training import cosine, evaluate, train_epoch

# No batch norm: its statistics are those of a process' own share of the batch, so the number of processes would matter.
MODELS = {"digits": SmallCNN, "shapes": TextbookCNN, "cifar10": TextbookCNN}
WHOLE = StateDictOptions(full_state_dict=True, cpu_offload=True)


class ManyEngine(Engine):
    """What the shared loop needs where several processes train: they meet after each backward pass, and for sums.

    Args:
        shard: split each layer over the processes, instead of keeping all of it in each.
    """

    def __init__(self, *, shard: bool):
        super().__init__()
        self.shard = shard
        local_rank = int(os.environ["LOCAL_RANK"])
        if self.device.type == "cuda":
            if local_rank >= torch.cuda.device_count():
                raise CourseError(
                    f"Process {local_rank} found {torch.cuda.device_count()} GPUs: start one process for each GPU "
                    "(torchrun --nproc-per-node gpu ...)."
                )
            self.device = torch.device("cuda", local_rank)
            torch.cuda.set_device(self.device)
        else:
            self.device = torch.device("cpu")  # processes can't share Apple's GPU
        dist.init_process_group("nccl" if self.device.type == "cuda" else "gloo")
        self.rank, self.num_ranks = dist.get_rank(), dist.get_world_size()

    def wrap(self, model: nn.Module) -> nn.Module:
        """The model as the loop is to use it. Its optimizer must be made afterwards: sharding replaces parameters."""
        model = model.to(self.device)
        if not self.shard:
            return DistributedDataParallel(model)
        mesh = init_device_mesh(self.device.type, (self.num_ranks,))
        for layer in model.children():
            if any(True for _ in layer.parameters()):
                fully_shard(layer, mesh=mesh)  # gathered when its turn comes, and let go again
        return fully_shard(model, mesh=mesh)

    def mean(self, losses: Tensor) -> Tensor:
        # Gradients are averaged over the processes. Shares may differ by one example, so their means won't do.
        count = self.total(torch.tensor(len(losses), device=self.device))
        return losses.sum() * self.num_ranks / count

    def total(self, number: Tensor) -> Tensor:
        number = number.clone()
        dist.all_reduce(number)
        return number

    def wait(self) -> None:
        dist.barrier()

    def finish(self) -> None:
        dist.destroy_process_group()


def main() -> None:
    options = parse()
    many = int(os.environ.get("WORLD_SIZE", 1)) > 1
    engine = ManyEngine(shard=options.shard) if many else Engine()
    try:
        train(options, engine)
    finally:
        engine.finish()


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Train one network on several processes; see the top of this file.")
    parser.add_argument("--data", choices=MODELS, default="digits")
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--batch-size", type=int, default=64, help="examples in a batch, over all processes together")
    parser.add_argument("--learning-rate", type=float, default=0.05)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--shard", action="store_true", help="FSDP: each process holds a part of every layer")
    parser.add_argument("--checkpoint", type=Path, help="file for weights and optimizer, written after each epoch")
    parser.add_argument("--resume", action="store_true", help="go on from the checkpoint, if there is one")
    return parser.parse_args()


def train(options: argparse.Namespace, engine: Engine) -> None:
    """Train, say how it goes, and in the end what the test set says."""
    data = load(options.data)
    parts = {
        name: Batches(
            split.images.to(engine.device),
            split.labels.to(engine.device),
            batch_size=options.batch_size,
            shuffle=name == "train",
            seed=options.seed,
        )
        for name, split in data.splits.items()
    }
    torch.manual_seed(options.seed)  # every process begins with the same weights: sharding takes them as they are
    model: nn.Module = MODELS[options.data](num_classes=len(data.classes))
    model = engine.wrap(model) if isinstance(engine, ManyEngine) else model.to(engine.device)
    optimizer = torch.optim.SGD(model.parameters(), lr=options.learning_rate, momentum=0.9, nesterov=True)
    first = resume(options, model, optimizer) if options.resume else 0
    num_steps = len(parts["train"])
    total = options.epochs * num_steps
    rates = [options.learning_rate * cosine(step / total) for step in range(total)]
    for epoch in range(first, options.epochs):
        batches = on_schedule(
            share(parts["train"], engine, epoch),
            optimizer,
            rates=rates[epoch * num_steps : (epoch + 1) * num_steps],
        )
        loss = train_epoch(model, batches, losses_of, optimizer=optimizer, engine=engine)
        accuracy = score(model, parts["validation"], engine)
        say(engine, f"epoch {epoch + 1}: loss {loss:.4f}, validation accuracy {accuracy:.1%}")
        keep(options, model, optimizer, engine, epochs_done=epoch + 1)
    say(engine, f"test accuracy {score(model, parts['test'], engine):.1%}, with {engine.num_ranks} process(es)")
    engine.wait()  # whoever is ready first must not hang up on the others


def losses_of(model: nn.Module, batch: tuple[Tensor, ...]) -> Tensor:
    return F.cross_entropy(model(batch[0]), batch[1], reduction="none")


def score(model: nn.Module, batches: Batches, engine: Engine) -> float:
    scores = {"accuracy": lambda model, batch: correct(model(batch[0]), batch[1])}
    return evaluate(model, share(batches, engine), scores, engine=engine)["accuracy"]


def share(batches: Batches, engine: Engine, epoch: int = 0) -> Iterator[tuple[Tensor, ...]]:
    """This process' part of each batch of an epoch."""
    return batches.epoch(epoch, rank=engine.rank, num_ranks=engine.num_ranks)


def on_schedule(batches: Iterator[Any], optimizer: Optimizer, *, rates: list[float]) -> Iterator[Any]:
    """The batches, with the learning rate set before each of them."""
    for batch, rate in zip(batches, rates, strict=True):
        for group in optimizer.param_groups:
            group["lr"] = rate
        yield batch


def keep(
    options: argparse.Namespace, model: nn.Module, optimizer: Optimizer, engine: Engine, *, epochs_done: int
) -> None:
    """Write the checkpoint. All processes give their parts, the first one writes."""
    if options.checkpoint is None:
        return
    weights, moments = get_state_dict(model, optimizer, options=WHOLE)
    if engine.rank == 0:
        state = {"run": fingerprint(options), "epochs_done": epochs_done, "model": weights, "optimizer": moments}
        save_checkpoint(options.checkpoint, state)
    engine.wait()


def resume(options: argparse.Namespace, model: nn.Module, optimizer: Optimizer) -> int:
    """Take up the checkpoint, however many processes wrote it; returns how many epochs are done."""
    if options.checkpoint is None:
        raise CourseError("--resume needs --checkpoint FILE, the file to go on from.")
    if not options.checkpoint.exists():
        return 0
    state = load_checkpoint(options.checkpoint)
    if state["run"] != fingerprint(options):
        raise CourseError(
            f"{options.checkpoint} was written by another run: {state['run']}, but this one is {fingerprint(options)}. "
            "Give the same options, or another file."
        )
    set_state_dict(
        model, optimizer, model_state_dict=state["model"], optim_state_dict=state["optimizer"], options=WHOLE
    )
    return state["epochs_done"]


def fingerprint(options: argparse.Namespace) -> dict[str, Any]:
    """What must be the same for a run to go on; the number of processes may differ."""
    return {name: getattr(options, name) for name in ("data", "epochs", "batch_size", "learning_rate", "seed")}


def say(engine: Engine, text: str) -> None:
    if engine.rank == 0:
        print(text, flush=True)


if __name__ == "__main__":
    main()
