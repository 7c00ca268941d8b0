"""Lesson 02, backprop: the reference of each exercise, and the mistakes that people make.

A node is anything with `data`, `grad`, `operation` and `parents`, such as the lesson's own `Value`.
"""

import torch

from course_lib.exercises import built_without, mistake


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
    if operation == "+":
        return [upstream, upstream]
    if operation == "*":
        left, right = inputs
        return [upstream * right, upstream * left]
    (x,) = inputs
    if operation == "tanh":
        return [upstream * (1 - output**2)]
    if operation == "exp":
        return [upstream * output]
    if operation == "log":
        return [upstream / x]
    if operation == "relu":
        return [upstream if x > 0 else 0.0]
    raise ValueError(f"there is no rule for the operation {operation!r}")


@mistake(
    of=backward_rule,
    hint="Your gradient ignores what comes from above: it is right only when the upstream gradient is one. "
    "Multiply each local slope by `upstream`.",
)
def backward_rule_ignores_upstream(operation, inputs, output, upstream):
    return backward_rule(operation, inputs, output, 1.0)


@mistake(
    of=backward_rule,
    hint="Your sum shares the gradient out between its two inputs. Nudging either one by 0.1 moves the sum by the "
    "full 0.1, so each gets the whole of it.",
)
def backward_rule_splits_at_sums(operation, inputs, output, upstream):
    if operation == "+":
        return [upstream / 2, upstream / 2]
    return backward_rule(operation, inputs, output, upstream)


@mistake(
    of=backward_rule,
    hint="In your product each factor's slope is the factor itself. How fast a·b grows with a is decided by b: "
    "each one gets the other.",
)
def backward_rule_keeps_own_factor(operation, inputs, output, upstream):
    if operation == "*":
        return [upstream * inputs[0], upstream * inputs[1]]
    return backward_rule(operation, inputs, output, upstream)


@mistake(
    of=backward_rule,
    hint="The slope of tanh is 1 − tanh(x)², and you squared x itself. The tanh is already there: it is `output`.",
)
def backward_rule_squares_the_input_of_tanh(operation, inputs, output, upstream):
    if operation == "tanh":
        return [upstream * (1 - inputs[0] ** 2)]
    return backward_rule(operation, inputs, output, upstream)


@mistake(
    of=backward_rule,
    hint="You treat exp like a power and multiply by its input. exp is its own slope: what came out is the slope.",
)
def backward_rule_treats_exp_as_a_power(operation, inputs, output, upstream):
    if operation == "exp":
        return [upstream * inputs[0]]
    return backward_rule(operation, inputs, output, upstream)


@mistake(
    of=backward_rule,
    hint="The slope of log(x) is 1/x, and you divided by the logarithm, which is `output`. The x went in: it is in "
    "`inputs`.",
)
def backward_rule_divides_by_the_logarithm(operation, inputs, output, upstream):
    if operation == "log":
        return [upstream / output]
    return backward_rule(operation, inputs, output, upstream)


@mistake(
    of=backward_rule,
    hint="You applied relu to the gradient: negative gradients vanish on the way back. Its gate looks at the number "
    "that went in; where that was positive, every gradient passes, whatever its sign.",
)
def backward_rule_clips_the_gradient(operation, inputs, output, upstream):
    if operation == "relu":
        return [max(upstream, 0.0)]
    return backward_rule(operation, inputs, output, upstream)


@mistake(
    of=backward_rule,
    hint="Your relu lets the gradient through at exactly 0. Its slope jumps there, so a choice is needed; like torch, "
    "this course chooses 0.",
)
def backward_rule_opens_at_zero(operation, inputs, output, upstream):
    if operation == "relu":
        return [upstream if inputs[0] >= 0 else 0.0]
    return backward_rule(operation, inputs, output, upstream)


@built_without("graphlib.TopologicalSorter")
def topological_order(outputs):
    """List every node that the outputs depend on, each one after all of its parents.

    Args:
        outputs: a list of nodes. A node's `parents` are the nodes that it was computed from; a leaf has none.

    Returns:
        A list in which each node stands once, leaves and outputs included. Two nodes with equal numbers are two nodes.

    Example: for `e = a * b` and `f = e + a`, both `[a, b, e, f]` and `[b, a, e, f]` are right for `[f]`.
    """
    order, seen = [], set()

    def visit(node):
        if node in seen:
            return
        seen.add(node)
        for parent in node.parents:
            visit(parent)
        order.append(node)

    for output in outputs:
        visit(output)
    return order


