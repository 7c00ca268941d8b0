"""Lesson 09: its references held to brute force over all paths, torch, jiwer, and the library's own forms."""

import itertools
import math
import random
from collections import defaultdict

import jiwer
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from course_lib import decoding, metrics, speech_models, text
from course_lib.exercises.registry import load_lesson

REFERENCES = {name: exercise.reference for name, exercise in load_lesson("speech_recognition").exercises.items()}
collapse, length_after_subsampling, ctc_forward, prefix_beam_search, word_error_rate = (
    REFERENCES[name]
    for name in ("collapse", "length_after_subsampling", "ctc_forward", "prefix_beam_search", "word_error_rate")
)


def random_logits(*shape, seed=0):
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def all_texts(log_probs):
    """Every text with its probability, summed over all paths one by one."""
    total = defaultdict(float)
    for path in itertools.product(range(log_probs.shape[1]), repeat=len(log_probs)):
        total[tuple(collapse(path))] += math.exp(sum(log_probs[t, label].item() for t, label in enumerate(path)))
    return total


def test_collapse_is_the_librarys_on_every_short_path():
    for length in range(7):
        for path in itertools.product(range(3), repeat=length):
            assert collapse(list(path)) == text.collapse(path)


@pytest.mark.parametrize("kernel, stride, padding", [(3, 2, 1), (4, 4, 0), (11, 3, 2), (1, 1, 0), (5, 7, 0)])
def test_lengths_are_those_of_torchs_convolution(kernel, stride, padding):
    lengths = torch.arange(kernel, kernel + 40)
    real = [F.conv1d(torch.zeros(1, 1, n), torch.zeros(1, 1, kernel), stride=stride, padding=padding) for n in lengths]
    ours = length_after_subsampling(lengths, [(kernel, stride, padding)])
    assert ours.tolist() == [each.shape[-1] for each in real]
    assert ours.dtype == torch.int64


def test_lengths_after_two_layers_are_those_of_two_convolutions():
    network = nn.Sequential(nn.Conv1d(1, 1, 5, stride=2, padding=2), nn.Conv1d(1, 1, 4, stride=3))
    lengths = torch.arange(20, 60)
    real = [network(torch.zeros(1, 1, n)).shape[-1] for n in lengths]
    assert length_after_subsampling(lengths, [(5, 2, 2), (4, 3, 0)]).tolist() == real


def test_stacking_is_a_layer_whose_kernel_is_its_stride():
    lengths = torch.arange(0, 50)
    assert torch.equal(length_after_subsampling(lengths, [(4, 4, 0)]), speech_models.stacked_lengths(lengths, num=4))


@pytest.mark.parametrize("frames, classes", [(1, 3), (3, 3), (4, 4), (6, 3)])
def test_ctc_forward_adds_up_all_paths_of_every_text(frames, classes):
    log_probs = random_logits(frames, classes, seed=frames).log_softmax(dim=1)
    for labels, probability in all_texts(log_probs).items():
        loss = ctc_forward(log_probs, torch.tensor(labels, dtype=torch.int64))
        assert math.exp(-loss) == pytest.approx(probability, rel=1e-9)


@pytest.mark.parametrize("seed", range(8))
def test_ctc_forward_and_its_gradients_are_torchs_on_large_lattices(seed):
    generator = torch.Generator().manual_seed(seed)
    frames, length = 120, 1 + 7 * seed
    labels = torch.randint(1, 4, (length,), generator=generator)  # few letters: many of them doubled
    ours = random_logits(frames, 4, seed=seed).requires_grad_()
    theirs = ours.detach().clone().requires_grad_()
    loss = ctc_forward(ours.log_softmax(dim=1), labels)
    expected = F.ctc_loss(
        theirs.log_softmax(dim=1), labels, torch.tensor(frames), torch.tensor(length), reduction="sum"
    )
    torch.testing.assert_close(loss, expected)
    loss.backward()
    expected.backward()
    torch.testing.assert_close(ours.grad, theirs.grad)


