# %% [markdown]
# # 11 · Standing on trained shoulders
#
# Nobody learns to read from nothing in each new language. A network that sees has learned much that is not about its
# classes: edges, corners, what belongs together. Here you hand that on: to classes it has never met, and to a voice
# that it does not understand yet.
#
# **You will be able to** reuse a trained network in five steps, choose among four ways by how many labels you have, and
# measure what it forgets.
#
# **You need** lesson 05 (residual nets) and a little of lesson 07 (log-mels). **Time:** 90 minutes, with six exercises.

# %%
import copy
from functools import cache

import matplotlib.pyplot as plt
import torch
import torch.nn.functional as F
from torch import nn

from course_lib.batches import Batches
from course_lib.datasets import available, load
from course_lib.device import best_device, budget
from course_lib.exercises import borrow, exercise
from course_lib.images import channel_statistics, normalize
from course_lib.metrics import correct
from course_lib.models import SmallResNet
from course_lib.plots import PALETTE, show
from course_lib.training import Recipe, evaluate, fit, one_cycle

# %% [markdown]
# ## Step 1: a trained network, and data
#
# Five steps: **1** a trained network and a data set; **2** a new head; **3** decide what is frozen; **4** fine-tune;
# **5** test once, and ship. Mostly, others have done step 1. Here you do it, so that nothing is hidden.
#
# Two sets of drawn shapes, ten classes each, none in common. Of the old ones there are thousands of labels. Of the new
# ones you will label a few, for labels are what costs. The rates for pictures were chosen on the *validation* set.
#
# **Predict.** What could a network learn from arrows and hearts that helps it with cups and trees?

# %%
device, old, new = best_device(), load("shapes"), load("other_shapes")
mean, std = channel_statistics(old.splits["train"].images)


def part(data, split, count=None):
    pictures = normalize(data.splits[split].images[:count], mean=mean, std=std)
    return pictures.to(device), data.splits[split].labels[:count].to(device)


old_train, old_exam = part(old, "train", budget(cpu=6000, gpu=None)), part(old, "test", 1000)
pool, validation, exam = part(new, "train"), part(new, "validation", 1000), part(new, "test", 1000)
figure, panels = plt.subplots(2, 10, figsize=(10, 2.7))
for axes, label, data in zip(panels.flat, [*range(10)] * 2, [old] * 10 + [new] * 10, strict=True):
    axes.imshow(data.splits["train"].images[(data.splits["train"].labels == label).nonzero()[0, 0]].permute(1, 2, 0))
    axes.set(xticks=[], yticks=[], xlabel=data.classes[label])
figure.suptitle("Above: ten old classes, with many labels. Below: ten new ones")
show(figure, alt=f"Colored shapes, cluttered ground. Old: {', '.join(old.classes)}; new: {', '.join(new.classes)}.")

# %%
def train(model, pictures, make_optimizer, *, num_steps=60, seed=0, batch_size=32):
    batches = Batches(*pictures, batch_size=batch_size, shuffle=True, seed=seed)
    recipe = Recipe(make_optimizer, max(4, round(num_steps / len(batches))), one_cycle())  # at least four passes
    fit(model.to(memory_format=torch.channels_last), batches, losses_fn, recipe=recipe)  # a faster layout
    return model


def losses_fn(model, batch):
    return F.cross_entropy(model(batch[0]), batch[1], reduction="none")  # (batch,)


def adamw(rate):
    return lambda model: torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=rate, fused=True)


def accuracy(model, pictures):
    scores = {"accuracy": lambda model, batch: correct(model(batch[0]), batch[1])}
    return evaluate(model.to(device), Batches(*pictures, batch_size=250), scores)["accuracy"]


torch.manual_seed(0)
trained = train(SmallResNet(), old_train, adamw(5e-3), num_steps=400, batch_size=64)
print(f"old classes, pictures it has not seen: {(before := accuracy(trained, old_exam)):.1%}")

# %% [markdown]
# Its last layer is a **head**: ten rows of weights, one for each old class. What comes before it is the **body**: it
# turns a picture into 64 numbers, the **features**.
#
# Ask the body about shapes that it has never met: which pictures lie nearest to this one? First by their pixels, then
# by their features.
#
# **Predict.** Three new pictures are asked about. How many of the five nearest will be of the same class?

# %%
# NBVAL_CHECK_OUTPUT
@torch.no_grad()
def features_of(model, pictures):
    model.to(device).eval()
    return torch.cat([model.features(batch) for batch in pictures.split(500)])


