# %% [markdown]
# # 03 · The loop that every lesson shares
#
# Every network of this course, whether it sees or hears, learns in the same ten lines. You write them, then the
# optimizer inside, then what keeps a network from learning by heart.
#
# **You will be able to** train a network in mini-batches, find out why one does not learn, choose a learning rate,
# notice overfitting and cure it, say what precision and recall are, and read every line of `course_lib.training`.
#
# **You need** lesson 02: gradients, cross-entropy, `backward()`. **Time:** 90 minutes, with five exercises.

# %%
import itertools
import math

import matplotlib.pyplot as plt
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, Dataset

from course_lib.batches import Batches
from course_lib.datasets import available, load
from course_lib.device import best_device, budget
from course_lib.exercises import borrow, exercise
from course_lib.metrics import correct
from course_lib.plots import PALETTE, show
from course_lib.training import History, Recipe, evaluate, fit, one_cycle

# %% [markdown]
# ## Tensors, examples, batches
#
# The handwritten digits of lesson 01 again, already split. Each one becomes 64 numbers, and all of them live in one
# tensor.
#
# A **`Dataset`** answers two questions: how many examples are there, and what is example number `i`? A **`DataLoader`**
# shuffles the numbers, fetches the examples, and stacks them into **mini-batches**.
#
# **Predict.** 1,197 digits in batches of 64: how many batches is that, and how long is the last one?

# %%
# NBVAL_CHECK_OUTPUT
device, data = best_device(), load("digits")
images = {name: split.images.flatten(1).to(device) for name, split in data.splits.items()}  # (n, 64)
labels = {name: split.labels.to(device) for name, split in data.splits.items()}  # (n,)


class Digits(Dataset):
    def __len__(self):
        return len(labels["train"])

    def __getitem__(self, index):
        return images["train"][index], labels["train"][index]


loader = DataLoader(Digits(), batch_size=64, shuffle=True, generator=torch.Generator().manual_seed(0))
sizes = [len(batch_labels) for _, batch_labels in loader]
print(f"{len(sizes)} batches: the first holds {sizes[0]} digits, the last {sizes[-1]}")

# %% [markdown]
# A batch of 64 points nearly where all 1,197 digits together would point, at a nineteenth of the price. So the weights
# move 19 times while we look at the data once. One such pass is an **epoch**.
#
# For each batch, four beats: the **losses**, the **gradients**, the **step**, and a clean slate for the next. The whole
# course rests on one convention: a function `losses_fn(model, batch)` gives *one loss per example*.
#
# ### Exercise 1 · `train_one_epoch` · difficulty ●●○ · 12 min
#
# <details><summary>Hint 1: a nudge</summary>
#
# What does `backward()` do with gradients that are already there? And what should the mean loss be if 64 examples have
# the loss 1 and a last one has 3?
# </details>
# <details><summary>Hint 2: the idea</summary>
#
# Call `model.train()` first. In the loop: losses, `backward()` from their mean, `optimizer.step()`,
# `optimizer.zero_grad()`. Beside it, two counters: the sum of the losses, and how many examples there were.
# </details>
# <details><summary>Hint 3: nearly the code</summary>
#
# `losses = losses_fn(model, batch)`, `losses.mean().backward()`, then the two calls of the optimizer;
# `total += losses.detach().sum().item()` and `count += len(losses)`. After the loop, `return total / count`.
# </details>

# %% tags=["exercise"]
@exercise
def train_one_epoch(model, batches, losses_fn, *, optimizer):
    """Go through the data once: a step of the optimizer for each batch, downhill on its mean loss.

    Args:
        model: a torch module; it is trained in place, in training mode, whatever mode it comes in.
        batches: what `losses_fn` understands, batch by batch. They may come from a generator: walk through them once.
        losses_fn: called once per batch as `losses_fn(model, batch)`, it returns one loss per example, shape
            `(batch,)`. The last batch may be shorter than the others.
        optimizer: a torch optimizer that holds the model's parameters; their gradients come cleared.

    Returns:
        The mean loss per example over the whole epoch, each as it was before its batch's step; a Python number.

    Example: batches with the losses `[4.0, 2.0]` and `[9.0]` make two steps, on the means 3 and 9, and return 5.0.
    """
    ...  # your code here


