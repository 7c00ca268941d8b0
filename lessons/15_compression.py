# %% [markdown]
# # 15 · Smaller and faster, and what it costs
#
# A network that has learned is too large for the phone, too slow for the server, or both. You make one that sees and one
# that hears smaller, in five ways. Each way gets a *control*: what would have happened without it?
#
# **You will be able to** count operations, measure a latency that means something, export to ONNX, compute in 8-bit
# integers, prune, distill, and choose from a plot of size, speed and accuracy.
#
# **You need** lessons 05 and 09. **Time:** 90 minutes, with five exercises.

# %%
import copy
import tempfile
import time
from pathlib import Path

import matplotlib.pyplot as plt
import torch
import torch.nn.functional as F
from torch import nn

from course_lib import compression, export, quantization
from course_lib.datasets import load
from course_lib.exercises import borrow, exercise
from course_lib.models import SmallResNet, TextbookCNN
from course_lib.plots import PALETTE, show
from course_lib.training import Recipe, fit, one_cycle

torch.set_num_threads(1)  # one core, as a cheap server has

# %% [markdown]
# ## A network to make smaller
#
# The drawn shapes of lesson 05, and its small residual net. As always: training images teach, validation images choose,
# test images wait.

# %%
from course_lib.batches import Batches
from course_lib.device import best_device
from course_lib.images import channel_statistics, normalize

data = load("shapes")
mean, std = channel_statistics(data.splits["train"].images)
images = {name: normalize(split.images, mean=mean, std=std) for name, split in data.splits.items()}  # (n, 3, 32, 32)
labels = {name: split.labels for name, split in data.splits.items()}


def train(net, losses_fn, *extra, epochs, rate, seed=0):
    """Train a network in place, on whatever this machine has; hand it back on the CPU, ready for use."""
    net.to(memory_format=torch.channels_last)
    tensors = [each.to(best_device()) for each in (images["train"], labels["train"], *extra)]
    batches = Batches(*tensors, batch_size=64, shuffle=True, seed=seed)
    recipe = Recipe(lambda net: torch.optim.AdamW(net.parameters(), rate), epochs, one_cycle())
    fit(net, batches, losses_fn, recipe=recipe)
    return net.cpu().to(memory_format=torch.contiguous_format).eval()


# %%
def plain_losses(model, batch):
    return F.cross_entropy(model(batch[0]), batch[1], reduction="none")


@torch.no_grad()
def accuracy(answer, split="validation"):
    """The share of images for which `answer(images)` has its largest logit at the label."""
    said = torch.cat([answer(part).argmax(dim=1) for part in images[split].split(500)])
    return (said == labels[split]).float().mean().item()


torch.manual_seed(0)
network = train(SmallResNet(), plain_losses, epochs=2, rate=0.01)
size = sum(each.numel() for each in network.parameters())
print(f"{size:,} parameters, {accuracy(network):.1%} on validation images")

# %% [markdown]
# ## Measure first: operations
#
# What does one answer cost? Nearly all work is in one pattern: a weight meets a number, the product joins a sum. That is
# two operations, and they have a name: **FLOPs**, floating-point operations. They depend on nothing but the network and
# the picture's size, so you can count them on paper.
#
# ### Exercise 1 · `count_flops` · difficulty ●●○ · 12 min
#
# <details><summary>Hint 1: a nudge</summary>
#
# How many numbers come out of a layer? And how many products does each of them need?
# </details>
# <details><summary>Hint 2: the idea</summary>
#
# Walk through the layers, and let each one compute. `output.numel()` numbers came out; `layer.weight[0]` is one filter,
# or one row of weights: each output needed all of it.
# </details>
# <details><summary>Hint 3: nearly the code</summary>
#
# `for layer in model: images = layer(images)`, and for the two kinds that count,
# `total += 2 * images.numel() * layer.weight[0].numel()`.
# </details>

# %% tags=["exercise"]
@exercise
def count_flops(model, images):
    """Count the multiplications and additions of one call: two for each weight, each time it meets a number.

    Args:
        model: an `nn.Sequential`; its `nn.Conv2d` (with any stride, padding and groups) and `nn.Linear` layers are
            counted, the others are free, and so are biases.
        images: the batch that it is called with, shape `(n, c, h, w)` or `(n, ..., features)`.

    Returns:
        The operations for the whole batch, a whole number. Each number that a convolution gives is a sum over one
        filter: c / groups · kh · kw products. Each number that a linear layer gives is a sum over its inputs.

    Example: `nn.Conv2d(3, 8, (5, 3))` on one picture of 9×7 gives 8·5·5 numbers, each from 3·5·3 products: 18,000.
    """
    ...  # your code here


