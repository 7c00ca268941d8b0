"""What speech recognition owes us: scenarios that use the exercise and return what they observed."""

import torch

from course_lib.exercises import check

# length_after_subsampling


def frames(draw, *, low=20, high=400, count=7):
    return draw.integers(count, low=low, high=high)


@check("One layer that looks at as many frames as it moves on")
def one_stacking_layer(length_after_subsampling, draw):
    return [length_after_subsampling(frames(draw), [(size, size, 0)]) for size in (2, 3, 4, 5)]


@check("Kernel, stride and padding each count")
def kernel_stride_padding(length_after_subsampling, draw):
    layers = [(3, 2, 1), (5, 2, 2), (11, 2, 5), (400, 160, 0), (400, 160, 200)]
    return [length_after_subsampling(frames(draw, low=500, high=5000), [layer]) for layer in layers]


@check("Several layers, one after the other")
def several_layers(length_after_subsampling, draw):
    stacks = [[(3, 2, 1), (3, 2, 1)], [(5, 3, 0), (3, 1, 1), (2, 2, 0)], [(4, 4, 0), (3, 2, 0)]]
    return [length_after_subsampling(frames(draw), layers) for layers in stacks]


@check("Too short for the kernel: no frame is left, never fewer")
def too_short(length_after_subsampling, draw):
    stacks = [[(9, 2, 0)], [(11, 3, 1)], [(7, 1, 0), (3, 1, 2)], [(13, 2, 0)]]
    return [length_after_subsampling(frames(draw, low=1, high=6), layers) for layers in stacks]


@check("Whole numbers come out, and the lengths are left as they were")
def whole_numbers(length_after_subsampling, draw):
    observed = []
    for layers in ([(3, 2, 1)], [(4, 4, 0)], [(5, 3, 1), (3, 1, 0)]):
        lengths = frames(draw)
        observed += [str(length_after_subsampling(lengths, layers).dtype), lengths]
    return observed


# collapse


def path_of(draw, length, *, high=4, blank=0):
    """A path with runs and blanks in it: each label lasts for one to three frames."""
    path = []
    while len(path) < length:
        label = draw.choice([blank, *range(high)])
        path += [label] * draw.choice([1, 2, 3])
    return path[:length]


@check("A letter that lasts is written once, and blanks are not written")
def runs_and_blanks(collapse, draw):
    return [collapse(path_of(draw, length)) for length in (12, 15, 20, 25)]


@check("Equal letters with a blank in between are two letters")
def doubled_letters(collapse, draw):
    observed = []
    for _ in range(4):
        first, second = draw.choice([1, 2, 3]), draw.choice([4, 5, 6])
        observed.append(collapse([first, first, 0, first, second, 0, 0, second, second, 0]))
    return observed


@check("A letter may come again later")
def letters_come_again(collapse, draw):
    observed = []
    for _ in range(4):
        one, two = draw.choice([1, 2, 3]), draw.choice([4, 5, 6])
        observed.append(collapse([one, one, two, one, two, two, one, 0]))
    return observed


@check("What stands at the very beginning and at the very end counts")
def both_ends(collapse, draw):
    return [collapse([draw.choice([1, 2]), 0, draw.choice([3, 4]), draw.choice([5, 6])]) for _ in range(4)]


@check("The blank may be another label")
def another_blank(collapse, draw):
    return [collapse(path_of(draw, 20, high=5, blank=blank), blank=blank) for blank in (4, 3, 7, 2)]


@check("A path without letters, and none at all, spell nothing")
def nothing_to_spell(collapse, draw):
    return [collapse(path) for path in ([], [0], [0, 0, 0], [0] * draw.choice([5, 6, 7]), [draw.choice([1, 2, 3])])]


# ctc_forward


def log_probs_of(draw, num_frames, num_classes):
    return draw.normal(num_frames, num_classes, dtype=torch.float64).log_softmax(dim=1)


def text_of(draw, length, num_classes, *, doubled=False):
    """Labels without neighbors that are equal; or all equal."""
    labels, before = [], 0
    for _ in range(length):
        before = (
            before if doubled and before else draw.choice([each for each in range(1, num_classes) if each != before])
        )
        labels.append(before)
    return torch.tensor(labels, dtype=torch.int64)


@check("One letter in a few frames, small enough to add up by hand")
def one_letter(ctc_forward, draw):
    return [ctc_forward(log_probs_of(draw, n, 3), text_of(draw, 1, 3)) for n in (1, 2, 3, 2, 3, 4, 2, 3, 4)]


@check("Different letters may follow each other directly, or with blanks in between")
def different_letters(ctc_forward, draw):
    return torch.stack(
        [ctc_forward(log_probs_of(draw, 7, 5), text_of(draw, length, 5)) for length in (2, 3, 4, 5, 6, 7)]
    )


@check("Equal letters need a blank in between")
def equal_letters(ctc_forward, draw):
    texts = [text_of(draw, length, 4, doubled=True) for length in (2, 3, 4, 2, 3, 4)]
    return [ctc_forward(log_probs_of(draw, 9, 4), text) for text in texts] + [
        torch.stack([ctc_forward(log_probs_of(draw, 9, 4), text) for text in texts])
    ]


@check("The empty text is spelled by blanks alone")
def the_empty_text(ctc_forward, draw):
    nothing = torch.zeros(0, dtype=torch.int64)
    return torch.stack([ctc_forward(log_probs_of(draw, n, 4), nothing) for n in (1, 2, 5)])