# %% [markdown]
# ## Overfit one batch first
#
# Before you train on everything, train on *one batch*, again and again. A network that can't learn 32 digits by heart
# has a bug, and you find out in a second instead of tomorrow. The first loss should be near $\ln 10 = 2.30$: with no
# idea yet, each class gets a tenth.
#
# Two of these three networks have a bug, and neither crashes. One applies softmax although its loss does so itself; one
# was given an optimizer that holds *another* network's weights.
#
# **Predict.** Where will the loss of each be after 100 steps on the same 32 digits?

# %%
def make_network(*, hidden=64, seed=0):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(64, hidden), nn.ReLU(), nn.Linear(hidden, 10)).to(device)


def losses_fn(model, batch):
    inputs, targets = batch
    return F.cross_entropy(model(inputs), targets, reduction="none")  # (batch,)


healthy, squashed, stranger = make_network(), make_network().append(nn.Softmax(dim=1)), make_network()
owners = {"healthy": (healthy, healthy), "softmax twice": (squashed, squashed), "stranger": (stranger, make_network())}
one_batch = [(images["train"][:32], labels["train"][:32])]
for name, (model, owner) in owners.items():
    optimizer = torch.optim.Adam(owner.parameters(), lr=0.01)
    losses = [train_one_epoch(model, one_batch, losses_fn, optimizer=optimizer) for _ in range(100)]
    print(f"{name:15s} first loss {losses[0]:.2f}   last loss {losses[-1]:.3f}")

# %% [markdown]
# The healthy one reaches zero. Softmax twice gets stuck: with all its trust in the right class it would still lose
# $\ln(1 + 9/e) = 1.46$. The third doesn't move at all.
#
# More habits: look at a batch before you feed it; change one thing at a time; if the loss becomes `nan`, try a tenth of
# the learning rate.
#
# ## Validate
#
# Now all the data. After each epoch, measure on digits that the network does not learn from: in evaluation mode,
# without recording a graph.
#
# **Predict.** After 40 epochs of plain gradient descent, how much worse is the loss on digits that it has never seen?

# %%
@torch.no_grad()
def validate(model):
    model.eval()
    logits = model(images["validation"])
    loss = F.cross_entropy(logits, labels["validation"]).item()
    return {"validation_loss": loss, "accuracy": correct(logits, labels["validation"]).mean().item()}


network, history = make_network(), History()
optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
for epoch in range(1, 41):
    row = {"epoch": epoch, "train_loss": train_one_epoch(network, loader, losses_fn, optimizer=optimizer)}
    history.rows.append(row | validate(network))
show(history.plot(title="A healthy learning curve"), alt="Both losses fall together; accuracy rises to above 0.9.")
print({name: round(value, 2) for name, value in history.rows[-1].items()})

# %% [markdown]
# 0.13 and 0.14: hardly a difference. At first validation is even lower, since each training loss was measured *before*
# its step. A healthy curve: both fall, side by side.
#
# ## Better steps
#
# A loss is steep in some directions and flat in others. Three rules, each with a memory longer than the one before ($g$
# is the gradient, $\eta$ the learning rate; $\hat m$ and $\hat v$ are corrected for their start at zero):
#
# $$\textbf{SGD}\quad \theta \leftarrow \theta - \eta\, g \qquad\quad
#   \textbf{momentum}\quad b \leftarrow \mu\, b + g,\quad \theta \leftarrow \theta - \eta\, b$$
#
# $$\textbf{Adam}\quad m \leftarrow \beta_1 m + (1-\beta_1)\, g,\quad v \leftarrow \beta_2 v + (1-\beta_2)\, g^2,\quad
#   \theta \leftarrow \theta - \eta\, \hat m / (\sqrt{\hat v} + \epsilon)$$
#
# **Predict.** In a ravine, $L = (x^2 + 50 y^2)/2$, each at a rate that suits it: who is first at the middle of the flat
# direction?

# %%
def walk(optimizer_class, **options):
    point = torch.tensor([-4.0, 1.0], requires_grad=True)
    optimizer, path = optimizer_class([point], **options), []
    for _ in range(50):
        path.append(point.tolist())
        (point**2 * torch.tensor([0.5, 25.0])).sum().backward()
        optimizer.step()
        optimizer.zero_grad()
    return torch.tensor(path)


