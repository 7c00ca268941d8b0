"""CIFAR-10 on one GPU: seconds to 90 %, and the best that is reached, beside a public speed-run's recipe in our loop.

    python -m benchmarks.cifar_gpu

It needs Python, torch, NumPy and a folder with prepared CIFAR-10 (`course data cifar10` or `cifar10_images`), named by
COURSE_DATA. Three seeds per contestant, in fp32, bf16 and fp16, with and without `torch.compile`, in turns. Seconds are
those of training from raw pixels on; validation stands apart. What is compiled and tuned on first use is so in a run
before, whose seconds are given as well.

The speed-run is Jordan's airbench (arXiv:2404.00498), re-expressed: its layers, its rates, label smoothing, alternating
flips, shifts by two pixels, Lookahead; but one look at each test image, or two, instead of six. Autocast stands in for
its half-precision weights.
"""

import os
import sys
from collections.abc import Callable
from itertools import product
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.stand_ins import provide_missing, read_tensors

MISSING = provide_missing()

from benchmarks.cifar_speed import Plan, Splits, run  # noqa: E402
from benchmarks.curves import Run, best_row, seconds_to, spread  # noqa: E402
from benchmarks.report import report  # noqa: E402
from course_lib.models import FastResNet, FastStage  # noqa: E402
from course_lib.paths import data_dir  # noqa: E402

SEEDS, GOALS, LOSS_SCALE = (0, 1, 2), (80, 86, 88, 90), 1024.0
DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
Variant = tuple[str, str, bool]  # contestant, precision, compiled


class SpeedRunStage(FastStage):
    """A stage of airbench: that of ours, without the shortcut."""

    def forward(self, features: Tensor) -> Tensor:
        pooled = F.gelu(self.norm1(F.max_pool2d(self.conv1(features), 2)))
        return F.gelu(self.norm2(self.conv2(pooled)))


class SpeedRunNet(FastResNet):
    """The net of airbench94."""

    def __init__(self, images: Tensor | None, *, widths: tuple[int, int, int]):
        super().__init__(images, widths=widths)
        self.stages = nn.Sequential(
            *(SpeedRunStage(before, after) for before, after in zip((24, *widths), widths, strict=False))
        )


CONTESTANTS: dict[str, tuple[Callable[..., nn.Module], Plan]] = {
    "speed_run": (
        SpeedRunNet,
        Plan((64, 256, 256), sizes=(32,) * 10, batch_size=1000, rate=1.5, decay=0.0153, lookahead=True),
    ),
    "ours": (
        FastResNet,
        Plan((64, 256, 256), sizes=(32,) * 10, batch_size=1000, rate=1.5, decay=0.0153, lookahead=True),
    ),
    "ours_long": (
        FastResNet,
        Plan((128, 384, 512), sizes=(32,) * 40, batch_size=1000, rate=1.5, decay=0.0153, hidden=12, lookahead=True),
    ),
}


class Autocast(nn.Module):
    """A net that computes in another number type, its weights kept in float32; its stages may be compiled."""

    def __init__(self, net: nn.Module, precision: str, *, compiled: bool):
        super().__init__()
        self.net, self.dtype = net, DTYPES[precision]
        if compiled:
            net.stages.compile()

    def forward(self, images: Tensor) -> Tensor:
        with torch.autocast(images.device.type, dtype=self.dtype, enabled=self.dtype != torch.float32):
            return self.net(images)


def maker(make_net: Callable[..., nn.Module], precision: str, *, compiled: bool) -> Callable[..., nn.Module]:
    """What makes the model of each run: the first time anew, then the same one with fresh weights, compiled once."""
    models: list[nn.Module] = []

    def make(images: Tensor, *, widths: tuple[int, int, int]) -> nn.Module:
        net = make_net(images.cpu(), widths=widths)
        if not models:
            models.append(Autocast(net, precision, compiled=compiled).to(images.device))
        else:
            models[0].net.load_state_dict(net.state_dict())
        return models[0]

    return make


def measure(
    contestants: dict[str, tuple[Callable[..., nn.Module], Plan]],
    splits: Splits,
    *,
    variants: list[Variant],
    seeds: tuple[int, ...],
) -> dict[str, Any]:
    """Run each variant once to warm it up, then all of them in turns, seed by seed.

    Returns:
        Figures by name, such as `ours_bf16_compiled_s_to_90`.
    """
    makers = {each: maker(contestants[each[0]][0], each[1], compiled=each[2]) for each in variants}
    runs: dict[Variant, list[Run]] = {each: [] for each in variants}
    for seed in (seeds[0], *seeds):  # the first seed twice: its first run is the warm-up
        for variant in variants:
            scale = LOSS_SCALE if variant[1] == "fp16" else 1.0
            plan = contestants[variant[0]][1]
            runs[variant].append(run(plan, splits, seed=seed, scale=scale, make_model=makers[variant]))
            print(variant, seed, runs[variant][-1]["rows"][-1], file=sys.stderr)
    figures: dict[str, Any] = {"seeds": len(seeds)}
    for variant, (warm_up, *timed) in runs.items():
        figures |= of_variant(name_of(variant), timed) | {
            f"{name_of(variant)}_first_run_s": round(warm_up["rows"][-1]["wall_s"], 3)
        }
    return figures


def name_of(variant: Variant) -> str:
    contestant, precision, compiled = variant
    return f"{contestant}_{precision}" + ("_compiled" if compiled else "")


def of_variant(name: str, runs: list[Run]) -> dict[str, Any]:
    """Seconds to each goal, seconds of the whole, and accuracies."""
    figures = spread(f"{name}_s", [each["rows"][-1]["wall_s"] for each in runs], digits=3)
    for goal in GOALS:
        seconds = [seconds_to(goal, each["rows"], key="wall_s") for each in runs]
        figures |= spread(f"{name}_s_to_{goal}", seconds, digits=3)
    figures |= spread(f"{name}_best_validation", [best_row(each)["accuracy"] for each in runs], digits=4)
    figures |= spread(f"{name}_best_test", [each["test_accuracy"] for each in runs], digits=4)
    return figures | spread(f"{name}_test_with_flips", [each["test_accuracy_with_flips"] for each in runs], digits=4)


def prepared_cifar10() -> tuple[str, Splits]:
    """The name and the splits of the copy that is there; the original one, if both are.

    Raises:
        FileNotFoundError: there is none.
    """
    for name in ("cifar10", "cifar10_images"):
        path = data_dir() / f"{name}.safetensors"
        if path.exists():
            tensors = read_tensors(path)
            parts = ("train", "validation", "test")
            return name, {part: (tensors[f"{part}.pixels"], tensors[f"{part}.labels"]) for part in parts}
    raise FileNotFoundError(f"No cifar10 and no cifar10_images in {data_dir()}; `course data cifar10` brings it.")


def all_variants(contestants: list[str]) -> list[Variant]:
    """Every precision, with and without compiling; the long one only in the fastest way."""
    short = product((each for each in contestants if not each.endswith("_long")), DTYPES, (False, True))
    return [*short, *((each, "bf16", True) for each in contestants if each.endswith("_long"))]


def main() -> None:
    if not torch.cuda.is_available():
        sys.exit("cifar_gpu needs a CUDA GPU, and torch sees none here. Nothing was measured.")
    os.environ["TQDM_DISABLE"] = "1"
    name, splits = prepared_cifar10()
    figures = measure(CONTESTANTS, splits, variants=all_variants(list(CONTESTANTS)), seeds=SEEDS)
    report("cifar_gpu", {"data": name, "stand_ins": ", ".join(MISSING) or None, **figures})


if __name__ == "__main__":
    main()