# %% [markdown]
# **Predict.** The textbooks' CNN has three convolutions and two linear layers. The first linear layer holds more than
# half of all parameters. What is its share of the operations?

# %%
net, picture, rows = TextbookCNN(), torch.zeros(1, 3, 32, 32), {}
for number, layer in enumerate(net, start=1):
    if size := sum(each.numel() for each in layer.parameters()):
        rows[f"{number} {type(layer).__name__}"] = [size, count_flops(nn.Sequential(layer), picture)]
    picture = layer(picture)

shares = 100 * F.normalize(torch.tensor(list(rows.values()), dtype=torch.float32), p=1, dim=0)  # (layers, 2)
figure, axes = plt.subplots(figsize=(7, 2.8))
for column, name in enumerate(("of the parameters", "of the operations")):
    axes.barh(torch.arange(5) + 0.4 * column, shares[:, column], 0.38, label=name)
axes.set_yticks(torch.arange(5) + 0.2, rows)
axes.set(title="Where a CNN keeps its weights, and where it works", xlabel="share (%)", ylim=(5, -0.4))
axes.legend()
show(figure, alt="Shares of parameters and of operations: " + "; ".join(
    f"{name}: {size:.0f}% and {work:.0f}%" for name, (size, work) in zip(rows, shares.tolist(), strict=True)) + ".")

# %%
# NBVAL_CHECK_OUTPUT
picture = torch.zeros(1, 3, 32, 32)
flops = count_flops(TextbookCNN(), picture)
print(f"textbook CNN: {flops:,} operations for one picture")
print("the library counts the same:", flops == compression.count_flops(TextbookCNN(), picture))
print(f"our residual net: {compression.count_flops(network, picture):,}")

# %% [markdown]
# One percent: its weights meet one number each, while a filter's are used at every place of the picture. Where a network
# is *large* and where it is *slow* are two questions.
#
# ## Measure first: time
#
# Operations are not milliseconds. A clock knows, but clocks lie too: the first calls are slow, and now and then the
# machine does something else. So warm up, time each call by itself, and report the **median** and the **95th
# percentile**: what users wait for on a bad day.
#
# ### Exercise 2 · `median_latency` · difficulty ●○○ · 10 min
#
# <details><summary>Hint 1: a nudge</summary>
#
# Three loops' worth of work: warm up, collect, sort. Which of the sorted times is the 95th percentile of 20?
# </details>
# <details><summary>Hint 2: the idea</summary>
#
# Number ⌈0.95 · runs⌉ of the sorted times, counted from one. `statistics.median` knows what to do with two in the middle.
# </details>
# <details><summary>Hint 3: nearly the code</summary>
#
# `began = clock()`, `call()`, `times.append(1000 * (clock() - began))`; then `times.sort()` and
# `times[-(-95 * runs // 100) - 1]`, where `-(-a // b)` rounds up.
# </details>

# %% tags=["exercise"]
@exercise
def median_latency(call, *, clock, warmup=10, runs=100):
    """Say how long one call takes, and how long a slow one.

    Args:
        call: a function without arguments.
        clock: a function without arguments that tells the seconds, such as `time.perf_counter`. Ask it right before
            and right after each counted call.
        warmup: so many calls go first and are not timed.
        runs: so many calls are timed, each by itself.

    Returns:
        Two numbers, in milliseconds: the median, which for an even number of runs is the mean of the two in the middle;
        and the 95th percentile, the shortest time that at least 95 of 100 runs do not exceed.

    Example: 20 runs that take 1, 2, ..., 20 ms in any order have the median 10.5 ms and the 95th percentile 19 ms.
    """
    ...  # your code here


# %% [markdown]
# ## ONNX
#
# For a single picture, much of the time goes into Python and into starting layers, not into arithmetic. `torch.export`
# traces the network into a graph, without Python. **ONNX** is a file format for such graphs, **ONNX Runtime** a program
# that runs them: it fuses layers, and needs neither PyTorch nor our code. Say which axes may vary: here the batch.
#
# **Predict.** Will its answers be equal to PyTorch's, bit for bit?

