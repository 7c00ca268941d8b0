"""What lesson 06 owes us: scenarios that use an exercise and return what they observed."""

import torch
import torch.nn.functional as F

from course_lib.exercises import check

# NoduleClassifier


def filled(NoduleClassifier, draw):
    """A classifier whose weights are drawn, layer by layer in the order of their names."""
    model = NoduleClassifier()
    with torch.no_grad():
        for _, weights in sorted(model.named_parameters()):
            spread = 1.0 if weights.ndim == 1 else (2 / weights[0].numel()) ** 0.5
            weights.copy_(spread * draw.normal(*weights.shape))
    return model


@check("Pictures of 224×224 go in, and each gives one number")
def one_number_for_each(NoduleClassifier, draw):
    return [list(NoduleClassifier()(torch.zeros(n, 1, 224, 224)).shape) for n in (1, 2)]


@check("The layers are those of the description")
def layers_are_kept(NoduleClassifier, draw):
    return {name: list(weights.shape) for name, weights in NoduleClassifier().named_parameters()}


@check("What comes out are logits: below 0 as well as above 1")
def logits_come_out(NoduleClassifier, draw):
    model = filled(NoduleClassifier, draw)
    with torch.no_grad():
        return [5 * model(draw.uniform(2, 1, 224, 224)) for _ in range(3)]


@check("The loss for logits understands them")
def loss_for_logits(NoduleClassifier, draw):
    with torch.no_grad():
        logits = 3 * filled(NoduleClassifier, draw)(draw.uniform(2, 1, 224, 224))
    targets = (torch.arange(logits.numel()) % 2).float().view_as(logits)
    return F.binary_cross_entropy_with_logits(logits, targets, reduction="none")


@check("Every layer learns")
def every_layer_learns(NoduleClassifier, draw):
    model = filled(NoduleClassifier, draw)
    model(draw.uniform(1, 1, 224, 224)).sum().backward()
    return [model.conv1.weight.grad, model.conv1.bias.grad, model.conv2.bias.grad, model.conv3.bias.grad]


# weighted_bce_with_logits


def some_targets(draw, *shape):
    """Some of both, in any shape, float64."""
    targets = draw.integers(*shape, high=2).double()
    targets.view(-1)[:2] = torch.tensor([0.0, 1.0])
    return targets


@check("A few examples, as one would compute them by hand")
def a_few_by_hand(weighted_bce_with_logits, draw):
    logits, targets = draw.normal(6, dtype=torch.float64), some_targets(draw, 6)
    return [weighted_bce_with_logits(logits, targets, pos_weight=weight) for weight in (1.0, 3.0, 8.5)]


@check("Positives alone, negatives alone")
def one_kind_alone(weighted_bce_with_logits, draw):
    logits = 2 * draw.normal(7, dtype=torch.float64)
    return [
        weighted_bce_with_logits(logits, targets, pos_weight=draw.number(2, 9))
        for targets in (torch.ones_like(logits), torch.zeros_like(logits))
    ]


@check("Any shape, one loss for each")
def any_shape(weighted_bce_with_logits, draw):
    shapes = [(5, 3), (2, 1, 4, 3), (3, 2, 2)]
    return [
        weighted_bce_with_logits(draw.normal(*shape, dtype=torch.float64), some_targets(draw, *shape), pos_weight=4.0)
        for shape in shapes
    ]


@check("Far out the loss stays finite and exact")
def far_out(weighted_bce_with_logits, draw):
    logits = draw.uniform(9, low=30, high=80, dtype=torch.float64)
    none, all_ill = torch.zeros_like(logits), torch.ones_like(logits)
    pairs = [(logits, none), (-logits, all_ill), (logits, all_ill), (-logits, none), (logits - 4, none)]
    return [weighted_bce_with_logits(x, y, pos_weight=5.0) for x, y in pairs]


@check("Gradients point the right way, with the weight in them")
def gradients_of_the_loss(weighted_bce_with_logits, draw):
    observed = []
    for weight in (2.0, 5.0, 20.0):
        logits = (3 * draw.normal(8, dtype=torch.float64)).requires_grad_()
        weighted_bce_with_logits(logits, some_targets(draw, 8), pos_weight=weight).sum().backward()
        observed.append(logits.grad)
    return observed


# roc_auc


def graded(draw, n, *, levels=None):
    """Scores between 0 and 1 that know something, and labels; with `levels` there are ties."""
    labels = (draw.uniform(n) < 0.35).long()
    labels[:2] = torch.tensor([1, 0])
    scores = 0.65 * draw.uniform(n, dtype=torch.float64) + 0.3 * labels
    if levels:
        scores = (scores * levels).floor() / levels
    return scores, labels


@check("Few examples, whose pairs one can count")
def few_pairs(roc_auc, draw):
    return [roc_auc(*graded(draw, n)) for n in (4, 5, 6, 7, 8, 9, 10, 11, 12, 13)]


@check("Many examples, all scores different")
def many_examples(roc_auc, draw):
    return [roc_auc(*graded(draw, n)) for n in (40, 50, 60, 70, 80, 90, 100, 110, 120)]


@check("A tie counts one half")
def ties_count_half(roc_auc, draw):
    return [roc_auc(*graded(draw, n, levels=4)) for n in (15, 20, 25, 30, 35, 40, 45, 50, 55, 60)]


@check("The order of the examples does not matter, among equals either")
def order_does_not_matter(roc_auc, draw):
    observed = []
    for sign in (1, -1) * 5:
        scores, labels = graded(draw, 30, levels=3)
        order = (sign * labels).argsort(stable=True)  # now all positives first, now all last
        observed.append(roc_auc(scores[order], labels[order]))
    return observed


