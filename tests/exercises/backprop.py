"""What lesson 02's exercises owe us: scenarios that use an exercise and return what they observed; a judge compares."""

import math

import torch

from course_lib.exercises import check

FORWARD = {"+": lambda a, b: a + b, "*": lambda a, b: a * b, "tanh": math.tanh}


class Node:
    """What a graph is made of here: as much of the lesson's `Value` as the exercises rely on."""

    def __init__(self, name, data, *, operation="", parents=()):
        self.name, self.data, self.operation, self.parents = name, data, operation, parents
        self.grad = 0.0

    def __repr__(self):
        names = [parent.name for parent in self.parents]
        if len(names) == 2:
            return f"{self.name} = {names[0]} {self.operation} {names[1]}"
        return f"{self.name} = {self.operation}({names[0]})" if names else self.name


def compute(name, operation, *parents):
    data = FORWARD[operation](*[parent.data for parent in parents])
    return Node(name, data, operation=operation, parents=list(parents))


def random_graph(draw, *, num_leaves=5, num_operations=9):
    """Nodes with shared parents, each after its parents; the later ones hang together through short and long paths."""
    nodes = [Node("abcdefgh"[i], draw.number(-1.5, 1.5)) for i in range(num_leaves)]
    for i in range(num_operations):
        operation = draw.choice(["+", "*", "+", "*", "tanh"])
        older, newer = draw.choice(nodes), draw.choice(nodes[-3:])
        parents = [newer] if operation == "tanh" else [older, newer]
        nodes.append(compute(f"n{i + 1}", operation, *parents))
    return nodes


# backward_rule


def passed(backward_rule, draw, operation, function, *, low, high):
    """What ten random nodes of one operation pass on, for random gradients from above, of either sign."""
    answers = []
    for sign in [1, -1] * 5:
        inputs = [draw.number(low, high) for _ in range(2 if operation in "+*" else 1)]
        answers.append(backward_rule(operation, inputs, function(*inputs), sign * draw.number(0.3, 3.0)))
    return answers


@check('"+" passes the whole gradient to both inputs')
def rule_of_plus(backward_rule, draw):
    return passed(backward_rule, draw, "+", lambda a, b: a + b, low=-2, high=2)


@check('"*" weighs the gradient for each factor with the other one')
def rule_of_times(backward_rule, draw):
    return passed(backward_rule, draw, "*", lambda a, b: a * b, low=-2, high=2)


@check('"tanh" passes little where it is flat')
def rule_of_tanh(backward_rule, draw):
    return passed(backward_rule, draw, "tanh", math.tanh, low=-2, high=2)


@check('"exp" is its own slope')
def rule_of_exp(backward_rule, draw):
    return passed(backward_rule, draw, "exp", math.exp, low=-2, high=2)


@check('"log" is steep near zero and flat far out')
def rule_of_log(backward_rule, draw):
    return passed(backward_rule, draw, "log", math.log, low=0.2, high=5)


@check('"relu" passes everything where its input was positive, and nothing where it was negative')
def rule_of_relu(backward_rule, draw):
    positive = passed(backward_rule, draw, "relu", lambda a: a, low=0.1, high=2)
    return positive + passed(backward_rule, draw, "relu", lambda a: 0.0, low=-2, high=-0.1)


@check('"relu" passes nothing where its input was exactly zero')
def rule_of_relu_at_zero(backward_rule, draw):
    return passed(backward_rule, draw, "relu", lambda a: 0.0, low=0, high=0)


# topological_order


def in_order(observed, expected):
    """Many orders are right: judge each by what an order has to keep, and say the first thing that is wrong."""
    for seen, wanted in zip(observed, expected, strict=True):
        problem = order_problem(seen["order"], wanted["order"], wanted["edges"])
        if problem:
            return f"{problem} (in the graph {wanted['graph']})"
    return None


def order_problem(order, names, edges):
    if not isinstance(order, list):
        return f"expected a list, got {order}. Does your code return its order?"
    strange = [name for name in order if name not in names]
    missing = [name for name in names if name not in order]
    twice = [name for name in names if order.count(name) > 1]
    early = [(node, parent) for node, parent in edges if node in order and parent in order[order.index(node) :]]
    if strange:
        return f"{strange[0]} does not belong to the order {order}"
    if missing:
        return f"{missing[0]} is missing from the order {order}"
    if twice:
        return f"{twice[0]} stands {order.count(twice[0])} times in the order {order}"
    if early:
        return "{} stands before its parent {} in the order {}".format(*early[0], order)
    return None


def observe_order(topological_order, outputs, nodes):
    order = topological_order(outputs)
    if isinstance(order, list | tuple):
        order = [getattr(node, "name", str(node)) for node in order]
    edges = [[node.name, parent.name] for node in nodes for parent in node.parents]
    return {"order": order, "edges": edges, "graph": "; ".join(repr(node) for node in nodes if node.parents)}