# %%
# NBVAL_CHECK_OUTPUT
folder = Path(tempfile.mkdtemp())
plain_file = export.export_classifier(network, folder / "network.onnx", size=(3, 32, 32))
plain = export.onnx_session(plain_file)
gap = export.parity(network, plain, [(images["validation"][:count],) for count in (1, 2, 7, 64)])
print("equal to the last bit:", gap == 0)
print("no logit differs by more than 0.0001, for batches of 1 to 64:", gap < 1e-4)

# %% [markdown]
# Not bit for bit: sums are added up in another order. Always hold an export to its origin, with more than one batch size.
# An exporter that quietly fixed the batch at the example's size would pass a single test.
#
# ## Eight bits
#
# Do weights need 32 bits? Take the largest of a layer, call it 127, and round all others to whole steps. A byte each.
#
# ### Exercise 3 · `quantize_tensor` · difficulty ●●○ · 12 min
#
# <details><summary>Hint 1: a nudge</summary>
#
# The scale is the size of one step. How many steps are there between zero and the largest magnitude?
# </details>
# <details><summary>Hint 2: the idea</summary>
#
# `values.abs().amax(dim=others, keepdim=True)`, where `others` are all axes but the given one. Divide by
# $2^{\text{bits}-1} - 1$. Mind the rows that are all zero.
# </details>
# <details><summary>Hint 3: nearly the code</summary>
#
# `others = [each for each in range(values.ndim) if axis is None or each != axis]`;
# `scale = torch.where(largest > 0, largest, 1) / (2 ** (bits - 1) - 1)`;
# `return (values / scale).round().to(torch.int8), scale`.
# </details>

# %% tags=["exercise"]
@exercise
def quantize_tensor(values, *, bits=8, axis=None):
    """Round numbers to whole multiples of a scale, chosen so that the largest magnitude just fits.

    Args:
        values: floating point, any shape; left as they were.
        bits: of each whole number, 2 to 8. They go from -(2^(bits-1) - 1) to 2^(bits-1) - 1: as far up as down.
        axis: along which each index has a scale of its own (0: each row, each filter); None takes one scale for all.

    Returns:
        Two tensors: the whole numbers, int8, shape of the values; and the scales, so that `numbers * scales` is nearly
        the values: as many axes as the values, each of length 1 but the given one. Where all values are zero, the
        scale is 1 over the largest whole number.

    Example: with 4 bits, `[3.5, -7.0, 1.2]` has the scale 7.0 / 7 = 1.0 and becomes `[4, -7, 1]`.
    """
    ...  # your code here


# %% [markdown]
# **Predict.** All weights rounded to 8, 6, 4, 3, 2 bits: where does accuracy break down? And does it help if each filter
# has a scale of its own?

# %%
def rounded(bits, axis):
    net = copy.deepcopy(network).requires_grad_(False)
    for weight in net.parameters():
        if weight.ndim > 1:
            integers, scale = quantize_tensor(weight, bits=bits, axis=axis)
            weight.copy_(integers * scale)
    return 100 * accuracy(net)


bits, figure, axes = [8, 6, 4, 3, 2], *plt.subplots(figsize=(6.5, 2.9))
for name, axis in (("one scale for each filter", 0), ("one for all", None)):
    axes.plot(bits, [rounded(each, axis) for each in bits], "o-" if axis == 0 else "s--", label=name)
axes.set(title="Rounded weights", xlabel="bits for each weight", ylabel="validation accuracy (%)", xlim=(8.2, 1.8))
axes.legend()
show(figure, alt="Accuracy with " + "; ".join(f"{line.get_label()}: " + ", ".join(
    f"{each} bits {share:.0f}%" for each, share in zip(*line.get_data(), strict=True)) for line in axes.lines) + ".")

# %% [markdown]
# Eight bits cost nothing that you could see. Below four it gets dear, and a scale for each filter puts that off.
#
# So far the file shrinks, but the arithmetic is as before. To *compute* in integers, activations must be integers too.
# After ReLU nothing is negative: they become **unsigned**, 0 to 255. Which number is 255? The largest that real pictures
# produce: the network is shown some, and its ranges are noted. That is **calibration**. (Where something is negative, as
# in the picture itself, zero becomes another of the 256 numbers.)
#
# **Predict.** 256 training pictures calibrate. How many points go?

