"""How `speech_tasks` learns single words: clips in several versions, a small net, our loop."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Generator, Tensor, nn

from course_lib.audio import log_mel
from course_lib.batches import mixed_seed
from course_lib.generate.noise import make_noise
from course_lib.metrics import correct
from course_lib.sequence_batches import SequenceBatches
from course_lib.sound_effects import add_noise, change_speed, reverberate, spec_augment
from course_lib.speech_models import BidirectionalLSTM, stack_frames, stacked_lengths
from course_lib.training import Recipe, evaluate, fit, one_cycle

SPEEDS = (0.8, 0.9, 1.0, 1.1, 1.25)  # as a tape: tempo, pitch and the vocal tract's resonances change together
LOUDNESS_RANGE = 13.8  # nats of energy, 60 dB: what is quieter is taken for silence
NARROW = 30  # mel bands below 4 kHz, which is all that sounds recorded at 8 kHz have
NUM_STACKED = 2  # frames of 10 ms side by side
ROUGH_SHARE = 0.6  # of the versions with noise or a room
KINDS = ("white", "pink")  # no babble: it would carry voices from one split into another
BATCH_SIZE, LEARNING_RATE = 32, 3e-3


@dataclass(frozen=True)
class Plan:
    """What is done to the training clips, besides taking each one in each of `SPEEDS`; "plain" does not even that.

    Attributes:
        rough: most versions get noise (5 to 25 dB below the voice), a room, or both.
        masked: SpecAugment hides a band and a moment.
    """

    rough: bool = False
    masked: bool = False


PLANS = {
    "plain": Plan(),
    "speeds": Plan(masked=True),
    "rooms": Plan(rough=True, masked=True),
}


@dataclass(frozen=True)
class Clips:
    """Clips of some corpus, with their features in each version that a plan asks for.

    Attributes:
        versions: by plan's name, for each version a list with the features `(time, mels)` of each clip. "plain" holds
            the clips as they are: what is tested is always that.
        labels: int64, shape `(n,)`.
        speakers: by whom each clip is.
    """

    versions: dict[str, list[list[Tensor]]]
    labels: Tensor
    speakers: list[str]

    def features(self, rows: Sequence[int], *, plan: str = "plain") -> list[Tensor]:
        """The features of some clips in all versions of a plan, version by version."""
        return [version[row] for version in self.versions[plan] for row in rows]

    def targets(self, rows: Sequence[int], *, plan: str = "plain") -> Tensor:
        """The labels that belong to `features`."""
        return self.labels[list(rows)].repeat(len(self.versions[plan]))


def prepare(
    waveforms: Sequence[Tensor], labels: Tensor, speakers: list[str], *, num_mels: int = 40, plans: Sequence[str] = ()
) -> Clips:
    """Compute the features of a corpus, once.

    Args:
        waveforms: 16 kHz, each of shape `(time,)`.
        labels: int64, shape `(n,)`.
        speakers: by whom each clip is.
        num_mels: how many of the 40 mel bands to keep, from the lowest on.
        plans: names of plans besides "plain".
    """
    versions: dict[str, list[list[Tensor]]] = {"plain": [[listen(each, num_mels=num_mels) for each in waveforms]]}
    versions |= {name: [] for name in plans if name != "plain"}
    for number, speed in enumerate(SPEEDS if len(versions) > 1 else ()):
        changed = [each if speed == 1 else change_speed(each, factor=speed) for each in waveforms]
        clean = [listen(each, num_mels=num_mels) for each in changed]
        for name in versions.keys() - {"plain"}:
            generator = torch.Generator().manual_seed(mixed_seed(2026, number))
            rough = [roughen(each, generator=generator) if PLANS[name].rough else each for each in changed]
            versions[name].append(
                [
                    heard if after is before else listen(after, num_mels=num_mels)
                    for heard, before, after in zip(clean, changed, rough, strict=True)
                ]
            )
    return Clips(versions, labels, speakers)


def listen(waveform: Tensor, *, num_mels: int = 40) -> Tensor:
    """Log-mels from which loudness, the microphone's coloring and the quietest 60 dB below are taken out.

    Args:
        waveform: 16 kHz, shape `(time,)`.
        num_mels: how many of the 40 bands to keep, from the lowest on.

    Returns:
        Shape `(frames, num_mels)`: each band has the mean 0 over time, and all together the standard deviation 1.
    """
    mels = log_mel(waveform)[:, :num_mels]
    mels = mels.clamp(min=float(mels.max()) - LOUDNESS_RANGE)
    mels = mels - mels.mean(dim=0)
    return mels / (mels.std() + 1e-5)


def roughen(waveform: Tensor, *, generator: Generator) -> Tensor:
    """A clip as one would hear it in some room, in some noise; or as it is, in some cases."""
    chance = torch.rand(4, generator=generator).tolist()
    if chance[0] > ROUGH_SHARE:
        return waveform
    if chance[1] < 0.5:
        waveform = reverberate(waveform, generator=generator)
    if chance[1] > 0.25:
        noise = make_noise(KINDS[int(2 * chance[2])], len(waveform), generator=generator)
        waveform = add_noise(waveform, noise, snr_db=5 + 20 * chance[3])
    return waveform


class WordReader(nn.Module):
    """A convolution, an LSTM in each direction, and attention that says which moments count.

    Features `(batch, time, num_mels)` and lengths `(batch,)` to logits `(batch, num_classes)`.
    """

    def __init__(self, num_classes: int, *, num_mels: int = 40, hidden_size: int = 64, dropout: float = 0.25):
        super().__init__()
        self.conv = nn.Conv1d(NUM_STACKED * num_mels, hidden_size, 5, padding=2)
        self.conv_norm = nn.LayerNorm(hidden_size)
        self.lstm = BidirectionalLSTM(hidden_size, hidden_size)
        self.attention, self.head = nn.Linear(2 * hidden_size, 1), nn.Linear(2 * hidden_size, num_classes)
        self.dropout = nn.Dropout(dropout)

    def forward(self, features: Tensor, lengths: Tensor) -> Tensor:
        stacked, lengths = stack_frames(features, num=NUM_STACKED), stacked_lengths(lengths, num=NUM_STACKED)
        is_sound = torch.arange(stacked.shape[1], device=lengths.device) < lengths[:, None]  # the rest is padding
        hidden = self.conv((stacked * is_sound[:, :, None]).mT).mT  # (batch, frames, hidden_size)
        hidden = self.lstm(self.dropout(F.relu(self.conv_norm(hidden))), lengths)
        scores = self.attention(hidden)[:, :, 0].masked_fill(~is_sound, -torch.inf)
        pooled = (scores.softmax(dim=1)[:, :, None] * hidden).sum(dim=1)
        return self.head(self.dropout(pooled))


def word_losses(model: nn.Module, batch: tuple[Tensor, ...]) -> Tensor:
    features, lengths, labels = batch
    return F.cross_entropy(model(features, lengths), labels, label_smoothing=0.1, reduction="none")


def word_accuracy(model: nn.Module, batch: tuple[Tensor, ...]) -> Tensor:
    features, lengths, labels = batch
    return correct(model(features, lengths), labels)


def mask(features: Tensor, lengths: Tensor, labels: Tensor, *, generator: Generator) -> tuple[Tensor, ...]:
    """SpecAugment, milder for short clips."""
    sizes = {"num_freq_masks": 1, "max_freq": 6, "num_time_masks": 1, "max_time": 8}
    return spec_augment(features, lengths=lengths, generator=generator, **sizes), lengths, labels


@dataclass(frozen=True)
class Training:
    """How long and how fast; the learning rate makes one cycle over all steps."""

    steps: int = 700
    rate: float = LEARNING_RATE
    seed: int = 0

    def of(self, seed: int) -> "Training":
        """The same with another seed."""
        return replace(self, seed=seed)


def train(
    features: list[Tensor],
    labels: Tensor,
    *,
    num_classes: int,
    training: Training,
    masked: bool = False,
    model: nn.Module | None = None,
) -> tuple[nn.Module, float]:
    """Train a net for a given number of steps (rounded up to whole epochs); nothing is validated on the way.

    Args:
        features: each of shape `(time, mels)`.
        labels: int64, shape `(n,)`.
        num_classes: how many labels there are.
        training: steps, rate and seed.
        masked: whether SpecAugment hides a part.
        model: a net to go on with; a new one by default.

    Returns:
        The net, and the CPU seconds it took.
    """
    began = time.process_time()
    torch.manual_seed(training.seed)
    model = model or WordReader(num_classes, num_mels=features[0].shape[1])
    batches = SequenceBatches(
        features,
        labels,
        batch_size=BATCH_SIZE,
        shuffle=True,
        augment=mask if masked else None,
        seed=training.seed,
    )
    recipe = Recipe(
        lambda model: torch.optim.AdamW(model.parameters(), lr=training.rate, weight_decay=0.01),
        -(-training.steps // len(batches)),
        schedule=one_cycle(warmup=0.2),
    )
    fit(model, batches, word_losses, recipe=recipe)
    return model, time.process_time() - began


def accuracy(model: nn.Module, clips: Clips, rows: Sequence[int], *, labels: Tensor | None = None) -> float:
    """The share of some clips, as they are, that a net gets right."""
    labels = clips.labels[list(rows)] if labels is None else labels
    batches = SequenceBatches(clips.features(rows), labels, batch_size=200)
    return evaluate(model, batches, {"accuracy": word_accuracy})["accuracy"]
