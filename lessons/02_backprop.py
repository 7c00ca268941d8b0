# %% [markdown]
# # 02 · How a network learns
#
# A network learns by asking of every number in it: *if you were a little larger, would the loss grow, and how fast?* You
# write the machine that answers, from nothing but arithmetic, and train a network with it.
#
# **You will be able to** follow a gradient backwards through any computation, write an automatic differentiation engine,
# test it, derive and stabilize softmax and cross-entropy, and say what `loss.backward()` does.
#
# **You need** Python and the derivatives of $x^2$, $e^x$ and $\log x$. **Time:** 85 minutes, with six exercises.

# %%
import math
import random
from functools import partial

import matplotlib.pyplot as plt
import torch
from IPython.display import display
from sklearn.datasets import make_moons

from course_lib.exercises import borrow, exercise
from course_lib.plots import PALETTE, show
from course_lib.widgets.graph import GraphStepper, show_graph, trace_graph

# %% [markdown]
# ## A number that remembers where it came from
#
# `2.0 * 3.0` gives 6.0, and Python forgets how. To go backwards later, we need numbers that remember: the operation they
# came out of, and the numbers that went in, their *parents*. A number with a memory is a node of a graph.
#
# `+` and `*` call `apply`, and so do `tanh`, `exp`, `log` and `relu`: six operations are enough for a network and its
# loss. `apply` computes the number and writes down its history.

# %%
class Value:
    """A number that remembers where it came from."""

    def __init__(self, data, parents=(), operation="", label=""):
        self.data, self.parents = data, parents
        self.operation, self.label = operation, label
        self.grad = 0.0  # the slope of the loss with respect to this number, once it is known

    def __add__(self, other):
        return apply("+", self, other)

    def __mul__(self, other):
        return apply("*", self, other)


# %%
FORWARD = {"+": lambda a, b: a + b, "*": lambda a, b: a * b, "tanh": math.tanh,
           "exp": math.exp, "log": math.log, "relu": lambda a: max(a, 0.0)}


def apply(operation, *parents):
    result = FORWARD[operation](*[parent.data for parent in parents])
    return Value(result, parents, operation)


tanh, exp, log, relu = (partial(apply, name) for name in ("tanh", "exp", "log", "relu"))

# %% [markdown]
# The smallest model there is: a prediction $p = w x + b$, and the squared error $(p - t)^2$ to a target $t = 3$. There is no
# minus and no square, so we add a leaf that holds $-t$, and multiply $e$ by itself.
#
# **Predict.** With $w=2$, $x=3$, $b=-1$: how large is the loss?

# %%
w, x, b = Value(2.0, label="w"), Value(3.0, label="x"), Value(-1.0, label="b")
minus_t = Value(-3.0, label="-t")

m = w * x
p = m + b
e = p + minus_t
loss = e * e
m.label, p.label, e.label, loss.label = "m", "p", "e", "loss"
show_graph(loss)

# %% [markdown]
# The loss is 4, and every step towards it is still there. The gradients are empty: nobody has asked yet.
#
# ## A slope is an answer to a nudge
#
# **Predict.** Nudge $w$ from 2 to 2.001. By how much does the loss move: 0.001, 0.004 or 0.012?

# %%
# NBVAL_CHECK_OUTPUT
before = (2.000 * 3 - 1 - 3) ** 2
after = (2.001 * 3 - 1 - 3) ** 2
print(f"the loss moves by {after - before:.6f}, so the slope is about {(after - before) / 0.001:.1f}")

