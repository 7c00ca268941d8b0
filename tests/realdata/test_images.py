"""Real pictures under COURSE_DATA: the loaders hold them to published figures, and networks learn from them."""

import pytest
import torch
import torch.nn.functional as F

from course_lib.batches import Batches
from course_lib.datasets import available, load
from course_lib.images import channel_statistics, normalize, on_images, random_flip
from course_lib.metrics import correct
from course_lib.models import MLP, SmallResNet, TextbookCNN
from course_lib.paths import data_dir
from course_lib.seeds import seed_everything
from course_lib.training import Recipe, evaluate, fit, one_cycle
from data_scripts.prepare import prepare

pytestmark = [pytest.mark.realdata, pytest.mark.slow]


def prepared(name, folder):
    """The data set, prepared from what lies in COURSE_DATA if that was not done before."""
    if not available(name):
        if not (data_dir() / folder).is_dir():
            pytest.skip(f"realdata: COURSE_DATA holds no {folder}/; put one there, then: make test")
        prepare(name, source=data_dir() / folder)
    return load(name)


@pytest.fixture(scope="module")
def mnist():
    return prepared("mnist_t10k", "MNIST")


@pytest.fixture(scope="module")
def cifar10():
    return prepared("cifar10_images", "cifar10-images")


def all_labels(data):
    return torch.cat([split.labels for split in data.splits.values()])


def test_mnists_test_set_has_its_published_counts_and_brightness(mnist):
    assert torch.bincount(all_labels(mnist)).tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    pixels = torch.cat([split.images for split in mnist.splits.values()])
    mean, std = channel_statistics(pixels)
    assert mean.item() == pytest.approx(0.1325, abs=1e-4) and std.item() == pytest.approx(0.3105, abs=1e-4)


def test_cifar10_has_equal_classes_and_its_published_colors(cifar10):
    assert torch.bincount(all_labels(cifar10)).unique().numel() == 1
    mean, std = channel_statistics(cifar10.splits["train"].images)
    torch.testing.assert_close(mean, torch.tensor([0.4914, 0.4822, 0.4465]), atol=0.003, rtol=0)
    torch.testing.assert_close(std, torch.tensor([0.2470, 0.2435, 0.2616]), atol=0.003, rtol=0)


@pytest.mark.parametrize("name", ["mnist", "cifar10"])
def test_splits_share_no_picture_but_those_that_stand_twice_in_the_corpus(name, request):
    splits = request.getfixturevalue(name).splits
    pictures = {part: {row.tobytes() for row in split.pixels.flatten(1).numpy()} for part, split in splits.items()}
    shared = len(pictures["train"] & pictures["validation"]) + len(pictures["train"] & pictures["test"])
    assert shared <= len(splits["train"]) // 1000


def accuracy_after(model, data, *, num_examples, epochs, learning_rate):
    """Train on a part of the data, and see how many of the validation images are recognized."""
    mean, std = channel_statistics(data.splits["train"].images[:num_examples])
    (images, labels), validation = (
        (normalize(data.splits[part].images[rows], mean=mean, std=std), data.splits[part].labels[rows])
        for part, rows in (("train", slice(num_examples)), ("validation", slice(1_000)))
    )
    recipe = Recipe(
        optimizer=lambda model: torch.optim.AdamW(model.parameters(), lr=learning_rate),
        epochs=epochs,
        schedule=one_cycle(),
    )
    augment = on_images(random_flip) if data.name.startswith("cifar") else None
    fit(model, Batches(images, labels, batch_size=64, shuffle=True, augment=augment), losses, recipe=recipe)
    scores = {"accuracy": lambda model, batch: correct(model(batch[0]), batch[1])}
    return evaluate(model, Batches(*validation, batch_size=500), scores)["accuracy"]


def losses(model, batch):
    return F.cross_entropy(model(batch[0]), batch[1], reduction="none")


def test_an_mlp_learns_to_read_mnist(mnist):
    seed_everything(0)
    assert accuracy_after(MLP(28 * 28), mnist, num_examples=7_200, epochs=3, learning_rate=3e-3) > 0.9


@pytest.mark.parametrize(("make", "learning_rate"), [(TextbookCNN, 2e-3), (SmallResNet, 1e-2)])
def test_a_cnn_sees_more_than_colors_in_cifar10(cifar10, make, learning_rate):
    seed_everything(0)
    assert accuracy_after(make(), cifar10, num_examples=6_000, epochs=3, learning_rate=learning_rate) > 0.4
