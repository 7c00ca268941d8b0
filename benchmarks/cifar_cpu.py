"""CIFAR-10 on a laptop's processor: what our net and loop cost until 65, 70, 80 and 86 %, beside the textbook's CNN.

    python -m benchmarks.cifar_cpu

The data are `course data cifar10_images`; the peer, in Keras and TensorFlow, runs in an environment of its own (see
benchmarks/requirements.txt; `--peer PYTHON` takes another one). Every run is a process with one thread, ours and the
peer's in turns, three seeds each. CPU seconds are those of the whole process in training, from raw pixels on; what
validation takes stands apart, for both. Validation images are cut from the training images; test images are looked at
once, at the end of a run. A plan's length is fixed before it starts (its learning rate makes one cycle), so each goal
is given to the plan that reaches it for the fewest CPU seconds, on validation images and in all seeds. `--plans` runs
some of the plans alone, and `--go-on` keeps the runs of an earlier command.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.cifar_speed import Plan, run
from benchmarks.curves import Run, best_row, costs_of_epochs, most_accurate, quickest, seconds_to, spread
from benchmarks.report import report
from course_lib.datasets import load
from course_lib.device import fast_precision
from course_lib.paths import checkout, write_atomically

PLANS = {
    "dash": Plan(widths=(32, 96, 128), sizes=(32,)),
    "sprint": Plan(widths=(32, 96, 128), sizes=(24, 24, 32)),
    "run": Plan(widths=(32, 96, 128), sizes=(24,) * 5 + (28, 28, 32, 32), decay=1.5e-3, lookahead=True),
    "marathon": Plan(widths=(64, 128, 256), sizes=(24,) * 10 + (28,) * 3 + (32,) * 3, decay=2e-3, lookahead=True),
}
SEEDS, GOALS, KERAS_EPOCHS = (0, 1, 2), (65, 70, 80, 86), 8
TARGETS = {70: 3, 80: 5, 86: 16}  # percent: at most so many of the peer's epochs' worth of CPU seconds
HOPED_FOR = 88.8  # percent: what the usual ResNet-50 walk-through claims
DATA = "cifar10_images"
# One thread, no progress bar, and a C library that keeps the memory it has got: the same for ours and for the peer.
ENVIRONMENT = {
    "OMP_NUM_THREADS": "1",
    "TQDM_DISABLE": "1",
    "MALLOC_MMAP_THRESHOLD_": str(2**32),
    "MALLOC_TRIM_THRESHOLD_": str(2**32),
}


def figures_of(ours: dict[str, list[Run]], keras: list[Run]) -> dict[str, Any]:
    """What the runs say; the n-th run of each plan is compared with the n-th of the peer.

    Args:
        ours: runs by plan, in the order of the seeds.
        keras: the peer's runs, in the same order.
    """
    an_epoch = [statistics.median(costs_of_epochs(each["rows"])) for each in keras]
    figures = {"seeds": len(keras)} | spread("keras_cpu_s_per_epoch", an_epoch, digits=2)
    for goal in GOALS:
        figures |= spread(f"keras_cpu_s_to_{goal}", [seconds_to(goal, each["rows"]) for each in keras], digits=1)
        name = figures[f"plan_to_{goal}"] = quickest(goal, ours)
        runs = ours[name] if name else [{"rows": []}]
        cpu, wall = ([seconds_to(goal, each["rows"], key=key) for each in runs] for key in ("cpu_s", "wall_s"))
        ratios = [mine / theirs for mine, theirs in zip(cpu, an_epoch, strict=True)] if name else [None]
        figures |= spread(f"ours_cpu_s_to_{goal}", cpu, digits=1) | spread(f"ours_wall_s_to_{goal}", wall, digits=1)
        figures |= spread(f"to_{goal}_in_keras_epochs", ratios, digits=2)
    best = most_accurate(ours)
    figures |= {"best_plan": best} | spread("ours_best_test", [each["test_accuracy"] for each in ours[best]], digits=4)
    for name, runs in {"keras": keras, **ours}.items():
        figures |= of_plan(name, runs)
    return figures


def of_plan(name: str, runs: list[Run]) -> dict[str, Any]:
    """Costs and accuracies of the runs of one plan, each chosen by validation."""
    figures = {f"{name}_parameters": runs[0]["parameters"], f"{name}_epochs": len(runs[0]["rows"])}
    figures |= spread(f"{name}_cpu_s", [each["rows"][-1]["cpu_s"] for each in runs], digits=1)
    figures |= spread(f"{name}_wall_s", [each["rows"][-1]["wall_s"] for each in runs], digits=1)
    figures |= spread(f"{name}_validation_cpu_s", [each["validation_cpu_s"] for each in runs], digits=1)
    figures |= spread(f"{name}_best_validation", [best_row(each)["accuracy"] for each in runs], digits=4)
    figures |= spread(f"{name}_best_test", [each["test_accuracy"] for each in runs], digits=4)
    if "test_accuracy_with_flips" in runs[0]:
        figures |= spread(f"{name}_test_with_flips", [each["test_accuracy_with_flips"] for each in runs], digits=4)
    return figures


def our_run(plan: str, seed: int) -> Run:
    """One run, in this process. Processors that multiply bf16 matrices in hardware do so; others take float32."""
    torch.set_num_threads(1)
    splits = {name: (split.pixels, split.labels) for name, split in load(DATA).splits.items()}
    precision = fast_precision()
    return run(PLANS[plan], splits, seed=seed, precision=precision) | {"precision": precision}


def in_turns(peer: Path, folder: Path, *, plans: list[str], keep: bool) -> tuple[dict[str, list[Run]], list[Run]]:
    """All the runs, seed by seed, each in a process of its own, ours and the peer's one after the other."""
    with tempfile.TemporaryDirectory() as temporary:
        arrays = Path(temporary) / "images.npz"
        save_for_the_peer(arrays)
        command = [str(peer), str(checkout() / "benchmarks" / "cifar_keras.py"), str(arrays)]
        ours: dict[str, list[Run]] = {name: [] for name in plans}
        keras = []
        for seed in SEEDS:
            peers_turn = [*command, "--seed", str(seed), "--epochs", str(KERAS_EPOCHS)]
            keras.append(finished(peers_turn, folder / f"keras_{KERAS_EPOCHS}_{seed}.json", keep=keep))
            for name in plans:
                my_turn = [sys.executable, "-m", "benchmarks.cifar_cpu", "--one", name, str(seed)]
                ours[name].append(finished(my_turn, folder / f"{name}_{seed}.json", keep=keep))
    return ours, keras


