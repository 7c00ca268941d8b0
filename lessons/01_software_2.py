# %% [markdown]
# # 01 · Programs we write, programs we train
#
# **What you will be able to do**
#
# - write a program that reads handwritten digits by rules, and see how far it gets;
# - train a program that does the same from examples, and see how much further it gets;
# - measure both fairly: accuracy, confusion matrix, a split that leaks no answers;
# - break both, and mend the trained one without touching its code.
#
# **What you need.** Python: functions, loops, lists. No mathematics yet.
#
# **How long it takes.** About 70 minutes, half of them for three exercises.

# %% tags=["machine"]
import matplotlib.pyplot as plt
import numpy as np
import torch
import torch.nn.functional as F
from scipy import ndimage
from sklearn.datasets import load_digits
from torch import nn

from course_lib.device import describe_device
from course_lib.exercises import borrow, exercise
from course_lib.plots import plot_confusion, show, show_images
from course_lib.widgets.digits import alter, describe_digit, explore_digits

print(describe_device())

# %% [markdown]
# **Is your machine ready?** If you run the cell above and it prints one line about your computer, it is: a laptop without a GPU is
# enough. If it complains, type `course doctor` in a terminal: it says what is wrong and how to mend it.
#
# ## The task
#
# Thirteen people wrote digits. Each digit was scanned and reduced to 8×8 squares, and each square holds some ink: 0 is paper, 1 is
# full. Here are ten of the 1,797 pictures. Ink is drawn bright.

# %%
bundle = load_digits()  # E. Alpaydin and C. Kaynak, 1998, doi:10.24432/C50P49, CC BY 4.0
digits = torch.tensor(bundle.images / 16, dtype=torch.float32)  # (1797, 8, 8)
labels = torch.tensor(bundle.target)  # (1797,)
show_images(digits[:10], titles=labels[:10].tolist(), alt="Ten handwritten digits, 0 to 9.")

# %% [markdown]
# You read them at once. Now explain to a computer how you did it.
#
# ## Software 1.0: you write the rules
#
# A first idea: a 1 is one short stroke, an 8 is a long one. So count the ink.
#
# **Predict.** Which digit uses the most ink, which the least, and how far apart are they?

# %%
mean_ink = torch.stack([digits[labels == digit].sum(dim=(1, 2)).mean() for digit in range(10)])
print("mean ink of 0 to 9:", " ".join(f"{ink:.1f}" for ink in mean_ink))

# %% [markdown]
# The 8 wins by a hair with 20.6 squares, the 7 is last with 19.0, and a 1 holds more than a 5. So much for that idea. Finding out took
# two lines.
#
# A better one: *a zero has a hole*. A hole is paper that you can't reach from outside without crossing ink. Find the connected
# patches of paper: one is the outside, each other one is a hole.
#
# **Predict.** Of 100 zeros, how many have exactly one hole for this program?

# %%
# NBVAL_CHECK_OUTPUT
def find_holes(image):
    """How many holes a digit has, and how many squares they cover together."""
    paper = np.pad(image.numpy() < 0.3, 1, constant_values=True)  # with a frame of paper
    patches, count = ndimage.label(paper)  # numbers the patches; the outside is number 1
    return count - 1, int((patches > 1).sum())


holes = torch.tensor([find_holes(image)[0] for image in digits])
print(f"zeros with exactly one hole: {(holes[labels == 0] == 1).float().mean():.0%}")

# %% [markdown]
# It works! One thought, three lines, 97 of 100 zeros. This is the joy of programming; enjoy it while it lasts.
#
# **Predict.** A rule must also keep its hands off the others. Which other digits have one hole? And all eights have two, don't they?

# %%
print("digit  no hole    one    more")
for digit in range(10):
    shares = holes[labels == digit].clamp(max=2).bincount(minlength=3) / (labels == digit).sum()
    print(f"{digit:5d} {shares[0]:8.0%} {shares[1]:6.0%} {shares[2]:7.0%}")
sevens = digits[(labels == 7) & (holes == 1)][:8]
show_images(sevens, alt="Eight sevens whose bar and stem close a small loop.")

# %% [markdown]
# Only 40% of the eights have two holes, fours are closed or open as their writers please, and 22% of the sevens have one
# hole: the eight above, for example.
#
# So you patch. A 0 has a *large* hole. A 6 has little ink at the upper right, a 9 at the lower left, and a 4 stands on a thin foot. 2, 3 and 7
# are empty at the upper left; 5 and 9 have a roof. What no rule wants is taken for a 1. Each threshold is found by trying.

