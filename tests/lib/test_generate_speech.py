"""Generated speech: the same everywhere, with true word times, by speakers who stay in their split."""

import hashlib
import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from course_lib.errors import CourseError
from course_lib.generate import speech
from course_lib.generate.espeak_worker import END, PHONEME, WORD, word_times
from course_lib.generate.grammar import DIGIT_WORDS, SINGLE_WORDS, command, digit_string, vocabulary
from course_lib.generate.speech import Request, recite, speak, speak_with_times
from course_lib.generate.spoken import speak_corpus
from course_lib.generate.voices import EXCLUDED, VARIANTS, speaker, split_speakers, variants_of

ROOT = Path(__file__).resolve().parents[2]
FEW = {"train": 130, "validation": 30, "test": 50}


@pytest.fixture(scope="module")
def commands():
    return speak_corpus("spoken_commands", counts=FEW)


@pytest.fixture(scope="module")
def words():
    return speak_corpus("spoken_words", counts={"train": 200, "validation": 40, "test": 60})


def energy_above(waveform, hertz):
    spectrum = torch.fft.rfft(waveform).abs() ** 2
    return (spectrum[int(hertz / 8000 * len(spectrum)) :].sum() / spectrum.sum()).item()


# What is said


def test_the_commands_have_62_words_and_use_each_of_them():
    random = np.random.RandomState(0)
    said = {word for _ in range(5_000) for word in command(random).split()}
    assert said == vocabulary() and len(said) == 62


def test_digit_strings_have_one_to_six_digits():
    random = np.random.RandomState(0)
    strings = [digit_string(random).split() for _ in range(500)]
    assert {len(string) for string in strings} == {1, 2, 3, 4, 5, 6}
    assert {word for string in strings for word in string} == set(DIGIT_WORDS)


# By whom


def test_every_variant_of_the_engine_is_used_or_left_out_for_a_reason():
    home = Path(importlib.util.find_spec("espeakng_loader").origin).parent / "espeak-ng-data" / "voices" / "!v"
    assert sorted((*VARIANTS, *EXCLUDED)) == sorted(path.name for path in home.iterdir())
    assert all(EXCLUDED.values())


def test_speakers_stay_in_their_split_and_everybody_is_in_one():
    splits = split_speakers()
    everybody = [name for names in splits.values() for name in names]
    assert sorted(everybody) == sorted({speaker(variant) for variant in VARIANTS})
    assert sorted(variant for part in splits for variant in variants_of(part)) == sorted(VARIANTS)
    assert all({"f1", "f2", "f3", "f4", "f5", "linda", "steph"} & set(names) for names in splits.values())


def test_versions_of_one_person_are_one_speaker_and_numbered_people_are_several():
    assert {speaker(name) for name in ("steph", "steph2", "steph3")} == {"steph"}
    assert speaker("AnxiousAndy") == speaker("Andy") and speaker("Mike") == speaker("mike2")
    assert speaker("f1") != speaker("f2") and speaker("m1") != speaker("m8")


def test_a_corpus_keeps_to_the_speakers_of_its_splits(commands, words):
    for corpus in (commands, words):
        for part, recordings in corpus.items():
            assert set(recordings.speakers) <= set(variants_of(part))


@pytest.mark.parametrize(
    ("voice", "answer"),
    [
        ("en-gb+m3", "no accent 'en-gb'"),
        ("en-us+nobody", "no variant 'nobody'"),
        ("en-us", "no variant ''"),
        ("en-us+whisper", "left out: it whispers"),
    ],
)
def test_a_voice_that_the_engine_would_replace_in_silence_is_refused(voice, answer):
    with pytest.raises(CourseError, match=answer):
        speak("yes", voice=voice)


# How it sounds


def test_speech_is_a_waveform_at_16_khz_and_the_same_every_time():
    waveform = speak("turn on the kitchen light", voice="en+f3")
    assert waveform.dtype == torch.float32 and waveform.ndim == 1
    assert 0.9 < len(waveform) / 16_000 < 2.5 and 0.1 < waveform.abs().max() <= 1
    assert torch.equal(waveform, speak("turn on the kitchen light", voice="en+f3"))
    assert len(waveform) != len(speak("turn on the kitchen light", voice="en+m3"))


def test_more_words_per_minute_take_less_time_and_a_higher_pitch_has_a_higher_fundamental():
    slow, fast = (speak("seven nine", words_per_minute=rate) for rate in (110, 220))
    assert len(fast) < 0.7 * len(slow)

    def fundamental(waveform):
        middle = waveform[4_000:7_000]
        correlation = torch.stack([(middle[:-lag] * middle[lag:]).sum() for lag in range(40, 320)])
        return 16_000 / (40 + correlation.argmax().item())

    low, high = (fundamental(speak("nine nine nine", pitch=pitch)) for pitch in (10, 90))
    assert high > 1.3 * low


@pytest.mark.parametrize(
    ("options", "answer"),
    [
        ({"text": "  "}, "2 characters"),
        ({"text": "no " * 500}, "1500 characters"),
        ({"text": "no", "words_per_minute": 20}, "words_per_minute is 20"),
        ({"text": "no", "pitch": 100}, "pitch is 100"),
    ],
)
def test_what_can_not_be_said_is_a_value_error(options, answer):
    with pytest.raises(ValueError, match=answer):
        speak(options.pop("text"), **options)


# When it is said


