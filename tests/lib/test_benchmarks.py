"""The benchmarks' own arithmetic, the page that is drawn from them, and the GPU benchmark's path, on tiny data."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from benchmarks import cifar_cpu, cifar_gpu
from benchmarks.cifar_speed import Lookahead, Plan, optimizer_of, run, timed, training_batches
from benchmarks.curves import best_row, costs_of_epochs, most_accurate, quickest, seconds_to, spread
from benchmarks.draw_results import SECTIONS, draw, read_results
from benchmarks.stand_ins import read_tensors

ROOT = Path(__file__).resolve().parents[2]
KINDS = ("pixels", "labels")
TINY = Plan(widths=(8, 8, 8), sizes=(24, 32), batch_size=20)


def curve(*points, test=0.5):
    """A run from (CPU seconds so far, accuracy) pairs; wall seconds are twice the CPU's."""
    rows = [{"cpu_s": cpu, "wall_s": 2 * cpu, "accuracy": accuracy} for cpu, accuracy in points]
    return {"rows": rows, "test_accuracy": test, "validation_cpu_s": 1.0, "parameters": 122}


@pytest.fixture
def splits():
    generator = torch.Generator().manual_seed(0)
    counts = {"train": 60, "validation": 20, "test": 20}
    return {
        name: (
            torch.randint(256, (count, 3, 32, 32), generator=generator, dtype=torch.uint8),
            torch.randint(10, (count,), generator=generator),
        )
        for name, count in counts.items()
    }


def test_a_goal_is_reached_at_the_end_of_the_first_epoch_that_has_it():
    rows = curve((10, 0.5), (20, 0.8), (30, 0.79))["rows"]
    assert [seconds_to(goal, rows) for goal in (50, 79, 80, 81)] == [10, 20, 20, None]
    assert seconds_to(80, rows, key="wall_s") == 40


def test_the_quickest_plan_must_reach_the_goal_in_every_run():
    plans = {"lucky": [curve((5, 0.8)), curve((5, 0.7))], "sure": [curve((9, 0.8)), curve((7, 0.9))]}
    assert quickest(80, plans) == "sure"
    assert quickest(70, plans) == "lucky"
    assert quickest(95, plans) is None
    assert most_accurate(plans) == "sure"


def test_epochs_cost_what_they_add_and_validation_chooses_among_them():
    a_run = curve((3, 0.5), (7, 0.8), (12, 0.6))
    assert costs_of_epochs(a_run["rows"]) == [3, 4, 5]
    assert best_row(a_run)["cpu_s"] == 7


def test_a_spread_is_a_mean_between_its_ends_and_none_where_a_value_is_missing():
    assert spread("s", [1.0, 2.0, 6.04], digits=1) == {"s": 3.0, "s_min": 1.0, "s_max": 6.0}
    assert spread("s", [1.0, None], digits=1) == {"s": None}


def test_what_validation_takes_is_not_in_the_training_time():
    started, train, validation = (100.0, 0.0), [(103.0, 4.0), (120.0, 50.0)], [(110.0, 24.0), (126.0, 62.0)]
    rows = timed(started, train, validation)
    assert rows == [{"cpu_s": 10.0, "wall_s": 24.0}, {"cpu_s": 16.0, "wall_s": 36.0}]


def test_costs_are_told_in_epochs_of_the_peer_with_the_same_seed():
    keras = [curve((10, 0.5), (20, 0.66)), curve((20, 0.5), (40, 0.64))]
    ours = {"dash": [curve((15, 0.71), test=0.7), curve((50, 0.72), test=0.6)]}
    figures = cifar_cpu.figures_of(ours, keras)
    assert figures["keras_cpu_s_per_epoch"] == 15
    assert [figures[f"to_70_in_keras_epochs{end}"] for end in ("", "_min", "_max")] == [2.0, 1.5, 2.5]
    assert figures["keras_cpu_s_to_65"] is None and figures["ours_cpu_s_to_86"] is None
    assert figures["ours_best_test"] == 0.65 and figures["keras_best_test"] == 0.5


def a_result(figures):
    machine = {"cpu": "a CPU", "cores": 2, "memory_gb": 8.0, "gpu": None}
    return {
        "date": "2026-01-01",
        "machine": machine,
        "versions": {"python": "3.11", "skorch": None},
        "figures": figures,
    }


