"""Lesson 06: its references held to torch, scikit-learn, the library's own networks, and counting by hand."""

import itertools

import pytest
import sklearn.metrics
import torch
import torch.nn.functional as F
from torch import nn

from course_lib.exercises.registry import load_lesson
from course_lib.medical_models import UpBlock
from course_lib.metrics import dice

REFERENCES = {name: exercise.reference for name, exercise in load_lesson("medical_imaging").exercises.items()}
weighted_bce_with_logits, roc_auc, threshold_for_recall, dice_loss, unet_up_block, NoduleClassifier = (
    REFERENCES[name]
    for name in (
        "weighted_bce_with_logits",
        "roc_auc",
        "threshold_for_recall",
        "dice_loss",
        "unet_up_block",
        "NoduleClassifier",
    )
)


def random(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("pos_weight", [0.3, 1.0, 8.0])
def test_the_weighted_loss_and_its_gradient_are_torchs(pos_weight):
    ours = (30 * torch.randn(5, 7, dtype=torch.float64, generator=random())).requires_grad_()
    theirs = ours.detach().clone().requires_grad_()
    targets = torch.randint(2, (5, 7), generator=random(1)).double()
    loss = nn.BCEWithLogitsLoss(pos_weight=torch.tensor(pos_weight, dtype=torch.float64), reduction="none")
    mine, other = weighted_bce_with_logits(ours, targets, pos_weight=pos_weight), loss(theirs, targets)
    torch.testing.assert_close(mine, other, rtol=1e-12, atol=1e-14)
    mine.sum().backward()
    other.sum().backward()
    torch.testing.assert_close(ours.grad, theirs.grad, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("levels", [2, 5, 10_000])
@pytest.mark.parametrize("seed", range(5))
def test_the_area_is_scikit_learns_with_and_without_ties(levels, seed):
    labels = torch.randint(2, (90,), generator=random(seed))
    scores = (torch.rand(90, generator=random(seed + 50)) * levels).floor() + labels
    assert roc_auc(scores, labels) == pytest.approx(sklearn.metrics.roc_auc_score(labels, scores), abs=1e-12)


def test_the_threshold_follows_its_definition_on_every_small_case():
    for places in itertools.product([0.1, 0.5, 0.9], repeat=4):
        scores, labels = torch.tensor([*places, 0.7, 0.3], dtype=torch.float64), torch.tensor([1, 1, 1, 1, 0, 0])
        for recall in (0.2, 0.25, 0.5, 0.6, 0.75, 1.0):
            enough = [t for t in places if sum(place >= t for place in places) / 4 >= recall]
            assert threshold_for_recall(scores, labels, recall=recall) == max(enough)


def test_a_recall_that_is_a_count_is_met_by_just_that_many():
    scores, labels = torch.arange(10, dtype=torch.float64), torch.ones(10, dtype=torch.int64)
    for count in range(1, 11):
        assert threshold_for_recall(scores, labels, recall=count / 10) == 10 - count


def test_dice_loss_of_sure_masks_is_one_minus_the_dice_score():
    drawn, true = (torch.rand(6, 1, 5, 7, generator=random(seed)) < 0.4 for seed in (0, 1))
    loss = dice_loss(200 * drawn.double() - 100, true.double(), smooth=1e-12)
    torch.testing.assert_close(1 - loss, dice(drawn, true).double(), rtol=1e-6, atol=1e-6)


def test_dice_is_scikit_learns_f1_of_the_pixels():
    drawn, true = (torch.rand(5, 1, 6, 6, generator=random(seed)) < 0.5 for seed in (2, 3))
    theirs = [sklearn.metrics.f1_score(t.flatten(), d.flatten()) for d, t in zip(drawn, true, strict=True)]
    assert dice(drawn, true).tolist() == pytest.approx(theirs, abs=1e-6)


@pytest.mark.parametrize("odd", [(0, 0), (1, 0), (0, 1), (1, 1)])
def test_the_up_block_is_the_librarys(odd):
    coarse, skip = torch.randn(2, 3, 4, 5), torch.randn(2, 2, 8 + odd[0], 10 + odd[1])
    block = UpBlock(3, 2).eval()
    with torch.no_grad():
        ours = F.relu(block.norm(unet_up_block(coarse, skip, block.convolve.weight)))
        torch.testing.assert_close(ours, block(coarse, skip))


def test_the_repaired_classifier_learns_two_pictures_by_heart():
    torch.manual_seed(0)
    model = NoduleClassifier()
    pictures, targets = torch.rand(2, 1, 224, 224), torch.tensor([[1.0], [0.0]])
    pictures[0, 0, 80:120, 90:140] += 1
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    for _ in range(20):
        loss = F.binary_cross_entropy_with_logits(model(pictures), targets)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    assert loss.item() < 0.1
