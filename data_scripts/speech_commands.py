"""Speech Commands v0.02: one word a second, by some 2,600 people; ten commands, "unknown" and "silence".

License: CC BY 4.0.
Citation: Warden 2018, Speech Commands: A Dataset for Limited-Vocabulary Speech Recognition, arXiv:1804.03209

The hash is the one that torchaudio 2.11 knows. The full archive has 35 words: ten are classes; of the others, about as
many recordings as of one command are drawn as "unknown"; "silence" is cut from its six recordings of noise. Its own
lists say who is in "validation" and "test". Where they are missing, as in the smaller archive
speech_commands_test_set_v0.02, which has the twelve classes ready, the speakers are split here. Nobody is in two
splits. Silence has no speaker.
"""

import re
from pathlib import Path

import numpy as np
import torch

from course_lib.audio import SAMPLE_RATE
from course_lib.catalog import COMMANDS as CLASSES
from course_lib.recordings import Recordings, record
from data_scripts.fetch import KnownFile
from data_scripts.sounds import find, read_all, split_speakers, unpacked

MIRRORS = [
    "https://storage.googleapis.com/download.tensorflow.org/data/",
    "http://download.tensorflow.org/data/",
]
ARCHIVE = KnownFile(
    "speech_commands_v0.02.tar.gz", "sha256:af14739ee7dc311471de98f5f9d2c9191b18aedfe957f4a6ff791c709868ff58"
)
COMMANDS = CLASSES[:10]
UNKNOWN, SILENCE, NOISE = "unknown", "silence", "_background_noise_"
LISTS = {"validation": "validation_list.txt", "test": "testing_list.txt"}
NOBODY = ""  # the speaker of silence
LONGEST = 120.0  # seconds, of noise; a word has one


def read(source: Path | None, workspace: Path) -> dict[str, Recordings]:
    """The recordings, each of exactly a second; texts are the words, "" for silence.

    Args:
        source: the archive, or a folder that holds `<word>/<speaker>_nohash_<number>.wav`; None downloads it.
        workspace: a folder for what is downloaded or unpacked.
    """
    folder = unpacked(source, [ARCHIVE], mirrors=MIRRORS, workspace=workspace)
    files = find(folder, "*.wav", _parse, what="files like yes/964e8cfd_nohash_0.wav")
    part_of = _parts(folder, files)
    noises = sorted(folder.rglob(f"{NOISE}/*.wav"))
    return {
        part: _split(_balanced([path for path in files if part_of[path] == part], files), files, noises, part)
        for part in ("train", "validation", "test")
    }


def _parse(path: Path) -> tuple[str, str] | None:
    """Word and speaker; the word is "" for silence."""
    folder, stem = path.parent.name, path.name.partition(".")[0]
    if folder == "_silence_":
        return "", NOBODY
    match = re.fullmatch(r"(?:([a-z]+)_)?([0-9a-f]{8})_nohash_\d+", stem)
    return (match[1] or folder, match[2]) if match and folder != NOISE else None


def _parts(folder: Path, files: dict[Path, tuple[str, str]]) -> dict[Path, str]:
    """The split of each file: by the corpus' own lists, or by speaker where it has none."""
    lists = {part: next(iter(sorted(folder.rglob(name))), None) for part, name in LISTS.items()}
    if all(lists.values()):
        named = {line: part for part, path in lists.items() for line in path.read_text(encoding="utf-8").split()}
        return {path: named.get(f"{path.parent.name}/{path.name}", "train") for path in files}
    people = split_speakers([speaker for _, speaker in files.values() if speaker != NOBODY])
    part_of_speaker = {speaker: part for part, speakers in people.items() for speaker in speakers}
    silent = [path for path, (_, speaker) in files.items() if speaker == NOBODY]
    shares = {path: part for part, paths in _in_order(silent).items() for path in paths}
    return {path: shares.get(path) or part_of_speaker[speaker] for path, (_, speaker) in files.items()}


def _in_order(items: list) -> dict[str, list]:
    """The first 65 of a hundred, the next 15 and the last 20: neighbors, who may sound alike, stay together."""
    first, second = len(items) * 65 // 100, len(items) * 80 // 100
    return {"train": items[:first], "validation": items[first:second], "test": items[second:]}


def _balanced(paths: list[Path], files: dict[Path, tuple[str, str]]) -> list[Path]:
    """Of the other words no more than of one command on average, drawn once and for all."""
    others = [path for path in paths if files[path][0] not in (*COMMANDS, "")]
    num_wanted = round(sum(files[path][0] in COMMANDS for path in paths) / len(COMMANDS))
    drawn = np.random.RandomState(0).permutation(len(others))[: max(1, num_wanted)]
    left_out = set(others) - {others[number] for number in drawn} if len(others) > 2 * num_wanted else set()
    return [path for path in paths if path not in left_out]


def _split(paths: list[Path], files: dict[Path, tuple], noises: list[Path], part: str) -> Recordings:
    clips = read_all(paths, max_seconds=LONGEST, length=SAMPLE_RATE)
    words, speakers = [files[path][0] for path in paths], [files[path][1] for path in paths]
    for noise in read_all(noises, max_seconds=LONGEST) if noises else ():
        seconds = _in_order([noise[start:][:SAMPLE_RATE] for start in range(0, len(noise) - SAMPLE_RATE, SAMPLE_RATE)])
        clips += seconds[part]
        words += [""] * len(seconds[part])
        speakers += [NOBODY] * len(seconds[part])
    labels = [CLASSES.index(word if word in COMMANDS else UNKNOWN if word else SILENCE) for word in words]
    return record(clips, texts=words, speakers=speakers, labels=torch.tensor(labels))
