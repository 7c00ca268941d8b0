"""Digits by somebody who was never heard: FSDD with each speaker left out once, and what helps a network then.

With three speakers to learn from, a network takes for a sign of the word what is only a habit of one person, one
microphone, one way of cutting clips. Three things are done about it. What differs between recordings and not between
words is taken out of the features: silence around the word, loudness, the fine lines of the voice's pitch. What can't
be taken out is varied in training: the throat, the tempo, the microphone, the background. And others are heard, too:
voices that the course generates, and the many speakers of Speech Commands. At last, three such nets vote.
"""

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import combinations, pairwise
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.curves import spread
from benchmarks.speech_features import NUM_MELS, THROATS, Words, disguise, hear, normalize
from benchmarks.speech_tasks import SEEDS, best_plan, others
from benchmarks.speech_words import word_losses
from course_lib.datasets import load
from course_lib.metrics import correct
from course_lib.recordings import join
from course_lib.sequence_batches import SequenceBatches
from course_lib.training import Recipe, evaluate, fit, one_cycle

DIGITS = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
COMMANDS_TIMES = 4  # each clip of Speech Commands counts as so many: people teach more about people than engines do
BATCH_SIZE, RATE = 64, 5e-3


@dataclass(frozen=True)
class Plan:
    """What is done for somebody who was never heard.

    Attributes:
        disguised: the training clips get other throats, tempos, microphones and backgrounds.
        company: generated voices and Speech Commands are learned from, too.
        steps: of training, up to a whole epoch.
        nets: how many are trained, and vote.
    """

    disguised: bool
    company: bool
    steps: int
    nets: int = 1


PLANS = {
    "plain": Plan(disguised=False, company=False, steps=200),
    "disguised": Plan(disguised=True, company=False, steps=450),
    "company": Plan(disguised=True, company=True, steps=2_000),
    "jury": Plan(disguised=True, company=True, steps=2_000, nets=3),
}


class Spotter(nn.Module):
    """Three convolutions over time, and the strongest response to each pattern, wherever in the word it was.

    Features `(batch, frames, NUM_MELS)` and lengths `(batch,)` to logits `(batch, num_classes)`.
    """

    def __init__(self, num_classes: int, *, width: int = 48):
        super().__init__()
        sizes = (NUM_MELS, width, width, 2 * width)
        self.layers = nn.ModuleList(
            nn.Sequential(nn.Conv1d(before, after, 5, padding=2, bias=False), nn.BatchNorm1d(after), nn.ReLU())
            for before, after in pairwise(sizes)
        )
        self.dropout, self.head = nn.Dropout(0.3), nn.Linear(2 * width, num_classes)

    def forward(self, features: Tensor, lengths: Tensor) -> Tensor:
        hidden = features.mT  # (batch, mels, frames)
        for number, layer in enumerate(self.layers):
            if number == 1:
                hidden, lengths = F.max_pool1d(hidden, 2), lengths // 2
            is_sound = torch.arange(hidden.shape[2]) < lengths[:, None]  # the rest is padding
            hidden = layer(hidden).masked_fill(~is_sound[:, None], 0.0)
        return self.head(self.dropout(hidden.amax(dim=2)))


class Jury(nn.Module):
    """Several nets, and the mean of the probabilities that they give; as logits, so that it is used as one net is."""

    def __init__(self, nets: Sequence[nn.Module]):
        super().__init__()
        self.nets = nn.ModuleList(nets)

    def forward(self, features: Tensor, lengths: Tensor) -> Tensor:
        votes = [net(features, lengths).softmax(dim=1) for net in self.nets]
        return torch.stack(votes).mean(dim=0).log()


@cache
def strangers() -> Words:
    """All of FSDD."""
    return hear(join(list(load("fsdd").splits.values())))


@cache
def company() -> list[Words]:
    """Others who speak single words: generated voices, and, several times, all speakers of Speech Commands."""
    voices = load("spoken_words").splits["train"]
    people = join(list(load("speech_commands").splits.values()))
    digits = hear(voices.select([row for row, text in enumerate(voices.texts) if text in DIGITS]))
    commands = hear(people.select([row for row, text in enumerate(people.texts) if text]))  # without what is only noise
    return [digits, *COMMANDS_TIMES * [commands]]