# %% [markdown]
# About twelve times the nudge. A network has millions of such numbers, and a nudge for each costs millions of forward passes.
# The **chain rule** gives all slopes in one pass backwards:
#
# $$\frac{\partial\,\text{loss}}{\partial\,\text{input}} =
#   \underbrace{\frac{\partial\,\text{loss}}{\partial\,\text{output}}}_{\text{upstream gradient}} \cdot
#   \underbrace{\frac{\partial\,\text{output}}{\partial\,\text{input}}}_{\text{local slope}}$$
#
# ### Exercise 1 · `backward_rule` · difficulty ●●○ · 12 min
#
# An operation knows nothing of the graph around it. It sees what went in, what came out, and the upstream gradient, and
# answers with a gradient for each input.
#
# <details><summary>Hint 1: a nudge</summary>
#
# Nudge one input of `a + b` by 0.001: how far does the sum move? And `a * b`, if `b` is 5? The ratio is the local slope.
# </details>
# <details><summary>Hint 2: the idea</summary>
#
# The local slopes: of a sum 1 and 1; of a product the *other* factor; of $\tanh x$: $1 - \tanh^2 x$; of $e^x$: itself;
# of $\log x$: $1/x$; of relu: 1 where the input is positive, else 0. Two of them are easiest to write with `output`.
# </details>
# <details><summary>Hint 3: nearly the code</summary>
#
# One `if operation == ...` for each, and each returns a list. The product: `a, b = inputs`, then
# `return [upstream * b, upstream * a]`. The tanh: `return [upstream * (1 - output**2)]`.
# </details>

# %% tags=["exercise"]
@exercise
def backward_rule(operation, inputs, output, upstream):
    """Pass a gradient back through one operation, to each of its inputs.

    Args:
        operation: "+", "*", "tanh", "exp", "log" or "relu".
        inputs: the numbers that went in, a list: two for "+" and "*", one for the others.
        output: the number that came out.
        upstream: the slope of the loss with respect to that output.

    Returns:
        A list: the slope of the loss with respect to each input, in their order. An input of 0 to "relu" gets 0.

    Example: `backward_rule("+", [2.0, 5.0], 7.0, 3.0)` is `[3.0, 3.0]`.
    """
    ...  # your code here


# %% [markdown]
# Walk through the graph with your rule: forwards with numbers, then backwards with gradients. What the rule passes on
# stands on the edges. Below the widget, the same walk is printed in words.
#
# **Predict.** Before you press *Step*: which of the four leaves ends with the largest gradient? And what does $e$ end with,
# which is used twice?

# %%
display(GraphStepper(loss, backward_rule))
trace_graph(loss, backward_rule)  # the same walk in words

# %% [markdown]
# The slope at $w$ is 12, as measured. And $e$ is used twice, so it is pushed twice: 2 along one edge and 2 along the other
# make 4. Where a number takes several ways to the loss, a nudge travels along all of them: **gradients add up**.
#
# So a node may speak only after it has heard from all nodes that use it.
#
# **Predict.** In the next graph, may $h$ pass its gradient on as soon as `out` has been asked?

# %%
a, b = Value(0.5, label="a"), Value(-1.0, label="b")
h = a * b
u = tanh(h)
v = tanh(u)
out = h + v
h.label, u.label, v.label, out.label = "h", "u", "v", "out"
show_graph(out)

# %% [markdown]
# No: $h$ is a neighbor of `out`, but the longer way over $v$ and $u$ ends in it too. A list in which every node stands after
# all of its parents solves this: walk it from its end, and nobody speaks too early.
#
# ### Exercise 2 · `topological_order` · difficulty ●●○ · 12 min
#
# Make that list. It begins from several outputs at once, since a network has several scores.
#
# <details><summary>Hint 1: a nudge</summary>
#
# A node may be appended as soon as all of its parents are in the list. What has to be done for a parent that is not?
# </details>
# <details><summary>Hint 2: the idea</summary>
#
# A function `visit(node)` that calls itself: visit all parents first, then append the node. It needs a memory of what it has
# visited, since a node can be reached on several ways.
# </details>
# <details><summary>Hint 3: nearly the code</summary>
#
# Inside your function: `order, seen = [], set()`, and a `def visit(node)` that returns at once if `node in seen`, adds it
# to `seen`, visits each of `node.parents`, and ends with `order.append(node)`. Call it for each of the `outputs`. A set
# answers "seen?" at once; a list has to be searched, which takes minutes in the training below.
# </details>

