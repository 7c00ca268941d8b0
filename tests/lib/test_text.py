"""Characters as labels, collapsing, and n-grams that add up to one."""

import itertools
import math
import re

import pytest
import torch

from course_lib.text import Alphabet, NGram, collapse

SENTENCES = ["one two", "one two three", "two two one", "three", "one three two one"]


def test_text_survives_the_way_to_labels_and_back():
    alphabet = Alphabet()
    text = "don't turn off the hall light"
    labels = alphabet.encode(text)
    assert labels.dtype == torch.int64
    assert 0 not in labels
    assert labels.max() < len(alphabet) == 29
    assert alphabet.decode(labels) == text
    assert alphabet.decode([]) == ""


def test_labels_follow_the_order_of_the_characters():
    assert Alphabet("xyz ").encode("zx y").tolist() == [3, 1, 4, 2]


def test_what_the_alphabet_lacks_is_named():
    with pytest.raises(ValueError, match=re.escape("['3', 'L']")):
        Alphabet().encode("Light 3")
    with pytest.raises(ValueError, match="each character once"):
        Alphabet("abca")


def test_collapsing_agrees_with_a_regular_expression_on_every_short_path():
    for length in range(7):
        for path in itertools.product("-ab", repeat=length):
            spelled = re.sub("(.)\\1+", "\\1", "".join(path)).replace("-", "")
            assert collapse(["-ab".index(each) for each in path]) == ["-ab".index(each) for each in spelled]


def test_collapsing_takes_tensors():
    assert collapse(torch.tensor([0, 1, 1, 0, 1, 2, 2, 0])) == [1, 1, 2]


@pytest.mark.parametrize("order", [1, 2, 3])
@pytest.mark.parametrize("history", [[], ["one"], ["two", "one"], ["never", "seen"], ["one", "two", "three"]])
def test_all_words_and_one_unknown_have_probability_one_together(order, history):
    model = NGram.fit(SENTENCES, order=order)
    words = {"one", "two", "three", NGram.END, "the unknown"}
    assert sum(model.probability(word, history) for word in words) == pytest.approx(1)
    assert all(model.probability(word, history) > 0 for word in words)


def test_a_single_word_weighs_what_witten_and_bell_say():
    model = NGram.fit(["a a b"], order=1)  # a: 2, b: 1, end: 1; three kinds, four in all
    uniform = 1 / 4  # a, b, the end, and the unknown
    assert model.probability("a") == pytest.approx((2 + 3 * uniform) / (4 + 3))
    assert model.log_prob("unknown") == pytest.approx(math.log(3 * uniform / (4 + 3)))


def test_two_words_fall_back_on_one():
    one, two = NGram.fit(["a a b"], order=1), NGram.fit(["a a b"], order=2)
    # after a came a and b, once each: two kinds
    assert two.probability("b", ["a"]) == pytest.approx((1 + 2 * one.probability("b")) / (2 + 2))
    assert two.probability("b", ["never"]) == pytest.approx(one.probability("b"))


def test_only_the_last_words_count():
    model = NGram.fit(SENTENCES, order=3)
    assert model.probability("three", ["three", "one", "two"]) == model.probability("three", ["two", "one", "two"])
    assert model.probability("two", ["one"]) > model.probability("three", ["one"])


def test_an_order_below_one_is_refused():
    with pytest.raises(ValueError, match="order=0"):
        NGram.fit(SENTENCES, order=0)
