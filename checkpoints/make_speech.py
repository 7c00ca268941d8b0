"""Make the two speech checkpoints that lesson 09 takes along, since they train longer than a lesson may.

    python -m checkpoints.make_speech speech_noise
    python -m checkpoints.make_speech speech_streaming

Each takes some minutes on one thread and writes NAME.safetensors (16-bit floats) and NAME.json (its hash, its recipe,
and what was measured). Recipes were chosen on the validation voices; the test voices are asked once, with --test.
"""

import argparse
import json
import time

import torch
from torch import Tensor

from course_lib import storage
from course_lib.audio import log_mel, normalize_features
from course_lib.datasets import load
from course_lib.decoding import greedy_decode
from course_lib.generate.noise import KINDS, make_noise
from course_lib.metrics import character_error_rate, word_error_rate
from course_lib.paths import checkout
from course_lib.recordings import Recordings
from course_lib.sequence_batches import SequenceBatches
from course_lib.sound_effects import add_noise, spec_augment
from course_lib.speech_models import (
    SpeechRecognizer,
    StreamingRecognizer,
    ctc_losses,
    row_lengths,
    stack_frames,
    stacked_lengths,
)
from course_lib.text import Alphabet
from course_lib.training import Recipe, fit, one_cycle

ALPHABET = Alphabet()
DECIBELS = (None, 20, 10, 5)  # of the sound above the noise; None is without noise
RECIPES = {
    "speech_noise": {"model": "SpeechRecognizer", "hidden_size": 128, "epochs": 20, "noisy_share": 0.8},
    "speech_streaming": {"model": "StreamingRecognizer", "hidden_size": 192, "epochs": 20, "noisy_share": 0.0},
}
BATCH_SIZE, LEARNING_RATE, SEED = 16, 5e-3, 0
LOWEST_SNR, HIGHEST_SNR = 0.0, 20.0  # dB, in training


class Ears:
    """From waveforms to features, with or without noise."""

    def __init__(self, recordings: Recordings, *, whole_sentences: bool):
        self.voices, self.whole_sentences = recordings.waveforms(), whole_sentences

    def features(self, waveform: Tensor) -> Tensor:
        """Log-mels `(time, mels)`; normalized, unless the network hears sentences before they have ended."""
        mels = log_mel(waveform)
        return normalize_features(mels) if self.whole_sentences else mels

    def with_noise(self, waveform: Tensor, *, kind: str, snr_db: float, generator: torch.Generator) -> Tensor:
        """The sound with noise of that kind; the babble is of these recordings' voices."""
        noise = make_noise(kind, len(waveform), generator=generator, voices=self.voices)
        return add_noise(waveform, noise, snr_db=snr_db)


def augmentation(ears: Ears, noisy_share: float):
    """What happens to each training batch of waveforms: noise for some, features, SpecAugment."""

    def augment(waveforms, lengths, targets, target_lengths, *, generator):
        features = []
        for waveform, length in zip(waveforms, lengths, strict=True):
            waveform, chance = waveform[:length], torch.rand(3, generator=generator).tolist()
            if chance[0] < noisy_share:
                kind, snr_db = KINDS[int(3 * chance[1])], LOWEST_SNR + chance[2] * (HIGHEST_SNR - LOWEST_SNR)
                waveform = ears.with_noise(waveform, kind=kind, snr_db=snr_db, generator=generator)
            features.append(ears.features(waveform))
        frames = torch.tensor([len(each) for each in features])
        masks = {"num_freq_masks": 1, "max_freq": 8, "num_time_masks": 1, "max_time": 15}
        padded = torch.nn.utils.rnn.pad_sequence(features, batch_first=True)
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


def measure(model: torch.nn.Module, recordings: Recordings, ears: Ears) -> dict[str, dict[str, float]]:
    """Error rates without noise, and at each level of noise, all kinds of it together."""
    results = {}
    own = Ears(recordings, whole_sentences=ears.whole_sentences)
    for snr_db in DECIBELS:
        generator, waveforms, texts = torch.Generator().manual_seed(SEED), [], []
        for kind in KINDS if snr_db is not None else KINDS[:1]:
            for number in range(len(recordings)):
                waveform = recordings.waveform(number)
                if snr_db is not None:
                    waveform = own.with_noise(waveform, kind=kind, snr_db=snr_db, generator=generator)
                waveforms.append(waveform)
            texts += recordings.texts
        heard = read(model, [ears.features(waveform) for waveform in waveforms])
        results["clean" if snr_db is None else f"{snr_db} dB"] = {
            "cer": round(character_error_rate(texts, heard), 4),
            "wer": round(word_error_rate(texts, heard), 4),
        }
    return results


def make(name: str, *, with_test: bool) -> None:
    """Train a checkpoint, measure it as it will be stored, and store it."""
    torch.set_num_threads(1)
    torch.manual_seed(SEED)
    recipe, splits = RECIPES[name], load("spoken_commands").splits
    ears = Ears(splits["train"], whole_sentences=recipe["model"] == "SpeechRecognizer")
    options = {"num_labels": len(ALPHABET), "hidden_size": recipe["hidden_size"]}
    model = {"SpeechRecognizer": SpeechRecognizer, "StreamingRecognizer": StreamingRecognizer}[recipe["model"]](
        **options
    )
    if not ears.whole_sentences:
        frames = torch.cat([stack_frames(ears.features(voice)) for voice in ears.voices])
        model.mean.copy_(frames.mean(dim=0))
        model.std.copy_(frames.std(dim=0))
    batches = SequenceBatches(
        ears.voices,
        [ALPHABET.encode(text) for text in splits["train"].texts],
        batch_size=BATCH_SIZE,
        shuffle=True,
        augment=augmentation(ears, recipe["noisy_share"]),
        seed=SEED,
    )
    began = time.process_time()
    training = Recipe(
        lambda model: torch.optim.AdamW(model.parameters(), lr=LEARNING_RATE), recipe["epochs"], one_cycle(warmup=0.2)
    )
    fit(model, batches, ctc_losses, recipe=training)
    seconds = time.process_time() - began
    weights = {key: tensor.half() for key, tensor in model.state_dict().items()}
    model.load_state_dict({key: tensor.float() for key, tensor in weights.items()})
    facts = {
        "model": recipe["model"],
        "options": options,
        "characters": ALPHABET.characters,
        "recipe": recipe | {"batch_size": BATCH_SIZE, "learning_rate": LEARNING_RATE, "seed": SEED},
        "data": "spoken_commands, training voices",
        "cpu_seconds": round(seconds),
        "validation": measure(model, splits["validation"], ears),
    }
    if with_test:
        facts["test"] = measure(model, splits["test"], ears)
    storage.store(checkout() / "checkpoints" / name, weights, facts)
    print(json.dumps(facts, indent=2))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("name", choices=list(RECIPES))
    parser.add_argument("--test", action="store_true", help="ask the test voices, too: once, at the very end")
    arguments = parser.parse_args()
    make(arguments.name, with_test=arguments.test)
