"""The sound player and the spectrogram explorer: what is inside, what they are called, and their text twins."""

import base64
import io
import math
import re
import wave
from xml.etree import ElementTree

import numpy as np
import pytest
import torch
from bs4 import BeautifulSoup
from PIL import Image

from course_lib.audio import to_decibels
from course_lib.widgets.sound import describe_sound, play, player_html, wav_bytes
from course_lib.widgets.spectrogram import describe_spectrogram, explore_spectrogram, spectrogram_picture


def tone(hertz, *, seconds=0.3):
    return 0.5 * (2 * math.pi * hertz * torch.arange(round(16_000 * seconds)) / 16_000).sin()


@pytest.fixture
def explorer():
    widget = explore_spectrogram({"low": tone(500), "high <&>": tone(3_000)})
    row, player, view = widget.children
    return {control.description: control for control in row.children}, player, view


def test_the_player_holds_the_samples():
    sound = tone(440)
    source = BeautifulSoup(player_html(sound, label="a tone"), "html.parser").audio["src"]
    with wave.open(io.BytesIO(base64.b64decode(source.removeprefix("data:audio/wav;base64,")))) as file:
        assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (16_000, 1, 2)
        samples = np.frombuffer(file.readframes(file.getnframes()), "<i2") / 32767
    np.testing.assert_allclose(samples, sound.numpy(), atol=1 / 32767)


def test_the_player_is_a_browsers_own_with_a_name_and_waits_to_be_pressed():
    page = BeautifulSoup(player_html(tone(440), label='a "tone" & <more>'), "html.parser")
    assert page.audio["aria-label"] == 'a "tone" & <more>'
    assert page.audio.has_attr("controls") and not page.audio.has_attr("autoplay")
    assert page.span.text == 'a "tone" & <more>'


def test_where_no_page_is_a_sentence_stands_in(capsys):
    play(tone(440), label="a tone")
    assert capsys.readouterr().out.strip() == "sound: a tone (0.30 s, 16,000 samples per second, peak 0.50)"
    assert "(0.60 s, 8,000 samples" in describe_sound(tone(440), label="a tone", sample_rate=8_000)


def test_what_is_too_loud_is_cut_off_and_never_wraps_around():
    with wave.open(io.BytesIO(wav_bytes(torch.tensor([2.0, -2.0, 0.0])))) as file:
        assert np.frombuffer(file.readframes(3), "<i2").tolist() == [32767, -32767, 0]


@pytest.mark.parametrize(
    "waveform", [torch.zeros(2, 50), torch.zeros(0), torch.zeros(480_001), torch.tensor([math.nan])]
)
def test_what_is_no_sound_is_refused(waveform):
    with pytest.raises(ValueError, match="expected one row of finite samples"):
        play(waveform, label="nothing")


def test_a_player_without_a_name_is_refused():
    with pytest.raises(ValueError, match="empty label"):
        play(tone(440), label=" ")


@pytest.mark.parametrize("settings", [{}, {"window_ms": 5.0}, {"window_ms": 100.0, "hop_ms": 1.0}, {"num_mels": 40}])
@pytest.mark.parametrize("hertz", [700, 2_500])
def test_a_tone_is_loudest_where_it_should_be(settings, hertz):
    picture, bands = spectrogram_picture(tone(hertz), **settings)
    assert picture.shape[1] == len(bands)
    assert (picture.min(), picture.max()) == (-70, 0)
    assert bands[picture.mean(dim=0).argmax()].item() == pytest.approx(hertz, rel=0.1)


def test_the_text_twin_draws_low_frequencies_below():
    first, *rows = describe_spectrogram(torch.cat([tone(500), tone(5_000)])).splitlines()
    assert "58 frames of 25 ms, one every 10 ms; 257 bins, 31.2 Hz apart" in first
    pictures = [row.partition("|")[2] for row in rows]
    assert "#" in pictures[-1][:20] and "#" not in pictures[-1][40:]
    (high,) = [picture for picture, row in zip(pictures, rows, strict=True) if "5,203 Hz" in row]
    assert "#" in high[40:] and "#" not in high[:20]


def test_each_control_says_what_it_does(explorer):
    assert list(explorer[0]) == ["sound", "window", "hop", "mel bands"]


def test_turning_a_control_draws_anew(explorer):
    controls, _, view = explorer
    assert "28 frames of 25 ms, one every 10 ms; 257 bins" in view.value
    controls["window"].value, controls["hop"].value, controls["mel bands"].value = 50.0, 2.5, 20
    assert "101 frames of 50 ms, one every 2.5 ms; 20 mel bands" in view.value


def test_another_sound_brings_its_player_and_its_name_as_text(explorer):
    controls, player, view = explorer
    before = player.value
    controls["sound"].value = "high <&>"
    assert player.value != before
    assert BeautifulSoup(player.value, "html.parser").audio["aria-label"] == "high <&>"
    assert BeautifulSoup(view.value, "html.parser").svg["aria-label"].startswith("Spectrogram of high <&>: ")


def test_the_picture_is_the_spectrogram_low_frequencies_below(explorer):
    svg = BeautifulSoup(explorer[2].value, "html.parser").svg
    assert svg["role"] == "img"
    ElementTree.fromstring(str(svg).replace("&amp;", "and"))
    image = Image.open(io.BytesIO(base64.b64decode(svg.find("image")["href"].partition(",")[2])))
    picture, _ = spectrogram_picture(tone(500))
    expected = ((picture / 70 + 1) * 255).round().T.flip(0)
    np.testing.assert_array_equal(np.asarray(image), expected.numpy().astype(np.uint8))


def test_a_frame_stands_at_the_middle_of_its_window(explorer):
    controls, _, view = explorer
    controls["window"].value, controls["hop"].value = 100.0, 10.0
    image = BeautifulSoup(view.value, "html.parser").find("image")
    left, right = float(image["x"]), float(image["x"]) + float(image["width"])
    assert left - 64 == pytest.approx(0.045 / 0.3 * 640, abs=0.1)  # the first window's middle, less half a hop
    assert right - 64 == pytest.approx(0.255 / 0.3 * 640, abs=0.1)


def test_numbers_on_the_axes_stay_inside_the_picture(explorer):
    texts = re.findall(r'<text x="([\d.]+)" y="([\d.]+)" text-anchor="middle">([\d.]+)<', explorer[2].value)
    assert [number for _, _, number in texts] == ["0", "0.05", "0.1", "0.15", "0.2", "0.25", "0.3"]
    assert max(float(x) for x, _, _ in texts) <= 64 + 640


def test_a_sound_shorter_than_the_longest_window_is_refused_at_once():
    with pytest.raises(ValueError, match="one window has 1600"):
        explore_spectrogram({"click": torch.zeros(1_599)})


def test_silence_has_a_picture_too():
    assert torch.equal(to_decibels(torch.zeros(3, 4)), torch.zeros(3, 4))
    assert "0 Hz" in describe_spectrogram(torch.zeros(2_000))