# %%
small_file = quantization.quantize_static(plain_file, folder / "int8.onnx", images["train"][:256].split(64))
small = export.onnx_session(small_file)
before, after = accuracy(network), accuracy(lambda part: export.run_onnx(small, part)[0])
print(f"accuracy {before:.1%} -> {after:.1%}")
print(f"bytes {plain_file.stat().st_size:,} -> {small_file.stat().st_size:,}")

# %%
picture = images["validation"][:1]


def eager():
    with torch.inference_mode():
        return network(picture)


feed = {"images": picture.numpy()}
calls = {"PyTorch": eager, "ONNX Runtime": lambda: plain.run(None, feed), "in 8 bits": lambda: small.run(None, feed)}
latency = {name: median_latency(call, clock=time.perf_counter, runs=300) for name, call in calls.items()}
figure, axes = plt.subplots(figsize=(7, 2.2))
for place, (median, p95) in enumerate(latency.values()):
    axes.plot([median, p95], [place, place], color="#B8C2CC", linewidth=2)
    axes.scatter([median, p95], [place, place], s=60, c=[PALETTE["blue"], PALETTE["vermillion"]], zorder=3)
axes.set_yticks(range(3), latency)
axes.set(title="One picture, one thread", xlabel="milliseconds (logarithmic)", xscale="log", ylim=(2.5, -0.5))
axes.xaxis.set_major_formatter("{x:g}")
show(figure, alt="Medians and 95th percentiles: PyTorch takes longest, ONNX Runtime a fraction of it, 8 bits least.")

# %%
# NBVAL_CHECK_OUTPUT
speedup = {name: latency["PyTorch"][0] / median for name, (median, _) in latency.items()}
print("ONNX Runtime is faster than PyTorch:", speedup["ONNX Runtime"] > 1)
print("in 8 bits it is more than twice as fast as PyTorch:", speedup["in 8 bits"] > 2)
print("8 bits cost at most two points:", before - after <= 0.02)

# %% [markdown]
# On the left of each line the median, on the right the 95th percentile, on the machine that made this picture. Leaving
# Python helps most; integers add to it. Whoever compares two networks in earnest lets them take turns, so that a busy minute is busy for both:
# `measure_latency` in `course_lib.compression` does, and says how far the median itself may be off.
#
# ## Pruning
#
# Most weights are small. Set the smallest to zero: **magnitude pruning**.
#
# ### Exercise 4 · `magnitude_prune` · difficulty ●●○ · 12 min
#
# <details><summary>Hint 1: a nudge</summary>
#
# If all layers are ranked together, put them into one long list first.
# </details>
# <details><summary>Hint 2: the idea</summary>
#
# `torch.cat` of the flattened weights makes a new tensor. Sort its magnitudes with `argsort(stable=True)`, zero the
# first so many, and cut it into the old shapes again.
# </details>
# <details><summary>Hint 3: nearly the code</summary>
#
# `numbers[numbers.abs().argsort(stable=True)[:count]] = 0`, where `count = round(share * len(numbers))`;
# `numbers.split([each.numel() for each in weights.values()])` gives the parts.
# </details>

# %% tags=["exercise"]
@exercise
def magnitude_prune(weights, *, share):
    """Set the smallest weights to zero, those of all layers ranked together.

    Args:
        weights: a dict, by name the weights of each layer, floating point, any shape; left as they were.
        share: which share of all these numbers becomes zero, from 0 to 1.

    Returns:
        A dict with the same names: new tensors in which `round(share * n)` of all n numbers are zero, those of the
        smallest magnitude. Of equal magnitudes, the earlier ones go: by the order of the dict, then row by row.

    Example: `{"a": [[0.1, -3.0]], "b": [0.2, 1.0, -0.3]}` with share 0.6 becomes
        `{"a": [[0.0, -3.0]], "b": [0.0, 1.0, 0.0]}`.
    """
    ...  # your code here


# %% [markdown]
# **Predict.** How large a share can go, if the network may not learn afterwards?

# %%
def pruned(share):
    net = copy.deepcopy(network)
    weights = {name: each.detach() for name, each in net.named_parameters() if each.ndim > 1}
    net.load_state_dict(magnitude_prune(weights, share=share), strict=False)
    return net


for share in (0.0, 0.2, 0.4, 0.6, 0.8):
    print(f"{share:.0%} zeros: accuracy {accuracy(pruned(share)):.1%}")