# %% tags=["exercise"]
@exercise
def topological_order(outputs):
    """List every node that the outputs depend on, each one after all of its parents.

    Args:
        outputs: a list of nodes. A node's `parents` are the nodes that it was computed from; a leaf has none.

    Returns:
        A list in which each node stands once, leaves and outputs included. Two nodes with equal numbers are two nodes.

    Example: for `e = a * b` and `f = e + a`, both `[a, b, e, f]` and `[b, a, e, f]` are right for `[f]`.
    """
    ...  # your code here


# %% [markdown]
# ### Exercise 3 · `backpropagate` · difficulty ●●○ · 12 min
#
# The heart of it all, and about five lines. You are given the list and the rule; the outputs hold their gradients already.
#
# <details><summary>Hint 1: a nudge</summary>
#
# Which node of the list is the only one whose gradient is surely complete at the beginning?
# </details>
# <details><summary>Hint 2: the idea</summary>
#
# Go through the list backwards. Ask the rule what the node passes to each parent, with the node's own `grad` as the upstream
# gradient, and add it to what the parent has. A leaf has no operation and nothing to pass: skip it.
# </details>
# <details><summary>Hint 3: nearly the code</summary>
#
# `for node in reversed(order):`, and for those with parents:
# `passed = rule(node.operation, [parent.data for parent in node.parents], node.data, node.grad)`; then
# `parent.grad += passed[i]` for each parent at position `i`.
# </details>

# %% tags=["exercise"]
@exercise
def backpropagate(order, rule):
    """Carry the gradients from the outputs back to the leaves.

    Args:
        order: a list of nodes, each after all of its parents; left as it was. The caller has set `grad` of the outputs.
        rule: called as `rule(operation, inputs, output, upstream)` for a node that has parents, it returns a list:
            what the node passes to each parent. `inputs` are the parents' `data`, `output` is the node's own.

    Returns:
        Nothing. What reaches a node is added to its `grad`, from every place that it is used in.

    Example: `a.data = 3.0`, `b = a * a`, `b.grad = 1.0`: then `backpropagate([a, b], rule)` adds 6.0 to `a.grad`.
    """
    ...  # your code here


# %% [markdown]
# Three small functions make an engine: clear what an earlier pass has left, set the slope of the loss with respect to itself,
# which is 1, and go back.
#
# **Predict.** Which signs have the gradients of `a` and `b` in the last graph? `out` grows with $h = ab$.

# %%
# NBVAL_CHECK_OUTPUT
def backward(loss):
    order = topological_order([loss])
    for node in order:
        node.grad = 0.0
    loss.grad = 1.0
    backpropagate(order, backward_rule)


backward(out)
print([f"{node.label}: {node.grad:.3f}" for node in (h, a, b)])

# %% [markdown]
# $h$ has heard both sides, 1 directly and 0.640 over the two tanh, and passes 1.640 on: times $b = -1$ to $a$, times
# $a = 0.5$ to $b$.
#
# ## Trust, but measure
#
# A wrong gradient seldom crashes; the network only learns badly. So measure: nudge, and compare.
#
# **Predict.** For the slope of $\tanh$ at 0.7, which nudge is the best: 0.1, 0.00001 or 0.0000000000001?

# %%
steps = [10.0**-k for k in range(1, 15)]
true_slope = 1 - math.tanh(0.7) ** 2
one_sided = [(math.tanh(0.7 + s) - math.tanh(0.7)) / s for s in steps]
two_sided = [(math.tanh(0.7 + s) - math.tanh(0.7 - s)) / (2 * s) for s in steps]

figure, axes = plt.subplots(figsize=(6.5, 3.4))
for slopes, name in ((one_sided, "up only"), (two_sided, "up and down")):
    axes.loglog(steps, [abs(slope - true_slope) for slope in slopes], "o-", label=name)
