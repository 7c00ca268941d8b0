"""Text as a speech network sees it: characters as labels, CTC's collapsing, and a language model that counts words."""

import math
from collections import Counter
from collections.abc import Iterable, Sequence

import torch
from torch import Tensor

BLANK = 0  # the label of "nothing new here"


class Alphabet:
    """Characters as labels: 1, 2, 3 and so on, in the order given; 0 is CTC's blank.

    Args:
        characters: all that can be written, each once; one of them is usually the space.

    Raises:
        ValueError: a character comes twice.
    """

    def __init__(self, characters: str = " abcdefghijklmnopqrstuvwxyz'"):
        if len(set(characters)) != len(characters):
            raise ValueError(f"Alphabet needs each character once, but got {characters!r}.")
        self.characters = characters
        self.labels = {character: label for label, character in enumerate(characters, start=1)}

    def __len__(self) -> int:
        """How many labels there are, with the blank: as many as a network has outputs."""
        return len(self.characters) + 1

    def encode(self, text: str) -> Tensor:
        """The labels of a text, int64, shape `(characters,)`.

        Raises:
            ValueError: the text has a character that the alphabet lacks.
        """
        unknown = sorted(set(text) - set(self.characters))
        if unknown:
            raise ValueError(
                f"{text!r} has {unknown}, but the alphabet is {self.characters!r}: write it in these, or extend it."
            )
        return torch.tensor([self.labels[character] for character in text], dtype=torch.int64)

    def decode(self, labels: Iterable[int]) -> str:
        """The text of labels without blanks, as `collapse` gives them."""
        return "".join(self.characters[int(label) - 1] for label in labels)


def collapse(labels: Iterable[int]) -> list[int]:
    """What a path through the frames spells: runs of one label become one, then the blanks go.

    Args:
        labels: one label for each frame; 0 is the blank.

    Source: Graves et al. 2006, doi:10.1145/1143844.1143891, section 3.1
    """
    spelled, before = [], BLANK
    for label in labels:
        if label not in (BLANK, before):
            spelled.append(int(label))
        before = label
    return spelled


class NGram:
    """How probable a word is after those before it: counted in sentences, and smoothed, so that nothing is impossible.

    P(w | h) = (count(h w) + kinds(h) · P(w | h without its first word)) / (count(h) + kinds(h)), where kinds(h) says
    after how many different words h was seen to go on; the shortest history leaves all words equally probable.

    Source: Witten & Bell 1991, doi:10.1109/18.87000, as interpolated in Chen & Goodman 1999, doi:10.1006/csla.1999.0128
    """

    START, END = "<s>", "</s>"

    def __init__(self, *, order: int):
        self.order = order
        self.counts: Counter[tuple[str, ...]] = Counter()  # of every n-gram
        self.histories: Counter[tuple[str, ...]] = Counter()  # how often one was followed by anything
        self.kinds: Counter[tuple[str, ...]] = Counter()  # by how many different words
        self.words: set[str] = set()

    @classmethod
    def fit(cls, sentences: Iterable[str], *, order: int = 3) -> "NGram":
        """Count.

        Args:
            sentences: words separated by spaces.
            order: how many words are looked at together, the new one included.

        Raises:
            ValueError: the order is below 1.
        """
        if order < 1:
            raise ValueError(f"NGram got order={order}, but it must be at least 1.")
        model = cls(order=order)
        for sentence in sentences:
            words = [*sentence.split(), cls.END]
            model.words.update(words)
            past = [cls.START] * (order - 1) + words
            for position in range(len(words)):
                end = position + order
                for length in range(order):
                    model._count(tuple(past[end - 1 - length : end - 1]), past[end - 1])
        return model

    def _count(self, history: tuple[str, ...], word: str) -> None:
        self.counts[(*history, word)] += 1
        self.histories[history] += 1
        if self.counts[(*history, word)] == 1:
            self.kinds[history] += 1

    def probability(self, word: str, history: Sequence[str] = ()) -> float:
        """P(word | history); the words, `NGram.END` and one unknown word together have probability 1.

        Args:
            word: the new word, or `NGram.END`.
            history: all words before it in its sentence.
        """
        padded = [self.START] * (self.order - 1) + list(history)
        result = 1 / (len(self.words) + 1)  # one more for the unknown
        for length in range(self.order):
            seen = tuple(padded[len(padded) - length :])
            kinds = self.kinds[seen]
            if kinds:
                result = (self.counts[(*seen, word)] + kinds * result) / (self.histories[seen] + kinds)
        return result

    def log_prob(self, word: str, history: Sequence[str] = ()) -> float:
        """The natural logarithm of `probability`."""
        return math.log(self.probability(word, history))
