"""Lesson 15, compression: the reference of each exercise, and the mistakes that people make."""

import statistics

import torch
import torch.nn.functional as F
from torch import nn

from course_lib.exercises import built_without, mistake


@built_without("torch.utils.flop_counter.FlopCounterMode", "course_lib.compression.count_flops")
def count_flops(model, images):
    """Count the multiplications and additions of one call: two for each weight, each time it meets a number.

    Args:
        model: an `nn.Sequential`; its `nn.Conv2d` (with any stride, padding and groups) and `nn.Linear` layers are
            counted, the others are free, and so are biases.
        images: the batch that it is called with, shape `(n, c, h, w)` or `(n, ..., features)`.

    Returns:
        The operations for the whole batch, a whole number. Each number that a convolution gives is a sum over one
        filter: c / groups · kh · kw products. Each number that a linear layer gives is a sum over its inputs.

    Example: `nn.Conv2d(3, 8, (5, 3))` on one picture of 9×7 gives 8·5·5 numbers, each from 3·5·3 products: 18,000.
    """
    total = 0
    for layer in model:
        images = layer(images)
        if isinstance(layer, nn.Conv2d | nn.Linear):
            total += 2 * images.numel() * layer.weight[0].numel()
    return total


@mistake(
    of=count_flops,
    hint="You counted products only. Each product is also added to a sum: two operations for each weight that meets a "
    "number. (Some tables say MACs and mean half.)",
)
def count_flops_counts_products_only(model, images):
    return count_flops(model, images) // 2


@mistake(
    of=count_flops,
    hint="You took the picture as it goes into the convolution. A filter is laid down once for each number that comes "
    "out: with a stride or without padding there are fewer.",
)
def count_flops_takes_the_size_that_goes_in(model, images):
    total = 0
    for layer in model:
        before, images = images, layer(images)
        if isinstance(layer, nn.Linear):
            total += 2 * images.numel() * layer.in_features
        elif isinstance(layer, nn.Conv2d):
            total += 2 * len(images) * before[0, 0].numel() * layer.weight.numel()
    return total


@mistake(
    of=count_flops,
    hint="With groups, a filter looks at in_channels / groups channels only. Its own weight tells how many.",
)
def count_flops_forgets_the_groups(model, images):
    total = 0
    for layer in model:
        images = layer(images)
        groups = layer.groups if isinstance(layer, nn.Conv2d) else 1
        if isinstance(layer, nn.Conv2d | nn.Linear):
            total += 2 * images.numel() * layer.weight[0].numel() * groups
    return total


@mistake(
    of=count_flops,
    hint="You squared one side of the kernel. Kernels need not be square: height times width.",
)
def count_flops_squares_the_kernel(model, images):
    total = 0
    for layer in model:
        images = layer(images)
        if isinstance(layer, nn.Linear):
            total += 2 * images.numel() * layer.in_features
        elif isinstance(layer, nn.Conv2d):
            total += 2 * images.numel() * layer.weight.shape[1] * layer.kernel_size[0] ** 2
    return total


@mistake(
    of=count_flops,
    hint="This is the cost of one picture. The question was the whole batch: every picture costs the same again.",
)
def count_flops_forgets_the_batch(model, images):
    return count_flops(model, images) // len(images)


@mistake(
    of=count_flops,
    hint="A linear layer is applied to the last axis, once for every row of all the others. You counted one row per "
    "example.",
)
def count_flops_takes_a_linear_layer_once_per_example(model, images):
    total = 0
    for layer in model:
        images = layer(images)
        if isinstance(layer, nn.Linear):
            total += 2 * len(images) * layer.weight.numel()
        elif isinstance(layer, nn.Conv2d):
            total += 2 * images.numel() * layer.weight[0].numel()
    return total


