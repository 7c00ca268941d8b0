"""What lesson 11's exercises owe us: scenarios that use an exercise and return what they observed; a judge compares."""

import torch
from torch import nn

from course_lib.exercises import check

# linear_probe


def examples(draw, count, width, *, num_classes=3):
    """Features whose mean is far from zero, in float64, and labels."""
    center = 3 + draw.uniform(width, dtype=torch.float64)
    return draw.normal(count, width, dtype=torch.float64) + center, draw.labels(count, num_classes)


@check("The weight is the best one")
def best_weights(linear_probe, draw):
    return [linear_probe(*examples(draw, n, 4), num_classes=3, penalty=2.5)[0] for n in (11, 20, 35)]


@check("The bias is the best one, for features as they come")
def best_biases(linear_probe, draw):
    return [linear_probe(*examples(draw, n, 5), num_classes=3, penalty=2.5)[1] for n in (11, 20, 35)]


@check("The penalty counts as it is given, however many examples there are")
def penalties(linear_probe, draw):
    features, labels = examples(draw, 17, 4)
    return [linear_probe(features, labels, num_classes=3, penalty=penalty) for penalty in (0.5, 4.0, 60.0)]


@check("Fewer examples than features")
def few_examples(linear_probe, draw):
    return [linear_probe(*examples(draw, n, 9), num_classes=3, penalty=1.5) for n in (4, 5, 7)]


@check("A class without examples has a row, too")
def missing_class(linear_probe, draw):
    features, labels = examples(draw, 13, 4)
    return [linear_probe(features, labels, num_classes=num_classes, penalty=2.0) for num_classes in (4, 6)]


@check("The features are left as they were")
def features_survive(linear_probe, draw):
    observed = []
    for count in (7, 12, 15):
        features, labels = examples(draw, count, 4)
        linear_probe(features, labels, num_classes=3, penalty=1.0)
        observed.append(features)
    return observed


# replace_head


class Tower(nn.Module):
    """A classifier with layers inside layers, whose head has a name of its own."""

    def __init__(self, *, name, sizes, bias=True, dtype=torch.float32):
        super().__init__()
        first, second = (nn.Linear(*pair, dtype=dtype) for pair in (sizes[:2], (sizes[1], sizes[1])))
        self.body = nn.Sequential(first, nn.Tanh(), second)
        self.name = name
        self.add_module(name, nn.Sequential(nn.Dropout(0.5), nn.Linear(sizes[1], sizes[2], bias=bias, dtype=dtype)))

    def forward(self, inputs):
        return getattr(self, self.name)(self.body(inputs))


def plan(model):
    """Names and shapes of all that a model holds, in one line."""
    return ", ".join(f"{name} {tuple(tensor.shape)}" for name, tensor in model.state_dict().items())


def towers(draw, *, count=9, **options):
    for _ in range(count):
        sizes = [draw.choice(range(2, 9)) for _ in range(2)] + [draw.choice(range(2, 5))]
        name = draw.choice(["classifier", "top", "decide", "head"])
        yield Tower(name=name, sizes=sizes, **options), draw.choice(range(5, 12))


@check("The last linear layer is a new one, all other layers stay, and all names")
def layers_after_replacing(replace_head, draw):
    observed = []
    for model, num_classes in towers(draw):
        replace_head(model, num_classes)
        observed.append(plan(model))
    return observed


@check("It is the new head that answers")
def new_head_answers(replace_head, draw):
    observed = []
    for model, num_classes in towers(draw, count=5):
        body = model.body
        head = replace_head(model, num_classes)
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.copy_(torch.linspace(-1, 1, parameter.numel()).view_as(parameter))
            try:
                observed.append(model.eval()(torch.ones(3, body[0].in_features)))
            except RuntimeError:
                observed.append("the layers no longer fit together")
        observed.append(tuple(head.weight.shape))
    return observed


@check("A head without a bias is followed by one without")
def heads_without_bias(replace_head, draw):
    observed = []
    for model, num_classes in towers(draw, bias=False):
        replace_head(model, num_classes)
        observed.append(plan(model))
    return observed


@check("The new head has the model's precision")
def precision_of_the_head(replace_head, draw):
    observed = []
    for model, num_classes in towers(draw, dtype=torch.float64):
        head = replace_head(model, num_classes)
        observed.append(str(head.weight.dtype))
    return observed


@check("Its weights are fresh, and it can learn")
def fresh_weights(replace_head, draw):
    observed = []
    for model, num_classes in towers(draw):
        old = getattr(model, model.name)[1].weight.detach().clone()
        head = replace_head(model, num_classes)
        rows = min(len(old), len(head.weight))
        observed.append(
            f"old rows: {old.shape[1] == head.weight.shape[1] and torch.equal(head.weight[:rows], old[:rows])}"
        )
        observed.append(head.weight.requires_grad)
    return observed


