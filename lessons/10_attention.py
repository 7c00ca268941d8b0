# %% [markdown]
# # 10 · Deciding where to look and listen
#
# A convolution looks at neighbors, an LSTM at what it remembers. Attention looks wherever it likes: each place asks a
# question, and every other place may answer. One mechanism, for words, sounds and pictures.
#
# **You will be able to** build attention, masks, heads and positions from nothing, put them together to a Transformer
# encoder, compare it fairly with an LSTM, draw where it looks, and say what such a map proves, and what it doesn't.
#
# **You need** lesson 03 (the loop), lesson 04 (receptive field) and lesson 08 (LSTM, padding). **Time:** 90 minutes,
# with five exercises.

# %%
import random
from functools import partial
from time import process_time

import matplotlib.pyplot as plt
import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils.rnn import pad_sequence

from course_lib.batches import Batches
from course_lib.datasets import load
from course_lib.device import best_device, budget
from course_lib.exercises import borrow, exercise
from course_lib.metrics import correct
from course_lib.plots import PALETTE, show
from course_lib.training import Recipe, evaluate, fit, one_cycle

# %% [markdown]
# ## A dictionary that isn't sure
#
# Ask a Python dictionary for a key, and you get its value. Attention is softer. Your **query** is compared with *all*
# **keys**, and you get a mean of all **values**, in which those with a fitting key weigh more:
#
# $$\mathrm{attention}(Q, K, V) = \mathrm{softmax}\!\left(\frac{Q K^T}{\sqrt{d}}\right) V$$
#
# A key fits by its dot product with the query, over $d$ numbers. Why the root? We will see.
#
# ### Exercise 1 · `scaled_dot_product_attention` · difficulty ●●○ · 12 min
#
# Below, five thermometers stand around a house; their keys are directions. You ask for the east.
#
# **Predict.** What does a query of length 0 get? And a very long one?
#
# <details><summary>Hint 1: a nudge</summary>
#
# Which matrix product gives the dot product of every query with every key? And along which axis must weights sum to 1?
# </details>
# <details><summary>Hint 2: the idea</summary>
#
# Scores of shape `(..., num_queries, num_keys)`. Hide *before* the softmax: what score becomes a weight of exactly 0?
# </details>
# <details><summary>Hint 3: nearly the code</summary>
#
# `scores = queries @ keys.mT / queries.shape[-1] ** 0.5`, then `scores.masked_fill(~mask, -torch.inf)` if there is a
# mask, then `.softmax(dim=-1)`; the outputs are `weights @ values`.
# </details>

# %% tags=["exercise"]
@exercise
def scaled_dot_product_attention(queries, keys, values, *, mask=None):
    """Let each query look at all keys, and give it the mean of the values, weighted by how well their keys fit.

    Args:
        queries: what is asked for, shape `(..., num_queries, width)`.
        keys: what each place offers, shape `(..., num_keys, width)`.
        values: what each place gives, shape `(..., num_keys, value_width)`.
        mask: bools that broadcast to `(..., num_queries, num_keys)`. True means: this query may look at this key. Each
            query may look at one key at least. None hides nothing.

    Returns:
        The outputs, shape `(..., num_queries, value_width)`, and the weights, shape `(..., num_queries, num_keys)`. The
        score of a query and a key is their dot product, divided by the root of `width`; a softmax over the keys turns
        a query's scores into its weights. A hidden key has the weight 0.

    Example: the query `[2, 0]` and the keys `[0, 0]` and `[ln 3 / √2, 0]` have the scores 0 and ln 3, so the weights
        1/4 and 3/4. From the values `[0]` and `[8]` comes the output `[6]`.
    """
    ...  # your code here


# %%
directions = {"north": (0, 1), "east": (1, 0), "southeast": (0.7, -0.7), "south": (0, -1), "west": (-1, 0)}
keys, degrees = torch.tensor(list(directions.values())), torch.tensor([[11.0], [19.0], [24.0], [27.0], [16.0]])
for length in (0, 1, 3, 30):
    answer, weights = scaled_dot_product_attention(length * keys[1:2], keys, degrees)
    shares = ", ".join(f"{name} {weight:.0%}" for name, weight in zip(directions, weights[0], strict=True))
    print(f"length {length:2d}: {answer.item():.1f} degrees from {shares}")

# %% [markdown]
# Length 0 gets the plain mean, length 30 practically one thermometer: the longer the query, the pickier. Nothing here
# has an order: attention is about *what* stands somewhere, not where.
#
# ## Why the root?
#
# A dot product of two random vectors is a sum of $d$ random products: its spread grows like $\sqrt{d}$. So wide vectors
# are picky by accident, before anything has been learned.
#
# **Predict.** Twenty random keys. How much does the favorite get on average, if the vectors have 4 numbers, and if they
# have 1,024? With the root, and without?

