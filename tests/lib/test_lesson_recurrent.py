"""Lesson 08: its references held to torch's own layers, and to counting by hand."""

import itertools

import pytest
import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pack_sequence, pad_packed_sequence, pad_sequence

from course_lib.exercises.registry import load_lesson
from course_lib.speech_models import KeywordLSTM

LESSON = load_lesson("recurrent").exercises
rnn_forward, clip_by_norm, lstm_cell, masked_mean, pack_batch, DigitReader = (
    LESSON[name].reference
    for name in ("rnn_forward", "clip_by_norm", "lstm_cell", "masked_mean", "pack_batch", "DigitReader")
)
EXACT = {"rtol": 1e-12, "atol": 1e-12}


@pytest.fixture
def random():
    return torch.Generator().manual_seed(0)


def numbers(random, *shape):
    return torch.randn(*shape, dtype=torch.float64, generator=random)


def weights_of(layer, suffix=""):
    return {
        "weight_input": getattr(layer, f"weight_ih{suffix}"),
        "weight_hidden": getattr(layer, f"weight_hh{suffix}"),
        "bias": getattr(layer, f"bias_ih{suffix}") + getattr(layer, f"bias_hh{suffix}"),
    }


@pytest.mark.parametrize("time", [1, 2, 13])
def test_rnn_forward_is_torchs_rnn(random, time):
    theirs = nn.RNN(3, 5, batch_first=True).double()
    inputs, state = numbers(random, 4, time, 3), numbers(random, 4, 5)
    expected, last = theirs(inputs, state[None])
    outputs, state = rnn_forward(inputs, state, **weights_of(theirs, "_l0"))
    torch.testing.assert_close((outputs, state), (expected, last[0]), **EXACT)


def test_gradients_of_rnn_forward_are_torchs(random):
    theirs, inputs = nn.RNN(3, 5, batch_first=True).double(), numbers(random, 4, 9, 3).requires_grad_()
    ours, _ = rnn_forward(inputs, torch.zeros(4, 5, dtype=torch.float64), **weights_of(theirs, "_l0"))
    gradients = [
        torch.autograd.grad(outputs[:, -1].pow(3).sum(), [inputs, *theirs.parameters()])
        for outputs in (ours, theirs(inputs)[0])
    ]
    torch.testing.assert_close(*gradients, **EXACT)


def test_the_example_of_rnn_forward_is_right():
    one, zero = torch.ones(1, 1), torch.zeros(1)
    inputs = torch.tensor([[[0.5], [0.0]]])
    outputs, _ = rnn_forward(inputs, torch.zeros(1, 1), weight_input=one, weight_hidden=2 * one, bias=zero)
    assert outputs.flatten().tolist() == pytest.approx([0.462, 0.728], abs=5e-4)


def test_lstm_cell_is_torchs_over_many_steps(random):
    theirs = nn.LSTMCell(3, 5).double()
    ours = expected = numbers(random, 4, 5), numbers(random, 4, 5)
    for _ in range(10):
        inputs = 3 * numbers(random, 4, 3)
        expected = theirs(inputs, expected)
        ours = lstm_cell(inputs, *ours, **weights_of(theirs))
        torch.testing.assert_close(ours, expected, **EXACT)


def test_the_gates_of_lstm_cell_stand_in_the_order_of_torchs_documentation(random):
    """Only g may be negative, so a cell can only sink where g does: the third block moves it down."""
    bias, zeros = torch.zeros(4, dtype=torch.float64), torch.zeros(4, 1, dtype=torch.float64)
    bias[2] = -1.0
    state = torch.zeros(1, 1, dtype=torch.float64)
    _, cell = lstm_cell(state, state, state, weight_input=zeros, weight_hidden=zeros, bias=bias)
    assert cell.item() == pytest.approx(0.5 * torch.tanh(torch.tensor(-1.0)).item())


@pytest.mark.parametrize("scale, max_norm", list(itertools.product([0.0, 1e-3, 1.0, 1e4], [0.1, 1.0, 30.0])))
def test_clip_by_norm_is_torchs(random, scale, max_norm):
    parameters = [nn.Parameter(numbers(random, *shape)) for shape in ((3, 4), (5,), (2, 1, 3))]
    for parameter in parameters:
        parameter.grad = scale * numbers(random, *parameter.shape)
    ours = [parameter.grad.clone() for parameter in parameters]
    expected = nn.utils.clip_grad_norm_(parameters, max_norm)
    assert clip_by_norm(ours, max_norm=max_norm) == pytest.approx(expected.item(), rel=1e-12)
    torch.testing.assert_close(ours, [parameter.grad for parameter in parameters], **EXACT)


