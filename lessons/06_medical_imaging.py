# %% [markdown]
# # 06 · Finding what is rare
#
# Most people are healthy, and most pixels of a scan are, too. A network that always says "nothing there" is nearly
# always right, and useless. You build one that finds the rest, says where it is, and counts its own false alarms.
#
# **You will be able to** train on rare things, read ROC and precision-recall curves, choose a threshold by what a
# mistake costs, segment with a U-Net, and say what such figures prove.
#
# **You need** lessons 03 and 04: the training loop, convolutions. **Time:** 90 minutes, with six exercises.

# %%
import math

import matplotlib.pyplot as plt
import torch
from scipy import ndimage
from torch import nn

from course_lib.batches import Batches
from course_lib.datasets import available, load
from course_lib.device import best_device, budget
from course_lib.exercises import borrow, exercise
from course_lib.medical_models import NoduleNet, UNet, UpBlock, compare_regions, flip, masks_from
from course_lib.metrics import dice, roc_curve
from course_lib.plots import PALETTE, show, show_images
from course_lib.training import Recipe, fit, one_cycle
from course_lib.widgets.threshold import describe_threshold, explore_threshold

# %% [markdown]
# ## Eight windows
#
# A scanner shows the chest slice by slice. Air is black, bone is white, lungs are dark, and their vessels bright. A
# **nodule** is a round spot in the lung, wider than the vessels around it. Most are harmless; some are an early cancer.
#
# These lungs are drawn by the course: windows of 64×64 pixels, eight per patient, and no patient is in two splits. So
# we know each nodule to the pixel, which nobody does for real scans.
#
# **Predict.** Four of these eight windows hold a nodule. Which ones?

# %%
device, data = best_device(), load("lung_patches")
images = {name: split.images.to(device) for name, split in data.splits.items()}  # (n, 1, 64, 64) in [0, 1]
labels = {name: split.labels for name, split in data.splits.items()}  # 1: there is a nodule
masks = {name: split.masks for name, split in data.splits.items()}  # where it is, pixel by pixel

ill, healthy = ((labels["train"] == label).nonzero()[:, 0] for label in (1, 0))
eight = torch.cat([ill[:4], healthy[:4]])[torch.tensor([4, 1, 0, 5, 6, 3, 7, 2])].tolist()
show_images(images["train"][eight].cpu(), titles="ABCDEFGH", columns=4,
            alt="Eight windows of lungs, A to H, with vessels and bright dots; in four there is a rounder spot.")

# %%
figure, grid = plt.subplots(2, 4, figsize=(7.2, 4.0))
for letter, axes, row in zip("ABCDEFGH", grid.flat, eight, strict=True):
    axes.imshow(images["train"][row, 0].cpu(), vmin=0, vmax=1)
    if labels["train"][row] == 1:
        axes.contour(masks["train"][row, 0], levels=[0.5], colors=PALETTE["orange"], linewidths=1.5)
    axes.set(title=letter, xticks=[], yticks=[])
show(figure, alt="The same windows. Nodules are outlined in B, C, F and H.")

# %% [markdown]
# B, C, F and H. The small dots are vessels that run straight through the slice. They are healthy, and they are what
# your network will stumble over.
#
# ## Why 99% can be useless
#
# **Predict.** A doctor who always says "healthy": how often is that right for these windows? And a mask that is always
# empty: for how many pixels?

# %%
# NBVAL_CHECK_OUTPUT
print(f"always healthy: {(labels['test'] == 0).float().mean():.1%} of the windows are right, and none of the ill found")
print(f"always empty:   {(~masks['test']).float().mean():.1%} of the pixels are right, and no nodule found")

