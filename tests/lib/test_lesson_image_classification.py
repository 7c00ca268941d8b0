"""Lesson 05: its references held to torch, to the library's finished forms, and to counting by hand."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from course_lib import images as library
from course_lib import training
from course_lib.exercises.registry import load_lesson
from course_lib.exercises.stubs import is_unwritten, stub_sources
from course_lib.models import ResidualBlock
from course_lib.paths import find_lesson
from course_lib.training import evaluate

EXERCISES = load_lesson("image_classification").exercises
REFERENCES = {name: exercise.reference for name, exercise in EXERCISES.items()}
batch_norm, residual_block, one_cycle, random_crop_flip, label_smoothing, evaluate_images = (
    REFERENCES[name]
    for name in (
        "batch_norm",
        "residual_block",
        "one_cycle",
        "random_crop_flip",
        "label_smoothing",
        "evaluate_images",
    )
)


def numbers(*shape, seed=0):
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("momentum", [0.1, 0.7])
@pytest.mark.parametrize("eps", [1e-5, 0.5])
def test_batch_norm_is_torchs_layer_learning_and_in_use(momentum, eps):
    layer = nn.BatchNorm2d(3, momentum=momentum, eps=eps).double()
    layer.weight.data, layer.bias.data = 1 + numbers(3).abs(), numbers(3, seed=1)
    running = {"mean": torch.zeros(3, dtype=torch.float64), "var": torch.ones(3, dtype=torch.float64)}
    for seed, learning in enumerate((True, True, False, True, False)):
        features = 4 * numbers(2, 3, 3, 2, seed=seed) + 1
        ours = batch_norm(features, layer.weight, layer.bias, running, training=learning, momentum=momentum, eps=eps)
        torch.testing.assert_close(ours, layer.train(learning)(features), rtol=1e-10, atol=1e-12)
        torch.testing.assert_close(running["mean"], layer.running_mean, rtol=1e-10, atol=1e-12)
        torch.testing.assert_close(running["var"], layer.running_var, rtol=1e-10, atol=1e-12)


def test_batch_norms_gradients_and_defaults_are_those_of_torchs_function():
    gradients = []
    for norm in (batch_norm, None):
        features, scale, shift = (numbers(*shape).requires_grad_() for shape in ((3, 2, 2, 3), (2,), (2,)))
        if norm:
            running = {"mean": torch.zeros(2, dtype=torch.float64), "var": torch.ones(2, dtype=torch.float64)}
            outputs = norm(features, scale, shift, running)
        else:
            outputs = F.batch_norm(features, None, None, scale, shift, training=True)
        (outputs * numbers(3, 2, 2, 3, seed=7)).sum().backward()
        gradients.append([features.grad, scale.grad, shift.grad])
    for ours, theirs in zip(*gradients, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(("channels", "stride"), [((4, 4), 1), ((4, 6), 2)])
def test_residual_block_is_the_librarys(channels, stride):
    torch.manual_seed(0)
    block, features = ResidualBlock(*channels, stride=stride).double(), numbers(3, 4, 5, 6)
    conv1, norm1, _, conv2, norm2 = block.residual
    shortcut = None if stride == 1 else block.shortcut
    ours = residual_block(features, conv1=conv1, norm1=norm1, conv2=conv2, norm2=norm2, shortcut=shortcut)
    torch.testing.assert_close(ours, block(features), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("warmup", [0.1, 0.25, 0.6])
@pytest.mark.parametrize("num_steps", [20, 101])
def test_one_cycle_is_torchs_with_straight_lines(warmup, num_steps):
    weights = torch.zeros(1, requires_grad=True)
    optimizer = torch.optim.SGD([weights], lr=1.0)
    options = {"pct_start": warmup, "div_factor": 25, "final_div_factor": 40, "cycle_momentum": False}
    theirs = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, max_lr=0.3, total_steps=num_steps, anneal_strategy="linear", **options
    )
    last_step, peak_step = num_steps - 1, warmup * num_steps - 1  # torch counts from zero and ends on a step
    for step in range(num_steps):
        shape = {"peak": 0.3, "warmup": peak_step / last_step, "first": 1 / 25, "last": 1 / 25 / 40}
        assert one_cycle(step / last_step, **shape) == pytest.approx(theirs.get_last_lr()[0], rel=1e-9)
        optimizer.step()
        if step < last_step:
            theirs.step()


def test_one_cycle_is_the_librarys_schedule():
    ours = [one_cycle(step / 40) for step in range(41)]
    assert ours == pytest.approx([training.one_cycle()(step / 40) for step in range(41)], rel=1e-12)
    shape = {"warmup": 0.4, "first": 0.2, "last": 0.1}
    ours = [one_cycle(step / 40, **shape) for step in range(41)]
    assert ours == pytest.approx([training.one_cycle(**shape)(step / 40) for step in range(41)], rel=1e-12)


def test_random_crop_flip_moves_and_mirrors_as_the_library_does():
    images, padding = numbers(9, 3, 6, 5), 2

    def dice():
        return torch.Generator().manual_seed(3)

    random = dice()  # the library throws for the rows first, then for the columns
    offsets = torch.stack([torch.randint(2 * padding + 1, (9,), generator=random) for _ in range(2)], dim=1)
    still = torch.zeros(9, dtype=torch.bool)
    moved = library.random_crop(images, padding=padding, generator=dice())
    assert torch.equal(random_crop_flip(images, offsets, still, padding=padding), moved)
    coins = torch.rand(9, generator=dice()) < 0.5
    assert torch.equal(
        random_crop_flip(images, offsets, coins, padding=padding), library.random_flip(moved, generator=dice())
    )


def test_random_crop_flip_without_padding_or_coins_changes_nothing():
    images = numbers(4, 2, 3, 5)
    nothing = torch.zeros(4, 2, dtype=torch.int64), torch.zeros(4, dtype=torch.bool)
    assert torch.equal(random_crop_flip(images, *nothing, padding=0), images)


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.6, 1.0])
@pytest.mark.parametrize("scale", [1.0, 1e4])
def test_label_smoothing_is_torchs_with_its_gradients(smoothing, scale):
    labels, results = torch.tensor([0, 4, 2, 2, 1, 3]), []
    options = {"reduction": "none", "label_smoothing": smoothing}
    for loss in (
        lambda logits: label_smoothing(logits, labels, smoothing=smoothing),
        lambda logits: F.cross_entropy(logits, labels, **options),
    ):
        logits = (scale * numbers(6, 5)).requires_grad_()
        losses = loss(logits)
        losses.sum().backward()
        results.append([losses.detach(), logits.grad])
    for ours, theirs in zip(*results, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-10, atol=1e-10)


def test_the_default_share_is_a_tenth():
    logits, labels = numbers(5, 4), torch.tensor([0, 1, 2, 3, 0])
    theirs = F.cross_entropy(logits, labels, reduction="none", label_smoothing=0.1)
    torch.testing.assert_close(label_smoothing(logits, labels), theirs)


def some_splits(model):
    splits = {name: numbers(size, 2, 3, 3, seed=size) for name, size in (("train", 31), ("test", 17))}
    labels = {name: torch.arange(len(images)) % 3 for name, images in splits.items()}
    return {name: (splits[name], labels[name]) for name in splits}


def make_model():
    torch.manual_seed(0)
    return nn.Sequential(nn.BatchNorm2d(2), nn.Flatten(), nn.Dropout(0.5), nn.Linear(18, 3)).double()


@pytest.mark.parametrize("batch_size", [1, 4, 17, 100])
def test_evaluate_images_agrees_with_the_librarys_evaluate(batch_size):
    model = make_model()
    splits = some_splits(model)
    right = {"right": lambda model, batch: (model(batch[0]).argmax(dim=1) == batch[1]).float()}
    for split in splits:
        theirs = evaluate(model, [splits[split]], right)["right"]
        assert evaluate_images(model, splits, split=split, batch_size=batch_size) == pytest.approx(theirs, abs=1e-7)


def test_what_the_bug_hunt_ships_gives_every_network_the_same_number_and_counts_as_unwritten():
    stub = stub_sources(find_lesson("image_classification"))["evaluate_images"]
    shipped = {"torch": torch}
    exec(compile(stub.replace("@exercise\n", ""), "stub", "exec"), shipped)
    splits = some_splits(None)
    for seed in range(3):
        torch.manual_seed(seed)
        model = nn.Sequential(nn.Flatten(), nn.Linear(18, 3)).double()
        assert shipped["evaluate_images"](model, splits, split="test") == 17 / 31
    assert is_unwritten(stub, stub)
    assert not is_unwritten(stub.replace("_, labels =", "_, predictions ="), stub)
