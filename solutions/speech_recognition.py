"""Lesson 09, speech recognition: the reference of each exercise, and the mistakes that people make."""

import math
from itertools import groupby

import torch

from course_lib.exercises import built_without, mistake


@built_without("course_lib.speech_models.stacked_lengths")
def length_after_subsampling(lengths, layers):
    """Say how many frames each sequence has left after some layers that look at several frames and skip some.

    Args:
        lengths: frames of each sequence, int64, shape `(batch,)`.
        layers: for each layer in turn a tuple of whole numbers `(kernel, stride, padding)`: how many frames it sees,
            how far it moves on, and how many frames are added at each of the two ends.

    Returns:
        int64, shape `(batch,)`. A layer turns n frames into floor((n + 2·padding − kernel) / stride) + 1, and never
        into fewer than 0.

    Example: 100 frames through `[(3, 2, 1), (4, 4, 0)]` become 50, then 12.
    """
    for kernel, stride, padding in layers:
        lengths = ((lengths + 2 * padding - kernel) // stride + 1).clamp(min=0)
    return lengths


@mistake(
    of=length_after_subsampling,
    hint="You divide by the stride alone. A kernel that no longer fits at the end gives no frame, and padding "
    "gives more: "
    "floor((n + 2·padding − kernel) / stride) + 1.",
)
def length_after_subsampling_divides_by_stride(lengths, layers):
    for _, stride, _ in layers:
        lengths = lengths // stride
    return lengths


@mistake(of=length_after_subsampling, hint="Padding is added at both ends, you count it once.")
def length_after_subsampling_pads_one_side(lengths, layers):
    for kernel, stride, padding in layers:
        lengths = ((lengths + padding - kernel) // stride + 1).clamp(min=0)
    return lengths


@mistake(
    of=length_after_subsampling,
    hint="One frame is missing: the kernel's first place counts too. The quotient says how often it can move "
    "on; add 1.",
)
def length_after_subsampling_forgets_the_first_place(lengths, layers):
    for kernel, stride, padding in layers:
        lengths = ((lengths + 2 * padding - kernel) // stride).clamp(min=0)
    return lengths


@mistake(
    of=length_after_subsampling,
    hint="You round up. Where the kernel doesn't fit as a whole, there is no frame: round down, in whole "
    "numbers (`//`).",
)
def length_after_subsampling_rounds_up(lengths, layers):
    for kernel, stride, padding in layers:
        lengths = (-(-(lengths + 2 * padding - kernel) // stride) + 1).clamp(min=0)
    return lengths


@mistake(
    of=length_after_subsampling,
    hint="Every layer starts from the original lengths again, so only the last one counts. Each works on what "
    "the layer "
    "before left.",
)
def length_after_subsampling_counts_the_last_layer(lengths, layers):
    return length_after_subsampling(lengths, layers[-1:])


@mistake(
    of=length_after_subsampling,
    hint="Lengths come out as floating-point numbers, and nobody can cut a tensor with these. `//` divides "
    "whole numbers.",
)
def length_after_subsampling_gives_floats(lengths, layers):
    return length_after_subsampling(lengths, layers) / 1 if layers else lengths


@mistake(
    of=length_after_subsampling,
    hint="You changed the lengths that you were given (`+=` works in place). Whoever called you still needs them.",
)
def length_after_subsampling_damages_its_input(lengths, layers):
    result = length_after_subsampling(lengths, layers)
    lengths.copy_(result)
    return result


@mistake(
    of=length_after_subsampling,
    hint="A sequence shorter than the kernel gets a negative length. It has no frame left: clamp at 0, after "
    "each layer.",
)
def length_after_subsampling_becomes_negative(lengths, layers):
    for kernel, stride, padding in layers:
        lengths = (lengths + 2 * padding - kernel) // stride + 1
    return lengths


@built_without("course_lib.text.collapse", "torchaudio.functional.merge_tokens")
def collapse(path, *, blank=0):
    """Read what a path through the frames spells: first merge the runs of equal labels, then take out the blanks.

    Args:
        path: one label for each frame, a list of whole numbers; it may be empty.
        blank: the label that means "nothing new here".

    Returns:
        The labels that are left, a list.

    Example: with h = 1, e = 2, l = 3, o = 4, the path `[1, 1, 0, 2, 3, 0, 3, 3, 4, 0]` spells `[1, 2, 3, 3, 4]`.
    """
    return [label for label, _ in groupby(path) if label != blank]


@mistake(
    of=collapse,
    hint="You take the blanks out before you merge. Then a blank between two equal letters can't keep them apart, and "
    "'hello' becomes 'helo'. Merge first.",
)
def collapse_removes_blanks_first(path, *, blank=0):
    return [label for label, _ in groupby(label for label in path if label != blank)]


@mistake(
    of=collapse,
    hint="The blank is merged like a letter and stays. It stands for 'nothing new here' and is never written: take it "
    "out after merging.",
)
def collapse_keeps_the_blanks(path, *, blank=0):
    return [label for label, _ in groupby(path)]


@mistake(
    of=collapse,
    hint="You only take out the blanks. A letter that lasts for three frames is written once: merge neighbors that are "
    "equal.",
)
def collapse_does_not_merge(path, *, blank=0):
    return [label for label in path if label != blank]


@mistake(
    of=collapse,
    hint="Each label is written once in the whole text: a letter that comes again later is lost. Compare with "
    "the frame "
    "before, not with everything before.",
)
def collapse_writes_each_label_once(path, *, blank=0):
    return [label for label in dict.fromkeys(path) if label != blank]


@mistake(
    of=collapse,
    hint="The last run is missing. If you write a label when the next one begins, nothing comes after the last.",
)
def collapse_forgets_the_last_run(path, *, blank=0):
    return [label for label, _ in list(groupby(path))[:-1] if label != blank]


@mistake(of=collapse, hint="You take 0 for the blank whatever `blank` says. Other networks have it at the end.")
def collapse_has_the_blank_at_zero(path, *, blank=0):
    return collapse(path)


@built_without(
    "torch.nn.functional.ctc_loss", "torch.ctc_loss", "torch.nn.CTCLoss", "torchaudio.functional.forced_align"
)
def ctc_forward(log_probs, labels):
    """Compute CTC's loss for one sequence: −log of the probability of all paths together that spell a text.

    Args:
        log_probs: the logarithms of the probabilities, shape `(frames, classes)`; class 0 is the blank. At least one
            frame.
        labels: the text without blanks, int64, shape `(length,)`; it may be empty.

    Returns:
        −log P(text), a tensor of shape `()`, through which gradients flow back to `log_probs`. It works with logarithms
        throughout, so that hundreds of frames are no problem; log 0 is written as −1e30 (with −inf, gradients become
        NaN). So a text that no path spells costs more than 1e20.

    Example: two frames, two classes, all probabilities 1/2, the text `[1]`. The paths `[1, 1]`, `[0, 1]` and `[1, 0]`
        spell it, so the loss is −log(3/4) = 0.2877.
    """
    states = labels.new_zeros(2 * len(labels) + 1)  # a blank before, between and after the labels
    states[1::2] = labels
    skips = torch.zeros(len(states), dtype=torch.bool)
    skips[3::2] = states[3::2] != states[1:-2:2]  # past a blank, but only between labels that differ

    impossible = log_probs.new_full((1,), -1e30)
    start = torch.arange(len(states)) < 2  # in the first blank, or in the first label
    alpha = torch.where(start, log_probs[0, states], impossible)
    for frame in log_probs[1:]:
        stay, step = alpha, torch.cat([impossible, alpha])[:-1]
        skip = torch.where(skips, torch.cat([impossible, impossible, alpha])[:-2], impossible)
        alpha = torch.stack([stay, step, skip]).logsumexp(dim=0) + frame[states]
    return -alpha[-2:].logsumexp(dim=0)  # in the last label, or in the blank after it


def _ctc(log_probs, labels, *, skips=None, start=2, end=2, merge=torch.logsumexp):
    """CTC's forward pass with one thing or another changed."""
    states = labels.new_zeros(2 * len(labels) + 1)
    states[1::2] = labels
    if skips is None:
        allowed = torch.zeros(len(states), dtype=torch.bool)
        allowed[3::2] = states[3::2] != states[1:-2:2]
    else:
        allowed = skips(states)
    impossible = log_probs.new_full((1,), -1e30)
    alpha = torch.where(torch.arange(len(states)) < start, log_probs[0, states], impossible)
    for frame in log_probs[1:]:
        step = torch.cat([impossible, alpha])[:-1]
        skip = torch.where(allowed, torch.cat([impossible, impossible, alpha])[:-2], impossible)
        alpha = merge(torch.stack([alpha, step, skip]), dim=0) + frame[states]
    return -merge(alpha[-end:], dim=0)


@mistake(
    of=ctc_forward,
    hint="You may skip the blank between two equal labels. But without it they would merge into one: 'll' "
    "needs a blank "
    "in between. Skip only where the label differs from the label before it.",
)
def ctc_forward_skips_between_equal_labels(log_probs, labels):
    return _ctc(log_probs, labels, skips=lambda states: (states != 0) & (torch.arange(len(states)) >= 2))


@mistake(
    of=ctc_forward,
    hint="You never skip, so every path must pass through every blank. Between two different labels no blank "
    "is needed: "
    "the label can be reached from two states before.",
)
def ctc_forward_never_skips(log_probs, labels):
    return _ctc(log_probs, labels, skips=lambda states: torch.zeros(len(states), dtype=torch.bool))


@mistake(
    of=ctc_forward,
    hint="Blanks too are reached from two states before: these paths leave out the label in between and spell another "
    "text. Only labels can be reached by a skip.",
)
def ctc_forward_skips_over_labels(log_probs, labels):
    return _ctc(
        log_probs,
        labels,
        skips=lambda states: (torch.arange(len(states)) >= 2) & ((states == 0) | (states != states.roll(2))),
    )


@mistake(
    of=ctc_forward,
    hint="You take the best of the paths that meet, where all of them count. Probabilities add up; for their "
    "logarithms "
    "that is log-sum-exp.",
)
def ctc_forward_takes_the_best_path(log_probs, labels):
    return _ctc(log_probs, labels, merge=lambda stacked, dim: stacked.amax(dim=dim))


@mistake(
    of=ctc_forward,
    hint="In the first frame a path can only be in the first blank or in the first label. You let it begin "
    "anywhere, so "
    "paths count that never say the beginning of the text.",
)
def ctc_forward_begins_anywhere(log_probs, labels):
    return _ctc(log_probs, labels, start=2 * len(labels) + 1)


@mistake(
    of=ctc_forward,
    hint="In the first frame a path may also be in the first label already. You let it begin in the blank only.",
)
def ctc_forward_begins_in_the_blank(log_probs, labels):
    return _ctc(log_probs, labels, start=1)


@mistake(
    of=ctc_forward,
    hint="You count only paths that end in the last blank. A path may also end in the last label itself: add up both.",
)
def ctc_forward_ends_in_the_blank(log_probs, labels):
    return _ctc(log_probs, labels, end=1)


@mistake(
    of=ctc_forward,
    hint="The first frame counts twice: once at the start, and again in the loop. Let the loop begin with the "
    "second one.",
)
def ctc_forward_counts_the_first_frame_twice(log_probs, labels):
    return ctc_forward(torch.cat([log_probs[:1], log_probs]), labels)


@built_without("course_lib.metrics.word_error_rate", "course_lib.metrics.edit_distance", "jiwer.wer")
def word_error_rate(references, hypotheses):
    """Say how many words went wrong, for each word that was said.

    Args:
        references: what was said: a list of texts, words separated by spaces. Some may be empty, not all.
        hypotheses: what was understood, one text for each reference.

    Returns:
        All errors divided by all words of the references, a number. The errors of a text: the fewest words that must be
        replaced, inserted or deleted to make the reference out of the hypothesis. The rate can exceed 1.

    Example: said "turn on the light" and "ten", understood "turn the light on" and "ten": two errors (a missing "on",
        an "on" too many) in five words, 0.4.
    """
    errors = sum(_errors(said.split(), heard.split()) for said, heard in zip(references, hypotheses, strict=True))
    return errors / sum(len(said.split()) for said in references)


def _errors(said, heard, *, replacing=1, inserting=1):
    before = [inserting * column for column in range(len(heard) + 1)]
    for row, word in enumerate(said, start=1):
        now = [row]
        for column, other in enumerate(heard, start=1):
            replaced = before[column - 1] + (replacing if word != other else 0)
            now.append(min(replaced, before[column] + 1, now[-1] + inserting))
        before = now
    return before[-1]


@mistake(
    of=word_error_rate,
    hint="You divide by the words that were understood. A recognizer that babbles would look better for it: "
    "divide by the "
    "words that were said.",
)
def word_error_rate_divides_by_the_hypothesis(references, hypotheses):
    errors = sum(_errors(said.split(), heard.split()) for said, heard in zip(references, hypotheses, strict=True))
    return errors / max(sum(len(heard.split()) for heard in hypotheses), 1)


@mistake(
    of=word_error_rate,
    hint="You averaged the rates of the texts, so one word in a short text weighs as much as many in a long "
    "one. Add up "
    "errors and words, and divide once.",
)
def word_error_rate_averages_the_texts(references, hypotheses):
    rates = [
        _errors(said.split(), heard.split()) / max(len(said.split()), 1)
        for said, heard in zip(references, hypotheses, strict=True)
    ]
    return sum(rates) / len(rates)


@mistake(
    of=word_error_rate, hint="You compare characters. That is the character error rate: split the texts into words."
)
def word_error_rate_counts_characters(references, hypotheses):
    errors = sum(_errors(said, heard) for said, heard in zip(references, hypotheses, strict=True))
    return errors / sum(len(said) for said in references)


@mistake(
    of=word_error_rate,
    hint="You compare word by word at the same place. One word missing at the beginning, and all that follow count as "
    "wrong: find the best alignment, by dynamic programming.",
)
def word_error_rate_compares_place_by_place(references, hypotheses):
    errors = 0
    for said, heard in zip(references, hypotheses, strict=True):
        said, heard = said.split(), heard.split()
        errors += sum(a != b for a, b in zip(said, heard, strict=False)) + abs(len(said) - len(heard))
    return errors / sum(len(said.split()) for said in references)


@mistake(
    of=word_error_rate,
    hint="A replaced word counts as two errors, a deletion and an insertion. It is one.",
)
def word_error_rate_replaces_for_two(references, hypotheses):
    pairs = zip(references, hypotheses, strict=True)
    errors = sum(_errors(said.split(), heard.split(), replacing=2) for said, heard in pairs)
    return errors / sum(len(said.split()) for said in references)


@mistake(
    of=word_error_rate, hint="Words that nobody said count for nothing in your rate. Each is an error: an insertion."
)
def word_error_rate_ignores_insertions(references, hypotheses):
    pairs = zip(references, hypotheses, strict=True)
    errors = sum(_errors(said.split(), heard.split(), inserting=0) for said, heard in pairs)
    return errors / sum(len(said.split()) for said in references)


@mistake(
    of=word_error_rate,
    hint="You cut the rate off at 1. Who hears four words where one was said makes more errors than there were words.",
)
def word_error_rate_stops_at_one(references, hypotheses):
    return min(word_error_rate(references, hypotheses), 1.0)


@built_without("course_lib.decoding.prefix_beam_search")
def prefix_beam_search(log_probs, *, beam_size, language=None):
    """Find the most probable text, where the probability of a text is the sum over all paths that spell it.

    Args:
        log_probs: the logarithms of the probabilities, shape `(frames, classes)`; class 0 is the blank.
        beam_size: how many beginnings ("prefixes") are kept after each frame: those with the highest score.
        language: a function `(prefix, label) -> number` that says what is added to the score when `label` is written
            after `prefix`, a tuple of labels; None adds nothing.

    Returns:
        The best text, a list of labels, and its score: the logarithm of the probability of all its paths that the beam
        kept, plus what the language added for each of its labels.

    Example: two frames, two classes, P(blank) = 0.6 in both. The best path is blank, blank, with 0.36. But the text
        `[1]` has three paths, with 0.64 together: the answer is `([1], log 0.64)`.
    """
    beams = {(): (0.0, -math.inf)}  # prefix -> log-probability of its paths that end in a blank, and in its last label
    spoken = {(): 0.0}  # what the language added
    for frame in log_probs.tolist():
        grown = {}
        for prefix, (blank, label) in beams.items():
            either, last = _add(blank, label), prefix[-1] if prefix else 0
            _collect(grown, prefix, 0, either + frame[0])
            if prefix:
                _collect(grown, prefix, 1, label + frame[last])
            for new in range(1, len(frame)):
                longer = (*prefix, new)
                spoken[longer] = spoken[prefix] + (language(prefix, new) if language else 0.0)
                _collect(grown, longer, 1, (blank if new == last else either) + frame[new])
        scores = {prefix: _add(*ends) + spoken[prefix] for prefix, ends in grown.items()}
        beams = {prefix: grown[prefix] for prefix in sorted(scores, key=scores.get, reverse=True)[:beam_size]}
    best = max(beams, key=lambda prefix: scores[prefix])
    return list(best), scores[best]


def _add(a, b):
    """log(exp(a) + exp(b)), also where one of them is minus infinity."""
    low, high = sorted((a, b))
    return high if low == -math.inf else high + math.log1p(math.exp(low - high))


def _collect(grown, prefix, end, log_prob):
    """Let another path flow into a prefix: one that ends in a blank (0), or in its last label (1)."""
    ends = list(grown.get(prefix, (-math.inf, -math.inf)))
    ends[end] = _add(ends[end], log_prob)
    grown[prefix] = tuple(ends)


def _search(log_probs, *, beam_size, language=None, add=_add, twice="after a blank", ending=_add, first=-math.inf):
    """The beam search with one thing or another changed."""
    beams, spoken = {(): (0.0, first)}, {(): 0.0}
    for frame in log_probs.tolist():
        grown = {}

        def collect(prefix, end, log_prob, grown=grown):
            ends = list(grown.get(prefix, (-math.inf, -math.inf)))
            ends[end] = add(ends[end], log_prob)
            grown[prefix] = tuple(ends)

        for prefix, (blank, label) in beams.items():
            either, last = add(blank, label), prefix[-1] if prefix else 0
            collect(prefix, 0, either + frame[0])
            if prefix:
                collect(prefix, 1, (either if twice == "ends mixed" else label) + frame[last])
            for new in range(1, len(frame)):
                if new == last and twice == "never":
                    continue
                before = blank if new == last and twice == "after a blank" else either
                spoken[(*prefix, new)] = spoken[prefix] + (language(prefix, new) if language else 0.0)
                collect((*prefix, new), 1, before + frame[new])
        scores = {prefix: ending(*ends) + spoken[prefix] for prefix, ends in grown.items()}
        beams = {prefix: grown[prefix] for prefix in sorted(scores, key=scores.get, reverse=True)[:beam_size]}
    best = max(beams, key=lambda prefix: scores[prefix])
    return list(best), scores[best]


@mistake(
    of=prefix_beam_search,
    hint="You write a letter twice without a blank in between. [1, 1] in two frames spells one 1; a second "
    "one can only "
    "be written by paths that end in a blank.",
)
def prefix_beam_search_doubles_without_blank(log_probs, *, beam_size, language=None):
    return _search(log_probs, beam_size=beam_size, language=language, twice="always")


@mistake(
    of=prefix_beam_search,
    hint="A letter never follows itself, so 'three' loses an e. After a blank, the same label is a new letter.",
)
def prefix_beam_search_never_doubles(log_probs, *, beam_size, language=None):
    return _search(log_probs, beam_size=beam_size, language=language, twice="never")


@mistake(
    of=prefix_beam_search,
    hint="You don't keep apart the paths that end in a blank and those that end in a letter. The same label once more "
    "means two things: after the letter it goes on, after a blank it is a new one.",
)
def prefix_beam_search_mixes_the_ends(log_probs, *, beam_size, language=None):
    return _search(log_probs, beam_size=beam_size, language=language, twice="ends mixed")


@mistake(
    of=prefix_beam_search,
    hint="Where paths meet in one prefix, you keep the better one. All of them spell it: add up their probabilities "
    "(log-add-exp).",
)
def prefix_beam_search_keeps_the_better_path(log_probs, *, beam_size, language=None):
    return _search(log_probs, beam_size=beam_size, language=language, add=max, ending=max)


@mistake(
    of=prefix_beam_search,
    hint="Where paths meet in one prefix, the later one overwrites the earlier. Look whether the prefix has "
    "been reached "
    "already, and add.",
)
def prefix_beam_search_overwrites(log_probs, *, beam_size, language=None):
    beams, spoken = {(): (0.0, -math.inf)}, {(): 0.0}
    for frame in log_probs.tolist():
        grown = {}
        for prefix, (blank, label) in beams.items():
            either, last = _add(blank, label), prefix[-1] if prefix else 0
            grown[prefix] = (either + frame[0], label + frame[last] if prefix else -math.inf)
            for new in range(1, len(frame)):
                spoken[(*prefix, new)] = spoken[prefix] + (language(prefix, new) if language else 0.0)
                grown[(*prefix, new)] = (-math.inf, (blank if new == last else either) + frame[new])
        scores = {prefix: _add(*ends) + spoken[prefix] for prefix, ends in grown.items()}
        beams = {prefix: grown[prefix] for prefix in sorted(scores, key=scores.get, reverse=True)[:beam_size]}
    best = max(beams, key=lambda prefix: scores[prefix])
    return list(best), scores[best]


@mistake(
    of=prefix_beam_search,
    hint="The empty beginning counts twice: in the beginning nothing was written, so no path ends in a "
    "letter. Start with "
    "probability 1 for the blank and 0 for the letter.",
)
def prefix_beam_search_starts_twice(log_probs, *, beam_size, language=None):
    return _search(log_probs, beam_size=beam_size, language=language, first=0.0)


@mistake(
    of=prefix_beam_search,
    hint="A text's score counts only its paths that end in a blank. Those that end in its last letter spell "
    "it as well: "
    "add both, for ranking and at the end.",
)
def prefix_beam_search_wants_a_blank_at_the_end(log_probs, *, beam_size, language=None):
    return _search(
        log_probs, beam_size=beam_size, language=language, ending=lambda blank, label: max(blank, label - 1e3)
    )


@mistake(
    of=prefix_beam_search,
    hint="The language is asked only for the ranking of one frame and then forgotten. What it added to a "
    "prefix goes on "
    "counting for everything that is written after it.",
)
def prefix_beam_search_forgets_the_language(log_probs, *, beam_size, language=None):
    def newest(prefix, label):
        before = language(prefix[:-1], prefix[-1]) if prefix else 0.0
        return language(prefix, label) - before

    return prefix_beam_search(log_probs, beam_size=beam_size, language=newest if language else None)
