"""What lesson 08's exercises owe us: scenarios that use an exercise and return what they observed; a judge compares."""

import torch

from course_lib.exercises import check


def numbers(draw, *shape):
    return draw.normal(*shape, dtype=torch.float64)


# rnn_forward: in single precision, as the layers of torch that somebody might put in its place


def rnn_weights(draw, features, hidden):
    return {
        "weight_input": draw.normal(hidden, features),
        "weight_hidden": 0.7 * draw.normal(hidden, hidden),
        "bias": draw.normal(hidden),
    }


@check("One step, small enough to do by hand")
def one_step(rnn_forward, draw):
    return [rnn_forward(draw.normal(2, 1, 3), draw.normal(2, 4), **rnn_weights(draw, 3, 4)) for _ in range(2)]


@check("The state goes from step to step")
def state_goes_on(rnn_forward, draw):
    observed = []
    for _ in range(3):
        state = torch.zeros(1, 3)
        observed.append(rnn_forward(draw.normal(1, 5, 2), state, **rnn_weights(draw, 2, 3)))
    return observed


@check("Several sequences at once, each with a state of its own")
def sequences_do_not_mix(rnn_forward, draw):
    return rnn_forward(draw.normal(5, 4, 3), draw.normal(5, 2), **rnn_weights(draw, 3, 2))


@check("The last state is where one can read on")
def reading_on(rnn_forward, draw):
    weights, state, observed = rnn_weights(draw, 3, 4), draw.normal(2, 4), []
    for steps in (3, 1, 2):
        outputs, state = rnn_forward(draw.normal(2, steps, 3), state, **weights)
        observed += [outputs, state]
    return observed


@check("The state before the first step and the inputs are left as they were")
def givens_survive(rnn_forward, draw):
    observed = []
    for _ in range(3):
        inputs, state = draw.normal(2, 3, 4), draw.normal(2, 5)
        rnn_forward(inputs, state, **rnn_weights(draw, 4, 5))
        observed.append([inputs, state])
    return observed


@check("Gradients go back through time, to the first input and to the weights")
def gradients_through_time(rnn_forward, draw):
    inputs, state = draw.normal(2, 4, 3).requires_grad_(), draw.normal(2, 5)
    weights = {name: each.requires_grad_() for name, each in rnn_weights(draw, 3, 5).items()}
    _, last = rnn_forward(inputs, state, **weights)
    (last * draw.normal(2, 5)).sum().backward()
    return [inputs.grad, *[each.grad for each in weights.values()]]


# clip_by_norm


def gradients_of(draw, *, scale=1.0):
    return [scale * numbers(draw, *shape) for shape in ((3, 4), (3,), (2, 3))]


@check("Too long: all tensors shrink by one factor")
def too_long(clip_by_norm, draw):
    observed = []
    for max_norm in (0.5, 1.0, 2.0):
        gradients = gradients_of(draw, scale=3.0)
        clip_by_norm(gradients, max_norm=max_norm)
        observed.append(gradients)
    return observed


@check("Short enough: nothing changes, and zeros stay zeros")
def short_enough(clip_by_norm, draw):
    observed = []
    for scale in (0.01, 0.03, 0.1, 0.0):
        gradients = gradients_of(draw, scale=scale)
        clip_by_norm(gradients, max_norm=5.0)
        observed.append(gradients)
    for share in (0.6, 0.9):  # of the norm that is allowed
        gradients = gradients_of(draw, scale=1.0)
        norm = sum(gradient.square().sum() for gradient in gradients).sqrt().item()
        clip_by_norm(gradients, max_norm=norm / share)
        observed.append(gradients)
    return observed


@check("Large and small tensors keep their proportions")
def proportions(clip_by_norm, draw):
    observed = []
    for scale in (10.0, 100.0, 1000.0):
        gradients = [scale * numbers(draw, 2, 3), numbers(draw, 4), 0.01 * numbers(draw, 3)]
        clip_by_norm(gradients, max_norm=1.0)
        observed.append(gradients)
    return observed


@check("What comes back is the norm before clipping, over all tensors")
def norm_before(clip_by_norm, draw):
    scales = (0.1, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 50.0, 100.0, 200.0)
    return [clip_by_norm(gradients_of(draw, scale=scale), max_norm=1.0) for scale in scales]


@check("One tensor alone, of any shape")
def one_alone(clip_by_norm, draw):
    observed = []
    for shape in ((7,), (3, 2), (2, 3, 2)):
        gradients = [3.0 * numbers(draw, *shape)]
        clip_by_norm(gradients, max_norm=0.7)
        observed.append(gradients)
    return observed


# lstm_cell


