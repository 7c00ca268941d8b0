"""Drawn pictures: the same everywhere, told apart by their outline alone, and hard in the right order."""

import os
import subprocess
import sys

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression

from course_lib.generate import shapes
from course_lib.generate.shapes import SETS, box, convex, cut, disk, draw_shapes, star, union

FEW = {"train": 200, "validation": 40, "test": 40}
every_set = pytest.mark.parametrize("name", SETS)
every_outline = pytest.mark.parametrize(
    "outline",
    [outline for outlines in SETS.values() for outline in outlines.values()],
    ids=[*SETS["shapes"], *SETS["other_shapes"]],
)


def plane(side=2.0, steps=201):
    line = np.linspace(-side, side, steps, dtype=np.float32)
    return line[None, :], line[:, None]


def inside(outline):
    return outline(*plane()) < 0


@every_set
def test_splits_have_the_promised_sizes_and_balanced_classes(name):
    splits = draw_shapes(name, counts=FEW)
    assert {split: len(labels) for split, (_, labels) in splits.items()} == FEW
    for images, labels in splits.values():
        assert images.dtype == torch.uint8 and images.shape[1:] == (3, 32, 32)
        assert torch.bincount(labels).tolist() == [len(labels) // 10] * 10
        assert labels[:10].tolist() != sorted(labels[:10].tolist())


@every_set
def test_no_two_pictures_are_the_same_within_or_across_splits(name):
    images = torch.cat([images for images, _ in draw_shapes(name, counts=FEW).values()])
    assert len(images.flatten(1).unique(dim=0)) == sum(FEW.values())


def test_the_two_sets_share_no_class():
    assert len(SETS["shapes"]) == len(SETS["other_shapes"]) == 10
    assert SETS["shapes"].keys() & SETS["other_shapes"].keys() == set()


def test_pictures_do_not_depend_on_what_was_drawn_before():
    np.random.seed(1)
    torch.manual_seed(1)
    first = draw_shapes("shapes", counts=FEW)
    draw_shapes("other_shapes", counts={"train": 30})
    again = draw_shapes("shapes", counts=FEW)
    assert all(torch.equal(first[split][0], again[split][0]) for split in FEW)


def test_another_process_with_other_settings_draws_the_same_pictures():
    script = (
        "import zlib; from course_lib.generate.shapes import draw_shapes;"
        "print(zlib.crc32(draw_shapes('shapes', counts={'train': 200})['train'][0].numpy().tobytes()))"
    )
    variables = [{"OMP_NUM_THREADS": "1"}, {"OMP_NUM_THREADS": "2", "NPY_DISABLE_CPU_FEATURES": _vector_units()}]
    printed = [
        subprocess.run(
            [sys.executable, "-c", script], env={**os.environ, **each}, capture_output=True, check=True
        ).stdout
        for each in variables
    ]
    assert printed[0] == printed[1]


def _vector_units():
    """What NumPy can do without on this machine; other machines lack it."""
    from numpy._core import _multiarray_umath as internals

    return " ".join(name for name in internals.__cpu_dispatch__ if internals.__cpu_features__.get(name))


@every_outline
def test_an_outline_fills_much_of_its_square_and_nothing_beyond(outline):
    x, y = plane()
    filled = inside(outline)
    beyond = np.maximum(np.abs(x), np.abs(y)) > 1
    assert not (filled & beyond).any()
    assert 0.15 < filled.sum() / (~beyond).sum() < 0.75


@every_outline
def test_an_outline_is_a_distance_as_far_as_soft_edges_need_it(outline):
    # Near the edge a step of one adds one at most, and half or more at most places. Corners mix the sides' differences.
    values = outline(*plane(steps=401))
    down, right = np.gradient(values, 0.01)
    slope = np.sqrt(down**2 + right**2)[np.abs(values) < 0.05]
    assert np.quantile(slope, 0.98) < 1.001 and np.median(slope) > 0.5


def test_unions_and_holes_are_what_they_are_called():
    left, right = disk(-0.5, 0, 0.4), box(0.5, 0, 0.3, 0.6)
    assert np.array_equal(inside(union(left, right)), inside(left) | inside(right))
    whole, hole = disk(0, 0, 1), disk(0.2, 0, 0.5)
    assert np.array_equal(inside(cut(whole, hole)), inside(whole) & (hole(*plane()) > 0))


def test_a_polygon_is_as_large_as_its_corners_say():
    triangle = convex((-0.9, -0.6), (0.9, -0.6), (0.0, 0.9))
    assert inside(triangle).mean() * 16 == pytest.approx(1.8 * 1.5 / 2, rel=0.03)


def test_a_star_has_its_points_where_they_belong():
    five = star(5)
    for angle in 2 * np.pi * np.arange(5) / 5:
        tip, gap = (-np.sin(angle), np.cos(angle)), (np.sin(angle), -np.cos(angle))
        assert five(*(0.95 * np.float32(tip))) < 0 < five(*(1.05 * np.float32(tip)))
        assert five(*(0.3 * np.float32(gap))) < 0 < five(*(0.5 * np.float32(gap)))


@every_set
def test_color_alone_tells_nothing(name):
    (images, labels), (others, their_labels) = draw_shapes(name, counts={"train": 2000, "test": 1000}).values()
    # Mean, deviation, lowest and highest value of each channel; a chance of 0.1 has a standard deviation of 0.01 here.
    features, their_features = (_color_statistics(each) for each in (images, others))
    guesses = LogisticRegression(max_iter=500).fit(features, labels).predict(their_features)
    assert (guesses == their_labels.numpy()).mean() < 0.25  # a larger shape is brighter; nothing more than that


def _color_statistics(images):
    values = images.float().flatten(2) / 255
    return torch.cat([values.mean(2), values.std(2), values.amin(2), values.amax(2)], dim=1).numpy()


def test_shapes_are_brighter_than_what_is_around_them(monkeypatch):
    monkeypatch.setattr(shapes, "NUM_MARKS_BELOW", 0)
    monkeypatch.setattr(shapes, "NUM_MARKS_ABOVE", 0)
    images, labels = draw_shapes("shapes", counts={"train": 400})["train"]
    disks = images[labels == list(SETS["shapes"]).index("disk")].float().amax(1)  # value, as painters say
    assert (disks.amax((1, 2)) > 1.3 * disks[:, :3, :3].mean((1, 2))).float().mean() > 0.9


@pytest.mark.slow
def test_an_mlp_a_plain_cnn_and_a_residual_net_come_in_this_order():
    """Less data and fewer epochs than the lessons have; the margins there are larger still."""
    from course_lib.batches import Batches
    from course_lib.metrics import correct
    from course_lib.models import MLP, SmallResNet, TextbookCNN
    from course_lib.seeds import seed_everything
    from course_lib.training import Recipe, evaluate, fit, one_cycle

    splits = draw_shapes("shapes", counts={"train": 6_000, "test": 1_000})
    (images, labels), test = ((pixels.float() / 255, labels) for pixels, labels in splits.values())
    accuracy = {}
    for make, rate in ((lambda: MLP(3 * 32 * 32), 1e-3), (TextbookCNN, 2e-3), (SmallResNet, 1e-2)):
        seed_everything(0)
        model = make()
        recipe = Recipe(
            optimizer=lambda model, rate=rate: torch.optim.AdamW(model.parameters(), lr=rate),
            epochs=5,
            schedule=one_cycle(),
        )
        fit(model, Batches(images, labels, batch_size=64, shuffle=True), _losses, recipe=recipe)
        scores = {"accuracy": lambda model, batch: correct(model(batch[0]), batch[1])}
        accuracy[type(model)] = evaluate(model, Batches(*test, batch_size=500), scores)["accuracy"]
    assert accuracy[MLP] + 0.1 < accuracy[TextbookCNN] < accuracy[SmallResNet] - 0.05


def _losses(model, batch):
    return torch.nn.functional.cross_entropy(model(batch[0]), batch[1], reduction="none")
