"""The loop: equal to one written by hand, exact in its means, clear when something breaks."""

import math
import signal
import sys
import threading

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from course_lib.batches import Batches
from course_lib.errors import CourseError
from course_lib.metrics import correct
from course_lib.training import History, OutOfMemory, Recipe, TrainingDiverged, evaluate, fit
from course_lib.training.schedules import constant, cosine, one_cycle


@pytest.fixture
def data():
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randn(103, 6, generator=generator)  # 103 is prime: the last batch is always short
    return inputs, inputs[:, :3].argmax(dim=1)


def make_model():
    torch.manual_seed(1)
    return nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Dropout(0.2), nn.Linear(16, 3))


def losses_fn(model, batch):
    inputs, targets = batch
    return F.cross_entropy(model(inputs), targets, reduction="none")


def accuracy_fn(model, batch):
    return correct(model(batch[0]), batch[1])


def adam(model):
    return torch.optim.AdamW(model.parameters(), lr=1e-2)


def flat(model):
    return torch.cat([value.flatten() for value in model.state_dict().values()])


def test_fit_equals_the_loop_written_by_hand(data):
    ours, theirs = make_model(), make_model()
    torch.manual_seed(2)
    history = fit(ours, Batches(*data, batch_size=16, shuffle=True), losses_fn, recipe=Recipe(adam, epochs=3))
    torch.manual_seed(2)
    optimizer, means = adam(theirs), []
    for epoch in range(3):
        losses = []
        for batch in Batches(*data, batch_size=16, shuffle=True).epoch(epoch):
            losses.append(losses_fn(theirs, batch))
            losses[-1].mean().backward()
            nn.utils.clip_grad_norm_(theirs.parameters(), 1.0)
            optimizer.step()
            optimizer.zero_grad()
        means.append(torch.cat(losses).mean().item())
    assert torch.equal(flat(ours), flat(theirs))
    assert history["train_loss"] == pytest.approx(means, rel=1e-6)


def test_a_short_last_batch_weighs_what_it_should(data):
    model = make_model().eval()
    exact = losses_fn(model, data).mean().item()
    assert evaluate(model, Batches(*data, batch_size=50), {"loss": losses_fn})["loss"] == pytest.approx(exact, rel=1e-6)


def test_evaluation_leaves_the_model_in_the_mode_it_found(data):
    for training in (True, False):
        model = make_model().train(training)
        evaluate(model, Batches(*data, batch_size=50), {"loss": losses_fn})
        assert model.training is training


def test_a_batch_in_parts_gives_the_gradients_of_the_whole(data):
    models = []
    for parts in (1, 3):
        model = nn.Linear(6, 3)
        with torch.no_grad():
            model.weight.fill_(0.1), model.bias.zero_()
        fit(model, Batches(*data, batch_size=50), losses_fn, recipe=Recipe(adam, epochs=2, parts=parts))
        models.append(flat(model))
    torch.testing.assert_close(*models, rtol=1e-5, atol=1e-6)


def test_the_best_weights_are_restored_and_patience_ends_the_run(data):
    scores = iter([0.5, 0.9, 0.7, 0.6, 0.8])
    epoch_scores = {}

    def score(model, batch):
        key = flat(model).sum().item()
        epoch_scores.setdefault(key, next(scores) if key not in epoch_scores else None)
        return torch.full((len(batch[0]),), epoch_scores[key])

    model = make_model()
    recipe = Recipe(adam, epochs=5, scores={"score": score}, monitor="score", patience=2)
    history = fit(
        model, Batches(*data, batch_size=50), losses_fn, recipe=recipe, validation=Batches(*data, batch_size=200)
    )
    assert (history.best_epoch, history.stopped_early, len(history.rows)) == (2, True, 4)
    assert epoch_scores[flat(model).sum().item()] == 0.9
    assert history.best["score"] == pytest.approx(0.9)


