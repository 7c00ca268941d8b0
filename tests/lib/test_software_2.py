"""The references of lesson 01, held to scikit-learn and to counting by hand."""

import pytest
import sklearn.metrics
import torch
from sklearn.model_selection import StratifiedShuffleSplit

from course_lib.exercises.registry import load_lesson

REFERENCES = {name: exercise.reference for name, exercise in load_lesson("software_2").exercises.items()}
accuracy, confusion_matrix, stratified_split = (
    REFERENCES[name] for name in ("accuracy", "confusion_matrix", "stratified_split")
)


def random_labels(*shape, seed, num_classes=10):
    return torch.randint(num_classes, shape, generator=torch.Generator().manual_seed(seed))


def random_collection(class_sizes, *, copies=0, seed=0):
    """Pictures in random order, `copies` of them twice or more."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.cat([torch.full((size,), label) for label, size in enumerate(class_sizes)])
    images = torch.rand(len(labels), 4, 5, generator=generator)
    rows = torch.cat([torch.arange(len(labels)), torch.randint(len(labels), (copies,), generator=generator)])
    rows = rows[torch.randperm(len(rows), generator=generator)]
    return images[rows], labels[rows]


@pytest.mark.parametrize("seed", range(5))
def test_accuracy_over_batches_is_scikit_learns_over_all(seed):
    predictions, labels = random_labels(2, 101, seed=seed, num_classes=3)
    batches = zip(predictions.split(32), labels.split(32), strict=True)  # the last one holds 5
    assert accuracy(batches) == pytest.approx(sklearn.metrics.accuracy_score(labels, predictions), rel=1e-12)


@pytest.mark.parametrize("seed", range(5))
def test_the_confusion_matrix_is_scikit_learns(seed):
    predictions, labels = random_labels(2, 200, seed=seed, num_classes=6)
    expected = sklearn.metrics.confusion_matrix(labels, predictions, labels=range(8))  # 6 and 7 never occur
    assert confusion_matrix(predictions, labels, num_classes=8).tolist() == expected.tolist()


def test_the_diagonal_of_the_confusion_matrix_is_the_accuracy():
    predictions, labels = random_labels(2, 50, seed=0, num_classes=2)
    matrix = confusion_matrix(predictions, labels, num_classes=2)
    assert matrix.trace().item() / matrix.sum().item() == accuracy([(predictions, labels)])


@pytest.mark.parametrize("seed", range(3))
def test_each_part_has_as_many_of_each_class_as_scikit_learns(seed):
    images, labels = random_collection([60, 20, 100])
    split = StratifiedShuffleSplit(n_splits=1, train_size=0.8, test_size=0.2, random_state=seed)
    ((train, test),) = split.split(images.flatten(1), labels)
    parts = stratified_split(images, labels, fractions=(0.8, 0.2), seed=seed)
    assert [labels[part].bincount().tolist() for part in parts] == [
        labels[part].bincount().tolist() for part in (train, test)
    ]


@pytest.mark.parametrize("seed", range(3))
def test_each_row_stands_in_one_part_and_no_picture_in_two(seed):
    images, labels = random_collection([13, 8, 21], copies=30, seed=seed)
    parts = stratified_split(images, labels, seed=seed)
    assert sorted(torch.cat(parts).tolist()) == list(range(len(labels)))
    for part in parts:
        inside = set(part.tolist())
        for row in range(len(labels)):
            twins = {other for other in range(len(labels)) if torch.equal(images[other], images[row])}
            assert twins <= inside or not twins & inside


def test_the_split_is_random_and_its_seed_decides():
    images, labels = random_collection([40, 40])
    first, again, other = (stratified_split(images, labels, seed=seed)[0].tolist() for seed in (1, 1, 2))
    assert first == again
    assert set(first) != set(other)


def test_every_row_is_as_likely_as_any_other_to_be_tested():
    images, labels = random_collection([10, 10])
    times = torch.zeros(20)
    for seed in range(400):
        times[stratified_split(images, labels, seed=seed)[-1]] += 1
    assert times.mean() == 80  # a fifth of 400; five standard deviations are 40
    assert (times - 80).abs().max() < 40