# %% [markdown]
# Accuracy mixes two questions in proportion to how common each case is. Keep them apart: of the ill, how many are found
# (**recall**)? Of the healthy, how many are frightened (**false alarm rate**)?
#
# ### Exercise 1 · `NoduleClassifier` · difficulty ●●○ · 12 min
#
# A bug hunt. Somebody posted this classifier. Three things are wrong with it: one shows when it runs, one when pictures
# of 224×224 come, and one never. Repair it.
#
# <details><summary>Hint 1: a nudge</summary>
#
# Run it on `torch.zeros(2, 1, 224, 224)`. What is the first complaint? What is the next one, once that is mended?
# </details>
# <details><summary>Hint 2: the idea</summary>
#
# Follow the shape by hand: each pooling halves height and width. Then read what the loss of the description expects,
# and look at what the last line does.
# </details>
# <details><summary>Hint 3: nearly the code</summary>
#
# `import torch.nn.functional as F`; 224 / 2 / 2 / 2 = 28, so the head sees 64 · 28 · 28 numbers; return the head's
# answer without `torch.sigmoid`.
# </details>

# %% tags=["exercise"]
@exercise
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
        self.head = nn.Linear(64 * 14 * 14, 1)

    def forward(self, images):
        """Look at the pictures."""
        features = F.max_pool2d(F.relu(self.conv1(images)), 2)
        features = F.max_pool2d(F.relu(self.conv2(features)), 2)
        features = F.max_pool2d(F.relu(self.conv3(features)), 2)
        return torch.sigmoid(self.head(features.flatten(1)))


# %% [markdown]
# The first two bugs shout. The third one is quiet: `binary_cross_entropy_with_logits` applies a sigmoid itself, so with
# a second one before it, everything still runs, and the loss even falls.
#
# **Predict.** A network that is *perfectly sure and right* in all cases: how small does its loss get?

# %%
# NBVAL_CHECK_OUTPUT
bce = nn.functional.binary_cross_entropy_with_logits
sure, truth = torch.tensor([40.0, -40.0]), torch.tensor([1.0, 0.0])
for name, outputs in {"logits": sure, "sigmoid before": torch.sigmoid(sure)}.items():
    ill_loss, healthy_loss = bce(outputs, truth, reduction="none").tolist()
    print(f"{name:15s} loss of an ill one {ill_loss:.3f}, of a healthy one {healthy_loss:.3f}")

# %% [markdown]
# 0.693 is $\ln 2$, a coin's toss. The surest "healthy" counts as not knowing. You met its cousin in lesson 03.
#
# ## What a positive weighs
#
# With seven healthy windows for each ill one, seven eighths of the loss are about healthy ones. Let each positive count
# as $w$ examples ($y$ is the target, $x$ the logit):
#
# $$\ell = -w\, y \log \sigma(x) - (1-y) \log\bigl(1-\sigma(x)\bigr)$$
#
# ### Exercise 2 · `weighted_bce_with_logits` · difficulty ●○○ · 8 min
#
# <details><summary>Hint 1: a nudge</summary>
#
# What does `torch.sigmoid(torch.tensor(-200.))` give, and what is its logarithm?
# </details>
# <details><summary>Hint 2: the idea</summary>
#
# $1 - \sigma(x) = \sigma(-x)$. And torch has the logarithm of the sigmoid as one function, which never overflows.
# </details>
# <details><summary>Hint 3: nearly the code</summary>
#
# `torch.nn.functional.logsigmoid(logits)` is log σ(x), and with `-logits` it is log(1 − σ(x)).
# </details>

# %% tags=["exercise"]
@exercise
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
    ...  # your code here


# %% [markdown]
# Two networks, alike but for $w$: 1, which leaves the loss as it is, and 8.
#
# `NoduleNet` is four convolutions. Its last layer looks at the strongest answer of each filter, *wherever* that was:
# one nodule is enough.
#
# **Predict.** Who finds more of the ill at the usual threshold, one half? And who is better at *ranking* them above the
# healthy?

# %%
def train_classifier(pictures, targets, *, pos_weight, epochs, widths):
    def losses_fn(model, batch):
        return weighted_bce_with_logits(model(batch[0]), batch[1], pos_weight=pos_weight)

    torch.manual_seed(0)
    model = NoduleNet(widths=widths, in_channels=pictures.shape[1]).to(memory_format=torch.channels_last)
    pictures = pictures.to(memory_format=torch.channels_last)  # faster, and the same otherwise
    batches = Batches(pictures, targets.float().to(device), batch_size=32, shuffle=True, augment=flip)
    make_adamw = lambda model: torch.optim.AdamW(model.parameters(), lr=5e-3)  # noqa: E731
    fit(model, batches, losses_fn, recipe=Recipe(make_adamw, epochs, one_cycle()))
    return model.eval()

