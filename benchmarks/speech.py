"""What the course's speech networks reach, on generated voices and on real people.

    python -m benchmarks.speech
    python -m benchmarks.speech --parts fsdd commands

Three seeds each; a figure is their mean, with the least and the greatest beside it. Everything is chosen on validation
voices, speakers or clips; test clips are looked at once per seed. Each part writes its figures as soon as it has them,
and leaves the others' figures in the file as they were. The real corpora are prepared by `course data`; lesson 09's
noise-trained and streaming networks lie in `checkpoints/`.
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Callable
from typing import Any

import torch

from benchmarks import speech_recognizer, speech_strangers, speech_tasks
from benchmarks.report import report
from course_lib.paths import checkout

PARTS: dict[str, Callable[[], dict[str, Any]]] = {
    "fsdd": speech_tasks.fsdd_standard,
    "leave_one_out": speech_strangers.leave_one_out,
    "commands": speech_tasks.commands,
    "synthetic": speech_tasks.synthetic,
    "speakers": speech_tasks.speakers,
    "recognizer": speech_recognizer.recognizer,
    "noise": speech_recognizer.noise,
    "streaming": speech_recognizer.streaming,
    "lesson": speech_recognizer.lesson,
}


def merged(before: dict[str, Any], name: str, new: dict[str, Any], *, seconds: float) -> dict[str, Any]:
    """All figures, with one part's new ones in place of those it had before.

    Args:
        before: what the file holds; "parts" says which figures belong to which part.
        name: of the part.
        new: its figures.
        seconds: CPU seconds it took, with its preparation.
    """
    parts = dict(before.get("parts", {}))
    kept = {key: value for key, value in before.items() if key not in parts.get(name, {}).get("figures", [])}
    parts[name] = {"cpu_s": round(seconds, 1), "figures": sorted(new)}
    return kept | new | {"seeds": len(speech_tasks.SEEDS), "parts": parts}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    options = parser.parse_args()
    os.environ.setdefault("TQDM_DISABLE", "1")
    torch.set_num_threads(1)
    place = checkout() / "benchmarks" / "results" / "speech.json"
    for name in options.parts:
        print(f"{name} ...", file=sys.stderr, flush=True)
        began = time.process_time()
        new = PARTS[name]()
        seconds = time.process_time() - began
        before = json.loads(place.read_text(encoding="utf-8"))["figures"] if place.exists() else {}
        report("speech", merged(before, name, new, seconds=seconds))


if __name__ == "__main__":
    main()