@check("A chain, in which there is one order only", judge=in_order)
def order_of_a_chain(topological_order, draw):
    observed = []
    for length in (3, 5, 6, draw.choice(range(7, 30))):
        nodes = [Node("a", draw.number())]
        for i in range(length):
            nodes.append(compute(f"n{i + 1}", "tanh", nodes[-1]))
        observed.append(observe_order(topological_order, nodes[-1:], nodes))
    return observed


@check("A node that is used several times stands in the order once", judge=in_order)
def order_with_shared_nodes(topological_order, draw):
    observed = []
    for _ in range(4):
        a, b = Node("a", draw.number()), Node("b", draw.number())
        e = compute("e", draw.choice("+*"), a, b)
        f, g = compute("f", "*", e, e), compute("g", "+", e, a)
        h = compute("h", draw.choice("+*"), f, g)
        observed.append(observe_order(topological_order, [h], [a, b, e, f, g, h]))
    return observed


@check("A short way and a long way to the same node: it stands after all of its parents", judge=in_order)
def order_with_short_and_long_ways(topological_order, draw):
    observed = []
    for _ in range(4):
        a, b = Node("a", draw.number()), Node("b", draw.number())
        e = compute("e", "*", a, b)
        f = compute("f", "tanh", e)
        g = compute("g", "tanh", f)
        h = compute("h", "+", *draw.choice([(e, g), (g, e)]))
        observed.append(observe_order(topological_order, [h], [a, b, e, f, g, h]))
    return observed


@check("Two nodes that hold equal numbers are two nodes", judge=in_order)
def order_with_equal_numbers(topological_order, draw):
    observed = []
    for _ in range(4):
        number = draw.number()
        a, b = Node("a", number), Node("b", number)
        e, f = compute("e", "tanh", a), compute("f", "tanh", b)
        g = compute("g", "+", e, f)
        observed.append(observe_order(topological_order, [g], [a, b, e, f, g]))
    return observed


@check("Several outputs, which share some nodes and not others", judge=in_order)
def order_for_several_outputs(topological_order, draw):
    observed = []
    for _ in range(4):
        a, b, c = (Node(name, draw.number()) for name in "abc")
        e, f = compute("e", "*", a, b), compute("f", "+", b, c)
        g, h = compute("g", "*", e, f), compute("h", "+", f, c)
        observed.append(observe_order(topological_order, [g, h, e], [a, b, c, e, f, g, h]))
    return observed


# backpropagate


def gradients(backpropagate, nodes, rule, *, outputs=1, start=1.0):
    """Every node's gradient, after the outputs have got theirs and the pass has run."""

    def rule_for_operations(operation, inputs, output, upstream):
        if not inputs:
            raise ValueError("the rule was asked about a leaf, which has no operation and passes nothing on: skip it")
        return rule(operation, inputs, output, upstream)

    for node in nodes[-outputs:]:
        node.grad = start
    backpropagate(list(nodes), rule_for_operations)
    return {repr(node): node.grad for node in nodes}


@check("A chain of products, small enough to do by hand")
def gradients_of_a_chain(backpropagate, draw, backward_rule):
    nodes = [Node("a", draw.number(0.5, 2.0))]
    for i in range(9):
        factor = Node("bcdefghij"[i], draw.number(0.5, 2.0))
        nodes += [factor, compute(f"n{i + 1}", "*", nodes[-1], factor)]
    return gradients(backpropagate, nodes, backward_rule)


@check("A node that is used in several places collects from all of them")
def gradients_add_up(backpropagate, draw, backward_rule):
    return [gradients(backpropagate, random_graph(draw), backward_rule) for _ in range(3)]


@check("A node that meets itself, as in e * e, collects from both sides")
def gradients_of_squares(backpropagate, draw, backward_rule):
    observed = []
    for _ in range(4):
        a, b = Node("a", draw.number(0.5, 1.5)), Node("b", draw.number(0.5, 1.5))
        e = compute("e", "+", a, b)
        f = compute("f", "*", e, e)
        observed.append(gradients(backpropagate, [a, b, e, f, compute("g", "+", f, f)], backward_rule))
    return observed


@check("The outputs start with the gradient that they were given")
def gradients_from_any_start(backpropagate, draw, backward_rule):
    observed = []
    for sign in (1, -1, 1):
        start = sign * draw.number(1.5, 3.0)
        observed.append(gradients(backpropagate, random_graph(draw), backward_rule, outputs=2, start=start))
    return observed


@check("What an earlier pass has brought stays, and the new gradient is added to it")
def gradients_pile_up_on_leaves(backpropagate, draw, backward_rule):
    observed = []
    for _ in range(2):
        nodes = random_graph(draw, num_leaves=8)
        for leaf in nodes[:8]:
            leaf.grad = draw.number(-3, 3)
        observed.append(gradients(backpropagate, nodes, backward_rule))
    return observed


@check("The rule that is handed in decides what is passed on")
def gradients_follow_the_rule(backpropagate, draw):
    weight = draw.number(0.2, 0.6)

    def rule(operation, inputs, output, upstream):
        return [upstream * weight * (i + 1) + output for i in range(len(inputs))]

    return [gradients(backpropagate, random_graph(draw), rule) for _ in range(2)]


