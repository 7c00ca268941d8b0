"""Files become tensors: every kind of picture upright and in color, drawings wherever and however large they are."""

import io

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from course_lib.serving.inputs import decode_image, drawing, open_image, picture, read_audio
from course_lib.serving.refusals import Refusal
from tests.serving.conftest import a_one, a_sound, as_file

LIMIT = 16_000_000


def through(content, kind="PNG"):
    return decode_image(open_image(content, kind, max_pixels=LIMIT))


def half_red(mode="RGB", **options):
    """Red on the left, blue on the right."""
    image = Image.new("RGB", (32, 32), "blue")
    image.paste("red", (0, 0, 16, 32))
    return image.convert(mode, **options)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "P"])
@pytest.mark.parametrize("kind", ["PNG", "BMP", "WEBP"])
def test_colors_survive_every_kind_of_file(mode, kind):
    image = through(as_file(half_red(mode), kind, **({"lossless": True} if kind == "WEBP" else {})), kind)
    assert image.getpixel((4, 4)) == (255, 0, 0) and image.getpixel((28, 4)) == (0, 0, 255)


@pytest.mark.parametrize("mode", ["RGB", "CMYK", "L"])
def test_a_jpeg_of_any_mode_is_read(mode):
    image = through(as_file(half_red(mode), "JPEG"), "JPEG")
    assert image.mode == "RGB" and image.size == (32, 32)


def test_what_is_transparent_is_white():
    image = Image.new("RGBA", (16, 16), (255, 0, 0, 0))
    assert through(as_file(image)).getpixel((3, 3)) == (255, 255, 255)


def test_sixteen_bits_keep_their_shades():
    shades = np.linspace(0, 65535, 64).astype(np.uint16).reshape(8, 8)
    found = np.asarray(through(as_file(Image.fromarray(shades))))[:, :, 0]
    assert np.abs(found - shades / 257).max() <= 1


def test_a_photo_taken_sideways_is_put_upright():
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned: the picture's left edge is its top
    content = io.BytesIO()
    half_red().resize((64, 64)).save(content, "JPEG", exif=exif, quality=95)
    upright = through(content.getvalue(), "JPEG")
    top, bottom = upright.getpixel((32, 4)), upright.getpixel((32, 60))
    assert top[0] > 200 > top[2] and bottom[2] > 200 > bottom[0]


def test_a_picture_is_the_middle_square_between_0_and_1():
    wide = Image.new("RGB", (96, 32), "green")
    wide.paste(half_red(), (32, 0))
    tensor = picture(wide, size=32)
    assert tensor.shape == (3, 32, 32) and tensor.dtype == torch.float32
    assert tensor[:, 5, 3].tolist() == [1, 0, 0] and tensor[:, 5, 30].tolist() == [0, 0, 1]


def a_seven(place, size, *, ink="black", paper="white"):
    left, top = place
    image = Image.new("RGB", (300, 300), paper)
    corners = [(left, top), (left + 0.7 * size, top), (left + 0.2 * size, top + size)]
    ImageDraw.Draw(image).line(corners, fill=ink, width=max(3, size // 8), joint="curve")
    return image


@settings(max_examples=30, deadline=None, derandomize=True)
@given(st.integers(15, 120), st.integers(15, 120), st.integers(60, 160))
def test_a_drawing_is_the_same_wherever_and_however_large_it_is(left, top, size):
    usual = drawing(a_seven((80, 80), 120), size=8)
    moved = drawing(a_seven((left, top), size), size=8)
    assert usual.shape == (1, 8, 8) and moved.min() >= 0 and moved.max() == 1
    assert (usual - moved).abs().mean() < 0.08


@pytest.mark.parametrize("colors", [("white", "black"), ("#333", "#ddd"), ("yellow", "navy")])
def test_a_drawing_is_the_same_in_any_two_colors(colors):
    ink, paper = colors
    usual, other = (
        drawing(a_seven((80, 80), 120), size=8),
        drawing(a_seven((80, 80), 120, ink=ink, paper=paper), size=8),
    )
    assert (usual - other).abs().max() < 0.2


def test_thin_strokes_become_as_wide_as_those_of_the_training_digits():
    thin, usual = (drawing(a_one(pen=pen), size=8).sum() for pen in (3, 40))
    assert 0.6 < thin / usual < 1.6


def test_an_empty_sheet_has_no_ink():
    assert drawing(Image.new("RGB", (50, 50), "white"), size=8).abs().max() == 0


@pytest.mark.parametrize("form", ["WAV", "FLAC", "OGG"])
def test_sound_of_any_form_and_rate_has_16_khz(form):
    tone = 0.3 * np.sin(2 * np.pi * 440 * np.arange(44_100) / 44_100)
    waveform = read_audio(a_sound(np.stack([tone, tone], axis=1), rate=44_100, form=form), form, max_seconds=2)
    assert waveform.shape == (16_000,) and waveform.dtype == torch.float32
    spectrum = torch.fft.rfft(waveform).abs()
    assert abs(int(spectrum.argmax()) - 440) <= 1


def test_a_refusal_of_a_recording_says_what_was_wrong_and_what_to_do():
    with pytest.raises(Refusal) as refused:
        read_audio(a_sound(np.zeros(16_000 * 3)), "WAV", max_seconds=2)
    assert refused.value.status == 413 and "3.0 s long" in refused.value.message
    assert refused.value.fix.startswith("Cut it")


def test_webp_and_wav_begin_alike_and_are_told_apart():
    sound, image = a_sound(np.zeros(16_000)), as_file(Image.new("RGB", (32, 32)), "WEBP")
    with pytest.raises(Refusal, match="the bytes are WAV"):
        open_image(sound, "PNG", max_pixels=LIMIT)
    with pytest.raises(Refusal, match="the bytes are WEBP"):
        read_audio(image, "WAV", max_seconds=2)
