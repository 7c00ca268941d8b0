"""Error rates held to jiwer, edit distance to its definition."""

import random

import jiwer
import pytest

from course_lib.metrics import character_error_rate, edit_distance, word_error_rate

WORDS = ["one", "two", "ten", "on", "to", "the", "three"]


def random_text(dice, *, longest, shortest=0):
    return " ".join(dice.choice(WORDS) for _ in range(dice.randint(shortest, longest)))


PAIRS = [
    (random_text(random.Random(seed), longest=8, shortest=1), random_text(random.Random(seed + 10_000), longest=8))
    for seed in range(1000)
]


def test_a_thousand_pairs_have_jiwers_word_error_rate():
    ours = [word_error_rate([said], [heard]) for said, heard in PAIRS]
    assert ours == pytest.approx([jiwer.wer(said, heard) for said, heard in PAIRS])


def test_a_thousand_pairs_have_jiwers_character_error_rate():
    ours = [character_error_rate([said], [heard]) for said, heard in PAIRS]
    assert ours == pytest.approx([jiwer.cer(said, heard) for said, heard in PAIRS])


def test_many_texts_together_have_jiwers_rates():
    said, heard = map(list, zip(*PAIRS, strict=True))
    assert word_error_rate(said, heard) == pytest.approx(jiwer.wer(said, heard))
    assert character_error_rate(said, heard) == pytest.approx(jiwer.cer(said, heard))


def test_an_error_rate_can_exceed_one_and_is_not_symmetric():
    assert word_error_rate(["yes"], ["no it is not"]) == 4
    assert word_error_rate(["no it is not"], ["yes"]) == 1


def test_edit_distance_keeps_the_laws_of_a_distance():
    dice = random.Random(0)
    for _ in range(200):
        a, b, c = (["xyz"[dice.randrange(3)] for _ in range(dice.randint(0, 6))] for _ in range(3))
        assert edit_distance(a, b) == edit_distance(b, a)
        assert edit_distance(a, c) <= edit_distance(a, b) + edit_distance(b, c)
        assert (edit_distance(a, b) == 0) == (a == b)
        assert abs(len(a) - len(b)) <= edit_distance(a, b) <= max(len(a), len(b))


@pytest.mark.parametrize(
    "said, heard, errors", [("kitten", "sitting", 3), ("", "abc", 3), ("abc", "", 3), ("ab", "ba", 2)]
)
def test_well_known_distances(said, heard, errors):
    assert edit_distance(said, heard) == errors


@pytest.mark.parametrize("said, heard", [(["one"], []), ([], []), (["", " "], ["one", "two"])])
def test_a_rate_without_references_is_refused(said, heard):
    with pytest.raises(ValueError, match="one hypothesis per reference and at least one reference that is not empty"):
        word_error_rate(said, heard)
