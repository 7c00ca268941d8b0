"""Lesson 11, transfer learning: the reference of each exercise, and the mistakes that people make."""

import torch
import torch.nn.functional as F
from torch import nn

from course_lib.exercises import built_without, mistake

SLEEPERS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.Dropout)  # what behaves differently in training


def fall_asleep(part, inputs):
    """A forward pre-hook: called before each call of a module, it puts it into evaluation mode."""
    part.eval()


@built_without("sklearn.linear_model.Ridge", "sklearn.linear_model.ridge_regression")
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
    targets = F.one_hot(labels, num_classes).to(features.dtype)
    centered = features - features.mean(dim=0)
    gram = centered.T @ centered + penalty * torch.eye(features.shape[1]).to(features)  # (d, d)
    weight = torch.linalg.solve(gram, centered.T @ targets).T
    return weight, targets.mean(dim=0) - weight @ features.mean(dim=0)


@mistake(
    of=linear_probe,
    hint="You have no bias: all scores are forced through zero. Center the features first; the bias then makes up for "
    "what you took away.",
)
def linear_probe_has_no_bias(features, labels, *, num_classes, penalty):
    targets = F.one_hot(labels, num_classes).to(features.dtype)
    gram = features.T @ features + penalty * torch.eye(features.shape[1], dtype=features.dtype)
    return torch.linalg.solve(gram, features.T @ targets).T, targets.new_zeros(num_classes)


@mistake(
    of=linear_probe,
    hint="You appended a column of ones and penalize its weight like the others. The bias costs nothing: center the "
    "features instead, or leave a zero in the penalty's last place.",
)
def linear_probe_penalizes_the_bias(features, labels, *, num_classes, penalty):
    targets = F.one_hot(labels, num_classes).to(features.dtype)
    with_one = torch.cat([features, features.new_ones(len(features), 1)], dim=1)
    gram = with_one.T @ with_one + penalty * torch.eye(with_one.shape[1], dtype=features.dtype)
    weight = torch.linalg.solve(gram, with_one.T @ targets).T
    return weight[:, :-1], weight[:, -1]


@mistake(
    of=linear_probe,
    hint="Your bias is the share of each class, as if the features had mean zero. You centered them, but those who use "
    "the layer don't: take `weight @ mean` off the bias.",
)
def linear_probe_forgets_the_center(features, labels, *, num_classes, penalty):
    weight, _ = linear_probe(features, labels, num_classes=num_classes, penalty=penalty)
    return weight, F.one_hot(labels, num_classes).to(features.dtype).mean(dim=0)


@mistake(
    of=linear_probe,
    hint="You weigh the penalty against the mean of the squared errors. Here it is their sum: with n examples your "
    "penalty is n times as strong as it should be.",
)
def linear_probe_takes_the_mean(features, labels, *, num_classes, penalty):
    return linear_probe(features, labels, num_classes=num_classes, penalty=penalty * len(features))


@mistake(
    of=linear_probe,
    hint="Your penalty has no effect. With fewer examples than features, weights then fit the noise, or can't be found "
    "at all: add it to the diagonal.",
)
def linear_probe_ignores_the_penalty(features, labels, *, num_classes, penalty):
    return linear_probe(features, labels, num_classes=num_classes, penalty=1e-6)


@mistake(
    of=linear_probe,
    hint="You add the penalty to every cell of the matrix. It belongs on the diagonal only: `penalty * torch.eye(d)`.",
)
def linear_probe_penalizes_every_cell(features, labels, *, num_classes, penalty):
    targets = F.one_hot(labels, num_classes).to(features.dtype)
    centered = features - features.mean(dim=0)
    gram = centered.T @ centered + penalty + 1e-9 * torch.eye(features.shape[1], dtype=features.dtype)
    weight = torch.linalg.solve(gram, centered.T @ targets).T
    return weight, targets.mean(dim=0) - weight @ features.mean(dim=0)


