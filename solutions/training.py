"""Lesson 03, training: the reference of each exercise, and the mistakes that people make."""

import math

import torch

from course_lib.exercises import built_without, mistake


@built_without("course_lib.training.loop.train_epoch")
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
    model.train()
    total, count = 0.0, 0
    for batch in batches:
        losses = losses_fn(model, batch)  # (batch,): one number per example
        losses.mean().backward()
        optimizer.step()
        optimizer.zero_grad()
        total += losses.detach().sum().item()
        count += len(losses)
    return total / count


@mistake(
    of=train_one_epoch,
    hint="The gradients are never cleared, so each step drags all earlier batches along: backward() adds to what "
    "is there. Call optimizer.zero_grad() once per batch.",
)
def train_one_epoch_never_clears(model, batches, losses_fn, *, optimizer):
    model.train()
    total, count = 0.0, 0
    for batch in batches:
        losses = losses_fn(model, batch)
        losses.mean().backward()
        optimizer.step()
        total, count = total + losses.sum().item(), count + len(losses)
    return total / count


@mistake(
    of=train_one_epoch,
    hint="You step before you go back: each step uses the gradients of the batch before, and the first one uses "
    "none. First backward(), which makes the gradients, then step(), which uses them.",
)
def train_one_epoch_steps_before_backward(model, batches, losses_fn, *, optimizer):
    model.train()
    total, count = 0.0, 0
    for batch in batches:
        losses = losses_fn(model, batch)
        optimizer.step()
        optimizer.zero_grad()
        losses.mean().backward()
        total, count = total + losses.sum().item(), count + len(losses)
    return total / count


@mistake(
    of=train_one_epoch,
    hint="You clear the gradients between backward() and step(), so the optimizer finds nothing to go by and the "
    "model never learns. Clear them after the step, or before backward().",
)
def train_one_epoch_clears_too_early(model, batches, losses_fn, *, optimizer):
    model.train()
    total, count = 0.0, 0
    for batch in batches:
        losses = losses_fn(model, batch)
        losses.mean().backward()
        optimizer.zero_grad()
        optimizer.step()
        total, count = total + losses.sum().item(), count + len(losses)
    return total / count


@mistake(
    of=train_one_epoch,
    hint="Your step stands outside the loop: one step for the whole epoch, with the gradients of all batches added "
    "up. Indent it, so that each batch moves the weights.",
)
def train_one_epoch_steps_once(model, batches, losses_fn, *, optimizer):
    model.train()
    total, count = 0.0, 0
    for batch in batches:
        losses = losses_fn(model, batch)
        losses.mean().backward()
        total, count = total + losses.sum().item(), count + len(losses)
    optimizer.step()
    optimizer.zero_grad()
    return total / count


@mistake(
    of=train_one_epoch,
    hint="The model trains in whatever mode it came in. After a validation that is eval(), in which dropout does "
    "nothing: call model.train() before the loop.",
)
def train_one_epoch_forgets_the_mode(model, batches, losses_fn, *, optimizer):
    total, count = 0.0, 0
    for batch in batches:
        losses = losses_fn(model, batch)
        losses.mean().backward()
        optimizer.step()
        optimizer.zero_grad()
        total, count = total + losses.sum().item(), count + len(losses)
    return total / count


@mistake(
    of=train_one_epoch,
    hint="You go back from the sum of the losses. The steps then grow with the batch, and a learning rate that "
    "suits 32 examples fails with 256: take the mean.",
)
def train_one_epoch_sums_the_losses(model, batches, losses_fn, *, optimizer):
    model.train()
    total, count = 0.0, 0
    for batch in batches:
        losses = losses_fn(model, batch)
        losses.sum().backward()
        optimizer.step()
        optimizer.zero_grad()
        total, count = total + losses.sum().item(), count + len(losses)
    return total / count


@mistake(
    of=train_one_epoch,
    hint="You averaged the means of the batches. The examples of a short last batch then weigh too much: add up "
    "losses and examples, and divide once, at the end.",
)
def train_one_epoch_averages_the_means(model, batches, losses_fn, *, optimizer):
    means = []

    def noting(model, batch):
        losses = losses_fn(model, batch)
        means.append(losses.mean().item())
        return losses

    train_one_epoch(model, batches, noting, optimizer=optimizer)
    return sum(means) / len(means)


