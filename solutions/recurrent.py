"""Lesson 08, recurrent: the reference of each exercise, and the mistakes that people make."""

import torch
from torch import nn

from course_lib.exercises import built_without, mistake


@built_without("torch.nn.RNN", "torch.nn.RNNCell", "torch.rnn_tanh", "torch.rnn_tanh_cell")
def rnn_forward(inputs, state, *, weight_input, weight_hidden, bias):
    """Read sequences step by step, with a state that carries what was read so far.

    Args:
        inputs: the sequences, shape `(batch, time, features)`.
        state: h before the first step, shape `(batch, hidden)`; left as it was.
        weight_input: W, shape `(hidden, features)`.
        weight_hidden: U, shape `(hidden, hidden)`.
        bias: b, shape `(hidden,)`.

    Returns:
        The states after each step, shape `(batch, time, hidden)`, and the last one, shape `(batch, hidden)`. Each is
        tanh(W·x + U·h + b), from the input x of its step and the state h before it. Sequences don't mix.

    Example: with one feature, one number as the state, W = 1, U = 2 and b = 0, the inputs 0.5 and 0 from the state 0
        give tanh(0.5) = 0.462 and then tanh(2 · 0.462) = 0.728.
    """
    outputs = []
    for step in range(inputs.shape[1]):
        state = torch.tanh(inputs[:, step] @ weight_input.T + state @ weight_hidden.T + bias)  # (batch, hidden)
        outputs.append(state)
    return torch.stack(outputs, dim=1), state


@mistake(
    of=rnn_forward,
    hint="Each step starts from the state that you were given, so nothing is remembered from step to step. Give the "
    "new state the same name, and the next step finds it.",
)
def rnn_forward_forgets(inputs, state, *, weight_input, weight_hidden, bias):
    outputs = torch.tanh(inputs @ weight_input.T + (state @ weight_hidden.T)[:, None] + bias)
    return outputs, outputs[:, -1]


@mistake(
    of=rnn_forward,
    hint="The state meets U the wrong way round. U is square, so nothing crashes: with rows as examples, U·h is "
    "`state @ weight_hidden.T`.",
)
def rnn_forward_transposes_the_hidden_weights(inputs, state, *, weight_input, weight_hidden, bias):
    return rnn_forward(inputs, state, weight_input=weight_input, weight_hidden=weight_hidden.T, bias=bias)


@mistake(
    of=rnn_forward,
    hint="The state runs on from one sequence of the batch into the next: the second one begins with memories of the "
    "first. Each sequence has a state of its own, a row of `state`.",
)
def rnn_forward_shares_the_state(inputs, state, *, weight_input, weight_hidden, bias):
    weights = {"weight_input": weight_input, "weight_hidden": weight_hidden, "bias": bias}
    memory, outputs, last = state[:1], [], []
    for sequence in inputs:
        read, memory = rnn_forward(sequence[None], memory, **weights)
        outputs.append(read[0])
        last.append(memory[0])
    return torch.stack(outputs), torch.stack(last)


@mistake(
    of=rnn_forward,
    hint="Your state has no tanh, so it isn't squeezed into −1 to 1: a long sequence makes it grow without bounds, "
    "and all steps together are one linear map.",
)
def rnn_forward_is_linear(inputs, state, *, weight_input, weight_hidden, bias):
    outputs = []
    for step in range(inputs.shape[1]):
        state = inputs[:, step] @ weight_input.T + state @ weight_hidden.T + bias
        outputs.append(state)
    return torch.stack(outputs, dim=1), state


@mistake(
    of=rnn_forward,
    hint="The bias is added after the tanh. It belongs inside: tanh(W·x + U·h + b).",
)
def rnn_forward_adds_the_bias_outside(inputs, state, *, weight_input, weight_hidden, bias):
    outputs = []
    for step in range(inputs.shape[1]):
        state = torch.tanh(inputs[:, step] @ weight_input.T + state @ weight_hidden.T) + bias
        outputs.append(state)
    return torch.stack(outputs, dim=1), state