@mistake(
    of=linear_probe,
    hint="You centered the features you were given, in place. Whoever called you still needs them: write "
    "`features = features - mean`.",
)
def linear_probe_centers_in_place(features, labels, *, num_classes, penalty):
    found = linear_probe(features, labels, num_classes=num_classes, penalty=penalty)
    features -= features.mean(dim=0)
    return found


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
    name, old = [(name, part) for name, part in model.named_modules() if isinstance(part, nn.Linear)][-1]
    head = nn.Linear(old.in_features, num_classes, bias=old.bias is not None, dtype=old.weight.dtype)
    model.set_submodule(name, head)
    return head


def _linear_layers(model):
    return [(name, part) for name, part in model.named_modules() if isinstance(part, nn.Linear)]


@mistake(
    of=replace_head,
    hint="You only told the old head that it has another number of outputs. `out_features` is a label; the weights "
    "stay as they are. Make a new layer and put it in the old one's place.",
)
def replace_head_relabels_the_old_one(model, num_classes):
    _, old = _linear_layers(model)[-1]
    old.out_features = num_classes
    return old


@mistake(
    of=replace_head,
    hint="You replace the first linear layer. The head is the last one.",
)
def replace_head_takes_the_first(model, num_classes):
    name, old = _linear_layers(model)[0]
    head = nn.Linear(old.in_features, num_classes, bias=old.bias is not None, dtype=old.weight.dtype)
    model.set_submodule(name, head)
    return head


@mistake(
    of=replace_head,
    hint="You stack the new layer on top of the old head, so that it sees the old classes' logits instead of the "
    "features. Take the old head out.",
)
def replace_head_stacks_a_layer(model, num_classes):
    name, old = _linear_layers(model)[-1]
    head = nn.Linear(old.out_features, num_classes, bias=old.bias is not None, dtype=old.weight.dtype)
    model.set_submodule(name, nn.Sequential(old, head))
    return head


@mistake(
    of=replace_head,
    hint="You set `model.fc`. Not every model calls its head so, and where nothing of that name is used, the old head "
    "stays in service. Find the last linear layer's own name, and use `set_submodule`.",
)
def replace_head_sets_an_attribute(model, num_classes):
    _, old = _linear_layers(model)[-1]
    model.fc = nn.Linear(old.in_features, num_classes, bias=old.bias is not None, dtype=old.weight.dtype)
    return model.fc


@mistake(
    of=replace_head,
    hint="Your head always has a bias. Ask the old one: `bias=old.bias is not None`.",
)
def replace_head_always_has_a_bias(model, num_classes):
    name, old = _linear_layers(model)[-1]
    head = nn.Linear(old.in_features, num_classes, dtype=old.weight.dtype)
    model.set_submodule(name, head)
    return head


@mistake(
    of=replace_head,
    hint="Your head has torch's default dtype. In a model of another precision, the first forward pass fails: take "
    "`dtype=old.weight.dtype`.",
)
def replace_head_forgets_the_dtype(model, num_classes):
    name, old = _linear_layers(model)[-1]
    head = nn.Linear(old.in_features, num_classes, bias=old.bias is not None)
    model.set_submodule(name, head)
    return head


@mistake(
    of=replace_head,
    hint="You copy rows of the old head into the new one. They stand for other classes: the new head starts as a guess "
    "that is wrong with confidence. Leave its fresh weights alone.",
)
def replace_head_keeps_old_rows(model, num_classes):
    _, old = _linear_layers(model)[-1]
    head = replace_head(model, num_classes)
    rows = min(len(old.weight), num_classes)
    with torch.no_grad():
        head.weight[:rows] = old.weight[:rows]
    return head


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
    module.requires_grad_(False)
    for part in module.modules():
        if isinstance(part, SLEEPERS):
            part.register_forward_pre_hook(fall_asleep)
    return module


@mistake(
    of=freeze,
    hint="You freeze parameters only. Batch norm's running mean and variance are no parameters: in training mode they "
    "follow every batch. Keep batch norm (and dropout) in evaluation mode, too.",
)
def freeze_forgets_the_statistics(module):
    return module.requires_grad_(False)