def test_the_page_says_what_was_reached_what_was_not_and_what_was_not_measured():
    keras = [curve((10, 0.5), (20, 0.66))] * 2
    ours = {"dash": [curve((25, 0.71))] * 2, "sprint": [curve((25, 0.6), (60, 0.81))] * 2}
    about = {"ours_precision": "bf16", "keras": "3.15", "tensorflow": "2.21"} | spread("load", [1.0], digits=1)
    page = draw({"cifar_cpu": a_result(cifar_cpu.figures_of(ours, keras) | about)})
    assert "| 70 % | dash | 25.0 (25.0 to 25.0) |" in page and "2.50 (2.50 to 2.50) | ≤ 3: reached |" in page
    assert "6.00 (6.00 to 6.00) | ≤ 5: **not reached** |" in page  # 80 %
    assert "| 86 % | – | not reached | not reached | not reached | not reached | ≤ 16: **not reached** |" in page
    assert "**not reached**: 38.8 points are missing" in page
    assert "Not measured: no GPU" in page and page.count("Not measured yet.") == len(SECTIONS) - 2
    assert "Not measured yet: `run`, `marathon`." in page


def test_results_md_is_what_the_benchmarks_measured():
    written = (ROOT / "RESULTS.md").read_text(encoding="utf-8")
    assert written == draw(read_results(ROOT / "benchmarks" / "results")), "python -m benchmarks.draw_results"


def test_a_scaled_loss_trains_the_same_net(splits):
    weights = {}
    for scale in (1.0, 1024.0):
        made = []

        def make(images, *, widths, made=made):
            made.append(cifar_gpu.FastResNet(images, widths=widths))
            return made[0]

        result = run(TINY, splits, seed=3, scale=scale, make_model=make)
        weights[scale] = torch.cat([each.flatten() for each in made[0].state_dict().values()])
    torch.testing.assert_close(weights[1024.0], weights[1.0], rtol=1e-3, atol=1e-4)
    assert len(result["rows"]) == 2 and 0 <= result["test_accuracy"] <= 1


def test_biases_learn_faster_and_every_parameter_that_learns_is_there():
    model = cifar_gpu.FastResNet(None, widths=(8, 8, 8))
    biases, weights = optimizer_of(model, plan=TINY, steps=6).param_groups
    assert biases["lr"] == 64 * weights["lr"]
    learned = {id(parameter) for parameter in model.parameters() if parameter.requires_grad}
    assert {id(parameter) for group in (biases, weights) for parameter in group["params"]} == learned


def test_lookahead_moves_to_a_mean_that_follows_ever_more_slowly():
    weight = nn.Parameter(torch.zeros(1))
    optimizer = Lookahead([{"params": [weight]}], steps=10, lr=1.0)
    seen = []
    for _ in range(10):
        weight.grad = -torch.ones(1)  # one step up each time
        optimizer.step()
        seen.append(weight.item())
    at_five = (1 - 0.95**5 / 8) * 5
    assert seen[:5] == pytest.approx([1, 2, 3, 4, at_five])
    assert seen[9] == pytest.approx(0.95**5 * at_five + (1 - 0.95**5) * (at_five + 5))


def test_an_image_is_mirrored_in_every_other_epoch():
    pixels = torch.zeros(40, 3, 32, 32, dtype=torch.uint8)
    pixels[..., 16:] = 255  # the right half is bright, wherever a shift by two pixels brings it
    batches = training_batches(pixels, torch.arange(40), lambda pixels: pixels.float(), plan=TINY, seed=0)
    mirrored = []
    for epoch in (0, 1):
        images, numbers = (torch.cat(parts) for parts in zip(*batches.epoch(epoch), strict=True))
        assert images.shape[-1] == TINY.sizes[epoch]
        half = images.shape[-1] // 2
        mirrored.append((images[..., :half].mean((1, 2, 3)) > images[..., half:].mean((1, 2, 3)))[numbers.argsort()])
    assert torch.equal(mirrored[0], ~mirrored[1])
    assert 0 < mirrored[0].sum() < 40