paths = {
    "SGD": walk(torch.optim.SGD, lr=0.035),
    "momentum": walk(torch.optim.SGD, lr=0.01, momentum=0.9),
    "Adam": walk(torch.optim.Adam, lr=0.3),
}

# %%
figure, panels = plt.subplots(3, 1, figsize=(7.5, 5.4), sharex=True)
across, up = torch.linspace(-4.5, 2.0, 80), torch.linspace(-1.2, 1.2, 60)
height = (across**2 + 50 * up[:, None] ** 2) / 2
for axes, (name, path) in zip(panels, paths.items(), strict=True):
    axes.contour(across, up, height, levels=[0.1, 0.5, 2, 5, 10, 20, 33], colors="#B8C2CC", linewidths=0.8)
    axes.plot(*path.T, ".-", linewidth=1)
    axes.plot(0, 0, "*", color=PALETTE["vermillion"], markersize=11)
    axes.set(title=f"{name}: after 10 steps x = {path[10, 0]:.2f}, after 49 x = {path[-1, 0]:.2f}", ylabel="y (steep)")
    axes.grid(False)
panels[-1].set_xlabel("x (flat)")
show(figure, alt="Three walks from the left end of a ravine to its middle. SGD jumps to and fro across it, then creeps "
     "along. Momentum swings through the middle and back. Adam goes diagonally, passes the middle and returns.")

# %% [markdown]
# After ten steps SGD stands at −2.80, Adam at −1.14. SGD must take steps that are short enough for the steep direction,
# so it creeps along the flat one. Momentum gathers speed there. Adam divides each direction by its own typical
# gradient: to it, both are alike.
#
# **AdamW** adds *weight decay*: each step also pulls every weight a little towards zero, beside the moments and not
# through them.
#
# ### Exercise 2 · `adamw_step` · difficulty ●●○ · 15 min
#
# <details><summary>Hint 1: a nudge</summary>
#
# In the very first step, $m = 0.1\,g$ and $v = 0.001\,g^2$. What is $m/\sqrt v$, and what should it be?
# </details>
# <details><summary>Hint 2: the idea</summary>
#
# Count the step, update both means in `state`, make corrected copies $\hat m = m/(1-\beta_1^t)$ and $\hat v$, then
# change `weights` in place: one term from Adam, one from the decay.
# </details>
# <details><summary>Hint 3: nearly the code</summary>
#
# `state["step"] += 1`; `state["mean"] = beta1 * state["mean"] + (1 - beta1) * gradient`, the same for the square;
# `mean = state["mean"] / (1 - beta1 ** state["step"])`; at last
# `weights -= learning_rate * mean / (square.sqrt() + eps) + learning_rate * weight_decay * weights`.
# </details>

# %% tags=["exercise"]
@exercise
def adamw_step(weights, gradient, state, *, learning_rate, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.01):
    """Move weights one step of AdamW, in place.

    Args:
        weights: a tensor θ of any shape, without autograd; changed in place.
        gradient: g, the slope of the loss at these weights, same shape; left as it was.
        state: a dict. "step": how many steps were made before this one; "mean" and "square": the running means m and v,
            same shape as the weights. All three are brought up to date; in the beginning they are zero.
        learning_rate: η.
        betas: (β1, β2), the share of the old in the two running means.
        eps: ε, keeps the division from blowing up; it stands outside the root.
        weight_decay: λ.

    Returns:
        Nothing. With t = step + 1: m ← β1·m + (1 − β1)·g, v ← β2·v + (1 − β2)·g², m̂ = m / (1 − β1^t),
        v̂ = v / (1 − β2^t), θ ← θ − η·m̂ / (√v̂ + ε) − η·λ·θ, where the last θ is the old one.

    Example: from a fresh state, `weights=[2.0]`, `gradient=[8.0]`, `learning_rate=0.1`, `weight_decay=0.5` become
        2 − 0.1·1 − 0.1·0.5·2 = 1.8.
    """
    ...  # your code here