@mistake(
    of=rnn_forward,
    hint="The second thing you return is the state from before the first step. Return the one after the last step: "
    "whoever reads on starts there.",
)
def rnn_forward_returns_the_first_state(inputs, state, *, weight_input, weight_hidden, bias):
    outputs, _ = rnn_forward(inputs, state, weight_input=weight_input, weight_hidden=weight_hidden, bias=bias)
    return outputs, state


@mistake(
    of=rnn_forward,
    hint="You write each new state into the old tensor. Your list then holds the same tensor at every step, all equal "
    "to the last, and the caller's state is gone. `state = ...` makes a new one.",
)
def rnn_forward_overwrites_the_state(inputs, state, *, weight_input, weight_hidden, bias):
    outputs = []
    for step in range(inputs.shape[1]):
        state.copy_(torch.tanh(inputs[:, step] @ weight_input.T + state @ weight_hidden.T + bias))
        outputs.append(state)
    return torch.stack(outputs, dim=1), state


@mistake(
    of=rnn_forward,
    hint="Time and batch have changed places in your outputs. You collected one `(batch, hidden)` per step: stack them "
    "along dimension 1, so that time comes second.",
)
def rnn_forward_stacks_time_first(inputs, state, *, weight_input, weight_hidden, bias):
    outputs, last = rnn_forward(inputs, state, weight_input=weight_input, weight_hidden=weight_hidden, bias=bias)
    return outputs.transpose(0, 1), last


@built_without("torch.nn.utils.clip_grad_norm_", "torch.nn.utils.get_total_norm")
def clip_by_norm(gradients, *, max_norm):
    """Shorten all gradients together, in place, where they are too long together. Their direction stays.

    Args:
        gradients: a list of tensors of any shapes, one for each parameter; changed in place.
        max_norm: the greatest length allowed, above 0.

    Returns:
        The norm before clipping, a number: the root of the sum of the squares of all numbers in all tensors. If
        max_norm / (norm + 1e-6) is below 1, every tensor is multiplied by it; else nothing changes.

    Example: the gradients `[3.0]` and `[0.0, 4.0]` have the norm 5. With `max_norm=1` they become `[0.6]` and
        `[0.0, 0.8]`; with `max_norm=10` they stay.
    """
    norm = sum(gradient.pow(2).sum() for gradient in gradients).sqrt().item()
    factor = max_norm / (norm + 1e-6)
    if factor < 1:
        for gradient in gradients:
            gradient.mul_(factor)
    return norm


def _norm(gradients):
    return torch.cat([gradient.flatten() for gradient in gradients]).norm().item()


@mistake(
    of=clip_by_norm,
    hint="You clip each tensor by itself. Large and small gradients then end at the same length, and the step points "
    "elsewhere. There is one norm, over all tensors, and one factor for all.",
)
def clip_by_norm_clips_each_alone(gradients, *, max_norm):
    norm = _norm(gradients)
    for gradient in gradients:
        clip_by_norm([gradient], max_norm=max_norm)
    return norm


@mistake(
    of=clip_by_norm,
    hint="You cut off each number by itself. That bends the direction towards a diagonal: large numbers shrink, small "
    "ones stay. Multiply all of them by one factor.",
)
def clip_by_norm_clamps_each_number(gradients, *, max_norm):
    norm = _norm(gradients)
    for gradient in gradients:
        gradient.clamp_(-max_norm, max_norm)
    return norm


@mistake(
    of=clip_by_norm,
    hint="You scale short gradients, too, up to `max_norm`. Near a minimum, where they should fade, each step would "
    "stay as long as ever: multiply only by factors below 1.",
)
def clip_by_norm_stretches_short_ones(gradients, *, max_norm):
    norm = _norm(gradients)
    for gradient in gradients:
        gradient.mul_(max_norm / (norm + 1e-6))
    return norm


@mistake(
    of=clip_by_norm,
    hint="You added up the norms of the tensors. Lengths at right angles don't add up: 3 and 4 make 5, not 7. Add the "
    "squares, and take the root once.",
)
def clip_by_norm_adds_the_norms(gradients, *, max_norm):
    norm = sum(gradient.norm().item() for gradient in gradients)
    for gradient in gradients:
        gradient.mul_(min(1.0, max_norm / (norm + 1e-6)))
    return norm