def spread(found):
    return f"{sum(found) / len(found):.1%} (from {min(found):.1%} to {max(found):.1%})"


def nearest(asked, others, count):
    return (F.normalize(asked, dim=1) @ F.normalize(others, dim=1).T).topk(count, dim=1).indices


shelf = pool[0][:2000]
by_pixels = nearest(validation[0].flatten(1), shelf.flatten(1), 5)  # (1000, 5)
by_features = nearest(features_of(trained, validation[0]), features_of(trained, shelf), 5)
same = [(pool[1][rows] == validation[1][:, None]).float().mean().item() for rows in (by_pixels, by_features)]
print("features find the same class more than twice as often as pixels:", same[1] > 2 * same[0])

# %%
figure, panels = plt.subplots(3, 11, figsize=(10, 3.4))
shown = new.splits["validation"].images, new.splits["train"].images
for row, number in zip(panels, (9, 7, 12), strict=True):
    found = [shown[1][each] for each in (*by_pixels[number], *by_features[number])]
    for axes, picture in zip(row, [shown[0][number], *found], strict=True):
        axes.imshow(picture.permute(1, 2, 0))
        axes.set(xticks=[], yticks=[])
for column, words in ((0, "asked"), (3, "nearest by pixels"), (8, "nearest by features")):
    panels[0, column].set_title(words, fontsize=9)
figure.suptitle(f"Of the same class: {same[0]:.0%} of those near by pixels, {same[1]:.0%} of those near by features")
show(figure, alt="Three rows: the picture that is asked about, the five nearest by pixels and the five nearest by "
     "features. By pixels, the neighbors have the same colors; by features, mostly the same shape in other colors.")

# %% [markdown]
# Pixels find the same colors, features the same shape in any color. Nobody named these classes to the network. It
# learned what to overlook.
#
# ## The least you can do: a linear probe
#
# Leave the body as it is, compute the features once, and fit only a linear layer to them. For squared errors the best
# one is known in closed form: no steps, no rate. With $X$ the features and $T$ the one-hot targets, both centered,
#
# $$W = (X^\top X + \lambda I)^{-1} X^\top T.$$
#
# ### Exercise 1 · `linear_probe` · difficulty ●●○ · 12 min
#
# <details><summary>Hint 1: a nudge</summary>
#
# The formula needs features with mean zero. Those who use the layer will not center theirs: who makes up for that?
# </details>
# <details><summary>Hint 2: the idea</summary>
#
# At the best place, the mean of all scores is the mean of all targets. So the bias is the mean target, minus what the
# weights give for the mean feature.
# </details>
# <details><summary>Hint 3: nearly the code</summary>
#
# `targets = F.one_hot(labels, num_classes).to(features.dtype)`; `centered = features - features.mean(dim=0)`;
# `torch.linalg.solve(centered.T @ centered + penalty * eye, centered.T @ targets).T`, where `eye` has the features'
# dtype and device.
# </details>

# %% tags=["exercise"]
@exercise
def linear_probe(features, labels, *, num_classes, penalty):
    """Fit a linear layer to features that stay as they are: ridge regression onto the classes.

    Args:
        features: floating point, shape `(n, d)`; left as they were.
        labels: int64, shape `(n,)`, from 0 to `num_classes - 1`.
        num_classes: how many classes there are, also those without an example.
        penalty: above 0; what large weights cost.

    Returns:
        `weight`, shape `(num_classes, d)`, and `bias`, shape `(num_classes,)`, as `nn.Linear` has them. They make
        `((features @ weight.T + bias - targets) ** 2).sum() + penalty * (weight ** 2).sum()` as small as it gets,
        where `targets`, shape `(n, num_classes)`, has a 1 at each label and 0 elsewhere. The bias costs nothing.

    Example: features `[[-1.0], [1.0]]`, labels `[0, 1]`, penalty 2: weight `[[-0.25], [0.25]]`, bias `[0.5, 0.5]`.
    """
    ...  # your code here


# %% [markdown]
# Now label a few pictures of each class: 5, 20 or 100. For error bars, draw them three times. Beside the trained
# network stands one with random weights: its features are computed in the same way.
#
# **Predict.** Ten classes, so chance is 10%. What do 5 labels per class give with each of them?

# %%
BUDGETS, SEEDS = budget(cpu=(5, 20, 100), gpu=(5, 10, 20, 50, 100, 200)), (0, 1, 2)
curves = {"linear probe": {}}