axes.set(title="How wrong is a measured slope?", xlabel="size of the nudge", ylabel="absolute error")
axes.legend()
show(figure, alt="Error of a measured slope against the size of the nudge, both axes logarithmic. Both curves have the "
     "shape of a V: nudging up only is best near 1e-8, nudging up and down near 1e-5, and a thousand times better.")

# %% [markdown]
# Neither the largest nor the smallest. A large nudge measures the curve's bend too; a tiny one drowns in rounding. Nudging
# up *and* down cancels most of the bend; it is best near $10^{-5}$.
#
# ### Exercise 4 · `gradient_check` · difficulty ●○○ · 10 min
#
# Measure the slope for each coordinate, and say how far a claimed gradient is off.
#
# <details><summary>Hint 1: a nudge</summary>
#
# How many calls of `function` does a point with five coordinates need?
# </details>
# <details><summary>Hint 2: the idea</summary>
#
# For each coordinate make two copies of the point, one with this coordinate a step higher, one with it a step lower. Rise over
# run: the run is two steps.
# </details>
# <details><summary>Hint 3: nearly the code</summary>
#
# `up, down = list(point), list(point)`, `up[i] += step`, `down[i] -= step`,
# `slope = (function(up) - function(down)) / (2 * step)`. The error is
# `abs(slope - gradient[i]) / max(abs(slope), abs(gradient[i]), 1e-8)`.
# </details>

# %% tags=["exercise"]
@exercise
def gradient_check(function, point, gradient, *, step=1e-5):
    """Hold a gradient against slopes that are measured by nudging one coordinate at a time.

    Args:
        function: takes a list of numbers and returns one number.
        point: where to measure, a list of numbers; it is left as it was.
        gradient: the slopes to be checked, a list as long as `point`.
        step: how far a coordinate is nudged, up and down.

    Returns:
        Two lists as long as `point`. The slopes: (f(nudged up) − f(nudged down)) / (2 · step). The relative errors:
        |slope − gradient| / max(|slope|, |gradient|, 1e-8), so that 0 against 0 is no error.

    Example: for `f = lambda x: x[0] ** 2` at `[3.0]`, a gradient of `[5.0]` gives slopes `[6.0]` and errors `[1/6]`.
    """
    ...  # your code here


# %% [markdown]
# An expression with all six operations and with shared nodes.
#
# **Predict.** How many digits will the engine and the measured slopes have in common?

# %%
# NBVAL_CHECK_OUTPUT
def tangle(a, b, c, d):
    e = tanh(a * b + c) + a
    return relu(e * d) * exp(b) + log(e * e + Value(1.0)) * e


point = [0.8, -0.6, 1.1, 1.7]
leaves = [Value(number) for number in point]
backward(tangle(*leaves))
gradient = [leaf.grad for leaf in leaves]
slopes, errors = gradient_check(lambda numbers: tangle(*map(Value, numbers)).data, point, gradient)
for name, engine, slope in zip("abcd", gradient, slopes, strict=True):
    print(f"{name}   engine {engine:8.5f}   measured {slope:8.5f}")
print("every relative error below 1e-7:", max(errors) < 1e-7)

# %% [markdown]
# The engine is right, to more digits than are printed. Keep the habit: measure every backward pass that you write by hand.
#
# ## From scores to a loss
#
# A classifier ends in scores $z_k$, one per class: *logits*. **Softmax** makes probabilities of them, and **cross-entropy**
# asks how surprising the true class $y$ is:
#
# $$p_k = \frac{e^{z_k}}{\sum_j e^{z_j}}, \qquad \ell = -\log p_y = \log \sum_j e^{z_j} - z_y, \qquad
#   \frac{\partial \ell}{\partial z_k} = \frac{e^{z_k}}{\sum_j e^{z_j}} - [k = y] = p_k - [k = y]$$
#
# Every score is pushed down by its probability, the true one up by what it lacks.
#
# **Predict.** The scores are 2, 1, −1 and the true class is 0: which slope is negative? And what becomes of the sum of
# exponentials if the scores are 1000 and 999?

