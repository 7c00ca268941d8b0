"""Digits by somebody who was never heard: FSDD with each speaker left out once, and what helps a network then.

With three speakers to learn from, a network takes for a sign of the word what is only a habit of one person, one
microphone, one way of cutting clips. Three things are done about it. What differs between recordings and not between
words is taken out of the features: silence around the word, loudness, the fine lines of the voice's pitch. What can't
be taken out is varied in training: the throat, the tempo, the microphone, the background. And others are heard, too:
voices that the course generates, and the many speakers of Speech Commands.
"""

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import combinations, pairwise
from typing import Any

import torch
import torch.nn.functional as F
from torch import Generator, Tensor, nn

from benchmarks.curves import spread
from benchmarks.speech_tasks import SEEDS, best_plan, others
from benchmarks.speech_words import word_losses
from course_lib.audio import mel_filterbank, power_spectrogram
from course_lib.datasets import load
from course_lib.metrics import correct
from course_lib.recordings import Recordings, join
from course_lib.sequence_batches import SequenceBatches
from course_lib.training import Recipe, evaluate, fit, one_cycle

DIGITS = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
BINS, NUM_MELS = 129, 24  # bins of 31.25 Hz up to 4 kHz, which is all that FSDD, recorded at 8 kHz, has
SMOOTHING = 7  # bins, about 220 Hz: wider than the lines of a voice's pitch, narrower than the throat's resonances
AUDIBLE, SPEECH = 8.0, 6.5  # nats of energy below the loudest: 35 dB for a band of the word, 28 dB for a whole frame
MARGIN = 3  # frames of 10 ms that are kept before and after what is speech; later two become one
THROATS = (0.85, 0.92, 1.0, 1.08, 1.17)  # by how much shorter than the speaker's own: resonances that much higher
COLORING = 0.6  # nats: the spread of each of the slow waves that a random microphone adds over the bands
SHORTEST, SILENCE = 8, -20.0  # frames of 20 ms; nats of energy
BATCH_SIZE, RATE = 64, 5e-3


@dataclass(frozen=True)
class Plan:
    """What is done for somebody who was never heard.

    Attributes:
        disguised: the training clips get other throats, tempos, microphones and backgrounds.
        company: generated voices and Speech Commands are learned from, too.
        steps: of training.
    """

    disguised: bool
    company: bool
    steps: int


PLANS = {
    "plain": Plan(disguised=False, company=False, steps=200),
    "disguised": Plan(disguised=True, company=False, steps=450),
    "company": Plan(disguised=True, company=True, steps=800),
}


@dataclass(frozen=True)
class Words:
    """Single words as log-mels, once for each of `THROATS`.

    Attributes:
        versions: for each throat the features of each clip, shape `(frames, NUM_MELS)`.
        texts: the word of each clip.
        speakers: by whom each clip is.
    """

    versions: dict[float, list[Tensor]]
    texts: list[str]
    speakers: list[str]


def hear(recordings: Recordings) -> Words:
    """The features of single words, without the silence around them."""
    spectra = [spoken_part(power_spectrogram(waveform)[:, :BINS]) for waveform in recordings.waveforms()]
    versions = {throat: [log_mels(power, throat=throat) for power in spectra] for throat in THROATS}
    return Words(versions, recordings.texts, recordings.speakers)


def spoken_part(power: Tensor) -> Tensor:
    """Cut off the frames before and after the word; some corpora leave much silence there, some none."""
    loudness = (power.sum(dim=1) + 1e-6).log()
    loudness = F.avg_pool1d(loudness[None], 3, stride=1, padding=1, count_include_pad=False)[0]  # a click is no word
    heard = (loudness > loudness.max() - SPEECH).nonzero()
    return power[max(0, int(heard[0]) - MARGIN) : int(heard[-1]) + 1 + MARGIN]


