"""Two corpora that espeak-ng speaks: "spoken_commands", sentences of any length, and "spoken_words", clips of a second.

Splits are by speaker. Tempo, pitch and accent vary from one recording to the next; everything is drawn from
`numpy.random.RandomState`, so that it is the same wherever the engine is.
"""

import numpy as np
import torch

from course_lib.audio import SAMPLE_RATE
from course_lib.generate.grammar import SINGLE_WORDS, command, digit_string
from course_lib.generate.speech import Request, recite
from course_lib.generate.voices import ACCENTS, variants_of
from course_lib.recordings import Recordings, WordTimes, record

SPOKEN = ("spoken_commands", "spoken_words")
COUNTS = {
    "spoken_commands": {"train": 1_500, "validation": 200, "test": 300},
    "spoken_words": {"train": 4_000, "validation": 800, "test": 1_200},
}
SLOWEST, FASTEST = 130, 210  # words per minute
LOWEST, HIGHEST = 35, 65  # pitch, of which 50 is the variant's own
LONGEST_PAUSE = 0.2  # seconds of silence before and after a sentence
CLIP = SAMPLE_RATE  # samples of a single word's clip


def speak_corpus(name: str, *, counts: dict[str, int] | None = None) -> dict[str, Recordings]:
    """Speak one of the two corpora; 2,000 sentences take about ten seconds.

    Args:
        name: "spoken_commands" or "spoken_words".
        counts: recordings of each split; as in `COUNTS` if nothing is said.

    Returns:
        The recordings of "train", "validation" and "test", by different speakers.

    Raises:
        CourseError: the engine is not installed; the message holds the command.
    """
    counts = counts or COUNTS[name]
    randoms = {part: np.random.RandomState([2026, seed]) for seed, part in enumerate(counts)}
    requests = {part: _requests(name, part, count, randoms[part]) for part, count in counts.items()}
    spoken = recite([request for part in requests.values() for request in part])
    heard, splits, start = {request.text for request in requests["train"]}, {}, 0
    place = _in_the_middle_of_silence if name == "spoken_commands" else _somewhere_in_a_second
    for part, asked in requests.items():
        clips = [place(samples, times, randoms[part]) for samples, times in spoken[start : start + len(asked)]]
        start += len(asked)
        labels = [SINGLE_WORDS.index(request.text) for request in asked] if name == "spoken_words" else None
        splits[part] = record(
            [samples for samples, _ in clips],
            texts=[request.text for request in asked],
            speakers=[request.voice.partition("+")[2] for request in asked],
            labels=None if labels is None else torch.tensor(labels),
            word_times=[times for _, times in clips],
            heard=torch.tensor([request.text in heard for request in asked]),
        )
    return splits


def _requests(name: str, part: str, count: int, random: np.random.RandomState) -> list[Request]:
    """What is to be said; every speaker of the split says about as much as the others."""
    variants, accents = variants_of(part), list(ACCENTS)
    requests = []
    for number in range(count):
        if name == "spoken_words":
            text, turn = SINGLE_WORDS[number % len(SINGLE_WORDS)], number // len(SINGLE_WORDS)
        else:
            text, turn = (digit_string if number % 5 < 2 else command)(random), number
        voice = f"{accents[random.randint(len(accents))]}+{variants[turn % len(variants)]}"
        tempo, pitch = random.randint(SLOWEST, FASTEST + 1), random.randint(LOWEST, HIGHEST + 1)
        requests.append(Request(text, voice, int(tempo), int(pitch)))
    return requests


Clip = tuple[np.ndarray, WordTimes]


def _in_the_middle_of_silence(samples: np.ndarray, times: WordTimes, random: np.random.RandomState) -> Clip:
    before, after = random.randint(int(LONGEST_PAUSE * SAMPLE_RATE), size=2)
    return np.pad(samples, (before, after)), _later(times, before)


def _somewhere_in_a_second(samples: np.ndarray, times: WordTimes, random: np.random.RandomState) -> Clip:
    samples = samples[:CLIP]  # the last samples are silent
    before = random.randint(CLIP - len(samples) + 1)
    return np.pad(samples, (before, CLIP - len(samples) - before)), _later(times, before)


def _later(times: WordTimes, num_samples: int) -> WordTimes:
    return [(word, start + num_samples / SAMPLE_RATE, end + num_samples / SAMPLE_RATE) for word, start, end in times]