@mistake(
    of=clip_by_norm,
    hint="You forgot the root: the norm is the square root of the sum of squares.",
)
def clip_by_norm_forgets_the_root(gradients, *, max_norm):
    norm = _norm(gradients) ** 2
    for gradient in gradients:
        gradient.mul_(min(1.0, max_norm / (norm + 1e-6)))
    return norm


@mistake(
    of=clip_by_norm,
    hint="You return the norm after clipping, which never says more than `max_norm`. The one before tells you when "
    "training is about to explode.",
)
def clip_by_norm_returns_what_is_left(gradients, *, max_norm):
    clip_by_norm(gradients, max_norm=max_norm)
    return _norm(gradients)


@mistake(
    of=clip_by_norm,
    hint="The caller's gradients have not changed: `gradient = gradient * factor` makes a new tensor and a local name "
    "for it. `gradient.mul_(factor)` or `gradient *= factor` change the one you were given.",
)
def clip_by_norm_clips_copies(gradients, *, max_norm):
    return clip_by_norm([gradient.clone() for gradient in gradients], max_norm=max_norm)


@mistake(
    of=clip_by_norm,
    hint="You measure by the largest number alone. That is another norm: many numbers that are small each can be "
    "a long gradient together.",
)
def clip_by_norm_takes_the_largest_number(gradients, *, max_norm):
    norm = max(gradient.abs().max().item() for gradient in gradients)
    for gradient in gradients:
        gradient.mul_(min(1.0, max_norm / (norm + 1e-6)))
    return norm


@built_without("torch.nn.LSTMCell", "torch.nn.LSTM", "torch.lstm_cell", "torch.lstm")
def lstm_cell(inputs, hidden, cell, *, weight_input, weight_hidden, bias):
    """One step of a long short-term memory: forget a share of the cell, write into it, and show a part of it.

    Args:
        inputs: x, shape `(batch, features)`.
        hidden: h, what the cell showed before this step, shape `(batch, hidden)`.
        cell: c, what it keeps, shape `(batch, hidden)`.
        weight_input: W, shape `(4 * hidden, features)`: four blocks of rows, in torch's order i, f, g, o.
        weight_hidden: U, shape `(4 * hidden, hidden)`, in the same order.
        bias: b, shape `(4 * hidden,)`, in the same order.

    Returns:
        The new hidden state and the new cell, shape `(batch, hidden)` each. The four blocks of W·x + U·h + b become
        i, f and o by a sigmoid, g by a tanh. Then c ← f·c + i·g, number by number, and h ← o·tanh(c) with the new c.

    Example: with weights and bias of 0, each gate is one half and g is 0: the cell 2 becomes 1, and shows
        tanh(1) / 2 = 0.381.
    """
    gates = inputs @ weight_input.T + hidden @ weight_hidden.T + bias  # (batch, 4 * hidden)
    write, keep, candidate, show = gates.chunk(4, dim=1)
    cell = torch.sigmoid(keep) * cell + torch.sigmoid(write) * torch.tanh(candidate)
    return torch.sigmoid(show) * torch.tanh(cell), cell


def _blocks(inputs, hidden, weight_input, weight_hidden, bias):
    i, f, g, o = (inputs @ weight_input.T + hidden @ weight_hidden.T + bias).chunk(4, dim=1)
    return i.sigmoid(), f.sigmoid(), g.tanh(), o.sigmoid()


def _reordered(blocks, *order):
    parts = blocks.chunk(4)
    return torch.cat([parts[number] for number in order])


@mistake(
    of=lstm_cell,
    hint="Your blocks come in the order i, f, o, g, as in some papers and libraries. torch's order is i, f, g, o: "
    "the third block is the candidate, the last one the output gate.",
)
def lstm_cell_takes_the_order_ifog(inputs, hidden, cell, *, weight_input, weight_hidden, bias):
    weights = [_reordered(each, 0, 1, 3, 2) for each in (weight_input, weight_hidden, bias)]
    return lstm_cell(inputs, hidden, cell, weight_input=weights[0], weight_hidden=weights[1], bias=weights[2])


