"""From a network's log-probabilities to text: greedy, by beam search with a language model, and by forced alignment."""

import math
from collections.abc import Iterable
from heapq import nlargest
from itertools import groupby
from typing import Any, NamedTuple

import torch
from torch import Tensor

from course_lib.text import BLANK, Alphabet, NGram, collapse

IMPOSSIBLE = -math.inf


def greedy_decode(log_probs: Tensor, lengths: Tensor) -> list[list[int]]:
    """The most probable label in each frame, collapsed.

    Args:
        log_probs: shape `(batch, frames, labels)`; logits will do as well.
        lengths: how many frames each example has, int64, shape `(batch,)`.

    Returns:
        The labels of each example, without blanks.
    """
    best = log_probs.argmax(dim=-1).tolist()
    return [collapse(labels[:length]) for labels, length in zip(best, lengths.tolist(), strict=True)]


class Hypothesis(NamedTuple):
    """A text that a beam search found: its labels, and the logarithm of its score."""

    labels: list[int]
    score: float


class WordModel:
    """Which words there are, and how probable each is after the others: what a beam search may know about language.

    Args:
        ngram: the probabilities of words.
        alphabet: how words are written; it has a space.
        lexicon: the words that may be written; by default those that the n-grams were counted in.
        weight: how much the language counts, beside the sound.
        bonus: added for each word, since each word costs probability and long sentences should not pay for being long.
    """

    def __init__(
        self,
        ngram: NGram,
        *,
        alphabet: Alphabet,
        lexicon: Iterable[str] | None = None,
        weight: float = 1.0,
        bonus: float = 0.0,
    ):
        self.ngram, self.weight, self.bonus = ngram, weight, bonus
        self.space = alphabet.labels[" "]
        self.tree: dict[int | None, Any] = {}  # label by label down to {None: word} where a word ends
        for word in (ngram.words - {NGram.END}) if lexicon is None else lexicon:
            node = self.tree
            for label in alphabet.encode(word).tolist():
                node = node.setdefault(label, {})
            node[None] = word

    def start(self) -> tuple[tuple[str, ...], dict[int | None, Any]]:
        """Where a sentence begins: the words so far, and the place in the tree of words."""
        return (), self.tree

    def follow(self, state: tuple[tuple[str, ...], Any], label: int) -> tuple[Any, float] | None:
        """Write one label more: the new state and what it adds to the score; None where no word goes on like this."""
        words, node = state
        if label != self.space:
            return ((words, node[label]), 0.0) if label in node else None
        if None not in node:
            return None
        return ((*words, node[None]), self.tree), self._score(node[None], words)

    def end(self, state: tuple[tuple[str, ...], Any]) -> float:
        """What it adds to the score if the sentence ends here; minus infinity in the middle of a word."""
        words, node = state
        if None in node:
            return self._score(node[None], words) + self.weight * self.ngram.log_prob(NGram.END, (*words, node[None]))
        return IMPOSSIBLE if words or node is not self.tree else self.weight * self.ngram.log_prob(NGram.END)

    def _score(self, word: str, words: tuple[str, ...]) -> float:
        return self.weight * self.ngram.log_prob(word, words) + self.bonus


class NoModel:
    """Every text is as good as any other."""

    def start(self) -> None:
        return None

    def follow(self, state: None, label: int) -> tuple[None, float]:
        return None, 0.0

    def end(self, state: None) -> float:
        return 0.0


def prefix_beam_search(
    log_probs: Tensor, *, beam_size: int = 16, language_model: WordModel | None = None
) -> list[Hypothesis]:
    """The most probable texts, each with the sum over all its paths, as far as the beam is wide enough.

    Args:
        log_probs: normalized, shape `(frames, labels)`.
        beam_size: how many beginnings are kept from frame to frame.
        language_model: knows which texts are likely; None takes what is heard as it is.

    Returns:
        The texts that were left in the end, the best first. The score is the logarithm of the probability, plus what
        the language model adds.

    Source: Graves & Jaitly 2014, https://proceedings.mlr.press/v32/graves14.html; Hannun et al. 2014, arXiv:1408.2873
    """
    language = language_model or NoModel()
    # beginning -> log-probability of its paths that end in a blank, and of those that end in its last label
    beams: dict[tuple[int, ...], tuple[float, float]] = {(): (0.0, IMPOSSIBLE)}
    known: dict[tuple[int, ...], tuple[Any, float]] = {(): (language.start(), 0.0)}  # what the language says of each

    for frame in log_probs.tolist():
        grown: dict[tuple[int, ...], list[float]] = {}
        for prefix, (blank, label) in beams.items():
            either, last = logaddexp(blank, label), prefix[-1] if prefix else BLANK
            same = grown.setdefault(prefix, [IMPOSSIBLE, IMPOSSIBLE])
            same[0] = logaddexp(same[0], either + frame[BLANK])
            if prefix:
                same[1] = logaddexp(same[1], label + frame[last])
            state, score = known[prefix]
            for new in range(1, len(frame)):
                before = blank if new == last else either  # to write a label twice takes a blank in between
                if before + frame[new] == IMPOSSIBLE:
                    continue
                longer = (*prefix, new)
                if longer not in known:
                    step = language.follow(state, new)
                    known[longer] = (None, IMPOSSIBLE) if step is None else (step[0], score + step[1])
                if known[longer][1] > IMPOSSIBLE:
                    entry = grown.setdefault(longer, [IMPOSSIBLE, IMPOSSIBLE])
                    entry[1] = logaddexp(entry[1], before + frame[new])
        scores = {prefix: logaddexp(*entry) + known[prefix][1] for prefix, entry in grown.items()}
        best = nlargest(beam_size, (prefix for prefix in scores if scores[prefix] > IMPOSSIBLE), key=scores.get)
        beams = {prefix: (grown[prefix][0], grown[prefix][1]) for prefix in best}

    ended = {prefix: known[prefix][1] + language.end(known[prefix][0]) for prefix in beams}
    if max(ended.values(), default=IMPOSSIBLE) == IMPOSSIBLE:  # all in the middle of a word: then as they are
        ended = {prefix: known[prefix][1] for prefix in beams}
    found = [Hypothesis(list(prefix), logaddexp(*beams[prefix]) + ended[prefix]) for prefix in beams]
    return sorted((each for each in found if each.score > IMPOSSIBLE), key=lambda each: -each.score)


