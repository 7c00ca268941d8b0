# %% [markdown]
# # 08 · Memory
#
# A sound has no fixed size: it goes on until it ends. A recurrent network reads it step by step, and keeps a state in
# which it remembers what it has heard.
#
# **You will be able to** write an RNN and an LSTM by hand, say why gradients vanish or explode on their way back in
# time and what helps, batch sequences of different lengths without reading the padding, and train a network that
# recognizes spoken words in voices that it has never heard.
#
# **You need** lesson 02 (gradients), lesson 03 (the loop) and lesson 07 (log-mels). **Time:** 90 minutes, with six
# exercises.

# %%
import matplotlib.pyplot as plt
import torch
from torch import nn
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence

from course_lib.audio import log_mel, normalize_features
from course_lib.batches import Batches
from course_lib.datasets import available, load
from course_lib.device import best_device, budget
from course_lib.exercises import borrow, exercise
from course_lib.metrics import correct
from course_lib.plots import PALETTE, plot_confusion, show
from course_lib.sequence_batches import SequenceBatches
from course_lib.speech_models import KeywordLSTM, stack_frames
from course_lib.training import Recipe, evaluate, fit, one_cycle
from course_lib.widgets.sound import play

# %% [markdown]
# ## Reading in order
#
# At each step, a recurrent network takes the next input $x_t$ and its own last state, and makes a new state:
#
# $$h_t = \tanh(W x_t + U h_{t-1} + b)$$
#
# The same $W$, $U$ and $b$ at every step, so a sequence may have any length.
#
# ### Exercise 1 · `rnn_forward` · difficulty ●○○ · 10 min
#
# <details><summary>Hint 1: a nudge</summary>
#
# What does the second step need that the first one made?
# </details>
# <details><summary>Hint 2: the idea</summary>
#
# A loop over the steps. In it, all sequences of the batch at once: `inputs[:, step]` has shape `(batch, features)`.
# Collect the states in a list.
# </details>
# <details><summary>Hint 3: nearly the code</summary>
#
# `state = torch.tanh(inputs[:, step] @ weight_input.T + state @ weight_hidden.T + bias)`, then
# `outputs.append(state)`; after the loop `torch.stack(outputs, dim=1)`.
# </details>

# %% tags=["exercise"]
@exercise
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
    ...  # your code here


# %% [markdown]
# **Predict.** Twenty sounds, forwards and backwards: which of the two can tell them apart, the mean of the inputs or
# the last state of an RNN? And will your RNN agree with torch's?

# %%
# NBVAL_CHECK_OUTPUT
torch.manual_seed(0)
theirs, sounds = nn.RNN(8, 16, batch_first=True), torch.randn(4, 20, 8)
weights = {"weight_input": theirs.weight_ih_l0, "weight_hidden": theirs.weight_hh_l0}
weights["bias"] = theirs.bias_ih_l0 + theirs.bias_hh_l0  # torch keeps two, and adds them
outputs, forwards = rnn_forward(sounds, torch.zeros(4, 16), **weights)
_, backwards = rnn_forward(sounds.flip(1), torch.zeros(4, 16), **weights)
print("equal to torch's:", torch.allclose(outputs, theirs(sounds)[0], atol=1e-6))
print("the mean notices the order:", not torch.allclose(sounds.mean(1), sounds.flip(1).mean(1), atol=1e-6))
print("the state notices the order:", not torch.allclose(forwards, backwards, atol=1e-2))

# %% [markdown]
# ## Back-propagation through time
#
# Nothing new is needed for the gradient: unrolled, the loop is a deep network whose layers share their weights. From
# the last step back to one $k$ steps earlier, the chain rule multiplies $k$ matrices:
#
# $$\frac{\partial h_T}{\partial h_{T-k}} = \prod_{t=T-k+1}^{T} \mathrm{diag}(1 - h_t^2)\; U$$
#
# Multiply by nearly the same thing sixty times, and the product is nearly zero or huge.
#
# **Predict.** A fresh RNN, then the same with $U$ twice and four times as large: how much of the gradient is left after
# 60 steps?