@mistake(
    of=lstm_cell,
    hint="Your blocks come in the order i, g, f, o, as in TensorFlow's first LSTMs. torch's order is i, f, g, o: the "
    "second block is the forget gate, the third one the candidate.",
)
def lstm_cell_takes_the_order_igfo(inputs, hidden, cell, *, weight_input, weight_hidden, bias):
    weights = [_reordered(each, 0, 2, 1, 3) for each in (weight_input, weight_hidden, bias)]
    return lstm_cell(inputs, hidden, cell, weight_input=weights[0], weight_hidden=weights[1], bias=weights[2])


@mistake(
    of=lstm_cell,
    hint="Input gate and forget gate have changed places: the first block decides what is written, the second what "
    "is kept.",
)
def lstm_cell_swaps_input_and_forget(inputs, hidden, cell, *, weight_input, weight_hidden, bias):
    weights = [_reordered(each, 1, 0, 2, 3) for each in (weight_input, weight_hidden, bias)]
    return lstm_cell(inputs, hidden, cell, weight_input=weights[0], weight_hidden=weights[1], bias=weights[2])


@mistake(
    of=lstm_cell,
    hint="Your forget gate is applied to the hidden state. It belongs to the cell, which is the memory: c ← f·c + i·g.",
)
def lstm_cell_forgets_the_hidden_state(inputs, hidden, cell, *, weight_input, weight_hidden, bias):
    i, f, g, o = _blocks(inputs, hidden, weight_input, weight_hidden, bias)
    cell = f * hidden + i * g
    return o * cell.tanh(), cell


@mistake(
    of=lstm_cell,
    hint="All four of your blocks go through a sigmoid. The candidate g is no gate: it takes a tanh, so that it can "
    "lower the cell as well as raise it.",
)
def lstm_cell_squashes_the_candidate(inputs, hidden, cell, *, weight_input, weight_hidden, bias):
    blocks = inputs @ weight_input.T + hidden @ weight_hidden.T + bias
    i, f, g, o = blocks.sigmoid().chunk(4, dim=1)
    cell = f * cell + i * g
    return o * cell.tanh(), cell


@mistake(
    of=lstm_cell,
    hint="You show the cell as it is. The cell may be large; what it shows goes through a tanh: h ← o·tanh(c).",
)
def lstm_cell_shows_without_tanh(inputs, hidden, cell, *, weight_input, weight_hidden, bias):
    i, f, g, o = _blocks(inputs, hidden, weight_input, weight_hidden, bias)
    cell = f * cell + i * g
    return o * cell, cell


@mistake(
    of=lstm_cell,
    hint="The hidden state that you return shows the old cell, one step late. Make the new cell first, then show that.",
)
def lstm_cell_shows_the_old_cell(inputs, hidden, cell, *, weight_input, weight_hidden, bias):
    i, f, g, o = _blocks(inputs, hidden, weight_input, weight_hidden, bias)
    return o * cell.tanh(), f * cell + i * g


@mistake(
    of=lstm_cell,
    hint="Your two results have changed places: first the hidden state, then the cell. They have the same shape, so "
    "nothing crashes.",
)
def lstm_cell_swaps_the_results(inputs, hidden, cell, *, weight_input, weight_hidden, bias):
    return lstm_cell(inputs, hidden, cell, weight_input=weight_input, weight_hidden=weight_hidden, bias=bias)[::-1]


@built_without("torch.masked.mean", "torch.nanmean")
def masked_mean(outputs, lengths):
    """The mean over the real steps of each sequence; what stands behind its end counts for nothing.

    Args:
        outputs: one vector for each step, shape `(batch, time, features)`; left as they were. Behind a sequence's end
            stands padding, any numbers.
        lengths: how many steps of each sequence are real, int64, shape `(batch,)`; from 1 to `time`.

    Returns:
        Shape `(batch, features)`.

    Example: a sequence with the outputs 2, 4, 9, 9 and the length 2 has the mean 3.
    """
    steps = torch.arange(outputs.shape[1], device=outputs.device)
    real = steps < lengths[:, None]  # (batch, time)
    return (outputs * real[:, :, None]).sum(dim=1) / lengths[:, None]