# %%
# NBVAL_CHECK_OUTPUT
scores = [Value(2.0), Value(1.0), Value(-1.0)]
total = exp(scores[0]) + exp(scores[1]) + exp(scores[2])
backward(log(total) + scores[0] * Value(-1.0))

for k, z in enumerate(scores):
    probability = math.exp(z.data) / total.data
    print(f"class {k}: p = {probability:.3f}   engine {z.grad:6.3f}   formula {probability - (k == 0):6.3f}")
print("log of the sum for 1000 and 999:", torch.tensor([1000.0, 999.0]).exp().sum().log().item())

# %% [markdown]
# Engine and formula agree. Only the true class has a negative slope, and the slopes sum to zero: what one class gains, the
# others lose. But $e^{1000}$ is beyond any floating-point number, although the answer, about 1000.3, is harmless. Only
# differences of scores matter, so subtract the largest, $m$, first:
#
# $$\log \sum_j e^{z_j} = m + \log \sum_j e^{z_j - m}$$
#
# ### Exercise 5 · `softmax_cross_entropy` · difficulty ●●● · 15 min
#
# From here on for a whole batch: a torch tensor with a row for each example. Return the losses, and their slopes.
#
# <details><summary>Hint 1: a nudge</summary>
#
# Which of the two dimensions must sum to one, the rows or the columns? With `keepdim=True` a sum or maximum keeps the shape
# that broadcasting needs.
# </details>
# <details><summary>Hint 2: the idea</summary>
#
# Subtract each row's maximum (`logits.amax(dim=1, keepdim=True)`), into a new tensor. Everything else uses the shifted logits: their
# exponentials, the rows' totals, the loss `log(total) - shifted[label]`. Never take the logarithm of a probability: it may have
# become 0.
# </details>
# <details><summary>Hint 3: nearly the code</summary>
#
# With `rows = torch.arange(len(labels))`, `shifted[rows, labels]` picks each example's own label. The slopes are
# `exponentials / totals`, and then `slopes[rows, labels] -= 1`.
# </details>

# %% tags=["exercise"]
@exercise
def softmax_cross_entropy(logits, labels):
    """Turn scores into a loss per example, and say how it changes with each score.

    Args:
        logits: scores, floating point, shape `(n, classes)`; left as they were. Any size of number is welcome.
        labels: the right class of each example, whole numbers, shape `(n,)`.

    Returns:
        The losses −log p[label], shape `(n,)`, where p is the softmax of an example's scores; and their slopes with
        respect to the logits, p − (1 at the label, else 0), shape `(n, classes)`. Both are finite if the logits are.

    Example: the logits `[[0, log 3]]` have p = `[[1/4, 3/4]]`; the label 0 gives the loss log 4, the slopes
        `[[-3/4, 3/4]]`.
    """
    ...  # your code here


# %% [markdown]
# ## A network that learns with your functions
#
# Two moons, 100 points to learn from and 100 kept aside; no straight line separates them. The network: two inputs, 16
# hidden neurons with tanh, two scores. A neuron is a weighted sum, a layer is a list of neurons, a parameter is a `Value`.
#
# **Predict.** How many parameters are there?

# %%
# NBVAL_CHECK_OUTPUT
points, labels = map(torch.tensor, make_moons(200, noise=0.15, random_state=0))


def make_neuron(num_inputs):
    return [Value(rng.gauss(0, 1 / math.sqrt(num_inputs))) for _ in range(num_inputs)], Value(0.0)


def neuron(inputs, weights, bias):
    return sum((weight * value for weight, value in zip(weights, inputs, strict=True)), start=bias)


def network(point):
    inputs = [Value(coordinate) for coordinate in point.tolist()]
    hidden = [tanh(neuron(inputs, *its)) for its in hidden_layer]
    return [neuron(hidden, *its) for its in output_layer]


