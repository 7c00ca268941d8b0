"""Lesson 11: its references held to scikit-learn, to torch's optimizers and to the library; its GPU path, exercised."""

import ast
import copy

import pytest
import torch
import torch.nn.functional as F
import torchvision
from sklearn.linear_model import Ridge
from torch import nn

from course_lib import transfer
from course_lib.batches import Batches
from course_lib.device import budget
from course_lib.exercises.registry import load_lesson
from course_lib.exercises.stubs import stub_sources
from course_lib.images import on_images, random_flip
from course_lib.metrics import correct
from course_lib.models import SmallResNet, TextbookCNN
from course_lib.paths import find_lesson
from course_lib.training import Recipe, evaluate, fit, one_cycle

EXERCISES = load_lesson("transfer_learning").exercises
linear_probe, replace_head, freeze, parameter_groups, lora_linear, teach_head = (
    EXERCISES[name].reference
    for name in ("linear_probe", "replace_head", "freeze", "parameter_groups", "lora_linear", "teach_head")
)


def numbers(*shape, seed=0):
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize(("count", "width"), [(40, 6), (5, 9)])
@pytest.mark.parametrize("penalty", [0.3, 20.0])
def test_the_probe_is_scikit_learns_ridge(count, width, penalty):
    features, labels = numbers(count, width) + 4, torch.arange(count) % 4
    weight, bias = linear_probe(features, labels, num_classes=4, penalty=penalty)
    ridge = Ridge(alpha=penalty).fit(features.numpy(), F.one_hot(labels, 4).double().numpy())
    torch.testing.assert_close(weight, torch.from_numpy(ridge.coef_), rtol=1e-8, atol=1e-10)
    torch.testing.assert_close(bias, torch.from_numpy(ridge.intercept_), rtol=1e-8, atol=1e-10)


def test_the_probe_stands_where_the_gradient_is_zero():
    features, labels = numbers(12, 5) + 2, torch.arange(12) % 3
    weight, bias = (each.requires_grad_() for each in linear_probe(features, labels, num_classes=3, penalty=0.7))
    errors = features @ weight.T + bias - F.one_hot(labels, 3)
    (errors.square().sum() + 0.7 * weight.square().sum()).backward()
    assert weight.grad.abs().max() < 1e-9 and bias.grad.abs().max() < 1e-9


@pytest.mark.parametrize("make", [SmallResNet, TextbookCNN, lambda: torchvision.models.mobilenet_v3_small()])
def test_the_new_head_is_the_librarys(make):
    model = make()
    other = copy.deepcopy(model)
    replace_head(model, 7)
    transfer.replace_head(other, 7)
    shapes = [{name: value.shape for name, value in each.state_dict().items()} for each in (model, other)]
    assert shapes[0] == shapes[1]
    assert model.eval()(torch.zeros(2, 3, 32, 32)).shape == (2, 7)


@pytest.mark.parametrize("frozen", [freeze, transfer.freeze])
def test_a_step_of_torchs_optimizer_moves_only_the_head(frozen):
    model = SmallResNet(widths=(4, 8))
    frozen(model.stem), frozen(model.blocks)
    before = copy.deepcopy(model.state_dict())
    model.train()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, weight_decay=0.1)
    model(torch.randn(6, 3, 16, 16)).square().mean().backward()
    optimizer.step()
    changed = {name for name, value in model.state_dict().items() if not torch.equal(value, before[name])}
    assert changed == {"head.weight", "head.bias"}


def test_the_rates_are_the_librarys():
    model = SmallResNet()
    freeze(model.stem)
    parts = [model.stem, *model.blocks, nn.ReLU(), model.head]
    ours, theirs = (
        make(parts, learning_rate=0.1, factor=0.3) for make in (parameter_groups, transfer.parameter_groups)
    )
    assert [group["lr"] for group in ours] == pytest.approx([group["lr"] for group in theirs])
    for one, other in zip(ours, theirs, strict=True):
        assert [id(each) for each in one["params"]] == [id(each) for each in other["params"]]
    assert len(torch.optim.AdamW(ours).param_groups) == 4


