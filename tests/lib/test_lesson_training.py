"""Lesson 03: its references held to torch, scikit-learn, the library's own loop, and counting by hand."""

import itertools
import math

import pytest
import sklearn.metrics
import torch
import torch.nn.functional as F
from torch import nn

from course_lib.batches import Batches
from course_lib.exercises.registry import load_lesson
from course_lib.training import Recipe, fit

REFERENCES = {name: exercise.reference for name, exercise in load_lesson("training").exercises.items()}
train_one_epoch, adamw_step, early_stopping, dropout, precision_recall_f1 = (
    REFERENCES[name] for name in ("train_one_epoch", "adamw_step", "early_stopping", "dropout", "precision_recall_f1")
)


def make_model():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Dropout(0.3), nn.Linear(16, 3))


def make_batches():
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randn(103, 6, generator=generator)  # 103 is prime: the last batch is always short
    return Batches(inputs, inputs[:, :3].argmax(dim=1), batch_size=16, shuffle=True)


def losses_fn(model, batch):
    inputs, targets = batch
    return F.cross_entropy(model(inputs), targets, reduction="none")


def make_adamw(model):
    return torch.optim.AdamW(model.parameters(), lr=1e-2)


def test_the_loop_and_the_librarys_fit_give_the_same_weights_bit_for_bit():
    ours, theirs, batches, epochs = make_model(), make_model(), make_batches(), range(3)
    torch.manual_seed(1)  # for dropout
    history = fit(theirs, batches, losses_fn, recipe=Recipe(make_adamw, epochs=3, max_norm=None))
    torch.manual_seed(1)
    optimizer = make_adamw(ours)
    losses = [train_one_epoch(ours, batches.epoch(epoch), losses_fn, optimizer=optimizer) for epoch in epochs]
    for mine, other in zip(ours.parameters(), theirs.parameters(), strict=True):
        assert torch.equal(mine, other)
    assert losses == pytest.approx(history["train_loss"], rel=1e-6)


def test_the_mean_loss_is_that_of_all_examples_together():
    model, batches = make_model(), make_batches()
    model[2].p = 0.0
    still = torch.optim.SGD(model.parameters(), lr=0.0)
    exact = losses_fn(model, batches.tensors).mean().item()
    assert train_one_epoch(model, batches, losses_fn, optimizer=still) == pytest.approx(exact, rel=1e-6)


def test_the_loop_ends_in_training_mode_with_cleared_gradients():
    model = make_model().eval()
    train_one_epoch(model, make_batches(), losses_fn, optimizer=make_adamw(model))
    assert model.training
    assert all(parameter.grad is None for parameter in model.parameters())


@pytest.mark.parametrize("weight_decay", [0.0, 0.01, 3.0])
@pytest.mark.parametrize("betas", [(0.9, 0.999), (0.5, 0.8)])
def test_adamw_step_is_torchs_adamw(weight_decay, betas):
    generator = torch.Generator().manual_seed(0)
    ours = torch.randn(4, 5, dtype=torch.float64, generator=generator)
    theirs = ours.clone().requires_grad_()
    state = {"step": 0, "mean": torch.zeros_like(ours), "square": torch.zeros_like(ours)}
    options = {"betas": betas, "eps": 1e-3, "weight_decay": weight_decay}
    optimizer = torch.optim.AdamW([theirs], lr=0.02, **options)
    for scale in 10.0 ** torch.arange(-4, 5, dtype=torch.float64):
        theirs.grad = scale * torch.randn(4, 5, dtype=torch.float64, generator=generator)
        adamw_step(ours, theirs.grad, state, learning_rate=0.02, **options)
        optimizer.step()
    torch.testing.assert_close(ours, theirs.detach(), rtol=1e-12, atol=1e-14)
    torch.testing.assert_close(state["square"], optimizer.state[theirs]["exp_avg_sq"], rtol=1e-12, atol=1e-14)


def test_the_defaults_of_adamw_step_are_torchs():
    ours = torch.linspace(-2, 2, 7, dtype=torch.float64)
    theirs = ours.clone().requires_grad_()
    theirs.grad = torch.linspace(1, -3, 7, dtype=torch.float64)
    adamw_step(ours, theirs.grad, {"step": 0, "mean": 0 * ours, "square": 0 * ours}, learning_rate=0.1)
    torch.optim.AdamW([theirs], lr=0.1).step()
    torch.testing.assert_close(ours, theirs.detach(), rtol=1e-12, atol=1e-14)