# %%
def read_with_hole(image, holes, size):
    """Read a digit that has a hole."""
    _, upper_right, lower_left, _ = quarters(image)
    if holes > 1:
        return 8
    if size >= 5:
        return 0
    if upper_right < 1.5:
        return 6
    if lower_left < 1.5:
        return 9
    return 4 if image[7].sum() < 2 else 8


def quarters(image):
    """Ink at the upper left, upper right, lower left and lower right of the four middle rows."""
    return image[2:6].reshape(2, 2, 2, 4).sum(dim=(1, 3)).flatten().tolist()


# %%
def read_without_hole(image):
    """Read a digit that has no hole."""
    upper_left, upper_right, _, lower_right = quarters(image)
    roof, foot = image[0].sum(), image[7].sum()
    if upper_left < 2:
        return 7 if foot < 2 else 2 if lower_right < 2 else 3
    if roof > 2.5:
        return 5 if upper_right < 2.5 else 9
    return 4 if foot < 2 else 6 if upper_right < 0.5 else 1


def read_by_rules(images):
    """The whole program: which digits are these? Shape `(n, 8, 8)` -> `(n,)`."""
    found = [(image, *find_holes(image)) for image in images]
    digits = [read_with_hole(*it) if it[1] else read_without_hole(it[0]) for it in found]
    return torch.tensor(digits)


# %% [markdown]
# Thirty lines, a dozen thresholds. How good is it? You need a number, and that is your first exercise.
#
# **How exercises work.** Run the cell as it is: a gray card says *unwritten*, and a reference stands in. Write over the dots and run
# again. Green: every check passes. Red: the card says what fails and, if it knows your mistake, why. Hints climb: open one, think, then
# the next.
#
# ### Exercise 1 · `accuracy` · difficulty ●○○ · 5 min
#
# The share of right answers. Digits come in batches, and the last batch is often short.
#
# <details><summary>Hint 1: a nudge</summary>
#
# Two of four are right in the first batch, one of one in the second. Is the share the mean of 50% and 100%?
# </details>
# <details><summary>Hint 2: the idea</summary>
#
# Keep two counters, one for the right answers and one for all. Divide once, after the loop.
# </details>
# <details><summary>Hint 3: nearly the code</summary>
#
# `right += (predictions == labels).sum().item()` and `total += len(labels)`, both inside the loop.
# </details>

# %% tags=["exercise"]
@exercise
def accuracy(batches):
    """The share of right predictions, over all batches together.

    Args:
        batches: pairs `(predictions, labels)`: two int64 tensors of shape `(batch,)`. The last batch
            may be shorter than the others. They may come from a generator: walk through them once.

    Returns:
        A number from 0 to 1.

    Example: `[(tensor([7, 7]), tensor([7, 1])), (tensor([3]), tensor([3]))]` gives 2 of 3, 0.6667.
    """
    ...  # your code here


# %% [markdown]
# Red cards don't bite. **Be wrong on purpose**: return the mean of the batches' accuracies, and read what the card says. Then
# return `42`. Then write it properly.
#
# Stuck, but curious how it goes on? `borrow("accuracy")` in a cell of its own lends you the reference. In a terminal,
# `course check software_2` checks your answers and `course progress` shows how far you are.
#
# **Predict.** What share of the digits do the rules read correctly?

# %%
# NBVAL_CHECK_OUTPUT
by_rules = read_by_rules(digits)
print(f"rules: {accuracy([(by_rules, labels)]):.0%} of {len(digits)} digits")

# %% [markdown]
# Two of three; a guess gets one of ten. It even flatters us, since we set the thresholds by looking at these very digits. But *which*
# digits go wrong? One number can't say. A table can.
#
# ### Exercise 2 · `confusion_matrix` · difficulty ●○○ · 10 min
#
# Before you build it, **predict**: which two digits do the rules confuse most?
#
# <details><summary>Hint 1: a nudge</summary>
#
# How large must the table be if only zeros and ones occur, but `num_classes` is 10?
# </details>
# <details><summary>Hint 2: the idea</summary>
#
# Begin with a table of zeros. Walk through labels and predictions together: each pair adds one to one cell.
# </details>
# <details><summary>Hint 3: nearly the code</summary>
#
# `for label, prediction in zip(labels.tolist(), predictions.tolist()): matrix[label, prediction] += 1`
# </details>