@pytest.mark.parametrize("rank", [1, 2, 3])
def test_lora_is_the_librarys_which_is_pefts(rank):
    linear = nn.Linear(7, 4, dtype=torch.float64)
    layer = transfer.LoRALinear(copy.deepcopy(linear), rank=rank, alpha=5)
    nn.init.normal_(layer.up)
    inputs = numbers(2, 3, 7)
    ours = lora_linear(inputs, linear.weight, linear.bias, layer.down, layer.up, alpha=5)
    torch.testing.assert_close(ours, layer(inputs), rtol=1e-12, atol=1e-12)
    ours.tanh().sum().backward()
    assert linear.weight.grad is None and linear.bias.grad is None
    assert layer.down.grad.abs().sum() > 0 and layer.up.grad.abs().sum() > 0


def small_task():
    torch.manual_seed(0)
    model = SmallResNet(widths=(4, 8), num_classes=3)
    splits = {name: (torch.randn(count, 3, 16, 16), torch.arange(count) % 3) for name, count in TASK.items()}
    return model, splits


TASK = {"train": 21, "test": 12}


def test_teaching_the_head_is_descending_on_features_that_stay():
    model, splits = small_task()
    head, features = copy.deepcopy(model.head), {}
    with torch.no_grad():
        features = {name: model.eval().features(images) for name, (images, _) in splits.items()}
    optimizer = torch.optim.SGD(head.parameters(), lr=0.5)
    for _ in range(5):
        optimizer.zero_grad()
        F.cross_entropy(head(features["train"]), splits["train"][1]).backward()
        optimizer.step()
    report = teach_head(model, splits, make_optimizer=lambda each: torch.optim.SGD(each, lr=0.5), num_steps=5)
    torch.testing.assert_close(model.head.weight, head.weight, rtol=1e-4, atol=1e-6)
    right = (head(features["test"]).argmax(dim=1) == splits["test"][1]).sum().item()
    assert report == {"images": 12, "correct": right, "accuracy": right / 12}


def test_the_walk_through_as_shipped_shouts_once_and_is_silent_twice():
    source = stub_sources(find_lesson("transfer_learning"))["teach_head"].removeprefix("@exercise\n")
    model, splits = small_task()
    with pytest.raises(TypeError, match="can only optimize Tensors"):
        run(source)["teach_head"](model, splits, make_optimizer=sgd, num_steps=2)
    before = copy.deepcopy(model.state_dict())
    mended = run(source.replace("[model.head]", "model.parameters()"))["teach_head"]
    assert mended(model, splits, make_optimizer=sgd, num_steps=2)["images"] == 33
    assert not torch.equal(model.stem[0].weight, before["stem.0.weight"])


def sgd(parameters):
    return torch.optim.SGD(parameters, lr=0.1)


def run(source, **names):
    """What a source defines, with the names that it uses."""
    space = {"torch": torch, "nn": nn, "F": F, **names}
    exec(compile(source, "lesson", "exec"), space)
    return space


def from_the_lesson(*names):
    """The source of some functions that the lesson defines."""
    source = find_lesson("transfer_learning").source.read_text(encoding="utf-8")
    found = {node.name: node for node in ast.parse(source).body if isinstance(node, ast.FunctionDef)}
    return "\n\n".join(ast.unparse(found[name]) for name in names)


@pytest.mark.slow
def test_the_imagenet_experiment_runs_with_random_weights():
    torch.manual_seed(0)
    model = torchvision.models.resnet50(weights=None)
    transfer.replace_head(model, 10)
    before = copy.deepcopy(model.state_dict())
    tools = [Batches, Recipe, evaluate, fit, one_cycle, correct, on_images, random_flip, budget, parameter_groups]
    space = run(
        from_the_lesson("losses_fn", "accuracy", "finetune_imagenet"),
        device=torch.device("cpu"),
        **{each.__name__: each for each in tools},
    )
    splits = {name: (torch.rand(count, 3, 32, 32), torch.arange(count)) for name, count in TASK_OF_PHOTOS.items()}
    score = space["finetune_imagenet"](model, splits, epochs=2, side=64)
    assert 0 <= score <= 1
    moved = {name for name, value in model.state_dict().items() if not torch.equal(value, before[name])}
    assert {name for name, _ in model.named_parameters()} <= moved


TASK_OF_PHOTOS = {"train": 6, "test": 5}
