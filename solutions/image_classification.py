"""Lesson 05, image_classification: the reference of each exercise, and the mistakes that people make."""

import torch
import torch.nn.functional as F

from course_lib.exercises import built_without, mistake


def evaluate_images(model, splits, *, split, batch_size=500):
    """Say which share of the images of one split a network gets right.

    Args:
        model: a torch module that gives logits, shape `(batch, classes)`. It is asked in evaluation mode; afterwards
            it is in the mode in which it came.
        splits: by name ("train", "validation", "test") the images, shape `(n, c, h, w)`, and their labels, int64,
            shape `(n,)`; the splits differ in length.
        split: which of them to look at.
        batch_size: so many images go through the network at once; the last batch may be smaller. No graph is recorded.

    Returns:
        The accuracy, a number: right answers over all images of that split, divided by how many images it has.

    Example: 600 of 1,000 validation images right is 0.6, also if there are 12,000 training images.
    """
    images, labels = splits[split]
    was_training, num_correct = model.training, 0
    model.eval()
    with torch.no_grad():
        for start in range(0, len(images), batch_size):
            predictions = model(images[start : start + batch_size]).argmax(dim=1)
            num_correct += (predictions == labels[start : start + batch_size]).sum().item()
    model.train(was_training)
    return num_correct / len(labels)


@mistake(
    of=evaluate_images,
    hint="You still compare the answers with themselves, so whatever the network says is right. The labels were "
    "overwritten in the loop: give the predictions a name of their own.",
)
def evaluate_images_overwrites_its_labels(model, splits, *, split, batch_size=500):
    images, _ = splits[split]
    answers = evaluate_images(model, {split: (images, images.new_zeros(len(images)).long())}, split=split)
    return answers * 0 + 1.0


@mistake(
    of=evaluate_images,
    hint="You divide by the number of training images. Divide by how many images you have looked at.",
)
def evaluate_images_counts_the_training_set(model, splits, *, split, batch_size=500):
    share = evaluate_images(model, splits, split=split, batch_size=batch_size)
    return share * len(splits[split][1]) / len(splits["train"][1])


@mistake(
    of=evaluate_images,
    hint="The network is asked in training mode: its batch norms use, and update, the statistics of whatever batch "
    "comes along. Call `model.eval()` first.",
)
def evaluate_images_forgets_the_mode(model, splits, *, split, batch_size=500):
    images, labels = splits[split]
    num_correct = 0
    with torch.no_grad():
        for batch, targets in zip(images.split(batch_size), labels.split(batch_size), strict=True):
            num_correct += (model(batch).argmax(dim=1) == targets).sum().item()
    return num_correct / len(labels)


@mistake(
    of=evaluate_images,
    hint="You leave the network in evaluation mode, and whoever trains it on will wonder. Note "
    "`model.training` before, and put it back with `model.train(...)`.",
)
def evaluate_images_leaves_it_in_eval_mode(model, splits, *, split, batch_size=500):
    share = evaluate_images(model, splits, split=split, batch_size=batch_size)
    model.eval()
    return share


@mistake(
    of=evaluate_images,
    hint="You average the accuracies of the batches: a short last batch then weighs too much. Add up the right "
    "answers, and divide once.",
)
def evaluate_images_averages_the_batches(model, splits, *, split, batch_size=500):
    images, labels = splits[split]
    pairs = zip(images.split(batch_size), labels.split(batch_size), strict=True)
    shares = [evaluate_images(model, {"test": pair}, split="test", batch_size=batch_size) for pair in pairs]
    return sum(shares) / len(shares)