# %% [markdown]
# Around it goes a class with the two methods that your loop calls. Nothing else is an optimizer.
#
# From here on the batches come from `course_lib.batches.Batches`: it cuts them out of tensors in memory, without asking
# for each example by itself, and the order depends only on a seed and the epoch.
#
# **Predict.** Three epochs with your AdamW, three with torch's: to how many digits will the weights agree?

# %%
class OurAdamW:
    def __init__(self, model, *, learning_rate):
        self.weights, self.learning_rate = list(model.parameters()), learning_rate
        zeros = torch.zeros_like
        self.states = [{"step": 0, "mean": zeros(each), "square": zeros(each)} for each in self.weights]

    @torch.no_grad()
    def step(self):
        for weights, state in zip(self.weights, self.states, strict=True):
            adamw_step(weights, weights.grad, state, learning_rate=self.learning_rate)

    def zero_grad(self):
        for weights in self.weights:
            weights.grad = None


# %%
# NBVAL_CHECK_OUTPUT
batches = Batches(images["train"], labels["train"], batch_size=64, shuffle=True)
ours, theirs = make_network(), make_network()
our_optimizer, their_optimizer = OurAdamW(ours, learning_rate=3e-3), torch.optim.AdamW(theirs.parameters(), lr=3e-3)
for epoch in range(3):
    train_one_epoch(ours, batches.epoch(epoch), losses_fn, optimizer=our_optimizer)
    train_one_epoch(theirs, batches.epoch(epoch), losses_fn, optimizer=their_optimizer)


def largest_gap(first, second):
    return max((a - b).abs().max().item() for a, b in zip(first.parameters(), second.parameters(), strict=True))


print("after 57 steps no weight differs by more than 0.00001:", largest_gap(ours, theirs) < 1e-5)

# %% [markdown]
# They agree: only rounding differs.
#
# Why *beside* the moments? In plain SGD it makes no difference: adding $\lambda\theta$ to the gradient, as **L2** does,
# shrinks each weight by $\eta\lambda\theta$. In Adam the gradient is divided by $\sqrt{\hat v}$, and what was added to
# it as well.
#
# **Predict.** Weights that start at 1 meet random gradients, small for half of them, large for the others; only decay
# has a direction. With L2 and with decoupled decay, that makes four groups: which shrinks most, which hardly at all?

# %%
# NBVAL_CHECK_OUTPUT
noise = torch.Generator().manual_seed(0)
for name, optimizer_class in (("Adam with L2", torch.optim.Adam), ("AdamW", torch.optim.AdamW)):
    weights = torch.ones(2, 200, requires_grad=True)
    optimizer = optimizer_class([weights], lr=0.01, weight_decay=0.1)
    for _ in range(300):
        weights.grad = torch.randn(2, 200, generator=noise) * torch.tensor([[0.1], [10.0]])
        optimizer.step()
    small, large = weights.mean(dim=1).tolist()
    print(f"{name:12s} small gradients: 1 -> {small:.2f}   large gradients: 1 -> {large:.2f}")

# %% [markdown]
# With L2 inside Adam, weights with large gradients escape, and the others are crushed. AdamW shrinks all alike, by
# about $(1 - 0.01 \cdot 0.1)^{300} = 0.74$. This is why it is the default today.
#
# ## Which learning rate?
#
# Don't guess: **sweep**. Raise the rate from step to step, from far too small to far too large, and watch the loss.
#
# **Predict.** What does the curve look like at its two ends?

# %%
model, losses = make_network(), []
optimizer = torch.optim.AdamW(model.parameters())
rates = torch.logspace(-5, 1, 100).tolist()
for rate, batch in zip(rates, itertools.cycle(batches), strict=False):
    optimizer.param_groups[0]["lr"] = rate
    losses.append(train_one_epoch(model, [batch], losses_fn, optimizer=optimizer))

figure, axes = plt.subplots(figsize=(6.5, 3.2))
axes.loglog(rates, losses)
axes.axvspan(1e-3, 1e-2, color=PALETTE["green"], alpha=0.2, label="a good range")
axes.set(title="Learning-rate range test", xlabel="learning rate", ylabel="loss of the batch (nats)")
axes.legend()
show(figure, alt="The loss is flat up to a rate of 0.001, falls between 0.003 and 0.05, and jumps up beyond 0.4.")