@check("Only the order of the scores counts: logits do as well as probabilities")
def any_scale(roc_auc, draw):
    observed = []
    for scale, shift in ((8, -4), (0.2, 0.6), (3, 5), (30, -40), (0.1, 0), (2, -9), (5, 1), (1, 7), (0.3, -1)):
        scores, labels = graded(draw, 40)
        observed.append(roc_auc(scale * scores + shift, labels))
    return observed


@check("The best and the worst order, and a test that knows nothing")
def the_extremes(roc_auc, draw):
    observed = []
    for n in (6, 9, 14):
        labels = torch.arange(n) % 3 // 2
        noise = draw.uniform(n, dtype=torch.float64)
        observed += [roc_auc(labels + 0.5 * noise, labels), roc_auc(-labels + 0.5 * noise, labels)]
        observed.append(roc_auc(torch.full((n,), 0.7, dtype=torch.float64), labels))
    return observed


# threshold_for_recall


@check("Where the demand falls between two positives")
def between_two_positives(threshold_for_recall, draw):
    sizes = (11, 17, 23, 29, 31, 37, 41, 43, 47, 53)
    return [threshold_for_recall(*graded(draw, n), recall=draw.number(0.3, 0.95)) for n in sizes]


@check("Where a positive meets the demand exactly")
def exactly_met(threshold_for_recall, draw):
    observed = []
    for found in (1, 3, 5, 6, 7, 9, 9, 7, 3, 2):
        scores = draw.uniform(24, dtype=torch.float64)
        labels = (torch.arange(24) < 10).long()[draw.permutation(24)]
        observed.append(threshold_for_recall(scores, labels, recall=found / 10))
    return observed


@check("All of them: a recall of 1")
def all_of_them(threshold_for_recall, draw):
    return [threshold_for_recall(*graded(draw, n), recall=1.0) for n in (5, 8, 12, 16, 20, 25, 30, 35, 40)]


@check("With ties, everybody at the threshold is called positive")
def ties_at_the_threshold(threshold_for_recall, draw):
    return [
        threshold_for_recall(*graded(draw, n, levels=12), recall=draw.number(0.4, 0.9))
        for n in (20, 25, 30, 35, 40, 45, 50, 55, 60)
    ]


# dice_loss


def soft_masks(draw, n, *, side=7):
    """Logits that know something, and masks of different sizes, the last one empty."""
    masks = (draw.uniform(n, 1, side, side + 2) < torch.linspace(0.6, 0.1, n).view(-1, 1, 1, 1)).double()
    masks[-1] = 0
    return 2 * draw.normal(*masks.shape, dtype=torch.float64) + 3 * masks - 1, masks


@check("One picture, then several, each by itself")
def each_by_itself(dice_loss, draw):
    return [dice_loss(*soft_masks(draw, n)) for n in (2, 3, 5)]


@check("A healthy picture: the emptier the mask, the smaller the loss")
def healthy_pictures(dice_loss, draw):
    masks = torch.zeros(4, 1, 5, 6, dtype=torch.float64)
    return [dice_loss(draw.normal(*masks.shape, dtype=torch.float64) - far, masks) for far in (0, 4, 30)]


@check("Perfect masks, and masks that miss everything")
def perfect_and_missed(dice_loss, draw):
    masks = (draw.uniform(3, 1, 6, 5) < 0.4).double()
    masks[:, :, 0, 0] = 1
    return [dice_loss(sign * 40 * (2 * masks - 1), masks) for sign in (1, -1)]


@check("`smooth` above and below the line")
def smoothing(dice_loss, draw):
    return [dice_loss(*soft_masks(draw, 3, side=3), smooth=smooth) for smooth in (0.5, 5.0, 40.0)]


@check("There is a slope to learn from")
def slope_of_dice(dice_loss, draw):
    observed = []
    for n in (2, 3, 4):
        logits, masks = soft_masks(draw, n, side=4)
        logits.requires_grad_()
        dice_loss(logits, masks).sum().backward()
        observed.append(logits.grad)
    return observed


# unet_up_block


def levels(draw, *, height, width, odd=(0, 0), channels=(3, 2, 4)):
    c, s, f = channels
    coarse = draw.normal(2, c, height, width, dtype=torch.float64)
    skip = draw.normal(2, s, 2 * height + odd[0], 2 * width + odd[1], dtype=torch.float64)
    return coarse, skip, draw.normal(f, c + s, 3, 3, dtype=torch.float64)


@check("Twice the size, both stacked, convolved")
def even_sizes(unet_up_block, draw):
    return [unet_up_block(*levels(draw, height=height, width=width)) for height, width in ((1, 2), (3, 2), (4, 5))]


@check("As many channels from below as from beside")
def equal_channels(unet_up_block, draw):
    return [unet_up_block(*levels(draw, height=2, width=3, channels=(c, c, 2))) for c in (1, 2, 3)]


@check("Where pooling dropped a row or a column")
def odd_sizes(unet_up_block, draw):
    return [unet_up_block(*levels(draw, height=3, width=4, odd=odd)) for odd in ((1, 0), (0, 1), (1, 1))]


@check("What comes from below stays where it was")
def stays_in_place(unet_up_block, draw):
    coarse, skip, weight = levels(draw, height=3, width=2, odd=(1, 1), channels=(1, 1, 1))
    weight = torch.zeros_like(weight)
    weight[0, 0, 1, 1] = 1
    return [unet_up_block(coarse * factor, skip, weight) for factor in (1, 2, 3)]


@check("Gradients reach both sides and the filters")
def gradients_reach_all(unet_up_block, draw):
    parts = [part.requires_grad_() for part in levels(draw, height=2, width=3, odd=(1, 0))]
    output = unet_up_block(*parts)
    (output * draw.normal(*output.shape, dtype=torch.float64)).sum().backward()
    return [part.grad for part in parts]
