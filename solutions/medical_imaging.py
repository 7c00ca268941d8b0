"""Lesson 06, medical imaging: the reference of each exercise, and the mistakes that people make."""

import torch
import torch.nn.functional as F
from torch import nn

from course_lib.exercises import built_without, mistake


class NoduleClassifier(nn.Module):
    """Is there a nodule? A small network for pictures of 224×224 pixels. Repair it; keep its layers and their names.

    Three times a convolution (`conv1` to 8, `conv2` to 16, `conv3` to 64 channels), ReLU, and max-pooling over 2×2.
    Then `head`, a linear layer, looks at all that is left, flattened picture by picture.

    Args:
        images: shape `(n, 1, 224, 224)`.

    Returns:
        Logits, one for each picture, shape `(n, 1)`: any real number, made for `binary_cross_entropy_with_logits`.

    Example: three pictures of zeros give a tensor of shape `(3, 1)`.
    """

    def __init__(self):
        """Make the layers."""
        super().__init__()
        self.conv1 = nn.Conv2d(1, 8, 3, padding=1)
        self.conv2 = nn.Conv2d(8, 16, 3, padding=1)
        self.conv3 = nn.Conv2d(16, 64, 3, padding=1)
        self.head = nn.Linear(64 * 28 * 28, 1)

    def forward(self, images):
        """Look at the pictures."""
        features = F.max_pool2d(F.relu(self.conv1(images)), 2)
        features = F.max_pool2d(F.relu(self.conv2(features)), 2)
        features = F.max_pool2d(F.relu(self.conv3(features)), 2)  # (n, 64, 28, 28)
        return self.head(features.flatten(1))


@mistake(
    of=NoduleClassifier,
    hint="The sigmoid is still there, and binary_cross_entropy_with_logits applies one of its own. What comes out lies"
    " between 0 and 1, so the loss takes even the surest answer for a guess. Return what the head says.",
)
class NoduleClassifier_keeps_the_sigmoid(NoduleClassifier):
    def forward(self, images):
        return torch.sigmoid(super().forward(images))


@mistake(
    of=NoduleClassifier,
    hint="You made the picture fit the number: another pooling halves 28×28 to 14×14, and three quarters of the head's"
    " weights are gone. Three poolings leave 224 / 2 / 2 / 2 = 28 rows: correct the number.",
)
class NoduleClassifier_pools_once_more(NoduleClassifier):
    def __init__(self):
        super().__init__()
        self.head = nn.Linear(64 * 14 * 14, 1)

    def forward(self, images):
        features = images
        for conv in (self.conv1, self.conv2, self.conv3):
            features = F.max_pool2d(F.relu(conv(features)), 2)
        return self.head(F.max_pool2d(features, 2).flatten(1))


@mistake(
    of=NoduleClassifier,
    hint="You get four answers for each picture: reshape(-1, 64 * 14 * 14) cuts each one's 64·28·28 numbers into four "
    "rows. Flatten picture by picture, flatten(1), and give the head as many inputs as that makes.",
)
class NoduleClassifier_cuts_pictures_in_four(NoduleClassifier):
    def __init__(self):
        super().__init__()
        self.head = nn.Linear(64 * 14 * 14, 1)

    def forward(self, images):
        features = images
        for conv in (self.conv1, self.conv2, self.conv3):
            features = F.max_pool2d(F.relu(conv(features)), 2)
        return self.head(features.reshape(-1, 64 * 14 * 14))


@mistake(
    of=NoduleClassifier,
    hint="The ReLUs went away together with the name that was missing. Without them the convolutions fold into one, "
    "and only the pooling still bends anything. Import what is missing: torch.nn.functional, as F.",
)
class NoduleClassifier_loses_the_relu(NoduleClassifier):
    def forward(self, images):
        features = images
        for conv in (self.conv1, self.conv2, self.conv3):
            features = F.max_pool2d(conv(features), 2)
        return self.head(features.flatten(1))


@mistake(
    of=NoduleClassifier,
    hint="A ReLU stands where the sigmoid stood, so no logit is ever below 0, and no picture's probability below one "
    "half. The last layer speaks for itself: nothing comes after the head.",
)
class NoduleClassifier_ends_with_relu(NoduleClassifier):
    def forward(self, images):
        return F.relu(super().forward(images))