# %%
size = {"epochs": budget(cpu=5, gpu=30), "widths": budget(cpu=(16, 32, 48), gpu=(64, 128, 256))}
networks = {w: train_classifier(images["train"], labels["train"], pos_weight=w, **size) for w in (1.0, 8.0)}


@torch.no_grad()
def run(model, pictures):
    return torch.cat([model(part) for part in pictures.split(50)]).cpu()


logits = {(w, split): run(networks[w], images[split]) for w in networks for split in ("validation", "test")}
for w in networks:
    called, sick = logits[w, "validation"] >= 0, labels["validation"] == 1
    recall, alarms = called[sick].float().mean(), called[~sick].float().mean()
    print(f"w = {w:.0f}: recall {recall:.0%}, false alarm rate {alarms:.1%}")

# %% [markdown]
# The weight buys a little recall and pays with false alarms. But is the second network a *better* judge, or only a
# more anxious one? For that, compare them over all thresholds at once.
#
# The **ROC curve** lets the threshold fall from the top and draws recall over false alarm rate. The area below it has a
# plain meaning: how often does an ill one score higher than a healthy one?
#
# ### Exercise 3 · `roc_auc` · difficulty ●●○ · 12 min
#
# <details><summary>Hint 1: a nudge</summary>
#
# No curve is needed, and no integral. How many pairs of one positive and one negative are there?
# </details>
# <details><summary>Hint 2: the idea</summary>
#
# Put the positives into a column and the negatives into a row, and compare all with all. Count the pairs that are
# right, and half of those that are equal.
# </details>
# <details><summary>Hint 3: nearly the code</summary>
#
# `positive[:, None] > negative` is a table of truth values; with half of `positive[:, None] == negative` added, its
# mean is the answer.
# </details>

# %% tags=["exercise"]
@exercise
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
    ...  # your code here


# %% [markdown]
# **Predict.** Which of the two has the larger area, $w = 1$ or $w = 8$?
#
# **Precision** asks the other way around: of those who are called ill, how many are? **Predict.** The same network, but
# only 1 in 100 is ill instead of 1 in 8: what happens to the ROC curve, and what to precision?

# %%
areas = {w: roc_auc(logits[w, "validation"], labels["validation"]) for w in networks}
print("area under the curve:", {f"w = {w:.0f}": round(area, 3) for w, area in areas.items()})
_, false_rate, found = roc_curve(logits[8.0, "validation"], labels["validation"])
figure, (left, right) = plt.subplots(1, 2, figsize=(7.4, 3.5))
left.plot(false_rate, found)
left.set(title=f"ROC, area {areas[8.0]:.3f}", xlabel="false alarm rate", ylabel="recall")
for name, prevalence in {"1 in 8": 1 / 8, "1 in 100": 1 / 100}.items():
    called_ill = prevalence * found + (1 - prevalence) * false_rate  # of everybody
    right.plot(found[1:], (prevalence * found / called_ill)[1:], label=f"{name} is ill")
right.set(title="Precision and recall", xlabel="recall", ylabel="precision", ylim=(0, 1.03))
right.legend(loc="lower left")
show(figure, alt="Left: the ROC curve rises steeply to the upper left corner. Right: precision over recall. With one "
     "in eight ill it stays high for long, with one in a hundred it lies far below.")

# %% [markdown]
# As judges both are about equally good. The weight mostly moves the threshold, which you could have done without
# training anew.
#
# The ROC curve doesn't know how rare the illness is, so it stays. Precision collapses: most alarms are false once
# nearly everybody is healthy.
#
# ## Does 30% mean 30%?
#
# A network is **calibrated** if, of all windows to which it gives 30%, three in ten hold a nodule.
#
# **Predict.** Both networks learned from the same windows. Which one says too much, the one with $w = 1$ or the one
# with $w = 8$? And where: among those it is sure of, or among those in doubt?