def few(num_labels, seed):
    order = torch.randperm(len(pool[1]), generator=torch.Generator().manual_seed(seed)).to(device)
    rows = torch.cat([order[pool[1][order] == label][:num_labels] for label in range(10)])
    return pool[0][rows], pool[1][rows]


def probe(body, num_labels, seed, penalty=10.0):
    features, labels = features_of(body, few(num_labels, seed)[0]).cpu(), few(num_labels, seed)[1].cpu()
    weight, bias = linear_probe(features.double(), labels, num_classes=10, penalty=penalty)
    scores = features_of(body, validation[0]).cpu().double() @ weight.T + bias
    return (scores.argmax(dim=1) == validation[1].cpu()).double().mean().item()


for n in BUDGETS:
    curves["linear probe"][n] = [probe(trained, n, seed) for seed in SEEDS]
    untrained = [probe(SmallResNet(), n, seed) for seed in SEEDS]
    print(f"{n:3d} labels: trained {spread(curves['linear probe'][n])}, untrained {spread(untrained)}")

# %% [markdown]
# A few labels already make a classifier, in milliseconds. With random weights before it, the same layer stays far
# behind: it is the training on *other* classes that counts.
#
# ## Step 2: a new head
#
# The probe can't improve the features. To train the whole network, put a fresh layer where the old head was.
#
# ### Exercise 2 · `replace_head` · difficulty ●●○ · 12 min
#
# <details><summary>Hint 1: a nudge</summary>
#
# `model.named_modules()` gives every layer with its name, in order. Which of them is the head?
# </details>
# <details><summary>Hint 2: the idea</summary>
#
# Take the last one that is an `nn.Linear`. Its weight knows how many inputs there are, and the dtype; its `bias` is
# None if there is none. A name such as `"classifier.1"` leads into a module inside the model.
# </details>
# <details><summary>Hint 3: nearly the code</summary>
#
# `head = nn.Linear(old.in_features, num_classes, bias=old.bias is not None, dtype=old.weight.dtype)`, then
# `model.set_submodule(name, head)`.
# </details>

# %% tags=["exercise"]
@exercise
def replace_head(model, num_classes):
    """Give a trained classifier a new last layer; all else stays.

    Args:
        model: any module whose last `nn.Linear`, in the order of `model.named_modules()`, is its head. It is changed
            in place.
        num_classes: how many logits the new head gives.

    Returns:
        The new head, an `nn.Linear` in the old one's place: as many inputs, the same dtype, a bias only if the old
        one had one. Its weights are fresh, as `nn.Linear` draws them.

    Example: after `replace_head(SmallResNet(), 5)`, `model.head` is an `nn.Linear(64, 5)`.
    """
    ...  # your code here


# %% [markdown]
# ## Step 3: what is frozen
#
# With few labels, fewer weights should move. A **frozen** part takes no gradient. But batch norm also keeps a running
# mean and variance, and these follow every batch in training mode, gradient or not.
#
# After the exercise, only the new head learns, once on pictures as they are, once on those of a *dim camera*; then the
# *old* head is put back.
#
# **Predict.** Four runs: where do drifting statistics hurt, and could they help?
#
# ### Exercise 3 · `freeze` · difficulty ●●● · 15 min
#
# <details><summary>Hint 1: a nudge</summary>
#
# `module.requires_grad_(False)` is half of it. Which layers behave differently after `train()`? And who calls
# `train()`, long after you are done?
# </details>
# <details><summary>Hint 2: the idea</summary>
#
# A *forward pre-hook* is called just before each call of a module. Let it put that module into evaluation mode.
# </details>
# <details><summary>Hint 3: nearly the code</summary>
#
# `def fall_asleep(part, inputs): part.eval()`. For each `part` of `module.modules()` that is a batch norm or a dropout:
# `part.register_forward_pre_hook(fall_asleep)`. The hook must return None.
# </details>

# %% tags=["exercise"]
@exercise
def freeze(module):
    """Let nothing in a module change any more, whatever mode it is in.

    Its parameters get no gradient. What behaves differently in training (batch norm, dropout) behaves as in
    evaluation each time it is called, also after `model.train()`. Gradients still flow *through* the module, to
    layers before it.

    Args:
        module: any module, with all that is in it: batch norm (`nn.BatchNorm1d`, `nn.BatchNorm2d`), dropout
            (`nn.Dropout`), and layers with parameters, at any depth. It is changed in place.

    Returns:
        The same module.

    Example: after `freeze(model)` and `model.train()`, a batch leaves every running mean in the model as it was.
    """
    ...  # your code here