@mistake(
    of=freeze,
    hint="You set an attribute, `module.requires_grad = False`, and nobody reads it: a module has no such switch. Call "
    "`module.requires_grad_(False)`, or go through its parameters.",
)
def freeze_sets_an_attribute(module):
    for part in module.modules():
        part.requires_grad = False
        if isinstance(part, SLEEPERS):
            part.register_forward_pre_hook(fall_asleep)
    return module


@mistake(
    of=freeze,
    hint="You call `eval()` once. The next `train()`, and every training loop calls it, undoes that. Make it happen at "
    "each call: with a forward pre-hook, for example.",
)
def freeze_calls_eval_once(module):
    return module.requires_grad_(False).eval()


@mistake(
    of=freeze,
    hint="You stop the statistics by a momentum of 0, but batch norm still normalizes by the batch that it sees. What "
    "is asked for is evaluation mode: it then uses what it has learned.",
)
def freeze_sets_the_momentum_to_zero(module):
    freeze_dropout_only(module.requires_grad_(False))
    for part in module.modules():
        if isinstance(part, SLEEPERS[:2]):
            part.momentum = 0.0
    return module


def freeze_dropout_only(module):
    for part in module.modules():
        if isinstance(part, SLEEPERS[2]):
            part.register_forward_pre_hook(fall_asleep)


@mistake(
    of=freeze,
    hint="Batch norm sleeps, but dropout goes on throwing the dice. A frozen module gives the same answer each time.",
)
def freeze_forgets_dropout(module):
    for part in module.requires_grad_(False).modules():
        if isinstance(part, SLEEPERS[:2]):
            part.register_forward_pre_hook(fall_asleep)
    return module


@mistake(
    of=freeze,
    hint="You freeze what lies directly in the module and in its children, but not what lies deeper. Use "
    "`parameters()`, which finds everything.",
)
def freeze_stays_at_the_surface(module):
    for part in module.modules():
        if isinstance(part, SLEEPERS):
            part.register_forward_pre_hook(fall_asleep)
    for part in (module, *module.children()):
        for parameter in part.parameters(recurse=False):
            parameter.requires_grad = False
    return module


@mistake(
    of=freeze,
    hint="You cut the graph: layers in front of the frozen ones get no gradient any more. Frozen weights don't change, "
    "but gradients must pass through them.",
)
def freeze_cuts_the_graph(module):
    module.register_forward_pre_hook(lambda part, inputs: tuple(each.detach() for each in inputs))
    return freeze(module)


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
    groups = []
    for place, part in enumerate(parts):
        learning = [parameter for parameter in part.parameters() if parameter.requires_grad]
        if learning:
            groups.append({"params": learning, "lr": learning_rate * factor ** (len(parts) - 1 - place)})
    return groups


def _changed(parts, change):
    groups = parameter_groups(parts, learning_rate=1.0, factor=0.5)
    learning = [place for place, part in enumerate(parts) if any(p.requires_grad for p in part.parameters())]
    for group, place in zip(groups, learning, strict=True):
        change(group, place)
    return groups


@mistake(
    of=parameter_groups,
    hint="`params` holds modules. An optimizer moves tensors: hand it `part.parameters()`.",
)
def parameter_groups_hands_over_modules(parts, *, learning_rate, factor):
    groups = parameter_groups(parts, learning_rate=learning_rate, factor=factor)
    learning = [part for part in parts if any(parameter.requires_grad for parameter in part.parameters())]
    return [{"params": [part], "lr": group["lr"]} for part, group in zip(learning, groups, strict=True)]


@mistake(
    of=parameter_groups,
    hint="Your rates run the other way: the input learns fastest, the new head slowest. What is new has most to learn.",
)
def parameter_groups_runs_the_other_way(parts, *, learning_rate, factor):
    return _changed(parts, lambda group, place: group.update(lr=learning_rate * factor**place))


