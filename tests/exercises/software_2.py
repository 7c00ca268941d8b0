"""What lesson 01's exercises owe us: scenarios that use an exercise and return what they observed; a judge compares."""

import torch

from course_lib.exercises import check


@check("One batch, small enough to count by hand")
def one_batch(accuracy, draw):
    return [accuracy([(draw.labels(5, 2), draw.labels(5, 2))]) for _ in range(8)]


@check("Every picture counts the same, also in a short last batch")
def short_last_batch(accuracy, draw):
    return [accuracy(_batches(draw, sizes=(7, 7, size))) for size in (1, 2, 3) for _ in range(4)]


@check("All right is 1, all wrong is 0")
def the_two_ends(accuracy, draw):
    truths = [draw.labels(draw.choice([3, 4, 6]), 10) for _ in range(4)]
    return [accuracy([((labels + offset) % 10, labels)]) for labels in truths for offset in (0, 1)]


@check("The batches may come from a generator, which can be walked through only once")
def from_a_generator(accuracy, draw):
    return [accuracy(batch for batch in _batches(draw, sizes=(4, 4, 3))) for _ in range(8)]


@check("Four digits, small enough to count by hand")
def by_hand(confusion_matrix, draw):
    return [confusion_matrix(draw.labels(4, 2), draw.labels(4, 2), num_classes=2) for _ in range(4)]


@check("Row = true class, column = predicted class, and the same pair may come many times")
def rows_are_true_classes(confusion_matrix, draw):
    return [confusion_matrix(draw.labels(n, 5), draw.labels(n, 5), num_classes=5) for n in (40, 80, 120)]


@check("Each class has a row and a column, even if it never occurs")
def absent_classes(confusion_matrix, draw):
    return [confusion_matrix(2 * draw.labels(n, 3), 2 * draw.labels(n, 3), num_classes=8) for n in (9, 17, 30)]


def in_words(observed, expected):
    """Many splits are right: judge what is said about each of them, and pass on the first complaint."""
    wrong = [said for said, wanted in zip(observed, expected, strict=True) if said != wanted]
    return f"{wrong[0]} (in {len(wrong)} of {len(expected)} collections)" if wrong else None


def whereabouts(asked, parts):
    rows = [row for part in parts for row in part]
    if len(set(rows)) < len(rows):
        return "a row stands in two parts"
    return "each row once" if sorted(rows) == list(range(len(asked["labels"]))) else "some rows stand in no part"


def proportions(asked, parts):
    labels, fractions = asked["labels"], asked["fractions"]
    wanted = torch.outer(torch.tensor(fractions), labels.bincount())
    found = torch.stack([labels[part].bincount(minlength=len(wanted[0])) for part in parts])
    if found.shape != wanted.shape:
        return f"{len(wanted)} fractions gave {len(found)} parts"
    return "in proportion" if (found - wanted).abs().max() < 1.5 else "a part has too many or too few of some class"


def copies_together(asked, parts):
    seen = [{tuple(image) for image in asked["images"][part].flatten(1).tolist()} for part in parts]
    if sum(map(len, seen)) > len(set.union(*seen)):
        return "two parts share a picture"
    return "kept together" if sum(map(len, parts)) == len(asked["labels"]) else "some copies are thrown away"


def seed_decides(asked, splits):
    first, again, other = splits
    if first != again:
        return asked["otherwise"]
    return "the seed decides" if other is None or first != other else "two different seeds gave the same split"


@check("Each row stands in exactly one part", judge=in_words, tell=whereabouts)
def each_row_once(stratified_split, draw):
    return [_split(stratified_split, _collection(draw, sizes=(13, 8, 21)), draw.seed()) for _ in range(8)]


@check("Each part holds its fraction of every class, whatever the order of the rows", judge=in_words, tell=proportions)
def classes_in_proportion(stratified_split, draw):
    pairs = []
    for fractions in [None, (0.5, 0.4, 0.1), (0.3, 0.3, 0.4), (0.4, 0.3, 0.2, 0.1), (0.2, 0.2, 0.3, 0.3)]:
        for is_sorted in (True, False):
            collection = _collection(draw, sizes=(60, 20, 100, 40, 80, 20), is_sorted=is_sorted)
            pairs.append(_split(stratified_split, collection, draw.seed(), fractions))
    return pairs


@check("Copies of one picture are all kept, together in one part", judge=in_words, tell=copies_together)
def copies_stay_together(stratified_split, draw):
    return [_split(stratified_split, _collection(draw, sizes=(20, 30), copies=50), draw.seed()) for _ in range(8)]


@check("The same seed gives the same split, another seed another one", judge=in_words, tell=seed_decides)
def the_seed_decides(stratified_split, draw):
    images, labels = _collection(draw, sizes=(30, 40))
    default, zero = _rows(stratified_split(images, labels)), _rows(stratified_split(images, labels, seed=0))
    pairs = [({"otherwise": "without a seed, it is not the split of seed 0"}, (default, zero, None))]
    return pairs + [_seeds(stratified_split, _collection(draw, sizes=(15, 20), copies=5), draw) for _ in range(8)]


def _batches(draw, *, sizes):
    return [(draw.labels(size, 3), draw.labels(size, 3)) for size in sizes]


def _collection(draw, *, sizes, copies=0, is_sorted=True):
    """Random pictures, `sizes` of each class, and then `copies` of some of them."""
    labels = torch.cat([torch.full((size,), label) for label, size in enumerate(sizes)])
    images = draw.normal(len(labels), 3, 3)
    rows = torch.cat([torch.arange(len(labels)), draw.integers(copies, high=len(labels))])
    rows = rows[labels[rows].argsort(stable=True)] if is_sorted else rows[draw.permutation(len(rows))]
    return images[rows], labels[rows]


def _rows(parts):
    """The row numbers of each part, sorted: their order inside a part is nobody's business."""
    rows = [torch.as_tensor(part) for part in parts]
    if any(part.ndim != 1 or part.dtype not in (torch.int64, torch.int32) for part in rows):
        raise TypeError("each part is to be a tensor of row numbers: one dimension, whole numbers")
    return [part.sort().values.tolist() for part in rows]


def _split(stratified_split, collection, seed, fractions=None):
    """What was asked, and the rows of each part."""
    images, labels = collection
    options = {} if fractions is None else {"fractions": fractions}
    parts = _rows(stratified_split(images, labels, seed=seed, **options))
    return {"images": images, "labels": labels, "fractions": fractions or (0.6, 0.2, 0.2)}, parts


def _seeds(stratified_split, collection, draw):
    seed = draw.seed()
    splits = [_rows(stratified_split(*collection, seed=number)) for number in (seed, seed, seed + 1)]
    return {"otherwise": "the same seed gave two different splits"}, splits
