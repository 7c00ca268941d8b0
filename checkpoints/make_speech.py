"""Make the two speech checkpoints that lesson 09 takes along, since they train longer than a lesson may.

    python -m checkpoints.make_speech speech_noise
    python -m checkpoints.make_speech speech_streaming

Each takes minutes on one thread (`cpu_seconds` on its card) and 5 GB of memory, and writes NAME.safetensors (16-bit
floats) and NAME.json (its hash, its recipe, and what was measured on the validation voices). When everything is chosen,
ask the test voices, once:

    python -m checkpoints.make_speech speech_noise --test
"""

import argparse
import json
import time
from typing import Any

import torch
from torch import Generator, Tensor

from course_lib import storage
from course_lib.audio import log_mel, normalize_features
from course_lib.datasets import load
from course_lib.decoding import greedy_decode
from course_lib.device import fast_precision
from course_lib.generate.noise import KINDS, make_noise
from course_lib.generate.spoken import speak_corpus
from course_lib.metrics import character_error_rate, word_error_rate
from course_lib.paths import checkout
from course_lib.recordings import Recordings
from course_lib.sequence_batches import SequenceBatches
from course_lib.sound_effects import add_noise, shift_bands, spec_augment
from course_lib.speech_models import (
    SpeechRecognizer,
    StreamingRecognizer,
    ctc_losses,
    load_recognizer,
    row_lengths,
    stack_frames,
    stacked_lengths,
)
from course_lib.text import Alphabet
from course_lib.training import Recipe, fit, one_cycle

ALPHABET = Alphabet()
DECIBELS = (20, 10, 5)  # of the sound above the noise, where it is measured
RECIPES = {  # rounds: epochs and highest learning rate of each one-cycle, one after the other
    "speech_noise": {
        "model": "SpeechRecognizer",
        "hidden_size": 160,
        "rounds": [[20, 5e-3], [10, 2e-3]],
        "noisy_share": 0.85,
    },
    "speech_streaming": {
        "model": "StreamingRecognizer",
        "hidden_size": 192,
        "rounds": [[12, 5e-3]],
        "noisy_share": 0.0,
        "most_bands": 1,
    },
}
SENTENCES = 12_000  # by the training voices: eight times as many as the corpus has
BATCH_SIZE, SEED = 32, 0
LOWEST_SNR, HIGHEST_SNR = -4.0, 16.0  # dB, in training
SHARES = ("white", "pink", "babble", "babble", "babble")  # other voices are the hardest noise, so they come more often
MOST_TALKERS = 8  # in the babble of the training


class Ears:
    """From waveforms to features, with or without noise."""

    def __init__(self, recordings: Recordings, *, whole_sentences: bool):
        self.voices, self.whole_sentences = recordings.waveforms(), whole_sentences

    def features(self, waveform: Tensor) -> Tensor:
        """Log-mels `(time, mels)`; normalized, unless the network hears sentences before they have ended."""
        mels = log_mel(waveform)
        return normalize_features(mels) if self.whole_sentences else mels

    def with_noise(self, waveform: Tensor, *, kind: str, snr_db: float, generator: Generator, **options) -> Tensor:
        """The sound with noise of that kind; the babble is of these recordings' voices."""
        noise = make_noise(kind, len(waveform), generator=generator, voices=self.voices, **options)
        return add_noise(waveform, noise, snr_db=snr_db)


def training_sentences() -> Recordings:
    """Many sentences by the training voices; what nobody says in the corpus' training split is left out here, too."""
    splits = load("spoken_commands").splits
    unheard = {
        text
        for part in ("validation", "test")
        for text, heard in zip(splits[part].texts, splits[part].heard, strict=True)
        if not heard
    }
    spoken = speak_corpus("spoken_commands", counts={"train": SENTENCES, "validation": 1, "test": 1})["train"]
    return spoken.select([row for row, text in enumerate(spoken.texts) if text not in unheard])


def augmentation(ears: Ears, *, noisy_share: float, most_bands: int = 0):
    """What happens to each training batch of waveforms: noise for some, features, other throats, SpecAugment.

    The other throats of `shift_bands`, which help without noise, made an earlier network worse here: with 1,500
    sentences, 8.8% instead of 7.6% of the letters wrong at 5 dB, on validation voices.
    """

    def augment(waveforms, lengths, targets, target_lengths, *, generator):
        features = []
        for waveform, length in zip(waveforms, lengths, strict=True):
            waveform, chance = waveform[:length], torch.rand(4, generator=generator).tolist()
            if chance[0] < noisy_share:
                kind, snr_db = SHARES[int(len(SHARES) * chance[1])], LOWEST_SNR + chance[2] * (HIGHEST_SNR - LOWEST_SNR)
                options = {"num_talkers": 1 + int(MOST_TALKERS * chance[3]), "generator": generator}
                waveform = ears.with_noise(waveform, kind=kind, snr_db=snr_db, **options)
            features.append(ears.features(waveform))
        frames = torch.tensor([len(each) for each in features])
        masks = {"num_freq_masks": 1, "max_freq": 8, "num_time_masks": 1, "max_time": 15}
        padded = torch.nn.utils.rnn.pad_sequence(features, batch_first=True)
        if most_bands:
            padded = shift_bands(padded, most=most_bands, generator=generator)
        return spec_augment(padded, lengths=frames, generator=generator, **masks), frames, targets, target_lengths

    return augment