# %% tags=["exercise"]
@exercise
def confusion_matrix(predictions, labels, *, num_classes):
    """Count how often each true class was read as each class.

    Args:
        predictions: the classes that were read, int64, shape `(n,)`.
        labels: the true classes, int64, shape `(n,)`.
        num_classes: classes are numbered from 0 to `num_classes - 1`; some may not occur.

    Returns:
        Counts, int64, shape `(num_classes, num_classes)`: the row is the true class, the column
        the predicted one.

    Example: labels `[0, 1, 1, 1]` read as `[0, 1, 0, 0]` give `[[1, 0], [2, 1]]`: two ones were
        taken for zeros.
    """
    ...  # your code here


# %%
matrix = confusion_matrix(by_rules, labels, num_classes=10)
axes = plot_confusion(matrix, title="Rules, all digits")
show(axes, alt=f"Errors nearly everywhere; {matrix[1, 4]} ones are read as 4.")
print(f"ones: {matrix[1, 1]} right, {matrix[1, 4]} read as 4; fours: {matrix[4, 4]} right")

# %% [markdown]
# A perfect reader fills only the diagonal. Here 64 ones pass for fours: they stand on a thin foot too. **Try it**: in
# `read_without_hole`, let a four's foot be thinner, `4 if foot < 1.2`, and run on from there. The ones recover, and fours fall. Each patch tears
# a new hole: that is what a large book of rules feels like.
#
# What if you didn't write the rules at all?

# %% [markdown]
# ## Software 2.0: you write the data
#
# Andrej Karpathy named this in 2017, in the essay [Software 2.0](https://karpathy.medium.com/software-2-0-a64152b37c35). In *software 1.0* a
# person writes instructions. In *software 2.0* a person says what is wanted, mostly by examples, and a search fills in the instructions:
# thousands of numbers that nobody wrote. The data set is the source code; training compiles it.
#
# Such a program must be examined on examples that it has *not* seen. So split the digits: **training** to learn from, **validation** to
# choose with, **test** for one final exam.

# %% [markdown]
# ### Exercise 3 · `stratified_split` · difficulty ●●● · 20 min
#
# Split fairly: at random, each class in proportion, and no picture in two parts.
#
# <details><summary>Hint 1: a nudge</summary>
#
# What goes wrong with `labels[:1000]` if the file is sorted by digit? And if each picture stands in it twice?
# </details>
# <details><summary>Hint 2: the idea</summary>
#
# Give equal pictures the same number. Then, class by class: shuffle the *picture numbers*, cut them into parts, and collect the
# rows whose number is in each part.
# </details>
# <details><summary>Hint 3: nearly the code</summary>
#
# `_, picture = images.flatten(1).unique(dim=0, return_inverse=True)` numbers the pictures. Those of one class are
# `pictures = picture[labels == label].unique()`. Shuffle them: `pictures[torch.randperm(len(pictures), generator=generator)]`
# with `generator = torch.Generator().manual_seed(seed)`. Cut the list, and find the rows of each piece:
# `torch.isin(picture, piece).nonzero().flatten()`.
# </details>

# %% tags=["exercise"]
@exercise
def stratified_split(images, labels, *, fractions=(0.6, 0.2, 0.2), seed=0):
    """Split at random into parts that share no picture and hold each class in proportion.

    Args:
        images: shape `(n, height, width)`. The same picture may stand in several rows; its label
            is the same there.
        labels: the classes, int64, shape `(n,)`, in any order, often sorted.
        fractions: the size of each part; they add up to 1.
        seed: the same seed gives the same split, another seed another one.

    Returns:
        One int64 tensor of row numbers for each part. Each row stands in exactly one part, rows
        with the same picture stand in the same part, and each part holds its fraction of every
        class, give or take a picture.

    Example: of 10 zeros and 20 ones, all different, the parts hold 6 and 12, 2 and 4, 2 and 4.
    """
    ...  # your code here


# %% [markdown]
# Why such care about copies? After splitting our digits, an experiment: every picture gets a label *by lot*, so that there is nothing to
# learn, and stands in the collection twice. A memorizer answers with the label of the most similar picture that it knows.
#
# **Predict.** How often is it right if the rows are split at random? And with your split?

# %%
# NBVAL_CHECK_OUTPUT
train, validation, test = stratified_split(digits, labels)
twice = digits.repeat(2, 1, 1).flatten(1)
lots = torch.randint(10, (len(digits),), generator=torch.Generator().manual_seed(0)).repeat(2)


def memorizer_score(known, asked):
    """Learn the known rows by heart, then answer the asked ones."""
    nearest = torch.cdist(twice[asked], twice[known]).argmin(dim=1)
    return accuracy([(lots[known][nearest], lots[asked])])