# %%
def gradient_by_distance(kind, *, scale=1.0, forget_bias=0.0, seed=0):
    """The norm of d loss / d state, 0 to 60 steps before the end, as a share of the norm at the end."""
    torch.manual_seed(seed)
    cell, inputs = kind(8, 64), torch.randn(100, 32, 8)  # 40 steps to settle in, 60 to look at
    with torch.no_grad():
        cell.weight_hh *= scale
        cell.bias_hh[64:128] += forget_bias  # second block: the forget gate of an LSTM, z of a GRU
    state, states = None, []
    for step in inputs:
        state = cell(step, state)
        states.append(state[1] if isinstance(state, tuple) else state)  # what is carried on: c in an LSTM, else h
    loss = ((state[0] if isinstance(state, tuple) else state) * torch.randn(32, 64)).sum(dim=1).mean()
    norms = torch.stack([each.norm(dim=1).mean() for each in torch.autograd.grad(loss, states)])
    return (norms / norms[-1]).flip(0)[:61]


# %%
def draw_gradients(lines, *, title, alt):
    figure, axes = plt.subplots(figsize=(7.5, 3.9))
    for name, (kind, options) in lines.items():
        shares = torch.stack([gradient_by_distance(kind, seed=seed, **options) for seed in range(3)])
        line = axes.semilogy(shares.log().mean(dim=0).exp(), label=name)[0]
        axes.fill_between(range(61), shares.amin(0), shares.amax(0), color=line.get_color(), alpha=0.25, linewidth=0)
        print(f"{name:28s} after 60 steps: {shares[:, 60].min():.0e} to {shares[:, 60].max():.0e}")
    axes.axhline(1.0, color="black", linewidth=0.8, linestyle=":")
    axes.set(title=title, xlabel="distance from the end (steps)", ylabel="gradient, share of the last", xlim=(0, 60))
    axes.legend(title="line: mean of three seeds, band: all", loc="center left", bbox_to_anchor=(1, 0.5))
    show(figure, alt=alt)


matrices = {"U as torch makes it": 1.0, "U twice as large": 2.0, "U four times as large": 4.0}
lines = {name: (nn.RNNCell, {"scale": scale}) for name, scale in matrices.items()}
draw_gradients(lines, title="Back through time in an RNN", alt="On a logarithmic scale, over 60 steps: with U "
               "as it is, a fall below 1e-13; twice as large, to a few hundredths; four times, a climb above 10,000.")

# %% [markdown]
# Straight lines on a logarithmic scale: each step multiplies by about the same. A fresh RNN keeps less than a
# trillionth, so it can't learn what was sixty steps ago. With four times the weights the gradient *explodes*, more than
# ten thousand times too long. In between lies a narrow ridge.
#
# What vanishes can't be mended afterwards. What explodes can be **clipped**: if all gradients together are longer than
# a limit, shorten them to it.
#
# ### Exercise 2 · `clip_by_norm` · difficulty ●○○ · 8 min
#
# <details><summary>Hint 1: a nudge</summary>
#
# The direction must stay. How many factors may there be?
# </details>
# <details><summary>Hint 2: the idea</summary>
#
# Add up the squares of all numbers in all tensors, and take one root. If the factor is below 1, multiply each tensor
# by it, in place.
# </details>
# <details><summary>Hint 3: nearly the code</summary>
#
# `norm = sum(g.pow(2).sum() for g in gradients).sqrt().item()`, `factor = max_norm / (norm + 1e-6)`, and
# `gradient.mul_(factor)` for each.
# </details>

# %% tags=["exercise"]
@exercise
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
    ...  # your code here


# %% [markdown]
# Below, the smallest recurrent network there is: its state 1 is multiplied by $w$, twenty times, and should become
# 0.5. The loss has a flat valley and a cliff.
#
# **Predict.** Gradient descent starts on the cliff, at $w = 1.15$. Where is it after one step, with clipping and
# without?

# %%
def cliff(weight):
    return (weight**20 - 0.5) ** 2 / 2


