"""How `cifar_cpu` and `cifar_gpu` train: our net, our loop, a plan that is timed epoch by epoch."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Generator, Tensor, nn

from course_lib.batches import Batches
from course_lib.device import best_device
from course_lib.images import channel_statistics, cutout, normalize, random_crop
from course_lib.metrics import correct
from course_lib.models import FastResNet
from course_lib.training import Recipe, evaluate, fit, one_cycle

Splits = dict[str, tuple[Tensor, Tensor]]  # by name: uint8 pixels (n, 3, 32, 32) and labels (n,)
Times = tuple[float, float]


@dataclass(frozen=True)
class Plan:
    """What a run does. The learning rate's one cycle spans it, so a plan is as long as it is from the start.

    Attributes:
        widths: channels of the net's three stages.
        sizes: pixels to which the training images are scaled, epoch by epoch: small ones cost less.
        batch_size: examples per step.
        rate: the highest learning rate; biases learn 64 times as fast.
        decay: weight decay.
        hidden: the side of the square that `cutout` hides; 0 hides nothing.
        lookahead: whether the optimizer is `Lookahead`.
    """

    widths: tuple[int, int, int]
    sizes: tuple[int, ...]
    batch_size: int = 500
    rate: float = 0.7
    decay: float = 1e-3
    hidden: int = 0
    lookahead: bool = False


class Lookahead(torch.optim.SGD):
    """SGD that every five steps moves back to a mean of where it has been; the mean is ever slower to follow.

    Args:
        parameters: as SGD takes them, with its `options`.
        steps: of the whole training.

    Source: Zhang et al. 2019, arXiv:1907.08610; how slow the mean is at which step: Jordan 2024, arXiv:2404.00498
    """

    def __init__(self, parameters: list[dict[str, Any]], *, steps: int, **options: Any):
        super().__init__(parameters, **options)
        self.steps, self.done = steps, 0
        self.fast = [parameter for group in self.param_groups for parameter in group["params"]]
        self.slow = [parameter.detach().clone() for parameter in self.fast]

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:
        super().step(closure)
        self.done += 1
        if self.done % 5 == 0:
            kept = 0.95**5 * (self.done / self.steps) ** 3
            for slow, fast in zip(self.slow, self.fast, strict=True):
                fast.copy_(slow.lerp_(fast, 1 - kept))


def now() -> Times:
    """CPU seconds of this process with all its threads, and wall seconds; a GPU is waited for."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.process_time(), time.perf_counter()


class Stamped(Batches):
    """Batches that note when each of their epochs began, and which one it is."""

    def __init__(self, *tensors: Tensor, **options: Any):
        super().__init__(*tensors, **options)
        self.stamps: list[Times] = []

    def epoch(self, epoch: int, **where: int) -> Iterator[tuple[Tensor, ...]]:
        self.stamps.append(now())
        self.number = epoch
        return super().epoch(epoch, **where)


def training_batches(pixels: Tensor, labels: Tensor, prepare: Any, *, plan: Plan, seed: int) -> Stamped:
    """Batches in which an image is mirrored in every other epoch, shifted by up to two pixels, and scaled."""
    device = pixels.device
    first_mirrored = torch.rand(len(labels), generator=torch.Generator().manual_seed(seed)).to(device) < 0.5

    def augment(pixels: Tensor, labels: Tensor, mirrored: Tensor, *, generator: Generator) -> tuple[Tensor, ...]:
        images, size = prepare(pixels), plan.sizes[batches.number]
        mirrored = mirrored ^ bool(batches.number % 2)
        images = torch.where(mirrored.view(-1, 1, 1, 1), images.flip(-1), images)
        images = random_crop(images, padding=2, generator=generator)
        if plan.hidden:
            images = cutout(images, size=plan.hidden, generator=generator)
        if size != images.shape[-1]:
            images = F.interpolate(images, size=(size, size), mode="bilinear", antialias=True)
        return images.contiguous(memory_format=torch.channels_last), labels

    batches = Stamped(
        pixels, labels, first_mirrored, batch_size=plan.batch_size, shuffle=True, augment=augment, seed=seed
    )
    return batches


def prepared(pixels: Tensor, *, mean: Tensor, std: Tensor) -> Tensor:
    """Pixels as a net sees them: normalized, and with the channels of a pixel side by side in memory."""
    return normalize(pixels.float() / 255, mean=mean, std=std).contiguous(memory_format=torch.channels_last)


def smoothed_losses(model: nn.Module, batch: tuple[Tensor, ...], *, scale: float = 1.0) -> Tensor:
    return scale * F.cross_entropy(model(batch[0]).float(), batch[1], label_smoothing=0.2, reduction="none")