def test_torchs_gradient_at_the_log_probabilities_is_not_the_derivative_but_ours_is():
    labels, lengths = torch.tensor([1, 2, 2]), (torch.tensor(9), torch.tensor(3))
    log_probs = random_logits(9, 4).log_softmax(dim=1)
    ours, theirs = log_probs.clone().requires_grad_(), log_probs.clone().requires_grad_()
    ctc_forward(ours, labels).backward()
    F.ctc_loss(theirs, labels, *lengths, reduction="sum").backward()
    assert torch.autograd.gradcheck(lambda x: ctc_forward(x, labels), log_probs.clone().requires_grad_())
    assert not torch.allclose(ours.grad, theirs.grad)
    torch.testing.assert_close(ours.grad.sum(dim=1), torch.full((9,), -1.0, dtype=torch.float64))  # one label a frame
    torch.testing.assert_close(theirs.grad.sum(dim=1), torch.zeros(9, dtype=torch.float64))  # the softmax is in it


def test_ctc_forward_costs_more_than_anybody_can_pay_where_no_path_fits():
    log_probs = random_logits(3, 4).log_softmax(dim=1)
    assert ctc_forward(log_probs, torch.tensor([1, 1, 2])) > 1e20  # needs four frames
    assert ctc_forward(log_probs, torch.tensor([1, 3, 2])) < 100


@pytest.mark.parametrize("seed", range(5))
def test_a_wide_beam_finds_the_most_probable_of_all_texts(seed):
    log_probs = random_logits(6, 4, seed=seed).log_softmax(dim=1)
    labels, score = prefix_beam_search(log_probs, beam_size=10_000)
    texts = all_texts(log_probs)
    assert tuple(labels) == max(texts, key=texts.get)
    assert math.exp(score) == pytest.approx(max(texts.values()))
    assert -score == pytest.approx(ctc_forward(log_probs, torch.tensor(labels)).item())


@pytest.mark.parametrize("beam_size", [1, 3, 10])
def test_the_beam_search_is_the_librarys(beam_size):
    for seed in range(5):
        log_probs = random_logits(25, 6, seed=seed).log_softmax(dim=1)
        best = decoding.prefix_beam_search(log_probs, beam_size=beam_size)[0]
        labels, score = prefix_beam_search(log_probs, beam_size=beam_size)
        assert labels == best.labels
        assert score == pytest.approx(best.score)


def test_language_counts_once_for_each_label_of_the_text():
    log_probs = random_logits(5, 4).log_softmax(dim=1)
    bonus = {1: 0.3, 2: -0.7, 3: 1.1}
    labels, score = prefix_beam_search(log_probs, beam_size=10_000, language=lambda prefix, label: bonus[label])
    scores = {t: math.log(p) + sum(bonus[label] for label in t) for t, p in all_texts(log_probs).items() if p > 0}
    assert tuple(labels) == max(scores, key=scores.get)
    assert score == pytest.approx(max(scores.values()))


def test_language_may_forbid_and_its_prefix_is_what_was_written():
    def rising(prefix, label):
        return 0.0 if not prefix or label > prefix[-1] else -math.inf

    labels, _ = prefix_beam_search(random_logits(12, 6).log_softmax(dim=1), beam_size=50, language=rising)
    assert labels == sorted(set(labels))


def test_the_word_error_rate_is_jiwers_and_the_librarys():
    dice = random.Random(0)

    def some_text(shortest):
        return " ".join(dice.choice(["one", "two", "ten", "on"]) for _ in range(dice.randint(shortest, 7)))

    for _ in range(200):
        said, heard = [some_text(1) for _ in range(3)], [some_text(0) for _ in range(3)]
        assert word_error_rate(said, heard) == pytest.approx(jiwer.wer(said, heard))
        assert word_error_rate(said, heard) == metrics.word_error_rate(said, heard)