# %%
widths, lines = [4, 16, 64, 256, 1024], {"without the root": [], "with the root": []}
for width in widths:
    torch.manual_seed(0)
    queries, keys = torch.randn(1000, 1, width), torch.randn(1000, 20, width)
    for line, factor in zip(lines.values(), (width**0.5, 1.0), strict=True):
        _, weights = scaled_dot_product_attention(factor * queries, keys, keys)
        line.append(weights.amax(dim=-1).mean().item())
figure, axes = plt.subplots(figsize=(6.5, 3.3))
for (name, line), marker in zip(lines.items(), "so", strict=True):
    axes.plot(range(5), line, marker=marker, label=f"{name}: {line[0]:.0%} to {line[-1]:.0%}")
axes.set(title="How much the favorite gets", xlabel="width d (numbers per key)", ylabel="its weight, mean", ylim=(0, 1))
axes.set(xticks=range(5), xticklabels=widths)
axes.legend(loc="center left", bbox_to_anchor=(1, 0.5))
show(figure, alt="The favorite's weight against the width. With the root the line is flat, near a fifth; without, it "
     "climbs from two fifths to nearly one.")

# %% [markdown]
# Without the root, a fresh network of width 1,024 looks at one key only, picked by chance. And where a weight is
# nearly 1, the softmax is flat: hardly any gradient tells it to look elsewhere. With the root, the width doesn't matter.
#
# ## True means two things
#
# torch has this function too, and a module `nn.MultiheadAttention`. Both take bools. In the function, as in ours, True
# means *may look*. In the module, True means *may not*.
#
# **Predict.** What happens if you confuse them: an error, or a wrong answer?

# %%
# NBVAL_CHECK_OUTPUT
torch.manual_seed(0)
queries, keys, values = torch.randn(2, 4, 6), torch.randn(2, 7, 6), torch.randn(2, 7, 5)
mask = torch.arange(7) < torch.tensor([[[7], [3], [5], [1]]])  # the first query sees all keys, the last only one
ours, _ = scaled_dot_product_attention(queries, keys, values, mask=mask)
theirs = partial(F.scaled_dot_product_attention, queries, keys, values)
print("equal to torch's function with the same mask:", torch.allclose(ours, theirs(attn_mask=mask), atol=1e-6))
print("equal with the opposite mask:", torch.allclose(ours, theirs(attn_mask=~mask), atol=1e-6))

# %% [markdown]
# No error, only another answer. Write the meaning of True beside every mask.
#
# ## Listening while somebody speaks
#
# Whoever transcribes live can't look into the future. A **causal** mask hides it. And to remember a whole speech is
# expensive: $n$ frames that look at each other are $n^2$ scores. So one often limits the **reach** as well.
#
# ### Exercise 2 · `causal_mask` · difficulty ●○○ · 8 min
#
# **Predict.** Below, ten frames look at each other; then frame 6 changes (we count from 0). Which outputs change: with no
# mask, with a causal one, and with a reach of 3?
#
# <details><summary>Hint 1: a nudge</summary>
#
# Draw the square for four frames, rows look, columns are looked at. Where is it True?
# </details>
# <details><summary>Hint 2: the idea</summary>
#
# Row number minus column number says how long ago the other frame was. Two conditions on this difference.
# </details>
# <details><summary>Hint 3: nearly the code</summary>
#
# `distance = frames[:, None] - frames` from `frames = torch.arange(num_frames)`; then `distance >= 0`, and if there is
# a reach `& (distance < reach)`.
# </details>

# %% tags=["exercise"]
@exercise
def causal_mask(num_frames, *, reach=None):
    """Say which frames each frame may look at, if it can't look into the future.

    Args:
        num_frames: how many frames there are, 1 or more.
        reach: how many frames each one sees, itself and those just before it, 1 or more; None for all since the first.

    Returns:
        Bools, shape `(num_frames, num_frames)`: True in row i and column j where frame i may look at frame j.

    Example: with three frames the rows are `[True, False, False]`, `[True, True, False]` and `[True, True, True]`;
        with `reach=2`, the last one is `[False, True, True]`.
    """
    ...  # your code here


# %%
# NBVAL_CHECK_OUTPUT
torch.manual_seed(0)
frames = torch.randn(10, 8)
changed = frames.clone()
changed[6] += 1
for name, mask in (("no mask", None), ("causal", causal_mask(10)), ("reach 3", causal_mask(10, reach=3))):
    before, after = (scaled_dot_product_attention(each, each, each, mask=mask)[0] for each in (frames, changed))
    print(f"{name}: frames", (before - after).abs().amax(dim=1).gt(1e-6).nonzero().flatten().tolist(), "notice")

