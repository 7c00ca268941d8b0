"""The two networks that hear, stored in 8 and 4 bits: how large the files are, and what the networks still hear."""

import time
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from course_lib.audio import log_mel, normalize_features
from course_lib.compression import measure_latency
from course_lib.datasets import load
from course_lib.decoding import greedy_decode
from course_lib.export import StreamingStep, export_recognizer, first_state, onnx_session, parity, run_onnx
from course_lib.metrics import character_error_rate, edit_distance, word_error_rate
from course_lib.quantization import quantize_weights
from course_lib.recordings import Recordings
from course_lib.speech_models import StreamingRecognizer, load_recognizer, log_probs_of, stack_frames
from course_lib.text import Alphabet

CHOSEN = "speech_streaming_lstm8_conv4"  # the LSTM in 8 bits; on validation voices it loses a tenth of a point
BITS: dict[str, Any] = {"8": 8, "lstm8_conv4": {"conv.": 4}, "4": 4}
PIECE = 8  # stacked frames at once: 0.32 s
Texts = list[str]


class Ears:
    """What one network hears of some recordings, in PyTorch or from a file."""

    def __init__(self, name: str, recordings: Recordings):
        self.model, card = load_recognizer(name)
        self.alphabet, self.said = Alphabet(card["characters"]), recordings.texts
        self.streams = isinstance(self.model, StreamingRecognizer)
        mels = (log_mel(waveform) for waveform in recordings.waveforms())
        self.features = [each if self.streams else normalize_features(each) for each in mels]

    def inputs(self, features: Tensor) -> tuple[Tensor, ...]:
        """What the network wants to hear a whole recording."""
        stacked = stack_frames(features)[None]
        return (stacked, *first_state(self.model)) if self.streams else (stacked, torch.tensor([stacked.shape[1]]))

    def text(self, logits: Tensor) -> str:
        return self.alphabet.decode(greedy_decode(logits, torch.tensor([logits.shape[1]]))[0])

    def eager(self) -> Texts:
        return [self.text(each[None]) for each in log_probs_of(self.model, self.features)]

    def from_file(self, path: Path) -> Texts:
        session = onnx_session(path)
        return [self.text(run_onnx(session, *self.inputs(each))[0]) for each in self.features]


def points_lost(said: Texts, before: Texts, after: Texts, *, samples: int = 2000) -> tuple[float, float, float]:
    """How many percentage points more words are wrong, and between what limits that lies with 95% confidence.

    The limits come from drawing sentences anew (a paired bootstrap): they say what other sentences might have given.
    """
    count = torch.tensor([len(each.split()) for each in said], dtype=torch.float64)
    worse = torch.tensor(
        [
            edit_distance(text.split(), new.split()) - edit_distance(text.split(), old.split())
            for text, old, new in zip(said, before, after, strict=True)
        ],
        dtype=torch.float64,
    )
    rows = torch.randint(len(said), (samples, len(said)), generator=torch.Generator().manual_seed(0))
    drawn = 100 * worse[rows].sum(1) / count[rows].sum(1)
    low, high = drawn.quantile(torch.tensor([0.025, 0.975], dtype=torch.float64)).tolist()
    return 100 * (worse.sum() / count.sum()).item(), low, high


def speech(folder: Path) -> dict[str, Any]:
    """Sizes, error rates and latencies of both checkpoints."""
    splits, figures = load("spoken_commands").splits, {}
    for name in ("speech_streaming", "speech_noise"):
        files = {"32": export_recognizer(load_recognizer(name)[0], folder / f"{name}.onnx")}
        files |= {
            key: quantize_weights(files["32"], folder / f"{name}_{key}.onnx", bits=bits) for key, bits in BITS.items()
        }
        for part in ("validation", "test"):
            ears = Ears(name, splits[part])
            before = ears.eager()
            figures[f"{name}_{part}_wer"] = round(100 * word_error_rate(ears.said, before), 3)
            for key, path in files.items():
                after, label = ears.from_file(path), f"{name}_{key}_{part}"
                lost, low, high = points_lost(ears.said, before, after)
                figures[f"{label}_wer"] = round(100 * word_error_rate(ears.said, after), 3)
                figures[f"{label}_cer"] = round(100 * character_error_rate(ears.said, after), 3)
                figures |= {f"{label}_points_lost": round(lost, 3)}
                figures |= {f"{label}_points_lost_min": round(low, 3), f"{label}_points_lost_max": round(high, 3)}
        figures |= {f"{name}_{key}_mb": round(path.stat().st_size / 1e6, 3) for key, path in files.items()}
        figures |= latencies(name, ears, files)
    figures["speech_mb"] = figures[f"{CHOSEN}_mb"]
    for ending in ("", "_min", "_max"):
        figures[f"speech_wer_points_lost{ending}"] = figures[f"{CHOSEN}_test_points_lost{ending}"]
    return figures


def latencies(name: str, ears: Ears, files: dict[str, Path]) -> dict[str, float]:
    """Milliseconds for 0.32 s of sound, in PyTorch and from the files; and how far the largest file is from PyTorch."""
    sessions = {key: onnx_session(path) for key, path in files.items()}
    model = StreamingStep(ears.model) if ears.streams else ears.model
    examples = [ears.inputs(each) for each in ears.features[:5]]
    figures = {f"{name}_parity": parity(model, sessions["32"], examples)}
    inputs = ears.inputs(ears.features[0][: 4 * PIECE])

    def eager() -> Any:
        with torch.inference_mode():
            return model(*inputs)

    calls = {"eager": eager} | {key: lambda each=each: run_onnx(each, *inputs) for key, each in sessions.items()}
    for ending, clock in (("ms", time.perf_counter), ("cpu_ms", time.process_time)):
        for key, latency in measure_latency(calls, turns=30, each=5, clock=clock).items():
            figures[f"{name}_{key}_{ending}"] = round(latency.median, 3)
            figures[f"{name}_{key}_{ending}_p95"] = round(latency.p95, 3)
    return figures