def log_mels(power: Tensor, *, throat: float) -> Tensor:
    """Log-mels up to 4 kHz of a smoothed spectrum, as if from another throat.

    Args:
        power: shape `(frames, BINS)`.
        throat: by how much the resonances lie higher.

    Returns:
        Shape `(frames // 2, NUM_MELS)`, one frame for 20 ms; at least `SHORTEST`, since the network halves them.
    """
    before = (torch.arange(BINS) / throat).round().long().clamp(max=BINS - 1)
    smooth = F.avg_pool1d(power[None], SMOOTHING, stride=1, padding=SMOOTHING // 2)[0]
    mels = (smooth[:, before] @ _bands()).log().clamp(min=SILENCE)
    mels = F.avg_pool1d(mels.T[None], 2)[0].T
    return F.pad(mels, (0, 0, 0, max(0, SHORTEST - len(mels))), value=float(mels.min()))


@cache
def _bands() -> Tensor:
    return mel_filterbank(num_mels=NUM_MELS, num_fft=2 * (BINS - 1), sample_rate=8_000)


def normalize(padded: Tensor, lengths: Tensor, labels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Take out loudness and what is too quiet to hear: each clip gets mean 0 and standard deviation 1, padding 0.

    The mean is one for all bands. A mean of its own for each band would take out the microphone, and with it the vowel:
    most digits have only one.
    """
    real = (torch.arange(padded.shape[1]) < lengths[:, None])[:, :, None]  # (batch, frames, 1)
    loudest = padded.masked_fill(~real, -torch.inf).amax(dim=(1, 2), keepdim=True)
    audible = padded.maximum(loudest - AUDIBLE)
    count = (lengths * padded.shape[2])[:, None, None]
    centered = (audible - (audible * real).sum(dim=(1, 2), keepdim=True) / count) * real
    return centered / (centered.square().sum(dim=(1, 2), keepdim=True) / count + 1e-5).sqrt(), lengths, labels


def disguise(padded: Tensor, lengths: Tensor, labels: Tensor, *, generator: Generator) -> tuple[Tensor, ...]:
    """Let each clip of a batch sound as through another microphone, in another room, and cut and spoken otherwise."""
    padded = padded.masked_fill((torch.arange(padded.shape[1]) >= lengths[:, None])[:, :, None], SILENCE)
    tempo, cut = torch.rand(2, generator=generator).tolist()
    first = int(cut * MARGIN)
    if int(lengths.min()) - first >= SHORTEST:
        padded, lengths = padded[:, first:], lengths - first
    factor = 0.75 + 0.6 * tempo
    size = max(SHORTEST, round(factor * padded.shape[1]))
    padded = F.interpolate(padded.mT, size=size, mode="linear", align_corners=False).mT
    lengths = (lengths * factor).round().long().clamp(SHORTEST, size)
    places = torch.linspace(0, torch.pi, padded.shape[2])
    waves = (torch.arange(1, 5)[:, None] * places).cos()  # (4, mels): from a tilt to ripples
    padded = padded + COLORING * (torch.randn(len(padded), 4, generator=generator) @ waves)[:, None]
    below, slope = torch.rand(2, len(padded), 1, 1, generator=generator)
    hiss = padded.amax(dim=(1, 2), keepdim=True) - 3 - 6 * below - 3 * slope * places / torch.pi
    grain = torch.rand(padded.shape, generator=generator) + 0.5
    return normalize(torch.logaddexp(padded, hiss + grain.log()), lengths, labels)


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


@cache
def strangers() -> Words:
    """All of FSDD."""
    return hear(join(list(load("fsdd").splits.values())))


@cache
def company() -> list[Words]:
    """Others who speak single words: generated voices, and all speakers of Speech Commands."""
    voices = load("spoken_words").splits["train"]
    people = join(list(load("speech_commands").splits.values()))
    return [
        hear(voices.select([row for row, text in enumerate(voices.texts) if text in DIGITS])),
        hear(people.select([row for row, text in enumerate(people.texts) if text])),  # without what is only noise
    ]


def learn(name: str, heard: Sequence[str], *, seed: int) -> nn.Module:
    """Train a new net by a plan on some speakers of FSDD.

    Args:
        name: of the plan.
        heard: the speakers.
        seed: of everything that is drawn.
    """
    plan, digits = PLANS[name], strangers()
    rows = [row for row, speaker in enumerate(digits.speakers) if speaker in heard]
    sets = [(digits, rows)] + [(words, range(len(words.texts))) for words in (company() if plan.company else ())]
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
    model = learn(plan, heard, seed=seed)
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