# %%
def reliability(scores, truth):
    groups = torch.bucketize(scores, torch.tensor([0.05, 0.2, 0.9]))
    parts = [groups == group for group in range(4)]
    return [(scores[part].mean().item(), truth[part].float().mean().item(), int(part.sum())) for part in parts]


plain, anxious = (torch.sigmoid(logits[w, "validation"]) for w in (1.0, 8.0))
figure, axes = plt.subplots(figsize=(4.8, 3.9))
axes.plot([0, 1], [0, 1], "--", color=PALETTE["black"], linewidth=1, label="perfect")
for name, scores, marker in (("w = 1", plain, "o"), ("w = 8", anxious, "^")):
    said, ill_share, count = zip(*reliability(scores, labels["validation"]), strict=True)
    axes.plot(said, ill_share, marker=marker, label=f"{name}: groups of {', '.join(map(str, count))}")
axes.set(title="Calibration on validation", xlabel="what the network says", ylabel="share that is ill")
axes.legend(loc="upper left", fontsize=8)
show(figure, alt="Share of ill windows over what the network says. The line for weight 1 stays nearer to the diagonal; "
     "that for weight 8 sags below it in the middle.")

# %% [markdown]
# Both are right where they are sure. In doubt, the second one says far too much: each positive counted eight times,
# so it learned odds of a world with more illness in it. The groups in the middle are small; more windows would tell
# more exactly.
#
# ## The threshold is a decision
#
# Nobody but you says that it is one half. Two honest ways: demand a recall, or give a miss its price.
#
# ### Exercise 4 · `threshold_for_recall` · difficulty ●●○ · 10 min
#
# <details><summary>Hint 1: a nudge</summary>
#
# Whose scores matter: everybody's, or only those of the ill?
# </details>
# <details><summary>Hint 2: the idea</summary>
#
# Sort the positives' scores from the top. At the k-th one, the recall is k divided by how many there are. Take the
# first one with which that is enough.
# </details>
# <details><summary>Hint 3: nearly the code</summary>
#
# `found = torch.arange(1, n + 1, dtype=torch.float64) / n`; how many of these are still below the demand? That is the
# place of the score that you want.
# </details>

# %% tags=["exercise"]
@exercise
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
    ...  # your code here


# %% [markdown]
# The price: say a miss is as bad as 20 false alarms. With a calibrated probability $p$, staying silent costs $20\,p$ on
# average and an alarm costs $1-p$. So an alarm pays from $p = 1/21$ on: below five percent!
#
# **Predict.** Choose on validation, where the ill must be found in 95% of the cases. What will the recall be on test
# windows, which no choice has ever seen: more, the same, less?

# %%
chosen = threshold_for_recall(logits[8.0, "validation"], labels["validation"], recall=0.95)
sick = labels["test"] == 1
by_recall, by_price = logits[8.0, "test"] >= chosen, torch.sigmoid(logits[1.0, "test"]) >= 1 / 21
for name, called in {"w = 8, by recall": by_recall, "w = 1, by price": by_price}.items():
    recall, alarms = (called[who].float().mean().item() for who in (sick, ~sick))
    luck = math.sqrt(recall * (1 - recall) / sick.sum())
    print(f"{name}: recall {recall:.1%} ± {luck:.1%}, false alarm rate {alarms:.1%}")

# %% [markdown]
# Near to what was asked, but not exactly it: both splits hold few ill windows, so a percent or two are luck. Report the
# spread. And look once: whoever tries thresholds on the test set until it looks good has no test set any more.
#
# Try it yourself. Where is the cheapest threshold if a miss costs 20? 200? And 1?

# %%
for threshold in (0.50, 0.05):
    print(describe_threshold(plain, labels["validation"], threshold=threshold))
explore_threshold(plain, labels["validation"], threshold=0.5, miss_cost=20)

