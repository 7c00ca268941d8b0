"""Networks that hear: padding changes nothing, pieces equal the whole. `test_export.py` holds ONNX to them."""

import pytest
import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from course_lib.sequence_batches import SequenceBatches
from course_lib.speech_models import (
    BidirectionalLSTM,
    SpeechRecognizer,
    StreamingRecognizer,
    ctc_losses,
    mirrored,
    row_lengths,
    stack_frames,
    stacked_lengths,
)


def sounds(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def recognizer():
    torch.manual_seed(0)
    return SpeechRecognizer(28, num_inputs=20, hidden_size=16).eval()


def streaming():
    torch.manual_seed(0)
    model = StreamingRecognizer(28, num_inputs=20, hidden_size=24).eval()
    model.mean.normal_()
    return model


def test_stacking_puts_neighbors_side_by_side():
    features = torch.arange(18.0).reshape(9, 2)
    stacked = stack_frames(features)
    assert stacked.tolist() == torch.arange(16.0).reshape(2, 8).tolist()


@pytest.mark.parametrize("num", [2, 3, 4])
def test_stacked_lengths_are_the_lengths_of_what_is_stacked(num):
    lengths = torch.arange(1, 30)
    real = [len(stack_frames(sounds(int(length), 5), num=num)) for length in lengths]
    assert stacked_lengths(lengths, num=num).tolist() == real


@pytest.mark.parametrize("make", ["recognizer", "streaming"])
def test_row_lengths_are_the_rows_that_come_out(make):
    model, lengths = {"recognizer": recognizer, "streaming": streaming}[make](), torch.tensor([4, 7, 21, 40])
    rows = [model(stack_frames(sounds(1, int(n), 5)), stacked_lengths(n[None])).shape[1] for n in lengths]
    assert row_lengths(lengths).tolist() == rows


def test_mirroring_turns_each_sequence_around_and_leaves_padding_alone():
    assert mirrored(5, torch.tensor([5, 3, 1])).tolist() == [[4, 3, 2, 1, 0], [2, 1, 0, 3, 4], [0, 1, 2, 3, 4]]


def test_our_bidirectional_lstm_is_torchs_on_packed_sequences():
    ours, theirs = BidirectionalLSTM(6, 5), nn.LSTM(6, 5, bidirectional=True, batch_first=True)
    weights = {f"{name}": value for name, value in ours.forwards.state_dict().items()}
    weights |= {f"{name}_reverse": value for name, value in ours.backwards.state_dict().items()}
    theirs.load_state_dict(weights)
    inputs, lengths = sounds(4, 11, 6), torch.tensor([11, 3, 8, 1])
    packed = pack_padded_sequence(inputs, lengths, batch_first=True, enforce_sorted=False)
    expected, _ = pad_packed_sequence(theirs(packed)[0], batch_first=True)
    outputs = ours(inputs, lengths)
    for row, length in enumerate(lengths):
        torch.testing.assert_close(outputs[row, :length], expected[row, :length])


@pytest.mark.parametrize("make", [recognizer, streaming])
def test_padding_and_company_change_nothing(make):
    model, batch, lengths = make(), sounds(3, 17, 20), torch.tensor([17, 9, 1])
    together = model(batch, lengths)
    for row, length in enumerate(lengths):
        alone = model(batch[row : row + 1, :length], lengths[row : row + 1])
        torch.testing.assert_close(together[row, : 2 * length], alone[0])


@pytest.mark.parametrize("cuts", [[1] * 19, [4, 4, 4, 4, 3], [7, 1, 11], [19]])
def test_a_stream_in_pieces_equals_the_whole(cuts):
    model, frames, state = streaming(), sounds(2, 19, 20), None
    pieces = []
    for piece in frames.split(cuts, dim=1):
        logits, state = model.listen(piece, state)
        pieces.append(logits)
    torch.testing.assert_close(torch.cat(pieces, dim=1), model(frames))


def test_a_stream_never_looks_ahead_but_the_recognizer_does():
    for model, looks_ahead in ((streaming(), False), (recognizer(), True)):
        frames, lengths = sounds(1, 12, 20), torch.tensor([12])
        changed = frames.clone()
        changed[:, 8:] += 1
        same = torch.equal(model(frames, lengths)[:, :16], model(changed, lengths)[:, :16])
        assert same != looks_ahead


def test_normalization_travels_with_the_weights():
    model = streaming()
    assert {"mean", "std"} <= model.state_dict().keys()
    shifted = StreamingRecognizer(28, num_inputs=20, hidden_size=24).eval()
    shifted.load_state_dict(model.state_dict())
    shifted.mean += 1
    frames = sounds(1, 5, 20)
    torch.testing.assert_close(shifted(frames + 1), model(frames))


@pytest.mark.parametrize("make", [recognizer, streaming])
def test_losses_are_torchs_per_letter_whatever_the_batch(make):
    features = [sounds(length, 5, seed=length) for length in (40, 33, 21)]
    targets = [torch.tensor([3, 3, 1]), torch.tensor([2]), torch.tensor([27, 4, 4, 5])]
    model = make()
    losses = ctc_losses(model, next(iter(SequenceBatches(features, targets, batch_size=3))))
    for loss, feature, target in zip(losses, features, targets, strict=True):
        stacked = stack_frames(feature)
        log_probs = model(stacked[None], torch.tensor([len(stacked)]))[0].log_softmax(dim=1)
        expected = nn.functional.ctc_loss(log_probs, target, torch.tensor(len(log_probs)), torch.tensor(len(target)))
        torch.testing.assert_close(loss, expected)  # its default is the mean per letter


def test_a_text_that_does_not_fit_costs_nothing_instead_of_everything():
    batch = next(iter(SequenceBatches([sounds(8, 5)], [torch.arange(1, 6)], batch_size=1)))
    assert ctc_losses(recognizer(), batch).tolist() == [0.0]
