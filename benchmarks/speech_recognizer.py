"""Whole sentences: lesson 09's recognizer with three seeds, its two checkpoints, and how fast they are on one thread.

The recipe is the lesson's. `tests/lib/test_benchmark_speech.py` holds the two together.
"""

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from functools import cache
from typing import Any

import torch
from torch import Tensor

from benchmarks.curves import spread
from course_lib.audio import log_mel, normalize_features
from course_lib.datasets import load
from course_lib.decoding import WordModel, forced_align, greedy_decode, prefix_beam_search, word_spans
from course_lib.device import fast_precision
from course_lib.metrics import character_error_rate, word_error_rate
from course_lib.paths import checkout
from course_lib.recordings import Recordings
from course_lib.sequence_batches import SequenceBatches
from course_lib.sound_effects import shift_bands, spec_augment
from course_lib.speech_models import SpeechRecognizer, ctc_losses, load_recognizer, log_probs_of, stack_frames
from course_lib.text import Alphabet, NGram
from course_lib.training import Recipe, fit, one_cycle

SEEDS = (0, 1, 2)
ALPHABET = Alphabet(" abcdefghijklmnopqrstuvwxyz'")
HIDDEN_SIZE, EPOCHS, BATCH_SIZE, LEARNING_RATE, WARMUP = 128, 14, 16, 5e-3, 0.2
MASKS = {"num_freq_masks": 1, "max_freq": 8, "num_time_masks": 1, "max_time": 15}
MOST_BANDS = 2  # by which a voice is moved up or down
WEIGHT, BONUS, BEAM_SIZE, ORDER = 0.5, 1.0, 8, 3  # the weight was chosen on validation voices, in the lesson
PIECE = 8  # stacked frames that the streaming network gets at once: 0.32 s
SECONDS_PER_STACKED, SECONDS_PER_ROW = 0.04, 0.02
Figures = dict[str, Any]
Texts = list[str]


def features_of(recordings: Recordings) -> list[Tensor]:
    """What the recognizer reads, for each recording."""
    return [normalize_features(log_mel(waveform)) for waveform in recordings.waveforms()]


@cache
def read_and_labeled(part: str) -> tuple[list[Tensor], list[Tensor]]:
    """Features and labels of a split."""
    recordings = load("spoken_commands").splits[part]
    return features_of(recordings), [ALPHABET.encode(text) for text in recordings.texts]


@cache
def trained(seed: int) -> tuple[SpeechRecognizer, float]:
    """The lesson's recognizer, from its best epoch on validation voices, and the CPU seconds that its training took."""

    def augment(padded, lengths, *targets, generator):
        padded = shift_bands(padded, most=MOST_BANDS, generator=generator)
        return spec_augment(padded, lengths=lengths, generator=generator, **MASKS), lengths, *targets

    features, labels = read_and_labeled("train")
    torch.manual_seed(seed)
    model = SpeechRecognizer(len(ALPHABET), hidden_size=HIDDEN_SIZE)
    batches = SequenceBatches(features, labels, batch_size=BATCH_SIZE, shuffle=True, augment=augment, seed=seed)
    began = time.process_time()
    recipe = Recipe(
        lambda model: torch.optim.AdamW(model.parameters(), LEARNING_RATE),
        EPOCHS,
        one_cycle(warmup=WARMUP),
        precision=fast_precision(),
    )
    validation = SequenceBatches(*read_and_labeled("validation"), batch_size=200)
    fit(model, batches, ctc_losses, recipe=recipe, validation=validation)
    return model, time.process_time() - began


def read(log_probs: list[Tensor]) -> Texts:
    """Greedily: the best label of each row."""
    return [
        ALPHABET.decode(labels)
        for each in log_probs
        for labels in greedy_decode(each.unsqueeze(0), torch.tensor([len(each)]))
    ]


def read_with_language(log_probs: list[Tensor], language: WordModel) -> Texts:
    """By beam search, with words that were said in training."""
    found = (prefix_beam_search(each, beam_size=BEAM_SIZE, language_model=language) for each in log_probs)
    return [ALPHABET.decode(each[0].labels) for each in found]


def recognizer() -> Figures:
    """Error rates on the test voices, none of which was heard in training; the voices one by one, too."""
    splits = load("spoken_commands").splits
    test, features = splits["test"], features_of(splits["test"])
    ngram = NGram.fit(splits["train"].texts, order=ORDER)
    language = WordModel(ngram, alphabet=ALPHABET, weight=WEIGHT, bonus=BONUS)
    runs = []
    for seed in SEEDS:
        model, seconds = trained(seed)
        log_probs = log_probs_of(model, features)
        runs.append({"greedy": read(log_probs), "lm": read_with_language(log_probs, language), "cpu_s": seconds})
    new = (~test.heard).nonzero().flatten().tolist()
    said_anew = [test.texts[row] for row in new]
    columns = {
        "cer": [character_error_rate(test.texts, run["greedy"]) for run in runs],
        "wer_greedy": [word_error_rate(test.texts, run["greedy"]) for run in runs],
        "wer_lm": [word_error_rate(test.texts, run["lm"]) for run in runs],
        "wer_lm_new_sentences": [word_error_rate(said_anew, [run["lm"][row] for row in new]) for run in runs],
    }
    figures: Figures = {"test_sentences": len(test), "test_new_sentences": len(new)}
    for name, values in columns.items():
        figures |= spread(name, values, digits=4)
    figures |= spread("recognizer_train_cpu_s", [run["cpu_s"] for run in runs], digits=1)
    return figures | {"by_voice": by_voice(test, runs)}