# %%
def dim(pictures):
    black = -(mean / std).view(3, 1, 1).to(device)
    return (pictures[0] + black) / 2, pictures[1]  # half way to black


def with_old_head(model):
    model = copy.deepcopy(model)
    model.head = copy.deepcopy(trained.head)
    return model


for light, camera in (("as they are", lambda pictures: pictures), ("half as bright", dim)):
    for name, asleep in (("frozen", freeze), ("drifting", lambda module: module.requires_grad_(False))):
        replace_head(model := asleep(copy.deepcopy(trained)), 10)
        train(model, camera(few(20, 0)), adamw(1e-2))
        scores = f"new {accuracy(model, camera(validation)):.1%}, old {accuracy(with_old_head(model), old_exam):.1%}"
        print(f"new pictures {light:14s}, statistics {name:8s}: {scores}")

# %% [markdown]
# Not one weight of the body moved, and with drifting statistics it forgot. They are learned, too. But on dim pictures
# they *adapt* to the light, and the new task gains much. Decide about statistics on purpose, and measure.
#
# ## Step 4: fine-tuning
#
# Let all weights move, from where they are. The head is new and has much to learn; the first layers know edges already.
# **Discriminative rates** say so: a smaller rate for each part further from the head.
#
# ### Exercise 4 · `parameter_groups` · difficulty ●●○ · 10 min
#
# <details><summary>Hint 1: a nudge</summary>
#
# How many steps is the part at place `i` away from the last one?
# </details>
# <details><summary>Hint 2: the idea</summary>
#
# Go through the parts with `enumerate`. Collect those of `part.parameters()` that require a gradient; if there are any,
# they make a group.
# </details>
# <details><summary>Hint 3: nearly the code</summary>
#
# `{"params": learning, "lr": learning_rate * factor ** (len(parts) - 1 - place)}`.
# </details>

# %% tags=["exercise"]
@exercise
def parameter_groups(parts, *, learning_rate, factor):
    """Give each part of a network its own learning rate: the further from the head, the smaller.

    Args:
        parts: modules, in order from the input to the head.
        learning_rate: of the last part, the head.
        factor: the part before it has this times the head's rate, the one before that `factor ** 2` times, and so on.
            Each part's place counts, whether or not the others learn.

    Returns:
        A list of dicts `{"params": [...], "lr": ...}`, what an optimizer takes: one for each part that has something to
        learn, in the same order. `params` lists the part's parameters that require a gradient; a part that is frozen
        or has no parameters gets no group.

    Example: three linear layers, `learning_rate=0.1`, `factor=0.5`: rates 0.025, 0.05 and 0.1.
    """
    ...  # your code here


# %% [markdown]
# A third way is **gradual unfreezing**: first the head alone, then everything, so that a head that knows nothing does
# not shake the body with its first, wild gradients.
#
# **Predict.** 20 labels per class, always 60 steps. Order the three ways by accuracy on the new classes, and by what is
# left of the old ones.

# %%
def all_alike(model, pictures, seed):
    return train(model, pictures, adamw(3e-3), seed=seed)


def by_depth(model, rate=1e-2):
    parts = [model.stem, *model.blocks, model.head]
    return torch.optim.AdamW(parameter_groups(parts, learning_rate=rate, factor=0.3), fused=True)


def discriminative(model, pictures, seed):
    return train(model, pictures, by_depth, seed=seed)


def gradual(model, pictures, seed):
    model.requires_grad_(False).head.requires_grad_(True)
    train(model, pictures, adamw(1e-2), num_steps=30, seed=seed)
    return train(model.requires_grad_(True), pictures, by_depth, num_steps=30, seed=seed)


# %%
@cache  # the same network is asked for several times below
def adapt(way, num_labels, seed):
    torch.manual_seed(seed)
    model = copy.deepcopy(trained)
    replace_head(model, 10)
    return way(model, few(num_labels, seed), seed)


planes = {}
ways = {"all alike": all_alike, "discriminative rates": discriminative, "gradual unfreezing": gradual}
for name, way in ways.items():
    models = [adapt(way, 20, seed) for seed in SEEDS]
    planes[name] = [(accuracy(model, validation), accuracy(with_old_head(model), old_exam)) for model in models]
    fresh, left = zip(*planes[name], strict=True)
    print(f"{name:20s} new {spread(fresh)}, old {spread(left)}")