# %% [markdown]
# ## Several heads
#
# One softmax can look at one thing well. A word may need several: its verb, its neighbor. So the width is cut into
# parts, and each **head** looks with its own. Before that, one matrix makes queries, keys and values from one
# sequence, so that it looks at itself: **self-attention**. Behind, another matrix mixes what the heads found.
#
# ### Exercise 3 · `multi_head` · difficulty ●●● · 18 min
#
# **Predict.** Below, torch's module gets the same weights, and then the words of a sentence change places. What does a
# word notice of that?
#
# <details><summary>Hint 1: a nudge</summary>
#
# Exercise 1 takes any axes in front. Where must the axis of the heads stand, so that it works for all heads at once?
# </details>
# <details><summary>Hint 2: the idea</summary>
#
# Split `(batch, time, width)` into `(batch, time, heads, part)`, then swap two axes: `(batch, heads, time, part)`.
# Afterwards all the way back.
# </details>
# <details><summary>Hint 3: nearly the code</summary>
#
# `(inputs @ weight_in.T + bias_in).chunk(3, dim=-1)`; each becomes `each.unflatten(-1, (num_heads, -1)).transpose(1, 2)`.
# At the end `found.transpose(1, 2).flatten(2) @ weight_out.T + bias_out`.
# </details>

# %% tags=["exercise"]
@exercise
def multi_head(inputs, *, weight_in, bias_in, weight_out, bias_out, num_heads, mask=None):
    """Let a sequence look at itself with several heads at once, each of which asks for something else.

    Args:
        inputs: shape `(batch, time, width)`; `width` is a multiple of `num_heads`.
        weight_in: three blocks of rows, for the queries, the keys and the values, shape `(3 * width, width)`.
        bias_in: in the same order, shape `(3 * width,)`.
        weight_out: mixes what the heads found, shape `(width, width)`.
        bias_out: shape `(width,)`.
        num_heads: the first head takes the first `width / num_heads` numbers of each query, key and value, the second
            one the next, and so on.
        mask: bools that broadcast to `(batch, num_heads, time, time)`, True where the one may look at the other.

    Returns:
        The outputs, shape `(batch, time, width)`, and the weights of each head, shape `(batch, num_heads, time, time)`.
        The heads' findings stand side by side, in their order, before `weight_out` mixes them: `x @ weight_out.T`.

    Example: `nn.MultiheadAttention` gives the same from the same weights. It calls them `in_proj_weight`,
        `in_proj_bias`, `out_proj.weight` and `out_proj.bias`.
    """
    ...  # your code here


# %%
# NBVAL_CHECK_OUTPUT
theirs, words = nn.MultiheadAttention(12, 3, batch_first=True), torch.randn(2, 6, 12)
weights = {"weight_in": theirs.in_proj_weight, "bias_in": theirs.in_proj_bias}
weights |= {"weight_out": theirs.out_proj.weight, "bias_out": theirs.out_proj.bias}
is_real = torch.arange(6) < torch.tensor([[6], [4]])  # (batch, time)
ours, maps = multi_head(words, **weights, num_heads=3, mask=is_real[:, None, None])
expected = theirs(words, words, words, key_padding_mask=~is_real, average_attn_weights=False)  # their True: hidden
print("the same outputs:", torch.allclose(ours, expected[0], atol=1e-6))
print("the same maps:", torch.allclose(maps, expected[1], atol=1e-6))
order = [3, 0, 5, 1, 4, 2]
again, _ = multi_head(words[:1, order], **weights, num_heads=3)
print("words notice their order:", not torch.allclose(again, multi_head(words[:1], **weights, num_heads=3)[0][:, order],
                                                    atol=1e-5))

# %% [markdown]
# ## Where am I?
#
# Nobody notices anything: attention sees a *set* of words. *Turn on the light* is the same as *the light turn on*. So we
# tell each word its position, as a pattern that is added to it: waves, fast ones and slow ones, like the hands of a
# clock.
#
# ### Exercise 4 · `positional_encoding` · difficulty ●●○ · 10 min
#
# **Predict.** Take the dot product of position 20 with all others, and of position 40. How do the two curves differ?
#
# <details><summary>Hint 1: a nudge</summary>
#
# How many different angles has a position? Two columns share one.
# </details>
# <details><summary>Hint 2: the idea</summary>
#
# A table of angles, `(num_positions, width / 2)`: positions down, frequencies across. Then sines and cosines of all of
# them, column by column in turn.
# </details>
# <details><summary>Hint 3: nearly the code</summary>
#
# `frequencies = 10_000.0 ** (-torch.arange(0, width, 2) / width)`, `angles = positions[:, None] * frequencies`, and
# `torch.stack([angles.sin(), angles.cos()], dim=-1).flatten(1)`.
# </details>