@mistake(
    of=train_one_epoch,
    hint="You return the mean loss of the last batch alone. It jumps about from batch to batch: the mean over the "
    "whole epoch is asked for.",
)
def train_one_epoch_returns_the_last_loss(model, batches, losses_fn, *, optimizer):
    means = []

    def noting(model, batch):
        losses = losses_fn(model, batch)
        means.append(losses.mean().item())
        return losses

    train_one_epoch(model, batches, noting, optimizer=optimizer)
    return means[-1]


@built_without("torch.optim.AdamW", "torch.optim.Adam", "torch.optim.adam.adam", "torch.optim.adamw.adamw")
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
    beta1, beta2 = betas
    state["step"] += 1
    state["mean"] = beta1 * state["mean"] + (1 - beta1) * gradient
    state["square"] = beta2 * state["square"] + (1 - beta2) * gradient**2
    mean = state["mean"] / (1 - beta1 ** state["step"])
    square = state["square"] / (1 - beta2 ** state["step"])
    weights -= learning_rate * mean / (square.sqrt() + eps) + learning_rate * weight_decay * weights


@mistake(
    of=adamw_step,
    hint="You added the weight decay to the gradient: that is Adam with L2. The decay then goes through both "
    "moments and is divided by √v̂, so weights with large gradients hardly decay. Subtract η·λ·θ from the "
    "weights, beside the moments.",
)
def adamw_step_decays_through_the_moments(
    weights, gradient, state, *, learning_rate, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.01
):
    gradient = gradient + weight_decay * weights
    adamw_step(weights, gradient, state, learning_rate=learning_rate, betas=betas, eps=eps, weight_decay=0.0)


@mistake(
    of=adamw_step,
    hint="The running means start at zero and are too small in the first steps. Divide by 1 − β^t: without this "
    "bias correction the first step is three times too long.",
)
def adamw_step_without_bias_correction(
    weights, gradient, state, *, learning_rate, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.01
):
    before = weights.clone()
    adamw_step(weights, gradient, state, learning_rate=learning_rate, betas=betas, eps=eps, weight_decay=weight_decay)
    step = learning_rate * state["mean"] / (state["square"].sqrt() + eps)
    weights.copy_(before - step - learning_rate * weight_decay * before)


@mistake(
    of=adamw_step,
    hint="You count the step too late: the bias correction uses the number of steps before this one, in the first "
    "step 1 − β^0 = 0. Count first, then correct.",
)
def adamw_step_counts_too_late(
    weights, gradient, state, *, learning_rate, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.01
):
    state["step"] -= 1
    adamw_step(weights, gradient, state, learning_rate=learning_rate, betas=betas, eps=eps, weight_decay=weight_decay)
    state["step"] += 1


@mistake(
    of=adamw_step,
    hint="Your ε stands inside the root. √(v̂ + ε) is much larger than √v̂ + ε where gradients are "
    "tiny: take the root first.",
)
def adamw_step_has_eps_in_the_root(
    weights, gradient, state, *, learning_rate, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.01
):
    before = weights.clone()
    adamw_step(weights, gradient, state, learning_rate=learning_rate, betas=betas, eps=eps, weight_decay=weight_decay)
    mean = state["mean"] / (1 - betas[0] ** state["step"])
    square = state["square"] / (1 - betas[1] ** state["step"])
    weights.copy_(before - learning_rate * mean / (square + eps).sqrt() - learning_rate * weight_decay * before)


@mistake(
    of=adamw_step,
    hint="Your weight decay lacks the learning rate: a hundredth of every weight is gone at each step, also when "
    "the learning rate is small. The decay is η·λ·θ.",
)
def adamw_step_decays_without_learning_rate(
    weights, gradient, state, *, learning_rate, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.01
):
    options = {"learning_rate": learning_rate, "betas": betas, "eps": eps}
    adamw_step(weights, gradient, state, weight_decay=weight_decay / learning_rate, **options)


