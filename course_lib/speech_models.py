"""Networks that hear: log-mel frames in; one row of logits per frame out, to be read by CTC, or one per word."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_lib import storage
from course_lib.errors import CourseError
from course_lib.paths import checkout
from course_lib.text import BLANK

STACKED = 4  # frames of 10 ms that become one
ROWS = 2  # rows of logits for each of these: 40 ms are too long for one letter, as in the middle of "three"


def stack_frames(features: Tensor, *, num: int = STACKED) -> Tensor:
    """Put neighboring frames side by side: a quarter of the frames, four times as wide.

    Args:
        features: shape `(..., time, mels)`.
        num: frames that become one.

    Returns:
        Shape `(..., time // num, num * mels)`; frames at the end that don't fill a whole one are left out.
    """
    time, mels = features.shape[-2:]
    whole = features[..., : time // num * num, :]
    return whole.reshape(*features.shape[:-2], time // num, num * mels)


def stacked_lengths(lengths: Tensor, *, num: int = STACKED) -> Tensor:
    """How many frames are left of so many, int64."""
    return lengths // num


def row_lengths(lengths: Tensor) -> Tensor:
    """How many rows of logits the networks below give for so many frames of 10 ms, int64: one for 20 ms."""
    return ROWS * stacked_lengths(lengths)


class SpeechRecognizer(nn.Module):
    """A convolution over a few frames, bidirectional LSTMs over all of them, and two letters (or none) for each.

    Stacked frames `(batch, frames, num_inputs)` and lengths `(batch,)` to logits `(batch, 2 * frames, num_labels)`. No
    convolution has a stride: so it can be exported with any batch and any time.

    Args:
        num_labels: letters and the blank.
        num_inputs: numbers per stacked frame.
        hidden_size: of each LSTM in each direction.
        num_layers: how many LSTMs.
        dropout: the share of what each layer finds that is switched off in training.

    Source: after Graves & Jaitly 2014, https://proceedings.mlr.press/v32/graves14.html
    """

    def __init__(
        self,
        num_labels: int,
        *,
        num_inputs: int = STACKED * 40,
        hidden_size: int = 128,
        num_layers: int = 2,
        dropout: float = 0.1,
    ):
        super().__init__()
        self.conv = nn.Conv1d(num_inputs, hidden_size, 3, padding=1)
        self.conv_norm = nn.LayerNorm(hidden_size)
        sizes = [hidden_size] + (num_layers - 1) * [2 * hidden_size]
        self.layers = nn.ModuleList(BidirectionalLSTM(size, hidden_size) for size in sizes)
        self.norms = nn.ModuleList(nn.LayerNorm(2 * hidden_size) for _ in sizes)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.ConvTranspose1d(2 * hidden_size, num_labels, ROWS, stride=ROWS)  # a linear layer for each row

    def forward(self, stacked: Tensor, lengths: Tensor) -> Tensor:
        is_sound = torch.arange(stacked.shape[1], device=lengths.device) < lengths[:, None]  # the rest is padding
        hidden = self.conv((stacked * is_sound[:, :, None]).mT).mT  # (batch, frames, hidden_size)
        hidden = F.relu(self.conv_norm(hidden))
        for layer, norm in zip(self.layers, self.norms, strict=True):
            hidden = norm(layer(self.dropout(hidden), lengths))  # (batch, frames, 2 * hidden_size)
        return self.head(self.dropout(hidden).mT).mT


class KeywordLSTM(nn.Module):
    """A bidirectional LSTM reads a word, and the mean of what it found says which of the words it was.

    Stacked frames `(batch, frames, num_inputs)` and their lengths `(batch,)` to logits `(batch, num_classes)`.

    Args:
        num_classes: words, or whatever else a recording is to be told by, such as its speaker.
        num_inputs: numbers per stacked frame.
        hidden_size: of the LSTM in each direction.
        dropout: the share of its inputs, and of what it found, that is switched off in training.
    """

    def __init__(
        self, num_classes: int, *, num_inputs: int = STACKED * 40, hidden_size: int = 64, dropout: float = 0.2
    ):
        super().__init__()
        self.lstm = BidirectionalLSTM(num_inputs, hidden_size)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(2 * hidden_size, num_classes)

    def forward(self, stacked: Tensor, lengths: Tensor) -> Tensor:
        outputs = self.lstm(self.dropout(stacked), lengths)  # (batch, frames, 2 * hidden_size)
        real = torch.arange(outputs.shape[1], device=lengths.device) < lengths[:, None]
        mean = (outputs * real[:, :, None]).sum(dim=1) / lengths[:, None]
        return self.head(self.dropout(mean))


class BidirectionalLSTM(nn.Module):
    """One LSTM reads forwards, another one backwards from each sequence's own end: padding is never read first.

    `(batch, time, num_inputs)` and lengths `(batch,)` to `(batch, time, 2 * hidden_size)`. Equal to PyTorch's
    bidirectional LSTM on packed sequences, but twice as fast on a CPU, and it can be exported to ONNX.
    """

    def __init__(self, num_inputs: int, hidden_size: int):
        super().__init__()
        self.forwards = nn.LSTM(num_inputs, hidden_size, batch_first=True)
        self.backwards = nn.LSTM(num_inputs, hidden_size, batch_first=True)

    def forward(self, inputs: Tensor, lengths: Tensor) -> Tensor:
        mirror = mirrored(inputs.shape[1], lengths)[:, :, None]  # (batch, time, 1)
        past, _ = self.forwards(inputs)
        future, _ = self.backwards(inputs.gather(1, mirror.expand(-1, -1, inputs.shape[2])))
        return torch.cat([past, future.gather(1, mirror.expand(-1, -1, future.shape[2]))], dim=2)


def mirrored(num_frames: int, lengths: Tensor) -> Tensor:
    """For each frame the one at the same distance from the sequence's other end; padding stays where it is.

    Args:
        num_frames: of the longest sequence.
        lengths: of each, int64, shape `(batch,)`.

    Returns:
        int64, shape `(batch, num_frames)`.
    """
    frames = torch.arange(num_frames, device=lengths.device)
    other_end = lengths[:, None] - 1 - frames
    return torch.where(other_end >= 0, other_end, frames)


State = tuple[Tensor, ...]  # the last two frames, then what each LSTM holds


class StreamingRecognizer(nn.Module):
    """One direction only: what has been said decides, not what will be. So it can listen piece by piece.

    Stacked frames `(batch, frames, num_inputs)` to logits `(batch, 2 * frames, num_labels)`. What it has to remember
    between two pieces is its state.

    Args:
        num_labels: letters and the blank.
        num_inputs: numbers per stacked frame.
        hidden_size: of each LSTM.
        num_layers: how many LSTMs.
        dropout: the share of what each layer finds that is switched off in training.

    Attributes:
        mean, std: of each input over the training data, `(num_inputs,)`; nobody can normalize by a whole sentence
            before it has ended. They are part of the weights.
    """

    def __init__(
        self,
        num_labels: int,
        *,
        num_inputs: int = STACKED * 40,
        hidden_size: int = 192,
        num_layers: int = 2,
        dropout: float = 0.1,
    ):
        super().__init__()
        self.register_buffer("mean", torch.zeros(num_inputs))
        self.register_buffer("std", torch.ones(num_inputs))
        self.conv = nn.Conv1d(num_inputs, hidden_size, 3)
        self.conv_norm = nn.LayerNorm(hidden_size)
        self.layers = nn.ModuleList(nn.LSTM(hidden_size, hidden_size, batch_first=True) for _ in range(num_layers))
        self.norms = nn.ModuleList(nn.LayerNorm(hidden_size) for _ in range(num_layers))
        self.dropout = nn.Dropout(dropout)
        self.head = nn.ConvTranspose1d(hidden_size, num_labels, ROWS, stride=ROWS)

    def forward(self, stacked: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Listen to all of it. Lengths don't matter here: what stands behind the end can't change what came before."""
        return self.listen(stacked)[0]

    def listen(self, stacked: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        """Listen to the next piece, and remember.

        Args:
            stacked: the new frames, `(batch, frames, num_inputs)`.
            state: what the call before returned; None at the beginning.

        Returns:
            Logits for the new frames, `(batch, 2 * frames, num_labels)`, and the new state.
        """
        before, *memories = state or (stacked.new_zeros(len(stacked), 2, stacked.shape[2]),)
        frames = torch.cat([before, (stacked - self.mean) / self.std], dim=1)
        hidden = F.relu(self.conv_norm(self.conv(frames.mT).mT))  # (batch, frames, hidden_size)
        after = [frames[:, -2:]]
        for number, (lstm, norm) in enumerate(zip(self.layers, self.norms, strict=True)):
            memory = memories[2 * number : 2 * number + 2] or None
            hidden, new_memory = lstm(self.dropout(hidden), memory)
            hidden = norm(hidden)
            after += new_memory
        return self.head(self.dropout(hidden).mT).mT, tuple(after)


def ctc_losses(model: nn.Module, batch: tuple[Tensor, Tensor, Tensor, Tensor]) -> Tensor:
    """CTC's loss for each sequence, divided by how many letters it has: what `fit` needs.

    Args:
        model: one of the two above.
        batch: as `SequenceBatches` gives it: features `(batch, time, mels)`, not stacked yet, and their lengths, labels
            `(batch, longest)` and their lengths.

    Returns:
        Nats per letter, shape `(batch,)`; zero where there are fewer frames than the text needs.

    Source: Graves et al. 2006, doi:10.1145/1143844.1143891
    """
    features, lengths, targets, target_lengths = batch
    logits = model(stack_frames(features), stacked_lengths(lengths))
    log_probs = logits.log_softmax(dim=2).transpose(0, 1)  # (rows, batch, labels)
    losses = F.ctc_loss(
        log_probs, targets, row_lengths(lengths), target_lengths, blank=BLANK, reduction="none", zero_infinity=True
    )
    return losses / target_lengths.clamp(min=1)


def load_recognizer(name: str) -> tuple[nn.Module, dict[str, Any]]:
    """One of the course's own trained networks, after holding its file to its hash.

    Args:
        name: "speech_noise" or "speech_streaming"; `checkpoints/make_speech.py` says how they were made.

    Returns:
        The network in evaluation mode, and its card: options, recipe, and what was measured.

    Raises:
        CourseError: there is no such checkpoint, or it is damaged.
    """
    place = checkout() / "checkpoints" / name
    try:
        tensors, card = storage.retrieve(place)
    except storage.NotPrepared as reason:
        raise CourseError(
            f"There is no whole checkpoint '{name}' ({reason}). Make it: python -m checkpoints.make_speech {name}"
        ) from None
    kind = {kind.__name__: kind for kind in (SpeechRecognizer, StreamingRecognizer)}[card["model"]]
    model = kind(**card["options"])
    model.load_state_dict({key: tensor.float() for key, tensor in tensors.items()})
    return model.eval(), card


@torch.no_grad()
def log_probs_of(model: nn.Module, features: list[Tensor]) -> list[Tensor]:
    """What a network says about some recordings, each as long as it is; the network is left in evaluation mode.

    Args:
        model: one of the two above.
        features: for each recording its frames of 10 ms, not stacked yet, shape `(time, mels)`.

    Returns:
        For each recording log-probabilities on the CPU, shape `(rows, labels)`.
    """
    lengths = torch.tensor([len(each) for each in features], device=features[0].device)
    padded = nn.utils.rnn.pad_sequence(features, batch_first=True)
    log_probs = model.eval()(stack_frames(padded), stacked_lengths(lengths)).log_softmax(dim=2).cpu()
    return [each[:rows] for each, rows in zip(log_probs, row_lengths(lengths).tolist(), strict=True)]