def test_the_mistake_of_decay_in_the_moments_is_torchs_adam_with_l2():
    mistakes = load_lesson("training").exercises["adamw_step"].mistakes
    wrong = mistakes["adamw_step_decays_through_the_moments"].implementation
    ours = torch.linspace(-2, 2, 7, dtype=torch.float64)
    theirs = ours.clone().requires_grad_()
    state = {"step": 0, "mean": torch.zeros_like(ours), "square": torch.zeros_like(ours)}
    optimizer = torch.optim.Adam([theirs], lr=0.1, weight_decay=0.5)
    for factor in (1.0, -0.3, 2.0):
        theirs.grad = factor * torch.linspace(1, -3, 7, dtype=torch.float64)
        wrong(ours, theirs.grad, state, learning_rate=0.1, weight_decay=0.5)
        optimizer.step()
    torch.testing.assert_close(ours, theirs.detach(), rtol=1e-10, atol=1e-12)


def stops_by_definition(losses, patience):
    """By brute force: the first epoch whose last `patience` losses all fail to beat the best one before them."""
    for end in range(1, len(losses) + 1):
        seen = losses[:end]
        best = min(range(end), key=lambda i: seen[i])  # the first of equals
        if end - (best + 1) >= patience or end == len(losses):
            return best + 1, end


def test_early_stopping_follows_its_definition_on_every_short_curve():
    for length in (1, 3, 5, 6):
        for losses in itertools.product([1.0, 2.0, 3.0], repeat=length):
            for patience in (1, 2, 3):
                assert early_stopping(losses, patience=patience) == stops_by_definition(losses, patience)


def test_early_stopping_stops_where_fit_does():
    validation = [1.0, 0.8, 0.9, 0.7, 0.75, 0.72, 0.71, 0.1]
    scores = iter(validation)

    def score(model, batch):
        return torch.full((1,), next(scores))

    model, one = nn.Linear(1, 1), torch.ones(1, 1)
    recipe = Recipe(make_adamw, epochs=8, scores={"our_loss": score}, monitor="our_loss", patience=3)
    data = Batches(one, batch_size=1)
    history = fit(model, data, lambda model, batch: model(batch[0])[:, 0], recipe=recipe, validation=data)
    assert early_stopping(validation, patience=3) == (history.best_epoch, len(history.rows))


def test_early_stopping_never_takes_nan_for_the_best():
    assert early_stopping([math.nan, 2.0, math.nan, math.nan], patience=2) == (2, 4)
    assert early_stopping([math.nan] * 5, patience=3) == (0, 3)


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9])
def test_dropout_drops_the_share_that_torch_drops_and_keeps_the_mean(rate):
    inputs = torch.ones(400, 500, dtype=torch.float64)
    torch.manual_seed(0)
    ours = dropout(inputs, torch.rand_like(inputs), rate=rate)
    theirs = F.dropout(inputs, rate)
    deviation = math.sqrt(rate * (1 - rate) / inputs.numel())  # of the share that is dropped
    for outputs in (ours, theirs):
        assert abs((outputs == 0).double().mean().item() - rate) < 6 * deviation
        assert abs(outputs.mean().item() - 1) < 6 * deviation / (1 - rate)
    assert ours.unique().tolist() == pytest.approx(theirs.unique().tolist())


def test_dropout_keeps_the_precision_of_its_inputs():
    for dtype in (torch.float32, torch.float64, torch.bfloat16):
        assert dropout(torch.ones(5, dtype=dtype), torch.rand(5), rate=0.5).dtype == dtype


@pytest.mark.parametrize("seed", range(5))
def test_precision_recall_and_f1_are_scikit_learns(seed):
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(6, (80,), generator=generator)
    predictions = torch.where(torch.rand(80, generator=generator) < 0.6, labels, 5 - labels).clamp(min=1)
    *ours, macro = precision_recall_f1(predictions, labels, num_classes=8)  # 0 is never named, 6 and 7 don't occur
    options = {"labels": range(8), "zero_division": 0}
    expected = sklearn.metrics.precision_recall_fscore_support(labels, predictions, **options)[:3]
    for mine, theirs in zip(ours, expected, strict=True):
        assert mine.tolist() == pytest.approx(theirs.tolist(), abs=1e-6)
    assert macro == pytest.approx(sklearn.metrics.f1_score(labels, predictions, average="macro", **options), abs=1e-6)
    assert [each.dtype for each in ours] == [torch.float32] * 3