def descend(max_norm):
    weight, path = torch.tensor([1.15], requires_grad=True), []
    for _ in range(40):
        path.append(weight.item())
        gradients = list(torch.autograd.grad(cliff(weight).sum(), [weight]))
        clip_by_norm(gradients, max_norm=max_norm)
        with torch.no_grad():
            weight -= 0.01 * gradients[0]
    return path


# %%
free, clipped = descend(1e9), descend(1.0)
print("without clipping:", [f"{weight:.3g}" for weight in free[:4]])
print("with clipping:   ", [f"{weight:.3g}" for weight in clipped[:4]], "... after 39 steps", f"{clipped[-1]:.3f}")
figure, axes = plt.subplots(figsize=(6.5, 3.2))
weight = torch.linspace(0.6, 1.17, 200)
axes.plot(weight, cliff(weight), color=PALETTE["black"], linewidth=1.2, label="loss")
axes.plot(clipped, cliff(torch.tensor(clipped)), "o", color=PALETTE["vermillion"], label="steps with clipping")
axes.set(title="A cliff, twenty steps back in time", xlabel="weight w", ylabel="loss", ylim=(-5, 100))
axes.legend(loc="upper left")
show(figure, alt="The loss is flat for weights below one and rises like a wall above 1.1. The clipped steps go down "
     "the wall in equal strides and come to rest in the valley at 0.97.")

# %% [markdown]
# Without clipping, one step leaps to −44, and from there nothing comes back but `nan`. With clipping the gradient only
# says *which way*, and the walk ends in the valley, at $0.5^{1/20} = 0.966$.
#
# ## The LSTM: a state that is added to
#
# A long short-term memory keeps a **cell** $c$. It isn't multiplied by a matrix from step to step, but by a **forget
# gate** $f$ between 0 and 1, number by number:
#
# $$c_t = f \odot c_{t-1} + i \odot g \qquad h_t = o \odot \tanh(c_t)$$
#
# The gates $i, f, o$ and the candidate $g$ are made from $x_t$ and $h_{t-1}$. Where $f$ is near 1, what the cell holds
# stays, and so does its gradient.

# %% [markdown]
# ### Exercise 3 · `lstm_cell` · difficulty ●●○ · 12 min
#
# torch keeps the four weight matrices in one, one block of rows after the other: $i$, $f$, $g$, $o$.
#
# <details><summary>Hint 1: a nudge</summary>
#
# All four need the same two products. How many matrix products are necessary?
# </details>
# <details><summary>Hint 2: the idea</summary>
#
# `gates = W x + U h + b` has shape `(batch, 4 * hidden)`; `chunk(4, dim=1)` cuts it in four. Three of them get a
# sigmoid, one a tanh. First the new cell, then the hidden state from it.
# </details>
# <details><summary>Hint 3: nearly the code</summary>
#
# `cell = torch.sigmoid(f) * cell + torch.sigmoid(i) * torch.tanh(g)`, then
# `hidden = torch.sigmoid(o) * torch.tanh(cell)`; return both.
# </details>

# %% tags=["exercise"]
@exercise
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
    ...  # your code here


# %% [markdown]
# A **gated recurrent unit** (GRU) does without a cell. One gate $z$ decides what stays of the state, a second one, $r$,
# what the new part sees of it; three blocks of weights instead of four:
#
# $$h_t = z \odot h_{t-1} + (1 - z) \odot \tanh(W x_t + r \odot (U h_{t-1} + b))$$
#
# **Predict.** Your LSTM cell in a loop, against torch's whole LSTM: equal? And in the figure: a *fresh* gate stands
# half open, $\sigma(0) = 0.5$. How does a fresh LSTM compare with the RNN? What does a bias of 2 or 4 change
# ($\sigma(2) = 0.88$, $\sigma(4) = 0.98$)?

# %%
theirs, hidden, cell = nn.LSTM(8, 16, batch_first=True), torch.zeros(4, 16), torch.zeros(4, 16)
weights = {"weight_input": theirs.weight_ih_l0, "weight_hidden": theirs.weight_hh_l0}
weights["bias"] = theirs.bias_ih_l0 + theirs.bias_hh_l0
for step in range(sounds.shape[1]):
    hidden, cell = lstm_cell(sounds[:, step], hidden, cell, **weights)
