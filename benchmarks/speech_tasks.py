"""Single words by real people: what `benchmarks.speech` measures on FSDD and Speech Commands, and how it splits them.

What is chosen (the plan of augmentation) is chosen by accuracy on validation clips or speakers. What leaves a speaker
out is in `benchmarks.speech_strangers`.
"""

import copy
from collections.abc import Sequence
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks.curves import spread
from benchmarks.speech_words import (
    NARROW,
    PLANS,
    Clips,
    Training,
    accuracy,
    prepare,
    train,
)
from course_lib.audio import SAMPLE_RATE
from course_lib.datasets import load
from course_lib.recordings import Recordings, join

SEEDS = (0, 1, 2)
REAL_EXAMPLES = (1, 5, 20)  # per digit
TUNINGS = {"gentle": Training(steps=150, rate=1e-3), "firm": Training(steps=500, rate=3e-3)}
FASTER = 5e-3  # learning rate for many versions of each clip: chosen on the validation speakers of Speech Commands
MARGIN = 0.03  # seconds of a generated clip that are kept before and after its word
Rows = list[int]
Figures = dict[str, Any]


@cache
def fsdd() -> tuple[Clips, dict[str, Rows]]:
    """All clips of FSDD, and which rows are "train", "validation" and "test"."""
    return joined("fsdd", num_mels=NARROW)


def joined(name: str, *, num_mels: int) -> tuple[Clips, dict[str, Rows]]:
    """A corpus with all its splits in one, in each plan's versions, and the rows of each split."""
    splits = load(name).splits
    whole = join(list(splits.values()))
    clips = prepare(whole.waveforms(), whole.labels, whole.speakers, num_mels=num_mels, plans=list(PLANS))
    return clips, ranges({part: len(split) for part, split in splits.items()})


def ranges(counts: dict[str, int]) -> dict[str, Rows]:
    """The rows of parts that stand one after the other."""
    rows, start = {}, 0
    for part, count in counts.items():
        rows[part] = list(range(start, start + count))
        start += count
    return rows


def rows_of(names: Sequence[str], wanted: Sequence[str]) -> Rows:
    """The rows at which one of the wanted names stands."""
    return [row for row, name in enumerate(names) if name in wanted]


def best_plan(scores: dict[str, float]) -> str:
    """The plan with the highest score; of equal ones the first."""
    return max(scores, key=scores.get)


def learn(clips: Clips, rows: Rows, plan: str, *, num_classes: int, training: Training) -> tuple[nn.Module, float]:
    """A new net, trained on some clips in the versions of a plan, and the CPU seconds that took."""
    features, targets = clips.features(rows, plan=plan), clips.targets(rows, plan=plan)
    return train(features, targets, num_classes=num_classes, training=training, masked=PLANS[plan].masked)


def by_validation(
    name: str, clips: Clips, parts: dict[str, Rows], *, num_classes: int, training: Training, trial: Training
) -> tuple[Figures, list[nn.Module]]:
    """Choose a plan on the validation clips; then learn from these too, and look at the test clips, once per seed.

    Args:
        name: of the figures.
        clips: all of them.
        parts: the rows of "train", "validation" and "test".
        num_classes: how many labels there are.
        training: of the nets that are tested.
        trial: of the nets between which validation chooses.
    """

    def tried(plan: str) -> float:
        model, _ = learn(clips, parts["train"], plan, num_classes=num_classes, training=trial)
        return accuracy(model, clips, parts["validation"])

    scores = {plan: tried(plan) for plan in PLANS}
    plan = best_plan(scores)
    rows = parts["train"] + parts["validation"]
    runs = [learn(clips, rows, plan, num_classes=num_classes, training=training.of(seed)) for seed in SEEDS]
    figures = {f"{name}_validation_{each}": round(score, 4) for each, score in scores.items()} | {f"{name}_plan": plan}
    figures |= spread(name, [accuracy(model, clips, parts["test"]) for model, _ in runs], digits=4)
    figures |= spread(f"{name}_train_cpu_s", [seconds for _, seconds in runs], digits=1)
    return figures, [model for model, _ in runs]


def fsdd_standard() -> Figures:
    """The official split: everybody is heard in training, but not these takes."""
    clips, parts = fsdd()
    training = Training(steps=900)
    figures, models = by_validation("fsdd_standard", clips, parts, num_classes=10, training=training, trial=training)
    return figures | {"word_reader_parameters": sum(each.numel() for each in models[0].parameters())}


def commands() -> Figures:
    """Twelve classes of Speech Commands; whoever is heard in the test is heard nowhere else."""
    clips, parts = joined("speech_commands", num_mels=40)
    training, trial = (Training(steps=steps, rate=FASTER) for steps in (1600, 800))
    figures, _ = by_validation("commands_speaker_split", clips, parts, num_classes=12, training=training, trial=trial)
    counts = {f"commands_{part}_clips": len(rows) for part, rows in parts.items()}
    return figures | counts


def others(people: Sequence[str], *left_out: str) -> list[str]:
    """Everybody else."""
    return [person for person in people if person not in left_out]