@mistake(
    of=topological_order,
    hint="A node that is used twice is listed twice. Remember in a set which nodes you have visited, and turn back "
    "when you meet one again.",
)
def topological_order_repeats_shared_nodes(outputs):
    order = []

    def visit(node):
        for parent in node.parents:
            visit(parent)
        order.append(node)

    for output in outputs:
        visit(output)
    return order


@mistake(
    of=topological_order,
    hint="You append a node before you visit its parents, so it stands before them. First the parents, then the node.",
)
def topological_order_appends_before_its_parents(outputs):
    order = []

    def visit(node):
        if node not in order:
            order.append(node)
            for parent in node.parents:
                visit(parent)

    for output in outputs:
        visit(output)
    return order


@mistake(
    of=topological_order,
    hint="You sorted by the distance from the outputs. A node that is reached by a short and by a long path then comes "
    "too late for the long one. Its place is after all of its parents, however near to the output it is.",
)
def topological_order_by_distance(outputs):
    order = list(dict.fromkeys(outputs))
    for node in order:
        order += [parent for parent in dict.fromkeys(node.parents) if parent not in order]
    return order[::-1]


@mistake(
    of=topological_order,
    hint="The leaves are missing. They have no parents, but they are nodes too, and the parameters are among them.",
)
def topological_order_leaves_out_leaves(outputs):
    return [node for node in topological_order(outputs) if node.parents]


@mistake(
    of=topological_order,
    hint="You tell nodes apart by the number they hold. Two nodes may hold equal numbers by chance: remember the nodes "
    "themselves.",
)
def topological_order_merges_equal_numbers(outputs):
    order, seen = [], set()

    def visit(node):
        if node.data not in seen:
            seen.add(node.data)
            for parent in node.parents:
                visit(parent)
            order.append(node)

    for output in outputs:
        visit(output)
    return order


@mistake(
    of=topological_order,
    hint="You start from one output only. `outputs` is a list, and each of them may depend on nodes that the others "
    "don't know: start from each, with one memory of what was visited.",
)
def topological_order_of_the_first_output(outputs):
    return topological_order(outputs[:1])


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
    for node in reversed(order):
        if node.parents:
            inputs = [parent.data for parent in node.parents]
            passed = rule(node.operation, inputs, node.data, node.grad)
            for i, parent in enumerate(node.parents):
                parent.grad += passed[i]


@mistake(
    of=backpropagate,
    hint="You overwrite the gradient of a node with the last one that arrives. A node that is used in two places moves "
    "the loss along both paths: add what arrives to what is there.",
)
def backpropagate_overwrites(order, rule):
    for node in reversed(order):
        if node.parents:
            inputs = [parent.data for parent in node.parents]
            for parent, gradient in zip(node.parents, rule(node.operation, inputs, node.data, node.grad), strict=True):
                parent.grad = gradient


@mistake(
    of=backpropagate,
    hint="You walk from the leaves to the outputs, so every node passes on a gradient that it has not received yet. "
    "Backwards means: the last one first.",
)
def backpropagate_walks_forwards(order, rule):
    backpropagate(order[::-1], rule)


@mistake(
    of=backpropagate,
    hint="Every node passes on as if its own gradient were one. Hand the rule the node's `grad` as the upstream "
    "gradient: that is the chain in the chain rule.",
)
def backpropagate_hands_on_ones(order, rule):
    backpropagate(order, lambda operation, inputs, output, upstream: rule(operation, inputs, output, 1.0))


@mistake(
    of=backpropagate,
    hint="You take the nodes out of the list that you were given, and whoever called is left with an empty one. Walk "
    "through it instead: `reversed(order)` changes nothing.",
)
def backpropagate_empties_the_list(order, rule):
    backpropagate(order, rule)
    order.clear()