_, (their_hidden, their_cell) = theirs(sounds)
agree = [torch.allclose(*each, atol=1e-6) for each in ((hidden, their_hidden[0]), (cell, their_cell[0]))]
print("hidden state and cell are torch's after 20 steps:", agree)

lines = {f"LSTM, forget bias {bias}": (nn.LSTMCell, {"forget_bias": bias}) for bias in (0, 2, 4)}
lines = {"RNN": (nn.RNNCell, {})} | lines | {"GRU, bias of z 4": (nn.GRUCell, {"forget_bias": 4})}
draw_gradients(lines, title="The forget gate decides how far gradients reach", alt="RNN and fresh LSTM fall below "
               "1e-11. The LSTM with bias 2 ends near 0.1, with bias 4 it stays near 1, and the GRU not far below.")

# %% [markdown]
# The name alone helps little: a fresh LSTM loses more than a third of its gradient at each step, and after sixty steps
# nothing is left, as in an RNN. With its forget gate open the gradient gets through. The same holds for the GRU.
#
# Does it matter? Give the network a **memory task**: it reads a row of symbols out of four, and must name the *first*
# one at the end.
#
# **Predict.** RNN, fresh LSTM, LSTM with forget bias 4, with 5, 15 and 30 symbols in between: who remembers?

# %%
class Recall(nn.Module):
    def __init__(self, kind, *, forget_bias):
        super().__init__()
        self.reader, self.head = kind(4, 32, batch_first=True), nn.Linear(32, 4)
        with torch.no_grad():
            self.reader.bias_hh_l0[32:64] += forget_bias  # an RNN has no such block: nothing happens

    def forward(self, rows):
        return self.head(self.reader(rows)[0][:, -1])


def losses_fn(model, batch):
    return nn.functional.cross_entropy(model(*batch[:-1]), batch[-1], reduction="none")


# %%
def remember(kind, delay, *, forget_bias=0.0, seed=0):
    """Train on 250 batches of rows, each seen once; return the accuracy on 1,000 others."""
    torch.manual_seed(seed)
    symbols = torch.randint(4, (17_000, delay + 1), device=device)
    tensors = nn.functional.one_hot(symbols, 4).float(), symbols[:, 0]
    train, test = (Batches(*(each[part] for each in tensors), batch_size=64) for part in parts)
    model = Recall(kind, forget_bias=forget_bias)
    fit(model, train, losses_fn, recipe=Recipe(make_adamw, epochs=1))
    return evaluate(model, test, accuracy)["accuracy"]


def make_adamw(model):
    return torch.optim.AdamW(model.parameters(), lr=5e-3)


device, parts = best_device(), (slice(0, 16_000), slice(16_000, None))
accuracy = {"accuracy": lambda model, batch: correct(model(*batch[:-1]), batch[-1])}

# %%
contenders = {"RNN": (nn.RNN, 0), "LSTM, forget bias 0": (nn.LSTM, 0), "LSTM, forget bias 4": (nn.LSTM, 4)}
delays, seeds, lines = (5, 15, 30), (0, 1, 2), []
figure, axes = plt.subplots(figsize=(7.5, 3.4))
for place, (name, (kind, bias)) in enumerate(contenders.items()):
    scores = [[remember(kind, delay, forget_bias=bias, seed=seed) for seed in seeds] for delay in delays]
    x = [[number + 0.2 * (place - 1) + 0.05 * (seed - 1) for seed in seeds] for number in range(3)]
    axes.plot(*torch.tensor([x, scores]).flatten(1), "osD"[place], label=name)
    ranges = [f"{min(some):4.0%} to {max(some):4.0%} after {delay}" for delay, some in zip(delays, scores, strict=True)]
    lines.append(f"{name:20s}" + ", ".join(ranges))
