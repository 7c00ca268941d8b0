"""An explorer for lesson 07: choose window, hop and mel bands, and see what a sound looks like through them."""

import base64
import io
from html import escape

import ipywidgets
import matplotlib
import torch
from PIL import Image

from course_lib.audio import SAMPLE_RATE, frame, mel_filterbank, power_spectrogram, to_decibels
from course_lib.widgets.sound import player_html

INK, PAPER = "#1c2430", "#ffffff"  # dark on light in both of JupyterLab's themes
WAVE, EMPTY = "#0072B2", "#d9dee3"  # where no window fits, there is no frame
TOP = 70.0  # dB that the colors span
WIDTH, WAVE_HEIGHT, HEIGHT, LEFT, RIGHT, GAP = 640, 56, 256, 64, 20, 10  # in CSS pixels
WINDOWS_MS, HOPS_MS, MELS = (5.0, 10.0, 25.0, 50.0, 100.0), (1.0, 2.5, 5.0, 10.0, 20.0), (0, 20, 40, 64)


def spectrogram_picture(waveform, *, window_ms=25.0, hop_ms=10.0, num_mels=0):
    """A spectrogram in decibels below its loudest point, by the settings of the explorer.

    Args:
        waveform: 16 kHz, shape `(time,)`.
        window_ms: length of a frame, in milliseconds.
        hop_ms: from frame to frame, in milliseconds.
        num_mels: mel bands; 0 keeps the bins of the transform.

    Returns:
        The picture, from -70 to 0 dB, shape `(frames, bands)`, and the frequency of each band in Hz.

    Raises:
        ValueError: the waveform is shorter than one window.
    """
    window, hop = round(window_ms * SAMPLE_RATE / 1000), round(hop_ms * SAMPLE_RATE / 1000)
    num_fft = max(512, 2 ** (window - 1).bit_length())
    power = power_spectrogram(waveform, num_fft=num_fft, window=window, hop=hop)
    hertz = torch.linspace(0, SAMPLE_RATE / 2, num_fft // 2 + 1)
    if num_mels:
        filters = mel_filterbank(num_mels=num_mels, num_fft=num_fft)
        power, hertz = power @ filters.to(power), hertz[filters.argmax(dim=0)]
    return to_decibels(power, top=TOP), hertz


def describe_spectrogram(waveform, *, window_ms=25.0, hop_ms=10.0, num_mels=0):
    """What the explorer shows, in words and characters: its text twin.

    Args:
        waveform: 16 kHz, shape `(time,)`.
        window_ms, hop_ms, num_mels: as in `spectrogram_picture`.

    Returns:
        Lines of text: the settings, the loudest point, and a coarse picture with low frequencies below.
    """
    picture, hertz = spectrogram_picture(waveform, window_ms=window_ms, hop_ms=hop_ms, num_mels=num_mels)
    lines = [_sentence(picture, hertz, window_ms=window_ms, hop_ms=hop_ms, num_mels=num_mels)]
    coarse = torch.nn.functional.adaptive_max_pool2d(picture[None, None], (min(60, len(picture)), 10))[0, 0]
    rows = ((coarse / TOP + 1) * 9.99).long().T.flip(0).tolist()  # 0 to 9, high frequencies first
    heights = torch.nn.functional.adaptive_avg_pool1d(hertz[None], 10)[0].flip(0).tolist()
    lines += [
        f"{height:6,.0f} Hz |{''.join(' .:-=+*%@#'[shade] for shade in row)}|"
        for row, height in zip(rows, heights, strict=True)
    ]
    return "\n".join(lines)


def explore_spectrogram(sounds):
    """Choose a sound, a window, a hop and mel bands; see the spectrogram, and hear the sound.

    Args:
        sounds: waveforms by name, each 16 kHz, shape `(time,)`, at least 100 ms long.

    Returns:
        A widget for the last line of a cell.

    Raises:
        ValueError: a sound is shorter than the longest window.
    """
    for waveform in sounds.values():
        frame(waveform, window=round(max(WINDOWS_MS) * SAMPLE_RATE / 1000))
    controls = {
        "sound": _dropdown("sound", [(name, name) for name in sounds]),
        "window_ms": _dropdown("window", [(f"{each:g} ms", each) for each in WINDOWS_MS], 25.0),
        "hop_ms": _dropdown("hop", [(f"{each:g} ms", each) for each in HOPS_MS], 10.0),
        "num_mels": _dropdown("mel bands", [(f"{each}" if each else "none", each) for each in MELS]),
    }
    player, view = ipywidgets.HTML(), ipywidgets.HTML()

    def change_sound(*_):
        name = controls["sound"].value
        player.value = f'<div style="{_STYLE}">{player_html(sounds[name], label=name)}</div>'

    def draw(*_):
        settings = {name: control.value for name, control in controls.items()}
        view.value = _html(sounds[settings["sound"]], settings.pop("sound"), **settings)

    controls["sound"].observe(change_sound, names="value")
    for control in controls.values():
        control.observe(draw, names="value")
    change_sound()
    draw()
    row = ipywidgets.HBox(list(controls.values()), layout={"flex_flow": "row wrap"})
    widget = ipywidgets.VBox([row, player, view])
    widget.add_class("course-spectrogram")
    return widget


_STYLE = f"padding:8px 14px;border-radius:6px;background:{PAPER};color:{INK};font:14px/1.4 system-ui,sans-serif"


def _dropdown(description, options, value=None):
    value = options[0][1] if value is None else value
    return ipywidgets.Dropdown(description=description, options=options, value=value, layout={"width": "15em"})


def _sentence(picture, hertz, *, window_ms, hop_ms, num_mels):
    moment, band = divmod(int(picture.argmax()), len(hertz))
    bands = f"{num_mels} mel bands" if num_mels else f"{len(hertz)} bins, {hertz[1]:.1f} Hz apart"
    frames = f"{len(picture)} frames of {window_ms:g} ms, one every {hop_ms:g} ms"
    seconds = (moment * hop_ms + window_ms / 2) / 1000
    return f"{frames}; {bands}; loudest at {seconds:.2f} s and {hertz[band]:,.0f} Hz."


def _html(waveform, name, **settings):
    picture, hertz = spectrogram_picture(waveform, **settings)
    sentence = _sentence(picture, hertz, **settings)
    svg = _svg(
        waveform, picture, hertz, settings["window_ms"], settings["hop_ms"], f"Spectrogram of {name}: {sentence}"
    )
    return f'<div style="{_STYLE}">{svg}<div role="status">{escape(sentence)}</div></div>'


def _svg(waveform, picture, hertz, window_ms, hop_ms, words):
    """The waveform above its spectrogram, on one axis of time."""
    seconds = len(waveform) / SAMPLE_RATE
    across = WIDTH / seconds  # CSS pixels in a second
    start = (window_ms - hop_ms) / 2000 * across  # a frame stands at the middle of its window
    top = WAVE_HEIGHT + GAP
    parts = [
        f'<svg role="img" aria-label="{escape(words)}" viewBox="0 0 {LEFT + WIDTH + RIGHT} {top + HEIGHT + 40}" '
        f'style="width:100%;max-width:{LEFT + WIDTH + RIGHT}px;font:12px system-ui,sans-serif" fill="{INK}">',
        f'<path d="{_outline(waveform)}" fill="{WAVE}"/>',
        f'<rect x="{LEFT}" y="{top}" width="{WIDTH}" height="{HEIGHT}" fill="{EMPTY}"/>',
        f'<image x="{LEFT + start:.2f}" y="{top}" width="{len(picture) * hop_ms / 1000 * across:.2f}" '
        f'height="{HEIGHT}" preserveAspectRatio="none" style="image-rendering:pixelated" href="{_png(picture)}"/>',
    ]
    parts += [_text(LEFT - 6, top + y + 4, label, "end") for y, label in _heights(hertz)]
    step = next(step for step in (0.05, 0.1, 0.2, 0.5, 1.0, 5.0) if step * 8 >= seconds or step == 5.0)
    for tick in range(int(seconds / step + 1e-6) + 1):
        parts.append(_text(LEFT + tick * step * across, top + HEIGHT + 16, f"{tick * step:.3g}", "middle"))
    parts.append(_text(LEFT + WIDTH / 2, top + HEIGHT + 34, "time (s); colors from -70 dB, dark, to 0 dB", "middle"))
    parts.append(_text(LEFT - 6, WAVE_HEIGHT / 2 + 4, "pressure", "end"))
    return "".join(parts) + "</svg>"


def _text(x, y, words, anchor):
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(words)}</text>'