rng = random.Random(0)
hidden_layer, output_layer = [make_neuron(2) for _ in range(16)], [make_neuron(16) for _ in range(2)]
parameters = [value for weights, bias in hidden_layer + output_layer for value in [*weights, bias]]
print(len(parameters), "parameters")

# %% [markdown]
# ### Exercise 6 · `sgd_step` · difficulty ●○○ · 4 min
#
# 16 neurons with 2 weights and a bias, 2 neurons with 16 weights and a bias. Gradient descent: every one of these parameters
# goes a small step against its slope. And since `backpropagate` *adds* to `grad`, a step has a second duty.
#
# <details><summary>Hint 1: a nudge</summary>
#
# Run the training loop in your head for two rounds: what is in `grad` when the second backward pass begins?
# </details>
# <details><summary>Hint 2: the idea</summary>
#
# A positive slope means that the loss grows with the parameter, so the parameter must shrink. Then set the gradient to zero.
# </details>
# <details><summary>Hint 3: nearly the code</summary>
#
# For each parameter: `parameter.data -= learning_rate * parameter.grad`, then `parameter.grad = 0.0`.
# </details>

# %% tags=["exercise"]
@exercise
def sgd_step(parameters, *, learning_rate):
    """Move each parameter a small step downhill, and clear its gradient for the next round.

    Args:
        parameters: a list of nodes with `data` and `grad`; both are changed in place.
        learning_rate: how far to go, per unit of slope.

    Returns:
        Nothing.

    Example: `data = 1.0` and `grad = 4.0` become 0.6 and 0.0 with `learning_rate=0.1`.
    """
    ...  # your code here


# %% [markdown]
# One batch: forwards to the scores, then the loss and its slopes. These slopes are the upstream gradients with which the way
# back begins. The loss of a batch is the mean of its examples, so each slope is divided by their number.
#
# **Predict.** A batch has 20 points. How many nodes has the graph of one step: hundreds, thousands, millions?

# %%
def loss_and_gradients(batch):
    logits = [network(points[i]) for i in batch]  # for each example a list of two nodes
    scores = torch.tensor([[z.data for z in row] for row in logits], dtype=torch.float64)
    losses, slopes = softmax_cross_entropy(scores, labels[batch])
    outputs = [z for row in logits for z in row]
    for z, slope in zip(outputs, slopes.flatten().tolist(), strict=True):
        z.grad = slope / len(batch)
    order = topological_order(outputs)
    backpropagate(order, backward_rule)
    return losses.mean().item(), len(order)


def margin(point):
    first, second = network(point)
    return second.data - first.data  # positive: class 1


# %%
# NBVAL_CHECK_OUTPUT
start = [parameter.data for parameter in parameters]  # for a comparison later
batches = [rng.sample(range(100), 20) for _ in range(400)]
history = []
for batch in batches:
    batch_loss, num_nodes = loss_and_gradients(batch)
    sgd_step(parameters, learning_rate=1.0)
    history.append(batch_loss)

first, last = sum(history[:20]) / 20, sum(history[-20:]) / 20
print(f"{num_nodes} nodes a step; mean loss of the first 20 steps {first:.2f}, of the last 20 {last:.2f}")
is_right = (torch.tensor([margin(point) for point in points]) > 0) == (labels == 1)
print(f"right on {is_right[:100].sum()} of the 100 points it learned from, on {is_right[100:].sum()} of the 100 others")

# %% [markdown]
# Thousands of nodes, built and thrown away 400 times in a few seconds. The loss has fallen, and the network is right on 96 of
# 100 points that it never saw.
#
# **Predict.** What shape has the border that 16 tanh neurons draw between the moons?

# %%
figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.6))
left.plot(history, linewidth=0.6, color=PALETTE["sky"], label="each step")
left.plot(range(20, 401), [sum(history[i - 20 : i]) / 20 for i in range(20, 401)], label="mean of 20 steps")
left.set(title="The loss falls", xlabel="step", ylabel="loss of the batch (nats)", ylim=0)