# %% tags=["exercise"]
@exercise
def positional_encoding(num_positions, *, width):
    """Give each position a pattern of its own, made of slow and fast waves.

    Args:
        num_positions: positions are 0, 1, ..., `num_positions - 1`.
        width: numbers per position, even.

    Returns:
        float32, shape `(num_positions, width)`. Columns come in pairs: in row p, column 2k holds
        sin(p / 10000^(2k / width)), and column 2k + 1 the cosine of the same angle.

    Example: with `width=4`, position 0 is `[0, 1, 0, 1]`, and position 1 is
        `[sin 1, cos 1, sin 0.01, cos 0.01]`.

    Source: Vaswani et al. 2017, arXiv:1706.03762
    """
    ...  # your code here


# %%
encoding = positional_encoding(64, width=32)
figure, (left, right) = plt.subplots(1, 2, figsize=(9.5, 3.4))
mesh = left.imshow(encoding.T, cmap="PuOr", vmin=-1, vmax=1, aspect="auto")
figure.colorbar(mesh, ax=left, label="value")
left.set(title="A pattern for each position", xlabel="position", ylabel="column")
left.grid(False)
for position, style in ((20, "-"), (40, "--")):
    right.plot(encoding @ encoding[position], style, label=f"position {position}")
right.set(title="How alike are two positions?", xlabel="other position", ylabel="dot product")
right.legend()
show(figure, alt="Left: stripes, narrow ones in the first columns, ever wider ones further down. Right: two equal "
     "curves with a peak at position 20 and at position 40, falling off in waves on both sides.")

# %% [markdown]
# The same curve, moved: how alike two positions are depends on their distance alone. A head can learn to look two words
# back, wherever it is.
#
# ## From many to one
#
# To answer one question about a whole sentence, we need one vector. Lesson 08 took the mean of all steps. Now one
# learned query decides which of them count: **attention pooling**. Its weights are the maps that we will draw.
#
# ### Exercise 5 · `attention_pool` · difficulty ●●○ · 10 min
#
# <details><summary>Hint 1: a nudge</summary>
#
# It is Exercise 1 again: how many queries has each sequence? What are the keys, what the values?
# </details>
# <details><summary>Hint 2: the idea</summary>
#
# `torch.arange(time) < lengths[:, None]` says what is real, `(batch, time)`. Queries need the shape `(batch, 1, width)`
# and the mask `(batch, 1, time)`. At the end the axis of length 1 goes away.
# </details>
# <details><summary>Hint 3: nearly the code</summary>
#
# `queries = query.expand(len(sequences), 1, -1)`, then `scaled_dot_product_attention(queries, sequences, sequences,
# mask=is_real[:, None])`, and `[:, 0]` of both answers.
# </details>

# %% tags=["exercise"]
@exercise
def attention_pool(sequences, query, lengths):
    """Make one vector of each sequence: the mean of its places, weighted by how well they answer one learned query.

    Args:
        sequences: shape `(batch, time, width)`. Behind a sequence's end stands padding, any numbers.
        query: shape `(width,)`, the same for all.
        lengths: how many places of each sequence are real, int64, shape `(batch,)`; from 1 to `time`.

    Returns:
        The means, shape `(batch, width)`, and the weights, shape `(batch, time)`: 0 for padding, and the others sum to
        1. A place is its own key and its own value; scores are divided by the root of `width`.

    Example: a sequence of `[1]`, `[5]` and `[9]` with the length 2 and the query `[0]` has the weights 1/2, 1/2 and 0
        and the mean `[3]`.
    """
    ...  # your code here


# %% [markdown]
# ## A Transformer encoder
#
# All parts are there, and they are yours. A **block** looks around (heads), then thinks about what it saw (two linear
# layers); each adds its finding to what was there, like a residual block of lesson 05. An **encoder** embeds, adds
# positions, stacks blocks, and pools. Only its `embed` knows whether it reads words, sounds or pictures.
#
# Its rival has lesson 08's LSTM in place of blocks and positions. It reads in both directions, never the padding. All
# else is the same.