rows = torch.randperm(len(twice), generator=torch.Generator().manual_seed(0))
print("rows at random, more than half right:", memorizer_score(rows[:2156], rows[2156:]) > 0.5)
known, asked = stratified_split(twice[:, None], lots, fractions=(0.6, 0.4))
print("your split, no better than a guess:", memorizer_score(known, asked) < 0.15)

# %% [markdown]
# Nothing was learned, and yet the leaky exam says "more than half". An accuracy is only as good as its split.
#
# ### The smallest trained program
#
# Average all training zeros, all training ones, and so on: ten mean pictures. To read a digit, take the nearest mean.
#
# **Predict.** One line of arithmetic against thirty lines of rules: who reads more of the test digits?

# %%
means = torch.stack([digits[train][labels[train] == digit].mean(dim=0) for digit in range(10)])
show_images(means, titles=range(10), alt="Ten blurred digits: the mean 0, the mean 1, and so on.")


def read_by_means(images):
    """The digit whose mean picture is nearest. Shape `(n, 8, 8)` -> `(n,)`."""
    return torch.cdist(images.flatten(1), means.flatten(1)).argmin(dim=1)


rules_score = accuracy([(by_rules[test], labels[test])])
means_score = accuracy([(read_by_means(digits[test]), labels[test])])
print(f"rules {rules_score:.0%}, means {means_score:.0%}")

# %% [markdown]
# 68% against 91%, with no thought about feet and roofs.
#
# ### A network
#
# Now a program of thousands of numbers, random at first. Training shows it digits and nudges each number so that the right answer
# becomes a little more likely, again and again. Lessons 02 and 03 build every line of this cell. Today, look only for what is *not*
# in it.