# %% [markdown]
# ## Where is it?
#
# A **U-Net** answers for every pixel. On the way down it pools: it learns *what* is there and forgets *where*. On the
# way up it doubles the size again, and at each level the picture from the way down, which still knows where, is laid
# beside.
#
# Now 997 of 1,000 pixels are healthy. Cross-entropy alone is content with empty masks for long. **Dice** isn't:
#
# $$\text{Dice} = \frac{2\,|A \cap B|}{|A| + |B|}$$
#
# ### Exercise 5 · `dice_loss` · difficulty ●○○ · 8 min
#
# <details><summary>Hint 1: a nudge</summary>
#
# Which masks may vote together: those of one picture, or of the whole batch?
# </details>
# <details><summary>Hint 2: the idea</summary>
#
# Probabilities times masks, summed, is what both have in common. `flatten(1)` makes one row for each picture.
# </details>
# <details><summary>Hint 3: nearly the code</summary>
#
# `both = (probabilities * masks).sum(dim=1)`, and below the line `probabilities.sum(dim=1) + masks.sum(dim=1) +
# smooth`.
# </details>

# %% tags=["exercise"]
@exercise
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
    ...  # your code here


# %% [markdown]
# ### Exercise 6 · `unet_up_block` · difficulty ●●○ · 12 min
#
# One step up. Mind pictures whose height or width is odd: pooling dropped their last row or column.
#
# <details><summary>Hint 1: a nudge</summary>
#
# Three steps: make it larger, make it fit, convolve both together. Which sizes do you have after the first?
# </details>
# <details><summary>Hint 2: the idea</summary>
#
# `repeat_interleave` doubles rows, and columns, too. `torch.nn.functional.pad` with `mode="replicate"` repeats the last
# ones; `torch.cat` along the channels stacks.
# </details>
# <details><summary>Hint 3: nearly the code</summary>
#
# `pad(larger, (0, W - larger.shape[3], 0, H - larger.shape[2]), mode="replicate")`, then
# `conv2d(torch.cat([larger, skip], dim=1), weight, padding=1)`, both from `torch.nn.functional`.
# </details>

# %% tags=["exercise"]
@exercise
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
    ...  # your code here


# %% [markdown]
# Your block goes into the library's `UNet`, four levels deep. Before anything is learned, one number decides much:
# the last bias. At 0 each pixel starts with one half; the network spends its first steps on unlearning that, and may
# overshoot into masks that stay empty. **Predict.** How large is the first mask with the logit of 0.003 there, the
# share of pixels in nodules?
#
# Then train, on all 400 windows with a nodule and as many without, with cross-entropy (each pixel by itself) plus
# Dice (each nodule as a whole). **Predict.** In how many of the 1,750 healthy test windows will it see a nodule?

# %%
class OurUpBlock(UpBlock):
    def forward(self, coarse, skip):
        return torch.relu(self.norm(unet_up_block(coarse, skip, self.convolve.weight)))


for share in (0.5, 0.003):
    torch.manual_seed(0)
    fresh = UNet(share=share, up_block=OurUpBlock).to(device)
    with torch.no_grad():
        guess = fresh(images["train"][:100])
    truth = masks["train"][:100].float().to(device)
    print(f"bias {fresh.head.bias.item():+.1f}: {guess.sigmoid().mean():.1%} of the pixels, "
          f"first loss {(bce(guess, truth) + dice_loss(guess, truth).mean()):.2f}")

# %%
def segmentation_losses(model, batch):
    pictures, truth = batch
    guess = model(pictures)
    return bce(guess, truth, reduction="none").mean(dim=(1, 2, 3)) + dice_loss(guess, truth)


torch.manual_seed(0)
unet = UNet(widths=budget(cpu=(6, 12, 24, 32), gpu=(32, 64, 128, 256)), up_block=OurUpBlock)
rows = torch.cat([ill, healthy[: len(ill)]])
pictures = images["train"][rows].to(memory_format=torch.channels_last)
batches = Batches(pictures, masks["train"][rows].float().to(device), batch_size=32, shuffle=True, augment=flip)
recipe = Recipe(lambda model: torch.optim.AdamW(model.parameters(), lr=1e-2), budget(cpu=8, gpu=40), one_cycle())
history = fit(unet.to(memory_format=torch.channels_last), batches, segmentation_losses, recipe=recipe)
unet.eval()
print("loss per window:", [round(loss, 2) for loss in history["train_loss"]])

