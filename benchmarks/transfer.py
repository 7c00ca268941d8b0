"""What a trained network is worth, in labels: accuracy on ten new classes by labels per class and by method.

    python -m benchmarks.transfer

Shapes: a `SmallResNet` is pretrained on 6,000 pictures of ten shapes and moved to ten other shapes. Pictures: the same
from five classes of CIFAR-10 to the five others, where that data set has been fetched (as JPEG-like images under the
name "cifar10_images", or as "cifar10"). Each seed has its own pretraining, its own labeled pictures, its own order.
Learning rates and numbers of steps were chosen on validation pictures of the shapes, with other seeds than these, and
kept for CIFAR-10. All that train get the same number of steps: with few pictures more of them help little.
Figures are shares of test pictures: the mean over the seeds, the least and the most of them, and their spread, the
standard deviation.
"""

import copy
import statistics
import sys
import time

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.report import report
from course_lib.batches import Batches
from course_lib.datasets import available, load
from course_lib.images import channel_statistics, normalize
from course_lib.metrics import correct
from course_lib.models import SmallResNet
from course_lib.training import Recipe, evaluate, fit, one_cycle
from course_lib.transfer import add_lora, parameter_groups, replace_head

BUDGETS, SEEDS = (5, 10, 20, 50, 100, 200), (10, 11, 12)
METHODS = ("scratch", "probe", "finetune", "discriminative", "gradual", "lora")
RATES = {"scratch": 1e-2, "finetune": 3e-3, "discriminative": 1e-2, "gradual": 1e-2, "lora": 1e-2}
FACTOR, RANK, PENALTY, BATCH_SIZE = 0.3, 4, 10.0, 32
STEPS = {0: 60, 500: 120, 1_000: 300}  # from so many pictures on
Pictures = tuple[Tensor, Tensor]


def train(model: nn.Module, pictures: Pictures, *, make_optimizer, steps: int, seed: int, batch_size: int = BATCH_SIZE):
    """Train for about so many steps, whatever the number of pictures."""
    batch_size = min(batch_size, len(pictures[1]))
    batches = Batches(*pictures, batch_size=batch_size, shuffle=True, seed=seed)
    recipe = Recipe(make_optimizer, max(1, round(steps / len(batches))), one_cycle())
    fit(model, batches, losses_fn, recipe=recipe)


def losses_fn(model: nn.Module, batch: Pictures) -> Tensor:
    return F.cross_entropy(model(batch[0]), batch[1], reduction="none")


def adamw(learning_rate: float):
    return lambda model: torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=learning_rate)


def accuracy(model: nn.Module, pictures: Pictures) -> float:
    scores = {"accuracy": lambda model, batch: correct(model(batch[0]), batch[1])}
    return evaluate(model, Batches(*pictures, batch_size=500), scores)["accuracy"]


def few(pictures: Pictures, num_labels: int, *, seed: int) -> Pictures:
    """So many pictures of each class, drawn at random."""
    order = torch.randperm(len(pictures[1]), generator=torch.Generator().manual_seed(seed))
    shuffled = pictures[1][order]
    rows = torch.cat([order[shuffled == label][:num_labels] for label in shuffled.unique()])
    return pictures[0][rows], pictures[1][rows]


def adapt(method: str, trained: nn.Module, pictures: Pictures, *, seed: int) -> nn.Module:
    """A network for the new classes, made by one of the methods."""
    torch.manual_seed(seed)
    num_classes = int(pictures[1].max()) + 1
    model = SmallResNet(num_classes=num_classes) if method == "scratch" else copy.deepcopy(trained)
    replace_head(model, num_classes)
    if method == "probe":
        return probe(model, pictures)
    if method == "lora":
        add_lora(model, rank=RANK)
    make_optimizer = adamw(RATES[method])
    steps = next(count for least, count in reversed(STEPS.items()) if len(pictures[1]) >= least)
    if method == "gradual":  # half of the steps for the head alone
        steps //= 2
        model.requires_grad_(False).head.requires_grad_(True)
        train(model, pictures, make_optimizer=make_optimizer, steps=steps, seed=seed)
        model.requires_grad_(True)
    if method in ("discriminative", "gradual"):
        make_optimizer = by_depth(RATES[method])
    train(model, pictures, make_optimizer=make_optimizer, steps=steps, seed=seed)
    return model


