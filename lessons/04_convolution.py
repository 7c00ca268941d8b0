# %% [markdown]
# # 04 · Looking at neighborhoods
#
# So far a picture was a list of numbers, and no network knew which of them lie side by side. Now each neuron looks at
# a small neighborhood, and all of them ask the same question, each at its own place. This is convolution; most of seeing
# is built on it, and a good part of hearing.
#
# **You will be able to** build a convolution and a pooling layer from nothing, say how large their answers are and how
# far they see, and show why they learn to see from fewer examples.
#
# **You need** lesson 03: training with `fit`. **Time:** 80 minutes, with four exercises.

# %%
import itertools
from functools import partial

import matplotlib.pyplot as plt
import torch
import torch.nn.functional as F
from torch import nn

from course_lib.batches import Batches
from course_lib.datasets import available, load
from course_lib.device import best_device, budget
from course_lib.exercises import borrow, exercise
from course_lib.metrics import correct
from course_lib.models import MLP, SmallCNN
from course_lib.plots import PALETTE, show, show_images
from course_lib.training import Recipe, evaluate, fit, one_cycle
from course_lib.widgets.convolution import KernelStepper, trace_kernel

# %% [markdown]
# ## Scrambled
#
# The digits again, and beside them the same digits with their 64 pixels scrambled: in the same way for all of them.
# Nothing is lost, everything has only moved to another place. For you, they become hopeless.
#
# Below stand the loop of lesson 03 in a few lines, and three networks for each kind of digits: all alike but for the
# chance in their first weights and in the order of the examples.
#
# **Predict.** An MLP learns from the scrambled digits. How much worse is it?

# %%
device, data = best_device(), load("digits")
images = {name: split.images.to(device) for name, split in data.splits.items()}  # (n, 1, 8, 8)
labels = {name: split.labels.to(device) for name, split in data.splits.items()}  # (n,)
places = torch.randperm(64, generator=torch.Generator().manual_seed(0)).to(device)
scrambled = {name: each.flatten(1)[:, places].reshape(each.shape) for name, each in images.items()}

some = torch.cat([images["train"][:8], scrambled["train"][:8]]).cpu()
show_images(some, columns=8, alt="Above: eight handwritten digits that you can read. Below: the same eight as "
            "scattered gray squares that nobody can read.")

# %%
def train(model, inputs, targets, *, seed, epochs=10, augment=None):
    batches = Batches(inputs, targets, batch_size=64, shuffle=True, augment=augment, seed=seed)
    fit(model, batches, losses_fn, recipe=Recipe(make_adamw, epochs, one_cycle()))
    return model


def losses_fn(model, batch):
    return F.cross_entropy(model(batch[0]), batch[1], reduction="none")  # (batch,)


def make_adamw(model):
    return torch.optim.AdamW(model.parameters(), lr=1e-2)


def accuracy(model, inputs, targets):
    scores = {"accuracy": lambda model, batch: correct(model(batch[0]), batch[1])}
    return evaluate(model, Batches(inputs, targets, batch_size=500), scores)["accuracy"]


# %%
def three_models(make_model, inputs, targets, **options):
    for seed in range(3):
        torch.manual_seed(seed)
        yield train(make_model(), inputs, targets, seed=seed, **options)


def count(model):
    return sum(weights.numel() for weights in model.parameters())


def spread(found):
    return f"{sum(found) / len(found):.1%} (from {min(found):.1%} to {max(found):.1%})"


make_mlp = partial(MLP, 64, hidden_sizes=(510,))
for name, each in (("as they are", images), ("scrambled", scrambled)):
    models = three_models(make_mlp, each["train"], labels["train"])
    print(f"MLP, digits {name:11s}:", spread([accuracy(m, each["validation"], labels["validation"]) for m in models]))

# %% [markdown]
# No worse at all. An MLP has a weight for every pixel and no idea which pixels are neighbors: to it, both kinds are
# equally good. *You* read strokes, corners and loops, and those live in neighborhoods. Let's build that in.
#
# ## One small question, asked everywhere
#
# Lay a 3×3 **kernel** over a patch of the image, multiply the nine pairs, add up: one number. Move it by one pixel and
# ask again.
#
# **Predict.** The image is dark on the left and bright on the right; the kernel has −1 in its left column, +1 in its
# right one. Where is the answer large?