@mistake(
    of=backpropagate,
    hint="You average what arrives at a shared node. A nudge of it moves the loss along every path at once, so the "
    "contributions add up.",
)
def backpropagate_averages(order, rule):
    uses = {}
    for node in order:
        for parent in node.parents:
            uses[parent] = uses.get(parent, 0) + 1
    for node in reversed(order):
        inputs = [parent.data for parent in node.parents]
        passed = rule(node.operation, inputs, node.data, node.grad) if node.parents else []
        for parent, gradient in zip(node.parents, passed, strict=True):
            parent.grad += gradient / uses[parent]


@mistake(
    of=backpropagate,
    hint="You set the last node's gradient to one yourself. The caller has set the gradients of the outputs, and they "
    "need not be one: leave them as they are.",
)
def backpropagate_starts_at_one(order, rule):
    order[-1].grad = 1.0
    backpropagate(order, rule)


@mistake(
    of=backpropagate,
    hint="Where one operation uses a node twice, as in a * a, only one of the two gradients arrives. A dictionary with "
    "nodes as its keys has one place for both.",
)
def backpropagate_merges_twins(order, rule):
    for node in reversed(order):
        if node.parents:
            inputs = [parent.data for parent in node.parents]
            passed = dict(zip(node.parents, rule(node.operation, inputs, node.data, node.grad), strict=True))
            for parent, gradient in passed.items():
                parent.grad += gradient


@mistake(
    of=backpropagate,
    hint="You clear the gradients before you begin, and lose what an earlier backward pass had brought. Clearing is "
    "the optimizer's business, after its step.",
)
def backpropagate_clears_first(order, rule):
    used = {parent for node in order for parent in node.parents}
    for node in used:
        node.grad = 0.0
    backpropagate(order, rule)


@built_without("torch.autograd.gradcheck", "torch.autograd.grad", "torch.Tensor.backward")
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
    slopes, errors = [], []
    for i, claimed in enumerate(gradient):
        up, down = list(point), list(point)
        up[i] += step
        down[i] -= step
        slope = (function(up) - function(down)) / (2 * step)
        slopes.append(slope)
        errors.append(abs(slope - claimed) / max(abs(slope), abs(claimed), 1e-8))
    return slopes, errors


@mistake(
    of=gradient_check,
    hint="You nudge to one side only. That slope belongs to a place half a step away; nudge up and down, and the error "
    "falls from the order of the step to that of its square.",
)
def gradient_check_one_sided(function, point, gradient, *, step=1e-5):
    def nudged_up(i):
        return [x + step * (i == j) for j, x in enumerate(point)]

    slopes = [(function(nudged_up(i)) - function(list(point))) / step for i in range(len(point))]
    return slopes, _relative_errors(slopes, gradient)


@mistake(
    of=gradient_check,
    hint="Your slopes are twice too large. From nudged down to nudged up the coordinate moves by two steps, not one.",
)
def gradient_check_divides_by_one_step(function, point, gradient, *, step=1e-5):
    slopes, _ = gradient_check(function, point, gradient, step=step)
    slopes = [2 * slope for slope in slopes]
    return slopes, _relative_errors(slopes, gradient)


@mistake(
    of=gradient_check,
    hint="You change the point and don't put the coordinate back, so each slope is measured a bit further away, and "
    "the caller's list is damaged. Nudge a copy.",
)
def gradient_check_leaves_the_point_nudged(function, point, gradient, *, step=1e-5):
    slopes = []
    for i in range(len(point)):
        point[i] += step
        above = function(point)
        point[i] -= 2 * step
        slopes.append((above - function(point)) / (2 * step))
    return slopes, _relative_errors(slopes, gradient)


@mistake(
    of=gradient_check,
    hint="You nudge all coordinates at once. That measures one slope, along the diagonal; nudge one coordinate at a "
    "time.",
)
def gradient_check_nudges_all_at_once(function, point, gradient, *, step=1e-5):
    rise = function([x + step for x in point]) - function([x - step for x in point])
    slopes = [rise / (2 * step)] * len(point)
    return slopes, _relative_errors(slopes, gradient)


@mistake(
    of=gradient_check,
    hint="Your errors are absolute. An error of 0.001 is nothing beside a slope of 1000, and everything beside one of "
    "0.001: divide by the larger of the two.",
)
def gradient_check_absolute_error(function, point, gradient, *, step=1e-5):
    slopes, _ = gradient_check(function, point, gradient, step=step)
    return slopes, [abs(slope - claimed) for slope, claimed in zip(slopes, gradient, strict=True)]


