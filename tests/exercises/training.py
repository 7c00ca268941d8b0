"""What lesson 03's exercises owe us: scenarios that use an exercise and return what they observed; a judge compares."""

import math

import torch
from torch import nn

from course_lib.exercises import check

# train_one_epoch


class Diary:
    """Gradient descent with momentum, as `torch.optim.SGD` does it, that notes which gradients each step found.

    Torch's own would load a large part of torch with the first one of a process: seconds before the first card.
    """

    def __init__(self, parameters, *, lr, momentum=0.0, before_step=lambda: None):
        self.param_groups = [{"params": list(parameters), "lr": lr, "momentum": momentum}]
        self.velocities = [torch.zeros_like(each) for each in self.param_groups[0]["params"]]
        self.found, self.before_step = [], before_step

    @torch.no_grad()
    def step(self, closure=None):
        self.before_step()
        group = self.param_groups[0]
        gradients = [torch.zeros_like(each) if each.grad is None else each.grad for each in group["params"]]
        self.found.append(torch.cat([gradient.flatten() for gradient in gradients]))
        for parameter, velocity in zip(group["params"], self.velocities, strict=True):
            if parameter.grad is not None:
                velocity.mul_(group["momentum"]).add_(parameter.grad)
                parameter.data.sub_(group["lr"] * velocity)

    def zero_grad(self, set_to_none=True):
        for parameter in self.param_groups[0]["params"]:
            parameter.grad = None if set_to_none or parameter.grad is None else torch.zeros_like(parameter.grad)


def small_network(draw):
    network = nn.Sequential(nn.Linear(3, 5), nn.Tanh(), nn.Linear(5, 2)).double()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.copy_(draw.normal(*parameter.shape, dtype=torch.float64))
    return network


def batches_of(draw, *sizes):
    return [(draw.normal(n, 3, dtype=torch.float64), draw.normal(n, 2, dtype=torch.float64)) for n in sizes]


def squared_errors(model, batch):
    inputs, targets = batch
    return ((model(inputs) - targets) ** 2).sum(dim=1)


def weights_of(model):
    return [parameter.detach() for parameter in model.parameters()]


@check("One batch: one step against the gradient of its mean loss")
def one_batch_one_step(train_one_epoch, draw):
    model = small_network(draw)
    optimizer = Diary(model.parameters(), lr=0.1)
    train_one_epoch(model, batches_of(draw, 6), squared_errors, optimizer=optimizer)
    return weights_of(model)


@check("Each step finds the gradient of its own batch, and of no other")
def own_gradient_for_each_step(train_one_epoch, draw):
    model = small_network(draw)
    optimizer = Diary(model.parameters(), lr=0.05)
    train_one_epoch(model, batches_of(draw, 4, 4, 4, 3), squared_errors, optimizer=optimizer)
    return optimizer.found


@check("For each batch: first the losses, then the gradients, then the step")
def order_of_the_calls(train_one_epoch, draw):
    model, events = small_network(draw), []
    optimizer = Diary(model.parameters(), lr=0.05, before_step=lambda: events.append("step"))
    model[0].weight.register_hook(lambda gradient: events.append("gradients"))

    def losses_fn(model, batch):
        events.append("losses")
        return squared_errors(model, batch)

    train_one_epoch(model, batches_of(draw, 4, 4, 4, 2), losses_fn, optimizer=optimizer)
    return events


@check("The model is in training mode while it learns, also if it came from a validation")
def training_mode(train_one_epoch, draw):
    modes = []
    for _ in range(2):
        model = small_network(draw).eval()

        def losses_fn(model, batch):
            modes.append(f"training: {model.training}")
            return squared_errors(model, batch)

        optimizer = Diary(model.parameters(), lr=0.01)
        train_one_epoch(model, batches_of(draw, 3, 3, 3, 3), losses_fn, optimizer=optimizer)
    return modes