def median_latency(call, *, clock, warmup=10, runs=100):
    """Say how long one call takes, and how long a slow one.

    Args:
        call: a function without arguments.
        clock: a function without arguments that tells the seconds, such as `time.perf_counter`. Ask it right before
            and right after each counted call.
        warmup: so many calls go first and are not timed.
        runs: so many calls are timed, each by itself.

    Returns:
        Two numbers, in milliseconds: the median, which for an even number of runs is the mean of the two in the middle;
        and the 95th percentile, the shortest time that at least 95 of 100 runs do not exceed.

    Example: 20 runs that take 1, 2, ..., 20 ms in any order have the median 10.5 ms and the 95th percentile 19 ms.
    """
    for _ in range(warmup):
        call()
    times = []
    for _ in range(runs):
        began = clock()
        call()
        times.append(1000 * (clock() - began))
    times.sort()
    return statistics.median(times), times[-(-95 * runs // 100) - 1]


def _times(call, clock, runs):
    times = []
    for _ in range(runs):
        began = clock()
        call()
        times.append(1000 * (clock() - began))
    return times


def _warm(call, clock, warmup, runs):
    for _ in range(warmup):
        call()
    return _times(call, clock, runs)


@mistake(
    of=median_latency,
    hint="You gave the mean. One call during which the machine did something else pulls it far up; the median does not "
    "care.",
)
def median_latency_takes_the_mean(call, *, clock, warmup=10, runs=100):
    times = _warm(call, clock, warmup, runs)
    return statistics.mean(times), sorted(times)[-(-95 * runs // 100) - 1]


@mistake(
    of=median_latency,
    hint="The warm-up calls are among your times. They are slow for reasons of their own: make them, but don't count.",
)
def median_latency_counts_the_warm_up(call, *, clock, warmup=10, runs=100):
    times = sorted(_times(call, clock, warmup + runs))
    return statistics.median(times), times[-(-95 * len(times) // 100) - 1]


@mistake(of=median_latency, hint="Nothing was called before the clock ran: your first times are those of a cold start.")
def median_latency_does_not_warm_up(call, *, clock, warmup=10, runs=100):
    return median_latency(call, clock=clock, warmup=0, runs=runs)


@mistake(
    of=median_latency,
    hint="The times are not sorted. The one in the middle of the order of running says nothing; sort first.",
)
def median_latency_does_not_sort(call, *, clock, warmup=10, runs=100):
    times = _warm(call, clock, warmup, runs)
    middle = (times[(runs - 1) // 2] + times[runs // 2]) / 2
    return middle, times[-(-95 * runs // 100) - 1]


@mistake(
    of=median_latency,
    hint="Your 95th percentile is one too far: of 20 sorted times it is number 19, and lists count from 0.",
)
def median_latency_goes_one_too_far(call, *, clock, warmup=10, runs=100):
    times = sorted(_warm(call, clock, warmup, runs))
    return statistics.median(times), times[min(95 * runs // 100, runs - 1)]


@mistake(of=median_latency, hint="These are seconds. A thousand milliseconds make one.")
def median_latency_stays_with_seconds(call, *, clock, warmup=10, runs=100):
    return tuple(each / 1000 for each in median_latency(call, clock=clock, warmup=warmup, runs=runs))


@mistake(
    of=median_latency,
    hint="For an even number of runs there are two times in the middle. You took one of them; take their mean.",
)
def median_latency_takes_the_upper_middle(call, *, clock, warmup=10, runs=100):
    times = sorted(_warm(call, clock, warmup, runs))
    return times[runs // 2], times[-(-95 * runs // 100) - 1]


@built_without("torch.quantize_per_tensor", "torch.quantize_per_channel", "course_lib.quantization.quantize_tensor")
def quantize_tensor(values, *, bits=8, axis=None):
    """Round numbers to whole multiples of a scale, chosen so that the largest magnitude just fits.

    Args:
        values: floating point, any shape; left as they were.
        bits: of each whole number, 2 to 8. They go from -(2^(bits-1) - 1) to 2^(bits-1) - 1: as far up as down.
        axis: along which each index has a scale of its own (0: each row, each filter); None takes one scale for all.

    Returns:
        Two tensors: the whole numbers, int8, shape of the values; and the scales, so that `numbers * scales` is nearly
        the values: as many axes as the values, each of length 1 but the given one. Where all values are zero, the
        scale is 1 over the largest whole number.

    Example: with 4 bits, `[3.5, -7.0, 1.2]` has the scale 7.0 / 7 = 1.0 and becomes `[4, -7, 1]`.
    """
    others = [each for each in range(values.ndim) if axis is None or each != axis]
    largest = values.abs().amax(dim=others, keepdim=True)
    scale = torch.where(largest > 0, largest, 1) / (2 ** (bits - 1) - 1)
    return (values / scale).round().to(torch.int8), scale


@mistake(
    of=quantize_tensor,
    hint="Your largest number is one too large: 8 bits hold -128 to 127, so 128 turns into -128. Divide by "
    "2 ** (bits - 1) - 1.",
)
def quantize_tensor_overflows(values, *, bits=8, axis=None):
    _, scale = quantize_tensor(values, bits=bits, axis=axis)
    scale = scale * (2 ** (bits - 1) - 1) / 2 ** (bits - 1)
    return (values / scale).round().to(torch.int16).to(torch.int8), scale


@mistake(
    of=quantize_tensor,
    hint="You cut the fraction off instead of rounding: every number moves towards zero, by half a step on average.",
)
def quantize_tensor_cuts_off(values, *, bits=8, axis=None):
    _, scale = quantize_tensor(values, bits=bits, axis=axis)
    return (values / scale).to(torch.int8), scale


@mistake(
    of=quantize_tensor,
    hint="You looked for the largest value, not for the largest magnitude: a large negative number no longer fits.",
)
def quantize_tensor_overlooks_negative_numbers(values, *, bits=8, axis=None):
    most = 2 ** (bits - 1) - 1
    others = [each for each in range(values.ndim) if axis is None or each != axis]
    scale = values.amax(dim=others, keepdim=True).clamp(min=1e-9) / most
    return (values / scale).round().clamp(-most, most).to(torch.int8), scale


@mistake(
    of=quantize_tensor,
    hint="One scale for all, although an axis was given: a row of small numbers then shares the coarse steps of the "
    "largest.",
)
def quantize_tensor_ignores_the_axis(values, *, bits=8, axis=None):
    integers, scale = quantize_tensor(values, bits=bits)
    if axis is not None:
        scale = scale.expand([size if each == axis else 1 for each, size in enumerate(values.shape)]).clone()
    return integers, scale


@mistake(
    of=quantize_tensor,
    hint="You took the maximum along the given axis. Take it over all axes but that one, so that each index of it "
    "keeps a scale.",
)
def quantize_tensor_takes_the_other_axis(values, *, bits=8, axis=None):
    if axis is None:
        return quantize_tensor(values, bits=bits)
    largest = values.abs().amax(dim=axis, keepdim=True)
    scale = torch.where(largest > 0, largest, 1) / (2 ** (bits - 1) - 1)
    return (values / scale).round().to(torch.int8), scale


@mistake(of=quantize_tensor, hint="You always use 8 bits, whatever `bits` says.")
def quantize_tensor_ignores_the_bits(values, *, bits=8, axis=None):
    return quantize_tensor(values, axis=axis)


@mistake(
    of=quantize_tensor,
    hint="A row of zeros has no largest number to divide by: 0 / 0 is not a number, and as an integer anything.",
)
def quantize_tensor_divides_by_zero(values, *, bits=8, axis=None):
    others = [each for each in range(values.ndim) if axis is None or each != axis]
    scale = values.abs().amax(dim=others, keepdim=True) / (2 ** (bits - 1) - 1)
    return (values / scale).round().nan_to_num(0).to(torch.int8), scale


@mistake(
    of=quantize_tensor,
    hint="You divided the values in place: whoever gave them to you finds multiples of a scale instead of weights.",
)
def quantize_tensor_damages_its_input(values, *, bits=8, axis=None):
    integers, scale = quantize_tensor(values, bits=bits, axis=axis)
    values.div_(scale)
    return integers, scale


@built_without(
    "torch.nn.utils.prune.global_unstructured",
    "torch.nn.utils.prune.l1_unstructured",
    "course_lib.compression.magnitude_masks",
)
def magnitude_prune(weights, *, share):
    """Set the smallest weights to zero, those of all layers ranked together.

    Args:
        weights: a dict, by name the weights of each layer, floating point, any shape; left as they were.
        share: which share of all these numbers becomes zero, from 0 to 1.

    Returns:
        A dict with the same names: new tensors in which `round(share * n)` of all n numbers are zero, those of the
        smallest magnitude. Of equal magnitudes, the earlier ones go: by the order of the dict, then row by row.

    Example: `{"a": [[0.1, -3.0]], "b": [0.2, 1.0, -0.3]}` with share 0.6 becomes
        `{"a": [[0.0, -3.0]], "b": [0.0, 1.0, 0.0]}`.
    """
    numbers = torch.cat([each.flatten() for each in weights.values()])
    smallest = numbers.abs().argsort(stable=True)[: round(share * len(numbers))]
    numbers[smallest] = 0
    parts = numbers.split([each.numel() for each in weights.values()])
    return {name: part.reshape(weights[name].shape) for name, part in zip(weights, parts, strict=True)}


@mistake(
    of=magnitude_prune,
    hint="You pruned each layer by the same share. Rank all weights together: a layer whose weights are all large may "
    "keep them all.",
)
def magnitude_prune_takes_layer_by_layer(weights, *, share):
    return {name: magnitude_prune({name: each}, share=share)[name] for name, each in weights.items()}


@mistake(
    of=magnitude_prune,
    hint="You ranked the values themselves, so that large negative weights went first. What counts is how far a weight "
    "is from zero.",
)
def magnitude_prune_forgets_the_sign(weights, *, share):
    numbers = torch.cat([each.flatten() for each in weights.values()])
    numbers[numbers.argsort(stable=True)[: round(share * len(numbers))]] = 0
    parts = numbers.split([each.numel() for each in weights.values()])
    return {name: part.reshape(weights[name].shape) for name, part in zip(weights, parts, strict=True)}


@mistake(
    of=magnitude_prune,
    hint="You kept the small weights and threw the large ones away.",
)
def magnitude_prune_keeps_the_smallest(weights, *, share):
    numbers = torch.cat([each.flatten() for each in weights.values()])
    numbers[numbers.abs().argsort(stable=True, descending=True)[: round(share * len(numbers))]] = 0
    parts = numbers.split([each.numel() for each in weights.values()])
    return {name: part.reshape(weights[name].shape) for name, part in zip(weights, parts, strict=True)}


@mistake(of=magnitude_prune, hint="`share` says how many weights go, not how many stay.")
def magnitude_prune_keeps_that_share(weights, *, share):
    count = sum(each.numel() for each in weights.values())
    return magnitude_prune(weights, share=(count - round(share * count)) / count)


@mistake(
    of=magnitude_prune,
    hint="You compare with a threshold, and all that equal it go: more than were asked for. Sort, and take exactly so "
    "many.",
)
def magnitude_prune_takes_all_equals(weights, *, share):
    numbers = torch.cat([each.flatten() for each in weights.values()])
    count = round(share * len(numbers))
    if count == 0:
        return {name: each.clone() for name, each in weights.items()}
    threshold = numbers.abs().sort().values[count - 1]
    return {name: torch.where(each.abs() > threshold, each, 0) for name, each in weights.items()}


@mistake(
    of=magnitude_prune,
    hint="You wrote into the weights you were given: the unpruned network, to compare with, is gone. Make new tensors.",
)
def magnitude_prune_damages_its_input(weights, *, share):
    pruned = magnitude_prune(weights, share=share)
    for name, each in weights.items():
        each.copy_(pruned[name])
    return pruned


@built_without("course_lib.compression.distillation_losses")
def distillation_loss(student, teacher, labels, *, temperature=4.0, share=0.9):
    """Learn from a larger network's doubts, and a little from the labels.

    Args:
        student: logits, shape `(batch, classes)`.
        teacher: logits of the larger network on the same pictures, same shape; no gradient may flow into them.
        labels: the right classes, int64, shape `(batch,)`.
        temperature: T.
        share: s, how much the teacher counts.

    Returns:
        One loss per example, shape `(batch,)`: s·T²·KL(p ‖ q) + (1 − s)·CE. Here p = softmax(teacher / T) and
        q = softmax(student / T), KL(p ‖ q) = Σ p·(log p − log q) over the classes, and CE = −log softmax(student)
        at the label, without any temperature.

    Example: where student and teacher agree, only (1 − s)·CE is left.
    """
    expected = (teacher.detach() / temperature).log_softmax(dim=1)
    found = (student / temperature).log_softmax(dim=1)
    surprise = (expected.exp() * (expected - found)).sum(dim=1)
    return share * temperature**2 * surprise + (1 - share) * F.cross_entropy(student, labels, reduction="none")


def _parts(student, teacher, labels, temperature):
    """KL and cross-entropy, from which the mistakes below are put together."""
    teacher = teacher.detach()
    surprise = distillation_loss(student, teacher, labels, temperature=temperature, share=1.0) / temperature**2
    return surprise, F.cross_entropy(student, labels, reduction="none")


@mistake(
    of=distillation_loss,
    hint="The factor T² is missing. Gradients of the soft part shrink by T², so at T = 4 the teacher would count a "
    "sixteenth of what you think.",
)
def distillation_loss_forgets_the_square(student, teacher, labels, *, temperature=4.0, share=0.9):
    surprise, entropy = _parts(student, teacher, labels, temperature)
    return share * surprise + (1 - share) * entropy


@mistake(
    of=distillation_loss,
    hint="The divergence is the wrong way around: the teacher's probabilities weigh the differences.",
)
def distillation_loss_turns_the_divergence_around(student, teacher, labels, *, temperature=4.0, share=0.9):
    expected, found = (teacher.detach() / temperature).log_softmax(dim=1), (student / temperature).log_softmax(dim=1)
    surprise = (found.exp() * (found - expected)).sum(dim=1)
    return share * temperature**2 * surprise + (1 - share) * F.cross_entropy(student, labels, reduction="none")


@mistake(
    of=distillation_loss,
    hint="The labels' part got the temperature, too. Only what is compared with the teacher is softened.",
)
def distillation_loss_softens_the_labels_part(student, teacher, labels, *, temperature=4.0, share=0.9):
    surprise, _ = _parts(student, teacher, labels, temperature)
    entropy = F.cross_entropy(student / temperature, labels, reduction="none")
    return share * temperature**2 * surprise + (1 - share) * entropy


@mistake(
    of=distillation_loss,
    hint="Only the student is softened. The teacher's small probabilities stay invisible unless it gets the same "
    "temperature.",
)
def distillation_loss_leaves_the_teacher_hard(student, teacher, labels, *, temperature=4.0, share=0.9):
    expected, found = teacher.detach().log_softmax(dim=1), (student / temperature).log_softmax(dim=1)
    surprise = (expected.exp() * (expected - found)).sum(dim=1)
    return share * temperature**2 * surprise + (1 - share) * F.cross_entropy(student, labels, reduction="none")


@mistake(
    of=distillation_loss,
    hint="You averaged over the classes. A divergence is a sum over them; with ten classes yours is a tenth.",
)
def distillation_loss_averages_over_classes(student, teacher, labels, *, temperature=4.0, share=0.9):
    surprise, entropy = _parts(student, teacher, labels, temperature)
    return share * temperature**2 * surprise / student.shape[1] + (1 - share) * entropy


@mistake(
    of=distillation_loss,
    hint="The two shares changed places: `share` is the teacher's.",
)
def distillation_loss_swaps_the_shares(student, teacher, labels, *, temperature=4.0, share=0.9):
    return distillation_loss(student, teacher, labels, temperature=temperature, share=1 - share)


@mistake(
    of=distillation_loss,
    hint="The gradient flows into the teacher: it would learn to be easy to imitate. Detach its logits.",
)
def distillation_loss_teaches_the_teacher(student, teacher, labels, *, temperature=4.0, share=0.9):
    expected, found = (teacher / temperature).log_softmax(dim=1), (student / temperature).log_softmax(dim=1)
    surprise = (expected.exp() * (expected - found)).sum(dim=1)
    return share * temperature**2 * surprise + (1 - share) * F.cross_entropy(student, labels, reduction="none")