# %%
after_probe = [(score, before) for score in curves["linear probe"][20]]
figure, axes = plt.subplots(figsize=(6.4, 3.8))
for (name, points), marker in zip({"linear probe": after_probe, **planes}.items(), "osD^", strict=True):
    axes.scatter(*zip(*points, strict=True), label=name, marker=marker, s=50)
axes.axhline(before, color=PALETTE["black"], linestyle=":", linewidth=1.2)
axes.text(axes.get_xlim()[1], before + 0.01, "before ", ha="right", fontsize=9)
axes.set(title="Learning and forgetting, 20 labels per class", xlabel="accuracy, new classes")
axes.set(ylabel="accuracy, old classes", ylim=(0.4, 1.0))
axes.legend(loc="lower right")
show(figure, alt="Accuracy on old classes against accuracy on new ones, three points for each way. The probe forgets "
     "nothing. Fine-tuning with one rate for all lies lowest. Discriminative rates lie further right and higher, "
     "gradual unfreezing higher still.")

# %% [markdown]
# Upper right is best. Of the three that move everything, one rate for all does worst on both counts: it damages what it
# stands on, **catastrophic forgetting**. Smaller steps near the input keep more, a settled head still more.
#
# ## LoRA: learn beside it
#
# Beside a frozen weight $W$ learns a product of two thin matrices:
#
# $$y = W x + b + \frac{\alpha}{r} B A x.$$
#
# $A$ squeezes the input into $r$ numbers, $B$ spreads them out. $B$ starts at zero, so at first nothing changes.
# (`add_lora` wraps all layers but the head.)
#
# **Predict.** What is left of the old task, if you take the small layers away again?
#
# ### Exercise 5 · `lora_linear` · difficulty ●●○ · 10 min
#
# <details><summary>Hint 1: a nudge</summary>
#
# Weights stand as `(outputs, inputs)`, inputs as `(..., inputs)`. What has to be transposed?
# </details>
# <details><summary>Hint 2: the idea</summary>
#
# `detach()` gives the same numbers without a way back for the gradient. Detach weight and bias, not the answer: the
# inputs still want theirs.
# </details>
# <details><summary>Hint 3: nearly the code</summary>
#
# `inputs @ weight.detach().T + bias.detach()`, plus `alpha / len(down)` times `inputs @ down.T @ up.T`.
# </details>

# %% tags=["exercise"]
@exercise
def lora_linear(inputs, weight, bias, down, up, *, alpha):
    """A frozen linear layer, and a small one beside it that learns.

    Args:
        inputs: shape `(..., num_inputs)`.
        weight: of the frozen layer, shape `(num_outputs, num_inputs)`; it gets no gradient.
        bias: of the frozen layer, shape `(num_outputs,)`; it gets no gradient.
        down: from the inputs into the bottleneck, shape `(rank, num_inputs)`; it learns.
        up: from the bottleneck to the outputs, shape `(num_outputs, rank)`; it learns.
        alpha: the small layer counts `alpha / rank` times, where the rank is that of `down`.

    Returns:
        What both give together, shape `(..., num_outputs)`. Gradients also reach the inputs, through both.

    Example: inputs `[1, 2]`, weight `[[1, 0]]`, bias `[3]`, down `[[1, 1]]`, up `[[2]]`, alpha 5 give
        1 + 3 + 5 · 2 · 3 = 34.
    """
    ...  # your code here


# %%
# NBVAL_CHECK_OUTPUT
from course_lib.transfer import add_lora


def lora(model, pictures, seed):
    add_lora(model, rank=4)
    return train(model, pictures, adamw(1e-2), seed=seed)


model = adapt(lora, 20, 0)
learning = sum(each.numel() for each in model.parameters() if each.requires_grad)
print(f"{learning:,} of {sum(each.numel() for each in model.parameters()):,} numbers learn")
removed = with_old_head(model)
for layer in removed.modules():
    if hasattr(layer, "down"):
        layer.scale = 0.0  # take what was learned away
print("without the small layers, the old task is exactly as before:", accuracy(removed, old_exam) == before)