@mistake(
    of=evaluate_images,
    hint="You count each batch as if it were full. The last one may be shorter: count the labels, not the batches.",
)
def evaluate_images_counts_full_batches(model, splits, *, split, batch_size=500):
    share = evaluate_images(model, splits, split=split, batch_size=batch_size)
    num_images = len(splits[split][1])
    return share * num_images / (-(-num_images // batch_size) * batch_size)


@mistake(
    of=evaluate_images,
    hint="You look at the training images, whichever split was asked for. What a network has learned from says little "
    "about what it knows: use `splits[split]`.",
)
def evaluate_images_looks_at_the_training_images(model, splits, *, split, batch_size=500):
    return evaluate_images(model, splits, split="train", batch_size=batch_size)


@mistake(
    of=evaluate_images,
    hint="A graph is recorded for gradients that nobody wants, and it costs memory. Ask the network within "
    "`with torch.no_grad():`.",
)
def evaluate_images_records_a_graph(model, splits, *, split, batch_size=500):
    images, labels = splits[split]
    was_training, num_correct = model.training, 0
    model.eval()
    for batch, targets in zip(images.split(batch_size), labels.split(batch_size), strict=True):
        num_correct += (model(batch).argmax(dim=1) == targets).sum().item()
    model.train(was_training)
    return num_correct / len(labels)


@built_without("torch.optim.lr_scheduler.OneCycleLR", "course_lib.training.schedules.one_cycle")
def one_cycle(progress, *, peak=1.0, warmup=0.25, first=0.04, last=0.0):
    """Say how large the learning rate is: up in a straight line, then down in a straight line.

    Args:
        progress: how much of the training is done, from 0 at the first step to 1 at the end; a number.
        peak: the largest learning rate.
        warmup: the share of the training in which the rate rises; from 0 to 1, and 1 is excluded.
        first: the rate at the start, as a share of the peak.
        last: the rate at the end, as a share of the peak.

    Returns:
        The learning rate, a number: first·peak at progress 0, the peak when progress is warmup, last·peak at 1, and
        straight lines between them. Without warmup it starts at the peak.

    Example: with `peak=10`, `warmup=0.25`, `first=0.2`, `last=0` the rate at 0, 0.125, 0.25, 0.625 and 1 is 2, 6, 10,
        5 and 0.
    """
    if progress < warmup:
        return peak * (first + (1 - first) * progress / warmup)
    return peak * (1 + (last - 1) * (progress - warmup) / (1 - warmup))


@mistake(
    of=one_cycle,
    hint="Your rate starts at zero. The first steps are then lost: let it start at first·peak.",
)
def one_cycle_starts_at_zero(progress, *, peak=1.0, warmup=0.25, first=0.04, last=0.0):
    return one_cycle(progress, peak=peak, warmup=warmup, first=0.0, last=last)


@mistake(
    of=one_cycle,
    hint="Your rate comes down to where it started. The end has a share of its own, `last`, and it is the small rate "
    "at the end that lets the network settle.",
)
def one_cycle_returns_to_the_start(progress, *, peak=1.0, warmup=0.25, first=0.04, last=0.0):
    return one_cycle(progress, peak=peak, warmup=warmup, first=first, last=first)


@mistake(
    of=one_cycle,
    hint="The way down begins at progress 0 instead of at the end of the warm-up, so the rate jumps there. Measure how "
    "much of the way down is done: (progress − warmup) / (1 − warmup).",
)
def one_cycle_jumps_after_the_warmup(progress, *, peak=1.0, warmup=0.25, first=0.04, last=0.0):
    if progress < warmup:
        return peak * (first + (1 - first) * progress / warmup)
    return peak * (1 + (last - 1) * progress)


@mistake(
    of=one_cycle,
    hint="Your peak is always in the middle. `warmup` says where it is: mostly early, so that much of the training is "
    "left for settling.",
)
def one_cycle_peaks_in_the_middle(progress, *, peak=1.0, warmup=0.25, first=0.04, last=0.0):
    return one_cycle(progress, peak=peak, warmup=0.5, first=first, last=last)


@mistake(
    of=one_cycle,
    hint="After the warm-up your rate stays at the peak. Half of the gain of one cycle is on the way down.",
)
def one_cycle_never_comes_down(progress, *, peak=1.0, warmup=0.25, first=0.04, last=0.0):
    return one_cycle(min(progress, warmup), peak=peak, warmup=warmup, first=first, last=last)


@mistake(
    of=one_cycle,
    hint="You take `first` and `last` for learning rates. They are shares of the peak: multiply by it.",
)
def one_cycle_takes_shares_for_rates(progress, *, peak=1.0, warmup=0.25, first=0.04, last=0.0):
    return one_cycle(progress, peak=peak, warmup=warmup, first=first / peak, last=last / peak)


@mistake(
    of=one_cycle,
    hint="`first` and `last` have changed places.",
)
def one_cycle_swaps_start_and_end(progress, *, peak=1.0, warmup=0.25, first=0.04, last=0.0):
    return one_cycle(progress, peak=peak, warmup=warmup, first=last, last=first)


@mistake(
    of=one_cycle,
    hint="Your way up is too flat: it would reach the peak only at the end of the training. Measure how much of the "
    "warm-up is done: progress / warmup.",
)
def one_cycle_climbs_too_slowly(progress, *, peak=1.0, warmup=0.25, first=0.04, last=0.0):
    if progress < warmup:
        return peak * (first + (1 - first) * progress)
    return one_cycle(progress, peak=peak, warmup=warmup, first=first, last=last)


@built_without("torch.nn.functional.batch_norm", "torch.batch_norm", "torch.native_batch_norm")
def batch_norm(features, scale, shift, running, *, training=True, momentum=0.1, eps=1e-5):
    """Give each channel mean 0 and variance 1 over the batch, then let two learned numbers undo as much as they like.

    Args:
        features: x, floating point, shape `(n, c, h, w)`; left as they were.
        scale: γ, one number per channel, shape `(c,)`.
        shift: β, one number per channel, shape `(c,)`.
        running: a dict. "mean" and "var": what was seen so far, shape `(c,)` each. Training brings both up to date,
            without gradients; otherwise they stay as they are.
        training: whether the network is learning.
        momentum: the share of the new in the running statistics.
        eps: ε, added to the variance, under the root.

    Returns:
        γ·(x − mean) / √(var + ε) + β, shape `(n, c, h, w)`. In training, mean and var are those of each channel over
        all images and places of this batch, var with the divisor m = n·h·w. Otherwise they are the running ones.
        In training: running ← (1 − momentum)·running + momentum·new, where the new variance has the divisor m − 1.

    Example: the channel `[1, 3]` has mean 2 and variance 1; with γ = 1, β = 0, ε = 0 it becomes `[-1, 1]`. With
        momentum 0.1 a running mean of 0 becomes 0.2, and a running variance of 1 becomes 0.9 + 0.1·2 = 1.1.
    """
    if training:
        mean, var = features.mean(dim=(0, 2, 3)), features.var(dim=(0, 2, 3), correction=0)
        count = features.numel() / features.shape[1]
        with torch.no_grad():
            running["mean"] = (1 - momentum) * running["mean"] + momentum * mean
            running["var"] = (1 - momentum) * running["var"] + momentum * var * count / (count - 1)
    else:
        mean, var = running["mean"], running["var"]
    mean, var, scale, shift = (each[:, None, None] for each in (mean, var, scale, shift))  # (c, 1, 1)
    return scale * (features - mean) / (var + eps).sqrt() + shift


@mistake(
    of=batch_norm,
    hint="You normalize with the divisor m − 1, which is what `var()` does if you don't tell it otherwise. The batch "
    "is normalized by its own variance, with the divisor m: `correction=0`. Only the running one gets m − 1.",
)
def batch_norm_normalizes_with_the_unbiased_variance(
    features, scale, shift, running, *, training=True, momentum=0.1, eps=1e-5
):
    options = {"momentum": momentum, "eps": eps}
    before = dict(running)
    outputs = batch_norm(features, scale, shift, running, training=training, **options)
    if not training:
        return outputs
    mean, var = features.mean(dim=(0, 2, 3)), features.var(dim=(0, 2, 3))
    return batch_norm(features, scale, shift, before | {"mean": mean, "var": var}, training=False, **options)


@mistake(
    of=batch_norm,
    hint="Your running variance has the divisor m, as the batch's own has. It is an estimate for pictures to come, so "
    "it gets m − 1: multiply the batch's variance by m / (m − 1).",
)
def batch_norm_keeps_the_biased_variance(features, scale, shift, running, *, training=True, momentum=0.1, eps=1e-5):
    before, options = running["var"], {"momentum": momentum, "eps": eps}
    outputs = batch_norm(features, scale, shift, running, training=training, **options)
    if training:
        var = features.detach().var(dim=(0, 2, 3), correction=0)
        running["var"] = (1 - momentum) * before + momentum * var
    return outputs


@mistake(
    of=batch_norm,
    hint="Each image is normalized by itself: your mean and variance run over height and width only. That is instance "
    "norm. Batch norm looks at one channel of all images together: `dim=(0, 2, 3)`.",
)
def batch_norm_looks_at_each_image_alone(features, scale, shift, running, *, training=True, momentum=0.1, eps=1e-5):
    options = {"momentum": momentum, "eps": eps}
    outputs = batch_norm(features, scale, shift, running, training=training, **options)
    if not training:
        return outputs
    alone = [batch_norm(image[None], scale, shift, dict(running), **options) for image in features]
    return torch.cat(alone)


@mistake(
    of=batch_norm,
    hint="Old and new have changed places: momentum is the share of the new, so with 0.1 nine tenths of the old stay.",
)
def batch_norm_swaps_old_and_new(features, scale, shift, running, *, training=True, momentum=0.1, eps=1e-5):
    return batch_norm(features, scale, shift, running, training=training, momentum=1 - momentum, eps=eps)


@mistake(
    of=batch_norm,
    hint="You use the batch's own statistics also when the network is not learning. Then what it says of a picture "
    "depends on which others stand beside it. If `training` is False, use the running ones, and leave them alone.",
)
def batch_norm_ignores_training(features, scale, shift, running, *, training=True, momentum=0.1, eps=1e-5):
    return batch_norm(features, scale, shift, running, momentum=momentum, eps=eps)


@mistake(
    of=batch_norm,
    hint="You add ε to the root. It belongs under it: √(var + ε), not √var + ε.",
)
def batch_norm_adds_eps_to_the_root(features, scale, shift, running, *, training=True, momentum=0.1, eps=1e-5):
    if training:
        batch_norm(features, scale, shift, running, momentum=momentum, eps=eps)
        mean, var = features.mean(dim=(0, 2, 3)), features.var(dim=(0, 2, 3), correction=0)
    else:
        mean, var = running["mean"], running["var"]
    mean, var, scale, shift = (each[:, None, None] for each in (mean, var, scale, shift))
    return scale * (features - mean) / (var.sqrt() + eps) + shift


@mistake(
    of=batch_norm,
    hint="In training you normalize by the running statistics. They lag behind, and no gradient passes through them. "
    "While the network learns, a batch is normalized by its own mean and variance.",
)
def batch_norm_trains_on_running_statistics(features, scale, shift, running, *, training=True, momentum=0.1, eps=1e-5):
    options = {"momentum": momentum, "eps": eps}
    if training:
        batch_norm(features, scale, shift, running, **options)
    return batch_norm(features, scale, shift, running, training=False, **options)


@mistake(
    of=batch_norm,
    hint="The running statistics remember how they were computed: with each batch a longer graph hangs on them. They "
    "are notes, not part of what is learned: update them under `torch.no_grad()`, or from `features.detach()`.",
)
def batch_norm_keeps_the_graph(features, scale, shift, running, *, training=True, momentum=0.1, eps=1e-5):
    before = dict(running)
    outputs = batch_norm(features, scale, shift, running, training=training, momentum=momentum, eps=eps)
    if training:
        mean, var = features.mean(dim=(0, 2, 3)), features.var(dim=(0, 2, 3))
        running["mean"] = (1 - momentum) * before["mean"] + momentum * mean
        running["var"] = (1 - momentum) * before["var"] + momentum * var
    return outputs


def residual_block(features, *, conv1, norm1, conv2, norm2, shortcut=None):
    """Let two convolutions find what is to be *added* to their input.

    Args:
        features: shape `(n, c, h, w)`; left as they were.
        conv1, norm1, conv2, norm2: modules, or functions, from features to features; call each of them once.
        shortcut: the way around, a module or function where the shape changes on the way; None hands the features on.

    Returns:
        relu(norm2(conv2(relu(norm1(conv1(features))))) + shortcut(features)).

    Example: where conv1 doubles, conv2 negates, and the norms do nothing, `[1., -3.]` becomes
        relu([-2 + 1, 0 − 3]) = `[0., 0.]`; with conv2 handing on instead, it is relu([2 + 1, 0 − 3]) = `[3., 0.]`.
    """
    hidden = F.relu(norm1(conv1(features)))
    residual = norm2(conv2(hidden))
    return F.relu(residual + (features if shortcut is None else shortcut(features)))


@mistake(
    of=residual_block,
    hint="The last ReLU is missing. Without it two blocks in a row have nothing but a sum between them: "
    "apply it after adding.",
)
def residual_block_lacks_the_last_relu(features, *, conv1, norm1, conv2, norm2, shortcut=None):
    residual = norm2(conv2(F.relu(norm1(conv1(features)))))
    return residual + (features if shortcut is None else shortcut(features))


@mistake(
    of=residual_block,
    hint="Your ReLU comes before the sum. Then a block can add but never take away, and the features "
    "grow from block to block: add first, then ReLU.",
)
def residual_block_activates_before_the_sum(features, *, conv1, norm1, conv2, norm2, shortcut=None):
    residual = norm2(conv2(F.relu(norm1(conv1(features)))))
    return F.relu(residual) + (features if shortcut is None else shortcut(features))


@mistake(
    of=residual_block,
    hint="There is no ReLU between the two convolutions. Two linear maps in a row are one linear map: you pay for two "
    "convolutions and get the reach of one.",
)
def residual_block_lacks_the_first_relu(features, *, conv1, norm1, conv2, norm2, shortcut=None):
    residual = norm2(conv2(norm1(conv1(features))))
    return F.relu(residual + (features if shortcut is None else shortcut(features)))


@mistake(
    of=residual_block,
    hint="You add the features themselves wherever they fit, although a shortcut was given. If there is one, use it.",
)
def residual_block_passes_the_shortcut_by(features, *, conv1, norm1, conv2, norm2, shortcut=None):
    residual = norm2(conv2(F.relu(norm1(conv1(features)))))
    fits = features.shape == residual.shape
    return F.relu(residual + (features if fits else shortcut(features)))


@mistake(
    of=residual_block,
    hint="What you add at the end is no longer the input: its name was given to the output of the first half on the "
    "way. Keep the features under a name of their own.",
)
def residual_block_adds_the_hidden_features(features, *, conv1, norm1, conv2, norm2, shortcut=None):
    hidden = F.relu(norm1(conv1(features)))
    return F.relu(norm2(conv2(hidden)) + hidden)


@mistake(
    of=residual_block,
    hint="The first norm is used twice, and the second never. Each keeps statistics and a scale of its own, for the "
    "convolution before it.",
)
def residual_block_uses_one_norm_twice(features, *, conv1, norm1, conv2, norm2, shortcut=None):
    residual = norm1(conv2(F.relu(norm1(conv1(features)))))
    return F.relu(residual + (features if shortcut is None else shortcut(features)))


@mistake(
    of=residual_block,
    hint="You normalize the sum. Then the input no longer passes unchanged: normalize what the second convolution "
    "found, and add afterwards.",
)
def residual_block_normalizes_the_sum(features, *, conv1, norm1, conv2, norm2, shortcut=None):
    residual = conv2(F.relu(norm1(conv1(features))))
    return F.relu(norm2(residual + (features if shortcut is None else shortcut(features))))


@mistake(
    of=residual_block,
    hint="You wrote into the features that you were given. `features += ...` and ReLU in place change the tensor that "
    "the layer before still needs. Make a new one: `features + ...`.",
)
def residual_block_damages_the_features(features, *, conv1, norm1, conv2, norm2, shortcut=None):
    outputs = residual_block(features, conv1=conv1, norm1=norm1, conv2=conv2, norm2=norm2, shortcut=shortcut)
    if shortcut is None:
        features.data.copy_(outputs.data)
    return outputs


@built_without("course_lib.images.random_crop", "course_lib.images.random_flip")
def random_crop_flip(images, offsets, mirrored, *, padding):
    """Move each image a little, and mirror some of them; somebody else has thrown the dice.

    Args:
        images: floating point, shape `(n, c, h, w)`; left as they were.
        offsets: for each image the row and the column of the padded image at which its window begins, int64, shape
            `(n, 2)`, from 0 to 2·padding. (padding, padding) is the image itself.
        mirrored: for each image whether it is mirrored left to right, after it was moved; bool, shape `(n,)`.
        padding: so many rows and columns are added on each side; they mirror the image at its rim without repeating
            the rim itself (`mode="reflect"`). Less than h and w.

    Returns:
        New images, shape `(n, c, h, w)`.

    Example: the row `[1, 2, 3]` padded by 1 is `[2, 1, 2, 3, 2]`; at column offset 2 its window is `[2, 3, 2]`, at
        offset 0 it is `[2, 1, 2]`.
    """
    _, _, height, width = images.shape
    padded = F.pad(images, [padding] * 4, mode="reflect")
    windows = []
    for number, (row, column) in enumerate(offsets.tolist()):
        windows.append(padded[number, :, row : row + height, column : column + width])
    moved = torch.stack(windows)
    return torch.where(mirrored[:, None, None, None], moved.flip(-1), moved)


@mistake(
    of=random_crop_flip,
    hint="You turn the images upside down. Left and right are the last axis: `flip(-1)`.",
)
def random_crop_flip_turns_upside_down(images, offsets, mirrored, *, padding):
    moved = random_crop_flip(images, offsets, torch.zeros_like(mirrored), padding=padding)
    return torch.where(mirrored[:, None, None, None], moved.flip(-2), moved)


@mistake(
    of=random_crop_flip,
    hint="The whole batch is mirrored or left alone together, by the first image's coin. Each image has its own.",
)
def random_crop_flip_throws_one_coin(images, offsets, mirrored, *, padding):
    return random_crop_flip(images, offsets, mirrored[:1].expand_as(mirrored), padding=padding)


@mistake(
    of=random_crop_flip,
    hint="All images are moved alike, by the first one's offset. Each has a row and a column of its own.",
)
def random_crop_flip_moves_all_alike(images, offsets, mirrored, *, padding):
    return random_crop_flip(images, offsets[:1].expand_as(offsets), mirrored, padding=padding)


@mistake(
    of=random_crop_flip,
    hint="Rows and columns have changed places: the first offset counts rows, from the top, the second one columns.",
)
def random_crop_flip_swaps_rows_and_columns(images, offsets, mirrored, *, padding):
    return random_crop_flip(images, offsets.flip(1), mirrored, padding=padding)


@mistake(
    of=random_crop_flip,
    hint="You mirror first and cut afterwards, so mirrored images move the other way. First cut the window, then "
    "mirror it.",
)
def random_crop_flip_mirrors_first(images, offsets, mirrored, *, padding):
    turned = torch.where(mirrored[:, None, None, None], images.flip(-1), images)
    return random_crop_flip(turned, offsets, torch.zeros_like(mirrored), padding=padding)


@mistake(
    of=random_crop_flip,
    hint="You pad with zeros. Black bars tell the network how far you moved the image; a mirrored rim "
    'looks like more of the picture: `mode="reflect"`.',
)
def random_crop_flip_pads_with_zeros(images, offsets, mirrored, *, padding):
    padded = F.pad(images, [padding] * 4)
    height, width = images.shape[-2:]
    windows = [
        image[:, row : row + height, column : column + width]
        for image, (row, column) in zip(padded, offsets.tolist(), strict=True)
    ]
    moved = torch.stack(windows)
    return torch.where(mirrored[:, None, None, None], moved.flip(-1), moved)


@mistake(
    of=random_crop_flip,
    hint="You mirror those that should stay, and leave those that should be mirrored.",
)
def random_crop_flip_mirrors_the_others(images, offsets, mirrored, *, padding):
    return random_crop_flip(images, offsets, ~mirrored, padding=padding)


@mistake(
    of=random_crop_flip,
    hint="You wrote into the images that you were given. In the next epoch they would come back changed, and changed "
    "once more. Make new ones.",
)
def random_crop_flip_damages_the_images(images, offsets, mirrored, *, padding):
    outputs = random_crop_flip(images, offsets, mirrored, padding=padding)
    images.copy_(torch.where(mirrored[:, None, None, None], images.flip(-1), images))
    return outputs


@built_without("torch.nn.functional.cross_entropy", "torch.nn.CrossEntropyLoss")
def label_smoothing(logits, labels, *, smoothing=0.1):
    """Cross-entropy against targets that are not quite sure.

    Args:
        logits: shape `(n, classes)`, of any size: a logit of 10,000 must not overflow.
        labels: the true classes, int64, shape `(n,)`.
        smoothing: ε, the share of the target that is spread evenly over *all* classes, the true one included; from 0
            to 1.

    Returns:
        One loss per example, shape `(n,)`: −Σ target·log softmax(logits), where the target is ε / classes
        everywhere, and 1 − ε more at the label.

    Example: with four classes and ε = 0.2 the target is 0.05, 0.05, 0.85, 0.05 if the label is 2. Logits of 0 give
        ln 4 = 1.386, whatever ε is.
    """
    log_probs = logits.log_softmax(dim=1)
    of_label = log_probs.gather(1, labels[:, None]).squeeze(1)
    return -(1 - smoothing) * of_label - smoothing * log_probs.mean(dim=1)


@mistake(
    of=label_smoothing,
    hint="You spread ε over the other classes only. It goes to all of them, the true one included, which then has "
    "1 − ε + ε / classes.",
)
def label_smoothing_leaves_out_the_label(logits, labels, *, smoothing=0.1):
    num_classes = logits.shape[1]
    return label_smoothing(logits, labels, smoothing=smoothing * num_classes / (num_classes - 1))


@mistake(
    of=label_smoothing,
    hint="Your targets add up to more than 1: the label keeps all it had, and ε comes on top. What is spread must be "
    "taken from the label first.",
)
def label_smoothing_takes_nothing_from_the_label(logits, labels, *, smoothing=0.1):
    return label_smoothing(logits, labels, smoothing=0.0) - smoothing * logits.log_softmax(dim=1).mean(dim=1)


@mistake(
    of=label_smoothing,
    hint="You only make the loss smaller: what you took from the label went nowhere. Spread it over all classes.",
)
def label_smoothing_only_scales(logits, labels, *, smoothing=0.1):
    return (1 - smoothing) * label_smoothing(logits, labels, smoothing=0.0)


@mistake(
    of=label_smoothing,
    hint="Each class gets the whole ε. It is shared: ε / classes for each.",
)
def label_smoothing_gives_each_the_whole(logits, labels, *, smoothing=0.1):
    hard = label_smoothing(logits, labels, smoothing=0.0)
    return (1 - smoothing) * hard - smoothing * logits.log_softmax(dim=1).sum(dim=1)


@mistake(
    of=label_smoothing,
    hint="You smooth the network's answer. It is the target that is made less sure: the log of the answer "
    "stays as it is, and is weighed with the smoothed target.",
)
def label_smoothing_smooths_the_answer(logits, labels, *, smoothing=0.1):
    probs = (1 - smoothing) * logits.softmax(dim=1) + smoothing / logits.shape[1]
    return -probs.clamp(min=1e-300).log().gather(1, labels[:, None]).squeeze(1)


@mistake(
    of=label_smoothing,
    hint="ε and 1 − ε have changed places: nearly everything is spread, and the label counts for little.",
)
def label_smoothing_swaps_the_shares(logits, labels, *, smoothing=0.1):
    return label_smoothing(logits, labels, smoothing=1 - smoothing)


@mistake(
    of=label_smoothing,
    hint="Your softmax runs over the batch, so each picture competes with the others. It runs over the classes: "
    "`dim=1`.",
)
def label_smoothing_compares_the_images(logits, labels, *, smoothing=0.1):
    return label_smoothing(logits.log_softmax(dim=0), labels, smoothing=smoothing) - (
        logits.log_softmax(dim=0).logsumexp(dim=1)
    )
