"""The speech benchmark on people who were never heard: who is heard, who is asked, and what features let through."""

import pytest
import torch
from torch import nn

from benchmarks import speech_features
from benchmarks import speech_strangers as strangers
from course_lib.recordings import record

PEOPLE = ["ann", "bob", "cid", "dot"]


@pytest.fixture
def random():
    return torch.Generator().manual_seed(0)


def vowel(*, pitch=120, formant=700.0, seconds=0.4, rate=16_000):
    """A buzz whose harmonics are strongest around one resonance."""
    times = torch.arange(int(rate * seconds)) / rate
    hertz = torch.arange(pitch, 3_800, pitch).float()
    loud = 1 / (1 + ((hertz - formant) / 150) ** 2)
    return 0.1 * (loud[:, None] * (2 * torch.pi * hertz[:, None] * times).sin()).sum(dim=0)


def features(waveform, *, throat=1.0):
    power = speech_features.power_spectrogram(waveform)[:, : speech_features.BINS]
    return speech_features.log_mels(speech_features.spoken_part(power), throat=throat)


def test_the_plan_for_a_person_is_chosen_without_hearing_or_asking_that_person():
    talks = []

    def score(plan, heard, asked, *, seed):
        assert not set(heard) & set(asked)
        talks.append((set(heard), set(asked)))
        liked = {"ann": "company", "bob": "disguised", "cid": "plain", "dot": "plain"}
        return {person: 1.0 if liked[person] == plan else 0.0 for person in asked}

    chosen = strangers.nested_choice(PEOPLE, score)
    # each person's plan is what the three others like best; ann and bob hear two votes for "plain"
    assert chosen["ann"] == chosen["bob"] == "plain"
    assert all(heard | asked == set(PEOPLE) and len(asked) == 2 for heard, asked in talks)
    assert len(talks) == 6 * len(strangers.PLANS)  # each pair once per plan


def test_a_score_on_the_left_out_person_cannot_change_that_person_s_plan():
    def score(bias):
        def scored(plan, heard, asked, *, seed):
            return {who: (bias if who == "ann" else 0.1) * (plan == "company") + 0.2 for who in asked}

        return strangers.nested_choice(PEOPLE, scored)

    assert score(bias=-5)["ann"] == score(bias=5)["ann"] == "company"
    assert score(bias=-5)["bob"] != score(bias=5)["bob"]


def test_whoever_is_asked_is_never_heard(monkeypatch):
    names = [person for person in PEOPLE for _ in range(20)]
    texts = strangers.DIGITS * 8
    marks = {name: float(number) for number, name in enumerate(PEOPLE)}
    clips = [torch.full((20, speech_features.NUM_MELS), marks[name]) for name in names]
    heard = []
    words = strangers.Words({1.0: clips}, texts, names)
    monkeypatch.setattr(strangers, "strangers", lambda: words)
    monkeypatch.setattr(strangers, "fit", lambda model, batches, *_, **__: heard.extend(batches.features))
    strangers.learn("plain", ["ann", "cid"], seed=0)
    assert {float(each[0, 0]) for each in heard} == {0.0, 2.0} and len(heard) == 40
    with pytest.raises(ValueError, match=r"\['ann'\] would be heard in training and asked"):
        strangers.score("plain", ("ann", "cid"), ("ann",), seed=0)


def test_silence_around_a_word_is_cut_off():
    sound = torch.cat([torch.zeros(4_000), vowel(), torch.zeros(6_000)]) + 1e-4 * torch.randn(16_400)
    assert len(features(sound)) < len(features(vowel())) + 2 * speech_features.MARGIN + 8


def test_features_keep_the_vowel_and_forget_loudness_and_most_of_the_pitch():
    def normal(waveform, **options):
        mels = features(waveform, **options)[None]
        return speech_features.normalize(mels, torch.tensor([mels.shape[1]]), torch.zeros(1))[0].mean(dim=1)

    base = normal(vowel())
    torch.testing.assert_close(normal(0.2 * vowel()), base, rtol=1e-2, atol=1e-2)
    from_pitch, from_vowel = (
        (normal(vowel(**other)) - base).norm() for other in ({"pitch": 135}, {"formant": 1_500.0})
    )
    assert from_pitch < from_vowel / 4