# %% [markdown]
# A tenth of the numbers, and everything can be undone: ship one body, and a small file for each task.
#
# ## How many labels do you have?
#
# Now the whole question: four ways and a network from scratch, three budgets, three draws each. All take 60 steps, but at
# least four passes. From scratch takes eight where there are 1,000 pictures, for it has further to go; with fewer, more
# steps did not help it.
#
# **Predict.** At which budget does fine-tuning overtake the probe? How many labels does from scratch need, to do what
# fine-tuning does with 20?

# %%
# NBVAL_CHECK_OUTPUT
def from_scratch(model, pictures, seed):
    torch.manual_seed(seed)
    return train(SmallResNet(), pictures, adamw(1e-2), seed=seed, num_steps=240 if len(pictures[1]) >= 1000 else 60)


contest = {"fine-tuned, one rate": all_alike, "fine-tuned, by depth": discriminative, "LoRA": lora,
           "from scratch": from_scratch}
for name, way in contest.items():
    curves[name] = {n: [accuracy(adapt(way, n, seed), validation) for seed in SEEDS] for n in BUDGETS}
means = {name: {n: sum(found) / 3 for n, found in curve.items()} for name, curve in curves.items()}
one, probed = means["fine-tuned, one rate"], means["linear probe"]
print("5 labels: the probe beats fine-tuning with one rate:", probed[5] > one[5])
others = ("linear probe", "LoRA", "from scratch")
print("100 labels: fine-tuning beats all else:", one[100] > max(means[name][100] for name in others))
print("20 labels: from scratch has less than half of what fine-tuning has:", means["from scratch"][20] < one[20] / 2)

# %%
figure, axes = plt.subplots(figsize=(7.5, 3.8))
for (name, curve), marker in zip(curves.items(), "os^Dv", strict=True):
    found = torch.tensor([curve[n] for n in BUDGETS])  # (budgets, seeds)
    (line,) = axes.plot(BUDGETS, found.mean(dim=1), marker=marker, label=name)
    axes.fill_between(BUDGETS, found.amin(dim=1), found.amax(dim=1), color=line.get_color(), alpha=0.2, linewidth=0)
axes.axhline(0.1, color=PALETTE["black"], linestyle=":", linewidth=1.2, label="chance")
axes.set(title="What a label is worth", xlabel="labels per class", ylabel="accuracy, validation", xscale="log")
axes.set_xticks(BUDGETS, BUDGETS)
axes.minorticks_off()
axes.legend(loc="center left", bbox_to_anchor=(1, 0.5))
show(figure, alt="Accuracy against labels per class, mean and range of three seeds. With 5 labels the linear probe "
     "is ahead of fine-tuning with one rate, from scratch is at chance. With 100 labels both fine-tuned networks lead, "
     "LoRA follows; from scratch has climbed to where fine-tuning was with 20.")

# %% [markdown]
# With 5 labels, touch little: the head alone, or the rest with small rates. With 100, let everything move: the probe
# must take the features as they are, LoRA bends them a little, fine-tuning remakes them. From scratch is hopeless with
# 20 labels; a hundred bring it about to where fine-tuning is with 20. **Transfer saves labels.** (`RESULTS.md` has the
# curves up to 200 labels, and for photographs.)
#
# Ask the curves yourself: set the accuracy that you need.

# %%
from course_lib.widgets.label_budget import LabelBudget, print_label_budget

print_label_budget(curves, wanted=0.75)
LabelBudget(curves, wanted=0.75)

# %% [markdown]
# ## Step 5: test once, and ship
#
# Choose by validation what to do with 20 labels per class. Then open the exam, once.
#
# **Predict.** Will the exam be lower than validation?

# %%
scores = {name: sum(fresh for fresh, _ in found) / 3 for name, found in planes.items()}
chosen = max(scores, key=scores.get)
results = [accuracy(adapt(ways[chosen], 20, seed), exam) for seed in SEEDS]
print(f"chosen: {chosen}, validation {scores[chosen]:.1%}, exam {spread(results)}")

# %% [markdown]
# A score by which one has chosen flatters a little: the best of several is also the luckiest. The exam has no such
# bias, and with 1,000 pictures it lies a point or two beside the truth by chance. To ship the network, save its
# weights, and the mean and the scale of its pictures with them.
#
# ### Exercise 6 · `teach_head` · difficulty ●●○ · 15 min
#
# A bug hunt: the core of a popular walk-through for ResNet. One bug shouts, two are silent. Its report spoke of 60,000
# test images, on a data set that has 10,000. Repair it; your `freeze` may help.
#
# <details><summary>Hint 1: a nudge</summary>
#
# Run it, and read what the optimizer says. Then ask: who reads `part.requires_grad`? Which images does `count` count?
# </details>
# <details><summary>Hint 2: the idea</summary>
#
# An optimizer moves tensors, not modules. A module has no switch named `requires_grad`, so setting it does nothing. The
# report is about the test split alone.
# </details>
# <details><summary>Hint 3: nearly the code</summary>
#
# `for part in model.children(): if part is not model.head: freeze(part)`; `make_optimizer(model.head.parameters())`;
# `count = len(splits["test"][1])`.
# </details>