@check("The list of nodes is left as it was")
def order_survives(backpropagate, draw, backward_rule):
    observed = []
    for _ in range(8):
        order = random_graph(draw)
        order[-1].grad = 1.0
        backpropagate(order, backward_rule)
        observed.append([node.name for node in order])
    return observed


# gradient_check


def bumpy(draw, n):
    """A cubic function in which every coordinate meets the next one; a nudge to one side is not like to the other."""
    cubes = [draw.number(0.5, 2.0) for _ in range(n)]
    products = [draw.number(-2.0, 2.0) for _ in range(n)]

    def function(x):
        return sum(cubes[i] * x[i] ** 3 + products[i] * x[i] * x[i - 1] for i in range(n))

    return function, [draw.number(0.5, 1.5) for _ in range(n)]


@check("A parabola, small enough to do by hand")
def check_of_a_parabola(gradient_check, draw):
    scales = [draw.number(1.0, 4.0) for _ in range(8)]
    return [gradient_check(lambda x, a=a: a * x[0] ** 2, [3.0], [5.0 * a]) for a in scales]


@check("Nudged up and down, one coordinate at a time")
def check_nudges_both_ways(gradient_check, draw):
    function, point = bumpy(draw, 9)
    return gradient_check(function, point, [draw.number(4, 9) for _ in point], step=0.1)


@check("The error is relative to the larger of the two slopes, for steep and for flat directions")
def check_is_relative(gradient_check, draw):
    scales = [10.0**power * draw.number(1, 3) for power in (-4, -3, -2, -1, 0, 1, 2, 3, 4)]
    claimed = [scale * factor for scale, factor in zip(scales, [0.5, 3.0, -1.0] * 3, strict=True)]
    return [gradient_check(lambda x, a=a: a * x[0], [2.0], [b], step=0.5) for a, b in zip(scales, claimed, strict=True)]


@check("No slope, and none claimed: no error")
def check_of_nothing(gradient_check, draw):
    slope, point = draw.number(1, 2), [draw.number() for _ in range(9)]
    return gradient_check(lambda x: slope * x[0], point, [2 * slope] + [0.0] * 8, step=0.5)


@check("The point is left as it was")
def check_leaves_the_point(gradient_check, draw):
    function, point = bumpy(draw, 9)
    gradient_check(function, point, [1.0] * len(point), step=0.1)
    return point


# softmax_cross_entropy


def batches(draw, *, spread=1.0, dtype=torch.float64):
    """Three batches, none of them square, so that rows and columns can't be mistaken for each other."""
    for n, classes in ((5, 3), (3, 6), (7, 2)):
        yield spread * draw.normal(n, classes, dtype=dtype), draw.labels(n, classes)


@check("One example, small enough to do by hand")
def loss_by_hand(softmax_cross_entropy, draw):
    logits = torch.tensor([[0.0, math.log(3.0)]], dtype=torch.float64)
    return [softmax_cross_entropy(logits, torch.tensor([label])) for label in (0, 1)]


@check("A batch: one loss and one row of slopes per example")
def losses_of_a_batch(softmax_cross_entropy, draw):
    return [softmax_cross_entropy(logits, labels) for logits, labels in batches(draw, spread=2.0)]


@check("Logits around 1000 are no problem")
def losses_of_large_logits(softmax_cross_entropy, draw):
    return [softmax_cross_entropy(1000 + logits, labels) for logits, labels in batches(draw)]


@check("A confident mistake has a large loss, not an infinite one")
def losses_of_confident_mistakes(softmax_cross_entropy, draw):
    observed = []
    for logits, labels in batches(draw):
        logits[torch.arange(len(labels)), labels] -= 900 + 100 * draw.number()
        observed.append(softmax_cross_entropy(logits, labels))
    return observed


@check("The logits are left as they were")
def logits_survive(softmax_cross_entropy, draw):
    observed = []
    for logits, labels in batches(draw):
        softmax_cross_entropy(logits, labels)
        observed.append(logits)
    return observed


# sgd_step


def parameters(draw, n=9):
    nodes = [Node(f"w{i}", draw.number(-1, 1)) for i in range(n)]
    for i, node in enumerate(nodes):
        node.grad = (-1) ** i * draw.number(0.5, 3.0)
    return nodes


@check("Every parameter goes against its gradient, as far as the slope and the learning rate say")
def step_goes_downhill(sgd_step, draw):
    nodes = parameters(draw)
    sgd_step(nodes, learning_rate=draw.number(0.01, 0.5))
    return [node.data for node in nodes]


@check("Afterwards every gradient is 0, ready for the next round")
def step_clears_the_gradients(sgd_step, draw):
    nodes = parameters(draw)
    sgd_step(nodes, learning_rate=0.1)
    return [node.grad for node in nodes]


@check("Three rounds of gradients and steps, one after another")
def steps_in_a_row(sgd_step, draw):
    nodes = parameters(draw)
    for _ in range(3):
        for node in nodes:
            node.grad += draw.number(-2, 2)
        sgd_step(nodes, learning_rate=0.2)
    return [node.data for node in nodes]