def learn(name: str, heard: Sequence[str], *, seed: int) -> nn.Module:
    """Train a new net by a plan on some speakers of FSDD.

    Args:
        name: of the plan.
        heard: the speakers.
        seed: of everything that is drawn.
    """
    plan = PLANS[name]
    digits = strangers()
    friends = company() if plan.company else []
    rows = [row for row, speaker in enumerate(digits.speakers) if speaker in heard]
    sets = [(digits, rows)] + [(words, range(len(words.texts))) for words in friends]
    texts = [words.texts[row] for words, rows in sets for row in rows]
    classes = DIGITS + sorted(set(texts) - set(DIGITS))
    throats = THROATS if plan.disguised else (1.0,)
    features = [words.versions[throat][row] for throat in throats for words, rows in sets for row in rows]
    batches = SequenceBatches(
        features,
        torch.tensor([classes.index(text) for text in texts]).repeat(len(throats)),
        batch_size=BATCH_SIZE,
        shuffle=True,
        augment=disguise if plan.disguised else lambda *batch, generator: normalize(*batch),
        seed=seed,
    )
    torch.manual_seed(seed)
    model = Spotter(len(classes))
    recipe = Recipe(
        lambda model: torch.optim.AdamW(model.parameters(), lr=RATE, weight_decay=0.02),
        -(-plan.steps // len(batches)),
        schedule=one_cycle(warmup=0.2),
    )
    fit(model, batches, word_losses, recipe=recipe)
    return model


@cache
def net(plan: str, heard: tuple[str, ...], *, seed: int) -> nn.Module:
    """What `learn` gives, kept: the nets of a jury are also asked one by one."""
    return learn(plan, heard, seed=seed)


def accuracy(model: nn.Module, asked: str) -> float:
    """The share of one speaker's digits that a net gets right."""
    words = strangers()
    rows = [row for row, speaker in enumerate(words.speakers) if speaker == asked]
    digits = torch.tensor([DIGITS.index(words.texts[row]) for row in rows])
    features = [words.versions[1.0][row] for row in rows]
    batches = SequenceBatches(features, digits, batch_size=250, augment=lambda *batch, generator: normalize(*batch))
    return evaluate(model, batches, {"accuracy": digit_accuracy})["accuracy"]


def digit_accuracy(model: nn.Module, batch: tuple[Tensor, ...]) -> Tensor:
    """Whether the most probable of the ten digits is the right one, for each clip; other words are no answers here."""
    features, lengths, digits = batch
    return correct(model(features, lengths)[:, : len(DIGITS)], digits)


@cache
def score(plan: str, heard: tuple[str, ...], asked: tuple[str, ...], *, seed: int) -> dict[str, float]:
    """How well a net that has heard some people understands each of some others.

    Raises:
        ValueError: somebody is both heard and asked.
    """
    if set(heard) & set(asked):
        raise ValueError(f"{sorted(set(heard) & set(asked))} would be heard in training and asked in the test")
    nets, taught = PLANS[plan].nets, "company" if plan == "jury" else plan
    model = Jury([net(taught, heard, seed=nets * seed + number) for number in range(nets)])
    return {person: accuracy(model, person) for person in asked}


def nested_choice(people: Sequence[str], score: Callable[..., dict[str, float]]) -> dict[str, str]:
    """For each person the plan that is best without ever having heard, or asked, that person.

    For person A, each other person B is left out in turn: the net hears everybody but A and B, and B is asked. The very
    same net serves when B is the one left out, and A is asked. So each pair is trained once.

    Args:
        people: at least three.
        score: `(plan, heard, asked, seed=)` trains with a plan on those heard, and gives the accuracy of each of those
            asked.
    """
    accuracies: dict[str, dict[str, list[float]]] = {person: {plan: [] for plan in PLANS} for person in people}
    for first, second in combinations(people, 2):
        for plan in PLANS:
            scores = score(plan, tuple(others(people, first, second)), (first, second), seed=0)
            accuracies[first][plan].append(scores[second])
            accuracies[second][plan].append(scores[first])
    return {
        person: best_plan({plan: statistics.mean(values) for plan, values in by_plan.items()})
        for person, by_plan in accuracies.items()
    }


def leave_one_out() -> dict[str, Any]:
    """Each speaker of FSDD in turn is heard in the test only: by the plan that the others chose, and by each plan."""
    people = sorted(set(strangers().speakers))
    plans = nested_choice(people, score)
    figures: dict[str, Any] = {"fsdd_leave_one_out_speakers": len(people)}
    figures |= {f"fsdd_without_{person}_plan": plan for person, plan in plans.items()}
    choices = {"": plans, "_plain": dict.fromkeys(people, "plain"), "_alone": dict.fromkeys(people, "disguised")}
    choices["_one_net"] = dict.fromkeys(people, "company")
    for name, chosen in choices.items():
        results = {
            person: [
                score(chosen[person], tuple(others(people, person)), (person,), seed=seed)[person] for seed in SEEDS
            ]
            for person in people
        }
        by_seed = [statistics.mean(each) for each in zip(*results.values(), strict=True)]
        figures |= spread(f"fsdd_leave_one_out{name}", by_seed, digits=4)
        for person, accuracies in results.items():
            figures |= spread(f"fsdd_without_{person}{name}", accuracies, digits=4)
    return figures
