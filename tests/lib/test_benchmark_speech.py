"""The speech benchmark's own arithmetic: who is heard in training, who is asked, and what its figures mean."""

import re
import statistics
from itertools import pairwise
from pathlib import Path

import pytest
import torch

from benchmarks import speech, speech_recognizer, speech_tasks
from benchmarks.draw_results import draw, read_results
from benchmarks.speech_words import (
    LOUDNESS_RANGE,
    SPEEDS,
    Training,
    WordReader,
    accuracy,
    listen,
    prepare,
    roughen,
    train,
)
from course_lib.recordings import record

ROOT = Path(__file__).resolve().parents[2]


def tones(*hertz, seconds=0.4):
    """Sine waves at 16 kHz."""
    times = torch.arange(int(16_000 * seconds)) / 16_000
    return [(2 * torch.pi * each * times).sin() * 0.5 for each in hertz]


def test_few_of_each_takes_so_many_of_each_label_from_the_given_rows_only():
    labels, rows = torch.arange(60) % 3, list(range(6, 60))
    chosen = speech_tasks.few_of_each(labels, rows, count=4, seed=1)
    assert labels[chosen].bincount().tolist() == [4, 4, 4] and set(chosen) <= set(rows)
    assert chosen != speech_tasks.few_of_each(labels, rows, count=4, seed=2)
    assert speech_tasks.few_of_each(labels, rows, count=0, seed=1) == []


def test_unseen_digits_differ_with_every_seed():
    digits = [digit for seed in speech_tasks.SEEDS for digit in speech_tasks.unseen_digits(seed)]
    assert len(set(digits)) == len(digits) == 9 and max(digits) <= 9


def test_rows_of_parts_stand_one_after_the_other():
    assert speech_tasks.ranges({"train": 2, "test": 3}) == {"train": [0, 1], "test": [2, 3, 4]}
    assert speech_tasks.rows_of(["a", "b", "a"], ["a"]) == [0, 2]


def test_a_word_is_cut_out_with_a_little_around_it():
    sound = torch.arange(16_000.0)
    piece = speech_tasks.cut(sound, 0.5, 0.6)
    assert piece[0] == 16_000 * 0.47 and len(piece) == pytest.approx(16_000 * 0.16, abs=1)
    assert speech_tasks.cut(sound, 0.01, 0.2)[0] == 0


def test_features_forget_loudness_and_what_is_too_quiet_to_hear():
    tone = tones(700.0)[0] * torch.linspace(1, 0.1, 6400)
    mels = listen(tone, num_mels=30)
    assert mels.shape == (38, 30)
    torch.testing.assert_close(listen(0.3 * tone, num_mels=30), mels, rtol=1e-2, atol=1e-2)
    assert mels.mean(dim=0).abs().max() < 1e-4 and mels.std().item() == pytest.approx(1, abs=1e-3)
    assert pytest.approx(6 * torch.tensor(10.0).log().item(), abs=0.05) == LOUDNESS_RANGE  # 60 dB in nats


def test_versions_belong_to_their_labels():
    clips = prepare(tones(300.0, 900.0), torch.tensor([0, 1]), ["ann", "bob"], plans=["speeds"])
    features, targets = clips.features([1, 0], plan="speeds"), clips.targets([1, 0], plan="speeds")
    assert targets.tolist() == [1, 0] * len(SPEEDS)
    lengths = [len(each) for each in features]
    assert all(slow > fast for slow, fast in pairwise(lengths[::2]))  # slow ones first, each longer than the next
    torch.testing.assert_close(clips.features([1])[0], listen(tones(900.0)[0]))


def test_rough_versions_differ_but_not_all_of_them():
    generator, (tone,) = torch.Generator().manual_seed(0), tones(500.0)
    changed = [not torch.equal(roughen(tone, generator=generator), tone) for _ in range(100)]
    assert 40 <= sum(changed) <= 80


def test_padding_changes_nothing_for_a_word():
    torch.manual_seed(0)
    model = WordReader(3, num_mels=6).eval()
    short, long = torch.randn(21, 6), torch.randn(40, 6)
    padded = torch.nn.utils.rnn.pad_sequence([short, long], batch_first=True)
    padded[0, 21:] = 99.0
    together = model(padded, torch.tensor([21, 40]))
    torch.testing.assert_close(together[:1], model(short[None], torch.tensor([21])), rtol=1e-4, atol=1e-5)


def test_a_word_reader_learns_to_tell_two_tones_apart():
    labels = torch.tensor([0, 1] * 12)
    sounds = [
        tones(hertz, seconds=0.3)[0] * torch.linspace(0, 1, 4800) ** 2
        for hertz in (float(300 + 10 * number + 1500 * (number % 2)) for number in range(24))
    ]
    clips = prepare(sounds, labels, ["ann"] * 24)
    training = Training(steps=30, rate=5e-3)
    model, _ = train(clips.features(range(16)), clips.targets(range(16)), num_classes=2, training=training)
    assert accuracy(model, clips, range(16, 24)) == 1.0