def finished(command: list[str], kept: Path, *, keep: bool) -> Run:
    """What a command printed as its last line, or what it did when it ran before."""
    if keep and kept.exists():
        return json.loads(kept.read_text(encoding="utf-8"))
    load_before = os.getloadavg()[0]
    said = subprocess.run(
        command, check=True, stdout=subprocess.PIPE, text=True, cwd=checkout(), env={**os.environ, **ENVIRONMENT}
    ).stdout
    result = json.loads(said.splitlines()[-1]) | {"load": (load_before + os.getloadavg()[0]) / 2}
    write_atomically(kept, json.dumps(result))
    print(kept.stem, [round(row["accuracy"], 4) for row in result["rows"]], result["rows"][-1], file=sys.stderr)
    return result


def save_for_the_peer(path: Path) -> None:
    """The very same images and labels, in the layout that TensorFlow likes."""
    arrays = {}
    for name, split in load(DATA).splits.items():
        arrays[f"{name}_images"] = split.pixels.permute(0, 2, 3, 1).contiguous().numpy()
        arrays[f"{name}_labels"] = split.labels.numpy()
    np.savez(path, **arrays)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--peer", type=Path, default=checkout() / ".venv-benchmarks" / "bin" / "python")
    parser.add_argument("--plans", nargs="+", choices=PLANS, default=list(PLANS))
    parser.add_argument("--go-on", action="store_true", help="keep the runs of an earlier command")
    parser.add_argument("--one", nargs=2, metavar=("PLAN", "SEED"), help="one run of ours, printed and not kept")
    options = parser.parse_args()
    if options.one:
        print(json.dumps(our_run(options.one[0], int(options.one[1]))))
        return
    if not options.peer.exists():
        parser.error(
            f"{options.peer} is not there: benchmarks/requirements.txt says how to make the peers' environment"
        )
    ours, keras = in_turns(
        options.peer, checkout() / "artifacts" / "cifar_cpu", plans=options.plans, keep=options.go_on
    )
    runs = [*keras, *(each for several in ours.values() for each in several)]
    about = {"ours_precision": next(iter(ours.values()))[0]["precision"], "threads": 1} | keras[0]["versions"]
    report("cifar_cpu", figures_of(ours, keras) | about | spread("load", [each["load"] for each in runs], digits=1))


if __name__ == "__main__":
    main()
