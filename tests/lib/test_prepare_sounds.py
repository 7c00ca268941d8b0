"""course data for sounds: small corpora in their published forms, and every way in which a copy can be wrong."""

import hashlib
import io
import json
from functools import cache

import numpy as np
import pytest
import soundfile
import torch

from course_lib.catalog import CATALOG, COMMANDS
from course_lib.cli import main
from course_lib.datasets import available, load
from course_lib.errors import CourseError
from course_lib.generate.grammar import DIGIT_WORDS
from course_lib.recordings import join, split_off_speakers
from data_scripts import fsdd, librispeech, speech_commands, yesno
from data_scripts.fetch import KnownFile
from data_scripts.prepare import prepare
from tests.lib.corpora import only_whole_files, pack, servers


@pytest.fixture(autouse=True)
def data_folder(monkeypatch, tmp_path):
    """An empty COURSE_DATA, and no proxy between the tests and their own server."""
    monkeypatch.setenv("COURSE_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    return tmp_path / "data"


@pytest.fixture
def serve():
    with servers() as start:
        yield start


@cache
def sound(number, *, rate=8_000, seconds=0.3, form="WAV"):
    """A tone by which a recording can be told from the others."""
    content = io.BytesIO()
    time = np.arange(int(rate * seconds)) / rate
    soundfile.write(content, 0.5 * np.sin(2 * np.pi * (200 + 10 * number) * time), rate, format=form, subtype="PCM_16")
    return content.getvalue()


def tone_of(waveform):
    spectrum = torch.fft.rfft(waveform * torch.hann_window(len(waveform)), n=16_000).abs()  # a line per Hz
    return round((spectrum.argmax().item() - 200) / 10)


def small_fsdd(speakers=("ann", "bob", "cy")):
    numbers = [(digit, name, number) for name in speakers for digit in (0, 3, 7, 9) for number in (0, 4, 5, 9, 10, 49)]
    files = {f"d/recordings/{d}_{name}_{n}.wav": sound(d + 10 * (n // 5)) for d, name, n in numbers}
    return {**files, "d/README.md": b"words", "d/recordings/notes.wav": b"no recording"}


def small_commands():
    """Twelve classes by five speakers, with names as in the smaller archive."""
    people = ["0a0a0a0a", "1b1b1b1b", "2c2c2c2c", "3d3d3d3d", "4e4e4e4e"]
    words = {
        f"./{word}/{name}_nohash_{n}.wav": sound(n, rate=16_000, seconds=1)
        for word in COMMANDS[:10] for name in people for n in (0, 1)
    }  # fmt: skip
    others = {f"./_unknown_/four_{name}_nohash_0.wav.wav": sound(3, rate=16_000, seconds=1) for name in people}
    silence = {f"./_silence_/{n}.wav": sound(0, rate=16_000, seconds=1) for n in range(20)}
    return {**words, **others, **silence}


def small_librispeech(speakers=("84", "103", "118", "174")):
    files = {}
    for part, names in (("train-clean-5", speakers), ("dev-clean", ("2277", "2412"))):
        for name in names:
            home = f"LibriSpeech/{part}/{name}/11"
            files[f"{home}/{name}-11.trans.txt"] = f"{name}-11-0000 WHY NOT\n{name}-11-0001 IT'S {name}\n".encode()
            for number in (0, 1):
                files[f"{home}/{name}-11-{number:04d}.flac"] = sound(int(name) % 50, rate=16_000, form="FLAC")
    return files


def small_yesno():
    return {f"waves_yesno/{'_'.join(format(n, '08b'))}.wav": sound(n) for n in range(60)}


def lay_out(files, folder):
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


SMALL = {
    "fsdd": small_fsdd,
    "speech_commands": small_commands,
    "librispeech": small_librispeech,
    "yesno": small_yesno,
}
ENDINGS = {"fsdd": "zip", "speech_commands": "tar.gz", "librispeech": "tar.gz", "yesno": "tar.gz"}
SCRIPTS = {"fsdd": fsdd, "speech_commands": speech_commands, "librispeech": librispeech, "yesno": yesno}
every_corpus = pytest.mark.parametrize("name", SMALL)


@every_corpus
@pytest.mark.parametrize("kind", ["folder", "archive"])
def test_a_corpus_comes_from_a_folder_or_an_archive_at_16_khz(name, kind, tmp_path, data_folder):
    files = SMALL[name]()
    source = tmp_path / f"mine.{ENDINGS[name]}"
    source = lay_out(files, tmp_path / "mine") if kind == "folder" else pack(source, files)
    assert main(["data", name, "--from", str(source)]) == 0
    data = load(name)
    assert list(data.splits) == ["train", "validation", "test"] and all(map(len, data.splits.values()))
    assert source.exists() and "recordings" in str(data)
    seconds = 1.0 if name == "speech_commands" else 0.3
    assert all((split.durations - seconds).abs().max() < 1e-3 for split in data.splits.values())
    only_whole_files(data_folder, [f"{name}.json", f"{name}.lock", f"{name}.safetensors"])


@every_corpus
def test_no_recording_gets_lost_or_stands_in_two_splits(name, tmp_path):
    files = SMALL[name]()
    prepare(name, source=lay_out(files, tmp_path / "mine"))
    sounds = [each for each in files if each.endswith((".wav", ".flac")) and "notes" not in each]
    assert sum(map(len, load(name).splits.values())) == len(sounds)


@pytest.mark.parametrize("name", ["speech_commands", "librispeech"])
def test_nobody_speaks_in_two_splits(name, tmp_path):
    prepare(name, source=lay_out(SMALL[name](), tmp_path / "mine"))
    people = [set(split.speakers) - {""} for split in load(name).splits.values()]
    assert all(people) and sum(map(len, people)) == len(set.union(*people))


def test_fsdd_has_its_official_test_set_and_says_who_speaks(tmp_path):
    prepare("fsdd", source=lay_out(small_fsdd(), tmp_path / "mine"))
    splits = load("fsdd").splits
    for part, tones in (("test", {0}), ("validation", {10}), ("train", {20, 90})):
        split = splits[part]
        heard = [tone_of(waveform) for waveform in split.waveforms()]
        assert {tone - label for tone, label in zip(heard, split.labels.tolist(), strict=True)} == tones
        assert split.texts == [DIGIT_WORDS[label] for label in split.labels]
    rest, theirs = split_off_speakers(join(list(splits.values())), ["bob"])
    assert len(theirs) == 24 and set(rest.speakers) == {"ann", "cy"}


def test_speech_commands_are_twelve_classes_whose_words_are_kept(tmp_path):
    prepare("speech_commands", source=lay_out(small_commands(), tmp_path / "mine"))
    whole = join(list(load("speech_commands").splits.values()))
    assert torch.bincount(whole.labels).tolist() == [10] * 10 + [5, 20]
    assert {text for text, label in zip(whole.texts, whole.labels, strict=True) if label >= 10} == {"four", ""}
    assert whole.stacked().shape == (125, 16_000)


def full_commands():
    people = ["0a0a0a0a", "1b1b1b1b", "2c2c2c2c"]
    words = [*COMMANDS[:10], "cat", "dog", "tree"]
    files = {f"{word}/{name}_nohash_0.wav": sound(0, rate=16_000, seconds=0.8) for word in words for name in people}
    files |= {f"_background_noise_/{kind}.wav": sound(1, rate=16_000, seconds=20.5) for kind in ("tap", "cat")}
    lists = {"validation_list.txt": people[2], "testing_list.txt": people[0]}
    return files | {
        file: "".join(f"{word}/{name}_nohash_0.wav\n" for word in words).encode() for file, name in lists.items()
    }


def test_the_full_speech_commands_follow_their_own_lists(tmp_path):
    prepare("speech_commands", source=lay_out(full_commands(), tmp_path / "mine"))
    splits = load("speech_commands").splits
    people = {part: set(split.speakers) - {""} for part, split in splits.items()}
    assert people == {"train": {"1b1b1b1b"}, "validation": {"2c2c2c2c"}, "test": {"0a0a0a0a"}}
    for part, silence in (("train", 26), ("validation", 6), ("test", 8)):
        counts = torch.bincount(splits[part].labels, minlength=12).tolist()
        assert counts[:10] == [1] * 10 and counts[10] == 1 and counts[11] == silence
        assert splits[part].stacked().shape[1] == 16_000


def test_librispeech_has_its_texts_in_small_letters(tmp_path):
    prepare("librispeech", source=lay_out(small_librispeech(), tmp_path / "mine"))
    test = load("librispeech").splits["test"]
    assert sorted(set(test.speakers)) == ["2277", "2412"]
    assert test.texts == ["why not", "it's 2277", "why not", "it's 2412"]
    assert [tone_of(waveform) for waveform in test.waveforms()] == [27, 27, 12, 12]


def test_yesno_has_the_words_of_its_file_names(tmp_path):
    prepare("yesno", source=lay_out(small_yesno(), tmp_path / "mine"))
    splits = load("yesno").splits
    assert {part: len(split) for part, split in splits.items()} == {"train": 40, "validation": 8, "test": 12}
    for split in splits.values():
        for waveform, text in zip(split.waveforms(), split.texts, strict=True):
            bits = text.replace("yes", "1").replace("no", "0").replace(" ", "")
            assert tone_of(waveform) == int(bits, 2)


# Downloads


def publish(monkeypatch, script, archive, content, digest):
    monkeypatch.setattr(script, archive, KnownFile(getattr(script, archive).name, digest))
    return {getattr(script, archive).name: content}


def test_a_published_archive_is_fetched_and_verified(monkeypatch, serve, tmp_path, capsys):
    content = pack(tmp_path / "a.tar.gz", small_yesno()).read_bytes()
    digest = "sha256:" + hashlib.sha256(content).hexdigest()
    monkeypatch.setattr(yesno, "MIRRORS", [serve(publish(monkeypatch, yesno, "ARCHIVE", content, digest))])
    assert main(["data", "yesno"]) == 0
    assert "yesno: 40 train, 8 validation, 12 test recordings" in capsys.readouterr().out


def test_a_changed_archive_is_neither_downloaded_nor_taken_from_a_path(monkeypatch, serve, tmp_path):
    source = pack(tmp_path / yesno.ARCHIVE.name, small_yesno())
    monkeypatch.setattr(yesno, "MIRRORS", [serve({source.name: source.read_bytes()})])
    with pytest.raises(CourseError, match="its hash differs"):
        prepare("yesno")
    for path in (source, source.parent):
        with pytest.raises(CourseError, match=r"is not the published waves_yesno\.tar\.gz: its sha256 differs"):
            prepare("yesno", source=path)
    assert not available("yesno")


def test_an_archive_without_a_published_hash_is_held_to_its_files_and_its_hash_is_noted(
    monkeypatch, serve, tmp_path, data_folder
):
    content = pack(tmp_path / "a.zip", small_fsdd()).read_bytes()
    monkeypatch.setattr(fsdd, "MIRRORS", [serve({fsdd.ARCHIVE.name: content})])
    with pytest.raises(CourseError, match="holds 72 recordings instead of 3,000"):
        prepare("fsdd")
    monkeypatch.setattr(fsdd, "NUM_FILES", 72)
    prepare("fsdd")
    card = json.loads((data_folder / "fsdd.json").read_text(encoding="utf-8"))
    assert card["downloaded"] == {fsdd.ARCHIVE.name: "sha256:" + hashlib.sha256(content).hexdigest()}


# Copies that are wrong


@every_corpus
def test_an_archive_that_was_cut_short_is_called_so(name, tmp_path):
    archive = pack(tmp_path / f"mine.{ENDINGS[name]}", SMALL[name]())
    archive.write_bytes(archive.read_bytes()[:-100])
    with pytest.raises(CourseError, match="truncated or can't be read"):
        prepare(name, source=archive)
    assert not available(name)


@every_corpus
@pytest.mark.parametrize("path", ["../evil.wav", "/evil.wav", "a/../../evil.wav"])
def test_an_archive_that_leads_out_of_its_folder_writes_nothing(name, path, tmp_path):
    archive = pack(tmp_path / f"mine.{ENDINGS[name]}", {**SMALL[name](), path: b"evil"})
    with pytest.raises(CourseError, match="leads out of its folder"):
        prepare(name, source=archive)
    assert not list(tmp_path.rglob("evil.wav")) and not available(name)


@every_corpus
def test_a_folder_of_something_else_is_refused(name, tmp_path):
    lay_out({"a/holiday.wav": sound(0), "a/text.txt": b"none"}, tmp_path / "mine")
    with pytest.raises(CourseError, match=r"mine holds no (files like|part of LibriSpeech)"):
        prepare(name, source=tmp_path / "mine")


SPOILED = {
    "no audio": (b"<html>not found</html>", "is not a whole wav, flac or ogg file"),
    "empty": (sound(0, seconds=0), "is empty"),
    "a thousand channels": (None, "has 1,000 channels"),
    "hours": (sound(0, seconds=130, form="FLAC"), r"is 130.0 s long"),
}


@every_corpus
@pytest.mark.parametrize(("content", "answer"), SPOILED.values(), ids=SPOILED)
def test_a_recording_that_is_none_is_named_and_nothing_is_prepared(name, content, answer, tmp_path):
    if content is None:
        packed = io.BytesIO()
        soundfile.write(packed, np.full((16, 1_000), 0.1), 8_000, format="WAV")
        content = packed.getvalue()
    files = SMALL[name]()
    victim = [each for each in files if each.endswith((".wav", ".flac")) and "notes" not in each][2]
    lay_out({**files, victim: content}, tmp_path / "mine")
    with pytest.raises(CourseError, match=f"{victim.rpartition('/')[2]} {answer}"):
        prepare(name, source=tmp_path / "mine")
    assert not available(name)


def test_a_recording_without_its_text_is_noticed(tmp_path):
    files = small_librispeech()
    files["LibriSpeech/dev-clean/2277/11/2277-11.trans.txt"] = b"2277-11-0000 WHY NOT\n"
    with pytest.raises(CourseError, match=r"2277-11-0001\.flac has no text"):
        prepare("librispeech", source=lay_out(files, tmp_path / "mine"))


def test_half_of_librispeech_is_not_taken_for_whole(tmp_path):
    files = {name: content for name, content in small_librispeech().items() if "dev-clean" not in name}
    with pytest.raises(CourseError, match="holds train-clean-5, but dev-clean and train-clean-100 or train-clean-5"):
        prepare("librispeech", source=lay_out(files, tmp_path / "mine"))


def test_speakers_too_few_to_split_are_said_so(tmp_path):
    files = {name: each for name, each in small_commands().items() if "0a0a" in name or "1b1b" in name}
    with pytest.raises(CourseError, match="recordings of 2 speakers, and three splits need at least three"):
        prepare("speech_commands", source=lay_out(files, tmp_path / "mine"))


@every_corpus
def test_a_script_tells_license_and_citation_as_the_catalog_does(name):
    entry, words = CATALOG[name], " ".join(SCRIPTS[name].__doc__.split())
    assert f"License: {entry.license}." in words and f"Citation: {entry.citation}" in words