# %% [markdown]
# Flat: too slow to see. A fall: here it learns. Then chaos. Good rates lie where the fall begins, about a tenth of
# where the loss is lowest. We take 0.003.
#
# ## Learning by heart
#
# Make it easy to overfit: a wide network, only 200 digits, and every fifth label is *wrong*, as labels are in practice.
#
# **Predict.** Training loss, validation loss, accuracy: which way does each go in 60 epochs?

# %%
noisy = labels["train"].clone()
noisy[::5] = (noisy[::5] + 1 + torch.arange(len(noisy[::5]), device=device) % 9) % 10


def epochs(model, *, count=200, weight_decay=0.0, l1=0.0):
    """Train for 60 epochs, and give a row for the learning curve after each."""
    batches = Batches(images["train"][:count], noisy[:count], batch_size=20, shuffle=True)
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3, weight_decay=weight_decay)

    def penalized(model, batch):
        return losses_fn(model, batch) + l1 * sum(weights.abs().sum() for weights in model.parameters())

    for epoch in range(60):
        loss = train_one_epoch(model, batches.epoch(epoch), penalized, optimizer=optimizer)
        yield {"epoch": epoch + 1, "train_loss": loss, **validate(model)}


# %%
history = History(list(epochs(make_network(hidden=256))))
best = min(history.rows, key=lambda row: row["validation_loss"])
history.best_epoch = best["epoch"]
show(history.plot(title="An unhealthy learning curve"), alt="Training loss falls towards zero. Validation loss falls, "
     "turns after about twenty epochs and climbs again; accuracy rises and then sinks.")
for name, row in (("best", best), ("last", history.rows[-1])):
    print(f"{name}:", {key: round(value, 2) for key, value in row.items()})

# %% [markdown]
# The training loss falls and falls: the network learns even the wrong labels by heart. Validation turns after epoch 21,
# and accuracy goes from 81% back to 73%. Without validation you would be proud of the blue curve.
#
# ### Exercise 3 · `early_stopping` · difficulty ●●○ · 10 min
#
# The first cure is to stop in time. The losses come one by one, and each costs an epoch.
#
# <details><summary>Hint 1: a nudge</summary>
#
# Which two things must you remember from epoch to epoch? What happens to the waiting when a new best comes?
# </details>
# <details><summary>Hint 2: the idea</summary>
#
# Keep the best epoch and its loss. After each loss: is it smaller than the best? Then: how many epochs ago was the best
# one? If that is `patience`, leave the loop.
# </details>
# <details><summary>Hint 3: nearly the code</summary>
#
# Start with `best_epoch, best_loss = 0, math.inf`. `for epoch, loss in enumerate(losses, start=1):`, and in the loop
# `if epoch - best_epoch >= patience: break`.
# </details>

# %% tags=["exercise"]
@exercise
def early_stopping(losses, *, patience):
    """Watch the validation loss epoch by epoch, and stop when it no longer improves.

    Args:
        losses: the validation loss after each epoch, numbers, one or more. They may come from a generator that trains
            the model for an epoch whenever the next one is asked for, so ask for no more than you need.
        patience: stop after so many epochs in a row without a new best; at least 1.

    Returns:
        The best epoch, and the epoch after which training stopped. Epochs are counted from 1. The best one has the
        smallest loss so far; an equal loss is not better, nor is NaN. If the losses end earlier, so does training.
        As long as every loss was NaN, the best epoch is 0.

    Example: the losses `[0.9, 0.5, 0.6, 0.7, 0.4]` with `patience=2` give `(2, 4)`; the fifth is never asked for.
    """
    ...  # your code here


# %%
# NBVAL_CHECK_OUTPUT
network, kept = make_network(hidden=256), []


def validation_losses():
    for row in epochs(network):
        kept.append((row["accuracy"], {name: weights.clone() for name, weights in network.state_dict().items()}))
        yield row["validation_loss"]


best_epoch, last_epoch = early_stopping(validation_losses(), patience=5)
score, best_weights = kept[best_epoch - 1]
network.load_state_dict(best_weights)
print("stopped before epoch 40:", last_epoch < 40)
print("better than after epoch 60:", score > history.rows[-1]["accuracy"])