@built_without(
    "torch.nn.functional.binary_cross_entropy_with_logits",
    "torch.nn.functional.binary_cross_entropy",
    "torch.nn.BCEWithLogitsLoss",
    "torch.nn.BCELoss",
)
def weighted_bce_with_logits(logits, targets, *, pos_weight):
    """Binary cross-entropy in which each positive counts as often as you say; one loss per example.

    Args:
        logits: x, any real numbers, any shape. The probability of a positive is σ(x).
        targets: y, 1 for positive and 0 for negative, floating point, the same shape.
        pos_weight: w, how many negatives one positive is worth; a number.

    Returns:
        −w·y·log σ(x) − (1 − y)·log(1 − σ(x)), the same shape as the logits; finite and exact for logits as far out as
        −80 and 80, too.

    Example: `logits=[0., 0.]`, `targets=[1., 0.]`, `pos_weight=8` give `[8 · log 2, log 2]`.
    """
    return -pos_weight * targets * F.logsigmoid(logits) - (1 - targets) * F.logsigmoid(-logits)


@mistake(
    of=weighted_bce_with_logits,
    hint="The weight is on the wrong side: you made the many negatives count more, and the few positives drown. It "
    "belongs to the term with y.",
)
def weighted_bce_weights_the_negatives(logits, targets, *, pos_weight):
    return -targets * F.logsigmoid(logits) - pos_weight * (1 - targets) * F.logsigmoid(-logits)


@mistake(
    of=weighted_bce_with_logits,
    hint="You weighted all examples alike. That is only a larger learning rate: multiply the term with y, not the sum.",
)
def weighted_bce_weights_everything(logits, targets, *, pos_weight):
    return pos_weight * weighted_bce_with_logits(logits, targets, pos_weight=1.0)


@mistake(
    of=weighted_bce_with_logits,
    hint="You took the sigmoid first and kept its result away from 0 before the logarithm. There the loss goes flat, "
    "and so does the gradient, just where the network is most wrong. logsigmoid does both at once and stays "
    "exact.",
)
def weighted_bce_clamps_the_probability(logits, targets, *, pos_weight):
    probability = torch.sigmoid(logits).clamp(1e-7, 1 - 1e-7)
    return -pos_weight * targets * probability.log() - (1 - targets) * (1 - probability).log()


@mistake(
    of=weighted_bce_with_logits,
    hint="You took the sigmoid first and its logarithm afterwards. Far out the sigmoid is exactly 1, the logarithm of "
    "what is left infinite, and 0 times infinite no number at all. logsigmoid does both at once.",
)
def weighted_bce_takes_the_logarithm_afterwards(logits, targets, *, pos_weight):
    probability = torch.sigmoid(logits)
    return -pos_weight * targets * probability.log() - (1 - targets) * (1 - probability).log()


@mistake(
    of=weighted_bce_with_logits,
    hint="Two sigmoids, one after the other: the second one gets numbers between 0 and 1 and calls even the surest "
    "negative a coin's toss. The logits come as they are.",
)
def weighted_bce_applies_sigmoid_twice(logits, targets, *, pos_weight):
    return weighted_bce_with_logits(torch.sigmoid(logits), targets, pos_weight=pos_weight)


@mistake(
    of=weighted_bce_with_logits,
    hint="You divide by the mean weight of the batch. Then a batch with many positives counts less than one with few: "
    "each loss depends on its own example alone.",
)
def weighted_bce_divides_by_the_weights(logits, targets, *, pos_weight):
    weights = 1 + (pos_weight - 1) * targets
    return weighted_bce_with_logits(logits, targets, pos_weight=pos_weight) / weights.mean()


@mistake(
    of=weighted_bce_with_logits,
    hint="The term of the negatives is missing. A network that calls everything positive would then have no loss at "
    "all.",
)
def weighted_bce_forgets_the_negatives(logits, targets, *, pos_weight):
    return -pos_weight * targets * F.logsigmoid(logits)


@mistake(
    of=weighted_bce_with_logits,
    hint="You return the mean. One loss per example is asked for: the course's loop takes the mean itself.",
)
def weighted_bce_returns_the_mean(logits, targets, *, pos_weight):
    return weighted_bce_with_logits(logits, targets, pos_weight=pos_weight).mean()


@built_without("sklearn.metrics.roc_auc_score", "sklearn.metrics.auc", "sklearn.metrics.roc_curve")
def roc_auc(scores, labels):
    """How well scores put the ill above the healthy, whatever the threshold: the area under the ROC curve.

    Args:
        scores: the higher, the more likely positive, shape `(n,)`.
        labels: 1 for positive, 0 for negative, int64, shape `(n,)`; both occur.

    Returns:
        A number from 0 to 1: of all pairs of one positive and one negative, the share in which the positive has the
        higher score. A pair with equal scores counts one half.

    Example: scores `[0.9, 0.4, 0.4, 0.1]`, labels `[1, 1, 0, 0]`: of four pairs three are right and one is a tie, which
        gives 3.5 / 4 = 0.875.
    """
    positive, negative = scores[labels == 1].double(), scores[labels == 0].double()
    higher = (positive[:, None] > negative).double()  # (positives, negatives)
    return (higher + 0.5 * (positive[:, None] == negative)).mean().item()