# %%
def slide(image, kernel):
    (h, w), (kh, kw) = image.shape, kernel.shape
    answer = torch.zeros(h - kh + 1, w - kw + 1)
    for row, column in itertools.product(range(h - kh + 1), range(w - kw + 1)):
        answer[row, column] = (image[row : row + kh, column : column + kw] * kernel).sum()
    return answer


step = torch.zeros(6, 8)
step[:, 4:] = 1.0
vertical = torch.tensor([[-1.0, 0.0, 1.0]] * 3)
answer = slide(step, vertical)
show_images([step, answer / 3], titles=["image, 6×8", "answer, 4×6"], alt="Left: an image that turns from black to "
            "white in the middle. Right: the answer, bright in the two columns beside that edge, else black.")
print(answer.int().tolist()[0], "in each row")

# %% [markdown]
# Only patches that straddle the edge answer; flat regions give 0, however bright they are. And the answer is smaller
# than the image: at the rim, there is no full patch.
#
# Now step through it yourself. **Padding** surrounds the image with zeros; **stride** is how far the kernel moves.
#
# **Predict.** Set the padding to 1. What does the edge kernel say in the last column, and is it right?

# %%
kernels = {"edge": vertical, "blur": torch.full((3, 3), 1 / 9), "shift": [[0, 0, 0], [1, 0, 0], [0, 0, 0]]}
trace_kernel(step, vertical, stride=2, padding=1)  # the walk in words, here with stride 2 and padding 1
KernelStepper(step, kernels)

# %% [markdown]
# With padding, the answer is as large as the image. But in the last column it says −3 or −2: the kernel takes the end
# of the picture for the edge of something. Zeros are a guess about what lies outside.
#
# The kernel called *shift* copies its left neighbor: a convolution can also move a picture.
#
# ### Exercise 1 · `output_size` · difficulty ●○○ · 8 min
#
# <details><summary>Hint 1: a nudge</summary>
#
# How many pixels are left for moving, once the kernel lies at its first place?
# </details>
# <details><summary>Hint 2: the idea</summary>
#
# Of the free pixels, `stride` are used up at each move. How many whole moves is that? And how many places are there, if
# there are so many moves between them?
# </details>
# <details><summary>Hint 3: nearly the code</summary>
#
# `padded = size + 2 * padding`; if the kernel is longer than that, raise a `ValueError`. Otherwise
# `(padded - kernel_size) // stride + 1`.
# </details>

# %% tags=["exercise"]
@exercise
def output_size(size, *, kernel_size, stride=1, padding=0):
    """Count the places at which a kernel fits along one side of an image.

    Args:
        size: the side of the image in pixels, 1 or more.
        kernel_size: the side of the kernel in pixels, 1 or more.
        stride: pixels from one place to the next, 1 or more.
        padding: zeros that are added to the image at each of the two ends.

    Returns:
        The number of places, a whole number: the first one starts at the padded image's first pixel, and the kernel
        may not stick out at the end.

    Raises:
        ValueError: the kernel is longer than the padded image.

    Example: 7 pixels and a kernel of 3 have 5 places; with `stride=2` it is 3, and with `padding=1` too it is 4.
    """
    ...  # your code here


# %% [markdown]
# ## Channels and filters
#
# A color picture has three numbers per pixel: three **channels**. A **filter** has a slice for each channel and adds up
# what they find. Several filters give several answers: the channels of the next layer.
#
# 16 filters of 3×3 on 3 channels are 16 · 3 · 3 · 3 = 432 weights. To connect each number of a 32×32 color picture with
# each number of the answer would take 50 million. All places *share* the same few.
#
# ### Exercise 2 · `conv2d` · difficulty ●●○ · 20 min
#
# (Mathematicians flip the kernel first. Deep learning doesn't, and says convolution all the same.)
#
# <details><summary>Hint 1: a nudge</summary>
#
# `slide` walks over the image. Walk over the *kernel* instead: it has only kh · kw cells. Which pixels does the cell
# `(i, j)` meet on the kernel's way over the image?
# </details>
# <details><summary>Hint 2: the idea</summary>
#
# For each cell of the kernel, cut out the window of the padded images that it meets: it starts at `(i, j)`, takes
# every `stride`-th pixel, and is as large as the answer. Weigh it for all filters at once, sum over the channels, and
# add it to the answer.
# </details>
# <details><summary>Hint 3: nearly the code</summary>
#
# `oh` and `ow` come from `output_size`; `padded = F.pad(images, [padding] * 4)`. In two loops over `i` and `j`:
# `window = padded[:, :, i : i + stride * oh : stride, j : j + stride * ow : stride]`, and
# `output = output + torch.einsum("nchw,fc->nfhw", window, weight[:, :, i, j])`. At the end, `bias[:, None, None]`.
# </details>

