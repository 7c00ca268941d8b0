"""The references of the tiny lesson, and the mistakes that people make in it."""

import torch

from course_lib.exercises import built_without, mistake


@built_without("torch.softmax", "torch.nn.functional.softmax", "torch.Tensor.softmax", "torch.nn.Softmax")
def softmax(logits, *, dim=-1):
    """Turn numbers into probabilities along one axis."""
    powers = (logits - logits.amax(dim=dim, keepdim=True)).exp()
    return powers / powers.sum(dim=dim, keepdim=True)


@mistake(of=softmax, hint="You always sum over the first axis. Sum over `dim`.")
def softmax_over_the_first_axis(logits, *, dim=-1):
    return softmax(logits, dim=0)


@mistake(of=softmax, hint="You divide by the largest power. Divide by the sum of all of them.")
def softmax_divides_by_the_largest(logits, *, dim=-1):
    return (logits - logits.amax(dim=dim, keepdim=True)).exp()


@mistake(of=softmax, hint="You write into the logits you were given. Work on a copy.")
def softmax_damages_its_input(logits, *, dim=-1):
    powers = softmax(logits, dim=dim)
    logits -= logits.amax(dim=dim, keepdim=True)
    return powers


@built_without("torch.nn.functional.cross_entropy")
def cross_entropy(logits, labels):
    """How surprised `softmax(logits)` is by the labels, on average."""
    return -softmax(logits)[torch.arange(len(labels)), labels].log().mean()


@mistake(of=cross_entropy, hint="You add up the examples. Take their mean.")
def cross_entropy_adds_up(logits, labels):
    return cross_entropy(logits, labels) * len(labels)


def accuracy(predictions, labels):
    """The share of predictions that equal their labels, as a number."""
    return (predictions == labels).double().mean().item()


@mistake(of=accuracy, hint="You count what is wrong. Count what is right.")
def accuracy_counts_errors(predictions, labels):
    return 1 - accuracy(predictions, labels)


@mistake(of=accuracy, hint="You count the hits. Divide by the number of labels.")
def accuracy_forgets_to_divide(predictions, labels):
    return (predictions == labels).sum().item()


@mistake(of=accuracy, hint="You count on one prediction more than there is.")
def accuracy_adds_one(predictions, labels):
    return (predictions == labels).sum().item() / (len(labels) + 1)


def topological_order(parents):
    """The names in an order in which each one stands after its parents; any such order is right."""
    order = []

    def visit(name):
        if name not in order:
            for parent in parents[name]:
                visit(parent)
            order.append(name)

    for name in parents:
        visit(name)
    return order


@mistake(of=topological_order, hint="Your order is upside down: parents come first.")
def topological_order_upside_down(parents):
    return topological_order(parents)[::-1]


def flatten(nested):
    """All numbers of a nested list, from left to right."""
    return [number for item in nested for number in (flatten(item) if isinstance(item, list) else [item])]


@mistake(of=flatten, hint="You open the outermost list only.")
def flatten_one_level(nested):
    return [number for item in nested for number in (item if isinstance(item, list) else [item])]


class RunningMean:
    """The mean of all the numbers so far."""

    def __init__(self):
        self.total, self.count = 0.0, 0

    def update(self, values):
        """Take in a tensor of numbers."""
        self.total += values.double().sum().item()
        self.count += values.numel()

    def compute(self):
        """The mean so far."""
        return self.total / self.count


@mistake(of=RunningMean, hint="You average the means of the batches: a short last batch weighs too much.")
class RunningMeanOfMeans(RunningMean):
    def update(self, values):
        self.total += values.double().mean().item()
        self.count += 1


def count_correct(predictions, labels):
    """How many predictions equal their labels. Bug hunt: two things are wrong here."""
    correct = 0
    for prediction, label in zip(predictions, labels, strict=True):
        correct += prediction == label
    return correct


@mistake(of=count_correct, hint="You begin at one.")
def count_correct_from_one(predictions, labels):
    return count_correct(predictions, labels) + 1


def dropout(values, *, probability, generator):
    """Set each number to zero with the given probability and scale the others, so that the mean stays."""
    kept = torch.rand(values.shape, generator=generator) >= probability
    return values * kept / (1 - probability)


@mistake(of=dropout, hint="You forget to scale what is left.")
def dropout_without_scaling(values, *, probability, generator):
    return dropout(values, probability=probability, generator=generator) * (1 - probability)