across, up = torch.linspace(-1.8, 2.8, 60), torch.linspace(-1.3, 1.8, 45)
margins = [[margin(torch.stack([x, y])) for x in across] for y in up]
right.contourf(across, up, margins, levels=[-1e9, 0, 1e9], colors=["#D6E8F5", "#FBE3D3"])
for k, color in enumerate([PALETTE["blue"], PALETTE["vermillion"]]):
    right.scatter(*points[100:][labels[100:] == k].T, s=16, color=color, marker="os"[k], label=f"class {k}")
right.set(title="The border, and points kept aside", xlabel="first coordinate", ylabel="second coordinate")
left.legend()
right.legend(loc="upper left")
show(figure, alt="Left: the loss of the batch falls noisily, from about 0.5 to below 0.1 in 400 steps. Right: a border "
     "in the shape of an S runs between the two moons; four of the 100 points stand on the wrong side.")

# %% [markdown]
# The border bends between the moons, and the points on its wrong side lie close to it. Nobody told it where to go, only how
# wrong it was.
#
# ## The same in torch
#
# A torch tensor is a `Value` with many numbers, and `loss.backward()` is your `backward`. Copy the first
# parameters into tensors and take the same batches.
#
# **Predict.** Each step builds on the one before. After 400 of them, will the parameters agree to 2, 6 or 10 digits?

# %%
def as_tensors(numbers):
    """A row for each neuron, its weights and its bias: cut into two weight matrices and two bias vectors."""
    hidden = torch.tensor(numbers[:48], dtype=torch.float64).reshape(16, 3)
    output = torch.tensor(numbers[48:], dtype=torch.float64).reshape(2, 17)
    parts = hidden[:, :2], hidden[:, 2], output[:, :16], output[:, 16]
    return [part.clone().requires_grad_() for part in parts]


def torch_loss(batch, w1, b1, w2, b2):
    logits = torch.tanh(points[batch] @ w1.T + b1) @ w2.T + b2
    return torch.nn.functional.cross_entropy(logits, labels[batch])


# %%
# NBVAL_CHECK_OUTPUT
tensors = as_tensors(start)
optimizer = torch.optim.SGD(tensors, lr=1.0)
for batch in batches:
    torch_loss(batch, *tensors).backward()
    optimizer.step()
    optimizer.zero_grad()

ours = as_tensors([parameter.data for parameter in parameters])
gaps = [((mine - theirs).abs() / theirs.abs()).max().item() for mine, theirs in zip(ours, tensors, strict=True)]
print("every parameter agrees to 10 digits:", max(gaps) < 1e-10)

# %% [markdown]
# They agree: rounding is all that differs. `backward`, `step` and `zero_grad` are what you wrote; torch adds speed, with one
# node for a whole matrix product.
#
# ## What to remember
#
# - A computation is a graph. The **chain rule** turns it round: upstream gradient × local slope.
# - A number that is used in several places **adds up** its gradients. Hence `+=`, and clearing before the next round.
# - **Reverse topological order:** a node passes on only what is complete, so one pass gives all slopes.
# - A wrong gradient is silent. **Measure it:** nudge up and down by about $10^{-5}$.
# - The slope of **softmax with cross-entropy** is $p_k - [k = y]$. Subtract the maximum first.

# %% [markdown]
# ## Going further
#
# - Add an operation, such as `sin`: one line in `FORWARD`, one in your rule, one gradient check.
# - `topological_order` with Python's own calls ends at a depth of about 1000. Write it with a stack of your own.
# - Spoil a rule on purpose and train again. Would you have noticed, without `gradient_check`?
#
# Read: D. Rumelhart, G. Hinton, R. Williams, *Learning representations by back-propagating errors*, Nature 323 (1986),
# [doi:10.1038/323533a0](https://doi.org/10.1038/323533a0).
#
# **Next, lesson 03, training:** the loop that every lesson shares, with mini-batches, better optimizers, and how to notice
# that a network learns by heart.