@check("A text that doesn't fit into the frames costs more than anybody can pay")
def a_text_that_does_not_fit(ctc_forward, draw):
    observed = []
    for length, num_frames, doubled in ((4, 3, False), (3, 4, True), (5, 2, False), (2, 2, True), (3, 3, True)):
        loss = ctc_forward(log_probs_of(draw, num_frames, 6), text_of(draw, length, 6, doubled=doubled))
        observed.append(f"{length} letters in {num_frames} frames: {'too much' if loss > 1e20 else 'possible'}")
    return observed


@check("Hundreds of frames are no problem")
def hundreds_of_frames(ctc_forward, draw):
    text = text_of(draw, 25, 12)
    return torch.stack([ctc_forward(log_probs_of(draw, n, 12), text) for n in (200, 350, 500)])


@check("Gradients flow back to the logits, and are finite")
def gradients_of_the_logits(ctc_forward, draw):
    observed = []
    for num_frames, length, doubled in ((6, 3, False), (8, 3, True), (5, 5, False), (5, 3, True)):
        logits = draw.normal(num_frames, 5, dtype=torch.float64).requires_grad_()
        ctc_forward(logits.log_softmax(dim=1), text_of(draw, length, 5, doubled=doubled)).backward()
        observed.append(logits.grad)
    return observed


# word_error_rate

WORDS = ["turn", "on", "the", "light", "ten", "two"]


def words(draw, count):
    return " ".join(draw.choice(WORDS) for _ in range(count))


def misheard(draw, text, *, kinds=("replace", "delete", "insert")):
    """The text with one or two things gone wrong."""
    heard = text.split()
    for _ in range(draw.choice([1, 2])):
        kind, place = draw.choice(kinds), int(draw.number(0, max(len(heard), 1)))
        if kind == "insert":
            heard.insert(place, draw.choice(["uh", "well"]))
        elif heard:
            heard[place : place + 1] = ["what"] if kind == "replace" else []
    return " ".join(heard)


@check("One text and one thing that went wrong")
def one_text(word_error_rate, draw):
    observed = []
    for kind in ("replace", "delete", "insert") * 4:
        said = words(draw, draw.choice([3, 4, 5]))
        observed.append(word_error_rate([said], [misheard(draw, said, kinds=(kind,))]))
    return observed


@check("Short and long texts together: each word counts once")
def many_texts(word_error_rate, draw):
    observed = []
    for _ in range(10):
        said = [words(draw, count) for count in (1, 8, 2, 5)]
        observed.append(word_error_rate(said, [misheard(draw, text) for text in said]))
    return observed


@check("A word that is missing at the beginning doesn't make the rest wrong")
def missing_at_the_beginning(word_error_rate, draw):
    observed = []
    for _ in range(10):
        said = words(draw, draw.choice([5, 6, 7]))
        observed.append(word_error_rate([f"please {said}"], [said]))
    return observed


@check("More words than were said: the rate exceeds one")
def more_than_was_said(word_error_rate, draw):
    return [word_error_rate([words(draw, 1)], [words(draw, count) + " hm hm"]) for count in (2, 3, 4, 5, 6, 2, 3, 4, 5)]


@check("Nothing wrong gives zero, nothing understood gives one")
def best_and_worst(word_error_rate, draw):
    observed = []
    for count in (2, 3, 4, 5, 6):
        said = [words(draw, count), words(draw, 2)]
        observed += [word_error_rate(said, said), word_error_rate(said, ["", ""])]
    return observed


@check("Some references may be empty, and spaces don't matter")
def empty_and_spaces(word_error_rate, draw):
    observed = []
    for _ in range(9):
        said = words(draw, draw.choice([2, 3, 4]))
        observed.append(word_error_rate([said, ""], [f"  {misheard(draw, said).replace(' ', '   ')} ", words(draw, 1)]))
    return observed


# prefix_beam_search


@check("Two frames, few enough paths to add up by hand")
def two_frames(prefix_beam_search, draw):
    observed = []
    for _ in range(5):
        blank = torch.tensor([draw.number(0.52, 0.68), draw.number(0.52, 0.68)], dtype=torch.float64)
        observed.append(prefix_beam_search(torch.stack([blank, 1 - blank], dim=1).log(), beam_size=5))
    return observed


@check("All paths of a text count, if the beam is wide")
def wide_beam(prefix_beam_search, draw):
    return [prefix_beam_search(log_probs_of(draw, n, 4), beam_size=500) for n in (3, 4, 5, 4, 5)]


@check("A doubled letter is found where a blank stands in between, and nowhere else")
def doubled_in_the_beam(prefix_beam_search, draw):
    observed = []
    for path in ([1, 1, 0, 1], [2, 0, 2, 2], [1, 1, 1, 1], [2, 0, 0, 2], [1, 0, 1, 0]):
        logits = draw.normal(4, 3, dtype=torch.float64)
        logits[range(4), path] += 4
        observed.append(prefix_beam_search(logits.log_softmax(dim=1), beam_size=100))
    return observed


@check("A narrow beam keeps the best beginnings and forgets the others")
def narrow_beam(prefix_beam_search, draw):
    return [prefix_beam_search(log_probs_of(draw, 9, 5), beam_size=size) for size in (1, 2, 3, 1, 2, 3)]


@check("The language is asked for each letter that is written, and goes on counting")
def with_language(prefix_beam_search, draw):
    observed = []
    for _ in range(5):
        table = 1.5 * draw.normal(5, 5, dtype=torch.float64)

        def language(prefix, label, table=table):
            return float(table[prefix[-1] if prefix else 0, label])

        observed.append(prefix_beam_search(log_probs_of(draw, 6, 5), beam_size=300, language=language))
    return observed


@check("Long sounds stay within the range of numbers")
def long_sounds(prefix_beam_search, draw):
    return [prefix_beam_search(4 * log_probs_of(draw, n, 4), beam_size=4) for n in (150, 300, 400)]
