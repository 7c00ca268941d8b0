"""Lesson 02 against torch: its references, and the engine whose cells the learner reads."""

import ast
import random

import pytest
import torch
from torch.nn import functional as F

from course_lib.exercises.registry import load_lesson
from course_lib.paths import find_lesson

REFERENCES = {name: exercise.reference for name, exercise in load_lesson("backprop").exercises.items()}
IN_TORCH = {
    "+": torch.add,
    "*": torch.mul,
    "tanh": torch.tanh,
    "exp": torch.exp,
    "log": torch.log,
    "relu": torch.relu,
}
ENGINE = ("math", "partial", "Value", "FORWARD", "apply", "tanh", "exp", "log", "relu", "backward")


def engine():
    """The engine out of the lesson's own cells, driven by the references."""
    tree = ast.parse(find_lesson("backprop").source.read_text(encoding="utf-8"))
    tree.body = [statement for statement in tree.body if names_made(statement) & set(ENGINE)]
    namespace = dict(REFERENCES)
    exec(compile(tree, "lessons/02_backprop.py", "exec"), namespace)
    assert namespace.keys() >= set(ENGINE)
    return namespace


def names_made(statement):
    if isinstance(statement, ast.FunctionDef | ast.ClassDef):
        return {statement.name}
    if isinstance(statement, ast.Import | ast.ImportFrom):
        return {alias.asname or alias.name for alias in statement.names}
    if not isinstance(statement, ast.Assign):
        return set()
    return {node.id for node in ast.walk(statement) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}


LESSON = engine()


def random_graph(seed):
    """A graph of `Value`s and the same in torch, away from kinks and from numbers that grow without bound."""
    rng = random.Random(seed)
    nodes = [LESSON["Value"](rng.uniform(-2, 2)) for _ in range(4)]
    tensors = [torch.tensor(node.data, dtype=torch.float64, requires_grad=True) for node in nodes]
    while len(nodes) < 24:
        operation = rng.choice(list(IN_TORCH))
        chosen = [rng.randrange(max(0, len(nodes) - 8), len(nodes)) for _ in range(2 if operation in "+*" else 1)]
        if is_tame(operation, [nodes[i].data for i in chosen]):
            nodes.append(LESSON["apply"](operation, *[nodes[i] for i in chosen]))
            tensors.append(IN_TORCH[operation](*[tensors[i] for i in chosen]))
    return nodes, tensors


def is_tame(operation, inputs):
    if operation == "relu":
        return abs(inputs[0]) > 0.01
    if operation == "log":
        return inputs[0] > 0.1
    return max(inputs) < 2 if operation == "exp" else max(map(abs, inputs)) < 4


@pytest.mark.parametrize("seed", range(200))
def test_the_engine_agrees_with_torch(seed):
    nodes, tensors = random_graph(seed)
    ours, theirs = nodes[-1], tensors[-1]
    for node, tensor in zip(nodes[-6:-1], tensors[-6:-1], strict=True):
        ours, theirs = ours + node, theirs + tensor
    LESSON["backward"](ours)
    theirs.backward()
    torch.testing.assert_close(torch.tensor(ours.data, dtype=torch.float64), theirs.detach(), rtol=1e-6, atol=0)
    for node, tensor in zip(nodes[:4], tensors[:4], strict=True):
        expected = 0.0 if tensor.grad is None else tensor.grad.item()
        assert node.grad == pytest.approx(expected, rel=1e-6, abs=1e-12)


def test_the_random_graphs_hold_every_operation_and_shared_nodes():
    operations, num_shared = set(), 0
    for seed in range(200):
        nodes, _ = random_graph(seed)
        used = [id(parent) for node in nodes for parent in node.parents]
        operations |= {node.operation for node in nodes}
        num_shared += len(used) > len(set(used))
    assert operations == {"", *IN_TORCH}
    assert num_shared > 190