@mistake(
    of=roc_auc,
    hint="Ties count nothing in your answer. A test that gives everybody the same score would get 0, as if it were "
    "always wrong; it knows nothing, and that is one half.",
)
def roc_auc_loses_ties(scores, labels):
    return (scores[labels == 1][:, None] > scores[labels == 0]).double().mean().item()


@mistake(
    of=roc_auc,
    hint="Ties count as right in your answer. A test that gives everybody the same score would then be perfect: a tie "
    "is worth one half.",
)
def roc_auc_wins_ties(scores, labels):
    return (scores[labels == 1][:, None] >= scores[labels == 0]).double().mean().item()


@mistake(
    of=roc_auc,
    hint="Your area is upside down: you count the pairs in which the healthy one has the higher score.",
)
def roc_auc_is_upside_down(scores, labels):
    return 1 - roc_auc(scores, labels)


@mistake(
    of=roc_auc,
    hint="You decided first, at one half, and measured the decisions. The area asks for the order of the scores, and "
    "no threshold.",
)
def roc_auc_decides_first(scores, labels):
    return roc_auc((scores >= 0.5).double(), labels)


@mistake(
    of=roc_auc,
    hint="You divide by all pairs there are. Only pairs of one positive and one negative count: positives × negatives.",
)
def roc_auc_divides_by_all_pairs(scores, labels):
    positives, n = int(labels.sum()), len(labels)
    return roc_auc(scores, labels) * positives * (n - positives) / (n * (n - 1) / 2)


@mistake(
    of=roc_auc,
    hint="You walk through the sorted list one by one, so within a tie it matters who happens to come first. Examples "
    "with equal scores pass the threshold together.",
)
def roc_auc_breaks_ties_by_place(scores, labels):
    order = scores.argsort(descending=True, stable=True)
    places = torch.empty_like(scores, dtype=torch.float64)
    places[order] = -torch.arange(len(scores), dtype=torch.float64)
    return roc_auc(places, labels)


def threshold_for_recall(scores, labels, *, recall):
    """The highest threshold that still finds enough of the ill. Whoever scores at or above it is called positive.

    Args:
        scores: the higher, the more likely positive, shape `(n,)`.
        labels: 1 for positive, 0 for negative, int64, shape `(n,)`; at least one is positive.
        recall: the share of the positives that must be found, above 0 and at most 1.

    Returns:
        The threshold, a number: the score of a positive. At it the recall is at least what was demanded; at the next
        higher score of a positive it would be less.

    Example: positives with the scores 0.9, 0.7, 0.6, 0.2 and `recall=0.7`: 0.7 would find two of four, 0.6 finds three,
        so it is 0.6.
    """
    ranked = scores[labels == 1].sort(descending=True).values
    found = torch.arange(1, len(ranked), dtype=torch.float64) / len(ranked)
    return ranked[int((found < recall).sum())].item()  # the last one always finds enough


@mistake(
    of=threshold_for_recall,
    hint="You rounded down: where the demand falls between two positives, your threshold finds one too few. Recall "
    "must be at least what was demanded.",
)
def threshold_for_recall_rounds_down(scores, labels, *, recall):
    ranked = scores[labels == 1].sort(descending=True).values
    return ranked[max(int(recall * len(ranked) + 1e-9), 1) - 1].item()


@mistake(
    of=threshold_for_recall,
    hint="You go one positive further than needed. The first threshold that finds enough is the highest one, and a "
    "lower one only adds false alarms.",
)
def threshold_for_recall_goes_too_far(scores, labels, *, recall):
    ranked = scores[labels == 1].sort(descending=True).values
    found = torch.arange(1, len(ranked) + 1, dtype=torch.float64) / len(ranked)
    return ranked[min(int((found < recall).sum()) + 1, len(ranked) - 1)].item()


@mistake(
    of=threshold_for_recall,
    hint="You count from the wrong end: sorted upward, the first scores are those of the positives that are missed.",
)
def threshold_for_recall_counts_from_below(scores, labels, *, recall):
    return -threshold_for_recall(-scores, labels, recall=recall)


