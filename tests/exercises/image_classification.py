"""What lesson 05's exercises owe us: scenarios that use an exercise and return what they observed; a judge compares."""

import math

import torch
from torch import nn

from course_lib.exercises import check


def numbers(draw, *shape):
    return draw.normal(*shape, dtype=torch.float64)


# evaluate_images


class Witness(nn.Module):
    """A batch norm and a linear layer, that notes how it is asked."""

    def __init__(self, draw, num_classes=3):
        super().__init__()
        self.norm, self.linear = nn.BatchNorm2d(2).double(), nn.Linear(8, num_classes).double()
        self.norm.running_mean += 2 * numbers(draw, 2)
        self.linear.weight.data.copy_(numbers(draw, num_classes, 8))
        self.linear.bias.data.zero_()
        self.heard = []

    def forward(self, images):
        self.heard.append(f"training: {self.training}, gradients: {torch.is_grad_enabled()}, images: {len(images)}")
        return self.linear(self.norm(images).flatten(1))


def splits_of(draw, model, *, sizes=(23, 11, 14), flaw=0.35):
    """Pictures whose labels are mostly what the model itself says in evaluation mode."""
    splits = {}
    for name, size in zip(("train", "validation", "test"), sizes, strict=True):
        images = numbers(draw, size, 2, 2, 2)
        model.eval()
        with torch.no_grad():
            answers = model(images).argmax(dim=1)
        wrong = draw.uniform(size) < flaw
        wrong[:2] = torch.tensor([True, False])
        splits[name] = images, torch.where(wrong, (answers + 1) % 3, answers)
    model.train()
    model.heard.clear()
    return splits


def in_single_precision(number):
    """A share that was averaged in single precision is as good as one in double."""
    return torch.tensor(number, dtype=torch.float32).item() if isinstance(number, float | int) else number


@check("Right answers over all images of the split, in one batch")
def one_batch(evaluate_images, draw):
    observed = []
    for _ in range(9):
        model = Witness(draw)
        splits = splits_of(draw, model)
        observed.append(in_single_precision(evaluate_images(model, splits, split="validation", batch_size=50)))
    return observed


@check("The same in several batches, the last one shorter: each image counts once")
def several_batches(evaluate_images, draw):
    observed = []
    for batch_size in (2, 3, 4, 5, 6, 3, 4, 5, 6, 4):
        model = Witness(draw)
        splits = splits_of(draw, model, sizes=(23, 11, 13))
        observed.append(in_single_precision(evaluate_images(model, splits, split="test", batch_size=batch_size)))
    return observed


@check("Every split can be asked for, the training images too")
def every_split(evaluate_images, draw):
    observed = []
    for _ in range(4):
        model = Witness(draw)
        splits = splits_of(draw, model)
        observed += [in_single_precision(evaluate_images(model, splits, split=name, batch_size=7)) for name in splits]
    return observed


@check("By default 500 images go through the network at once")
def five_hundred(evaluate_images, draw):
    observed = []
    for size in (501, 502, 999):
        model = Witness(draw)
        evaluate_images(model, splits_of(draw, model, sizes=(7, size, 5)), split="validation")
        observed += model.heard
    return observed


@check("All right is 1, all wrong is 0")
def best_and_worst(evaluate_images, draw):
    observed = []
    for step in (0, 1, 2) * 3:
        model = Witness(draw)
        splits = splits_of(draw, model, flaw=0.0)
        for images, labels in splits.values():
            labels.copy_((model.eval()(images).argmax(dim=1) + step) % 3)
        observed.append(in_single_precision(evaluate_images(model.train(), splits, split="test", batch_size=4)))
    return observed


@check("The network is asked in evaluation mode, in batches of the given size, and without recording a graph")
def how_it_is_asked(evaluate_images, draw):
    observed = []
    for batch_size in (3, 4, 5):
        model = Witness(draw)
        evaluate_images(model, splits_of(draw, model), split="validation", batch_size=batch_size)
        observed += sorted(model.heard)
    return observed


@check("Afterwards the network is as it was: its mode, and the statistics of its batch norm")
def nothing_is_left_behind(evaluate_images, draw):
    observed = []
    for came_in_training in (True, False) * 5:
        model = Witness(draw)
        splits = splits_of(draw, model)
        evaluate_images(model.train(came_in_training), splits, split="test", batch_size=5)
        observed += [f"training: {model.training}", f"layers: {model.norm.training}", model.norm.running_mean]
    return observed