# %%
def score_masks(split, threshold):
    found = masks_from(run(unet, images[split]), threshold=threshold)  # regions of under 12 pixels are dropped
    sick = labels[split] == 1
    return found, dice(found[sick], masks[split][sick]), found[~sick].flatten(1).any(dim=1).float().mean().item()


best = max((0.3, 0.5, 0.7), key=lambda threshold: score_masks("validation", threshold)[1].mean())
found, overlap, false_share = score_masks("test", best)
print(f"Dice {overlap.mean():.2f}, false region in {false_share:.1%} of the healthy windows")
true = masks["test"][sick].float()
ring = nn.functional.max_pool2d(true, 7, stride=1, padding=3) - true  # three pixels around each nodule
crowd = (ring * images["test"][sick].cpu()).flatten(1).sum(dim=1) / ring.flatten(1).sum(dim=1)
for name, part in zip(("darkest", "darker", "brighter", "brightest"), crowd.argsort().chunk(4), strict=True):
    missed = (overlap[part] == 0).float().mean()
    print(f"{name:9s} surroundings: Dice {overlap[part].mean():.2f}, missed altogether {missed:.0%}")

# %%
# NBVAL_CHECK_OUTPUT
area, recall = roc_auc(logits[8.0, "test"], labels["test"]), by_recall[sick].float().mean().item()
print("classifier: area at least 0.95:", area >= 0.95, "· recall at the chosen threshold at least 90%:", recall >= 0.90)
print("U-Net: Dice at least 0.80:", overlap.mean().item() >= 0.8, "· false regions in at most 10%:", false_share <= 0.1)

# %%
worst = (labels["test"] == 1).nonzero()[:, 0][overlap.argsort()]
picked = torch.cat([worst[[-1, -40, -100, 60]], worst[[25, 12, 3, 0]]]).tolist()
figure, grid = plt.subplots(2, 4, figsize=(7.4, 4.4))
for axes, row in zip(grid.flat, picked, strict=True):
    axes.imshow(images["test"][row, 0].cpu(), vmin=0, vmax=1)
    for mask, color in ((masks["test"][row, 0], PALETTE["orange"]), (found[row, 0], PALETTE["sky"])):
        if mask.any():
            axes.contour(mask, levels=[0.5], colors=color, linewidths=1.5)
    overlap_here = dice(found[row][None], masks["test"][row][None]).item()
    axes.set(title=f"Dice {overlap_here:.2f}", xticks=[], yticks=[])
figure.suptitle("Truth in orange, U-Net in blue: good ones above, the worst below")
show(figure, alt="Eight test windows. Above, both outlines nearly coincide. Below they differ or the blue one is "
     "missing; these nodules lie among vessels or at the heart.")

# %% [markdown]
# A mean hides two worlds. Nodules that stand alone are outlined almost perfectly; among vessels or at the heart
# some are missed altogether. Always ask for *whom* a model fails.
#
# ## A whole slice
#
# Convolutions don't mind the size of a picture: the same U-Net runs on slices of 256×256, with spine and heart, of
# which it has seen only parts. So two stages: the U-Net *proposes* regions; your classifier looks at a window around
# each and *disposes* of those below your threshold.
#
# **Predict.** In 48 slices of new patients: how many of their nodules are found, and how many false regions are left?

# %%
slices = load("lung_slices").splits["test"]
proposed = masks_from(run(unet, slices.images.to(device)), threshold=best)  # (48, 1, 256, 256)


def examine(picture, mask):
    """Keep the regions of a mask that the classifier confirms, looking at a window of 64×64 around each."""
    regions, count = ndimage.label(mask)
    kept = torch.zeros_like(mask)
    for number, middle in enumerate(ndimage.center_of_mass(mask, regions, range(1, count + 1)), start=1):
        top, left = (int(min(max(place - 32, 0), 192)) for place in middle)
        score = run(networks[8.0], picture[None, :, top : top + 64, left : left + 64].to(device))
        if score.item() >= chosen:
            kept |= torch.from_numpy(regions == number)
    return kept