@mistake(
    of=gradient_check,
    hint="Some of your errors are negative. Whether a gradient is too small or too large, it is wrong: take the "
    "absolute value of the difference.",
)
def gradient_check_signed_error(function, point, gradient, *, step=1e-5):
    slopes, errors = gradient_check(function, point, gradient, step=step)
    signs = [1 if slope > claimed else -1 for slope, claimed in zip(slopes, gradient, strict=True)]
    return slopes, [sign * error for sign, error in zip(signs, errors, strict=True)]


@mistake(
    of=gradient_check,
    hint="You divide by the measured slope alone. Divide by the larger of the two, so that it makes no difference "
    "which of them is too large.",
)
def gradient_check_divides_by_the_slope(function, point, gradient, *, step=1e-5):
    slopes, _ = gradient_check(function, point, gradient, step=step)
    pairs = zip(slopes, gradient, strict=True)
    return slopes, [abs(slope - claimed) / max(abs(slope), 1e-8) for slope, claimed in pairs]


def _relative_errors(slopes, gradient):
    pairs = zip(slopes, gradient, strict=True)
    return [abs(slope - claimed) / max(abs(slope), abs(claimed), 1e-8) for slope, claimed in pairs]


@built_without(
    "torch.softmax",
    "torch.log_softmax",
    "torch.logsumexp",
    "torch.Tensor.softmax",
    "torch.Tensor.log_softmax",
    "torch.Tensor.logsumexp",
    "torch.Tensor.backward",
    "torch.autograd.grad",
    "torch.nn.functional.cross_entropy",
    "torch.nn.functional.nll_loss",
    "torch.nn.functional.softmax",
    "torch.nn.functional.log_softmax",
)
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
    rows = torch.arange(len(labels))
    shifted = logits - logits.amax(dim=1, keepdim=True)  # (n, classes): the largest is 0, so that exp stays below 1
    exponentials = shifted.exp()
    totals = exponentials.sum(dim=1, keepdim=True)  # (n, 1)
    losses = totals.squeeze(dim=1).log() - shifted[rows, labels]  # (n,)
    slopes = exponentials / totals
    slopes[rows, labels] -= 1
    return losses, slopes


@mistake(
    of=softmax_cross_entropy,
    hint="Large logits overflow: exp(1000) is infinite. Subtract each row's largest logit first; that changes no "
    "probability, and nothing exceeds exp(0) = 1.",
)
def softmax_cross_entropy_overflows(logits, labels):
    exponentials = logits.exp()
    totals = exponentials.sum(dim=1, keepdim=True)
    losses = totals.log()[:, 0] - logits[torch.arange(len(labels)), labels]
    return losses, exponentials / totals - _one_hot(logits, labels)


@mistake(
    of=softmax_cross_entropy,
    hint="A probability that rounds to 0 has the logarithm minus infinity. Don't take the logarithm of the softmax: "
    "simplify first, −log p = log(sum of exp) − logit.",
)
def softmax_cross_entropy_takes_log_of_zero(logits, labels):
    exponentials = (logits - logits.amax(dim=1, keepdim=True)).exp()
    probabilities = exponentials / exponentials.sum(dim=1, keepdim=True)
    losses = -probabilities[torch.arange(len(labels)), labels].log()
    return losses, probabilities - _one_hot(logits, labels)


@mistake(
    of=softmax_cross_entropy,
    hint="Your softmax runs over the examples of the batch instead of the classes: columns sum to one, rows don't. "
    "Each example's probabilities sum to one, which is dim=1.",
)
def softmax_cross_entropy_over_the_batch(logits, labels):
    probabilities = (logits - logits.amax(dim=0)).exp()
    probabilities = probabilities / probabilities.sum(dim=0)
    losses = -probabilities[torch.arange(len(labels)), labels].log()
    return losses, probabilities - _one_hot(logits, labels)


@mistake(
    of=softmax_cross_entropy,
    hint="You take the mean over the classes where the sum is meant. Only the label's term is not zero, so the mean "
    "makes the loss as many times too small as there are classes.",
)
def softmax_cross_entropy_averages_over_classes(logits, labels):
    losses, slopes = softmax_cross_entropy(logits, labels)
    return losses / logits.shape[1], slopes / logits.shape[1]