# %%
class Block(nn.Module):
    def __init__(self, width, *, num_heads=4):
        super().__init__()
        self.num_heads, self.look_norm, self.think_norm = num_heads, nn.LayerNorm(width), nn.LayerNorm(width)
        self.look_in, self.look_out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.think = nn.Sequential(nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width))

    def forward(self, inputs, mask):
        weights = {"weight_in": self.look_in.weight, "bias_in": self.look_in.bias}
        weights |= {"weight_out": self.look_out.weight, "bias_out": self.look_out.bias}
        found, self.maps = multi_head(self.look_norm(inputs), **weights, num_heads=self.num_heads, mask=mask)
        inputs = inputs + found
        return inputs + self.think(self.think_norm(inputs))


# %%
class Encoder(nn.Module):
    def __init__(self, embed, *, width, num_classes, num_blocks=2, positions=1.0):
        super().__init__()
        self.embed, self.positions, self.norm = embed, positions, nn.LayerNorm(width)
        self.blocks = nn.ModuleList(Block(width) for _ in range(num_blocks))
        self.query, self.head = nn.Parameter(torch.randn(width)), nn.Linear(width, num_classes)

    def forward(self, inputs, lengths):
        hidden = self.embed(inputs)  # (batch, time, width)
        hidden = hidden + self.positions * positional_encoding(hidden.shape[1], width=hidden.shape[2]).to(hidden)
        is_real = torch.arange(hidden.shape[1], device=hidden.device) < lengths[:, None]
        for block in self.blocks:
            hidden = block(hidden, is_real[:, None, None])
        pooled, self.map = attention_pool(self.norm(hidden), self.query, lengths)  # map: (batch, time)
        return self.head(pooled)


# %%
from course_lib.speech_models import BidirectionalLSTM


class LSTMReader(nn.Module):
    def __init__(self, embed, *, width, num_classes):
        super().__init__()
        self.embed, self.lstm = embed, BidirectionalLSTM(width, width)
        self.query, self.head = nn.Parameter(torch.randn(2 * width)), nn.Linear(2 * width, num_classes)

    def forward(self, inputs, lengths):
        pooled, self.map = attention_pool(self.lstm(self.embed(inputs), lengths), self.query, lengths)
        return self.head(pooled)


# %% [markdown]
# ## Words: which room goes dark?
#
# Two commands in one breath: *please turn on the attic radio and turn off the hall lamp*. In which room is something
# switched **off**? Both rooms are named, so one must find out which of them belongs to *off*. In training, one word in
# ten is hidden behind a *…*; we will need that later.
#
# The budget is the same for encoder and LSTM: nearly equal numbers of parameters, equal sentences, equal epochs, three
# seeds. One more encoder is told no positions.
#
# **Predict.** How good are the three on new sentences? And whoever picks one of the two rooms blindly?

# %%
from course_lib.generate.grammar import SLOTS


def double_command(chance):
    rooms, switches = chance.sample(SLOTS["ROOM"], 2), chance.sample(SLOTS["SWITCH"], 2)
    devices = chance.choices(SLOTS["DEVICE"], k=2)
    parts = [f"turn {switches[i]} the {rooms[i]} {devices[i]}" for i in (0, 1)]
    sentence = chance.choice(["", "please "]) + " and ".join(parts) + chance.choice(["", " now"])
    return sentence, SLOTS["ROOM"].index(rooms[switches.index("off")])


chance, device, num_train = random.Random(0), best_device(), budget(cpu=2500, gpu=15_000)
commands = dict(double_command(chance) for _ in range(int(1.3 * num_train)))  # a dictionary: no sentence comes twice
sentences = list(commands)[: num_train + 500]
vocabulary = ["", "…", *sorted({word for sentence in sentences for word in sentence.split()})]
tokens = [torch.tensor([vocabulary.index(word) for word in sentence.split()]) for sentence in sentences]
lengths, rooms = torch.tensor([len(each) for each in tokens]), torch.tensor([commands[each] for each in sentences])
tensors = [each.to(device) for each in (pad_sequence(tokens, batch_first=True), lengths, rooms)]
words_train, words_test = [each[:num_train] for each in tensors], [each[num_train:] for each in tensors]

# %%
def losses_fn(model, batch):
    return F.cross_entropy(model(*batch[:2]), batch[2], reduction="none")  # (batch,)


def train(make_model, tensors, *, seed=0, epochs=8, rate=5e-3, losses_fn=losses_fn, augment=None):
    torch.manual_seed(seed)
    model, start = make_model(), process_time()
    batches = Batches(*tensors, batch_size=64, shuffle=True, seed=seed, augment=augment)
    make_adamw = lambda model: torch.optim.AdamW(model.parameters(), lr=rate, fused=True)  # noqa: E731
    fit(model, batches, losses_fn, recipe=Recipe(make_adamw, epochs, one_cycle()))
    model.seconds = process_time() - start
    return model.eval()