# freeze


def network(draw):
    """Two blocks with batch norm, dropout and layers inside layers, and a head; float64, numbers from the draw."""
    first = nn.Sequential(nn.Linear(5, 7), nn.BatchNorm1d(7), nn.Tanh())
    second = nn.Sequential(nn.Sequential(nn.Linear(7, 6), nn.Sequential(nn.BatchNorm1d(6))), nn.Dropout(0.4), nn.Tanh())
    model = nn.Sequential(first, second, nn.Linear(6, 3)).double()
    for tensor in model.state_dict().values():
        if tensor.is_floating_point():
            tensor.copy_(draw.uniform(*tensor.shape, low=0.2, high=1.2, dtype=torch.float64))
    return model


def a_step(model, draw):
    """One step of gradient descent on all that can learn; the outputs."""
    outputs = model(draw.normal(8, 5, dtype=torch.float64) + 1)
    if outputs.requires_grad:
        outputs.square().mean().backward()
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.grad is not None and parameter.requires_grad:
                parameter -= 0.1 * parameter.grad
    return outputs.detach()


@check("After a step in training mode, nothing frozen has changed")
def nothing_changes(freeze, draw):
    model = network(draw)
    freeze(model[0]), freeze(model[1])
    model.train()
    a_step(model, draw)
    return [tensor.double() for tensor in model.state_dict().values()]


@check("What is not frozen learns on, also before the frozen part")
def others_learn(freeze, draw):
    model = network(draw)
    freeze(model[1])
    model.train()
    a_step(model, draw)
    return [tensor.double() for tensor in model.state_dict().values()]


@check("In training mode the frozen part answers as in evaluation, each time")
def same_answers(freeze, draw):
    model = freeze(network(draw))
    model.train()
    images = draw.normal(8, 5, dtype=torch.float64)
    return [model(images).detach() for _ in range(3)]


@check("A model that is in training mode already is frozen at once")
def frozen_at_once(freeze, draw):
    model = network(draw).train()
    freeze(model)
    a_step(model, draw)
    return [tensor.double() for tensor in model.state_dict().values()]


@check("It can be frozen twice, and comes back itself")
def frozen_twice(freeze, draw):
    model = network(draw)
    same = freeze(freeze(model)) is model
    model.train()
    learning = [parameter.requires_grad for parameter in model.parameters()]
    return same, learning, a_step(model, draw)


# parameter_groups


def parts_of(draw, *, frozen=(), empty=()):
    """Parts of a network, and the name of each of their parameters by its identity."""
    count, parts, names = 5, [], {}
    for place in range(count):
        part = nn.Sequential(nn.Linear(2, 3), nn.Sequential(nn.Linear(3, 2, bias=draw.choice([True, False]))))
        part = nn.ReLU() if place in empty else part
        part.requires_grad_(place not in frozen)
        parts.append(part)
        names |= {id(parameter): f"{place}.{name}" for name, parameter in part.named_parameters()}
    return parts, names


def listed(groups, names):
    """Groups in words: which parameters, and the rate."""
    params = [" ".join(names.get(id(each), type(each).__name__) for each in group["params"]) for group in groups]
    return params, [group["lr"] for group in groups]


@check("All parts learn: every parameter stands in its part's group")
def all_parts_learn(parameter_groups, draw):
    observed = []
    for _ in range(3):
        parts, names = parts_of(draw)
        observed.append(listed(parameter_groups(parts, learning_rate=0.5, factor=0.25), names)[0])
    return observed


@check("The head has the full rate, the part before it `factor` times that, and so on")
def rates_of_all_parts(parameter_groups, draw):
    observed = []
    for _ in range(3):
        parts, names = parts_of(draw)
        options = {"learning_rate": draw.number(0.1, 1), "factor": draw.number(0.2, 0.45)}
        observed.append(listed(parameter_groups(parts, **options), names)[1])
    return observed


@check("Frozen parts, and parts without parameters, have no group; the others keep their rates")
def frozen_parts(parameter_groups, draw):
    observed = []
    for frozen, empty in (((0,), (2,)), ((1, 2), (3,)), ((4,), ()), ((0, 1), (4,))):
        parts, names = parts_of(draw, frozen=frozen, empty=empty)
        options = {"learning_rate": draw.number(0.1, 1), "factor": draw.number(0.2, 0.45)}
        observed.append(listed(parameter_groups(parts, **options), names))
    return observed