@mistake(
    of=parameter_groups,
    hint="Your rates fall by the same amount from part to part. `factor` multiplies: take its power.",
)
def parameter_groups_falls_in_a_line(parts, *, learning_rate, factor):
    def change(group, place):
        group["lr"] = learning_rate * (1 - (1 - factor) * (len(parts) - 1 - place))

    return _changed(parts, change)


@mistake(
    of=parameter_groups,
    hint="Your head already has `factor` times the rate. It stands no step away from itself: the power is 0.",
)
def parameter_groups_starts_a_step_too_late(parts, *, learning_rate, factor):
    return parameter_groups(parts, learning_rate=learning_rate * factor, factor=factor)


@mistake(
    of=parameter_groups,
    hint="You hand over frozen parameters as well. With weight decay or momentum left over they may move, and the list "
    "no longer says what learns: ask each for `requires_grad`.",
)
def parameter_groups_takes_frozen_ones(parts, *, learning_rate, factor):
    return [
        {"params": list(part.parameters()), "lr": learning_rate * factor ** (len(parts) - 1 - place)}
        for place, part in enumerate(parts)
        if any(True for _ in part.parameters())
    ]


@mistake(
    of=parameter_groups,
    hint="You count only the parts that learn. A part's rate depends on its place among all of them, so freezing one "
    "must not change the rates of the others.",
)
def parameter_groups_counts_only_what_learns(parts, *, learning_rate, factor):
    learning = [part for part in parts if any(parameter.requires_grad for parameter in part.parameters())]
    return parameter_groups(learning, learning_rate=learning_rate, factor=factor)


@mistake(
    of=parameter_groups,
    hint="You take a part's own parameters only, not those of the layers inside it. `parameters()` finds all of them.",
)
def parameter_groups_stays_at_the_surface(parts, *, learning_rate, factor):
    groups = []
    for place, part in enumerate(parts):
        own = [parameter for parameter in part.parameters(recurse=False) if parameter.requires_grad]
        if own:
            groups.append({"params": own, "lr": learning_rate * factor ** (len(parts) - 1 - place)})
    return groups


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
    frozen = inputs @ weight.detach().T + bias.detach()
    return frozen + alpha / len(down) * (inputs @ down.T @ up.T)


@mistake(
    of=lora_linear,
    hint="`alpha` has no effect. The small layer counts `alpha / rank` times.",
)
def lora_linear_ignores_alpha(inputs, weight, bias, down, up, *, alpha):
    return lora_linear(inputs, weight, bias, down, up, alpha=len(down))


@mistake(
    of=lora_linear,
    hint="You multiply by `alpha` alone. Divide by the rank as well, so that a wider bottleneck doesn't shout louder.",
)
def lora_linear_forgets_the_rank(inputs, weight, bias, down, up, *, alpha):
    return lora_linear(inputs, weight, bias, down, up, alpha=alpha * len(down))


@mistake(
    of=lora_linear,
    hint="Your factor is upside down: it is `alpha / rank`.",
)
def lora_linear_turns_the_factor_over(inputs, weight, bias, down, up, *, alpha):
    return lora_linear(inputs, weight, bias, down, up, alpha=len(down) ** 2 / alpha)


@mistake(
    of=lora_linear,
    hint="You divide by the number of inputs. The rank is the bottleneck's width: `down.shape[0]`.",
)
def lora_linear_takes_the_inputs_for_the_rank(inputs, weight, bias, down, up, *, alpha):
    return lora_linear(inputs, weight, bias, down, up, alpha=alpha * len(down) / inputs.shape[-1])


@mistake(
    of=lora_linear,
    hint="The small layer replaces the frozen one. It stands beside it: add what both give.",
)
def lora_linear_drops_the_frozen_layer(inputs, weight, bias, down, up, *, alpha):
    return alpha / len(down) * (inputs @ down.T @ up.T)


@mistake(
    of=lora_linear,
    hint="Weight and bias get gradients, so they learn as well, and nothing is saved. Use `weight.detach()` and "
    "`bias.detach()`.",
)
def lora_linear_lets_the_weight_learn(inputs, weight, bias, down, up, *, alpha):
    return inputs @ weight.T + bias + alpha / len(down) * (inputs @ down.T @ up.T)