def test_the_schedule_sets_the_rate_of_each_step(data):
    seen, optimizers = [], []

    def remember(model):
        optimizers.append(torch.optim.SGD(model.parameters(), lr=2.0))
        return optimizers[-1]

    def losses(model, batch):
        seen.append(optimizers[0].param_groups[0]["lr"])
        return losses_fn(model, batch) * 0

    fit(make_model(), Batches(*data, batch_size=52), losses, recipe=Recipe(remember, 2, lambda progress: 1 - progress))
    assert seen == pytest.approx([2.0, 1.5, 1.0, 0.5])


def test_schedules_go_where_they_say():
    rise_and_fall = one_cycle(warmup=0.25, first=0.1)
    assert [rise_and_fall(t) for t in (0, 0.25, 1)] == pytest.approx([0.1, 1, 0])
    assert [cosine(t) for t in (0, 0.5, 1)] == pytest.approx([1, 0.5, 0])
    assert constant(0.3) == 1


def test_a_loss_that_becomes_nan_stops_with_step_causes_and_checkpoint(data, tmp_path):
    def losses(model, batch):
        return losses_fn(model, batch) * (math.nan if torch.equal(batch[0][0], data[0][32]) else 1)

    with pytest.raises(TrainingDiverged, match=r"at step 3 of epoch 1.*learning rate \(0.01\).*step 2\)"):
        fit(
            make_model(), Batches(*data, batch_size=16), losses,
            recipe=Recipe(adam, 1, checkpoint_every=1), checkpoint=tmp_path / "run.safetensors",
        )  # fmt: skip


def test_nan_in_the_data_is_named_as_the_first_cause(data):
    data[0][40, 2] = math.nan
    with pytest.raises(TrainingDiverged, match=r"\(1\) the batch itself holds NaN"):
        fit(make_model(), Batches(*data, batch_size=16), losses_fn, recipe=Recipe(adam, 1))


def test_out_of_memory_says_which_batch_size_fits(data):
    def hungry(model, batch):
        if len(batch[0]) > 13:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return losses_fn(model, batch)

    with pytest.raises(OutOfMemory, match=r"with 64 examples; 8 fit. Use batch_size=8, .* Recipe\(parts=8\)"):
        fit(make_model(), Batches(*data, batch_size=64), hungry, recipe=Recipe(adam, 1))


def test_another_error_passes_through_and_names_the_checkpoint(data, tmp_path):
    def broken(model, batch):
        raise RuntimeError("DataLoader worker (pid 7) is killed by signal")

    with pytest.raises(RuntimeError, match="worker") as caught:
        fit(make_model(), Batches(*data, batch_size=64), broken, recipe=Recipe(adam, 1), checkpoint=tmp_path / "run")
    assert "resume=True" in caught.value.__notes__[0]


def test_stop_finishes_the_step_and_writes_a_checkpoint_to_resume_from(data, tmp_path):
    calls, before = [], signal.getsignal(signal.SIGINT)  # ignored where a shell runs this in the background

    def losses(model, batch):
        calls.append(1)
        if len(calls) == 5:
            signal.raise_signal(signal.SIGINT)
        return losses_fn(model, batch)

    path, recipe = tmp_path / "run.safetensors", Recipe(adam, 2)
    with pytest.raises(KeyboardInterrupt, match="after step 5 of epoch 1"):
        fit(make_model(), Batches(*data, batch_size=16), losses, recipe=recipe, checkpoint=path)
    history = fit(make_model(), Batches(*data, batch_size=16), losses_fn, recipe=recipe, checkpoint=path, resume=True)
    assert len(history.rows) == 2
    assert signal.getsignal(signal.SIGINT) is before


def test_fit_works_off_the_main_thread(data):
    histories = []
    thread = threading.Thread(
        target=lambda: histories.append(
            fit(make_model(), Batches(*data, batch_size=16), losses_fn, recipe=Recipe(adam, 1))
        )
    )
    thread.start()
    thread.join()
    assert len(histories[0].rows) == 1