# %% [markdown]
# Then let it learn for one more epoch, with the zeros held at zero. But one more epoch would also have helped the
# network as it was. That is the **control**: the same epoch, nothing pruned.
#
# **Predict.** With 80% zeros: does the pruned network get back to where it was? And how far ahead is the control?

# %%
masks, sparse, control = compression.magnitude_masks(network, share=0.8), copy.deepcopy(network), copy.deepcopy(network)
with compression.kept_pruned(sparse, masks):
    train(sparse, plain_losses, epochs=1, rate=0.003)
train(control, plain_losses, epochs=1, rate=0.003)
for name, net in (("before", network), ("80% zeros, tuned", sparse), ("control: tuned", control)):
    print(f"{name:17s} {accuracy(net):.1%}")

# %%
# NBVAL_CHECK_OUTPUT
pruned_before, pruned_after = accuracy(pruned(0.8)), accuracy(sparse)
print("tuning mends most of what pruning broke:", pruned_after > pruned_before + 0.3)
print("the unpruned control stays ahead:", accuracy(control) > pruned_after)
flops = [compression.count_flops(net, picture) for net in (sparse, network)]
print("zeros are still multiplied:", flops[0] == flops[1])

# %% [markdown]
# Four weights of five are gone, and it recovers nearly all. Without the control you would say that pruning costs what
# lies between the first two lines. It costs what lies between the last two.
#
# And it is not faster: a zero is multiplied like any other number. Zeros pay when the file is compressed, or when whole
# channels go.
#
# ## Distillation
#
# A wrong answer can be nearly right. The teacher's probabilities say how nearly; divided by a **temperature** $T$, its
# logits show more of that. A student learns from both, the teacher and the labels.
#
# ### Exercise 5 · `distillation_loss` · difficulty ●●○ · 12 min
#
# <details><summary>Hint 1: a nudge</summary>
#
# Two losses per example, weighted. Which of them knows the temperature?
# </details>
# <details><summary>Hint 2: the idea</summary>
#
# `log_softmax` of both, divided by T, along the classes; the teacher detached. The divergence is a sum over classes of
# $p\,(\log p - \log q)$; cross-entropy with `reduction="none"`.
# </details>
# <details><summary>Hint 3: nearly the code</summary>
#
# `surprise = (expected.exp() * (expected - found)).sum(dim=1)` with the two log-softmaxes; then
# `share * temperature**2 * surprise + (1 - share) * F.cross_entropy(student, labels, reduction="none")`.
# </details>

# %% tags=["exercise"]
@exercise
def distillation_loss(student, teacher, labels, *, temperature=4.0, share=0.9):
    """Learn from a larger network's doubts, and a little from the labels.

    Args:
        student: logits, shape `(batch, classes)`.
        teacher: logits of the larger network on the same pictures, same shape; no gradient may flow into them.
        labels: the right classes, int64, shape `(batch,)`.
        temperature: T.
        share: s, how much the teacher counts.

    Returns:
        One loss per example, shape `(batch,)`: s·T²·KL(p ‖ q) + (1 − s)·CE. Here p = softmax(teacher / T) and
        q = softmax(student / T), KL(p ‖ q) = Σ p·(log p − log q) over the classes, and CE = −log softmax(student)
        at the label, without any temperature.

    Example: where student and teacher agree, only (1 − s)·CE is left.
    """
    ...  # your code here


# %% [markdown]
# A student with less than half of the widths: two epochs from the labels alone, and two with the teacher. Same start, same
# pictures, same number of steps.
#
# **Predict.** How many points does the teacher add?

# %%
with torch.no_grad():
    answers = torch.cat([network(part) for part in images["train"].split(500)])


def taught_losses(model, batch):
    return distillation_loss(model(batch[0]), batch[2], batch[1], temperature=4.0, share=0.9)


students = {}
for name, losses_fn in (("labels alone", plain_losses), ("with a teacher", taught_losses)):
    torch.manual_seed(0)
    students[name] = train(SmallResNet(widths=(8, 12, 16)), losses_fn, answers, epochs=2, rate=0.01)
    print(f"{name:15s} {accuracy(students[name]):.1%}")