def test_a_shorter_throat_has_higher_resonances():
    longer, same, shorter = (features(vowel(pitch=60), throat=each).mean(dim=0).argmax() for each in (0.85, 1.0, 1.17))
    assert longer < same < shorter


def test_a_normalized_clip_has_mean_0_and_deviation_1_whatever_stands_in_the_padding(random):
    padded, lengths = torch.randn(3, 40, speech_features.NUM_MELS, generator=random), torch.tensor([17, 40, 30])
    normal, *_ = speech_features.normalize(padded, lengths, torch.zeros(3))
    other, *_ = speech_features.normalize(
        padded.index_fill(1, torch.tensor([39]), 50.0)[:1], lengths[:1], torch.zeros(1)
    )
    torch.testing.assert_close(other[0, :17], normal[0, :17])
    assert normal[0, 17:].abs().max() == 0
    assert [round(float(normal[row, :length].std(correction=0)), 3) for row, length in enumerate(lengths)] == [1, 1, 1]


def test_a_disguise_differs_each_time_and_keeps_lengths_within_the_clip(random):
    padded, lengths = torch.randn(4, 50, speech_features.NUM_MELS, generator=random), torch.tensor([20, 50, 31, 44])
    seen = [speech_features.disguise(padded, lengths, torch.arange(4), generator=random) for _ in range(20)]
    assert len({float(features[0, 0, 0]) for features, *_ in seen}) == 20
    for features, left, labels in seen:
        assert features.isfinite().all() and labels.tolist() == [0, 1, 2, 3]
        assert left.min() >= speech_features.SHORTEST and left.max() <= features.shape[1]


def test_a_jury_gives_the_mean_of_its_nets_probabilities(random):
    torch.manual_seed(0)
    nets = [strangers.Spotter(3).eval() for _ in range(3)]
    features, lengths = torch.randn(2, 30, speech_features.NUM_MELS, generator=random), torch.tensor([30, 22])
    votes = strangers.Jury(nets)(features, lengths)
    torch.testing.assert_close(votes.exp().sum(dim=1), torch.ones(2))
    torch.testing.assert_close(votes.exp(), sum(each(features, lengths).softmax(dim=1) for each in nets) / 3)


def test_a_jury_s_nets_are_of_different_seeds(monkeypatch):
    seeds = []
    monkeypatch.setattr(strangers, "learn", lambda plan, heard, *, seed: seeds.append((plan, seed)) or nn.Identity())
    monkeypatch.setattr(strangers, "accuracy", lambda model, asked: float(len(model.nets)))
    for seed in range(2):
        assert strangers.score("jury", ("cara", "dora"), ("ellen",), seed=seed) == {"ellen": 3.0}
    assert seeds == [("company", seed) for seed in range(6)]


def test_a_word_is_read_alike_alone_and_in_a_batch():
    torch.manual_seed(0)
    model = strangers.Spotter(3).eval()
    short, long = torch.randn(20, speech_features.NUM_MELS), torch.randn(44, speech_features.NUM_MELS)
    padded = torch.nn.utils.rnn.pad_sequence([short, long], batch_first=True)
    together = model(padded, torch.tensor([20, 44]))
    torch.testing.assert_close(together[:1], model(short[None], torch.tensor([20])), rtol=1e-4, atol=1e-4)


def test_a_net_learns_two_vowels_in_other_voices(monkeypatch):
    texts = ["zero", "one"] * 24
    sounds = [
        vowel(pitch=90 + 3 * number, formant=[500.0, 1_500.0][number % 2], seconds=0.25) for number in range(len(texts))
    ]
    clips = [(32_767 * sound / sound.abs().max()).to(torch.int16) for sound in sounds]
    words = strangers.hear(record(clips, texts=texts, speakers=["low"] * 32 + ["high"] * 16))
    monkeypatch.setattr(strangers, "strangers", lambda: words)
    monkeypatch.setitem(strangers.PLANS, "disguised", strangers.Plan(disguised=True, company=False, steps=30))
    assert strangers.accuracy(strangers.learn("disguised", ["low"], seed=0), "high") == 1.0