# %% tags=["exercise"]
@exercise
def conv2d(images, weight, bias=None, *, stride=1, padding=0):
    """Slide each filter over each image, and sum over the channels (cross-correlation, as deep learning does it).

    Args:
        images: floating point, shape `(n, c, h, w)`; left as they were.
        weight: the filters, shape `(f, c, kh, kw)`.
        bias: one number per filter, shape `(f,)`, or None.
        stride: pixels from one place of a filter to the next, down and to the right.
        padding: zeros added on every side of the images.

    Returns:
        Shape `(n, f, oh, ow)`, where `oh` and `ow` are the numbers of places along both sides. Each number is the sum
        of `c * kh * kw` products, and its filter's bias.

    Example: the image `[[1, 2], [3, 4]]` and the filter `[[1, 0], [5, 0]]` give the single number 1·1 + 3·5 = 16.
    """
    ...  # your code here


# %% [markdown]
# ## A convolution is a matrix product
#
# `unfold` writes each patch as a column. With the filters as rows, *one* matrix product gives all answers, and matrix
# products are what processors do best.
#
# **Predict.** Four pictures with 3 channels of 10×12, filters of 3×3: how many rows and columns have the patches of one
# picture? And how fast is each of four ways to do it: the loop over pixels, yours, `unfold` with a product, torch's?

# %%
# NBVAL_CHECK_OUTPUT
pictures, filters = torch.randn(4, 3, 10, 12), torch.randn(8, 3, 3, 3)
patches = F.unfold(pictures, kernel_size=3)  # (n, c * kh * kw, oh * ow)
product = (filters.flatten(1) @ patches).reshape(4, 8, 8, 10)
print("patches:", tuple(patches.shape))
print("the same answers as yours:", torch.allclose(product, conv2d(pictures, filters), atol=1e-4))
print("the same answers as torch:", torch.allclose(product, F.conv2d(pictures, filters), atol=1e-4))

# %% tags=["machine"]
from timeit import repeat

gray, kernel = torch.rand(1, 1, 96, 128), torch.rand(1, 1, 3, 3)
ways = {
    "loop over pixels": lambda: slide(gray[0, 0], kernel[0, 0]),
    "yours": lambda: conv2d(gray, kernel),
    "unfold, product": lambda: kernel.reshape(1, 9) @ F.unfold(gray, 3),
    "torch": lambda: F.conv2d(gray, kernel),
}
for name, run in ways.items():
    print(f"{name:17s} {1000 * min(repeat(run, number=1, repeat=4)):8.2f} ms")

# %% [markdown]
# All give the same answers. The loop over pixels is slower by far, although it computes the same products: its time goes
# into Python, not into arithmetic. `unfold` copies each pixel up to nine times: that is memory paid for speed.
#
# ## What kernels see
#
# A picture to look at: a house, a fence, the sun. And four kernels that people wrote by hand, long before any were
# learned.
#
# **Predict.** What becomes of the fence under the kernel for level edges, which compares above with below?

# %%
down, across = torch.meshgrid(torch.arange(96.0), torch.arange(128.0), indexing="ij")
scene = 0.8 - 0.2 * down / 96  # the sky
scene[down > 66] = 0.45
scene[(across - 102) ** 2 + (down - 22) ** 2 < 13**2] = 1.0
scene[(across > 22) & (across < 70) & (down > 38) & (down < 80)] = 0.7
scene[(down > 14) & (down < 39) & ((across - 46).abs() < 1.25 * (down - 14))] = 0.2
scene[(across > 40) & (across < 52) & (down > 56) & (down < 80)] = 0.1
scene[(across > 82) & (across % 6 < 3) & (down > 56) & (down < 86)] = 0.95
scene += 0.02 * torch.randn(scene.shape, generator=torch.Generator().manual_seed(0))
sobel = torch.tensor([[-1.0, 0.0, 1.0], [-2.0, 0.0, 2.0], [-1.0, 0.0, 1.0]])
sharpen = torch.tensor([[0.0, -1.0, 0.0], [-1.0, 5.0, -1.0], [0.0, -1.0, 0.0]])
by_hand = {"blur": torch.full((5, 5), 1 / 25), "sharpen": sharpen, "upright edges": sobel, "level edges": sobel.T}