def accuracy(model, tensors):
    scores = {"accuracy": lambda model, batch: correct(model(*batch[:2]), batch[2])}
    return evaluate(model, Batches(*tensors, batch_size=500), scores)["accuracy"]


# %%
def compare(makers, tensors, exam, **options):
    models = {name: [train(make, tensors, seed=seed, **options) for seed in range(3)] for name, make in makers.items()}
    for name, trained in models.items():
        size = sum(weights.numel() for weights in trained[0].parameters())
        print(f"{name:17s} {size:6,} parameters, right:", ", ".join(f"{accuracy(each, exam):.1%}" for each in trained))
    return models


def hide_words(tokens, lengths, rooms, *, generator):
    hidden = torch.rand(tokens.shape, generator=generator, device=tokens.device) < 0.1
    return tokens.masked_fill(hidden, vocabulary.index("…")), lengths, rooms


def make_reader(kind=Encoder, **options):
    return kind(nn.Embedding(len(vocabulary), 32), width=32, num_classes=8, **options)


readers = compare({"encoder": make_reader, "LSTM": partial(make_reader, LSTMReader)}, words_train, words_test,
                  augment=hide_words)
lost = train(partial(make_reader, positions=0.0), words_train, augment=hide_words)
print(f"encoder without positions: {accuracy(lost, words_test):.1%}")

# %% [markdown]
# Encoder and LSTM hardly miss a sentence. Without positions it is a coin toss between the two rooms: who is near to *off*
# can't be seen in a set of words.
#
# ## Look inside
#
# Head by head, word by word: where does it look? The map of a block has a row for each word that looks.
#
# **Predict.** In the first block, which words will the asked room want to see? Step through all heads.

# %%
from course_lib.widgets.attention import AttentionExplorer, trace_attention


def read(model, sentence):
    tokens = torch.tensor([[vocabulary.index(word) for word in sentence.split()]], device=device)
    with torch.no_grad():
        return model(tokens, torch.tensor([tokens.shape[1]], device=device)).softmax(dim=1)[0].cpu()


sentence, encoder = "please turn on the attic radio and turn off the hall lamp", readers["encoder"][0]
print("off in the", SLOTS["ROOM"][read(encoder, sentence).argmax()])
maps = {f"block {i}, head {j}": encoder.blocks[i - 1].maps[0, j - 1].cpu() for i in (1, 2) for j in (1, 2, 3, 4)}
trace_attention(sentence.split(), maps["block 1, head 1"], top=3)
AttentionExplorer(sentence.split(), maps)

# %% [markdown]
# Many words look at *off*, at rooms, at devices; other heads spread their weight. It is tempting to tell a story about
# each head. Try the other seeds, `readers["encoder"][1]` and `[2]`: the same answers from other heads.
#
# ## Sounds: one word, in a voice never heard
#
# The spoken words of lesson 08, a second each. Four log-mel frames make one token of 40 ms, so a clip has 24. The same
# encoder, twice as wide, with a linear layer as its `embed`, against the same LSTM. The rate was the best of three on
# the validation voices, for both; the test voices are asked once.
#
# **Predict.** Who is ahead on sounds?

# %%
from course_lib.audio import log_mel


def tokens_of(recordings, rows=None):
    clips = recordings.stacked()[:rows]
    features = torch.cat([log_mel(part.to(device)) for part in clips.split(500)])[:, :96]
    return features.reshape(len(features), 24, 160) / 4 + 2  # 4 frames of 40 mels; roughly from -1.5 to 3


def make_listener(kind):
    return kind(nn.Linear(160, 64), width=64, num_classes=20)


spoken, rows, sounds = load("spoken_words"), budget(cpu=2000, gpu=None), {}
for name in ("train", "test"):
    labels = spoken.splits[name].labels[:rows].to(device)
    sounds[name] = tokens_of(spoken.splits[name], rows), torch.full_like(labels, 24), labels
makers = {"encoder": partial(make_listener, Encoder), "LSTM": partial(make_listener, LSTMReader)}
listeners = compare(makers, sounds["train"], sounds["test"], epochs=budget(cpu=5, gpu=20), rate=6e-3)

# %% tags=["machine"]
for sense, models in (("words", readers), ("sounds", listeners)):
    for name, trained in models.items():
        print(f"{sense}, {name:25s} {sum(each.seconds for each in trained) / len(trained):5.1f} CPU seconds each")

# %% [markdown]
# On sounds, three seeds can't tell the two apart: at this size, attention is no better by nature. What it spares is the
# walk: all places are computed at once, and far ones are as near as neighbors. That pays on long sequences and on GPUs.
# What it costs on your machine, the cell above tells.
#
# Where does it listen? Each clip holds a word somewhere in a second, and we know when.
#
# **Predict.** The words fill less than half of the time. How much of the map's weight falls into them?