@check("In a part that is half frozen, only what learns is listed")
def half_frozen_parts(parameter_groups, draw):
    observed = []
    for _ in range(2):
        parts, names = parts_of(draw)
        for part in parts:
            part[0].weight.requires_grad_(False)
        observed.append(listed(parameter_groups(parts, learning_rate=0.5, factor=0.25), names)[0])
    return observed


# lora_linear


def layers(draw, *, rank, num_inputs=7, num_outputs=4):
    shapes = ((num_outputs, num_inputs), (num_outputs,), (rank, num_inputs), (num_outputs, rank))
    return [draw.normal(*shape, dtype=torch.float64) for shape in shapes]


@check("Both layers together, for bottlenecks of several widths")
def both_layers(lora_linear, draw):
    inputs = draw.normal(5, 7, dtype=torch.float64)
    return [lora_linear(inputs, *layers(draw, rank=rank), alpha=11.0) for rank in (1, 2, 3, 5)]


@check("Inputs with more than two dimensions")
def more_dimensions(lora_linear, draw):
    return [
        lora_linear(draw.normal(*shape, 7, dtype=torch.float64), *layers(draw, rank=2), alpha=3.0)
        for shape in ((2, 3), (1, 2, 2), (4,))
    ]


@check("It begins as the frozen layer: with zeros in `up`, the small one says nothing")
def begins_as_the_frozen_layer(lora_linear, draw):
    observed = []
    for rank in (1, 2, 3):
        weight, bias, down, up = layers(draw, rank=rank)
        observed.append(lora_linear(draw.normal(3, 7, dtype=torch.float64), weight, bias, down, 0 * up, alpha=11.0))
    return observed


@check("Only the small layer learns, and gradients pass to the inputs")
def gradients_of_lora(lora_linear, draw):
    observed = []
    for rank in (1, 2, 3, 4):
        tensors = [draw.normal(5, 7, dtype=torch.float64), *layers(draw, rank=rank)]
        tensors = [tensor.requires_grad_() for tensor in tensors]
        lora_linear(*tensors, alpha=8.0).tanh().sum().backward()
        observed.append([torch.zeros_like(each) if each.grad is None else each.grad for each in tensors])
    return observed


# teach_head


class Descent:
    """Plain gradient descent, as an optimizer: it takes tensors and, like torch's, refuses anything else."""

    def __init__(self, parameters):
        self.parameters = list(parameters)
        for parameter in self.parameters:
            if not isinstance(parameter, torch.Tensor):
                raise TypeError(f"optimizer can only optimize Tensors, but one of the params is {type(parameter)}")

    def zero_grad(self):
        for parameter in self.parameters:
            parameter.grad = None

    @torch.no_grad()
    def step(self):
        for parameter in self.parameters:
            if parameter.grad is not None:
                parameter -= 0.3 * parameter.grad


class Trained(nn.Module):
    """A small network with batch norm, and a head of its own."""

    def __init__(self, draw):
        super().__init__()
        self.stem = nn.Sequential(nn.Linear(4, 6), nn.BatchNorm1d(6), nn.Tanh())
        self.head = nn.Linear(6, 3)
        self.double()
        for tensor in self.state_dict().values():
            if tensor.is_floating_point():
                tensor.copy_(draw.uniform(*tensor.shape, low=-1.2, high=1.2, dtype=torch.float64).abs() + 0.1)

    def forward(self, images):
        return self.head(self.stem(images))


def exam(draw, *, counts):
    """Images in three heaps, moved apart by class; labels."""
    splits = {}
    for name, count in counts.items():
        labels = draw.labels(count, 3)
        splits[name] = draw.normal(count, 4, dtype=torch.float64) + labels[:, None], labels
    return splits


@check("After some steps the head has learned, and nothing else has changed")
def what_has_changed(teach_head, draw):
    observed = []
    for num_steps in (1, 2, 3, 4):
        model, splits = Trained(draw), exam(draw, counts={"train": 31, "test": 17})
        teach_head(model, splits, make_optimizer=Descent, num_steps=num_steps)
        observed.append([tensor.double() for tensor in model.state_dict().values()])
    return observed


@check("The report counts the test images, and those of them that are right")
def reports(teach_head, draw):
    observed = []
    for _ in range(5):
        splits = exam(draw, counts={"train": draw.choice(range(50, 70)), "test": draw.choice(range(20, 40))})
        report = teach_head(Trained(draw), splits, make_optimizer=Descent, num_steps=4)
        observed.append([report["images"], report["correct"], report["accuracy"]])
    return observed


@check("A model that comes in evaluation mode is taught in the same way")
def comes_in_evaluation_mode(teach_head, draw):
    model, splits = Trained(draw).eval(), exam(draw, counts={"train": 31, "test": 17})
    teach_head(model, splits, make_optimizer=Descent, num_steps=2)
    return [tensor.double() for tensor in model.state_dict().values()]