@check("The mean loss counts each example once, also those of a short last batch")
def mean_loss(train_one_epoch, draw):
    observed = []
    for last in (1, 2, 3, 1, 2, 3, 1, 2, 3):
        model = small_network(draw)
        optimizer = Diary(model.parameters(), lr=0.01)
        observed.append(train_one_epoch(model, batches_of(draw, 5, 5, last), squared_errors, optimizer=optimizer))
    return observed


@check("Two epochs with momentum, the batches from a generator that can be walked through only once")
def two_epochs_from_a_generator(train_one_epoch, draw):
    model = small_network(draw)
    optimizer = Diary(model.parameters(), lr=0.02, momentum=0.9)
    for _ in range(2):
        batches = (batch for batch in batches_of(draw, 4, 4, 2))
        train_one_epoch(model, batches, squared_errors, optimizer=optimizer)
    return weights_of(model)


# adamw_step


def fresh_state(weights):
    return {"step": 0, "mean": torch.zeros_like(weights), "square": torch.zeros_like(weights)}


def numbers(draw, *shape):
    return draw.normal(*shape, dtype=torch.float64)


@check("Without decay, the first step is as long as the learning rate, whatever the gradient's size")
def first_step(adamw_step, draw):
    observed = []
    for scale in (1e-3, 1.0, 1e3):
        weights, gradient = numbers(draw, 5), scale * numbers(draw, 5)
        adamw_step(weights, gradient, fresh_state(weights), learning_rate=draw.number(0.01, 0.1), weight_decay=0.0)
        observed.append(weights)
    return observed


@check("Four steps in a row, in which the state goes along")
def steps_with_state(adamw_step, draw):
    weights, observed = numbers(draw, 3, 4), []
    state = fresh_state(weights)
    for _ in range(4):
        adamw_step(weights, numbers(draw, 3, 4), state, learning_rate=0.05)
        observed.append(weights.clone())
    return observed


@check("The state holds the number of steps and both running means; the gradient is left as it was")
def state_afterwards(adamw_step, draw):
    observed = []
    for num_steps in (1, 2, 3):
        weights, gradient = numbers(draw, 6), numbers(draw, 6)
        state = fresh_state(weights)
        for _ in range(num_steps):
            adamw_step(weights, gradient, state, learning_rate=0.05, weight_decay=0.5)
        observed.append({**state, "gradient": gradient})
    return observed


@check("Training may go on from any state, with other betas")
def any_state(adamw_step, draw):
    observed = []
    for step in (2, 3, 7):
        weights = numbers(draw, 5)
        state = {"step": step, "mean": 0.3 * numbers(draw, 5), "square": draw.uniform(5, low=0.2, dtype=torch.float64)}
        adamw_step(weights, numbers(draw, 5), state, learning_rate=0.1, betas=(0.8, 0.95), weight_decay=0.0)
        observed.append(weights)
    return observed


@check("Where there is no gradient, the weights shrink by learning rate times decay, and nothing else happens")
def decay_alone(adamw_step, draw):
    observed = []
    for decay in (0.1, 0.5, 2.0):
        weights = numbers(draw, 5)
        adamw_step(weights, torch.zeros_like(weights), fresh_state(weights), learning_rate=0.1, weight_decay=decay)
        observed.append(weights)
    return observed


@check("Weights with large gradients decay as much as those with small ones")
def decay_is_decoupled(adamw_step, draw):
    observed = []
    for scale in (0.01, 1.0, 100.0):
        weights, gradient = 1 + draw.uniform(5, dtype=torch.float64), scale * numbers(draw, 5)
        state = fresh_state(weights)
        for _ in range(3):
            adamw_step(weights, gradient, state, learning_rate=0.1, weight_decay=0.8)
        observed.append(weights)
    return observed


@check("eps is added to the root, not to what is under it")
def eps_outside(adamw_step, draw):
    observed = []
    for eps in (0.01, 0.1, 1.0):
        weights, gradient = numbers(draw, 5), 0.1 * numbers(draw, 5)
        adamw_step(weights, gradient, fresh_state(weights), learning_rate=0.1, eps=eps, weight_decay=0.0)
        observed.append(weights)
    return observed