# %% tags=["exercise"]
@exercise
def teach_head(model, splits, *, make_optimizer, num_steps):
    """Teach the head of a trained network new classes, and report on the test images.

    Args:
        model: a module with a part `head`, which learns; nothing else in it may change, batch norm's statistics
            included, although it is in training mode meanwhile.
        splits: by name ("train", "test") the images and their labels, int64, shape `(n,)`.
        make_optimizer: takes parameters, gives an optimizer with `step()` and `zero_grad()`; for example
            `lambda parameters: torch.optim.SGD(parameters, lr=0.1)`.
        num_steps: so many steps on the cross-entropy of all training images at once, each with its own gradient.

    Returns:
        A dict: "images", how many test images there are; "correct", how many of them the network gets right in
        evaluation mode after the last step; "accuracy", the one divided by the other.

    Example: 50,000 training images, 10,000 test images, 9,000 of these right: `{"images": 10000, "correct": 9000,
        "accuracy": 0.9}`.
    """
    for part in model.modules():
        part.requires_grad = False  # the body is frozen
    optimizer = make_optimizer([model.head])
    model.train()
    images, labels = splits["train"]
    for _ in range(num_steps):
        optimizer.zero_grad()
        F.cross_entropy(model(images), labels).backward()
        optimizer.step()
    model.eval()
    images, labels = splits["test"]
    with torch.no_grad():
        correct = (model(images).argmax(dim=1) == labels).sum().item()
    count = sum(len(labels) for _, labels in splits.values())
    return {"images": count, "correct": correct, "accuracy": correct / count}


# %% [markdown]
# ## A new voice
#
# The same five steps for sound. A log-mel is a picture with one channel, so the *same* network learns twenty words from
# twelve voices (from every second frame, to save time). Then fifteen others speak, whom it has never heard.
#
# **Predict.** Does it understand all of them equally well?

# %%
from course_lib.audio import log_mel

words = load("spoken_words")
tutors = list(dict.fromkeys(words.splits["train"].speakers))[:12]


def as_pictures(recordings):
    features = torch.cat([log_mel(waveforms)[:, ::2] for waveforms in recordings.stacked().split(200)])
    return ((features + 7) / 4).unsqueeze(1).to(device), recordings.labels.to(device)  # (n, 1, 49, 40)


known = as_pictures(words.splits["train"].select([who in tutors for who in words.splits["train"].speakers]))
torch.manual_seed(0)
listener = train(SmallResNet(in_channels=1, num_classes=20), known, adamw(5e-3), num_steps=150)

# %%
others, (clips, said) = words.splits["test"], as_pictures(words.splits["test"])
clips_of = {}  # each voice says every word four times: rounds 0 to 3
for number, (who, word) in enumerate(zip(others.speakers, others.texts, strict=True)):
    clips_of.setdefault((who, word), []).append(number)


def rounds(voices, *numbers):
    rows = [clips_of[who, word][number] for who, word in clips_of if who in voices for number in numbers]
    return clips[rows], said[rows]


voices = list(dict.fromkeys(others.speakers))
understood = {who: accuracy(listener, rounds([who], 0)) for who in voices}
stranger = min(understood, key=understood.get)
print(", ".join(f"{who} {understood[who]:.0%}" for who in sorted(voices, key=understood.get)))

# %% [markdown]
# Most are understood well, a few badly. Every voice says each word four times. The worst voice was found on the *first*
# round of words. One of its three other rounds is for teaching, 20 clips; the two that are left are the exam. So there
# are three lessons, each with an exam of its own.
#
# **Predict.** Three ways: only the head; all layers with rates by depth; the same with 60 old clips among the 20. Which
# one helps the new voice most, which one costs the other voices least?