# %%
listener, test, middles = listeners["encoder"][0], spoken.splits["test"], 0.04 * torch.arange(24) + 0.02  # in s
guesses, heard = listener(*sounds["test"][:2]).argmax(dim=1).tolist(), listener.map.detach().cpu()
times = torch.tensor([test.word_times[row][0][1:] for row in range(len(guesses))])  # (n, 2): begins, ends
inside = (middles > times[:, :1]) & (middles < times[:, 1:])  # (n, 24)
print(f"words fill {inside.float().mean():.0%} of the time, get {(heard * inside).sum(dim=1).mean():.0%} of the weight")
figure, panels = plt.subplots(1, 3, figsize=(10, 3.2), sharey=True)
for axes, row in zip(panels, (0, 7, 12), strict=True):
    axes.imshow(sounds["test"][0][row].reshape(96, 40).T.cpu(), origin="lower", aspect="auto", extent=(0, 0.96, 0, 40))
    axes.bar(middles, 40 * heard[row], width=0.04, color=PALETTE["orange"], alpha=0.75, label="weight, full height: 1")
    axes.vlines(times[row], 0, 40, color=PALETTE["sky"], linestyle="--", label="the word begins, ends")
    axes.set(title=f"said {test.texts[row]}, heard {spoken.classes[guesses[row]]}", xlabel="time (s)", ylabel="band")
    axes.grid(False)
figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=2)
show(figure, alt="Three spectrograms with a word between dashed lines. The orange bars of the weight stand inside the "
     "words, on a few tokens only, and the silence around gets next to nothing.")

# %% [markdown]
# Nobody told it where the words are. Nearly all of its weight lies inside them, and on few tokens: the silence says
# nothing.
#
# ## Pictures: which patch matters?
#
# Shapes among clutter. Three convolutions make 64 vectors, each of which sees a patch of 15×15 pixels (lesson 04: field
# 15, step 4), and pooling decides which of them count. No blocks: patches needn't look at each other here, and each
# place keeps its own content.
#
# **Predict.** Nobody says where the shape is, only what it is. Where will it look?

# %%
class Patches(nn.Sequential):
    def __init__(self, width=32):
        convs = [nn.Conv2d(3, 16, 3, 2, 1), nn.Conv2d(16, width, 3, 2, 1), nn.Conv2d(width, width, 3, 1, 1)]
        layers = [layer for conv in convs for layer in (conv, nn.BatchNorm2d(conv.out_channels), nn.ReLU())]
        super().__init__(*layers, nn.Flatten(2))

    def forward(self, images):
        return super().forward(images).mT  # (batch, 64, width)


shapes, names, pictures = load("shapes"), ["cross", "heart", "ring", "star"], {}
numbers = torch.tensor([shapes.classes.index(name) for name in names])
for name in ("train", "test"):
    split, rows = shapes.splits[name], torch.isin(shapes.splits[name].labels, numbers)
    labels = (split.labels[rows][:, None] == numbers).int().argmax(dim=1).to(device)
    pictures[name] = split.images[rows].to(device) - 0.5, torch.full_like(labels, 64), labels
seer = train(lambda: Encoder(Patches(), width=32, num_classes=4, num_blocks=0), pictures["train"], epochs=4)
print(f"test pictures: {accuracy(seer, pictures['test']):.1%} right")

# %%
with torch.no_grad():
    seen = seer(*[each[:8] for each in pictures["test"][:2]]).argmax(dim=1).tolist()
figure, panels = plt.subplots(2, 8, figsize=(10, 3.0))
for column, image, weights, guess in zip(panels.T, pictures["test"][0], seer.map.cpu(), seen, strict=False):
    image = image.permute(1, 2, 0).cpu() + 0.5
    column[0].imshow(image)
    column[0].set_title(names[guess], fontsize=10)
    column[1].imshow(image.mean(dim=2), extent=(0, 8, 8, 0), vmin=0, vmax=1)
    column[1].imshow(weights.reshape(8, 8), cmap="magma", alpha=0.6, interpolation="bilinear", extent=(0, 8, 8, 0))
for axes in panels.flat:
    axes.set(xticks=[], yticks=[])
figure.suptitle("Above what it sees, below where it looks: bright is much")
show(figure, alt="Above: eight shapes among clutter, each with the name that the network gives it. Below: the same, "
     "dark, with bright spots for the weight. Most spots lie on the shape, on a part of it, and few on the clutter.")