@mistake(
    of=adamw_step,
    hint="Your two betas have changed places: the first, 0.9, belongs to the mean of the gradients, the second, "
    "0.999, to the mean of their squares.",
)
def adamw_step_swaps_the_betas(
    weights, gradient, state, *, learning_rate, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.01
):
    options = {"learning_rate": learning_rate, "eps": eps, "weight_decay": weight_decay}
    adamw_step(weights, gradient, state, betas=betas[::-1], **options)


@mistake(
    of=adamw_step,
    hint="The weights outside don't move: `weights = weights - ...` makes a new tensor and gives it a local name. "
    "`weights -= ...` changes the tensor that you were given.",
)
def adamw_step_moves_a_copy(
    weights, gradient, state, *, learning_rate, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.01
):
    options = {"learning_rate": learning_rate, "betas": betas, "eps": eps, "weight_decay": weight_decay}
    adamw_step(weights.clone(), gradient, state, **options)


@mistake(
    of=adamw_step,
    hint="What you computed lives in local names and is gone after the call, so every step is a first step. Write it "
    'back: `state["step"] += 1`, `state["mean"] = ...`, `state["square"] = ...`.',
)
def adamw_step_forgets_the_state(
    weights, gradient, state, *, learning_rate, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.01
):
    options = {"learning_rate": learning_rate, "betas": betas, "eps": eps, "weight_decay": weight_decay}
    adamw_step(weights, gradient, dict(state), **options)


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
    best_epoch, best_loss = 0, math.inf
    for epoch, loss in enumerate(losses, start=1):
        if loss < best_loss:
            best_epoch, best_loss = epoch, loss
        if epoch - best_epoch >= patience:
            break
    return best_epoch, epoch


@mistake(
    of=early_stopping,
    hint="Your epochs are off by one: they are counted from 1, and lists from 0. Whoever loads the weights of the "
    "best epoch would get those of the epoch before. `enumerate(losses, start=1)` counts from 1.",
)
def early_stopping_counts_from_zero(losses, *, patience):
    best_epoch, epoch = early_stopping(losses, patience=patience)
    return best_epoch - 1, epoch - 1


@mistake(
    of=early_stopping,
    hint="You wait one epoch too long: after `patience` epochs without a new best it is time to stop, not when "
    "there are more than that.",
)
def early_stopping_waits_too_long(losses, *, patience):
    return early_stopping(losses, patience=patience + 1)


@mistake(
    of=early_stopping,
    hint="You take an equal loss for a new best. On a plateau you would then wait forever: only a "
    "smaller loss is better.",
)
def early_stopping_takes_equal_for_better(losses, *, patience):
    best_epoch, best_loss = 0, math.inf
    for epoch, loss in enumerate(losses, start=1):
        if loss <= best_loss:
            best_epoch, best_loss = epoch, loss
        if epoch - best_epoch >= patience:
            break
    return best_epoch, epoch


@mistake(
    of=early_stopping,
    hint="You compare each loss with the one before. A loss that climbs and then dips a little is not a new best: "
    "keep the smallest loss so far, and compare with that.",
)
def early_stopping_compares_with_the_epoch_before(losses, *, patience):
    best_epoch, before = 0, math.inf
    for epoch, loss in enumerate(losses, start=1):
        if loss < before:
            best_epoch = epoch
        before = loss
        if epoch - best_epoch >= patience:
            break
    return best_epoch, epoch


@mistake(
    of=early_stopping,
    hint="Your counter is never set back: it counts all epochs without a new best, not those in a row. A new best "
    "starts the waiting afresh.",
)
def early_stopping_never_waits_afresh(losses, *, patience):
    best_epoch, best_loss, waited = 0, math.inf, 0
    for epoch, loss in enumerate(losses, start=1):
        if loss < best_loss:
            best_epoch, best_loss = epoch, loss
        else:
            waited += 1
        if waited >= patience:
            break
    return best_epoch, epoch


@mistake(
    of=early_stopping,
    hint="You return the epoch in which you stopped as the best one. It is the last of several without a new best: "
    "remember the epoch together with its loss.",
)
def early_stopping_returns_the_last_epoch(losses, *, patience):
    _, epoch = early_stopping(losses, patience=patience)
    return epoch, epoch