def by_depth(learning_rate: float):
    def make_optimizer(model):
        parts = [model.stem, *model.blocks, model.head]
        return torch.optim.AdamW(parameter_groups(parts, learning_rate=learning_rate, factor=FACTOR))

    return make_optimizer


@torch.no_grad()
def probe(model: nn.Module, pictures: Pictures) -> nn.Module:
    """A linear layer on the features as they are, by ridge regression onto the classes."""
    model.eval()
    features = model.features(pictures[0]).double()
    targets = F.one_hot(pictures[1]).double()
    centered = features - features.mean(dim=0)
    gram = centered.T @ centered + PENALTY * torch.eye(centered.shape[1], dtype=torch.float64)
    weight = torch.linalg.solve(gram, centered.T @ (targets - targets.mean(dim=0)))
    model.head.weight.copy_(weight.T)
    model.head.bias.copy_(targets.mean(dim=0) - features.mean(dim=0) @ weight)
    return model


def shapes() -> tuple[Pictures, Pictures, Pictures]:
    """The pictures to pretrain on, those from which the few are taken, and the exam."""
    old, new = (load(name).splits for name in ("shapes", "other_shapes"))
    mean, std = channel_statistics(old["train"].images[:6_000])
    parts = [(old["train"], 6_000), (new["train"], 12_000), (new["test"], 2_000)]
    return tuple((normalize(part.images[:count], mean=mean, std=std), part.labels[:count]) for part, count in parts)


def cifar10() -> tuple[Pictures, Pictures, Pictures] | None:
    """The same from CIFAR-10: classes 0 to 4 to pretrain on, 5 to 9 to move to, drawn from all of their images."""
    names = [name for name in ("cifar10", "cifar10_images") if available(name)]
    if not names:
        return None
    splits = load(names[0]).splits
    first, chance = splits["train"].labels < 5, torch.Generator().manual_seed(0)
    mean, std = channel_statistics(splits["train"].pixels[first].float() / 255)

    def part(split, rows, count):  # a folder of images lies class by class: the first ones would be all alike
        rows = rows.nonzero().flatten()
        rows = rows[torch.randperm(len(rows), generator=chance)[:count]]
        return normalize(split.pixels[rows].float() / 255, mean=mean, std=std), split.labels[rows] % 5

    last = splits["test"].labels >= 5
    return part(splits["train"], first, 15_000), part(splits["train"], ~first, 5_000), part(splits["test"], last, 2_000)


def measure(name: str, data: tuple[Pictures, Pictures, Pictures], *, epochs: int) -> dict[str, float]:
    """The curve of each method: for each budget the mean over the seeds, the least and the most."""
    to_pretrain, labeled, exam = data
    found: dict[str, list[float]] = {}
    for seed in SEEDS:
        torch.manual_seed(100 + seed)
        trained = SmallResNet(num_classes=int(to_pretrain[1].max()) + 1)
        steps = epochs * len(to_pretrain[1]) // 64
        train(trained, to_pretrain, make_optimizer=adamw(5e-3), steps=steps, seed=seed, batch_size=64)
        for num_labels in BUDGETS:
            pictures = few(labeled, num_labels, seed=seed)
            for method in METHODS:
                model = adapt(method, trained, pictures, seed=seed)
                found.setdefault(f"{method}_{num_labels}", []).append(accuracy(model, exam))
        print(name, "seed", seed, {key: round(values[-1], 3) for key, values in found.items()}, file=sys.stderr)
    summaries = {"": statistics.mean, "_min": min, "_max": max, "_spread": statistics.stdev}
    prefix = "" if name == "shapes" else f"{name}_"
    return {
        f"{prefix}{key}{ending}": round(summary(values), 4)
        for key, values in found.items()
        for ending, summary in summaries.items()
    }


def main() -> None:
    torch.set_num_threads(1)
    start = time.process_time()
    figures: dict[str, float | None] = measure("shapes", shapes(), epochs=4)
    pictures = cifar10()
    figures |= measure("cifar10", pictures, epochs=6) if pictures else {"cifar10_scratch_5": None}
    figures |= {"num_seeds": len(SEEDS), "cpu_seconds": round(time.process_time() - start)}
    report("transfer", figures)


if __name__ == "__main__":
    main()