confirmed = torch.stack([examine(slices.images[i], proposed[i, 0]) for i in range(len(slices))]).unsqueeze(1)

# %%
for name, answer in {"proposed": proposed, "confirmed": confirmed}.items():
    nodules, found_ones, false_ones = compare_regions(slices.masks, answer)
    print(f"{name}: {found_ones} of {nodules} nodules found, and {false_ones} false regions in {len(slices)} slices")
most = slices.masks.flatten(1).sum(dim=1).argsort(descending=True)[[0, 3, 6, 9]]
figure, grid = plt.subplots(2, 2, figsize=(7.4, 6.0))
for axes, i in zip(grid.flat, most.tolist(), strict=True):
    axes.imshow(slices.images[i, 0, 30:226], vmin=0, vmax=1)
    for mask, color, width in ((slices.masks, "orange", 3.0), (confirmed, "sky", 1.2)):
        if mask[i].any():
            axes.contour(mask[i, 0, 30:226], levels=[0.5], colors=PALETTE[color], linewidths=width)
    nodules, found_ones, _ = compare_regions(slices.masks[i : i + 1], confirmed[i : i + 1])
    axes.set(title=f"{found_ones} of {nodules} found", xticks=[], yticks=[])
figure.suptitle("Truth in orange, found and confirmed in blue")
show(figure, alt="Four slices through chests with lungs, vessels, heart, ribs and spine. Most nodules have an orange "
     "outline with a blue one on it.")

# %% [markdown]
# Most are found, and few slices have a false region. What was not proposed, the classifier can't bring back.
#
# ## What this says about patients
#
# Nothing. We drew the lungs, so the network learned only what we thought of. Real scanners differ, and so do people.
# What carries over are the habits: split by patient, count both kinds of mistakes, choose on validation, test once, ask
# for whom it fails.
#
# Real data, once `course data nodule_mnist3d` has fetched it: *benign or malignant?* Even there "malignant" is what
# radiologists thought of the picture, not what a laboratory found.

# %% tags=["machine"]
if available("nodule_mnist3d"):
    real = load("nodule_mnist3d")
    thick = budget(cpu=3, gpu=9)  # slices around the middle, as channels
    middle = slice(14 - thick // 2, 15 + thick // 2)
    cubes = {name: split.images[:, middle].contiguous().to(device) for name, split in real.splits.items()}
    size = {"epochs": budget(cpu=20, gpu=60), "widths": budget(cpu=(16, 32, 48), gpu=(64, 128, 256))}
    judge = train_classifier(cubes["train"], real.splits["train"].labels, pos_weight=3.0, **size)
    for name in ("validation", "test"):
        print(f"{real.title}, {name}: area {roc_auc(run(judge, cubes[name]), real.splits[name].labels):.3f}")
else:
    print("NoduleMNIST3D is not here; `course data nodule_mnist3d` would bring it.")

# %% [markdown]
# ## What to remember
#
# - Accuracy is useless where one case is rare. Report recall and false alarms.
# - Logits into the loss. One sigmoid, and the loss has it.
# - A weight moves the threshold; the area under the ROC curve shows whether anything got better.
# - The threshold follows from the price of a miss. Choose it on validation.
# - Dice for masks, a bias that starts empty, and false regions counted on the healthy.

# %% [markdown]
# ## Going further
#
# - Train with `pos_weight=100`. What do area, recall and calibration do?
# - Split by window instead of by patient: shuffle all windows together. Which figures rise, and why is that a lie?
# - Leave cross-entropy or Dice out of the loss.
#
# Read: O. Ronneberger, P. Fischer, T. Brox, *U-Net*, 2015, [arXiv:1505.04597](https://arxiv.org/abs/1505.04597); J.
# Yang and others, *MedMNIST v2*, 2023, [doi:10.1038/s41597-022-01721-8](https://doi.org/10.1038/s41597-022-01721-8).
#
# **Next, lesson 07, sound:** from pressure waves to pictures.
