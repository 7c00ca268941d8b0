"""Decoding held to brute force over all paths, and alignment to torchaudio's."""

import itertools
import math
from collections import defaultdict

import pytest
import torch

from course_lib.decoding import (
    WordModel,
    extended,
    forced_align,
    greedy_decode,
    logaddexp,
    may_skip,
    prefix_beam_search,
    word_spans,
)
from course_lib.text import Alphabet, NGram, collapse
from tests.lib.torchaudio_peer import AF


def random_log_probs(*shape, seed=0, sharpness=2.0):
    generator = torch.Generator().manual_seed(seed)
    logits = sharpness * torch.randn(*shape, generator=generator, dtype=torch.float64)
    return logits.log_softmax(dim=-1)


def all_texts(log_probs):
    """Every text with its probability: the sum over all its paths, one by one."""
    frames, labels = log_probs.shape
    total = defaultdict(float)
    for path in itertools.product(range(labels), repeat=frames):
        total[tuple(collapse(path))] += math.exp(sum(log_probs[t, label].item() for t, label in enumerate(path)))
    return total


def test_greedy_takes_the_best_label_of_each_frame_within_the_length():
    best = torch.tensor([[1, 1, 0, 1, 2], [2, 0, 2, 1, 1]])
    log_probs = torch.nn.functional.one_hot(best, 3).double()
    assert greedy_decode(log_probs, torch.tensor([5, 3])) == [[1, 1, 2], [2, 2]]


@pytest.mark.parametrize("seed", range(6))
def test_a_huge_beam_finds_every_text_with_the_sum_over_all_its_paths(seed):
    log_probs = random_log_probs(5, 4, seed=seed)
    expected = all_texts(log_probs)
    found = {tuple(each.labels): math.exp(each.score) for each in prefix_beam_search(log_probs, beam_size=10_000)}
    assert found == pytest.approx(dict(expected))
    assert sum(found.values()) == pytest.approx(1)


def test_the_best_text_need_not_be_the_one_with_the_best_path():
    log_probs = torch.tensor([[0.6, 0.4], [0.6, 0.4]], dtype=torch.float64).log()
    assert greedy_decode(log_probs[None], torch.tensor([2])) == [[]]
    best = prefix_beam_search(log_probs, beam_size=4)[0]
    assert best.labels == [1]
    assert math.exp(best.score) == pytest.approx(1 - 0.36)


def test_hypotheses_come_best_first_and_no_more_than_the_beam_holds():
    found = prefix_beam_search(random_log_probs(20, 6), beam_size=7)
    scores = [each.score for each in found]
    assert scores == sorted(scores, reverse=True)
    assert len(found) == 7


def test_a_wider_beam_is_never_worse():
    for seed in range(5):
        log_probs = random_log_probs(15, 5, seed=seed, sharpness=1.0)
        narrow, wide = (prefix_beam_search(log_probs, beam_size=size)[0].score for size in (2, 2_000))
        assert wide >= narrow - 1e-12


ALPHABET = Alphabet("ab ")
NGRAM = NGram.fit(["ab a", "a ab", "ab ab", "b"], order=2)


def by_definition(text, probability, weight, bonus):
    """log P(text | sound) + weight · log P(words) + bonus · words; minus infinity for what is not made of words."""
    words = text.split(" ") if text else []
    if probability == 0 or not set(words) <= {"ab", "a", "b"}:
        return -math.inf
    language = sum(NGRAM.log_prob(word, words[:i]) for i, word in enumerate([*words, NGram.END]))
    return math.log(probability) + weight * language + bonus * len(words)


@pytest.mark.parametrize("weight, bonus", [(0.0, 0.0), (1.0, 0.0), (0.7, 1.5)])
def test_with_a_language_model_the_scores_are_those_of_the_definition(weight, bonus):
    log_probs = random_log_probs(6, 4, seed=3, sharpness=1.0)
    model = WordModel(NGRAM, alphabet=ALPHABET, weight=weight, bonus=bonus)
    found = {
        ALPHABET.decode(each.labels): each.score
        for each in prefix_beam_search(log_probs, beam_size=10_000, language_model=model)
    }
    expected = {
        ALPHABET.decode(labels): by_definition(ALPHABET.decode(labels), probability, weight, bonus)
        for labels, probability in all_texts(log_probs).items()
    }
    assert found == pytest.approx({text: score for text, score in expected.items() if score > -math.inf})


def test_a_lexicon_of_its_own_decides_which_words_may_be_written():
    model = WordModel(NGRAM, alphabet=ALPHABET, lexicon=["ba"])
    for each in prefix_beam_search(random_log_probs(6, 4), beam_size=1_000, language_model=model):
        assert set(ALPHABET.decode(each.labels).split()) <= {"ba"}


def test_a_sound_that_ends_within_a_word_still_gives_its_beginning():
    only_a = torch.full((1, 4), -math.inf, dtype=torch.float64)
    only_a[0, 1] = 0.0
    model = WordModel(NGRAM, alphabet=ALPHABET, lexicon=["ab"])
    assert [each.labels for each in prefix_beam_search(only_a, language_model=model)] == [[1]]


def test_logaddexp_is_torchs():
    for a, b in [(0.0, 0.0), (-3.0, 5.0), (-1000.0, -1001.0), (-math.inf, -2.0), (-math.inf, -math.inf)]:
        assert logaddexp(a, b) == pytest.approx(torch.logaddexp(*torch.tensor([a, b]).double()).item())


@pytest.mark.torchaudio
@pytest.mark.parametrize("seed", range(20))
def test_forced_alignment_is_torchaudios(seed):
    generator = torch.Generator().manual_seed(seed)
    frames, length = 30, 1 + seed % 9
    log_probs = random_log_probs(frames, 4, seed=seed).float()
    labels = torch.randint(1, 4, (length,), generator=generator)
    path, scores = AF.forced_align(log_probs[None], labels[None].int(), blank=0)
    theirs = AF.merge_tokens(path[0], scores[0])
    ours = forced_align(log_probs, labels)
    assert [each[:3] for each in ours] == [(each.token, each.start, each.end) for each in theirs]
    assert [each.log_prob for each in ours] == pytest.approx([each.score for each in theirs], rel=1e-5)


def test_a_repeated_label_gets_two_spans_with_a_blank_in_between():
    spans = forced_align(torch.zeros(3, 2, dtype=torch.float64).log_softmax(dim=1), torch.tensor([1, 1]))
    assert [(each.start, each.end) for each in spans] == [(0, 1), (2, 3)]


@pytest.mark.parametrize("frames, labels", [(3, [1, 2, 1, 2]), (4, [1, 1, 2, 2]), (3, [])])
def test_a_text_that_does_not_fit_is_told(frames, labels):
    with pytest.raises(ValueError, match=f"got {frames} frames for {len(labels)} labels"):
        forced_align(torch.zeros(frames, 3), torch.tensor(labels, dtype=torch.int64))


def test_the_lattice_has_blanks_all_around_and_skips_only_between_different_labels():
    states = extended(torch.tensor([3, 3, 5]))
    assert states.tolist() == [0, 3, 0, 3, 0, 5, 0]
    assert may_skip(states).tolist() == [False, False, False, False, False, True, False]


def test_words_begin_with_their_first_letter_and_end_with_their_last():
    labels = ALPHABET.encode("ab  b")
    spans = forced_align(random_log_probs(12, 4), labels)
    words = word_spans(spans, alphabet=ALPHABET)
    assert words == [("ab", spans[0].start, spans[1].end), ("b", spans[4].start, spans[4].end)]