# one_cycle


@check("Up in a straight line, then down in a straight line, by default")
def defaults(one_cycle, draw):
    return [one_cycle(draw.number(low, low + 0.1)) for low in (0.0, 0.1, 0.15, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)]


@check("The cycle starts at its first rate, has its peak after the warm-up and ends at its last rate")
def three_corners(one_cycle, draw):
    observed = []
    for _ in range(4):
        options = {"warmup": draw.number(0.1, 0.4), "first": draw.number(0.1, 0.3), "last": draw.number(0.4, 0.6)}
        observed += [one_cycle(progress, peak=1.0, **options) for progress in (0.0, options["warmup"], 1.0)]
    return observed


@check("First and last are shares of the peak, whatever the peak is")
def any_peak(one_cycle, draw):
    observed = []
    for peak in (0.01, 0.3, 5.0):
        options = {"peak": peak, "first": draw.number(0.1, 0.2), "last": draw.number(0.3, 0.4)}
        observed += [one_cycle(progress / 8, **options) for progress in range(9)]
    return observed


@check("The warm-up may be short or long")
def any_warmup(one_cycle, draw):
    observed = []
    for warmup in (0.1, 0.35, 0.6, 0.9):
        last = draw.number(0.01, 0.05)
        observed += [one_cycle(progress / 11, warmup=warmup, last=last) for progress in range(12)]
    return observed


@check("Without a warm-up the rate starts at its peak")
def no_warmup(one_cycle, draw):
    last = draw.number(0.1, 0.5)
    return [one_cycle(progress / 9, warmup=0.0, last=last) for progress in range(10)]


# batch_norm


def channel_numbers(draw, num_channels):
    """Scales, shifts, and running statistics that are not at their start."""
    scale, shift = 1 + draw.uniform(num_channels, dtype=torch.float64), numbers(draw, num_channels)
    var = draw.uniform(num_channels, low=0.5, high=2.0, dtype=torch.float64)
    return scale, shift, {"mean": numbers(draw, num_channels), "var": var}


@check("In training each channel gets mean 0 and variance 1 over all images and places, before scale and shift")
def each_channel_is_normalized(batch_norm, draw):
    observed = []
    for shape in ((4, 3, 2, 5), (2, 4, 3, 2), (3, 2, 1, 4)):
        _, _, running = channel_numbers(draw, shape[1])
        features = 3 * numbers(draw, *shape) + 2
        ones = torch.ones(shape[1], dtype=torch.float64)
        observed.append(batch_norm(features, ones, 0 * ones, running, eps=1e-9))
    return observed


@check("Then each channel is scaled and shifted by its own two numbers")
def scale_and_shift(batch_norm, draw):
    observed = []
    for shape in ((4, 3, 2, 5), (2, 5, 3, 2), (3, 2, 4, 3)):
        scale, shift, running = channel_numbers(draw, shape[1])
        observed.append(batch_norm(numbers(draw, *shape), scale, shift, running))
    return observed


@check("The running mean and variance take in a share of what is new, the variance with the divisor m − 1")
def running_statistics(batch_norm, draw):
    observed = []
    for momentum in (0.1, 0.3, 0.8):
        scale, shift, running = channel_numbers(draw, 3)
        for _ in range(2):
            batch_norm(2 * numbers(draw, 2, 3, 2, 3) + 1, scale, shift, running, momentum=momentum)
        observed.append({"mean": running["mean"], "var": running["var"]})
    return observed


@check("A network in use normalizes by the running statistics, and leaves them as they are")
def in_use(batch_norm, draw):
    observed = []
    for num_images in (1, 2, 5):
        scale, shift, running = channel_numbers(draw, 3)
        outputs = batch_norm(4 * numbers(draw, num_images, 3, 2, 4), scale, shift, running, training=False)
        observed.append([outputs, running["mean"], running["var"]])
    return observed


@check("eps is added to the variance, under the root")
def eps_under_the_root(batch_norm, draw):
    observed = []
    for eps in (0.01, 0.3, 2.0):
        scale, shift, running = channel_numbers(draw, 3)
        features = 0.5 * numbers(draw, 3, 3, 2, 3)
        observed.append(batch_norm(features, scale, shift, running, eps=eps))
    return observed