# %%
def see(kernel):
    return conv2d(scene[None, None], kernel[None, None])[0, 0]


seen = {"the picture": scene} | {name: see(kernel) for name, kernel in by_hand.items()}
seen["all edges"] = torch.hypot(seen["upright edges"], seen["level edges"])
figure, panels = plt.subplots(2, 3, figsize=(9, 5), sharex=True, sharey=True)
for axes, (name, answer) in zip(panels.flat, seen.items(), strict=True):
    axes.imshow(answer)
    axes.set(title=name)
    axes.grid(False)
figure.supxlabel("column (pixels)", fontsize=10)
figure.supylabel("row (pixels)", fontsize=10)
show(figure, alt="A house with roof and door, a fence, the sun. Blur softens everything. Sharpen shows every grain. "
     "Upright edges: walls and fence posts appear in black and white, roof and sun in part. Level edges: the horizon "
     "and the ends of the posts remain, the posts' sides vanish. All edges: a drawing of outlines.")

# %% [markdown]
# Of the fence only the ends of the posts remain: along a post nothing changes from top to bottom. Where edges are asked
# for, gray is 0; bright and dark are edges of opposite direction. Sharpening strengthens the noise too, blurring drowns
# it. Both directions together draw outlines.
#
# ## The answer moves with the picture
#
# **Predict.** Move the picture by 5 pixels and ask again. What changes in the answer?

# %%
# NBVAL_CHECK_OUTPUT
whole = (255 * scene).round()[None, None]  # whole numbers: so that sums are exact
edges, edges_of_moved = (conv2d(each, sobel[None, None]) for each in (whole, whole.roll(5, dims=-1)))
print("the answer has moved by 5 pixels too:", torch.equal(edges_of_moved[..., 5:], edges[..., :-5]))

# %% [markdown]
# Nothing else changes, not in a single bit. This is **equivariance**: whoever has learned to see a stroke in one place
# sees it in all places. It comes from sharing the weights.
#
# ### Exercise 3 · `max_pool2d` · difficulty ●●○ · 10 min
#
# *Where exactly* is often not the question. **Pooling** keeps the strongest answer of each window, and forgets where in
# the window it was.
#
# <details><summary>Hint 1: a nudge</summary>
#
# It is a convolution whose sum has become a maximum. What do you start from, if all numbers may be negative?
# </details>
# <details><summary>Hint 2: the idea</summary>
#
# Cut out a window for each of the `kernel_size`² cells, just as in `conv2d`: all have the answer's size. Then take the
# largest of them, pixel by pixel.
# </details>
# <details><summary>Hint 3: nearly the code</summary>
#
# Collect `images[:, :, i : i + stride * oh : stride, j : j + stride * ow : stride]` for all `i` and `j` in a list, and
# return `torch.stack(windows).amax(dim=0)`. Before: `stride = kernel_size if stride is None else stride`.
# </details>

# %% tags=["exercise"]
@exercise
def max_pool2d(images, *, kernel_size, stride=None):
    """Keep the largest number of each window, channel by channel.

    Args:
        images: numbers of any sign, shape `(n, c, h, w)`; left as they were.
        kernel_size: height and width of a window, in pixels; at most h and w.
        stride: pixels from one window to the next; None means windows side by side: as far as a window is wide.

    Returns:
        Shape `(n, c, oh, ow)`: one number for each window that lies fully inside.

    Example: `[[1, 5, 2], [0, 3, 4], [9, 9, 9]]` with `kernel_size=2` gives `[[5]]`, and with `stride=1`
        `[[5, 5], [9, 9]]`.
    """
    ...  # your code here


# %% [markdown]
# How much does pooling forgive? Four kernels look for edges in each digit, once where it is, once a pixel further to
# the right. How similar are the answers (1 is equal, 0 has nothing in common)?
#
# **Predict.** Without pooling? With windows of 2, of 4, and with one window for the whole image?

# %%
room = F.pad(images["validation"], [2] * 4)  # (n, 1, 12, 12): a digit that moves stays in the picture
compass = torch.stack([sobel, -sobel, sobel.T, -sobel.T])[:, None].to(device)  # (4, 1, 3, 3)
here, there = (conv2d(each, compass, padding=1).relu() for each in (room, room.roll(1, dims=-1)))
for window in (1, 2, 4, 12):
    pooled = [max_pool2d(answers, kernel_size=window).flatten(1) for answers in (here, there)]
    print(f"windows of {window:2d} pixels: {F.cosine_similarity(*pooled).mean():.2f}")

