"""The transfer benchmark's own arithmetic, on tiny data, and its section of the page."""

from types import SimpleNamespace

import pytest
import torch
from sklearn.linear_model import Ridge

from benchmarks import transfer
from benchmarks.draw_results import draw
from course_lib.models import SmallResNet


@pytest.fixture
def pictures():
    generator = torch.Generator().manual_seed(0)
    return torch.randn(40, 3, 32, 32, generator=generator), torch.arange(40) % 4


def test_so_many_of_each_class_are_drawn_and_each_seed_draws_others(pictures):
    images, labels = transfer.few(pictures, 3, seed=0)
    assert labels.bincount().tolist() == [3, 3, 3, 3]
    where = [(pictures[0] == image).flatten(1).all(dim=1).nonzero().item() for image in images]
    assert len(set(where)) == 12 and torch.equal(pictures[1][where], labels)
    assert not torch.equal(images, transfer.few(pictures, 3, seed=1)[0])


def test_the_probe_is_scikit_learns_ridge_on_the_features_that_stay(pictures):
    model = SmallResNet(num_classes=4)
    body = {name: value.clone() for name, value in model.state_dict().items() if "head" not in name}
    scores = transfer.probe(model, pictures)(pictures[0])
    features = model.features(pictures[0]).detach()
    theirs = Ridge(alpha=transfer.PENALTY).fit(features, torch.nn.functional.one_hot(pictures[1]))
    assert torch.allclose(scores, torch.tensor(theirs.predict(features)).float(), atol=1e-4)
    assert all(torch.equal(model.state_dict()[name], value) for name, value in body.items())


def test_all_classes_of_cifar10_take_part_though_they_lie_one_after_the_other(monkeypatch):
    labels = torch.arange(10).repeat_interleave(600)
    split = SimpleNamespace(pixels=torch.randint(256, (6_000, 3, 2, 2)).byte(), labels=labels)
    monkeypatch.setattr(transfer, "available", lambda name: True)
    monkeypatch.setattr(transfer, "load", lambda name: SimpleNamespace(splits={"train": split, "test": split}))
    old, new, exam = transfer.cifar10()
    assert [part[1].bincount().tolist() for part in (old, new)] == [[600] * 5] * 2
    assert len(exam[1]) == 2_000 and all(300 < count < 500 for count in exam[1].bincount().tolist())
    assert old[0].mean(dim=(0, 2, 3)).abs().max() < 1e-4  # normalized by the pictures to pretrain on


@pytest.mark.parametrize(("count", "steps"), [(50, 60), (499, 60), (500, 120), (1_000, 300), (2_000, 300)])
def test_all_that_train_take_steps_by_how_many_pictures_there_are(monkeypatch, count, steps):
    taken = []
    monkeypatch.setattr(transfer, "train", lambda *_, steps, **__: taken.append(steps))
    few = torch.zeros(count, 3, 1, 1), torch.arange(count) % 10
    for method in ("scratch", "finetune", "discriminative", "gradual", "lora"):
        transfer.adapt(method, SmallResNet(), few, seed=0)
    assert taken == [steps] * 3 + [steps // 2] * 2 + [steps]


def test_the_page_has_a_table_for_each_task_and_says_what_is_missing():
    figures = {
        f"{method}_{budget}{ending}": value
        for method in transfer.METHODS
        for budget in (5, 20)
        for ending, value in {"": 0.5, "_min": 0.25, "_max": 0.75, "_spread": 0.1}.items()
    } | {"cifar10_scratch_5": None}
    machine = {"gpu": None, "cpu": "a", "cores": 2, "memory_gb": 8}
    page = draw({"transfer": {"date": "2026-01-01", "machine": machine, "versions": {}, "figures": figures}})
    row = "| 20 |" + " 50.0 (25.0 to 75.0) |" * len(transfer.METHODS)
    assert row in page and "| labels per class (shapes, test, %) | from scratch |" in page
    assert "at most 10.0" in page and "classes of CIFAR-10, test, %: not measured" in page