def test_masked_mean_is_the_mean_of_each_sequence_alone(random):
    outputs, lengths = numbers(random, 5, 7, 3), [1, 7, 4, 2, 6]
    expected = torch.stack([row[:length].mean(dim=0) for row, length in zip(outputs, lengths, strict=True)])
    torch.testing.assert_close(masked_mean(outputs, torch.tensor(lengths)), expected, **EXACT)


def test_masked_mean_keeps_the_precision_of_its_inputs():
    for dtype in (torch.float32, torch.float64):
        assert masked_mean(torch.ones(2, 3, 4, dtype=dtype), torch.tensor([1, 3])).dtype == dtype


@pytest.mark.parametrize("seed", range(8))
def test_pack_batch_is_torchs_padding_and_packing(seed):
    random = torch.Generator().manual_seed(seed)
    lengths = torch.randperm(9, generator=random)[:6] + 1  # without ties, whose order torch does not promise
    sequences = [numbers(random, int(length), 3) for length in lengths]
    padded, ours, packed, batch_sizes = pack_batch(sequences)
    torch.testing.assert_close(padded, pad_sequence(sequences, batch_first=True))
    torch.testing.assert_close(ours, lengths)
    expected = pack_padded_sequence(padded, lengths, batch_first=True, enforce_sorted=False)
    torch.testing.assert_close((packed, batch_sizes), (expected.data, expected.batch_sizes))


def test_pack_batch_keeps_ties_in_their_order_as_torch_does_for_sorted_ones(random):
    sequences = [numbers(random, length, 2) for length in (4, 4, 3, 3, 3, 1)]
    _, _, packed, batch_sizes = pack_batch(sequences)
    expected = pack_sequence(sequences)
    torch.testing.assert_close((packed, batch_sizes), (expected.data, expected.batch_sizes))


def test_the_repaired_reader_reads_each_image_by_itself_and_all_of_it(random):
    reader, images = DigitReader(hidden_size=6).double(), torch.rand(5, 1, 8, 8, dtype=torch.float64, generator=random)
    alone = torch.cat([reader(image[None]) for image in images])
    torch.testing.assert_close(reader(images), alone, **EXACT)
    (gradient,) = torch.autograd.grad(reader(images.requires_grad_()).sum(), images)
    assert (gradient != 0).all()


def test_the_repaired_reader_feeds_rows_to_its_lstm_one_by_one(random):
    reader = DigitReader(hidden_size=6).double()
    image, state = torch.rand(1, 1, 8, 8, dtype=torch.float64, generator=random), None
    for row in image[0, 0]:
        output, state = reader.lstm(row[None, None], state)
    torch.testing.assert_close(reader(image), reader.head(output[:, 0]), **EXACT)


def test_the_librarys_keyword_network_is_packing_and_the_masked_mean(random):
    finished = KeywordLSTM(7, num_inputs=6, hidden_size=5).double().eval()
    theirs = nn.LSTM(6, 5, batch_first=True, bidirectional=True).double()
    weights = [each for name, each in finished.state_dict().items() if name.startswith("lstm.")]
    theirs.load_state_dict(dict(zip(theirs.state_dict(), weights, strict=True)))
    frames, lengths = numbers(random, 4, 9, 6), torch.tensor([3, 9, 1, 5])
    packed = pack_padded_sequence(frames, lengths, batch_first=True, enforce_sorted=False)
    outputs, _ = pad_packed_sequence(theirs(packed)[0], batch_first=True)
    torch.testing.assert_close(finished(frames, lengths), finished.head(masked_mean(outputs, lengths)), **EXACT)


def test_the_keyword_network_does_not_read_the_padding(random):
    network, frames = KeywordLSTM(7, num_inputs=6).double().eval(), numbers(random, 2, 9, 6)
    lengths = torch.tensor([4, 9])
    expected = network(frames, lengths)
    frames[0, 4:] = 100.0
    torch.testing.assert_close(network(frames, lengths), expected, **EXACT)