# %% [markdown]
# Epoch 21 again, 81% instead of 73%, and less than half of the work. The best weights were *kept*: those after the last
# epoch are `patience` epochs past their best.
#
# ### Exercise 4 · `dropout` · difficulty ●○○ · 8 min
#
# Another cure: silence random neurons in each step, so that none can rely on a particular other one. Somebody else
# throws the dice: you get the `noise`. Below, it becomes a layer; `self.training` is what `model.train()` and
# `model.eval()` switch.
#
# **Predict.** After training you forget `eval()` and ask twice for the accuracy. What do you see?
#
# <details><summary>Hint 1: a nudge</summary>
#
# If half of the inputs are gone, what becomes of their sum? And when the network is in use?
# </details>
# <details><summary>Hint 2: the idea</summary>
#
# Not training: return the inputs. Else multiply by 1 where the noise is at least the rate and by 0 elsewhere, and make
# up for the loss.
# </details>
# <details><summary>Hint 3: nearly the code</summary>
#
# `inputs * (noise >= rate) / (1 - rate)`
# </details>

# %% tags=["exercise"]
@exercise
def dropout(inputs, noise, *, rate, training=True):
    """Silence some of the inputs by chance during training, and none of them afterwards.

    Args:
        inputs: the outputs of a layer, floating point, any shape; left as they were.
        noise: random numbers, same shape, evenly spread from 0 to 1. An input is dropped where its noise is below the
            rate.
        rate: the share that is dropped on average; from 0 to 1, and 1 is excluded.
        training: whether the network is learning. If not, nothing is dropped.

    Returns:
        Same shape as the inputs. In training: 0 where dropped, elsewhere the input divided by (1 − rate), so that the
        mean over all noises is the input. Otherwise: the inputs as they are.

    Example: `[1., 1., 1., 1.]` with the noise `[0.9, 0.1, 0.5, 0.3]` and `rate=0.5` gives `[2., 0., 2., 0.]`.
    """
    ...  # your code here


# %%
class Dropout(nn.Module):
    def __init__(self, rate):
        super().__init__()
        self.rate = rate

    def forward(self, inputs):
        return dropout(inputs, torch.rand_like(inputs), rate=self.rate, training=self.training)


thinned = make_network(hidden=256).insert(2, Dropout(0.5))
curves = {"nothing": history.rows, "dropout": list(epochs(thinned))}
asked = {}
for mode in (True, False):
    thinned.train(mode)
    asked[mode] = [correct(thinned(images["validation"]), labels["validation"]).mean().item() for _ in range(2)]
print("eval() forgotten:", [f"{score:.1%}" for score in asked[True]])
print("in eval mode:    ", [f"{score:.1%}" for score in asked[False]])

# %% [markdown]
# With `eval()` forgotten, the same network answers differently each time, and five points worse.
#
# Two more cures pull weights towards zero: **weight decay**, in proportion to their size, and **L1**, all by the same
# amount, so that many end near zero. And there is the best one, **more data**: 1,197 digits instead of 200, every fifth
# labeled wrongly as before.
#
# **Predict.** Rank them: decay, L1, dropout, more data.

# %%
curves["weight decay"] = list(epochs(make_network(hidden=256), weight_decay=1.0))
curves["L1"] = list(epochs(make_network(hidden=256), l1=2e-3))
curves["more data"] = list(epochs(make_network(hidden=256), count=len(noisy)))

figure, axes = plt.subplots(figsize=(7.5, 3.4))
for name, rows in curves.items():
    losses = [row["validation_loss"] for row in rows]
    axes.plot(range(1, 61), losses, label=f"{name}: accuracy {rows[-1]['accuracy']:.0%}")
axes.set(title="Validation loss with each cure", xlabel="epoch", ylabel="loss per example (nats)", ylim=0)
axes.legend(title="after 60 epochs", loc="center left", bbox_to_anchor=(1, 0.5))
show(figure, alt="Five falling curves. Without a cure the validation loss climbs again; with dropout, decay or L1 it "
     "stays nearly flat; with more data it is far below all others.")