# %%
def train_network(images, labels, *, hidden=64, seed=0):
    """Search for numbers that turn these images into these labels."""
    torch.manual_seed(seed)
    layers = nn.Linear(64, hidden), nn.ReLU(), nn.Linear(hidden, 10)
    network = nn.Sequential(nn.Flatten(), *layers)
    optimizer = torch.optim.Adam(network.parameters(), lr=0.01)
    for _ in range(20):  # times through the data
        for rows in torch.randperm(len(images)).split(64):
            loss = F.cross_entropy(network(images[rows]), labels[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return network


# %% [markdown]
# Nothing in it speaks of digits. One choice is left: how many values may stand in its middle, 4, 16 or 64? Choices are made on the
# validation part, so that the test stays unseen.
#
# **Predict.** Which width wins, and is 4 hopeless?

# %%
def score(network, rows):
    """Accuracy of a network on some of the digits."""
    return accuracy([(network(digits[rows]).argmax(dim=1), labels[rows])])


networks = {}
for hidden in (4, 16, 64):
    networks[hidden] = train_network(digits[train], labels[train], hidden=hidden)
    print(f"{hidden:2d} in the middle, validation: {score(networks[hidden], validation):.0%}")
print("numbers in the widest:", sum(weights.numel() for weights in networks[64].parameters()))

# %% [markdown]
# Four are too few. Width 64 it is, a program of 4810 numbers. Now its exam, once.
#
# **Predict.** How many of 100 test digits? And which mistakes of the means will it still make?

# %%
def read_by_network(images):
    """The digit that the network holds for most probable. Shape `(n, 8, 8)` -> `(n,)`."""
    return networks[64](images).argmax(dim=1)


exam = {"Means": read_by_means, "Network": read_by_network}
figure, panels = plt.subplots(1, 2, figsize=(8.4, 4.6))
for axes, (title, read) in zip(panels, exam.items(), strict=True):
    matrix = confusion_matrix(read(digits[test]), labels[test], num_classes=10)
    plot_confusion(matrix, title=f"{title}, test digits", axes=axes)
show(figure, alt="Means: a diagonal with errors beside it. Network: hardly any errors.")
network_score = score(networks[64], test)
print(f"rules {rules_score:.0%}, means {means_score:.0%}, network {network_score:.0%}")

# %% [markdown]
# 97%, by a program that never heard of holes.
#
# **Predict.** Next week you need a program that tells odd digits from even ones. How many of your thirty lines of rules change? How
# many of `train_network`?

# %%
# NBVAL_CHECK_OUTPUT
odd_or_even = train_network(digits[train], labels[train] % 2)
odd_score = accuracy([(odd_or_even(digits[test]).argmax(dim=1), labels[test] % 2)])
print("rules < means < network:", rules_score < means_score < network_score)
print("more than 90% right:", network_score > 0.9, "· odd or even:", odd_score > 0.9)

# %% [markdown]
# Not one line: `% 2` changed the *data*, and the same search found another program. That is the shift.
#
# ## Break them
#
# A good exam is not the world. Paper slips, pictures get noisy, someone writes white on black. The exam is taken, so we experiment on the
# validation digits.
#
# **Predict.** Which reader suffers least when the picture slips by one pixel? In noise? Who ends below 10%, where a guess would do
# better?

# %%
right, down, swap, noise = {"right": 1}, {"down": 1}, {"inverted": True}, {"noise": 0.4}
alterations = {"as scanned": {}, "1 right": right, "1 down": down, "swapped": swap, "noise": noise}
threes = [alter(digits[3], **options) for options in alterations.values()]
show_images(threes, titles=alterations, alt="The same 3: as scanned, moved, swapped, in noise.")


def scores(read):
    """Accuracy on the validation digits, after each alteration."""
    altered = [alter(digits[validation], **options) for options in alterations.values()]
    return [accuracy([(read(images), labels[validation])]) for images in altered]


readers = {"rules": read_by_rules, "means": read_by_means, "network": read_by_network}
print(f"{'':8s}" + "".join(f"{name:>12s}" for name in alterations))
for name, read in readers.items():
    print(f"{name:8s}" + "".join(f"{share:12.0%}" for share in scores(read)))

# %% [markdown]
# You hardly noticed that the 3 moved; our readers did. Nobody wins everywhere: moved to the right, the rules lead with 55%, in noise the
# simple means with 78%. With ink and paper swapped, both trained readers are at 0%, *worse than a guess*.
#
# To mend the rules you would write more rules. To mend the network you **write data**: show it what to expect. Let us show it four of
# these five columns and forget "1 down".
#
# **Predict.** What happens in that column?

# %%
# NBVAL_CHECK_OUTPUT
shown = [{}, right, {"right": -1}, swap, noise]
more_digits = torch.cat([alter(digits[train], **options) for options in shown])
retrained = train_network(more_digits, labels[train].repeat(len(shown)))
retrained_scores = scores(lambda images: retrained(images).argmax(dim=1))
after = dict(zip(alterations, retrained_scores, strict=True))
print("swapped, more than 80% right:", after["swapped"] > 0.8)
print("one pixel down, still less than 60%:", after["1 down"] < 0.6)

# %%
table = {name: scores(read) for name, read in readers.items()} | {"retrained": retrained_scores}
figure, axes = plt.subplots(figsize=(7.5, 3.4))
for place, (name, row) in enumerate(table.items()):
    axes.bar(np.arange(5) + 0.2 * place - 0.3, row, width=0.18, label=name)
axes.axhline(0.1, color="black", linewidth=1, linestyle="--", label="a guess")
axes.set(title="Accuracy on altered validation digits", xlabel="alteration", ylabel="accuracy")
axes.set_xticks(range(5), alterations)
axes.legend(loc="center left", bbox_to_anchor=(1, 0.5))
show(figure, alt="Four bars for each alteration. Retrained is high everywhere except at 1 down.")
print("retrained:", ", ".join(f"{name} {share:.0%}" for name, share in after.items()))

# %% [markdown]
# Swapped digits rose from 0% to 91%, and no line of the program was touched. But "1 down" is where it was, 36% after 40%: a trained
# program knows what it was shown, not what you meant. Software 2.0 has bugs too. They live in the data.
#
# ## Your turn to break things
#
# Choose a digit, move it, add noise. Can you find one that the means read correctly while the network is wrong, *and sure of it*?

# %%
odds = nn.Softmax(dim=1)  # how sure a network is of each digit
sure = {"network": nn.Sequential(networks[64], odds), "retrained": nn.Sequential(retrained, odds)}
print(describe_digit(alter(digits[3], down=1), labels[3], readers | sure))  # the same in words
explore_digits(digits[validation], labels[validation], readers | sure)

# %% [markdown]
# ## What to remember
#
# - Rules can be read and explained; they reach as far as your patience.
# - In software 2.0 the data are the source code: to change the program, change them.
# - A score belongs to the digits on which it was measured. Keep the test apart and copies together.
# - One number says how good; a confusion matrix says what to mend.
# - What you forgot to show, a trained program may get wrong, and be sure of it.

# %% [markdown]
# ## Going further
#
# - Can you bring the rules to 75%? Note how each point costs more than the one before.
# - Show the network `{"down": 1}` and `{"down": -1}` too. What else did we forget?
# - Read [the essay](https://karpathy.medium.com/software-2-0-a64152b37c35), then argue against it: what should never be software 2.0?
#
# **Next: 02 · How a network learns.** Today one line did the search, `loss.backward()`. In the next lesson you build it.