@pytest.mark.parametrize("voice", ["en-us+m3", "en+f2", "en-gb-scotland+Andy", "en-029+klatt4"])
def test_each_word_has_a_time_even_where_the_engine_would_run_two_together(voice):
    text = "what is the temperature in the hall"
    waveform, times = speak_with_times(text, voice=voice)
    assert [word for word, _, _ in times] == text.split()
    bounds = [bound for _, start, end in times for bound in (start, end)]
    assert bounds == sorted(bounds) and bounds[0] >= 0 and bounds[-1] <= len(waveform) / 16_000
    assert all(end - start > 0.04 for _, start, end in times)


@pytest.mark.parametrize("voice", ["en-us+m3", "en+f2", "en-us-nyc+adam", "en-gb-x-rp+m7"])
def test_an_s_hisses_where_its_word_begins_and_not_before(voice):
    waveform, times = speak_with_times("nine six one seven", voice=voice)
    for word, start, _ in times:
        begin = round(start * 16_000)
        inside, before = waveform[begin + 160 : begin + 1_120], waveform[max(0, begin - 960) : begin]
        if word in ("six", "seven"):
            assert energy_above(inside, 3_000) > 0.3 > energy_above(before, 3_000) + 0.1


def test_nothing_is_heard_outside_of_the_words(commands):
    recordings = commands["test"]
    for number, times in enumerate(recordings.word_times):
        waveform = recordings.waveform(number)
        start, end = round(times[0][1] * 16_000), round(times[-1][2] * 16_000)
        outside = (waveform[:start] ** 2).sum() + (waveform[end:] ** 2).sum()
        assert outside < 0.01 * (waveform**2).sum()


def test_a_word_starts_with_its_event_unless_a_sound_of_the_word_before_follows():
    events = [(WORD, 0, 0.0, b""), (PHONEME, 0, 0.0, b"t"), (WORD, 3, 0.4, b""), (PHONEME, 0, 0.4, b"n")]
    events += [(PHONEME, 3, 0.5, b"I"), (WORD, 6, 0.7, b""), (PHONEME, 6, 0.75, b"k")]
    events += [(PHONEME, 9, 0.9, b"_:"), (END, 8, 1.0, b"")]
    expected = [("tn", 0.0, 0.5), ("in", 0.5, 0.7), ("ki", 0.7, 0.9)]
    assert word_times(["tn", "in", "ki"], events) == expected


# The corpora


def test_test_sentences_that_were_never_heard_in_training_are_marked(commands):
    train = set(commands["train"].texts)
    for recordings in commands.values():
        assert recordings.heard.tolist() == [text in train for text in recordings.texts]
    assert commands["train"].heard.all() and not commands["test"].heard.all()


def test_every_recording_of_a_corpus_has_the_words_of_its_text(commands, words):
    for recordings in (*commands.values(), *words.values()):
        said = [" ".join(word for word, _, _ in times) for times in recordings.word_times]
        assert said == recordings.texts and min(recordings.durations) > 0.3


def test_single_words_fill_a_second_and_none_is_cut(words):
    for recordings in words.values():
        assert recordings.stacked().shape == (len(recordings), 16_000)
        assert [SINGLE_WORDS[label] for label in recordings.labels] == recordings.texts
        assert torch.bincount(recordings.labels).unique().numel() == 1
        assert max(times[-1][2] for times in recordings.word_times) < 1.0
    starts = torch.tensor([times[0][1] for times in words["train"].word_times])
    assert starts.min() < 0.05 and starts.max() > 0.4


def digest_in_a_fresh_process(cores):
    script = (
        "import hashlib, os; from course_lib.generate.spoken import speak_corpus; "
        f"os.cpu_count = lambda: {cores}; splits = speak_corpus('spoken_commands', counts={FEW}); "
        "parts = [t.numpy().tobytes() for r in splits.values() for t in r.to_tensors().values()]; "
        "print(hashlib.sha256(b''.join(parts)).hexdigest())"
    )
    return subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True).stdout


def test_fresh_processes_give_the_same_bytes_whatever_the_number_of_cores(commands):
    here = [tensor.numpy().tobytes() for each in commands.values() for tensor in each.to_tensors().values()]
    expected = hashlib.sha256(b"".join(here)).hexdigest() + "\n"
    assert digest_in_a_fresh_process(1) == expected == digest_in_a_fresh_process(3)


# The engine


def test_the_engine_is_never_in_the_courses_own_process():
    script = "import sys; from course_lib.generate.speech import speak; speak('yes'); print([*sys.modules])"
    answer = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert "numpy" in answer.stdout and "espeakng_loader" not in answer.stdout


def test_without_the_engine_the_error_names_the_one_command(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(CourseError, match=r"not installed \(extra 'speech'\).*python -m pip install espeakng-loader"):
        speak("yes")


def test_an_engine_that_dies_is_an_error_with_its_last_words(monkeypatch):
    monkeypatch.setitem(os.environ, "PYTHONPATH", "")
    monkeypatch.setattr(speech, "check_voice", lambda voice: None)
    with pytest.raises(CourseError, match=r"The speech engine failed: RuntimeError: espeak-ng has no voice en-gb\+m3"):
        recite([Request("yes", voice="en-gb+m3")])


def test_an_engine_that_hangs_is_stopped(monkeypatch):
    monkeypatch.setattr(speech, "TIMEOUT", 0.001)
    with pytest.raises(CourseError, match=r"The speech engine failed: .*timed out"):
        speak("yes")