@torch.no_grad()
def read(model: torch.nn.Module, features: list[Tensor]) -> list[str]:
    """What the network reads, greedily."""
    model.eval()
    texts = []
    for padded, lengths, _ in SequenceBatches(features, torch.zeros(len(features)), batch_size=100):
        logits = model(stack_frames(padded), stacked_lengths(lengths))
        texts += [ALPHABET.decode(labels) for labels in greedy_decode(logits, row_lengths(lengths))]
    return texts


def measure(model: torch.nn.Module, recordings: Recordings, *, whole_sentences: bool) -> dict[str, dict[str, Any]]:
    """Error rates without noise, and at each level of noise, by kind and all kinds together."""
    own = Ears(recordings, whole_sentences=whole_sentences)  # babble is of the voices that are measured
    results = {"clean": rates(recordings.texts, read(model, [own.features(voice) for voice in own.voices]))}
    for snr_db in DECIBELS:
        generator, heard = torch.Generator().manual_seed(SEED), {}
        for kind in KINDS:
            noisy = [own.with_noise(voice, kind=kind, snr_db=snr_db, generator=generator) for voice in own.voices]
            heard[kind] = read(model, [own.features(voice) for voice in noisy])
        together = [text for texts in heard.values() for text in texts]
        by_kind = {kind: rates(recordings.texts, texts)["cer"] for kind, texts in heard.items()}
        results[f"{snr_db} dB"] = rates(recordings.texts * len(KINDS), together) | {"cer_by_kind": by_kind}
    return results


def rates(said: list[str], heard: list[str]) -> dict[str, float]:
    """Letter and word errors."""
    return {"cer": round(character_error_rate(said, heard), 4), "wer": round(word_error_rate(said, heard), 4)}


def one_round(
    model: torch.nn.Module, batches: SequenceBatches, *, epochs: int, rate: float, precision: str
) -> dict[str, Tensor]:
    """Train for one cycle, and round the weights to 16 bits, as they are stored; returns these."""
    recipe = Recipe(
        lambda model: torch.optim.AdamW(model.parameters(), lr=rate), epochs, one_cycle(warmup=0.2), precision=precision
    )
    fit(model, batches, ctc_losses, recipe=recipe)
    weights = {key: tensor.half() for key, tensor in model.state_dict().items()}
    model.load_state_dict({key: tensor.float() for key, tensor in weights.items()})
    return weights


def make(name: str) -> None:
    """Train a checkpoint, measure it as it will be stored, and store it."""
    torch.set_num_threads(1)
    recipe, train, precision = RECIPES[name], training_sentences(), fast_precision()
    ears = Ears(train, whole_sentences=recipe["model"] == "SpeechRecognizer")
    options = {"num_labels": len(ALPHABET), "hidden_size": recipe["hidden_size"]}
    torch.manual_seed(SEED)
    model = {"SpeechRecognizer": SpeechRecognizer, "StreamingRecognizer": StreamingRecognizer}[recipe["model"]](
        **options
    )
    if not ears.whole_sentences:
        frames = torch.cat([stack_frames(ears.features(voice)) for voice in ears.voices])
        model.mean.copy_(frames.mean(dim=0))
        model.std.copy_(frames.std(dim=0))
    labels, began = [ALPHABET.encode(text) for text in train.texts], time.process_time()
    augmented = {key: recipe[key] for key in ("noisy_share", "most_bands") if key in recipe}
    for number, (epochs, rate) in enumerate(recipe["rounds"]):
        if number:  # the first goes on with the draws that made the weights
            torch.manual_seed(SEED + number)
        batches = SequenceBatches(
            ears.voices,
            labels,
            batch_size=BATCH_SIZE,
            shuffle=True,
            augment=augmentation(ears, **augmented),
            seed=SEED + number,
        )
        weights = one_round(model, batches, epochs=epochs, rate=rate, precision=precision)
    seconds = time.process_time() - began
    facts = {
        "model": recipe["model"],
        "options": options,
        "characters": ALPHABET.characters,
        "recipe": recipe | {"batch_size": BATCH_SIZE, "seed": SEED, "precision": precision},
        "data": f"{len(train):,} sentences like those of spoken_commands, by its training voices",
        "cpu_seconds": round(seconds),
        "validation": measure(
            model, load("spoken_commands").splits["validation"], whole_sentences=ears.whole_sentences
        ),
    }
    storage.store(checkout() / "checkpoints" / name, weights, facts)
    print(json.dumps(facts, indent=2))


def ask_test(name: str) -> None:
    """Measure a checkpoint on the test voices, and add the figures to its card."""
    torch.set_num_threads(1)
    model, card = load_recognizer(name)
    recordings, place = load("spoken_commands").splits["test"], checkout() / "checkpoints" / name
    card["test"] = measure(model, recordings, whole_sentences=card["model"] == "SpeechRecognizer")
    storage.store(place, storage.retrieve(place)[0], card)
    print(json.dumps(card["test"], indent=2))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("name", choices=list(RECIPES))
    parser.add_argument(
        "--test", action="store_true", help="train nothing, but ask the test voices: once, at the very end"
    )
    arguments = parser.parse_args()
    ask_test(arguments.name) if arguments.test else make(arguments.name)