# %%
def teach(kind, seed):
    torch.manual_seed(seed)
    model, lesson = copy.deepcopy(listener), rounds([stranger], 1 + seed)
    if kind == "head only":
        freeze(model.stem), freeze(model.blocks)
    if kind == "all, with old clips":
        rows = torch.randperm(len(known[1]))[:60].to(device)
        lesson = [torch.cat([mine, theirs[rows]]) for mine, theirs in zip(lesson, known, strict=True)]
    return train(model, lesson, lambda model: by_depth(model, 3e-3), num_steps=60, seed=seed, batch_size=20)


the_others = rounds([who for who in voices if who != stranger], 2, 3)
for kind in ("as it was", "head only", "all", "all, with old clips"):
    models = [listener if kind == "as it was" else teach(kind, seed) for seed in SEEDS]
    mine = [accuracy(model, rounds([stranger], *{1, 2, 3} - {1 + seed})) for seed, model in enumerate(models)]
    theirs = [accuracy(model, the_others) for model in models]
    print(f"{kind:20s} {stranger} {min(mine):.1%} to {max(mine):.1%}, others {min(theirs):.1%} to {max(theirs):.1%}")

# %% [markdown]
# Twenty seconds of speech repair much of it, and without care the other voices pay. **Rehearsal**, old clips among the
# new, protects them. (These voices are synthetic, and simpler than people. An exam has 40 clips: one or two of them are
# chance.)
#
# ## With a GPU: ImageNet's shoulders
#
# Others have trained for days on a million photographs. `pretrained` fetches such weights by name, and holds them to
# their hash each time. The usual walk-through with a ResNet-50 reports 88.8% on CIFAR-10.

# %%
from course_lib.errors import CourseError
from course_lib.images import on_images, random_flip
from course_lib.pretrained import pretrained


def finetune_imagenet(model, splits, *, epochs, side=224):
    resized = nn.Sequential(nn.Upsample(size=side, mode="bilinear"), model)
    parts = [nn.Sequential(model.conv1, model.bn1), model.layer1, model.layer2, model.layer3, model.layer4, model.fc]
    groups = parameter_groups(parts, learning_rate=1e-3, factor=0.5)
    batches = Batches(*splits["train"], batch_size=128, shuffle=True, augment=on_images(random_flip))
    precision = budget(cpu="fp32", gpu="bf16")
    recipe = Recipe(lambda _: torch.optim.AdamW(groups), epochs, one_cycle(), precision=precision)
    fit(resized, batches, losses_fn, recipe=recipe)
    return accuracy(resized, splits["test"])


# %% tags=["machine"]
if budget(cpu=True, gpu=False):
    print("No CUDA GPU here: this experiment waits for one.")
elif not available("cifar10"):
    print("CIFAR-10 is not here: get it by the command `course data cifar10`.")
else:
    try:
        resnet, photos = pretrained("resnet50", num_classes=10), load("cifar10").splits
        imagenet = {"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}
        splits = {each: (normalize(photos[each].images, **imagenet).to(device), photos[each].labels.to(device))
                  for each in ("train", "test")}
        print(f"ResNet-50 on CIFAR-10: {finetune_imagenet(resnet, splits, epochs=3):.1%}")
    except CourseError as error:
        print(error)

# %% [markdown]
# ## What to remember
#
# - Five steps: a trained network and data, a new head, what is frozen, fine-tune, test once and ship.
# - Transfer saves labels. With few of them touch little; with many, let everything move.
# - Batch norm's statistics are learned, too. Freeze them on purpose, or let them adapt on purpose.
# - Small rates near the input, and a head that settles first, forget less. LoRA can be undone; rehearsal keeps the old.
# - A module has no `requires_grad`, and an optimizer takes no modules.

# %% [markdown]
# ## Going further
#
# - Use `linear_probe`'s weights as the new head, and fine-tune from there. What do 5 labels per class give now?
# - Swap the roles: pretrain on the other shapes, move to these. Are the curves the same?
# - Draw the forgetting plane for LoRA with ranks 1, 4 and 16, with the small layers left in.
#
# Read: J. Yosinski and others, *How transferable are features in deep neural networks?*, 2014,
# [arXiv:1411.1792](https://arxiv.org/abs/1411.1792); A. Kumar and others, *Fine-tuning can distort pretrained features
# and underperform out-of-distribution*, 2022, [arXiv:2202.10054](https://arxiv.org/abs/2202.10054); E. Hu and others,
# *LoRA*, 2021, [arXiv:2106.09685](https://arxiv.org/abs/2106.09685).
#
# **Next, lesson 15, compression:** the same network, smaller and faster, and what that costs.