@mistake(
    of=early_stopping,
    hint="You take the smallest of all losses, also of those that come after the stop. Nobody knows them yet while the "
    "network trains: go from epoch to epoch, and decide with what you have seen so far.",
)
def early_stopping_looks_into_the_future(losses, *, patience):
    losses = list(losses)
    best_epoch = 1 + min(range(len(losses)), key=lambda epoch: losses[epoch])
    return best_epoch, min(best_epoch + patience, len(losses))


@mistake(
    of=early_stopping,
    hint="You ask for all losses before you decide, and each of them costs an epoch of training. Decide after each "
    "one, and leave the loop as soon as patience has run out.",
)
def early_stopping_trains_to_the_end(losses, *, patience):
    return early_stopping(list(losses), patience=patience)


@built_without("torch.nn.functional.dropout", "torch.nn.Dropout", "torch.dropout")
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
    if not training:
        return inputs
    return inputs * (noise >= rate) / (1 - rate)


@mistake(
    of=dropout,
    hint="What is kept is not scaled up. With half of the inputs gone the next layer hears half as much in "
    "training as it will hear in use: divide by (1 − rate).",
)
def dropout_without_rescaling(inputs, noise, *, rate, training=True):
    return inputs * (noise >= rate) if training else inputs


@mistake(
    of=dropout,
    hint="You drop also when the network is not learning. A trained network is to use all that it has, and to give "
    "the same answer twice: return the inputs if `training` is False.",
)
def dropout_ignores_training(inputs, noise, *, rate, training=True):
    return dropout(inputs, noise, rate=rate)


@mistake(
    of=dropout,
    hint="You divide by the rate. It is the share that is dropped; what is kept is 1 − rate, and that "
    "is what to divide by.",
)
def dropout_divides_by_the_rate(inputs, noise, *, rate, training=True):
    return inputs * (noise >= rate) / rate if training else inputs


@mistake(
    of=dropout,
    hint="You keep what should be dropped. An input is dropped where its noise is below the rate, so it stays "
    "where the noise is at least the rate.",
)
def dropout_keeps_the_wrong_ones(inputs, noise, *, rate, training=True):
    return inputs * (noise < rate) / (1 - rate) if training else inputs


@mistake(
    of=dropout,
    hint="You drop the same places in every example, since you use the first row of the noise for all. Each "
    "example has noise of its own: compare the whole tensor.",
)
def dropout_drops_the_same_everywhere(inputs, noise, *, rate, training=True):
    return dropout(inputs, noise[:1].expand_as(noise), rate=rate, training=training)


@mistake(
    of=dropout,
    hint="You scale when the network is used instead of when it learns. That is how dropout began; today training "
    "carries the factor 1 / (1 − rate), so that a network in use needs to know nothing of it.",
)
def dropout_scales_in_use(inputs, noise, *, rate, training=True):
    return inputs * (noise >= rate) if training else inputs * (1 - rate)


@mistake(
    of=dropout,
    hint="You wrote into the inputs that you were given, and the layer before still needs them to compute its "
    "gradients. Make a new tensor: `inputs * kept`, not `inputs *= kept` or `inputs[dropped] = 0`.",
)
def dropout_damages_the_inputs(inputs, noise, *, rate, training=True):
    if training:
        inputs.data.copy_(inputs.data * (noise >= rate) / (1 - rate))
    return inputs


@mistake(
    of=dropout,
    hint="You divide by the share that happened to be kept. Then one input's value depends on how many others were "
    "dropped; divide by the expected share, 1 − rate.",
)
def dropout_divides_by_the_kept_share(inputs, noise, *, rate, training=True):
    kept = noise >= rate
    return inputs * kept / kept.to(inputs.dtype).mean().clamp(min=1e-3) if training else inputs


@built_without(
    "sklearn.metrics.precision_score",
    "sklearn.metrics.recall_score",
    "sklearn.metrics.f1_score",
    "sklearn.metrics.precision_recall_fscore_support",
    "sklearn.metrics.classification_report",
)
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
    hits = labels[predictions == labels].bincount(minlength=num_classes)
    named = predictions.bincount(minlength=num_classes)
    actual = labels.bincount(minlength=num_classes)
    f1 = 2 * hits / (named + actual).clamp(min=1)
    return hits / named.clamp(min=1), hits / actual.clamp(min=1), f1, f1.mean().item()