# early_stopping


def curve(draw, length, *, drop=0.6):
    """Losses that fall at first and climb later, with bumps on the way."""
    bottom = length * drop
    return [0.5 + 0.02 * (epoch - bottom) ** 2 + draw.number(0, 0.5) for epoch in range(length)]


@check("One valley, small enough to follow by hand")
def one_valley(early_stopping, draw):
    observed = []
    for patience in (1, 2, 3, 2, 1):
        down = sorted((draw.number(0, 1) for _ in range(draw.choice([2, 3, 4]))), reverse=True)
        up = sorted(draw.number(1, 2) for _ in range(6))
        observed.append(early_stopping(down + up, patience=patience))
    return observed


@check("A new best starts the waiting afresh")
def waiting_afresh(early_stopping, draw):
    observed = []
    for _ in range(6):
        losses, height = [], 5.0
        for _ in range(4):
            losses += [height, height + draw.number(0.1, 0.4)]
            height -= draw.number(0.5, 1.0)
        observed.append(early_stopping([*losses, height + 2, height + 3, height + 4], patience=2))
    return observed


@check("Better means better than the best so far")
def better_than_the_best(early_stopping, draw):
    observed = []
    for _ in range(6):
        low = draw.number(0.1, 0.2)
        climb = [low + height + draw.number(0, 0.05) for height in (0.5, 0.4, 0.9, 0.8, 1.3, 1.2, 1.7)]
        observed.append(early_stopping([1.0, low, *climb], patience=draw.choice([2, 3, 4])))
    return observed


@check("An equal loss is not better")
def plateau(early_stopping, draw):
    observed = []
    for patience in (1, 2, 3, 1, 2, 3):
        level = draw.number(0.2, 0.8)
        observed.append(early_stopping([level + 1, level + 0.5] + [level] * 8, patience=patience))
    return observed


@check("No epoch is trained beyond the last one that is needed")
def no_epoch_too_many(early_stopping, draw):
    observed = []
    for patience in (1, 2, 3, 4, 2, 3, 1, 4, 2):
        asked = []

        def training(losses, asked):
            for loss in losses:
                asked.append(loss)
                yield loss

        early_stopping(training(curve(draw, 24, drop=0.3), asked), patience=patience)
        observed.append(len(asked))
    return observed


@check("A smaller loss that comes after the stop is not known, and counts for nothing")
def nobody_knows_the_future(early_stopping, draw):
    observed = []
    for patience in (1, 2, 3, 2, 1):
        valley = [draw.number(1.2, 1.5), draw.number(0.6, 0.9)] + [draw.number(1, 2) for _ in range(patience + 1)]
        observed.append(early_stopping([*valley, 0.3, 0.2, 1.0, 1.0], patience=patience))
    return observed


@check("If the losses end before patience does, so does training")
def losses_that_end(early_stopping, draw):
    return [early_stopping(curve(draw, length), patience=20) for length in (5, 6, 8, 11, 14)]


@check("A loss that is NaN is never better")
def nan_is_not_better(early_stopping, draw):
    observed = []
    for patience in (2, 3, 4, 5):
        level = draw.number(0.2, 0.8)
        observed.append(early_stopping([level, math.nan, level - 0.1] + [math.nan] * 8, patience=patience))
        observed.append(early_stopping([math.nan] * 3 + [level] + [level + 1] * 8, patience=patience))
    return observed


# dropout


def grid(draw, *shape):
    """Noise in eighths, so that some of it hits the rate exactly."""
    return draw.integers(*shape, high=8).double() / 8


@check("Dropped below the rate, scaled up elsewhere")
def drops_and_scales(dropout, draw):
    return [
        dropout(numbers(draw, 4, 5), draw.uniform(4, 5, dtype=torch.float64), rate=rate) for rate in (0.2, 0.35, 0.7)
    ]