# %% [markdown]
# Dropout, decay and L1: 81% each, eight points more than nothing. More data: 87%, although as many of them are labeled
# wrongly. (We chose the strengths by looking at validation, so these numbers flatter the cures a little.)
#
# ## How sure is such a number?
#
# Suppose 200 digits are all you have. **Cross-validation**: cut them into five folds, train five networks, each time
# with another fold kept aside.
#
# **Predict.** Five networks, 40 digits kept aside for each: how far apart will the five accuracies be?

# %%
folds, scores = torch.arange(200, device=device).chunk(5), []
for i, aside in enumerate(folds):
    rest = torch.cat(folds[:i] + folds[i + 1 :])
    model = make_network(hidden=256)
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    some = Batches(images["train"][rest], labels["train"][rest], batch_size=20, shuffle=True)
    for epoch in range(20):
        train_one_epoch(model, some.epoch(epoch), losses_fn, optimizer=optimizer)
    model.eval()
    scores.append(correct(model(images["train"][aside]), labels["train"][aside]).mean())
print("five folds:", [f"{score:.0%}" for score in scores], f"standard deviation {torch.stack(scores).std():.0%}")

# %% [markdown]
# From 85% to 100%, and nothing differs but which digits were kept aside. One such number says little; five say how
# little. Before you believe that one recipe beats another, look at the spread.
#
# ## One number is not enough
#
# Of those that the network *named* 8, how many are? That is **precision**. Of those that *are* 8, how many did it name?
# That is **recall**. **F1** is their harmonic mean.
#
# Below, a network that has seen only 12 eights, and about 120 of each other digit. **Predict.** Is its precision for
# the eight low, or its recall, or both?
#
# ### Exercise 5 · `precision_recall_f1` · difficulty ●●○ · 12 min
#
# <details><summary>Hint 1: a nudge</summary>
#
# Both have the same numerator. Which one?
# </details>
# <details><summary>Hint 2: the idea</summary>
#
# For each class count hits (named c and are c), named and actual. Precision is hits / named, recall hits / actual, and
# F1 simplifies to 2·hits / (named + actual).
# </details>
# <details><summary>Hint 3: nearly the code</summary>
#
# `labels.bincount(minlength=num_classes)` counts each class; so does `predictions.bincount(...)`, and
# `labels[predictions == labels].bincount(...)` counts the hits. `.clamp(min=1)` below the line makes 0/0 a 0.
# </details>

# %% tags=["exercise"]
@exercise
def precision_recall_f1(predictions, labels, *, num_classes):
    """Say for each class how far to trust a network that names it, and how much of it the network finds.

    Args:
        predictions: the classes that were named, int64, shape `(n,)`.
        labels: the true classes, int64, shape `(n,)`.
        num_classes: classes are numbered from 0 to `num_classes - 1`; some of them may never be named, or not occur.

    Returns:
        Precision, recall and F1, float32, shape `(num_classes,)` each; and macro-F1, a number. Precision: of those
        named c, the share that is c. Recall: of those that are c, the share named c. F1: 2·precision·recall /
        (precision + recall). Whatever would be 0/0 is 0. Macro-F1: the mean of F1 over all classes.

    Example: labels `[0, 0, 0, 1]`, predictions `[0, 0, 1, 1]`: precision `[1, 1/2]`, recall `[2/3, 1]`, F1
        `[4/5, 2/3]`, macro-F1 11/15.
    """
    ...  # your code here


# %%
is_eight = labels["train"] == 8
seen = ~is_eight | (is_eight.cumsum(dim=0) <= 12)
model = make_network()
optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
few_eights = Batches(images["train"][seen], labels["train"][seen], batch_size=64, shuffle=True)
for epoch in range(30):
    train_one_epoch(model, few_eights.epoch(epoch), losses_fn, optimizer=optimizer)

named = model.eval()(images["validation"]).argmax(dim=1)
precision, recall, f1, macro_f1 = precision_recall_f1(named, labels["validation"], num_classes=10)
print(f"accuracy {(named == labels['validation']).float().mean():.0%}, macro-F1 {macro_f1:.0%}")
print(f"the eight: precision {precision[8]:.0%}, recall {recall[8]:.0%}, F1 {f1[8]:.0%}")