def test_the_recipe_is_that_of_the_lesson():
    lesson = (ROOT / "lessons" / "09_speech_recognition.py").read_text(encoding="utf-8")
    mine = speech_recognizer
    for said in (
        f"budget(cpu=({mine.HIDDEN_SIZE}, {mine.EPOCHS})",
        f"batch_size={mine.BATCH_SIZE}, shuffle=True",
        f"AdamW(model.parameters(), {mine.LEARNING_RATE:.0e}".replace("e-0", "e-"),
        f"one_cycle(warmup={mine.WARMUP})",
        ", ".join(f'"{name}": {value}' for name, value in mine.MASKS.items()),
        f"most={mine.MOST_BANDS}",
        f"bonus={mine.BONUS}",
        f"beam_size={mine.BEAM_SIZE}, language_model",
        f"weight={mine.WEIGHT})",
        f"order={mine.ORDER}",
        f'Alphabet("{mine.ALPHABET.characters}")',
    ):
        assert said in lesson, f"the lesson no longer says {said}"
    assert not re.search(r"dropout|num_layers", lesson.partition("SpeechRecognizer(")[2].partition("\n")[0])


def test_each_voice_has_its_own_error_rates_over_all_runs():
    silence = torch.zeros(400, dtype=torch.int16)
    test = record([silence] * 3, texts=["one two", "on", "four"], speakers=["f1", "Bob", "f1"])
    runs = [
        {"greedy": ["one two", "on", "four"], "lm": ["one two", "on", "four"]},
        {"greedy": ["one ten", "on", "four"], "lm": ["one two", "off", "four"]},
    ]
    table = speech_recognizer.by_voice(test, runs)
    assert list(table) == ["Bob", "f1"]
    assert table["f1"]["wer_greedy"] == pytest.approx(1 / 3 / 2, abs=1e-4) and table["f1"]["wer_lm"] == 0
    assert table["Bob"] == {"cer": 0, "wer_greedy": 0, "wer_lm": 0.5}


def test_pieces_arrive_in_order_and_the_state_is_handed_on():
    def listen(piece, state):
        total = (0 if state is None else state) + piece.sum(dim=(1, 2))
        return torch.cat([piece, total.expand(1, piece.shape[1])[..., None]], dim=2), total

    stacked = torch.arange(20.0)[:, None]
    logits, seconds = speech_recognizer.in_pieces(listen, stacked)
    assert torch.equal(logits[:, 0], stacked[:, 0])
    assert logits[:, 1].unique().tolist() == [28, 120, 190] and len(seconds) == 3


def test_a_word_lags_by_the_time_from_its_end_to_its_last_letter():
    alphabet = speech_recognizer.ALPHABET
    log_probs = torch.full((30, len(alphabet)), -20.0)
    log_probs[:, 0] = -0.1
    for row, letter in ((4, "o"), (6, "n"), (15, " "), (20, "u"), (24, "p")):
        log_probs[row] = -20.0
        log_probs[row, alphabet.labels[letter]] = -0.1
    silence = torch.zeros(400, dtype=torch.int16)
    times = [[("on", 0.0, 0.1), ("up", 0.3, 0.4)]]
    recordings = record([silence], texts=["on up"], speakers=["f1"], word_times=times)
    assert speech_recognizer.word_lags([log_probs], recordings) == pytest.approx([7 * 0.02 - 0.1, 25 * 0.02 - 0.4])


def test_a_part_replaces_its_own_figures_and_leaves_the_others():
    first = speech.merged({}, "fsdd", {"fsdd_standard": 0.9, "old": 1}, seconds=3.14)
    second = speech.merged(first, "noise", {"cer_5db": 0.06}, seconds=1.0)
    third = speech.merged(second, "fsdd", {"fsdd_standard": 0.98}, seconds=2.0)
    assert third["fsdd_standard"] == 0.98 and third["cer_5db"] == 0.06 and "old" not in third
    assert third["parts"]["fsdd"] == {"cpu_s": 2.0, "figures": ["fsdd_standard"]} and third["seeds"] == 3


def test_the_page_shows_what_was_measured_and_a_dash_for_what_was_not():
    values = {"cer": 0.0412, "cer_min": 0.04, "cer_max": 0.043, "fsdd_standard": 0.97, "seeds": 3}
    values |= {"synthetic_only_on_fsdd": 0.5, "by_voice": {"f1": {"cer": 0.01, "wer_greedy": 0.04, "wer_lm": 0.0}}}
    result = {
        "date": "2026-01-01",
        "machine": {"cpu": "a CPU", "cores": 2, "memory_gb": 8.0, "gpu": None},
        "versions": {"python": "3.11"},
        "figures": values,
    }
    page = draw({"speech": result})
    assert "4.1 (4.0 to 4.3) | ≤ 5: reached |" in page
    assert re.search(r"FSDD, the official split \| 97\.0 \| ≥ 98: \*\*not reached\*\* \|", page)
    assert "| f1 | 1.0 | 4.0 | 0.0 |" in page and re.search(r"5 dB \([^|]*\| not measured yet \| – \|", page)


def test_the_claims_are_means_between_their_ends_and_the_speakers_left_out_add_up():
    figures = read_results(ROOT / "benchmarks" / "results")["speech"]["figures"]
    for name in (name.removesuffix("_min") for name in figures if name.endswith("_min")):
        assert figures[f"{name}_min"] <= figures[name] <= figures[f"{name}_max"]
    people = [value for name, value in figures.items() if re.fullmatch(r"fsdd_without_[a-z]+", name)]
    assert len(people) == figures.get("fsdd_leave_one_out_speakers", 0)
    assert not people or figures["fsdd_leave_one_out"] == pytest.approx(statistics.mean(people), abs=2e-4)
