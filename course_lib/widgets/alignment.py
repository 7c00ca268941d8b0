"""An explorer for lesson 09: type a text, and see where in the sound each of its letters would have to be."""

import base64
from html import escape
from io import BytesIO
from typing import NamedTuple

import ipywidgets
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from course_lib.decoding import Span, forced_align, greedy_decode, word_spans
from course_lib.text import Alphabet

INK, PAPER, LETTER, WORD = "#1c2430", "#ffffff", "#0072B2", "#e7ebef"  # dark on light in both of JupyterLab's themes
WIDTH, PICTURE, ROW = 860, 150, 26  # CSS pixels: of the whole, of the spectrogram's height, of a row of letters


class Heard(NamedTuple):
    """One recording as the network heard it.

    Attributes:
        features: log-mel frames, shape `(time, mels)`.
        log_probs: what the network said, shape `(frames, labels)`, over the same time.
        text: what was said.
    """

    features: Tensor
    log_probs: Tensor
    text: str


def describe_alignment(log_probs: Tensor, text: str, *, alphabet: Alphabet, frame_ms: float = 20.0) -> str:
    """Where each word and letter of a text is heard, in words: the explorer's text twin.

    Args:
        log_probs: what the network said, shape `(frames, labels)`.
        text: any text in the letters of the alphabet.
        alphabet: of the network.
        frame_ms: how long one frame lasts.

    Returns:
        One line for each word: when it begins and ends, and its letters with the frame's time and how sure the network
        is of each; before them a line with the loss of the whole text.
    """
    spans = forced_align(log_probs, alphabet.encode(text))
    lines = [f"'{text}' costs {_loss(log_probs, alphabet.encode(text)):.2f} nats"]
    for word, start, end in word_spans(spans, alphabet=alphabet):
        letters = [span for span in spans if start <= span.start < end and alphabet.decode([span.label]) != " "]
        said = "  ".join(f"{alphabet.decode([each.label])} {_sure(each):.0%}" for each in letters)
        lines.append(f"{start * frame_ms / 1000:5.2f} s to {end * frame_ms / 1000:5.2f} s  {word}:  {said}")
    return "\n".join(lines)


def explore_alignment(recordings: list[Heard], *, alphabet: Alphabet, frame_ms: float = 20.0) -> ipywidgets.Widget:
    """Choose a recording, type what you think was said, and see where the letters go and what the text costs.

    Args:
        recordings: some of them.
        alphabet: of the network.
        frame_ms: how long one of the network's frames lasts.

    Returns:
        A widget for the last line of a cell.
    """
    style = {"description_width": "6em"}
    names = [(f"{number}: {heard.text}", number) for number, heard in enumerate(recordings)]
    choice = ipywidgets.Dropdown(options=names, value=0, description="recording", style=style, layout={"width": "30em"})
    typed = ipywidgets.Text(value=recordings[0].text, description="text", style=style, layout={"width": "30em"})
    view = ipywidgets.HTML()

    def draw(*_):
        view.value = alignment_html(recordings[choice.value], typed.value, alphabet=alphabet, frame_ms=frame_ms)

    def take_its_text(change):
        typed.value = recordings[change["new"]].text
        draw()

    choice.observe(take_its_text, names="value")
    typed.observe(draw, names="value")
    draw()
    return ipywidgets.VBox([ipywidgets.Box([choice, typed], layout={"flex_flow": "row wrap"}), view])


def alignment_html(heard: Heard, text: str, *, alphabet: Alphabet, frame_ms: float) -> str:
    """The explorer's picture: spectrogram, words and letters, and what the text costs beside what the network reads."""
    try:
        labels = alphabet.encode(text.strip().lower())
        picture = _svg(heard, forced_align(heard.log_probs, labels), alphabet, frame_ms)
        verdict = f"“{escape(text)}” costs {_loss(heard.log_probs, labels):.2f} nats"
    except ValueError as error:
        picture, verdict = "", f"This can't be aligned: {escape(str(error))}"
    greedy = greedy_decode(heard.log_probs[None], torch.tensor([len(heard.log_probs)]))[0]
    read = alphabet.encode("") if not greedy else torch.tensor(greedy)
    return (
        f'<div aria-live="polite" style="background:{PAPER};color:{INK};padding:12px;border-radius:6px;'
        f'font:14px/1.5 system-ui,sans-serif;overflow-x:auto">{picture}<div>{verdict}; the network itself reads '
        f"“{escape(alphabet.decode(greedy))}”, which costs {_loss(heard.log_probs, read):.2f}.</div></div>"
    )


def _svg(heard: Heard, spans: list[Span], alphabet: Alphabet, frame_ms: float) -> str:
    frames = len(heard.log_probs)
    step = WIDTH / frames
    words = word_spans(spans, alphabet=alphabet)
    spoken = ", ".join(
        f"{word} from {a * frame_ms / 1000:.2f} s to {b * frame_ms / 1000:.2f} s" for word, a, b in words
    )
    parts = [
        f'<image href="{_spectrogram(heard.features)}" width="{WIDTH}" height="{PICTURE}" preserveAspectRatio="none"/>'
    ]
    for word, start, end in words:
        x, width, y = start * step, (end - start) * step, PICTURE + 2
        parts.append(f'<rect x="{x:.1f}" y="{y}" width="{width:.1f}" height="{ROW - 4}" rx="3" fill="{WORD}"/>')
        parts.append(_text(x + width / 2, y + ROW - 10, word, INK))
    for span in spans:
        x, y = (span.start + span.end) / 2 * step, PICTURE + ROW
        opacity = 0.25 + 0.75 * _sure(span)
        parts.append(
            f'<line x1="{x:.1f}" x2="{x:.1f}" y1="0" y2="{PICTURE}" stroke="#ffffff" stroke-opacity="{opacity:.2f}"/>'
        )
        parts.append(_text(x, y + ROW - 10, alphabet.decode([span.label]).replace(" ", "·"), LETTER))
    for tenth in range(0, int(frames * frame_ms / 500) + 1):
        x = tenth * 500 / frame_ms * step
        parts.append(
            _text(x, PICTURE + 3 * ROW - 6, f"{tenth / 2:g} s", INK, anchor="start" if tenth == 0 else "middle")
        )
    return (
        f'<svg role="img" aria-label="Alignment: {escape(spoken)}" width="{WIDTH}" height="{PICTURE + 3 * ROW}" '
        f'style="font:13px system-ui,sans-serif;max-width:none">{"".join(parts)}</svg>'
    )


def _text(x: float, y: float, text: str, color: str, *, anchor: str = "middle") -> str:
    return f'<text x="{x:.1f}" y="{y}" text-anchor="{anchor}" fill="{color}">{escape(text)}</text>'


def _spectrogram(features: Tensor) -> str:
    """Log-mel frames as a gray picture, low tones at the bottom, as a data URI."""
    low, high = features.quantile(0.02), features.quantile(0.995)
    gray = ((features - low) / (high - low).clamp(min=1e-6)).clamp(0, 1)
    pixels = (30 + 200 * gray).round().to(torch.uint8).T.flip(0).contiguous()
    stream = BytesIO()
    Image.fromarray(pixels.numpy()).save(stream, format="png")
    return "data:image/png;base64," + base64.b64encode(stream.getvalue()).decode("ascii")


def _sure(span: Span) -> float:
    return float(torch.tensor(span.log_prob).exp())


def _loss(log_probs: Tensor, labels: Tensor) -> float:
    lengths = torch.tensor([len(log_probs)]), torch.tensor([len(labels)])
    return F.ctc_loss(log_probs[:, None], labels[None], *lengths, reduction="sum").item()