# %% [markdown]
# None: it takes some away. This student has hardly begun, and a vague target teaches it more slowly than a plain one.
# Given twice the epochs, $T = 2$ and half the share, the teacher does help a little: `RESULTS.md` has three seeds. Without
# the control, you would have reported a student "distilled from a 94% teacher" and been proud of it. An idea is
# worth what it adds to the control.
#
# ## Choose
#
# Everything in one picture: to the left is smaller or faster, up is better. What has something else both further left and
# higher is **dominated**: nobody needs it. The others are the **Pareto front**.

# %%
def measured(path):
    session = export.onnx_session(path)
    milliseconds, _ = median_latency(lambda: session.run(None, feed), clock=time.perf_counter)
    share = accuracy(lambda part: export.run_onnx(session, part)[0])
    return path.stat().st_size / 1e6, milliseconds, 100 * share


choices = {"PyTorch": (plain_file.stat().st_size / 1e6, latency["PyTorch"][0], 100 * before)}
choices |= {"ONNX": measured(plain_file), "8 bits": measured(small_file)}
for name, net in (("80% zeros", sparse), ("tuned, 8 bits", control), ("student, 8 bits", students["labels alone"])):
    path = export.export_classifier(net, folder / f"{name}.onnx", size=(3, 32, 32))
    if "8 bits" in name:
        path = quantization.quantize_static(path, folder / f"{name} q.onnx", images["train"][:256].split(64))
    choices[name] = measured(path)

# %%
def pareto(choices, *labels, alt):
    figure, panels = plt.subplots(1, len(labels), figsize=(9.5, 3.2), sharey=True)
    for column, axes in enumerate(panels):
        points = sorted((values[column], values[-1]) for values in choices.values())
        best = [max(share for _, share in points[: i + 1]) for i in range(len(points))]  # by nobody smaller or faster
        axes.step([cost for cost, _ in points], best, color="#B8C2CC", where="post")
        for number, (name, values) in enumerate(choices.items()):
            axes.plot(values[column], values[-1], "os^DvP"[number], label=name, markersize=12 - number)
        axes.set(xlabel=labels[column], xlim=0)
    panels[0].set_ylabel("validation accuracy (%)")
    panels[0].legend(fontsize=8, loc="lower right")
    show(figure.suptitle("Smaller, faster, and how good? The line is the front").figure, alt=alt)


told = "; ".join(f"{name} {size:.2f} MB, {share:.0f}%" for name, (size, _, share) in choices.items())
pareto(choices, "megabytes", "milliseconds for one picture", alt=f"Accuracy by size: {told}.")

# %% [markdown]
# The network that was tuned and then put into 8 bits stands at the corner of the front. The pruned one is as large and as
# slow as before: a zero takes four bytes, too.
#
# ## The same for a network that hears
#
# Two of lesson 09's recognizers: one that listens as you speak, and a larger one that reads whole sentences. Most of
# their weights are those of LSTMs. Here only the *file* is to shrink: integers on the disk, floats once it is opened.
#
# **Predict.** Which will hear better: the small one in 8 bits, or the large one in 4?

# %%
from course_lib.audio import log_mel, normalize_features
from course_lib.decoding import greedy_decode
from course_lib.metrics import word_error_rate
from course_lib.speech_models import load_recognizer, stack_frames
from course_lib.text import Alphabet

names, sentences = {"small": "speech_streaming", "large": "speech_noise"}, load("spoken_commands").splits
ears = {short: load_recognizer(name) for short, name in names.items()}
alphabet = Alphabet(ears["small"][1]["characters"])


def mels(short, split):
    """What each network wants: the one that reads whole sentences normalizes them."""
    change = normalize_features if short == "large" else lambda features: features
    return [change(log_mel(waveform)) for waveform in sentences[split].waveforms()]


def read(logits):
    return alphabet.decode(greedy_decode(logits, torch.tensor([logits.shape[1]]))[0])


# %%
def word_errors(short, path, features, split):
    """Words wrong, in percent, of a network in an ONNX file."""
    session, texts = export.onnx_session(path), []
    for each in features:
        stacked = stack_frames(each)[None]
        rest = export.first_state(ears[short][0]) if short == "small" else [torch.tensor([stacked.shape[1]])]
        texts.append(read(export.run_onnx(session, stacked, *rest)[0]))
    return 100 * word_error_rate(sentences[split].texts, texts)