# %% [markdown]
# When it says 8, it is always right, but it finds only 31% of them. An accuracy of 92% hides that. Precision and recall
# don't.
#
# ## The library's loop is yours
#
# `course_lib.training.fit` calls `train_epoch`, which you can read in a minute: your loop, and clipping of large
# gradients (here switched off).
#
# **Predict.** The same network, the same batches, five epochs with each. How large is the difference?

# %%
# NBVAL_CHECK_OUTPUT
def make_adamw(model):
    return torch.optim.AdamW(model.parameters(), lr=3e-3)


by_hand, by_library = make_network(), make_network()
optimizer = make_adamw(by_hand)
for epoch in range(5):
    train_one_epoch(by_hand, batches.epoch(epoch), losses_fn, optimizer=optimizer)
fit(by_library, batches, losses_fn, recipe=Recipe(make_adamw, epochs=5, max_norm=None))
print("the same weights, to 0.000001:", largest_gap(by_hand, by_library) < 1e-6)

# %% [markdown]
# The same. What `fit` adds stands around the loop: a schedule that raises the learning rate and lowers it again
# (`one_cycle`), early stopping with the best weights kept, checkpoints, a GPU if there is one, and **mixed precision**:
# the products are computed in numbers of 16 bits (`bf16`), the weights stay in 32.
#
# On a GPU the same cell takes Fashion-MNIST, if you have fetched it, and a wider network.
#
# **Predict.** Half the bits: what does it cost in accuracy?

# %%
# NBVAL_CHECK_OUTPUT
name, hidden = budget(cpu=("digits", 64), gpu=("fashion_mnist", 2048))
data = load(name if available(name) else "digits")
parts = {name: (split.images.flatten(1).to(device), split.labels.to(device)) for name, split in data.splits.items()}
accuracy = {"accuracy": lambda model, batch: correct(model(batch[0]), batch[1])}
histories, exams = {}, {}
for precision in ("fp32", "bf16"):
    torch.manual_seed(0)
    num_inputs = parts["train"][0].shape[1]
    model = nn.Sequential(nn.Linear(num_inputs, hidden), nn.ReLU(), nn.Dropout(0.2), nn.Linear(hidden, 10))
    train, validation, test = (Batches(*parts[name], batch_size=64, shuffle=name == "train") for name in parts)
    recipe = Recipe(make_adamw, 20, one_cycle(), accuracy, "accuracy", patience=8, precision=precision)
    histories[precision] = fit(model, train, losses_fn, recipe=recipe, validation=validation)
    exams[precision] = evaluate(model, test, accuracy)["accuracy"]
gap = abs(exams["fp32"] - exams["bf16"])
print("both read more than 85% of the test images:", min(exams.values()) > 0.85, "· within 3 points:", gap < 0.03)

# %%
history = histories["fp32"]
show(history.plot(title=f"{data.title}, fp32"), alt=history.describe())
print(f"best epoch: {history.best_epoch}; test accuracy:", {bits: f"{exam:.1%}" for bits, exam in exams.items()})

# %% [markdown]
# Both read 94.7% of the test digits, which were asked only now, at the very end. Nobody misses the other 16 bits.
#
# ## What to remember
#
# - Four beats: losses, gradients, step, clean slate. Means count examples, not batches.
# - **Overfit one batch first**, watch the first loss, sweep the learning rate.
# - AdamW: moments for the direction, decay beside them.
# - Trust validation, in `eval()` mode. Overfitting is when it turns while training goes on falling.
# - Cures, the best one first: more data; then dropout, decay, L1, stopping in time with the best weights kept.
# - Accuracy is one average. Precision and recall look at each class.

# %% [markdown]
# ## Going further
#
# - Give `adamw_step` a `weight_decay` of 1 and repeat the unhealthy run with `OurAdamW`.
# - Plant a bug into the loop, such as no `zero_grad`. Which of the pictures above would have told you?
# - Read `course_lib/training/loop.py`, which is shorter than this lesson.
#
# Read: I. Loshchilov, F. Hutter, *Decoupled weight decay regularization*, 2019,
# [arXiv:1711.05101](https://arxiv.org/abs/1711.05101); N. Srivastava and others, *Dropout*, 2014,
# [jmlr.org](https://jmlr.org/papers/v15/srivastava14a.html).
#
# **Next, lesson 04, convolution:** a network that knows that neighboring pixels belong together.