@mistake(
    of=threshold_for_recall,
    hint="You ranked everybody. Recall is a share of the positives: look at their scores alone.",
)
def threshold_for_recall_ranks_everybody(scores, labels, *, recall):
    return threshold_for_recall(scores, torch.ones_like(labels), recall=recall)


@mistake(
    of=threshold_for_recall,
    hint="You looked at the negatives. They decide how many false alarms there are; the recall is the positives' "
    "affair.",
)
def threshold_for_recall_looks_at_the_negatives(scores, labels, *, recall):
    return threshold_for_recall(scores, 1 - labels, recall=recall)


@mistake(
    of=threshold_for_recall,
    hint="A quantile falls between two scores: it is nobody's score, and the positive just below it is missed. Take "
    "the score of the last positive that is needed.",
)
def threshold_for_recall_takes_a_quantile(scores, labels, *, recall):
    return torch.quantile(scores[labels == 1].double(), 1 - recall).item()


def dice_loss(logits, masks, *, smooth=1.0):
    """How badly masks overlap: 0 for a perfect mask, near 1 for one that misses everything; one loss per picture.

    Args:
        logits: x, shape `(n, 1, h, w)`; p = σ(x) is the probability that a pixel belongs to a nodule.
        masks: m, the truth, 1 or 0, floating point, the same shape.
        smooth: s, added above and below the line, so that an empty mask for an empty truth costs nothing.

    Returns:
        1 − (2·Σ p·m + s) / (Σ p + Σ m + s), each sum over all pixels of one picture; shape `(n,)`.

    Example: two pixels with p = [1, 0] and m = [1, 1]: 1 − (2 + 1) / (1 + 2 + 1) = 1/4.
    """
    probabilities = torch.sigmoid(logits).flatten(1)
    masks = masks.flatten(1)
    both = (probabilities * masks).sum(dim=1)
    return 1 - (2 * both + smooth) / (probabilities.sum(dim=1) + masks.sum(dim=1) + smooth)


@mistake(
    of=dice_loss,
    hint="You summed over the whole batch: large nodules then outvote small ones, and each loss depends on its "
    "neighbors. Sum picture by picture.",
)
def dice_loss_mixes_the_batch(logits, masks, *, smooth=1.0):
    whole = dice_loss(logits.reshape(1, -1), masks.reshape(1, -1), smooth=smooth)
    return whole.expand(len(logits))


@mistake(
    of=dice_loss,
    hint="The factor 2 is missing above the line, so a perfect mask still costs about one half: what both have is "
    "counted once above, but twice below.",
)
def dice_loss_forgets_the_two(logits, masks, *, smooth=1.0):
    probabilities = torch.sigmoid(logits).flatten(1)
    masks = masks.flatten(1)
    below = probabilities.sum(dim=1) + masks.sum(dim=1) + smooth
    return 1 - ((probabilities * masks).sum(dim=1) + smooth) / below


@mistake(
    of=dice_loss,
    hint="That is the overlap over the union (Jaccard's index): a cousin, but not Dice. Below the line stands the sum "
    "of both, without subtracting what they share.",
)
def dice_loss_is_jaccard(logits, masks, *, smooth=1.0):
    probabilities = torch.sigmoid(logits).flatten(1)
    masks = masks.flatten(1)
    both = (probabilities * masks).sum(dim=1)
    return 1 - (both + smooth) / (probabilities.sum(dim=1) + masks.sum(dim=1) - both + smooth)


@mistake(
    of=dice_loss,
    hint="The sigmoid is missing: logits are no probabilities, and sums of them can even be negative.",
)
def dice_loss_takes_logits_for_probabilities(logits, masks, *, smooth=1.0):
    logits, masks = logits.flatten(1), masks.flatten(1)
    above = 2 * (logits * masks).sum(dim=1) + smooth
    return 1 - above / (logits.abs().sum(dim=1) + masks.sum(dim=1) + smooth)


@mistake(
    of=dice_loss,
    hint="You decided pixel by pixel before you counted. A step has no slope: nothing can be learned from this loss. "
    "Leave the probabilities as they are.",
)
def dice_loss_decides_first(logits, masks, *, smooth=1.0):
    return dice_loss((logits > 0) * 400.0 - 200 + 0 * logits, masks, smooth=smooth)


@mistake(
    of=dice_loss,
    hint="That is the Dice score, which should rise. A loss should fall: 1 minus it.",
)
def dice_loss_is_the_score(logits, masks, *, smooth=1.0):
    return 1 - dice_loss(logits, masks, smooth=smooth)