def lstm_weights(draw, features, hidden):
    return {
        "weight_input": numbers(draw, 4 * hidden, features),
        "weight_hidden": 0.7 * numbers(draw, 4 * hidden, hidden),
        "bias": numbers(draw, 4 * hidden),
    }


def states(draw, batch, hidden):
    return torch.tanh(numbers(draw, batch, hidden)), 2 * numbers(draw, batch, hidden)


@check("One step of one sequence, from an empty memory")
def from_an_empty_memory(lstm_cell, draw):
    zeros = torch.zeros(1, 4, dtype=torch.float64)
    return [lstm_cell(numbers(draw, 1, 3), zeros, zeros, **lstm_weights(draw, 3, 4)) for _ in range(3)]


@check("One step of a batch, with memories")
def with_memories(lstm_cell, draw):
    return [lstm_cell(numbers(draw, 5, 3), *states(draw, 5, 2), **lstm_weights(draw, 3, 2)) for _ in range(2)]


def with_gates(draw, *levels):
    """Weights of an LSTM without weights: its bias alone decides, one level for each of i, f, g, o."""
    bias = torch.tensor(levels, dtype=torch.float64).repeat_interleave(3) + 0.1 * numbers(draw, 12)
    zeros = torch.zeros(12, 2, dtype=torch.float64), torch.zeros(12, 3, dtype=torch.float64)
    return {"weight_input": zeros[0], "weight_hidden": zeros[1], "bias": bias}


@check("Forget gate open, input gate closed: the cell keeps what it holds")
def keeps(lstm_cell, draw):
    return [lstm_cell(numbers(draw, 2, 2), *states(draw, 2, 3), **with_gates(draw, -9, 9, 1, 0)) for _ in range(2)]


@check("Forget gate closed, input gate open: the cell takes what is new, which may be negative")
def takes_what_is_new(lstm_cell, draw):
    return [lstm_cell(numbers(draw, 2, 2), *states(draw, 2, 3), **with_gates(draw, 9, -9, -1, 0)) for _ in range(2)]


@check("Output gate closed: the cell works on and shows nothing")
def shows_nothing(lstm_cell, draw):
    return [lstm_cell(numbers(draw, 2, 2), *states(draw, 2, 3), **with_gates(draw, 1, 2, 1, -9)) for _ in range(2)]


@check("Four steps in a row")
def steps_in_a_row(lstm_cell, draw):
    hidden, cell = states(draw, 3, 5)
    weights, observed = lstm_weights(draw, 2, 5), []
    for _ in range(4):
        hidden, cell = lstm_cell(numbers(draw, 3, 2), hidden, cell, **weights)
        observed += [hidden, cell]
    return observed


@check("Gradients reach the old cell, the old hidden state, the input and the weights")
def gradients_of_the_cell(lstm_cell, draw):
    givens = [each.requires_grad_() for each in (numbers(draw, 2, 3), *states(draw, 2, 4))]
    weights = {name: each.requires_grad_() for name, each in lstm_weights(draw, 3, 4).items()}
    hidden, cell = lstm_cell(*givens, **weights)
    (hidden * numbers(draw, 2, 4) + cell * numbers(draw, 2, 4)).sum().backward()
    return [each.grad for each in (*givens, *weights.values())]


# masked_mean


@check("Short words and long ones in one batch")
def short_and_long(masked_mean, draw):
    return [masked_mean(numbers(draw, 4, 6, 3), torch.tensor(lengths)) for lengths in ([2, 6, 1, 4], [6, 6, 5, 6])]


@check("Whatever stands in the padding, the mean is the same")
def any_padding(masked_mean, draw):
    outputs, lengths, observed = numbers(draw, 3, 7, 2), torch.tensor([2, 7, 4]), []
    for _ in range(3):
        outputs = outputs.clone()
        outputs[torch.arange(7) >= lengths[:, None]] = 1e3 * draw.number(1, 2)
        observed.append(masked_mean(outputs, lengths))
    return observed


@check("A word's mean does not depend on its neighbors in the batch")
def neighbors_do_not_matter(masked_mean, draw):
    outputs, lengths = numbers(draw, 4, 6, 3), torch.tensor([2, 5, 1, 3])
    return [masked_mean(outputs[rows], lengths[rows]) for rows in ([0, 1], [0, 2], [3, 0], [0, 1, 2, 3])]


@check("The outputs and lengths are left as they were")
def outputs_survive(masked_mean, draw):
    observed = []
    for _ in range(3):
        outputs, lengths = numbers(draw, 3, 4, 2), torch.tensor([2, 1, 3])
        masked_mean(outputs, lengths)
        observed.append([outputs, lengths])
    return observed


