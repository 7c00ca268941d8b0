"""The checks of the tiny lesson."""

import torch

from course_lib.exercises import check


@check("Each row adds up to one")
def rows_add_up(softmax, draw):
    return softmax(draw.normal(3, 5))


@check("Any axis can be the one that adds up")
def any_axis(softmax, draw):
    return [softmax(draw.normal(2, 3, 4), dim=dim) for dim in (0, 1, 2, -1)]


@check("Large numbers do not overflow")
def large_numbers(softmax, draw):
    return softmax(1000 * draw.normal(4, 6), dim=1)


@check("The logits are left as they were")
def logits_survive(softmax, draw):
    logits = [draw.normal(3, 5) for _ in range(3)]
    for each in logits:
        softmax(each)
    return logits


@check("The mean surprise at eight batches")
def mean_surprise(cross_entropy, draw):
    return [cross_entropy(draw.normal(n, 3), draw.labels(n, 3)) for n in range(2, 10)]


@check("The share of hits, eight times")
def share_of_hits(accuracy, draw):
    return [accuracy(draw.labels(n, 3), draw.labels(n, 3)) for n in range(20, 28)]


@check("All right is one")
def all_right_is_one(accuracy, draw):
    labels = draw.labels(7, 3)
    return accuracy(labels, labels)


def stands_after_parents(observed, expected):
    graph, order = observed
    if not isinstance(order, list) or sorted(order, key=str) != sorted(graph):
        return "each name must stand in the order once"
    for name, parents in graph.items():
        late = [parent for parent in parents if order.index(parent) > order.index(name)]
        if late:
            return f"{name} stands before its parent {late[0]}"
    return None


@check("Each name stands after its parents", judge=stands_after_parents)
def parents_first(topological_order, draw):
    graph = {"a": [], "b": ["a"], "c": ["a"], "d": ["b", "c"], "e": []}
    return graph, topological_order(graph)


@check("Lists in lists in lists")
def deep_lists(flatten, draw):
    numbers = [draw.number() for _ in range(4)]
    first, second, third, fourth = numbers
    return [
        flatten([first, [second, [third, [fourth]]]]),
        flatten([]),
        flatten([[[first]]]),
        flatten([[[]], [numbers]]),
    ]


@check("A short last batch weighs what it should")
def short_last_batch(RunningMean, draw):
    means = []
    for size in range(1, 11):
        mean = RunningMean()
        for batch in draw.normal(5 * size + 1).split(size + 1):
            mean.update(batch)
        means.append(mean.compute())
    return means


@check("The number of hits, eight times")
def number_of_hits(count_correct, draw):
    return [count_correct(draw.labels(n, 3).tolist(), draw.labels(n, 3).tolist()) for n in range(20, 28)]


def share_and_scale(observed, expected):
    zeros, survivors = observed
    if not 0.2 < zeros < 0.3:  # 4,000 draws at 0.25: seven standard deviations
        return f"{zeros:.0%} of the numbers became zero, expected about 25%"
    return None if abs(survivors - 4 / 3) < 1e-3 else f"the others became {survivors:.3g}, expected 1.33"


@check("A quarter becomes zero, the others grow", judge=share_and_scale)
def quarter_becomes_zero(dropout, draw):
    out = dropout(torch.ones(4000), probability=0.25, generator=draw.generator())
    return (out == 0).double().mean(), out.max()