@mistake(
    of=softmax_cross_entropy,
    hint="You average over the batch. What is asked for is one loss and one row of slopes per example; whoever calls "
    "decides what to do with them.",
)
def softmax_cross_entropy_averages_over_the_batch(logits, labels):
    losses, slopes = softmax_cross_entropy(logits, labels)
    return losses.mean(), slopes / len(labels)


@mistake(
    of=softmax_cross_entropy,
    hint="Your slopes are the probabilities alone: they would push every score down, the right one too. Subtract 1 at "
    "the label.",
)
def softmax_cross_entropy_forgets_the_label(logits, labels):
    losses, slopes = softmax_cross_entropy(logits, labels)
    return losses, slopes + _one_hot(logits, labels)


@mistake(
    of=softmax_cross_entropy,
    hint="Your slopes have the opposite sign: they point downhill. A slope says how the loss grows; the step turns it "
    "round later.",
)
def softmax_cross_entropy_points_downhill(logits, labels):
    losses, slopes = softmax_cross_entropy(logits, labels)
    return losses, -slopes


@mistake(
    of=softmax_cross_entropy,
    hint="You subtracted the maximum in place, so the caller's logits have changed. Write `logits - ...` to a new "
    "name; `-=` and functions that end in `_` work on what you were given.",
)
def softmax_cross_entropy_damages_the_logits(logits, labels):
    logits -= logits.amax(dim=1, keepdim=True)
    return softmax_cross_entropy(logits, labels)


def _one_hot(logits, labels):
    return (torch.arange(logits.shape[1]) == labels[:, None]).to(logits.dtype)


@built_without("torch.optim.SGD")
def sgd_step(parameters, *, learning_rate):
    """Move each parameter a small step downhill, and clear its gradient for the next round.

    Args:
        parameters: a list of nodes with `data` and `grad`; both are changed in place.
        learning_rate: how far to go, per unit of slope.

    Returns:
        Nothing.

    Example: `data = 1.0` and `grad = 4.0` become 0.6 and 0.0 with `learning_rate=0.1`.
    """
    for parameter in parameters:
        parameter.data -= learning_rate * parameter.grad
        parameter.grad = 0.0


@mistake(
    of=sgd_step,
    hint="You go uphill. The gradient points to where the loss grows: go against it.",
)
def sgd_step_goes_uphill(parameters, *, learning_rate):
    sgd_step(parameters, learning_rate=-learning_rate)


@mistake(
    of=sgd_step,
    hint="You forget to clear the gradients. The next backward pass adds to what is there, so every step would drag "
    "along all earlier ones: set `grad` to 0 after moving.",
)
def sgd_step_keeps_the_gradients(parameters, *, learning_rate):
    for parameter in parameters:
        parameter.data -= learning_rate * parameter.grad


@mistake(
    of=sgd_step,
    hint="You clear the gradient before you use it, so nothing moves. First the step, then the zero.",
)
def sgd_step_clears_too_early(parameters, *, learning_rate):
    for parameter in parameters:
        parameter.grad = 0.0


@mistake(
    of=sgd_step,
    hint="You put the step in the place of the parameter. A step starts from where the parameter is: subtract from "
    "`data`.",
)
def sgd_step_replaces_the_parameter(parameters, *, learning_rate):
    for parameter in parameters:
        parameter.data = -learning_rate * parameter.grad
        parameter.grad = 0.0


@mistake(
    of=sgd_step,
    hint="You use only the sign of the gradient, so every parameter moves equally far. The steeper the slope, the "
    "longer the step.",
)
def sgd_step_uses_only_the_sign(parameters, *, learning_rate):
    for parameter in parameters:
        parameter.data -= learning_rate * ((parameter.grad > 0) - (parameter.grad < 0))
        parameter.grad = 0.0


@mistake(
    of=sgd_step,
    hint="You divide the step by the number of parameters. Each parameter has a slope of its own; how many others "
    "there are doesn't matter to it.",
)
def sgd_step_shares_out_the_step(parameters, *, learning_rate):
    sgd_step(parameters, learning_rate=learning_rate / len(parameters))