def logaddexp(a: float, b: float) -> float:
    """The logarithm of exp(a) + exp(b), without leaving the range of numbers."""
    if a < b:
        a, b = b, a
    return a if b == IMPOSSIBLE else a + math.log1p(math.exp(b - a))


class Span(NamedTuple):
    """Where one label of a text is heard: frames `start` to `end` (excluded), and its mean log-probability there."""

    label: int
    start: int
    end: int
    log_prob: float


def forced_align(log_probs: Tensor, labels: Tensor) -> list[Span]:
    """Where each label of a known text is heard: the most probable of all paths that spell it.

    Args:
        log_probs: normalized, shape `(frames, labels)`.
        labels: the text without blanks, int64, shape `(length,)`; not empty.

    Returns:
        One span for each label, in order.

    Raises:
        ValueError: there are too few frames to write the text, or there is no text.

    Source: Viterbi's algorithm on the lattice of Graves et al. 2006, doi:10.1145/1143844.1143891
    """
    num_repeats = int((labels[1:] == labels[:-1]).sum())
    if len(labels) == 0 or len(log_probs) < len(labels) + num_repeats:
        raise ValueError(
            f"forced_align got {len(log_probs)} frames for {len(labels)} labels with {num_repeats} repeats: at least "
            "one label, a frame for each of them, and one more for each repeat are needed."
        )
    states = extended(labels)  # (2 * length + 1,)
    path = _best_path(log_probs.detach().cpu()[:, states], may_skip(states)).tolist()
    spans = []
    for state, run in groupby(range(len(path)), key=lambda frame: path[frame]):
        frames = list(run)
        if state % 2:  # a label; the even ones are blanks
            label = int(states[state])
            spans.append(Span(label, frames[0], frames[-1] + 1, float(log_probs[frames, label].mean())))
    return spans


def word_spans(spans: list[Span], *, alphabet: Alphabet) -> list[tuple[str, int, int]]:
    """Where each word is heard: from its first letter's first frame to its last letter's last, end excluded.

    Args:
        spans: as `forced_align` gives them.
        alphabet: with a space, which ends words.
    """
    is_space = [span.label == alphabet.labels[" "] for span in spans]
    words = []
    for space, run in groupby(zip(spans, is_space, strict=True), key=lambda pair: pair[1]):
        letters = [span for span, _ in run]
        if not space:
            words.append((alphabet.decode(span.label for span in letters), letters[0].start, letters[-1].end))
    return words


def extended(labels: Tensor) -> Tensor:
    """A text with a blank before, between and after its labels: the states of CTC's lattice, `(2 * length + 1,)`."""
    states = labels.new_full((2 * len(labels) + 1,), BLANK)
    states[1::2] = labels
    return states


def may_skip(states: Tensor) -> Tensor:
    """Which states can be reached from two before: labels that differ from the label before them; bool."""
    skips = torch.zeros(len(states), dtype=torch.bool, device=states.device)
    skips[3::2] = states[3::2] != states[1:-2:2]
    return skips


def _best_path(scores: Tensor, skips: Tensor) -> Tensor:
    """The state in each frame of the best path, from the log-probability of each state in each frame."""
    num_frames, num_states = scores.shape
    best = torch.full((num_states,), IMPOSSIBLE, dtype=scores.dtype)
    best[:2] = scores[0, :2]
    steps = torch.zeros(num_frames, num_states, dtype=torch.int64)  # how many states back each one was reached from
    for frame in range(1, num_frames):
        from_two_back = best.roll(2).masked_fill(~skips, IMPOSSIBLE)
        from_one_back = best.roll(1)
        from_one_back[0] = IMPOSSIBLE
        best, steps[frame] = torch.stack([best, from_one_back, from_two_back]).max(dim=0)
        best = best + scores[frame]
    state = num_states - 1 if best[-1] > best[-2] else num_states - 2
    path = torch.empty(num_frames, dtype=torch.int64)
    for frame in range(num_frames - 1, -1, -1):
        path[frame] = state
        state -= int(steps[frame, state])
    return path