@check("Gradients reach the real steps, and none reaches the padding")
def gradients_of_the_mean(masked_mean, draw):
    observed = []
    for lengths in ([1, 4, 2], [3, 5, 1]):
        outputs = numbers(draw, 3, 5, 2).requires_grad_()
        (masked_mean(outputs, torch.tensor(lengths)) * numbers(draw, 3, 2)).sum().backward()
        observed.append(outputs.grad)
    return observed


# pack_batch


def sequences_of(draw, *lengths, features=2):
    return [numbers(draw, length, features) for length in lengths]


@check("Longest first: padded, lengths, packed and batch sizes")
def already_sorted(pack_batch, draw):
    return pack_batch(sequences_of(draw, 5, 3, 2))


@check("In any order: padded and lengths keep it")
def in_any_order(pack_batch, draw):
    return [pack_batch(sequences_of(draw, *lengths))[:2] for lengths in ([2, 5, 1, 3], [1, 2, 4], [3, 1, 4, 2, 6])]


@check("In any order: packed goes step by step, from the longest to the shortest")
def packed_in_any_order(pack_batch, draw):
    return [pack_batch(sequences_of(draw, *lengths))[2:] for lengths in ([2, 5, 1, 3], [1, 2, 4], [3, 1, 4, 2, 6])]


@check("Of equally long ones, the one that came first goes first")
def ties(pack_batch, draw):
    return [pack_batch(sequences_of(draw, *lengths, features=3)) for lengths in ([2, 4, 2, 4, 2], [3, 3, 1, 3])]


@check("A single sequence, and sequences that are all equally long")
def no_padding_needed(pack_batch, draw):
    return [pack_batch(sequences_of(draw, *lengths, features=3)) for lengths in ([4], [3, 3, 3])]


@check("Frames that are zero are frames, too")
def silent_frames(pack_batch, draw):
    sequences = sequences_of(draw, 2, 5, 3)
    for sequence in sequences:
        sequence[-1] = 0.0
    return pack_batch(sequences)


@check("Any kind of number: whole ones stay whole, single precision stays single")
def kinds_of_numbers(pack_batch, draw):
    whole = [draw.integers(length, 2, low=1) for length in (1, 3)]
    single = [draw.normal(length, 2) for length in (2, 4, 1)]
    packed = [pack_batch(whole), pack_batch(single)]
    return [[answer[0], answer[2], [str(each.dtype) for each in answer]] for answer in packed]


# DigitReader


def reader_with(DigitReader, draw, *, hidden_size=5):
    """A reader whose weights are drawn, so that what it says depends on nothing else."""
    reader = DigitReader(hidden_size=hidden_size).double()
    with torch.no_grad():
        for part in (reader.lstm, reader.head):
            for parameter in part.parameters():
                parameter.copy_(numbers(draw, *parameter.shape))
    return reader.eval()


def pictures(draw, n):
    return draw.uniform(n, 1, 8, 8, dtype=torch.float64)


@check("With given weights, the logits of one image are what eight rows in eight steps give")
def logits_of_one_image(DigitReader, draw):
    return [reader_with(DigitReader, draw)(pictures(draw, 1)) for _ in range(3)]


@check("An image is read by itself, whatever else is in the batch")
def images_do_not_mix(DigitReader, draw):
    reader, images = reader_with(DigitReader, draw), pictures(draw, 5)
    return [reader(images), reader(images[2:4]), reader(images.flip(0))]


@check("Every row counts, the first one and the last one too")
def every_row_counts(DigitReader, draw):
    reader, images = reader_with(DigitReader, draw), pictures(draw, 1)
    observed = []
    for row in (0, 3, 7):
        changed = images.clone()
        changed[:, :, row] = 1 - changed[:, :, row]
        observed.append(reader(changed))
    return observed


@check("A little more ink is a little different: gray is a quantity")
def gray_is_a_quantity(DigitReader, draw):
    reader, images = reader_with(DigitReader, draw), pictures(draw, 2)
    return [reader(images * ink) for ink in (0.0, 0.5, 0.9, 1.0)]


@check("It takes any hidden size, and its own parts have the shapes that were asked for")
def shapes_of_the_parts(DigitReader, draw):
    observed = []
    for hidden_size in (3, 4, 7):
        reader = reader_with(DigitReader, draw, hidden_size=hidden_size)
        sizes = [reader.lstm.input_size, reader.lstm.hidden_size, reader.lstm.num_layers, reader.head.in_features]
        observed.append([sizes, reader(pictures(draw, 3))])
    return observed


@check("Gradients reach every pixel")
def gradients_reach_the_pixels(DigitReader, draw):
    reader, images = reader_with(DigitReader, draw), pictures(draw, 2).requires_grad_()
    score = (reader(images) * numbers(draw, 2, 10)).sum()
    return torch.autograd.grad(score, images, allow_unused=True)[0]
