"""What compression buys and what it costs: an image network and the two networks that hear, on one thread.

    python -m benchmarks.compression
    python -m benchmarks.compression --parts speech

The image networks are trained with three seeds on drawn shapes; the networks that hear are the course's checkpoints,
and nothing about them is trained, so they have no seeds. Everything is chosen on validation data; test data are asked
once. Latencies are medians of many calls, the networks taking turns; each is given in wall time and in CPU time.
"""

import argparse
import copy
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.compression_speech import speech
from benchmarks.curves import spread
from benchmarks.report import report
from course_lib.batches import Batches
from course_lib.compression import (
    count_flops,
    distillation_losses,
    kept_pruned,
    magnitude_masks,
    measure_latency,
)
from course_lib.datasets import load
from course_lib.export import export_classifier, onnx_session, parity, run_onnx
from course_lib.images import channel_statistics, normalize
from course_lib.models import SmallResNet
from course_lib.paths import checkout
from course_lib.quantization import quantize_static
from course_lib.training import Recipe, fit, one_cycle

SEEDS = (0, 1, 2)
EPOCHS, RATE, BATCH = 3, 0.01, 64
TUNING_EPOCHS, TUNING_RATE, PRUNED = 1, 0.003, 0.8
STUDENT, STUDENT_EPOCHS, TEMPERATURE, SHARE = (8, 12, 16), 4, 2.0, 0.5  # T = 4 with 0.9 was worse on validation
CALIBRATION = 256  # training images
Figures = dict[str, Any]
Losses = Callable[[nn.Module, Any], Tensor]


def pictures() -> dict[str, tuple[Tensor, Tensor]]:
    """Normalized shapes and their labels, by split."""
    splits = load("shapes").splits
    mean, std = channel_statistics(splits["train"].images)
    return {name: (normalize(split.images, mean=mean, std=std), split.labels) for name, split in splits.items()}


def plain(model: nn.Module, batch: Any) -> Tensor:
    return F.cross_entropy(model(batch[0]), batch[1], reduction="none")


def train(
    model: nn.Module, tensors: tuple[Tensor, ...], losses: Losses, *, epochs: int, rate: float, seed: int
) -> float:
    """Train in place, in plain layout afterwards; returns the CPU seconds."""
    torch.manual_seed(seed)
    model.to(memory_format=torch.channels_last)
    images = tensors[0].contiguous(memory_format=torch.channels_last)
    batches = Batches(images, *tensors[1:], batch_size=BATCH, shuffle=True, seed=seed)
    recipe = Recipe(lambda model: torch.optim.AdamW(model.parameters(), lr=rate), epochs, one_cycle(warmup=0.25))
    began = time.process_time()
    fit(model, batches, losses, recipe=recipe)
    model.to(memory_format=torch.contiguous_format).eval()
    return time.process_time() - began


@torch.no_grad()
def accuracy(answer: Callable[[Tensor], Tensor], split: tuple[Tensor, Tensor]) -> float:
    """The share of right answers."""
    right = [
        answer(images).argmax(1) == labels for images, labels in zip(*(each.split(500) for each in split), strict=True)
    ]
    return torch.cat(right).float().mean().item()


def image(folder: Path) -> Figures:
    """One network per seed: as it is, in ONNX Runtime, in 8 bits; then pruned and tuned, and only tuned."""
    splits, runs = pictures(), []
    for seed in SEEDS:
        print(f"image, seed {seed} ...", file=sys.stderr, flush=True)
        torch.manual_seed(seed)
        model = SmallResNet()
        seconds = train(model, splits["train"], plain, epochs=EPOCHS, rate=RATE, seed=seed)
        runs.append({"train_cpu_s": seconds, **in_integers(model, splits, folder), **pruning(model, splits, seed)})
    single = torch.zeros(1, 3, 32, 32)
    figures: Figures = {
        "image_parameters": sum(each.numel() for each in model.parameters()),
        "image_mflops": round(count_flops(model, single) / 1e6, 2),
    }
    for name in runs[0]:
        figures |= spread(f"image_{name}", [run[name] for run in runs], digits=4)
    return figures


def in_integers(model: nn.Module, splits: dict, folder: Path) -> Figures:
    """Accuracy on test images, bytes and latencies: PyTorch, ONNX Runtime, ONNX Runtime in 8 bits."""
    images, _ = splits["train"]
    plain_file = export_classifier(model, folder / "image.onnx", size=(3, 32, 32))
    small_file = quantize_static(plain_file, folder / "image8.onnx", images[:CALIBRATION].split(64))
    sessions = {"fp32": onnx_session(plain_file), "int8": onnx_session(small_file)}
    examples = [(splits["test"][0][:count],) for count in (1, 2, 5, 32)]
    figures = {"parity": parity(model, sessions["fp32"], examples)}
    scores = {"eager": accuracy(model, splits["test"])}
    for name, session in sessions.items():
        scores[name] = accuracy(lambda images, session=session: run_onnx(session, images)[0], splits["test"])
    for name, score in scores.items():
        figures[f"test_{name}"] = 100 * score
    figures["points_lost"] = 100 * (scores["eager"] - scores["int8"])
    for batch in (1, 32):
        figures |= latencies(model, sessions, splits["test"][0][:batch], batch=batch)
    return figures | {"mb": plain_file.stat().st_size / 1e6, "mb_int8": small_file.stat().st_size / 1e6}


