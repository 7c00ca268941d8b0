"""espeak-ng in a process of its own: requests come in as JSON, samples and word times go out.

Run by `course_lib.generate.speech` as `python -m course_lib.generate.espeak_worker`. The engine is under the GPL-3 (see
NOTICE) and is loaded here only. It has a state: the same requests in the same order, in a fresh process, give the same
samples; a repeated request in one process doesn't. A second thread would make it abort.

Source: espeak-ng's speak_lib.h, https://github.com/espeak-ng/espeak-ng/blob/1.52.0/src/include/espeak-ng/speak_lib.h
"""

import ctypes
import json
import os
import sys
from pathlib import Path

import espeakng_loader

SYNCHRONOUS, PHONEME_EVENTS, DO_NOT_EXIT = 2, 0x0001, 0x8000
RATE, PITCH = 1, 3
UTF8, BY_CHARACTER = 1, 1
LIST_END, WORD, END, PHONEME = 0, 1, 5, 7
SEED = 1  # of the breath that some voices have; the engine would take the time of day
GLUE = "\u00a0"  # instead of a space: with one, "on the" would be spoken as a single word and get a single time


class Id(ctypes.Union):
    _fields_ = (("number", ctypes.c_int), ("name", ctypes.c_char_p), ("string", ctypes.c_char * 8))


class Event(ctypes.Structure):
    _fields_ = (
        ("type", ctypes.c_int),
        ("unique_identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),  # in characters, from 1
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),  # in milliseconds
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("id", Id),
    )


Callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(Event))


class Engine:
    """The engine, which speaks one text at a time."""

    def __init__(self):
        library = Path(espeakng_loader.get_library_path()).resolve()
        self.library = ctypes.CDLL(str(library))
        os.chdir(Path(espeakng_loader.get_data_path()).parent)  # the engine takes no long path, so it gets a short one
        self.sample_rate = self.library.espeak_Initialize(SYNCHRONOUS, 0, b".", PHONEME_EVENTS | DO_NOT_EXIT)
        if self.sample_rate <= 0:
            raise RuntimeError(f"espeak-ng does not start from {library.parent}")
        self.library.espeak_ng_SetRandSeed(ctypes.c_long(SEED))
        self.samples, self.events = [], []
        self.callback = Callback(self._receive)  # kept, or it would be collected while the engine holds it
        self.library.espeak_SetSynthCallback(self.callback)

    def _receive(self, samples, count, events) -> int:
        if samples and count > 0:
            self.samples.append(ctypes.string_at(samples, 2 * count))
        number = 0
        while (event := events[number]).type != LIST_END:
            name = event.id.string if event.type == PHONEME else b""
            self.events.append((event.type, event.text_position - 1, event.sample / self.sample_rate, name))
            number += 1
        return 0

    def speak(self, text: str, voice: str, words_per_minute: int, pitch: int) -> tuple[bytes, list]:
        """Samples as int16, and for each word its start and end in seconds."""
        self.samples, self.events = [], []
        if self.library.espeak_SetVoiceByName(voice.encode()):
            raise RuntimeError(f"espeak-ng has no voice {voice}")
        self.library.espeak_SetParameter(RATE, words_per_minute, 0)
        self.library.espeak_SetParameter(PITCH, pitch, 0)
        words = text.split()
        content = GLUE.join(words).encode() + b"\0"
        if self.library.espeak_Synth(content, len(content), 0, BY_CHARACTER, 0, UTF8, None, None):
            raise RuntimeError(f"espeak-ng does not speak {text!r}")
        self.library.espeak_Synchronize()
        return b"".join(self.samples), word_times(words, self.events)


def word_times(words: list[str], events: list[tuple]) -> list[tuple[str, float, float]]:
    """When each word is spoken: (word, start, end) in seconds.

    A word event comes a little early where a vowel follows a consonant of the word before; then the word starts with
    its first phoneme. Elsewhere the event is right, and includes the closure before a "t" or "k". A word ends where
    the next one or a pause begins.
    """
    place_of = [number for number, word in enumerate(words) for _ in range(len(word) + len(GLUE))]
    marks: list[list[float]] = [[] for _ in words]
    sounds: list[list[float]] = [[] for _ in words]
    pauses = []
    for kind, position, seconds, name in events:
        place = place_of[max(0, min(position, len(place_of) - 1))]
        if kind == END or (kind == PHONEME and name.startswith(b"_")):
            pauses.append(seconds)
        elif kind in (WORD, PHONEME):
            (marks if kind == WORD else sounds)[place].append(seconds)
    starts, last_sound = [], -1.0
    for word, own_marks, own_sounds in zip(words, marks, sounds, strict=True):
        if own_marks:  # else the engine says nothing for it, as for a lone dash
            early = last_sound >= own_marks[0] and own_sounds
            starts.append((word, own_sounds[0] if early else own_marks[0]))
            last_sound = max([last_sound, *own_sounds])
    bounds = sorted([*(start for _, start in starts), *pauses])
    return [(word, start, min((bound for bound in bounds if bound > start), default=start)) for word, start in starts]


def main() -> None:
    """For each request a line of JSON about it, and then its samples."""
    engine = Engine()
    for request in json.load(sys.stdin):
        samples, times = engine.speak(**request)
        head = {"bytes": len(samples), "sample_rate": engine.sample_rate, "words": times}
        sys.stdout.buffer.write(json.dumps(head).encode() + b"\n" + samples)


if __name__ == "__main__":
    main()
