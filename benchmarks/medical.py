"""Lesson 06 on three seeds: is there a nodule, where is it, and how often is a healthy window called ill?

    python -m benchmarks.medical

Windows and slices are the course's own drawings: the figures say nothing about patients. Data are the same for all
seeds; the seed sets weights, order and flips. Thresholds are chosen on validation windows; each test set is asked once.
Beside each mean stand the least and the greatest value, and the standard deviation (`_spread`).
"""

import statistics
import time

import torch
import torch.nn.functional as F
from sklearn.metrics import roc_auc_score
from torch import Tensor, nn

from benchmarks.curves import spread
from benchmarks.report import report
from course_lib.batches import Batches
from course_lib.datasets import Data, load
from course_lib.medical_models import NoduleNet, UNet, compare_regions, flip, masks_from
from course_lib.metrics import dice, roc_curve
from course_lib.training import Recipe, fit, one_cycle

SEEDS = (0, 1, 2)
POS_WEIGHT, RECALL = 8.0, 0.95
THRESHOLDS = (0.3, 0.5, 0.7)


def classifier_losses(model: nn.Module, batch: tuple[Tensor, Tensor]) -> Tensor:
    images, labels = batch
    weight = torch.tensor(POS_WEIGHT, device=labels.device)
    return F.binary_cross_entropy_with_logits(model(images), labels, pos_weight=weight, reduction="none")


def segmentation_losses(model: nn.Module, batch: tuple[Tensor, Tensor]) -> Tensor:
    images, masks = batch
    logits = model(images)
    pixels = F.binary_cross_entropy_with_logits(logits, masks, reduction="none").mean(dim=(1, 2, 3))
    likely, masks = logits.sigmoid().flatten(1), masks.flatten(1)
    overlap = (2 * (likely * masks).sum(1) + 1) / (likely.sum(1) + masks.sum(1) + 1)
    return pixels + 1 - overlap


def trained(model: nn.Module, images: Tensor, targets: Tensor, losses_fn, *, epochs: int, rate: float, seed: int):
    """A model after training, and the CPU seconds that it took."""
    started = time.process_time()
    images = images.to(memory_format=torch.channels_last)
    batches = Batches(images, targets.float(), batch_size=32, shuffle=True, augment=flip, seed=seed)
    recipe = Recipe(lambda model: torch.optim.AdamW(model.parameters(), lr=rate), epochs, one_cycle())
    fit(model.to(memory_format=torch.channels_last), batches, losses_fn, recipe=recipe)
    return model.eval().cpu(), time.process_time() - started


@torch.no_grad()
def run(model: nn.Module, images: Tensor) -> Tensor:
    return torch.cat([model(part) for part in images.split(50)])


def classify(data: Data, seed: int) -> dict[str, float]:
    train, validation, test = (data.splits[name] for name in ("train", "validation", "test"))
    torch.manual_seed(seed)
    model, seconds = trained(NoduleNet(), train.images, train.labels, classifier_losses, epochs=5, rate=5e-3, seed=seed)
    thresholds, _, recalls = roc_curve(run(model, validation.images), validation.labels)
    chosen = thresholds[recalls >= RECALL][0]
    scores, ill = run(model, test.images), test.labels == 1
    return {
        "auc": roc_auc_score(test.labels, scores),
        "recall": (scores >= chosen)[ill].float().mean().item(),
        "false_alarm_rate": (scores >= chosen)[~ill].float().mean().item(),
        "classifier_cpu_s": seconds,
    }


def segment(data: Data, slices: Data, seed: int) -> dict[str, float]:
    train, validation, test = (data.splits[name] for name in ("train", "validation", "test"))
    ill, healthy = ((train.labels == label).nonzero()[:, 0] for label in (1, 0))
    rows = torch.cat([ill, healthy[: len(ill)]])
    torch.manual_seed(seed)
    model, seconds = trained(
        UNet(), train.images[rows], train.masks[rows], segmentation_losses, epochs=8, rate=1e-2, seed=seed
    )
    ill = validation.labels == 1
    guess = run(model, validation.images[ill])

    def on_validation(threshold: float) -> float:
        return dice(masks_from(guess, threshold=threshold), validation.masks[ill]).mean().item()

    best = max(THRESHOLDS, key=on_validation)
    found, ill = masks_from(run(model, test.images), threshold=best), test.labels == 1
    whole = slices.splits["test"]
    there, met, vain = compare_regions(whole.masks, masks_from(run(model, whole.images), threshold=best))
    return {
        "dice": dice(found[ill], test.masks[ill]).mean().item(),
        "healthy_false_rate": found[~ill].flatten(1).any(dim=1).float().mean().item(),
        "slice_nodules_found": met / there,
        "false_regions_per_slice": vain / len(whole),
        "unet_cpu_s": seconds,
    }


def main() -> None:
    data, slices = load("lung_patches"), load("lung_slices")
    runs = [{**classify(data, seed), **segment(data, slices, seed)} for seed in SEEDS]
    figures: dict[str, float | None] = {"seeds": len(SEEDS)}
    for name in runs[0]:
        values = [run[name] for run in runs]
        figures |= spread(name, values, digits=4)
        figures[f"{name}_spread"] = round(statistics.stdev(values), 4)
    report("medical", figures, packages=("scipy", "scikit-learn"))


if __name__ == "__main__":
    main()