@mistake(
    of=masked_mean,
    hint="You take the mean over all steps, padding included: it is read as if somebody had said it, and a short "
    "word gets another mean in a batch with a long one.",
)
def masked_mean_reads_the_padding(outputs, lengths):
    return outputs.mean(dim=1)


@mistake(
    of=masked_mean,
    hint="The padding no longer counts in your sum, but it does in your divisor: you divide by the length of the "
    "batch. A sequence of length 2 is divided by 2.",
)
def masked_mean_divides_by_the_longest(outputs, lengths):
    return masked_mean(outputs, lengths) * lengths[:, None] / outputs.shape[1]


@mistake(
    of=masked_mean,
    hint="You take one step too many: steps are counted from 0, so the last real one of a sequence of length 2 is "
    "step 1. Real is `step < length`.",
)
def masked_mean_takes_one_too_many(outputs, lengths):
    real = torch.arange(outputs.shape[1]) <= lengths[:, None]
    return (outputs * real[:, :, None]).sum(dim=1) / lengths[:, None]


@mistake(
    of=masked_mean,
    hint="You cut all sequences to the length of the shortest, and lose the ends of the others.",
)
def masked_mean_cuts_to_the_shortest(outputs, lengths):
    return outputs[:, : lengths.min()].mean(dim=1)


@mistake(
    of=masked_mean,
    hint="Your mask keeps the end of each row and drops its beginning. The padding stands behind: the first `length` "
    "steps are real.",
)
def masked_mean_keeps_the_end(outputs, lengths):
    return masked_mean(outputs.flip(1), lengths)


@mistake(
    of=masked_mean,
    hint="You divide by the mean length of the batch, so what one word gives depends on its neighbors. "
    "Each sequence is divided by its own length.",
)
def masked_mean_divides_by_the_mean_length(outputs, lengths):
    return masked_mean(outputs, lengths) * lengths[:, None] / lengths.double().mean().to(outputs.dtype)


@mistake(
    of=masked_mean,
    hint="You wrote zeros into the outputs that you were given. Whoever called you still needs them: multiply by the "
    "mask, which makes a new tensor.",
)
def masked_mean_damages_the_outputs(outputs, lengths):
    result = masked_mean(outputs, lengths)
    with torch.no_grad():
        outputs[torch.arange(outputs.shape[1]) >= lengths[:, None]] = 0.0
    return result


@built_without(
    "torch.nn.utils.rnn.pad_sequence", "torch.nn.utils.rnn.pack_sequence", "torch.nn.utils.rnn.pack_padded_sequence"
)
def pack_batch(sequences):
    """Make one batch of sequences of different lengths: padded, and packed, which means without any padding.

    Args:
        sequences: a list of tensors, shape `(length, features)` each, one or more, in any order; each length is at
            least 1.

    Returns:
        Four tensors.
        padded: shape `(batch, longest, features)`, in the order in which the sequences came, with zeros behind.
        lengths: int64, shape `(batch,)`, in the same order.
        packed: shape `(sum of the lengths, features)`: first all first frames, then all second ones, and so on. Within
            a step, longer sequences come first, and of equally long ones the one that came first.
        batch_sizes: int64, shape `(longest,)`: how many sequences have a frame at each step.

    Example: `[[1.]]` and `[[2.], [3.]]`: padded `[[[1.], [0.]], [[2.], [3.]]]`, lengths `[1, 2]`, packed
        `[[2.], [1.], [3.]]`, batch sizes `[2, 1]`.
    """
    lengths = torch.tensor([len(sequence) for sequence in sequences])
    longest = int(lengths.max())
    padded = sequences[0].new_zeros(len(sequences), longest, sequences[0].shape[1])
    for row, sequence in zip(padded, sequences, strict=True):
        row[: len(sequence)] = sequence
    order = lengths.argsort(descending=True, stable=True)
    real = torch.arange(longest)[:, None] < lengths[order]  # (longest, batch)
    packed = padded[order].transpose(0, 1)[real]  # (sum of the lengths, features)
    return padded, lengths, packed, real.sum(dim=1)