axes.axhline(0.25, color="black", linewidth=0.8, linestyle=":", label="guessing")
axes.set_xticks(range(3), delays)
axes.set(title="Who remembers the first symbol?", xlabel="symbols in between", ylabel="accuracy", ylim=(0, 1.05))
axes.legend(loc="center left", bbox_to_anchor=(1, 0.5))
print("\n".join(lines))
show(figure, alt="Accuracy of each network and distance, a dot per seed. " + " ".join("; ".join(lines).split()))


# %% [markdown]
# At 30 symbols only the open gate remembers, with every seed. At 15 it depends on the seed whether the RNN does, and the
# fresh LSTM guesses, with a larger gradient: that it gets through is needed, but not all. Whoever needs a long memory
# starts with an open gate.
#
# ## Sequences of different length
#
# Words last as long as they last. To make one tensor of many, the short ones are **padded** with zeros up to the
# longest. The zeros are nobody's sound, and nobody may read them: keep the lengths beside the batch.
#
# ### Exercise 4 · `masked_mean` · difficulty ●○○ · 8 min
#
# <details><summary>Hint 1: a nudge</summary>
#
# Two things depend on the length: what you add up, and what you divide by.
# </details>
# <details><summary>Hint 2: the idea</summary>
#
# `torch.arange(time) < lengths[:, None]` is true where a step is real, shape `(batch, time)`. Multiply by it before
# the sum.
# </details>
# <details><summary>Hint 3: nearly the code</summary>
#
# `(outputs * real[:, :, None]).sum(dim=1) / lengths[:, None]`
# </details>

# %% tags=["exercise"]
@exercise
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
    ...  # your code here


# %% [markdown]
# **Packing** goes further: the padding isn't even computed. All first frames, then all second frames, and so on; with
# the longest first, those that go on are always the upper ones.
#
# ### Exercise 5 · `pack_batch` · difficulty ●●● · 15 min
#
# <details><summary>Hint 1: a nudge</summary>
#
# Do it by hand for lengths 1, 3 and 2: which frames exist at the first step, at the second, at the third?
# </details>
# <details><summary>Hint 2: the idea</summary>
#
# Make `padded` first. Sort its rows by length with `lengths.argsort(descending=True, stable=True)`, and put time in
# front. A mask `(longest, batch)` says which frames are real: indexing with it gives `packed`, summing it gives
# `batch_sizes`.
# </details>
# <details><summary>Hint 3: nearly the code</summary>
#
# `real = torch.arange(longest)[:, None] < lengths[order]`, `packed = padded[order].transpose(0, 1)[real]`,
# `batch_sizes = real.sum(dim=1)`.
# </details>

# %% tags=["exercise"]
@exercise
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
    ...  # your code here


# %% [markdown]
# torch's LSTM takes what you packed. Now read five sequences in one batch, padded and packed, and each of them alone.
# **Bidirectional** means that a second LSTM reads from the end to the beginning, so that each step knows both sides.
#
# **Predict.** Which half of the answer does the padding spoil, the one that reads forwards or the one that reads
# backwards?

# %%
# NBVAL_CHECK_OUTPUT
torch.manual_seed(0)
words = [torch.randn(length, 8) for length in (9, 30, 4, 17, 22)]
reader = nn.LSTM(8, 16, batch_first=True, bidirectional=True)
padded, lengths, packed, batch_sizes = pack_batch(words)
order = lengths.argsort(descending=True, stable=True)
outputs, _ = reader(PackedSequence(packed, batch_sizes, order, order.argsort()))
answers = {"packed": pad_packed_sequence(outputs, batch_first=True)[0], "padded": reader(padded)[0]}
alone = [reader(word[None])[0][0] for word in words]
for name, answer in answers.items():
    for half, columns in (("forwards", slice(0, 16)), ("backwards", slice(16, 32))):
        same = [torch.allclose(answer[i, : len(word), columns], alone[i][:, columns], atol=1e-6)
                for i, word in enumerate(words)]
        print(f"{name}, {half}: {sum(same)} of 5 words are read as if alone")

