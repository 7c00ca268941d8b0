"""The course's own speech checkpoints: whole, small, what their cards say, and of use."""

import json
import re
import shutil
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from checkpoints import make_speech
from course_lib import paths, speech_models
from course_lib.audio import log_mel, normalize_features
from course_lib.decoding import greedy_decode
from course_lib.errors import CourseError
from course_lib.generate.speech import speak
from course_lib.generate.voices import variants_of
from course_lib.metrics import edit_distance
from course_lib.recordings import record
from course_lib.speech_models import load_recognizer, log_probs_of
from course_lib.text import Alphabet

NAMES = ("speech_noise", "speech_streaming")
SENTENCE = "turn on the kitchen light"


@pytest.mark.parametrize("name", NAMES)
def test_a_checkpoint_is_small_and_its_card_says_how_it_was_made_and_what_it_can_do(name):
    model, card = load_recognizer(name)
    assert (paths.checkout() / "checkpoints" / f"{name}.safetensors").stat().st_size < 2_500_000
    assert not model.training
    assert {"recipe", "data", "cpu_seconds", "validation", "test", "sha256"} <= card.keys()
    assert card["test"]["clean"]["cer"] < 0.1


@pytest.mark.parametrize("name", NAMES)
def test_a_card_tells_the_recipe_that_the_script_follows(name):
    card = json.loads((paths.checkout() / "checkpoints" / f"{name}.json").read_text(encoding="utf-8"))
    assert card["recipe"] | make_speech.RECIPES[name] == card["recipe"]


def test_a_checkpoint_never_hears_what_is_said_in_validation_and_test_only(monkeypatch):
    clips = [np.ones(1_600, dtype=np.int16)] * 3
    spoken = record(clips, texts=["one", "two", "three"], speakers=["f1"] * 3)
    splits = {
        "validation": record(clips[:2], texts=["two", "one"], speakers=["f2"] * 2, heard=torch.tensor([False, True])),
        "test": record(clips[:1], texts=["ten"], speakers=["f3"], heard=torch.tensor([False])),
    }
    monkeypatch.setattr(make_speech, "load", lambda name: SimpleNamespace(splits=splits))
    monkeypatch.setattr(make_speech, "speak_corpus", lambda name, counts: {"train": spoken})
    assert make_speech.training_sentences().texts == ["one", "three"]


@pytest.mark.parametrize("name", NAMES)
def test_it_understands_a_voice_that_it_was_never_trained_on(name):
    model, card = load_recognizer(name)
    alphabet = Alphabet(card["characters"])
    sounds = [speak(SENTENCE, voice=f"en-us+{variant}") for variant in variants_of("validation")[:5]]
    mels = [log_mel(each) if name == "speech_streaming" else normalize_features(log_mel(each)) for each in sounds]
    read = [
        alphabet.decode(greedy_decode(each[None], torch.tensor([len(each)]))[0]) for each in log_probs_of(model, mels)
    ]
    assert sum(edit_distance(SENTENCE, text) for text in read) / (5 * len(SENTENCE)) < 0.2


def test_what_is_missing_or_damaged_is_told_with_the_command_that_makes_it(tmp_path, monkeypatch):
    monkeypatch.setattr(speech_models, "checkout", lambda: tmp_path)
    with pytest.raises(CourseError, match=re.escape("python -m checkpoints.make_speech speech_noise")):
        load_recognizer("speech_noise")
    shutil.copytree(paths.checkout() / "checkpoints", tmp_path / "checkpoints")
    weights = tmp_path / "checkpoints" / "speech_noise.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"x")
    with pytest.raises(CourseError, match="damaged"):
        load_recognizer("speech_noise")


def test_recordings_are_heard_alike_alone_and_in_company():
    torch.manual_seed(0)
    model = speech_models.SpeechRecognizer(5, num_inputs=20, hidden_size=8)
    sounds = [torch.randn(length, 5) for length in (40, 23, 8)]
    for together, sound in zip(log_probs_of(model, sounds), sounds, strict=True):
        torch.testing.assert_close(together, log_probs_of(model, [sound])[0])
        torch.testing.assert_close(together.exp().sum(dim=1), torch.ones(len(sound) // 4 * 2))