# %% [markdown]
# The larger the window, the less a move matters; with one window for everything it doesn't matter at all. That is
# **invariance**. Its price: the place is forgotten.
#
# ## How far does it see?
#
# One 3×3 kernel sees 3 pixels along each side. A second one, on top, sees a 3×3 patch of *answers*, and each of these
# saw 3 pixels. What an output pixel depends on is its **receptive field**.
#
# **Predict.** Two 3×3 convolutions see 5 pixels. And three, if the second one has stride 2?
#
# ### Exercise 4 · `receptive_field` · difficulty ●●○ · 12 min
#
# <details><summary>Hint 1: a nudge</summary>
#
# Walk from the image to the output, and keep two numbers: how many pixels are seen so far, and how many pixels of the
# image it is from one output pixel to its neighbor.
# </details>
# <details><summary>Hint 2: the idea</summary>
#
# A kernel of 3 looks at three neighbors of the layer below. From the first to the last of them it is two steps: so much
# is added to what each of them sees by itself. Its stride then makes the steps longer for those who come after.
# </details>
# <details><summary>Hint 3: nearly the code</summary>
#
# Start with `field, step = 1, 1`. For each layer: `field += (kernel_size - 1) * step`, then `step *= stride`.
# </details>

# %% tags=["exercise"]
@exercise
def receptive_field(layers):
    """Say how many pixels of the image, along one side, a single output pixel of a stack of layers depends on.

    Args:
        layers: `(kernel_size, stride)` of each convolution or pooling, from the image to the output; may be empty.

    Returns:
        The side of the receptive field in pixels, and the step: how many pixels of the image lie between what two
        neighboring output pixels look at. Whole numbers.

    Example: two 3×3 convolutions see 5 pixels with a step of 1. With stride 2 in the first one, they see 7 with a step
        of 2.
    """
    ...  # your code here


# %% [markdown]
# It can also be measured. Which pixels can change an output at all? Those where its **gradient** is not zero. We take
# the gradient of one output pixel of three layers with random weights, and the mean of its size over 100 such
# networks.
#
# **Predict.** Do all pixels of the receptive field count alike?

# %%
# NBVAL_CHECK_OUTPUT
influence = torch.zeros(17, 17)
for seed in range(100):
    torch.manual_seed(seed)
    stack = nn.Sequential(nn.Conv2d(1, 8, 3), nn.Conv2d(8, 8, 3, stride=2), nn.Conv2d(8, 1, 3))
    image = torch.zeros(1, 1, 17, 17, requires_grad=True)
    stack(image)[0, 0, 2, 2].backward()
    influence += image.grad[0, 0].abs() / 100
print("computed:", receptive_field([(3, 1), (3, 2), (3, 1)])[0], "pixels")
print("measured:", int((influence.sum(dim=0) > 0).sum()), "pixels")
print("the middle counts more than three times as much as a corner:", bool(influence[8, 8] > 3 * influence[4, 4]))

# %%
figure, axes = plt.subplots(figsize=(4.8, 4))
mesh = axes.imshow(influence, cmap="viridis")
figure.colorbar(mesh, ax=axes, label="mean size of the gradient")
axes.set(title="What one output pixel depends on", xlabel="column (pixels)", ylabel="row (pixels)")
axes.set(xticks=range(0, 17, 4), yticks=range(0, 17, 4))
axes.grid(False)
show(figure, alt="A square of 9 by 9 pixels in an image of 17 by 17: bright in the middle, fading towards its rim, and "
     "exactly zero outside.")

# %% [markdown]
# 9 pixels, as computed, and nothing outside. Inside, the middle counts far more than a corner: many paths lead from
# there to the output, and from a corner only one.
#
# ## Does it pay?
#
# `SmallCNN`: two convolutions, pooling, two linear layers. It has as many weights as our MLP, give or take a few.
#
# **Predict.** Which one reads the test digits better? And which one the scrambled ones?

# %%
for name, make_model in (("MLP", make_mlp), ("CNN", SmallCNN)):
    print(f"{name}, {count(make_model()):,} parameters")
    for kind, each in (("as they are", images), ("scrambled", scrambled)):
        models = three_models(make_model, each["train"], labels["train"])
        print(f"    digits {kind:11s}:", spread([accuracy(model, each["test"], labels["test"]) for model in models]))

