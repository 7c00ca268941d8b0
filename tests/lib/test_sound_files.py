"""Sound files: whatever can be read becomes one waveform, and whatever can't is told apart in one line."""

import io
import struct

import numpy as np
import pytest
import soundfile
import torch

from course_lib.errors import CourseError
from course_lib.sound_files import decode, read_sound, write_sound


def tone(*, hertz=440.0, seconds=0.5, rate=16_000, channels=1):
    time = np.arange(int(seconds * rate)) / rate
    return np.repeat(0.5 * np.sin(2 * np.pi * hertz * time)[:, None], channels, axis=1)


def packed(samples, *, rate=16_000, form="WAV", subtype=None):
    content = io.BytesIO()
    soundfile.write(content, samples, rate, format=form, subtype=subtype)
    return content.getvalue()


@pytest.mark.parametrize("rate", [8_000, 16_000, 22_050, 44_100, 48_000])
@pytest.mark.parametrize("form", ["WAV", "FLAC", "OGG"])
def test_a_tone_is_the_same_tone_at_16_khz_from_any_rate_and_form(rate, form):
    waveform = read_sound(packed(tone(rate=rate), rate=rate, form=form))
    expected = torch.from_numpy(tone()[:, 0]).float()
    assert waveform.dtype == torch.float32 and abs(len(waveform) - 8_000) <= 1
    middle = slice(400, 7_600)  # at the ends, the filter meets the silence outside
    assert (waveform[middle] - expected[middle]).abs().max() < (0.02 if form == "OGG" else 2e-3)


def test_what_16_khz_can_not_hold_is_filtered_and_not_folded_down():
    waveform = read_sound(packed(tone(hertz=11_000, rate=48_000) + tone(hertz=300, rate=48_000) / 5, rate=48_000))
    spectrum = torch.fft.rfft(waveform).abs()
    assert spectrum.argmax() / len(spectrum) * 8_000 == pytest.approx(300, abs=5)


def test_channels_are_averaged():
    left, right = tone(hertz=440)[:, 0], tone(hertz=660)[:, 0]
    waveform = read_sound(packed(np.stack([left, right], axis=1), subtype="FLOAT"))
    torch.testing.assert_close(waveform, torch.from_numpy((left + right) / 2).float())


@pytest.mark.parametrize("ending", ["wav", "flac", "ogg"])
def test_what_was_written_is_read_again(tmp_path, ending):
    waveform = torch.from_numpy(tone()[:, 0]).float()
    write_sound(tmp_path / f"a.{ending}", waveform)
    assert (read_sound(tmp_path / f"a.{ending}") - waveform).abs().max() < (0.02 if ending == "ogg" else 1e-4)


@pytest.mark.parametrize(
    ("name", "waveform", "answer"),
    [
        ("a.mp3", torch.zeros(5), "ends in '.mp3'"),
        ("a.wav", torch.zeros(2, 5), r"shape \(2, 5\)"),
        ("a.wav", torch.zeros(0), r"shape \(0,\)"),
        ("a.wav", torch.tensor([0.0, 1.5]), "leaves"),
        ("a.wav", torch.tensor([0.0, float("nan")]), "NaN"),
    ],
)
def test_what_can_not_be_written_is_refused_and_no_file_is_left(tmp_path, name, waveform, answer):
    with pytest.raises(ValueError, match=answer):
        write_sound(tmp_path / name, waveform)
    assert list(tmp_path.iterdir()) == []


def long_flac():
    return packed(np.zeros((60 * 48_000, 8), dtype=np.int16), rate=48_000, form="FLAC")


def headers_promise(frames):
    """A wav whose header says that it holds so many frames."""
    content = bytearray(packed(tone()))
    at = content.index(b"data") + 4
    content[at : at + 4] = struct.pack("<I", 2 * frames)
    return bytes(content)


BAD = {
    "not audio": (b"hello, this is a text " * 50, "not a whole wav, flac or ogg"),
    "nothing": (b"", "not a whole wav, flac or ogg"),
    "a webm recording": (b"\x1aE\xdf\xa3" + bytes(500), "not a whole wav, flac or ogg"),
    "a header alone": (packed(np.zeros((0, 1))), "is empty"),
    "too long": (packed(tone(seconds=31)), r"is 31.0 s long; 30 s is the most"),
    "a small file of much sound": (long_flac(), r"is 60.0 s long"),
    "silence": (packed(np.zeros((8_000, 1))), "is silent"),
    "silence with an offset": (packed(np.full((8_000, 1), 0.25)), "is silent"),
    "NaN": (packed(np.array([[0.1], [np.nan]]), subtype="FLOAT"), "no numbers"),
    "infinite": (packed(np.array([[0.1], [np.inf]]), subtype="FLOAT"), "no numbers"),
    "a thousand channels": (packed(np.full((16, 1_000), 0.1)), "1,000 channels"),
    "a rate of one": (packed(tone(), rate=1), "1 samples per second"),
    "a rate of a billion": (packed(tone(), rate=1_000_000_000), "1,000,000,000 samples per second"),
    "another form": (packed(tone(), form="AIFF"), "is AIFF"),
}


@pytest.mark.parametrize(("content", "answer"), BAD.values(), ids=BAD)
def test_what_is_no_recording_is_said_in_one_line(content, answer, tmp_path):
    with pytest.raises(CourseError, match=f"The recording .*{answer}") as error:
        read_sound(content)
    (tmp_path / "mine.wav").write_bytes(content)
    with pytest.raises(CourseError, match=f"mine.wav .*{answer}"):
        read_sound(tmp_path / "mine.wav")
    assert "\n" not in str(error.value)


def test_what_is_too_long_is_refused_before_it_is_decoded(monkeypatch):
    content = long_flac()
    monkeypatch.setattr(soundfile.SoundFile, "read", lambda *args, **options: pytest.fail("decoded"))
    with pytest.raises(CourseError, match=r"is 60\.0 s long"):
        read_sound(content)
    assert len(content) < 60 * 48_000 * 8 * 2 / 100


def test_a_header_that_promises_more_than_there_is_is_not_believed():
    assert len(read_sound(headers_promise(100_000))) == 8_000


def test_a_header_that_does_not_know_the_length_is_not_trusted():
    content = bytearray(packed(tone(), form="FLAC"))
    content[21:26] = bytes([content[21] & 0xF0, 0, 0, 0, 0])  # the number of samples, 36 bits
    with pytest.raises(CourseError, match="is of unknown length"):
        read_sound(bytes(content))


def test_a_file_that_was_cut_short_gives_what_is_there_or_an_error():
    content = packed(tone(seconds=2), form="FLAC")
    with pytest.raises(CourseError, match="not a whole"):
        read_sound(content[: len(content) // 2])
    assert len(read_sound(packed(tone())[:-8_000])) == 4_000


def test_a_path_that_leads_nowhere_is_said_so(tmp_path):
    with pytest.raises(CourseError, match=r"There is no file .*nothing\.wav"):
        read_sound(tmp_path / "nothing.wav")
    with pytest.raises(CourseError, match="There is no file"):
        read_sound(tmp_path)


def test_silence_is_welcome_where_it_is_data():
    assert torch.equal(decode(packed(np.zeros((100, 1))), max_seconds=1), torch.zeros(100))


def test_floats_beyond_1_are_brought_back():
    waveform = read_sound(packed(tone() * 20_000, subtype="FLOAT"))
    assert waveform.abs().max() == 1