@mistake(
    of=pack_batch,
    hint="You packed one sequence after the other. An LSTM reads all sequences at once, step by step: first all first "
    "frames, then all second ones.",
)
def pack_batch_packs_one_after_the_other(sequences):
    padded, lengths, _, batch_sizes = pack_batch(sequences)
    packed = torch.cat([sequences[i] for i in lengths.argsort(descending=True, stable=True).tolist()])
    return padded, lengths, packed, batch_sizes


@mistake(
    of=pack_batch,
    hint="Your packed frames are in the order in which the sequences came. When a sequence ends, the rest must move "
    "up: only with the longest first are those that go on always the first ones.",
)
def pack_batch_does_not_sort(sequences):
    padded, lengths, _, batch_sizes = pack_batch(sequences)
    real = torch.arange(int(lengths.max()))[:, None] < lengths
    return padded, lengths, padded.transpose(0, 1)[real], batch_sizes


@mistake(
    of=pack_batch,
    hint="You sorted the padded batch, too. Its rows no longer belong to their labels, and nothing tells you. Padded "
    "and lengths stay in the order in which the sequences came.",
)
def pack_batch_sorts_the_padded_ones(sequences):
    padded, lengths, packed, batch_sizes = pack_batch(sequences)
    order = lengths.argsort(descending=True, stable=True)
    return padded[order], lengths[order], packed, batch_sizes


@mistake(
    of=pack_batch,
    hint="You sorted from the shortest to the longest. Sequences end, they don't begin later: the longest goes first.",
)
def pack_batch_sorts_upward(sequences):
    padded, lengths, _, batch_sizes = pack_batch(sequences)
    order = lengths.argsort(stable=True)
    real = torch.arange(int(lengths.max()))[:, None] < lengths[order]
    return padded, lengths, padded[order].transpose(0, 1)[real], batch_sizes


@mistake(
    of=pack_batch,
    hint="The padding is still in your packed frames, and every step counts the whole batch. Leave out what is behind "
    "the end of a sequence.",
)
def pack_batch_packs_the_padding(sequences):
    padded, lengths, _, batch_sizes = pack_batch(sequences)
    order = lengths.argsort(descending=True, stable=True)
    packed = padded[order].transpose(0, 1).flatten(0, 1)
    return padded, lengths, packed, torch.full_like(batch_sizes, len(sequences))


@mistake(
    of=pack_batch,
    hint="You pad in front, so the sequences end together, but an LSTM then wades through silence before each word, "
    "and every mask of this lesson is wrong. The zeros go behind.",
)
def pack_batch_pads_in_front(sequences):
    padded, lengths, packed, batch_sizes = pack_batch(sequences)
    rows = [row.roll(len(row) - len(sequence), dims=0) for row, sequence in zip(padded, sequences, strict=True)]
    return torch.stack(rows), lengths, packed, batch_sizes


@mistake(
    of=pack_batch,
    hint="Your batch sizes are the lengths, sorted. They count the other way: how many sequences still have a frame at "
    "step 0, at step 1, and so on, as many numbers as the longest has frames.",
)
def pack_batch_gives_the_lengths_as_batch_sizes(sequences):
    padded, lengths, packed, _ = pack_batch(sequences)
    return padded, lengths, packed, lengths.sort(descending=True).values


class DigitReader(nn.Module):
    """Read the image of a digit row by row, from top to bottom, and say which digit it is.

    Calling it with images, float numbers from 0 to 1 of shape `(batch, 1, 8, 8)`, gives logits of shape
    `(batch, 10)`. Each image is read by itself, whatever else is in its batch.

    Args:
        hidden_size: the width of the LSTM's state.

    Attributes:
        lstm: an `nn.LSTM` of one layer that takes one row at each step, its eight pixels from left to right.
        head: an `nn.Linear` from the LSTM's output at the last row to ten logits.
    """

    def __init__(self, *, hidden_size=32):
        """Make the parts."""
        super().__init__()
        self.lstm = nn.LSTM(8, hidden_size, batch_first=True)
        self.head = nn.Linear(hidden_size, 10)

    def forward(self, images):
        """The logits, shape `(batch, 10)`."""
        outputs, _ = self.lstm(images[:, 0])  # (batch, 8, hidden)
        return self.head(outputs[:, -1])