@check("Noise that equals the rate is not below it")
def noise_at_the_rate(dropout, draw):
    return [dropout(numbers(draw, 5, 6), grid(draw, 5, 6), rate=rate) for rate in (0.25, 0.5, 0.625)]


@check("A rate of 0 changes nothing, and any shape will do")
def rate_of_zero(dropout, draw):
    shapes = [(7,), (3, 4), (2, 3, 4)]
    return [dropout(numbers(draw, *shape), grid(draw, *shape), rate=0.0) for shape in shapes]


@check("When the network is not learning, the inputs pass as they are")
def nothing_in_use(dropout, draw):
    return [dropout(numbers(draw, 4, 5), grid(draw, 4, 5), rate=rate, training=False) for rate in (0.25, 0.5, 0.75)]


@check("The inputs are left as they were")
def inputs_survive(dropout, draw):
    observed = []
    for rate in (0.25, 0.5, 0.75):
        inputs = numbers(draw, 4, 5)
        dropout(inputs, grid(draw, 4, 5), rate=rate, training=True)
        observed.append(inputs)
    return observed


@check("Gradients pass where the input was kept, scaled like it")
def gradients_of_dropout(dropout, draw):
    observed = []
    for rate in (0.25, 0.5, 0.75):
        inputs = numbers(draw, 4, 5).requires_grad_()
        weights = numbers(draw, 4, 5)
        (dropout(inputs, grid(draw, 4, 5), rate=rate) * weights).sum().backward()
        observed.append(inputs.grad)
    return observed


# precision_recall_f1


def read_often_right(draw, n, num_classes, *, share=0.6):
    """Labels of uneven frequency, and predictions that are often right."""
    labels = (num_classes * draw.uniform(n) ** 2).long()
    guesses = (num_classes * draw.uniform(n) ** 1.5).long()
    return torch.where(draw.uniform(n) < share, labels, guesses), labels


def in_single_precision(answer):
    """Let macro-F1 be as exact as the tensors beside it, whether it was averaged in single or double precision."""
    if isinstance(answer, tuple | list) and len(answer) == 4 and isinstance(answer[3], float):
        return [*answer[:3], torch.tensor(answer[3], dtype=torch.float32).item()]
    return answer


@check("Two classes, few enough to count by hand")
def two_classes(precision_recall_f1, draw):
    observed = [precision_recall_f1(*read_often_right(draw, 7, 2), num_classes=2) for _ in range(4)]
    return [in_single_precision(answer) for answer in observed]


@check("Many classes, some frequent and some rare")
def many_classes(precision_recall_f1, draw):
    observed = [precision_recall_f1(*read_often_right(draw, n, 5), num_classes=5) for n in (60, 90, 120)]
    return [in_single_precision(answer) for answer in observed]


@check("A class that is never named, or does not occur, gets zeros and counts in the mean")
def classes_that_are_missing(precision_recall_f1, draw):
    observed = []
    for n in (12, 20, 30, 40):
        predictions, labels = read_often_right(draw, n, 4)
        predictions[predictions == 2] = 1  # class 2 is never named; classes 4 to 6 occur nowhere
        observed.append(in_single_precision(precision_recall_f1(predictions, labels, num_classes=7)))
    return observed


@check("Everything right gives ones, everything wrong gives zeros")
def the_best_and_the_worst(precision_recall_f1, draw):
    observed = []
    for offset in (0, 1, 0):
        labels = torch.arange(4).repeat_interleave(torch.tensor([9, 4, 2, 1]))[draw.permutation(16)]
        observed.append(in_single_precision(precision_recall_f1((labels + offset) % 4, labels, num_classes=4)))
    return observed


@check("Macro-F1 gives each class one voice")
def one_voice_for_each_class(precision_recall_f1, draw):
    observed = []
    for n in (25, 35, 45, 55, 65, 75, 85, 95, 105):
        predictions, labels = read_often_right(draw, n, 4, share=0.5)
        observed.append(in_single_precision(precision_recall_f1(predictions, labels, num_classes=6))[3])
    return observed