def _heights(hertz):
    """Where to write which frequency: five of them, evenly spaced in the picture."""
    last = len(hertz) - 1
    for fifth in range(5):
        place = round(last * fifth / 4)
        yield HEIGHT * (1 - (place + 0.5) / len(hertz)), f"{hertz[place]:,.0f} Hz"


def _outline(waveform):
    """The waveform as a filled shape: its highest and lowest sample in each of some 320 pieces."""
    pieces = waveform[: len(waveform) // 320 * 320].reshape(320, -1) if len(waveform) >= 320 else waveform[:, None]
    middle, scale = WAVE_HEIGHT / 2, WAVE_HEIGHT / 2 / max(waveform.abs().max().item(), 1e-6)
    step = WIDTH / len(pieces)
    upper = [(LEFT + step * i, middle - scale * high) for i, high in enumerate(pieces.amax(dim=1).tolist())]
    lower = [(LEFT + step * i, middle - scale * low + 0.5) for i, low in enumerate(pieces.amin(dim=1).tolist())]
    return "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in upper + lower[::-1]) + "Z"


def _png(picture):
    """The picture in 256 colors from dark to bright, low frequencies below."""
    shades = ((picture / TOP + 1) * 255).round().to(torch.uint8).T.flip(0).contiguous()
    image = Image.frombytes("P", shades.shape[::-1], shades.numpy().tobytes())
    colors = matplotlib.colormaps["magma"](range(256), bytes=True)[:, :3]
    image.putpalette(colors.tobytes())
    file = io.BytesIO()
    image.save(file, format="png", optimize=True)
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()