@mistake(
    of=precision_recall_f1,
    hint="Precision and recall have changed places. Precision looks at those that were named c and asks how many "
    "are; recall looks at those that are c and asks how many were named.",
)
def precision_recall_f1_swaps_the_two(predictions, labels, *, num_classes):
    return precision_recall_f1(labels, predictions, num_classes=num_classes)


@mistake(
    of=precision_recall_f1,
    hint="Your F1 is the ordinary mean of precision and recall. It is the harmonic one, which is close "
    "to the smaller of the two: who names everything c has a recall of 1 and should not get half "
    "of the points for it.",
)
def precision_recall_f1_takes_the_ordinary_mean(predictions, labels, *, num_classes):
    precision, recall, _, _ = precision_recall_f1(predictions, labels, num_classes=num_classes)
    f1 = (precision + recall) / 2
    return precision, recall, f1, f1.mean().item()


@mistake(
    of=precision_recall_f1,
    hint="Your F1 lacks the factor 2. Without it, a perfect class gets only one half.",
)
def precision_recall_f1_lacks_the_two(predictions, labels, *, num_classes):
    precision, recall, f1, macro = precision_recall_f1(predictions, labels, num_classes=num_classes)
    return precision, recall, f1 / 2, macro / 2


@mistake(
    of=precision_recall_f1,
    hint="Your last number is micro-F1: all hits together, divided once. That is the accuracy, and frequent "
    "classes decide it. Macro-F1 is the mean of the classes' F1, in which each class has one voice.",
)
def precision_recall_f1_mixes_up_macro_and_micro(predictions, labels, *, num_classes):
    precision, recall, f1, _ = precision_recall_f1(predictions, labels, num_classes=num_classes)
    return precision, recall, f1, (predictions == labels).float().mean().item()


@mistake(
    of=precision_recall_f1,
    hint="You computed macro-F1 from the mean precision and the mean recall. Compute F1 for each class first, then "
    "take the mean of those.",
)
def precision_recall_f1_averages_first(predictions, labels, *, num_classes):
    precision, recall, f1, _ = precision_recall_f1(predictions, labels, num_classes=num_classes)
    together = precision.mean() + recall.mean()
    return precision, recall, f1, (2 * precision.mean() * recall.mean() / together.clamp(min=1e-9)).item()


@mistake(
    of=precision_recall_f1,
    hint="Your macro-F1 weighs each class with its number of examples, so a rare class hardly counts. The plain "
    "mean gives each class one voice.",
)
def precision_recall_f1_weighs_by_frequency(predictions, labels, *, num_classes):
    precision, recall, f1, _ = precision_recall_f1(predictions, labels, num_classes=num_classes)
    return precision, recall, f1, f1[labels].mean().item()


@mistake(
    of=precision_recall_f1,
    hint="Your macro-F1 leaves out classes that don't occur among the labels. They were asked for: the mean runs "
    "over all num_classes of them.",
)
def precision_recall_f1_leaves_out_absent_classes(predictions, labels, *, num_classes):
    precision, recall, f1, _ = precision_recall_f1(predictions, labels, num_classes=num_classes)
    return precision, recall, f1, f1[labels.unique()].mean().item()


@mistake(
    of=precision_recall_f1,
    hint='Your recall is the accuracy of "c or not c": it counts all the examples that are rightly not named c, '
    "which are nearly all of them if c is rare. Count within the examples that are c.",
)
def precision_recall_f1_counts_the_true_negatives(predictions, labels, *, num_classes):
    precision, _, _, _ = precision_recall_f1(predictions, labels, num_classes=num_classes)
    classes = torch.arange(num_classes)[:, None]
    recall = ((predictions == classes) == (labels == classes)).float().mean(dim=1)
    f1 = 2 * precision * recall / (precision + recall).clamp(min=1e-9)
    return precision, recall, f1, f1.mean().item()
