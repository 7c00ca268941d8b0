"""Lesson 01, software_2: the reference of each exercise, and the mistakes that people make."""

import torch

from course_lib.exercises import built_without, mistake


@built_without("sklearn.metrics.accuracy_score", "sklearn.metrics.balanced_accuracy_score")
def accuracy(batches):
    """The share of right predictions, over all batches together.

    Args:
        batches: pairs `(predictions, labels)`: two int64 tensors of shape `(batch,)`. The last batch
            may be shorter than the others. They may come from a generator: walk through them once.

    Returns:
        A number from 0 to 1.

    Example: `[(tensor([7, 7]), tensor([7, 1])), (tensor([3]), tensor([3]))]` gives 2 of 3, 0.6667.
    """
    right, total = 0, 0
    for predictions, labels in batches:
        right += (predictions == labels).sum().item()
        total += len(labels)
    return right / total


@mistake(
    of=accuracy,
    hint="You averaged the accuracies of the batches. A short last batch then weighs as much as a full one: add up "
    "the right ones and the total, and divide once, at the end.",
)
def accuracy_averages_the_batches(batches):
    shares = [accuracy([batch]) for batch in batches]
    return sum(shares) / len(shares)


@mistake(
    of=accuracy,
    hint="Only the last batch counts: inside the loop your counters are set (=) where they should grow (+=).",
)
def accuracy_keeps_the_last_batch(batches):
    return accuracy(list(batches)[-1:])


@mistake(
    of=accuracy,
    hint="Only the first batch counts: your `return` is indented into the loop, so the loop never reaches the second.",
)
def accuracy_returns_inside_the_loop(batches):
    return accuracy(list(batches)[:1])


@mistake(
    of=accuracy,
    hint="You divide by the number of batches: that gives right answers per batch. Count pictures, with `len(labels)`.",
)
def accuracy_divides_by_the_batches(batches):
    batches = list(batches)
    return sum((predictions == labels).sum().item() for predictions, labels in batches) / len(batches)


@mistake(
    of=accuracy,
    hint="You divide by the number of batches times the size of one. The last batch is shorter: count its pictures.",
)
def accuracy_takes_all_batches_for_full(batches):
    batches = list(batches)
    right = sum((predictions == labels).sum().item() for predictions, labels in batches)
    return right / (len(batches) * len(batches[0][0]))


@mistake(
    of=accuracy,
    hint="That is a percentage. Here a share is asked for, from 0 to 1: leave out the factor 100.",
)
def accuracy_in_percent(batches):
    return 100 * accuracy(batches)


@mistake(
    of=accuracy,
    hint="You counted the pictures that were read wrongly: that is the error rate, 1 - accuracy.",
)
def accuracy_counts_the_wrong_ones(batches):
    return 1 - accuracy(batches)


@mistake(
    of=accuracy,
    hint="Your division drops everything after the decimal point: // (and int) turn 0.97 into 0. Divide with a "
    "single /.",
)
def accuracy_drops_the_decimals(batches):
    return accuracy(batches) // 1


@built_without(
    "sklearn.metrics.confusion_matrix",
    "sklearn.metrics.multilabel_confusion_matrix",
    "sklearn.metrics.cluster.contingency_matrix",
)
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
    matrix = torch.zeros(num_classes, num_classes, dtype=torch.int64)
    for label, prediction in zip(labels.tolist(), predictions.tolist(), strict=True):
        matrix[label, prediction] += 1
    return matrix


@mistake(
    of=confusion_matrix,
    hint="Your matrix is transposed: the row says what the digit is, the column says what it was taken for.",
)
def confusion_matrix_transposed(predictions, labels, *, num_classes):
    return confusion_matrix(labels, predictions, num_classes=num_classes)