@check("Gradients pass through the batch's own mean and variance")
def gradients_of_batch_norm(batch_norm, draw):
    observed = []
    for shape in ((3, 2, 2, 3), (2, 3, 3, 2), (4, 2, 1, 3)):
        scale, shift, running = channel_numbers(draw, shape[1])
        features = numbers(draw, *shape).requires_grad_()
        (batch_norm(features, scale, shift, running) * numbers(draw, *shape)).sum().backward()
        observed.append(features.grad)
    return observed


@check("The running statistics carry no gradients, and the features are left as they were")
def notes_without_gradients(batch_norm, draw):
    observed = []
    for _ in range(4):
        scale, shift, running = channel_numbers(draw, 2)
        features = numbers(draw, 3, 2, 2, 2).requires_grad_()
        batch_norm(features, scale, shift, running)
        observed += [f"{name} carries gradients: {running[name].requires_grad}" for name in ("mean", "var")]
        observed.append(features)
    return observed


# residual_block


def convolution(draw, in_channels, out_channels, *, size=3, stride=1):
    conv = nn.Conv2d(in_channels, out_channels, size, stride=stride, padding=size // 2, bias=False).double()
    conv.weight.data.copy_(numbers(draw, *conv.weight.shape) / math.sqrt(in_channels * size))
    return conv


def norm(draw, num_channels):
    layer = nn.BatchNorm2d(num_channels).double()
    layer.weight.data.copy_(1 + draw.uniform(num_channels, dtype=torch.float64))
    layer.bias.data.copy_(numbers(draw, num_channels))
    return layer


def parts(draw, in_channels, out_channels, *, stride=1):
    return {
        "conv1": convolution(draw, in_channels, out_channels, stride=stride),
        "norm1": norm(draw, out_channels),
        "conv2": convolution(draw, out_channels, out_channels),
        "norm2": norm(draw, out_channels),
    }


@check("One channel, small enough to follow by hand: the convolutions multiply, the norms do nothing")
def by_hand(residual_block, draw):
    observed = []
    for _ in range(4):
        first, second = draw.integers(1, low=2, high=4).item(), draw.integers(1, low=-2, high=0).item()
        layers = {
            "conv1": lambda features, factor=first: factor * features,
            "conv2": lambda features, factor=second: factor * features,
            "norm1": lambda features: features,
            "norm2": lambda features: features,
        }
        observed.append(residual_block(draw.integers(1, 1, 2, 3, low=-5, high=6).double(), **layers))
    return observed


@check("Convolution, norm and ReLU, convolution and norm; then the features are added")
def features_are_added(residual_block, draw):
    return [residual_block(numbers(draw, 2, c, 4, 3), **parts(draw, c, c)) for c in (2, 3, 5)]


@check("ReLU comes last, after the sum: what was negative on both ways stays at zero")
def relu_comes_last(residual_block, draw):
    return [residual_block(numbers(draw, 2, c, 3, 4) - 1, **parts(draw, c, c)) for c in (2, 3, 4)]


@check("Where a shortcut is given, it is taken, also where the shapes would fit without it")
def shortcut_is_taken(residual_block, draw):
    observed = []
    for channels in (2, 3, 4):
        layers, shortcut = parts(draw, channels, channels), convolution(draw, channels, channels, size=1)
        observed.append(residual_block(numbers(draw, 2, channels, 4, 3), shortcut=shortcut, **layers))
    return observed


@check("The shortcut bridges a change of channels and size")
def shortcut_bridges(residual_block, draw):
    observed = []
    for wide in (3, 4, 5):
        layers, shortcut = parts(draw, 2, wide, stride=2), convolution(draw, 2, wide, size=1, stride=2)
        observed.append(residual_block(numbers(draw, 2, 2, 5, 4), shortcut=shortcut, **layers))
    return observed


@check("Each norm sees its own features, once")
def norms_keep_their_own_statistics(residual_block, draw):
    observed = []
    for _ in range(2):
        layers = parts(draw, 3, 3)
        residual_block(numbers(draw, 4, 3, 3, 2), **layers)
        observed += [layers[name].running_mean for name in ("norm1", "norm2")]
        observed.append(layers["norm1"].num_batches_tracked.item() + 10 * layers["norm2"].num_batches_tracked.item())
    return observed


@check("The features are left as they were, and gradients reach them on both ways")
def features_survive(residual_block, draw):
    observed = []
    for channels in (2, 3, 4):
        features, weights = numbers(draw, 2, channels, 3, 4).requires_grad_(), numbers(draw, 2, channels, 3, 4)
        (residual_block(features, **parts(draw, channels, channels)) * weights).sum().backward()
        observed.append([features, features.grad])
    return observed


# random_crop_flip


def dice(draw, num_images, padding):
    """Offsets and coins, such that the first two images differ in all of them."""
    offsets = draw.integers(num_images, 2, high=2 * padding + 1)
    offsets[:2] = torch.tensor([[0, 1], [2 * padding, 0]])
    mirrored = draw.integers(num_images, high=2).bool()
    mirrored[:2] = torch.tensor([False, True])
    return offsets, mirrored


@check("A window in the middle is the image itself")
def middle(random_crop_flip, draw):
    observed = []
    for padding in (1, 2, 3):
        images = numbers(draw, 3, 2, 5, 4)
        offsets = torch.full((3, 2), padding)
        observed.append(random_crop_flip(images, offsets, torch.zeros(3, dtype=torch.bool), padding=padding))
    return observed


@check("Mirrored images are mirrored left to right, each by its own coin")
def coins(random_crop_flip, draw):
    observed = []
    for _ in range(3):
        images, (_, mirrored) = numbers(draw, 5, 2, 4, 3), dice(draw, 5, 1)
        observed.append(random_crop_flip(images, torch.ones(5, 2, dtype=torch.int64), mirrored, padding=1))
    return observed


@check("Each image is moved by its own rows and columns; the rim is mirrored where the window looks beyond it")
def own_offsets(random_crop_flip, draw):
    observed = []
    for padding in (1, 2, 3):
        images, (offsets, _) = numbers(draw, 6, 3, 5, 4), dice(draw, 6, padding)
        still = torch.zeros(6, dtype=torch.bool)
        observed.append(random_crop_flip(images, offsets, still, padding=padding))
    return observed


@check("First moved, then mirrored")
def moved_then_mirrored(random_crop_flip, draw):
    observed = []
    for padding in (1, 2, 3):
        images, (offsets, mirrored) = numbers(draw, 6, 3, 4, 5), dice(draw, 6, padding)
        observed.append(random_crop_flip(images, offsets, mirrored, padding=padding))
    return observed


@check("The images are left as they were")
def images_survive(random_crop_flip, draw):
    observed = []
    for padding in (1, 2, 3):
        images, (offsets, mirrored) = numbers(draw, 4, 2, 5, 4), dice(draw, 4, padding)
        random_crop_flip(images, offsets, mirrored, padding=padding)
        observed.append(images)
    return observed


# label_smoothing


@check("One loss per example, as by default")
def one_loss_per_example(label_smoothing, draw):
    return [label_smoothing(numbers(draw, n, 5), draw.labels(n, 5)) for n in (3, 4, 7)]


@check("Any share may be spread, over any number of classes")
def any_share(label_smoothing, draw):
    observed = []
    for smoothing, num_classes in ((0.05, 3), (0.2, 4), (0.5, 7), (0.9, 5)):
        logits = 2 * numbers(draw, 6, num_classes)
        observed.append(label_smoothing(logits, draw.labels(6, num_classes), smoothing=smoothing))
    return observed


@check("Without smoothing it is the cross-entropy")
def no_smoothing(label_smoothing, draw):
    return [label_smoothing(numbers(draw, n, 4), draw.labels(n, 4), smoothing=0.0) for n in (3, 5, 6)]


@check("Equal logits cost the logarithm of the number of classes")
def equal_logits(label_smoothing, draw):
    observed = []
    for num_classes in (2, 5, 9):
        logits = numbers(draw, 4, 1).expand(4, num_classes).clone()
        observed.append(label_smoothing(logits, draw.labels(4, num_classes), smoothing=0.3))
    return observed


@check("Large logits do not overflow")
def large_logits(label_smoothing, draw):
    observed = []
    for scale in (1e3, 3e3, 1e4):
        observed.append(label_smoothing(scale * numbers(draw, 4, 5), draw.labels(4, 5), smoothing=0.1))
    return observed


@check("The gradient is softmax minus target")
def gradient_of_the_loss(label_smoothing, draw):
    observed = []
    for num_classes in (3, 4, 6):
        logits = numbers(draw, 5, num_classes).requires_grad_()
        label_smoothing(logits, draw.labels(5, num_classes), smoothing=0.2).sum().backward()
        observed.append(logits.grad)
    return observed