@pytest.mark.parametrize("operation", IN_TORCH)
@pytest.mark.parametrize("seed", range(5))
def test_each_backward_rule_agrees_with_torch_for_random_upstream_gradients(operation, seed):
    rng = random.Random(seed)
    low = 0.1 if operation == "log" else -3
    inputs = [rng.uniform(low, 3) for _ in range(2 if operation in "+*" else 1)]
    tensors = [torch.tensor(number, dtype=torch.float64, requires_grad=True) for number in inputs]
    output, upstream = IN_TORCH[operation](*tensors), rng.uniform(-5, 5)
    passed = REFERENCES["backward_rule"](operation, inputs, output.item(), upstream)
    expected = torch.autograd.grad(output, tensors, torch.tensor(upstream, dtype=torch.float64))
    assert passed == pytest.approx([gradient.item() for gradient in expected], rel=1e-12)


def test_relu_passes_at_zero_what_torch_passes():
    zero = torch.zeros((), requires_grad=True)
    torch.relu(zero).backward()
    assert REFERENCES["backward_rule"]("relu", [0.0], 0.0, 7.0) == [zero.grad.item()]


def test_an_operation_without_a_rule_is_an_error_that_names_it():
    with pytest.raises(ValueError, match="sinh"):
        REFERENCES["backward_rule"]("sinh", [1.0], 1.2, 1.0)


@pytest.mark.parametrize("seed", range(20))
def test_an_order_holds_each_node_once_and_after_its_parents(seed):
    nodes, _ = random_graph(seed)
    order = REFERENCES["topological_order"](nodes)
    places = {id(node): place for place, node in enumerate(order)}
    assert sorted(places) == sorted(id(node) for node in nodes)
    assert len(order) == len(nodes)
    assert all(places[id(parent)] < places[id(node)] for node in nodes for parent in node.parents)


@pytest.mark.parametrize("seed", range(5))
def test_gradient_check_measures_what_torch_differentiates(seed):
    weights = torch.randn(6, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))

    def function(point):
        return (torch.as_tensor(point, dtype=torch.float64) * weights).sin().exp().sum()

    point = weights.flip(0).clone().requires_grad_()
    (expected,) = torch.autograd.grad(function(point), point)
    measured, errors = REFERENCES["gradient_check"](
        lambda x: function(x).item(), point.tolist(), (1.25 * expected).tolist()
    )
    assert measured == pytest.approx(expected.tolist(), rel=1e-8)
    assert errors == pytest.approx([0.2] * 6, rel=1e-6)


@pytest.mark.parametrize("spread", [1.0, 30.0, 1000.0])
def test_losses_and_slopes_are_those_of_torch_however_large_the_logits(spread):
    generator = torch.Generator().manual_seed(0)
    logits = spread * torch.randn(50, 7, dtype=torch.float64, generator=generator)
    labels = torch.randint(7, (50,), generator=generator)
    losses, slopes = REFERENCES["softmax_cross_entropy"](logits, labels)
    leaf = logits.clone().requires_grad_()
    expected = F.cross_entropy(leaf, labels, reduction="none")
    torch.testing.assert_close(losses, expected.detach(), rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(slopes, torch.autograd.grad(expected.sum(), leaf)[0], rtol=1e-12, atol=1e-12)


def test_single_precision_stays_single():
    losses, slopes = REFERENCES["softmax_cross_entropy"](torch.zeros(2, 3), torch.tensor([0, 2]))
    assert losses.dtype == slopes.dtype == torch.float32


def test_three_steps_lead_where_torchs_optimizer_leads():
    parameters = [LESSON["Value"](number) for number in (0.5, -1.0, 2.0)]
    tensor = torch.tensor([0.5, -1.0, 2.0], dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.SGD([tensor], lr=0.3)
    for _ in range(3):
        for parameter in parameters:
            parameter.grad += 2 * parameter.data
        REFERENCES["sgd_step"](parameters, learning_rate=0.3)
        optimizer.zero_grad()
        (tensor**2).sum().backward()
        optimizer.step()
    assert [parameter.data for parameter in parameters] == pytest.approx(tensor.tolist(), rel=1e-12)
    assert [parameter.grad for parameter in parameters] == [0.0, 0.0, 0.0]