# %% [markdown]
# With nearly as many weights, the CNN makes fewer mistakes (about three in 300 digits), but only as long as neighbors
# are neighbors: on scrambled digits it is no better.
#
# ## Moved digits
#
# A harder exam: each digit lies in the middle of a larger, black picture, and in the exam a few pixels further right.
# Three networks with nearly equal numbers of weights: an MLP; a CNN that flattens its last answers into a list; and a
# CNN that ends in **global pooling**, which keeps the largest answer of each filter, wherever it is.
#
# **Predict.** Sketch their three curves. By chance, one in ten is right.

# %%
name = budget(cpu="digits", gpu="mnist")
data = load(name if available(name) else "digits")
margin, size, hidden = (4, 3, 32) if data.name == "digits" else (12, 7, 18)  # size: of the kernels
images = {name: split.images.to(device) for name, split in data.splits.items()}
labels = {name: split.labels.to(device) for name, split in data.splits.items()}
wide = {name: F.pad(each, [margin] * 4) for name, each in images.items()}  # (n, 1, 16, 16), black all around
side = wide["test"].shape[-1]


def make_flattening():
    first, second = nn.Conv2d(1, 16, size, padding="same"), nn.Conv2d(16, 32, size, padding="same")
    body = [first, nn.ReLU(), nn.MaxPool2d(2), second, nn.ReLU(), nn.MaxPool2d(2), nn.Flatten()]
    return nn.Sequential(*body, nn.Linear(32 * (side // 4) ** 2, hidden), nn.ReLU(), nn.Linear(hidden, 10))


def make_pooling():
    first, second = nn.Conv2d(1, 16, size, padding=3 * (size - 1)), nn.Conv2d(16, 32, size)
    body = [first, nn.ReLU(), second, nn.ReLU(), nn.Conv2d(32, 64, size), nn.ReLU()]
    return nn.Sequential(*body, nn.AdaptiveMaxPool2d(1), nn.Flatten(), nn.Linear(64, 10))


# %%
make_wide_mlp = partial(MLP, side**2, hidden_sizes=(count(make_pooling()) // (side**2 + 11),))
# the one that pools pads by itself as far as it sees: it may learn without the margin, which is quicker
contestants = {
    "MLP": (make_wide_mlp, wide),
    "CNN, flattening": (make_flattening, wide),
    "CNN, pooling": (make_pooling, images),
}
moves, models = range(margin + 1), {}
exams = [(wide["test"].roll(move, dims=-1), labels["test"]) for move in moves]
curves = {}
for name, (make_model, inputs) in contestants.items():
    models[name] = list(three_models(make_model, inputs["train"], labels["train"]))
    curves[name] = torch.tensor([[accuracy(model, *exam) for exam in exams] for model in models[name]])  # (3, moves)
    print(f"{name:15s} {count(make_model()):6,} parameters:", [f"{each:.0%}" for each in curves[name].mean(dim=0)])

# %%
figure, axes = plt.subplots(figsize=(7, 3.6))
for name, curve in curves.items():
    (line,) = axes.plot(moves, curve.mean(dim=0), "o-", label=name)
    axes.fill_between(moves, curve.amin(dim=0), curve.amax(dim=0), color=line.get_color(), alpha=0.25, linewidth=0)
axes.axhline(0.1, color=PALETTE["black"], linestyle=":", linewidth=1.2, label="chance")
axes.set(title="Taught in the middle, examined beside it", xlabel="moved to the right by (pixels)", xticks=moves)
axes.set(ylabel="accuracy on the test set", ylim=(0, 1.05))
axes.legend(loc="center left", bbox_to_anchor=(1, 0.5))
show(figure, alt="Accuracy against the move, mean and range of three seeds. The MLP falls close to chance within two "
     "pixels, the CNN that flattens falls more slowly, the CNN that pools stays at its height all along.")

# %% [markdown]
# After two pixels the MLP is close to guessing: its weights wait for strokes at the old place. The CNN that flattens finds
# the strokes, but its linear layers expect them where they were. The one that pools doesn't even notice. (It pays in
# arithmetic: each of its weights is used at every place.)
#
# Equivariant layers, then a maximum over all places: the whole network is **invariant**.
#
# **Predict.** Ask it about a digit at 49 places, up and down, left and right. How far apart are its logits?

# %%
# NBVAL_CHECK_OUTPUT
network = models["CNN, pooling"][0].eval()
with torch.no_grad():
    moved = [wide["test"][:20].roll(move, dims=(-2, -1)) for move in itertools.product(range(-3, 4), repeat=2)]
    logits = torch.stack([network(digits) for digits in moved])  # (49, 20, 10)
gap = (logits - logits[24]).abs().max() / logits.abs().max()  # 24 is the middle
print("at all 49 places the same logits, to a part in 1,000:", bool(gap < 1e-3))

# %% [markdown]
# The same, up to rounding: it was taught one place, and knows them all.
#
# Could the others not learn this too? Show them every digit in another place in each epoch, up to three pixels away in
# each direction, and examine them on test digits that were moved likewise.
#
# **Predict.** With ten epochs for each, how near do they come?

# %%
from course_lib.images import on_images, random_crop

move = partial(random_crop, padding=3)  # what comes in is mirrored margin, so it is black
exam = move(wide["test"], generator=torch.Generator(device).manual_seed(0)), labels["test"]
for name, (make_model, _) in contestants.items():
    print(f"{name:15s} taught in the middle:", spread([accuracy(model, *exam) for model in models[name]]))
    if name != "CNN, pooling":
        taught = three_models(make_model, wide["train"], labels["train"], augment=on_images(move))
        print(f"{name:15s} taught all over:     ", spread([accuracy(model, *exam) for model in taught]))

# %% [markdown]
# Examples help both a great deal, and the CNN that flattens comes nearer than the MLP. But the one that pools, taught in
# the middle only, is ahead of them: what is built in need not be learned.
#
# ## What it has learned to see
#
# Nobody told it what to look for. Here are eight of its first layer's filters, those with the largest weights, and
# below each what it sees in our picture, which is no digit at all.
#
# **Predict.** Will you find kernels that resemble those made by hand?

# %%
filters = network[0].weight.detach().cpu()  # (16, 1, 3, 3)
strongest = filters.flatten(1).norm(dim=1).topk(8).indices
figure, panels = plt.subplots(2, 8, figsize=(10, 2.9))
for column, kernel in zip(panels.T, filters[strongest], strict=True):
    largest = kernel.abs().max()
    column[0].imshow(kernel[0], cmap="PuOr", vmin=-largest, vmax=largest)
    column[1].imshow(conv2d(scene[None, None], kernel[None])[0, 0])
    for axes in column:
        axes.set(xticks=[], yticks=[])
panels[0, 0].set_ylabel("weights", fontsize=9)
panels[1, 0].set_ylabel("sees", fontsize=9)
figure.suptitle("Eight learned filters: purple above 0, orange below")
show(figure, alt="Above: eight squares of 3 by 3 weights, most of them purple on one side and orange on the other. "
     "Below: the house as each of them sees it; most draw its edges in light and shadow, like a relief; three keep "
     "areas apart by their brightness.")

# %% [markdown]
# Most are edge detectors: positive on one side, negative on the other, in all directions. A few respond to brightness as
# well. They learned from digits of 8×8, and they work on a house: edges are edges. But don't expect a meaning in every
# filter.
#
# ## What to remember
#
# - A convolution asks one small question everywhere; all places share its few weights.
# - A side has (size + 2 · padding − kernel) // stride + 1 places.
# - Filters have a slice for each channel, and become the channels of the next layer.
# - Convolution is equivariant: the answer moves with the picture. Pooling trades the place for invariance.
# - What is built in need not be learned.

# %% [markdown]
# ## Going further
#
# - Teach the other two all over, but for 40 epochs. How near do they come now?
# - Replace the maximum of the global pooling by the mean (`nn.AdaptiveAvgPool2d`). Is it still invariant?
# - Insert `nn.MaxPool2d(2)` into `make_pooling`. At which of the 49 places are the logits still the same, and why?
#
# Read: Y. LeCun and others, *Gradient-based learning applied to document recognition*, 1998,
# [doi:10.1109/5.726791](https://doi.org/10.1109/5.726791); V. Dumoulin, F. Visin, *A guide to convolution arithmetic for
# deep learning*, 2016, [arXiv:1603.07285](https://arxiv.org/abs/1603.07285).
#
# **Next, lesson 05, image classification:** color pictures, and what each idea of the last ten years buys.