# %% [markdown]
# Mostly at the shape, and there at a part of it. Now and then it lies on clutter, and the answer is right all the same.
# What, then, does a map tell?
#
# ## A map that misleads
#
# Does a map say *why* it answers so? Back to the words. We train one more reader, as before, but its loss has a
# second part: the pooling's map must lie on the *first* word, which is *turn* or *please* and says nothing about rooms.
#
# **Predict.** How many sentences will it still get right?

# %%
def losses_of_a_liar(model, batch):
    return losses_fn(model, batch) + 2 * (1 - model.map[:, 0])


def hide(tensors, place):
    tokens = tensors[0].clone()
    tokens[torch.arange(len(tokens)), place] = vocabulary.index("…")
    return tokens, *tensors[1:]


liar = train(make_reader, words_train, losses_fn=losses_of_a_liar, augment=hide_words)
asked = (words_test[0] == torch.tensor([vocabulary.index(room) for room in SLOTS["ROOM"]],
                                       device=device)[words_test[2]][:, None]).int().argmax(dim=1)

# %%
# NBVAL_CHECK_OUTPUT
for name, model in (("honest", encoder), ("liar", liar)):
    with torch.no_grad():
        before = model(*words_test[:2]).argmax(dim=1)
        weights = model.map
        first, room = ((model(*hide(words_test, place)[:2]).argmax(dim=1) != before) for place in (0 * asked, asked))
    print(f"{name}: more than 98% right:", accuracy(model, words_test) > 0.98)
    print(f"{name}: most of the map lies on the first word:", bool(weights[:, 0].mean() > 0.9))
    print(f"{name}: hiding the first word changes more than 1% of the answers:", bool(first.float().mean() > 0.01))
    print(f"{name}: hiding the asked room changes more than 70%:", bool(room.float().mean() > 0.7))

# %% [markdown]
# Equal answers, opposite maps; and the liar's map lies on a word that makes no difference. How? Its blocks carry the
# answer to the first place *before* the pooling looks there. After two blocks, a place no longer holds its own word
# only.
#
# What does tell us why is an experiment: hide one word after the other, and watch the answer. That is **occlusion**.
# It is fair here, because both have met hidden words in training.

# %%
sentence = "please turn on the attic radio and turn off the hall lamp"
words, rows = sentence.split(), {}
for name, model in (("honest", encoder), ("liar", liar)):
    sure = read(model, sentence)
    rows[f"{name}: map"] = model.map[0].tolist()
    hidden = [" ".join("…" if i == place else word for i, word in enumerate(words)) for place in range(len(words))]
    rows[f"{name}: occlusion"] = [max((sure - read(model, each))[sure.argmax()].item(), 0) for each in hidden]
figure, axes = plt.subplots(figsize=(9.5, 2.9))
mesh = axes.imshow(list(rows.values()), cmap="Blues", vmin=0, vmax=1, aspect="auto")
axes.set(title="Two maps, two experiments", xticks=range(len(words)), xticklabels=words, yticks=range(4))
axes.set(yticklabels=list(rows), xlabel="word")
axes.grid(False)
figure.colorbar(mesh, ax=axes, label="weight, or what\nthe answer loses")
show(figure, alt="A table of four rows over twelve words. The honest map lies on the word hall, and hiding hall costs "
     "the honest reader most. The liar's map lies on the word please, but hiding hall costs the liar its answer.")

# %% [markdown]
# Both lose their answer when *hall* is hidden. The honest map agrees with its experiment, the liar's doesn't. An
# attention map shows where a network *looked*: a hint for the next experiment, not its result.
#
# ## What to remember
#
# - Attention is a soft dictionary: queries, keys, values. Divide the scores by the root of the width, mask before the
#   softmax, and say what True means.
# - Heads look at several things at once; without positions, words are a set.
# - One encoder reads words, sounds and patches. Whether it beats an LSTM, a fair comparison tells.
# - A map is no explanation. Hide what it points at, and see.

# %% [markdown]
# ## Going further
#
# - Let the liar point at the *last* word. Does it still work with one block, or with none? Why?
# - Replace `Patches` by one linear layer on patches of 4×4 pixels, with two blocks. How much longer does it learn?
# - Train the listener with a causal mask and a reach of 5. What does it cost?
#
# Read: A. Vaswani and others, *Attention is all you need*, 2017,
# [arXiv:1706.03762](https://arxiv.org/abs/1706.03762); S. Jain, B. Wallace, *Attention is not explanation*, 2019,
# [arXiv:1902.10186](https://arxiv.org/abs/1902.10186); D. Pruthi and others, *Learning to deceive with attention-based
# explanations*, 2020, [arXiv:1909.07913](https://arxiv.org/abs/1909.07913).
#
# **Next, lesson 11, transfer learning:** standing on trained shoulders.