# %% [markdown]
# Padding stands behind the words, so the forward reader is done before it comes. The backward reader *starts* in it:
# only the longest word, which has none, is read right. Packing mends that.
#
# ## A bug hunt
#
# An LSTM can read anything in order, even pictures, row by row. Somebody took the code below from a network that
# reads text. It doesn't crash, it trains, and it knows nothing.
#
# **Predict.** Images hold numbers from 0 to 1. What does `.long()` make of them? And along which dimension does this
# LSTM walk?
#
# ### Exercise 6 · `DigitReader` · difficulty ●●○ · 12 min
#
# <details><summary>Hint 1: a nudge</summary>
#
# An embedding gives each *name* a vector of its own. Is a gray value a name?
# </details>
# <details><summary>Hint 2: the idea</summary>
#
# Three bugs. A pixel is a quantity, so there is nothing to embed. Eight rows make eight steps, not 64. And without
# `batch_first=True` the first dimension is time: the state runs from one image into the next.
# </details>
# <details><summary>Hint 3: nearly the code</summary>
#
# No embedding; `nn.LSTM(8, hidden_size, batch_first=True)`; it takes `images[:, 0]`, shape `(batch, 8, 8)`.
# </details>

# %% tags=["exercise"]
@exercise
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
        self.embedding = nn.Embedding(256, 8)
        self.lstm = nn.LSTM(8, hidden_size)
        self.head = nn.Linear(hidden_size, 10)

    def forward(self, images):
        """The logits, shape `(batch, 10)`."""
        tokens = images.flatten(1).long()  # (batch, 64)
        outputs, _ = self.lstm(self.embedding(tokens))
        return self.head(outputs[:, -1])