def by_voice(test: Recordings, runs: list[dict[str, Any]]) -> dict[str, dict[str, float]]:
    """For each voice its error rates, the mean over the runs.

    Args:
        test: what was said, and by whom.
        runs: what each run understood: "greedy" and "lm", a text for each recording.
    """
    table = {}
    for voice in sorted(set(test.speakers), key=str.lower):
        rows = [row for row, speaker in enumerate(test.speakers) if speaker == voice]
        said = [test.texts[row] for row in rows]
        heard = [{way: [run[way][row] for row in rows] for way in ("greedy", "lm")} for run in runs]
        rates = {
            "cer": [character_error_rate(said, each["greedy"]) for each in heard],
            "wer_greedy": [word_error_rate(said, each["greedy"]) for each in heard],
            "wer_lm": [word_error_rate(said, each["lm"]) for each in heard],
        }
        table[voice] = {name: round(statistics.mean(values), 4) for name, values in rates.items()}
    return table


def noise() -> Figures:
    """The noise-trained checkpoint on the test voices: clean, and with hiss, rumble and babble of other people."""
    from checkpoints.make_speech import measure

    model, card = load_recognizer("speech_noise")
    results = measure(model, load("spoken_commands").splits["test"], whole_sentences=True)
    names = {"clean": "clean", "20 dB": "20db", "10 dB": "10db", "5 dB": "5db"}
    figures: Figures = {f"cer_{name}": results[key]["cer"] for key, name in names.items()}
    figures |= {f"cer_5db_{kind}": rate for kind, rate in results["5 dB"].get("cer_by_kind", {}).items()}
    return figures | {"noise_checkpoint_train_cpu_s": card["cpu_seconds"]}


def streaming() -> Figures:
    """How fast the networks are on one thread, and how far behind the voice the streaming one is."""
    test = load("spoken_commands").splits["test"]
    whole, _ = load_recognizer("speech_noise")
    model, _ = load_recognizer("speech_streaming")
    stacked = [stack_frames(log_mel(waveform)) for waveform in test.waveforms()]
    log_probs, seconds = [], []
    with torch.inference_mode():
        for each in stacked:
            logits, times = in_pieces(model.listen, each)
            log_probs.append(logits.log_softmax(dim=1))
            seconds += times
    lags = word_lags(log_probs, test)
    figures = {
        "streaming_cer": round(character_error_rate(test.texts, read(log_probs)), 4),
        "streaming_piece_ms": 1000 * PIECE * SECONDS_PER_STACKED,
        "streaming_compute_ms": round(1000 * statistics.median(seconds), 2),
        "streaming_compute_ms_p95": round(1000 * statistics.quantiles(seconds, n=20)[-1], 2),
        "streaming_word_lag_ms": round(1000 * statistics.median(lags)),
        "streaming_word_lag_ms_p95": round(1000 * statistics.quantiles(lags, n=20)[-1]),
    }
    total = float(test.durations[:100].sum())
    figures["streaming_real_time_factor"] = round(sum(seconds) / float(test.durations.sum()), 5)
    return figures | {"real_time_factor": round(cost_of_reading(whole, test.select(range(100))) / total, 5)}


def in_pieces(listen: Callable[..., tuple[Tensor, Any]], stacked: Tensor) -> tuple[Tensor, list[float]]:
    """All logits of a recording that comes in pieces, `(rows, labels)`, and the CPU seconds for each piece."""
    state, logits, seconds = None, [], []
    for piece in stacked[None].split(PIECE, dim=1):
        began = time.process_time()
        new, state = listen(piece, state)
        seconds.append(time.process_time() - began)
        logits.append(new[0])
    return torch.cat(logits), seconds


def word_lags(log_probs: list[Tensor], recordings: Recordings) -> list[float]:
    """Seconds from the end of each word to the row in which its last letter is written; pieces not counted."""
    lags = []
    for each, text, times in zip(log_probs, recordings.texts, recordings.word_times, strict=True):
        found = word_spans(forced_align(each, ALPHABET.encode(text)), alphabet=ALPHABET)
        lags += [SECONDS_PER_ROW * row - end for (_, _, row), (_, _, end) in zip(found, times, strict=True)]
    return lags


def cost_of_reading(model: torch.nn.Module, recordings: Recordings) -> float:
    """CPU seconds from waveforms to texts, one recording at a time, greedily; the best of three times."""
    waveforms, costs = recordings.waveforms(), []
    for _ in range(3):
        began = time.process_time()
        for waveform in waveforms:
            read(log_probs_of(model, [normalize_features(log_mel(waveform))]))
        costs.append(time.process_time() - began)
    return min(costs)


def lesson() -> Figures:
    """Lesson 09 from top to bottom, as `benchmarks.lesson_times` runs it, once."""
    command = [sys.executable, "-m", "benchmarks.lesson_times", "--once", "09"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    load_before = os.getloadavg()[0]
    said = subprocess.run(
        command, cwd=checkout(), env=environment, check=True, stdout=subprocess.PIPE, text=True
    ).stdout
    figures = {f"lesson_{name}": round(value, 1) for name, value in json.loads(said.splitlines()[-1]).items()}
    return figures | {"lesson_load": round((load_before + os.getloadavg()[0]) / 2, 1)}