def test_the_gpu_benchmark_goes_all_its_way(splits, monkeypatch):
    compiled = []
    monkeypatch.setattr(nn.Module, "compile", lambda module: compiled.append(type(module)))
    contestants = {name: (make, TINY) for name, (make, _) in cifar_gpu.CONTESTANTS.items()}
    variants = [("speed_run", "fp32", False), ("ours", "bf16", True), ("ours_long", "bf16", False)]
    figures = cifar_gpu.measure(contestants, splits, variants=variants, seeds=(0, 1))
    assert compiled == [nn.Sequential]  # once, although there are three runs
    for name in ("speed_run_fp32", "ours_bf16_compiled", "ours_long_bf16"):
        assert figures[f"{name}_s_min"] <= figures[f"{name}_s"] <= figures[f"{name}_s_max"]
        assert 0 <= figures[f"{name}_best_test"] <= 1 and figures[f"{name}_first_run_s"] > 0
        assert f"{name}_s_to_90" in figures
    page = draw({"cifar_gpu": a_result({"data": "cifar10", **figures})})
    assert "| ours_bf16_compiled | " in page


def test_the_second_run_on_one_model_starts_from_fresh_weights(splits):
    make, models, weights = cifar_gpu.maker(cifar_gpu.SpeedRunNet, "fp32", compiled=False), [], []

    def remembered(images, **widths):
        models.append(make(images, **widths))
        return models[-1]

    for _ in range(2):
        run(TINY, splits, seed=1, make_model=remembered)
        weights.append({name: value.clone() for name, value in models[-1].state_dict().items()})
    assert models[0] is models[1]
    assert all(torch.equal(weights[0][name], value) for name, value in weights[1].items())


def test_the_speed_runs_net_has_no_shortcuts():
    stage = cifar_gpu.SpeedRunNet(None, widths=(8, 8, 8)).stages[0].eval()
    nn.init.zeros_(stage.conv2.weight)
    assert stage(torch.randn(2, 24, 8, 8)).abs().max() == 0


def test_every_variant_is_measured_once():
    variants = cifar_gpu.all_variants(list(cifar_gpu.CONTESTANTS))
    assert len(set(variants)) == len(variants) == 2 * 3 * 2 + 1


def test_prepared_tensors_are_read_without_safetensors(tmp_path):
    tensors = {"a.pixels": torch.arange(24, dtype=torch.uint8).view(2, 3, 2, 2), "a.labels": torch.tensor([7, -1])}
    save_file({**tensors, "b": torch.tensor([0.5])}, tmp_path / "x.safetensors", metadata={"made": "here"})
    found = read_tensors(tmp_path / "x.safetensors")
    assert sorted(found) == ["a.labels", "a.pixels", "b"]
    assert all(torch.equal(found[name], tensor) for name, tensor in tensors.items())


BARE = """
import sys
from importlib import util
absent = {"tqdm", "psutil", "safetensors", "accelerate", "filelock", "pooch", "sklearn", "scipy", "PIL", "matplotlib"}
class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in absent:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Blocker())
found = util.find_spec
util.find_spec = lambda name, *rest: None if name in absent else found(name, *rest)
from benchmarks import cifar_gpu
from benchmarks.cifar_speed import Plan
name, splits = cifar_gpu.prepared_cifar10()
ours = {"ours": (cifar_gpu.FastResNet, Plan(widths=(8, 8, 8), sizes=(32,), batch_size=20))}
figures = cifar_gpu.measure(ours, splits, variants=[("ours", "bf16", False)], seeds=(0,))
result = cifar_gpu.report("x", figures, folder=cifar_gpu.data_dir())
print(name, cifar_gpu.MISSING, result["figures"]["ours_bf16_best_test"])
"""


@pytest.mark.slow
def test_the_gpu_benchmark_needs_only_torch_and_the_data(splits, tmp_path, monkeypatch):
    tensors = {f"{name}.{kind}": split[number] for name, split in splits.items() for number, kind in enumerate(KINDS)}
    save_file(tensors, tmp_path / "cifar10_images.safetensors")
    monkeypatch.setenv("COURSE_DATA", str(tmp_path))
    ended = subprocess.run([sys.executable, "-c", BARE], cwd=ROOT, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    assert "cifar10_images ['tqdm', 'psutil', 'safetensors'] 0." in ended.stdout