# %%
# NBVAL_CHECK_OUTPUT
class BrokenReader(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding, self.lstm, self.head = nn.Embedding(256, 8), nn.LSTM(8, 32), nn.Linear(32, 10)

    def forward(self, images):
        return self.head(self.lstm(self.embedding(images.flatten(1).long()))[0][:, -1])


digits = load("digits")
splits = {name: (split.images.to(device), split.labels.to(device)) for name, split in digits.splits.items()}
exams = {}
for name, kind in (("broken", BrokenReader), ("repaired", DigitReader)):
    torch.manual_seed(0)
    model, train = kind(), Batches(*splits["train"], batch_size=32, shuffle=True)
    fit(model, train, losses_fn, recipe=Recipe(make_adamw, 20, one_cycle()))
    exams[name] = evaluate(model, Batches(*splits["test"], batch_size=300), accuracy)["accuracy"]
print("broken: under 30%:", exams["broken"] < 0.3, "· repaired: above 85%:", exams["repaired"] > 0.85)

# %% [markdown]
# Nothing crashed, and the broken one merely guessed. A wrong kind of number and a wrong dimension are the most silent
# bugs of sequence models: print a batch, its shape and its dtype before you train.
#
# ## Spoken words
#
# Single words, from voices that the course makes itself; or from people, where you have fetched Speech Commands or FSDD.
# The first line below says which, the second whether a test voice was heard in training.
#
# Listen to the two clips. **Predict.** Which of the sounds of the first occur in the second?

# %%
name = next((each for each in ("speech_commands", "fsdd") if available(each)), "spoken_words")
data, limit, clips = load(name), budget(cpu=4_000, gpu=None), {}
print(data)
for part, recordings in data.splits.items():
    order = torch.randperm(len(recordings), generator=torch.Generator().manual_seed(0))
    clips[part] = recordings.select(order[:limit])
voices = {part: set(recordings.speakers) - {""} for part, recordings in clips.items()}
print({part: f"{len(each)} voices" for part, each in voices.items()},
      "· of the test voices heard in training:", len(voices["test"] & voices["train"]))
pair = ("on", "no") if "on" in data.classes else data.classes[:2]
examples = [clips["test"].labels.tolist().index(data.classes.index(word)) for word in pair]
for word, example in zip(pair, examples, strict=True):
    play(clips["test"].waveform(example), label=word)

# %%
def spoken_part(features):
    """Cut off what is quiet before and after the word; three frames on each side stay."""
    loudness = features.mean(dim=1)
    quiet, loud = loudness.aminmax()
    heard = (loudness > quiet + 0.2 * (loud - quiet)).nonzero()
    return features[max(0, int(heard[0]) - 3) : int(heard[-1]) + 4]


words = {part: [spoken_part(log_mel(waveform.to(device))) for waveform in recordings.waveforms()]
         for part, recordings in clips.items()}
figure, panels = plt.subplots(1, 2, figsize=(7.5, 2.9), sharey=True)
for axes, word, example in zip(panels, pair, examples, strict=True):
    picture = words["test"][example].T.cpu()
    axes.imshow(picture, origin="lower", aspect="auto", cmap="magma", extent=(0, 10 * picture.shape[1], 0, 40))
    axes.set(title=f"“{word}”, {picture.shape[1]} frames", xlabel="time (ms)", ylabel="mel band")
    axes.grid(False)
show(figure, alt=f"Log-mel pictures of the words {pair[0]} and {pair[1]}, without the silence around them.")

# %% [markdown]
# A vowel and a nasal, in opposite orders. The words end up between a quarter of a second and a
# whole one long: that is what padding and packing are for.
#
# The network: four frames at a time, an LSTM in both directions, the mean of what it found, one logit for each word.
# `KeywordLSTM` is its finished form; it mirrors the words instead of packing them, which is faster on a CPU.
#
# **Predict.** With the same weights, do the two agree?

# %%
# NBVAL_CHECK_OUTPUT
class WordReader(nn.Module):
    def __init__(self, num_classes, *, num_inputs=160, hidden_size=64):
        super().__init__()
        self.lstm = nn.LSTM(num_inputs, hidden_size, batch_first=True, bidirectional=True)
        self.head = nn.Linear(2 * hidden_size, num_classes)

    def forward(self, frames, lengths):
        packed = pack_padded_sequence(frames, lengths.cpu(), batch_first=True, enforce_sorted=False)
        outputs, _ = pad_packed_sequence(self.lstm(packed)[0], batch_first=True)
        return self.head(masked_mean(outputs, lengths))


ours, finished = WordReader(20), KeywordLSTM(20).eval()
finished.load_state_dict(dict(zip(finished.state_dict(), ours.state_dict().values(), strict=True)))
batch = torch.randn(3, 25, 160), torch.tensor([9, 25, 14])
print("the same logits:", torch.allclose(ours(*batch), finished(*batch), atol=1e-5))

# %% [markdown]
# For comparison, a network **without memory**: it looks at each group of four frames by itself, and takes the mean. It
# knows which sounds there were, and not in which order.
#
# **Predict.** On new voices, how many words does each of them get right? And which words does the forgetful one mix up?

# %%
class BagOfFrames(nn.Module):
    def __init__(self, num_classes):
        super().__init__()
        self.look = nn.Sequential(nn.Linear(160, 128), nn.ReLU(), nn.Dropout(0.2))
        self.head = nn.Linear(128, num_classes)

    def forward(self, frames, lengths):
        return self.head(masked_mean(self.look(frames), lengths))


def batches_of(features, targets, *, shuffle=False):
    return SequenceBatches([stack_frames(each) for each in features], targets, batch_size=64, shuffle=shuffle)


normalized = {part: [normalize_features(each) for each in features] for part, features in words.items()}
batches = {part: batches_of(normalized[part], clips[part].labels, shuffle=part == "train") for part in clips}

# %%
# NBVAL_CHECK_OUTPUT
networks, exams = {"bag of frames": BagOfFrames, "LSTM": KeywordLSTM}, {}
for name, network in networks.items():
    torch.manual_seed(0)
    networks[name] = network(len(data.classes))
    recipe = Recipe(make_adamw, budget(cpu=8, gpu=20), one_cycle(), accuracy, "accuracy")
    fit(networks[name], batches["train"], losses_fn, recipe=recipe, validation=batches["validation"])
    exams[name] = evaluate(networks[name], batches["test"], accuracy)["accuracy"]
print("on the test, memory is worth more than 4 points:", exams["LSTM"] - exams["bag of frames"] > 0.04)

# %%
figure, panels = plt.subplots(1, 2, figsize=(11, 5.6))
for axes, (name, network) in zip(panels, networks.items(), strict=True):
    named = torch.cat([network.eval()(*batch[:-1]).argmax(dim=1) for batch in batches["test"]]).cpu()
    pairs = clips["test"].labels * len(data.classes) + named
    confusion = pairs.bincount(minlength=len(data.classes) ** 2).reshape(len(data.classes), -1)
    plot_confusion(confusion, class_names=data.classes, title=f"{name}: {exams[name]:.1%} of test clips", axes=axes)
    axes.tick_params(axis="x", labelrotation=90)
    first, second = (data.classes.index(word) for word in pair)
    mixed, asked = confusion[[first, second], [second, first]].sum(), confusion[[first, second]].sum()
    print(f"{name}: {exams[name]:.1%} right; “{pair[0]}” and “{pair[1]}” taken for each other {mixed} times in {asked}")
show(figure, alt="Two confusion matrices, both with a strong diagonal; without memory there is more beside it.")

# %% [markdown]
# In new voices the LSTM knows nearly every word; without memory about one in nine goes wrong. Words of similar sounds in
# another order are among them. (The course's own voices speak more clearly than people do.)
#
# ## Who is speaking?
#
# The same network can name voices instead of words: only the labels change. It learns 60 voices of the training split on
# half of the words, without every third of these clips.
#
# **Predict.** How well does it know a voice in the clips left out, and how well in *words it never learned with*? And
# if each band is normalized, as above?

# %%
speakers, learned = clips["train"].speakers, clips["train"].labels < len(data.classes) // 2
known = sorted(set(speakers) - {""}, key=lambda speaker: (speakers.count(speaker), speaker))[-60:]
voice = torch.tensor([known.index(speaker) if speaker in known else -1 for speaker in speakers])
aside = torch.arange(len(voice)) % 3 == 0
groups = {"learned clips": learned & ~aside, "other clips": learned & aside, "other words": ~learned}
for name, scale in {"normalized": normalize_features, "as it is": lambda features: (features + 7) / 4}.items():
    sets = {}
    for group, chosen in groups.items():
        rows = (chosen & (voice >= 0)).nonzero().flatten().tolist()
        sets[group] = batches_of([scale(words["train"][row]) for row in rows], voice[rows], shuffle=True)
    listener = KeywordLSTM(len(known))
    fit(listener, sets["learned clips"], losses_fn, recipe=Recipe(make_adamw, 16, one_cycle()))
    shares = {group: evaluate(listener, each, accuracy)["accuracy"] for group, each in sets.items()}
    print(f"{name:11s}", {group: f"{share:.0%}" for group, share in shares.items()})

# %% [markdown]
# About 80% on other clips of the same words, 70% on other words: it had partly learned *how a voice says these words*.
# Normalizing takes the color of a voice away. What helps to understand words hurts here.
#
# ## What to remember
#
# - One set of weights, one state. The gradient is a product: it vanishes or explodes.
# - Clip by one norm over all tensors. That cures explosions, nothing else.
# - An LSTM adds to its cell. For a long memory, start its forget gate open.
# - Padding is nobody's sound: carry lengths, mask the mean, pack what is read backwards.
# - Split by voice, and say on which words a voice was learned.

# %% [markdown]
# ## Going further
#
# - Draw $U$ with `nn.init.orthogonal_` and repeat the figure and the memory task with a plain RNN.
# - Give the memory task 100 symbols. Which forget bias does it take?
# - Use `course_lib.sound_effects.add_noise` on the test clips: how loud may the noise be?
#
# Read: S. Hochreiter, J. Schmidhuber, *Long short-term memory*, 1997,
# [doi:10.1162/neco.1997.9.8.1735](https://doi.org/10.1162/neco.1997.9.8.1735); R. Pascanu and others, *On the difficulty
# of training recurrent neural networks*, 2013, [arXiv:1211.5063](https://arxiv.org/abs/1211.5063).
#
# **Next, lesson 09, speech recognition:** from single words to whole sentences, letter by letter.