@mistake(
    of=dice_loss,
    hint="`smooth` stands only below the line. Then a healthy picture with a perfectly empty mask has the full loss of"
    " 1, and no way to do better.",
)
def dice_loss_smooths_only_below(logits, masks, *, smooth=1.0):
    probabilities = torch.sigmoid(logits).flatten(1)
    masks = masks.flatten(1)
    both = (probabilities * masks).sum(dim=1)
    return 1 - 2 * both / (probabilities.sum(dim=1) + masks.sum(dim=1) + smooth)


def unet_up_block(coarse, skip, weight):
    """One step up in a U-Net: what the deep layers know is laid beside what the shallow ones saw, and convolved.

    Args:
        coarse: from below, small and deep, shape `(n, c, h, w)`.
        skip: from the same level on the way down, shape `(n, s, H, W)`. H is 2h, or 2h + 1 where pooling dropped a row;
            W likewise.
        weight: 3×3 filters, shape `(f, c + s, 3, 3)`: the first c of their channels are for `coarse`.

    Returns:
        Shape `(n, f, H, W)`. Each number of `coarse` becomes a square of 2×2; where a row or column is still missing,
        the last one is repeated. Then both are stacked, `coarse` first, and convolved with a padding of one zero all
        around.

    Example: `coarse=[[5.]]` becomes `[[5., 5.], [5., 5.]]` beside a skip of 2×2, and three rows of three fives beside
        one of 3×3.
    """
    larger = coarse.repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)
    missing = (0, skip.shape[3] - larger.shape[3], 0, skip.shape[2] - larger.shape[2])
    larger = F.pad(larger, missing, mode="replicate")
    return F.conv2d(torch.cat([larger, skip], dim=1), weight, padding=1)


@mistake(
    of=unet_up_block,
    hint="The order is turned around: the filters' first channels are for what comes from below. With as many channels"
    " on both sides nothing would warn you.",
)
def unet_up_block_puts_the_skip_first(coarse, skip, weight):
    turned = torch.cat([weight[:, skip.shape[1] :], weight[:, : skip.shape[1]]], dim=1)
    return unet_up_block(coarse, skip, turned)


@mistake(
    of=unet_up_block,
    hint="`repeat` lays four copies of the whole picture side by side, like tiles. Each number is to become a square: "
    "repeat_interleave, or interpolate with mode='nearest'.",
)
def unet_up_block_tiles_the_picture(coarse, skip, weight):
    larger = coarse.repeat(1, 1, 2, 2)
    missing = (0, skip.shape[3] - larger.shape[3], 0, skip.shape[2] - larger.shape[2])
    return F.conv2d(torch.cat([F.pad(larger, missing, mode="replicate"), skip], dim=1), weight, padding=1)


@mistake(
    of=unet_up_block,
    hint="Where the skip is one larger you put zeros. To the next layer that is a dark rim along two sides: repeat the"
    " last row and column instead.",
)
def unet_up_block_pads_with_zeros(coarse, skip, weight):
    larger = coarse.repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)
    missing = (0, skip.shape[3] - larger.shape[3], 0, skip.shape[2] - larger.shape[2])
    return F.conv2d(torch.cat([F.pad(larger, missing), skip], dim=1), weight, padding=1)


@mistake(
    of=unet_up_block,
    hint="You stretched `coarse` to the skip's size. Where that is odd, its pixels no longer lie where pooling took "
    "them from. Double first, then repeat the last row and column.",
)
def unet_up_block_stretches(coarse, skip, weight):
    larger = F.interpolate(coarse, size=skip.shape[2:], mode="nearest")
    return F.conv2d(torch.cat([larger, skip], dim=1), weight, padding=1)


@mistake(
    of=unet_up_block,
    hint="Bilinear interpolation mixes neighbors. It is a good choice too, but not this one: each number becomes a "
    "square of four equal ones.",
)
def unet_up_block_interpolates(coarse, skip, weight):
    larger = F.interpolate(coarse, scale_factor=2.0, mode="bilinear")
    missing = (0, skip.shape[3] - larger.shape[3], 0, skip.shape[2] - larger.shape[2])
    return F.conv2d(torch.cat([F.pad(larger, missing, mode="replicate"), skip], dim=1), weight, padding=1)


@mistake(
    of=unet_up_block,
    hint="Without padding the picture shrinks by two rows and two columns at each level, and the mask no longer fits "
    "the picture. Pad with one zero all around.",
)
def unet_up_block_shrinks(coarse, skip, weight):
    return unet_up_block(coarse, skip, weight)[:, :, 1:-1, 1:-1]