@mistake(
    of=confusion_matrix,
    hint="Each pair of classes counts once, however often it occurs. `matrix[labels, predictions] += 1` with whole "
    "tensors writes to a place only once, and `= 1` does not add: count the pairs one by one, or use index_put_"
    " with accumulate=True.",
)
def confusion_matrix_counts_a_pair_once(predictions, labels, *, num_classes):
    return confusion_matrix(predictions, labels, num_classes=num_classes).clamp(max=1)


@mistake(
    of=confusion_matrix,
    hint="Classes that don't occur have lost their row and column. Make room for num_classes of them, whoever shows "
    "up.",
)
def confusion_matrix_leaves_out_absent_classes(predictions, labels, *, num_classes):
    present = torch.cat([predictions, labels]).unique()
    return confusion_matrix(predictions, labels, num_classes=num_classes)[present][:, present]


@mistake(
    of=confusion_matrix,
    hint="You divided each row by its sum. Shares are for looking at; counts are asked for, since they can be added "
    "up.",
)
def confusion_matrix_gives_shares(predictions, labels, *, num_classes):
    counts = confusion_matrix(predictions, labels, num_classes=num_classes)
    return counts / counts.sum(dim=1, keepdim=True).clamp(min=1)


@mistake(
    of=confusion_matrix,
    hint="The counts are right, but they are floating-point numbers: that is what torch.zeros makes unless you give it "
    "dtype=torch.int64.",
)
def confusion_matrix_counts_in_floats(predictions, labels, *, num_classes):
    return confusion_matrix(predictions, labels, num_classes=num_classes).float()


@mistake(
    of=confusion_matrix,
    hint="Your classes seem to begin with 1. They are numbered from 0: class 0 belongs into row 0, and nothing is "
    "subtracted.",
)
def confusion_matrix_counts_from_one(predictions, labels, *, num_classes):
    return confusion_matrix((predictions - 1) % num_classes, (labels - 1) % num_classes, num_classes=num_classes)


@mistake(
    of=confusion_matrix,
    hint="The diagonal is empty: you counted only what was confused. What was read correctly counts too.",
)
def confusion_matrix_leaves_out_the_hits(predictions, labels, *, num_classes):
    return confusion_matrix(predictions, labels, num_classes=num_classes).fill_diagonal_(0)


@built_without(
    "sklearn.model_selection.train_test_split",
    "sklearn.model_selection.StratifiedShuffleSplit",
    "sklearn.model_selection.GroupShuffleSplit",
    "sklearn.model_selection.StratifiedKFold",
    "sklearn.model_selection.StratifiedGroupKFold",
)
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
    generator = torch.Generator().manual_seed(seed)
    _, picture = images.flatten(1).unique(dim=0, return_inverse=True)  # (n,): equal images have equal numbers
    parts = [[] for _ in fractions]
    for label in labels.unique():
        pictures = picture[labels == label].unique()
        pictures = pictures[torch.randperm(len(pictures), generator=generator)]
        stops = [round(sum(fractions[: i + 1]) * len(pictures)) for i in range(len(fractions) - 1)]
        for part, chosen in zip(parts, pictures.tensor_split(stops), strict=True):
            part.append(torch.isin(picture, chosen).nonzero().flatten())
    return [torch.cat(part) for part in parts]


def _cut(rows, fractions):
    """Cut a list of rows into parts of these sizes, in the order in which they come."""
    return list(rows.tensor_split([round(sum(fractions[: i + 1]) * len(rows)) for i in range(len(fractions) - 1)]))


def _class_by_class(split_class, labels):
    """Split each class alone, then put the parts together."""
    split = [split_class((labels == label).nonzero().flatten()) for label in labels.unique()]
    return [torch.cat(part) for part in zip(*split, strict=True)]


@mistake(
    of=stratified_split,
    hint="You cut before you shuffled. The rows come sorted by class, so whole classes are missing in some part: "
    "shuffle first, then cut (and do it class by class).",
)
def stratified_split_cuts_before_shuffling(images, labels, *, fractions=(0.6, 0.2, 0.2), seed=0):
    generator = torch.Generator().manual_seed(seed)
    parts = _cut(torch.arange(len(labels)), fractions)
    return [part[torch.randperm(len(part), generator=generator)] for part in parts]