def plain_accuracy(model: nn.Module, batch: tuple[Tensor, ...]) -> Tensor:
    return correct(model(batch[0]).float(), batch[1])


def accuracy_with_flips(model: nn.Module, batch: tuple[Tensor, ...]) -> Tensor:
    """The accuracy of what the net says to an image and to its mirror image together; it costs twice as much."""
    return correct(model(batch[0]).float() + model(batch[0].flip(-1)).float(), batch[1])


def optimizer_of(model: nn.Module, *, plan: Plan, steps: int, scale: float = 1.0) -> torch.optim.Optimizer:
    """SGD with Nesterov's momentum. Biases stand without scales beside them and take a far higher rate.

    Where the losses are scaled (so that fp16 can hold their gradients), rate and decay undo it exactly.
    """
    rate, decay = plan.rate / scale, plan.decay * scale
    learned = [parameter for parameter in model.parameters() if parameter.requires_grad]
    biases = {"params": [each for each in learned if each.ndim == 1], "lr": 64 * rate, "weight_decay": decay / 64}
    weights = {"params": [each for each in learned if each.ndim > 1]}
    make = partial(Lookahead, steps=steps) if plan.lookahead else torch.optim.SGD
    return make([biases, weights], lr=rate, momentum=0.85, nesterov=True, weight_decay=decay)


def run(
    plan: Plan,
    splits: Splits,
    *,
    seed: int,
    precision: str = "fp32",
    scale: float = 1.0,
    make_model: Callable[..., nn.Module] = FastResNet,
) -> dict[str, Any]:
    """Train once, and look at the test images once, in the end.

    Args:
        plan: what to do.
        splits: "train", "validation" and "test".
        seed: of the weights, the order and the augmentation.
        precision: of `fit`: "fp32", "bf16" or "fp16".
        scale: a factor on the losses that changes nothing but what a narrow number type can hold.
        make_model: makes the net from some images and `widths=`.

    Returns:
        `rows`, one per epoch, with the training seconds so far (`cpu_s`, `wall_s`; what validation took is not in them)
        and the validation accuracy; `validation_cpu_s`; the test accuracies; `parameters`.
    """
    started = now()
    torch.manual_seed(seed)
    splits = {name: tuple(each.to(best_device()) for each in split) for name, split in splits.items()}
    pixels, labels = splits["train"]
    mean, std = channel_statistics(pixels[:10_000].float() / 255)
    prepare = partial(prepared, mean=mean, std=std)
    model = make_model(prepare(pixels[:5000]), widths=plan.widths).to(memory_format=torch.channels_last)
    train = training_batches(pixels, labels, prepare, plan=plan, seed=seed)
    held_out = {
        name: Stamped(
            *splits[name], batch_size=500, augment=lambda pixels, labels, generator: (prepare(pixels), labels)
        )
        for name in ("validation", "test")
    }
    recipe = Recipe(
        partial(optimizer_of, plan=plan, steps=len(plan.sizes) * len(train), scale=scale),
        len(plan.sizes),
        schedule=one_cycle(warmup=0.23, first=0.2, last=0.07),
        scores={"accuracy": plain_accuracy},
        monitor="accuracy",
        max_norm=None,
        precision=precision,
    )
    history = fit(model, train, partial(smoothed_losses, scale=scale), recipe=recipe, validation=held_out["validation"])
    ended = now()
    scores = {"test_accuracy": plain_accuracy, "test_accuracy_with_flips": accuracy_with_flips}
    rows = timed(started, train.stamps, held_out["validation"].stamps)
    return {
        "rows": [row | {"accuracy": accuracy} for row, accuracy in zip(rows, history["accuracy"], strict=True)],
        "validation_cpu_s": ended[0] - started[0] - rows[-1]["cpu_s"],
        **evaluate(model, held_out["test"], scores),
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
    }


def timed(started: Times, train: list[Times], validation: list[Times]) -> list[dict[str, float]]:
    """The seconds that training took up to the end of each epoch, without the validations between the epochs.

    Args:
        started: CPU and wall seconds at the beginning, before anything was prepared.
        train: the same, when each epoch's training began.
        validation: the same, when each epoch's validation began.
    """
    rows, total = [], [train[0][which] - started[which] for which in (0, 1)]
    for before, after in zip(train, validation, strict=True):
        total = [so_far + end - start for so_far, start, end in zip(total, before, after, strict=True)]
        rows.append({"cpu_s": total[0], "wall_s": total[1]})
    return rows