def synthetic() -> Figures:
    """From generated voices to real people, with k real clips of each digit besides; and from these alone."""
    generated = generated_digits(load("spoken_words").splits["train"])
    real, parts = fsdd()
    everything = list(range(len(generated.labels)))
    starts = [
        learn(generated, everything, "rooms", num_classes=10, training=Training(steps=900, rate=FASTER, seed=seed))[0]
        for seed in SEEDS
    ]
    figures: Figures = {"synthetic_clips": len(everything), "synthetic_voices": len(set(generated.speakers))}
    figures |= spread("synthetic_only_on_fsdd", [accuracy(each, real, parts["test"]) for each in starts], digits=4)
    for count in REAL_EXAMPLES:
        chosen = [few_of_each(real.labels, parts["train"], count=count, seed=seed) for seed in SEEDS]

        def tuned(seed: int, tuning: str, chosen: list[Rows] = chosen) -> nn.Module:
            training = TUNINGS[tuning].of(seed)
            return go_on(copy.deepcopy(starts[seed]), generated, real, chosen[seed], training=training)

        def alone(seed: int, chosen: list[Rows] = chosen) -> nn.Module:
            training = Training(steps=300, rate=FASTER, seed=seed)
            return learn(real, chosen[seed], "rooms", num_classes=10, training=training)[0]

        tuning = best_plan({each: accuracy(tuned(0, each), real, parts["validation"]) for each in TUNINGS})
        mixed = [accuracy(tuned(seed, tuning), real, parts["test"]) for seed in SEEDS]
        figures |= spread(f"synthetic_and_{count}_on_fsdd", mixed, digits=4)
        figures[f"synthetic_and_{count}_tuning"] = tuning
        without = [accuracy(alone(seed), real, parts["test"]) for seed in SEEDS]
        figures |= spread(f"only_{count}_on_fsdd", without, digits=4)
    return figures


def generated_digits(words: Recordings) -> Clips:
    """The digits of the generated words, cut out of their second of silence by their word times."""
    rows = (words.labels < 10).nonzero().flatten().tolist()
    cuts = [cut(words.waveform(row), *words.word_times[row][0][1:]) for row in rows]
    speakers = [words.speakers[row] for row in rows]
    return prepare(cuts, words.labels[rows], speakers, num_mels=NARROW, plans=["rooms"])


def cut(waveform: Tensor, start: float, end: float) -> Tensor:
    """A clip from a little before the word's start to a little after its end, in seconds."""
    first, last = int((start - MARGIN) * SAMPLE_RATE), int((end + MARGIN) * SAMPLE_RATE)
    return waveform[max(0, first) : last]


def few_of_each(labels: Tensor, rows: Rows, *, count: int, seed: int) -> Rows:
    """So many rows of each label, drawn at random from the given ones."""
    order = torch.randperm(len(rows), generator=torch.Generator().manual_seed(seed)).tolist()
    chosen: dict[int, Rows] = {}
    for place in order:
        mine = chosen.setdefault(int(labels[rows[place]]), [])
        if len(mine) < count:
            mine.append(rows[place])
    return sorted(row for mine in chosen.values() for row in mine)


def go_on(model: nn.Module, generated: Clips, real: Clips, chosen: Rows, *, training: Training) -> nn.Module:
    """Train on with the chosen real clips, and as many generated ones, so that neither is forgotten."""
    features, targets = real.features(chosen, plan="rooms"), real.targets(chosen, plan="rooms")
    old, old_targets = generated.features(range(len(generated.labels)), plan="rooms"), generated.labels
    old_targets = old_targets.repeat(len(old) // len(old_targets))
    draw = torch.randperm(len(old), generator=torch.Generator().manual_seed(training.seed))[: len(features)].tolist()
    return train(
        features + [old[row] for row in draw],
        torch.cat([targets, old_targets[draw]]),
        num_classes=10,
        training=training,
        masked=True,
        model=model,
    )[0]


def speakers() -> Figures:
    """Who speaks? On other takes of the same digits, and on digits that nobody has said in training."""
    clips, parts = fsdd()
    digits, people = clips.labels.tolist(), sorted(set(clips.speakers))
    names = torch.tensor([people.index(each) for each in clips.speakers])
    who = Clips(clips.versions, names, clips.speakers)
    known, unseen = [], []
    for seed in SEEDS:
        kept = rows_of(digits, others(range(10), *unseen_digits(seed)))
        for rows, asked, results in (
            (parts["train"] + parts["validation"], parts["test"], known),
            (kept, rows_of(digits, unseen_digits(seed)), unseen),
        ):
            features, targets = who.features(rows), who.targets(rows)
            training = Training(steps=500, seed=seed)
            model, _ = train(features, targets, num_classes=len(people), training=training, masked=True)
            results.append(accuracy(model, who, asked))
    return spread("speaker_id", known, digits=4) | spread("speaker_id_unseen_digits", unseen, digits=4)


def unseen_digits(seed: int) -> list[int]:
    """The three digits that are kept for the test with this seed."""
    return [3 * seed, 3 * seed + 1, 3 * seed + 2]