@mistake(
    of=stratified_split,
    hint="All rows are shuffled and cut together, so chance decides how many of each class a part gets. Split each "
    "class by itself, then put the pieces together.",
)
def stratified_split_ignores_the_classes(images, labels, *, fractions=(0.6, 0.2, 0.2), seed=0):
    return stratified_split(images, torch.zeros_like(labels), fractions=fractions, seed=seed)


@mistake(
    of=stratified_split,
    hint="Copies of one picture land in different parts: the exam then contains questions from the textbook. Shuffle"
    " pictures, not rows; `images.flatten(1).unique(dim=0, return_inverse=True)` numbers them.",
)
def stratified_split_ignores_the_copies(images, labels, *, fractions=(0.6, 0.2, 0.2), seed=0):
    generator = torch.Generator().manual_seed(seed)
    return _class_by_class(lambda rows: _cut(rows[torch.randperm(len(rows), generator=generator)], fractions), labels)


@mistake(
    of=stratified_split,
    hint="You throw copies away: only one row of each picture is left. Keep all rows; copies only have to stay "
    "together.",
)
def stratified_split_drops_the_copies(images, labels, *, fractions=(0.6, 0.2, 0.2), seed=0):
    _, picture = images.flatten(1).unique(dim=0, return_inverse=True)
    first = torch.tensor([(picture == number).nonzero()[0].item() for number in picture.unique()])
    return [first[part] for part in stratified_split(images[first], labels[first], fractions=fractions, seed=seed)]


@mistake(
    of=stratified_split,
    hint="Nothing is shuffled: every seed gives the same split. Files are often ordered by writer or by day, and "
    "then the exam is unlike the lessons.",
)
def stratified_split_never_shuffles(images, labels, *, fractions=(0.6, 0.2, 0.2), seed=0):
    _, picture = images.flatten(1).unique(dim=0, return_inverse=True)

    def split_class(rows):
        return [rows[torch.isin(picture[rows], part)] for part in _cut(picture[rows].unique(), fractions)]

    return _class_by_class(split_class, labels)


@mistake(
    of=stratified_split,
    hint="Some rows are lost: each part is rounded down, and nobody takes what is left over. Give the remainder to "
    "one of them.",
)
def stratified_split_loses_the_remainder(images, labels, *, fractions=(0.6, 0.2, 0.2), seed=0):
    generator = torch.Generator().manual_seed(seed)
    _, picture = images.flatten(1).unique(dim=0, return_inverse=True)

    def split_class(rows):
        pictures = picture[rows].unique()
        pictures = pictures[torch.randperm(len(pictures), generator=generator)]
        sizes = [int(fraction * len(pictures)) for fraction in fractions]
        return [rows[torch.isin(picture[rows], chosen)] for chosen in pictures[: sum(sizes)].split(sizes)]

    return _class_by_class(split_class, labels)


@mistake(
    of=stratified_split,
    hint="A later part holds rows of the one before it too: a slice needs both ends, `rows[start:stop]`.",
)
def stratified_split_parts_overlap(images, labels, *, fractions=(0.6, 0.2, 0.2), seed=0):
    parts = stratified_split(images, labels, fractions=fractions, seed=seed)
    return [parts[0], *(torch.cat(parts[i:]) for i in range(1, len(parts)))]


@mistake(
    of=stratified_split,
    hint="The same seed gives two different splits: you draw from torch's global generator. Make one of your own, "
    "`torch.Generator().manual_seed(seed)`, and hand it to `torch.randperm(n, generator=...)`.",
)
def stratified_split_ignores_the_seed(images, labels, *, fractions=(0.6, 0.2, 0.2), seed=0):
    return stratified_split(images, labels, fractions=fractions, seed=int(torch.randint(2**31, ())))