@mistake(
    of=lora_linear,
    hint="You scale the frozen layer, too. Only the small one counts `alpha / rank` times; the trained one stays as "
    "it is.",
)
def lora_linear_scales_everything(inputs, weight, bias, down, up, *, alpha):
    return alpha / len(down) * (inputs @ weight.detach().T + bias.detach() + inputs @ down.T @ up.T)


@mistake(
    of=lora_linear,
    hint="No gradient passes the frozen layer to the inputs. Detach its weight and bias, not its answer: layers below "
    "may want to learn, too.",
)
def lora_linear_detaches_the_answer(inputs, weight, bias, down, up, *, alpha):
    frozen = (inputs @ weight.T + bias).detach()
    return frozen + alpha / len(down) * (inputs @ down.T @ up.T)


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
    for part in model.children():
        if part is not model.head:
            freeze(part)
    optimizer = make_optimizer(model.head.parameters())
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
    return {"images": len(labels), "correct": correct, "accuracy": correct / len(labels)}


def _taught(model, splits, *, make_optimizer, num_steps, parameters=None, zero=True):
    """The lesson's steps, with one of them left out."""
    optimizer = make_optimizer(list(parameters or model.head.parameters()))
    model.train()
    for _ in range(num_steps):
        if zero:
            optimizer.zero_grad()
        F.cross_entropy(model(splits["train"][0]), splits["train"][1]).backward()
        optimizer.step()
    return teach_head(model, splits, make_optimizer=make_optimizer, num_steps=0)


@mistake(
    of=teach_head,
    hint="Your frozen layers train. A module has no `requires_grad` that anybody reads: freeze its parameters, and "
    "give the optimizer those of the head alone.",
)
def teach_head_trains_everything(model, splits, *, make_optimizer, num_steps):
    options = {"make_optimizer": make_optimizer, "num_steps": num_steps}
    return _taught(model, splits, parameters=list(model.parameters()), **options)


@mistake(
    of=teach_head,
    hint="The weights stay, but batch norm's statistics follow your training images. `freeze` what is not the head: it "
    "takes care of both.",
)
def teach_head_lets_statistics_drift(model, splits, *, make_optimizer, num_steps):
    return _taught(model, splits, make_optimizer=make_optimizer, num_steps=num_steps)


@mistake(
    of=teach_head,
    hint="Your report counts all images of all splits, as the walk-through's 60,000 test images did. Count those of "
    "the test split.",
)
def teach_head_counts_all_images(model, splits, *, make_optimizer, num_steps):
    report = teach_head(model, splits, make_optimizer=make_optimizer, num_steps=num_steps)
    images = sum(len(labels) for _, labels in splits.values())
    return {"images": images, "correct": report["correct"], "accuracy": report["correct"] / images}


@mistake(
    of=teach_head,
    hint="You report on the training images, which the head has learned. The question is how it does on others.",
)
def teach_head_reports_on_training_images(model, splits, *, make_optimizer, num_steps):
    teach_head(model, splits, make_optimizer=make_optimizer, num_steps=num_steps)
    only_train = {"train": splits["train"], "test": splits["train"]}
    return teach_head(model, only_train, make_optimizer=make_optimizer, num_steps=0)


@mistake(
    of=teach_head,
    hint="Gradients pile up from step to step, because nobody clears them. Call `optimizer.zero_grad()` in each step.",
)
def teach_head_never_clears_gradients(model, splits, *, make_optimizer, num_steps):
    for part in model.children():
        if part is not model.head:
            freeze(part)
    return _taught(model, splits, make_optimizer=make_optimizer, num_steps=num_steps, zero=False)


@mistake(
    of=teach_head,
    hint="The head is frozen, too, so nothing learns at all: freeze the other parts.",
)
def teach_head_freezes_the_head(model, splits, *, make_optimizer, num_steps):
    freeze(model)
    return teach_head(model, splits, make_optimizer=make_optimizer, num_steps=0)