files, wrong = {}, {}
for short, (model, _) in ears.items():
    heard, whole = mels(short, "validation"), export.export_recognizer(model, folder / f"{short}.onnx")
    for label, bits in (("32 bits", None), ("8 bits", 8), ("8, convolution 4", {"conv.": 4}), ("4 bits", 4)):
        path = quantization.quantize_weights(whole, folder / f"{short} {label}.onnx", bits=bits) if bits else whole
        files[short, label], wrong[short, label] = path, word_errors(short, path, heard, "validation")
        print(f"{short}, {label:17s} {path.stat().st_size / 1e6:.2f} MB   {wrong[short, label]:.1f}% of words wrong")

# %%
megabytes = {key: path.stat().st_size / 1e6 for key, path in files.items()}
figure, axes = plt.subplots(figsize=(7, 3.2))
for short, style, color in (("small", "o-", "blue"), ("large", "s--", "vermillion")):
    rows = [(megabytes[key], wrong[key]) for key in wrong if key[0] == short]
    axes.plot(*zip(*rows, strict=True), style, color=PALETTE[color], label=f"{short}: 32 to 4 bits")
axes.set(title="Networks that hear: how small, how good?", xlabel="megabytes", xlim=0, ylabel="words wrong (%)", ylim=0)
axes.legend()
show(figure, alt="Words wrong by size of the file: " + "; ".join(
    f"{', '.join(key)}: {megabytes[key]:.2f} MB, {wrong[key]:.0f}%" for key in wrong) + ".")

# %% [markdown]
# Both lines are nearly flat: a seventh of the bytes, and what changes is less than 200 sentences can tell. The large one
# in 4 bits is smaller than the small one in 8, and makes far fewer mistakes. Often the best small network is a large one,
# rounded.
#
# Need the one that listens as you speak? 4 bits throughout are smallest, and here no worse. With 0.7 MB to spend, the
# careful choice is its LSTM in 8 bits and its convolution in 4. Now the test voices, once.
#
# **Predict.** How many points more are wrong than with 32 bits?

# %%
chosen, heard = ("small", "8, convolution 4"), mels("small", "test")
test = {label: word_errors("small", files["small", label], heard, "test") for label in ("32 bits", chosen[1])}
print(f"{megabytes[chosen]:.2f} MB; words wrong: {test['32 bits']:.1f}% -> {test[chosen[1]]:.1f}%")
print(f"image network in 8 bits, test: {accuracy(network, 'test'):.1%} -> "
      f"{accuracy(lambda part: export.run_onnx(small, part)[0], 'test'):.1%}")

# %%
# NBVAL_CHECK_OUTPUT
print("under 0.7 megabytes, a quarter of the original:", megabytes[chosen] < 0.7)
print("4 bits, large: smaller than 8 bits, small:", megabytes["large", "4 bits"] < megabytes["small", "8 bits"])
print("and better:", wrong["large", "4 bits"] < wrong["small", "8 bits"])
print("test, less than one point lost:", test[chosen[1]] - test["32 bits"] < 1)

# %% [markdown]
# On the test voices the smaller file even made fewer mistakes. That is luck: 300 sentences can't tell half a point.
#
# ## What to remember
#
# - Measure first: parameters, operations and milliseconds are three things.
# - Warm up, take turns, report median and 95th percentile.
# - Hold every export to its origin, on several batch sizes and lengths.
# - 8 bits cost next to nothing. For speed, activations must be integers too: unsigned, calibrated on real data.
# - Pruned weights save time only where something skips them.
# - No gain without a control: the same budget, without the idea.
# - Choose on the Pareto front.

# %% [markdown]
# ## Going further
#
# - Give both students four epochs, with a temperature of 2 and half the share. Who wins now, and in how many seeds?
# - Calibrate with darkened pictures. Which accuracy do you get?
# - Quantize the large recognizer's layers to 4 bits one by one. Which can bear it least?
#
# Read: B. Jacob and others, *Quantization and training of neural networks for efficient integer-arithmetic-only
# inference*, [arXiv:1712.05877](https://arxiv.org/abs/1712.05877); S. Han and others, *Learning both weights and
# connections*, [arXiv:1506.02626](https://arxiv.org/abs/1506.02626); G. Hinton and others, *Distilling the knowledge in a
# neural network*, [arXiv:1503.02531](https://arxiv.org/abs/1503.02531).
#
# **Next, lesson 16, deployment:** your networks behind a server, where others can use them.