@mistake(
    of=DigitReader,
    hint="`batch_first` is mended, but pixels are still taken for the names of tokens. `.long()` turns all numbers "
    "below 1 into 0. A pixel is a quantity, not a name: feed the rows to the LSTM as they are, without an embedding.",
)
class DigitReaderStillEmbeds(nn.Module):
    def __init__(self, *, hidden_size=32):
        super().__init__()
        self.embedding = nn.Embedding(256, 8)
        self.lstm = nn.LSTM(8, hidden_size, batch_first=True)
        self.head = nn.Linear(hidden_size, 10)

    def forward(self, images):
        outputs, _ = self.lstm(self.embedding(images.flatten(1).long()))
        return self.head(outputs[:, -1])


@mistake(
    of=DigitReader,
    hint="You scale the pixels to 0 to 255 before the embedding. Now they differ, but an embedding gives each gray "
    "a vector of its own: 127 and 128 have nothing in common. Feed the rows to the LSTM as they are.",
)
class DigitReaderScalesAndEmbeds(nn.Module):
    def __init__(self, *, hidden_size=32):
        super().__init__()
        self.embedding = nn.Embedding(256, 8)
        self.lstm = nn.LSTM(8, hidden_size, batch_first=True)
        self.head = nn.Linear(hidden_size, 10)

    def forward(self, images):
        outputs, _ = self.lstm(self.embedding((images.flatten(1) * 255).long()))
        return self.head(outputs[:, -1])


@mistake(
    of=DigitReader,
    hint="The rows are right, but the LSTM walks along the batch: without `batch_first=True` its first dimension is "
    "time, and the state runs on from one image into the next.",
)
class DigitReaderWalksAlongTheBatch(DigitReader):
    def __init__(self, *, hidden_size=32):
        super().__init__(hidden_size=hidden_size)
        self.lstm = nn.LSTM(8, hidden_size)


@mistake(
    of=DigitReader,
    hint="You read columns, from left to right. The rows are asked for: `images[:, 0]` has rows as its steps already.",
)
class DigitReaderReadsColumns(DigitReader):
    def forward(self, images):
        return super().forward(images.mT)


@mistake(
    of=DigitReader,
    hint="Your LSTM takes single pixels, 64 steps of one number each. A row at each step is asked for: eight numbers, "
    "eight steps.",
)
class DigitReaderReadsPixels(DigitReader):
    def __init__(self, *, hidden_size=32):
        super().__init__(hidden_size=hidden_size)
        self.lstm = nn.LSTM(1, hidden_size, batch_first=True)

    def forward(self, images):
        outputs, _ = self.lstm(images.flatten(1)[:, :, None])
        return self.head(outputs[:, -1])


@mistake(
    of=DigitReader,
    hint="Your LSTM gets the whole image in a single step, so there is nothing to remember. Eight steps, a row each.",
)
class DigitReaderTakesOneStep(DigitReader):
    def __init__(self, *, hidden_size=32):
        super().__init__(hidden_size=hidden_size)
        self.lstm = nn.LSTM(64, hidden_size, batch_first=True)

    def forward(self, images):
        outputs, _ = self.lstm(images.flatten(1)[:, None])
        return self.head(outputs[:, -1])


@mistake(
    of=DigitReader,
    hint="You answer after the first row, when seven are still unread: take the output of the last step.",
)
class DigitReaderAnswersTooEarly(DigitReader):
    def forward(self, images):
        return super().forward(images[:, :, :1])


@mistake(
    of=DigitReader,
    hint="You return probabilities. Logits are asked for: the loss has a softmax of its own, and two are one too many.",
)
class DigitReaderReturnsProbabilities(DigitReader):
    def forward(self, images):
        return super().forward(images).softmax(dim=1)