def latencies(model: nn.Module, sessions: dict, images: Tensor, *, batch: int) -> Figures:
    """Milliseconds of one call in wall and CPU time, and how many times faster than PyTorch."""

    def eager() -> Tensor:
        with torch.inference_mode():
            return model(images)

    feed = {"images": images.numpy()}
    calls = {"eager": eager} | {name: lambda each=each: each.run(None, feed) for name, each in sessions.items()}
    figures = {}
    for ending, clock in (("ms", time.perf_counter), ("cpu_ms", time.process_time)):
        measured = measure_latency(calls, turns=60 if batch == 1 else 15, each=10 if batch == 1 else 4, clock=clock)
        for name, latency in measured.items():
            figures[f"{name}_batch{batch}_{ending}"] = latency.median
            figures[f"{name}_batch{batch}_{ending}_p95"] = latency.p95
        kind = "" if ending == "ms" else "_cpu"
        for name in sessions:
            label = "speedup" if name == "int8" else f"speedup_{name}"
            figures[f"{label}_batch{batch}{kind}"] = measured["eager"].median / measured[name].median
    return figures


def pruning(model: nn.Module, splits: dict, seed: int) -> Figures:
    """Accuracy on test images: pruned; pruned and tuned; only tuned, for just as long."""
    masks, pruned, control = magnitude_masks(model, share=PRUNED), copy.deepcopy(model), copy.deepcopy(model)
    options = {"epochs": TUNING_EPOCHS, "rate": TUNING_RATE, "seed": seed + 100}
    with kept_pruned(pruned, masks):
        pass
    figures = {"pruned_untuned": 100 * accuracy(pruned, splits["test"])}
    with kept_pruned(pruned, masks):
        train(pruned, splits["train"], plain, **options)
    train(control, splits["train"], plain, **options)
    figures["pruned_tuned"] = 100 * accuracy(pruned, splits["test"])
    return figures | {"unpruned_tuned": 100 * accuracy(control, splits["test"])}


def distillation(folder: Path) -> Figures:
    """A small student with a teacher's answers and without, for equally many steps."""
    splits, runs = pictures(), []
    for seed in SEEDS:
        print(f"distillation, seed {seed} ...", file=sys.stderr, flush=True)
        torch.manual_seed(seed)
        teacher = SmallResNet()
        train(teacher, splits["train"], plain, epochs=EPOCHS, rate=RATE, seed=seed)
        with torch.no_grad():
            answers = torch.cat([teacher(images) for images in splits["train"][0].split(500)])

        def soft(model: nn.Module, batch: Any) -> Tensor:
            return distillation_losses(model(batch[0]), batch[2], batch[1], temperature=TEMPERATURE, share=SHARE)

        scores = {"teacher": 100 * accuracy(teacher, splits["test"])}
        for name, losses in (("alone", plain), ("taught", soft)):
            torch.manual_seed(seed)
            student = SmallResNet(widths=STUDENT)
            tensors = (*splits["train"], answers)
            scores[f"{name}_cpu_s"] = train(student, tensors, losses, epochs=STUDENT_EPOCHS, rate=RATE, seed=seed)
            scores[name] = 100 * accuracy(student, splits["test"])
        runs.append(scores | {"gain": scores["taught"] - scores["alone"]})
    figures = {}
    for name in runs[0]:
        figures |= spread(f"student_{name}", [run[name] for run in runs], digits=2)
    return figures


PARTS: dict[str, Callable[[Path], Figures]] = {"speech": speech, "image": image, "distillation": distillation}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    os.environ.setdefault("TQDM_DISABLE", "1")
    torch.set_num_threads(1)
    place = checkout() / "benchmarks" / "results" / "compression.json"
    for part in parser.parse_args().parts:
        loads, began = [os.getloadavg()[0]], time.process_time()
        with tempfile.TemporaryDirectory() as folder:
            new = PARTS[part](Path(folder))
        loads.append(os.getloadavg()[0])
        new |= {
            f"{part}_load": round(statistics.mean(loads), 1),
            f"{part}_cpu_s": round(time.process_time() - began, 1),
        }
        before = json.loads(place.read_text(encoding="utf-8"))["figures"] if place.exists() else {}
        report("compression", before | new | {"seeds": len(SEEDS)}, packages=("onnx", "onnxruntime", "onnxscript"))


if __name__ == "__main__":
    main()