def test_resume_without_a_checkpoint_or_with_another_runs_says_so(data, tmp_path):
    path, batches = tmp_path / "run.safetensors", Batches(*data, batch_size=16)
    with pytest.raises(CourseError, match="needs checkpoint=PATH"):
        fit(make_model(), batches, losses_fn, recipe=Recipe(adam, 1), resume=True)
    with pytest.raises(CourseError, match="no checkpoint at"):
        fit(make_model(), batches, losses_fn, recipe=Recipe(adam, 1), checkpoint=path, resume=True)
    fit(make_model(), batches, losses_fn, recipe=Recipe(adam, 1), checkpoint=path)
    with pytest.raises(CourseError, match="written by another run"):
        other = Batches(*data, batch_size=20)
        fit(make_model(), other, losses_fn, recipe=Recipe(adam, 1), checkpoint=path, resume=True)


def test_bf16_trains_and_two_precisions_may_follow_each_other(data):
    for precision in ("bf16", "fp32", "bf16"):
        history = fit(
            make_model(), Batches(*data, batch_size=16, shuffle=True), losses_fn,
            recipe=Recipe(adam, 8, precision=precision),
        )  # fmt: skip
        assert history["train_loss"][-1] < 0.8 * history["train_loss"][0]


class Witness(nn.Module):
    """Hands its input on and remembers the type in which it came."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def forward(self, hidden):
        self.seen.append(hidden.dtype)
        return hidden


def test_mixed_precision_lasts_through_every_epoch_and_ends_with_the_training(data):
    model, batches, recipe = (
        make_model().append(Witness()),
        Batches(*data, batch_size=50),
        Recipe(adam, 3, precision="bf16"),
    )
    fit(model, batches, losses_fn, recipe=recipe, validation=batches)
    assert model[-1].seen == [torch.bfloat16] * 3 * 6  # three batches to learn from and three to validate on
    assert model(data[0]).dtype == model[-1].seen[-1] == torch.float32


def test_a_resumed_run_keeps_its_precision(data, tmp_path):
    def broken_in_the_second_epoch(model, batch):
        if len(model[-1].seen) == 4:
            raise RuntimeError("a worker died")
        return losses_fn(model, batch)

    path, recipe, batches = tmp_path / "run", Recipe(adam, 3, precision="bf16"), Batches(*data, batch_size=50)
    with pytest.raises(RuntimeError, match="died"):
        fit(make_model().append(Witness()), batches, broken_in_the_second_epoch, recipe=recipe, checkpoint=path)
    model = make_model().append(Witness())
    fit(model, batches, losses_fn, recipe=recipe, checkpoint=path, resume=True)
    assert model[-1].seen == [torch.bfloat16] * 6


def test_the_progress_bar_can_be_silenced(data, monkeypatch, capsys):
    monkeypatch.delitem(sys.modules, "ipykernel", raising=False)
    said = {}
    for value in ("", "1"):
        monkeypatch.setenv("TQDM_DISABLE", value)
        fit(make_model(), Batches(*data, batch_size=50), losses_fn, recipe=Recipe(adam, epochs=1))
        said[value] = capsys.readouterr().err
    assert "step" in said[""]
    assert said["1"] == ""


@pytest.mark.parametrize("in_notebook", [True, False])
def test_the_progress_bar_is_no_error_message_in_a_notebook(data, monkeypatch, capsys, in_notebook):
    monkeypatch.delitem(sys.modules, "ipykernel", raising=False)
    if in_notebook:
        monkeypatch.setitem(sys.modules, "ipykernel", sys)
    monkeypatch.delenv("TQDM_DISABLE", raising=False)
    fit(make_model(), Batches(*data, batch_size=50), losses_fn, recipe=Recipe(adam, epochs=1))
    shown = capsys.readouterr()
    assert "step" in (shown.out if in_notebook else shown.err)
    assert (shown.err if in_notebook else shown.out) == ""


def test_history_saves_loads_plots_and_tells(tmp_path):
    history = History(
        [{"epoch": 1, "train_loss": 1.0, "accuracy": 0.5}, {"epoch": 2, "train_loss": 0.5, "accuracy": 0.8}], 2
    )
    history.save(tmp_path / "history.json")
    assert History.load(tmp_path / "history.json") == history
    assert [axes.get_ylabel() for axes in history.plot().axes] == ["loss per example", "score"]
    assert history.describe() == "Learning curve over 2 epochs: train loss from 1 to 0.5, accuracy from 0.5 to 0.8."
