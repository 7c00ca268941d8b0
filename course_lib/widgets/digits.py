"""An explorer for lesson 01: move, invert and blur a digit with noise, and see what each reader takes it for.

A reader is a function from images `(n, height, width)` to what it reads: classes `(n,)`, or probabilities
`(n, classes)` if it has any.
"""

from html import escape

import ipywidgets
import torch
import torch.nn.functional as F

INK, PAPER = "#1c2430", "#ffffff"  # dark on light in both of JupyterLab's themes, at 4.5:1 or better
RIGHT, WRONG, BAR, TRACK = "#1a7f4b", "#b3261e", "#0072B2", "#e7ebef"
STYLE = f"display:flex;flex-wrap:wrap;gap:16px;padding:14px;border-radius:6px;background:{PAPER};color:{INK};"


def alter(images, *, right=0, down=0, inverted=False, noise=0.0, seed=0):
    """Move digits, turn ink into paper, add noise: in this order, as a careless scanner would.

    Args:
        images: ink in [0, 1], shape `(..., height, width)`.
        right: pixels to the right, negative to the left; what leaves the picture is lost.
        down: pixels down, negative up.
        inverted: whether ink and paper change places.
        noise: standard deviation of what is added to each pixel; the sum is cut to [0, 1].
        seed: of the noise.

    Returns:
        New images of the same shape.
    """
    height, width = images.shape[-2:]
    top, left = min(max(-down, -height), height), min(max(-right, -width), width)
    altered = F.pad(images, (-left, left, -top, top))  # negative padding cuts
    if inverted:
        altered = 1 - altered
    if noise:
        generator = torch.Generator().manual_seed(seed)
        altered = altered + noise * torch.randn(altered.shape, generator=generator)
    return altered.clamp(0, 1)


def describe_digit(image, label, readers):
    """What each reader says about one digit, in words: the explorer's text twin.

    Args:
        image: ink in [0, 1], shape `(height, width)`.
        label: the digit that it is.
        readers: functions by name, each from images `(n, height, width)` to classes `(n,)` or probabilities.

    Returns:
        Lines of text: the picture as characters, then one line for each reader.
    """
    shades = " .:-=+*%@#"
    picture = ["".join(2 * shades[min(int(10 * ink), 9)] for ink in row) for row in image.tolist()]
    lines = [f"a {label}, seen as"] + [f"  |{row}|" for row in picture]
    for name, (digit, probabilities) in _read(image, readers).items():
        sure = f", {probabilities[digit]:.0%} sure" if probabilities else ""
        lines.append(f"{name}: {digit}{sure} ({'right' if digit == label else 'wrong'})")
    return "\n".join(lines)


def explore_digits(images, labels, readers):
    """Choose a digit, alter it, and watch the readers: their answers stand side by side.

    Args:
        images: ink in [0, 1], shape `(n, height, width)`.
        labels: the digits, shape `(n,)`.
        readers: functions by name, each from images `(n, height, width)` to classes `(n,)` or probabilities.

    Returns:
        A widget for the last line of a cell.
    """
    controls = {
        "number": _box(ipywidgets.BoundedIntText, "which digit", 0, len(images) - 1),
        "right": _box(ipywidgets.BoundedIntText, "pixels right", -4, 4),
        "down": _box(ipywidgets.BoundedIntText, "pixels down", -4, 4),
        "noise": _box(ipywidgets.BoundedFloatText, "noise", 0.0, 1.0, step=0.1),
        "inverted": ipywidgets.Checkbox(description="ink and paper swapped", indent=False, layout={"width": "14em"}),
    }
    view = ipywidgets.HTML()

    def draw(*_):
        chosen = {name: control.value for name, control in controls.items()}
        number = chosen.pop("number")
        view.value = _html(alter(images[number], seed=number, **chosen), int(labels[number]), readers)

    for control in controls.values():
        control.observe(draw, names="value")
    draw()
    return ipywidgets.VBox([ipywidgets.Box(list(controls.values()), layout={"flex_flow": "row wrap"}), view])


def _box(kind, description, low, high, **options):
    """A number with arrows. The sliders of ipywidgets have no name for screen readers, these have."""
    return kind(
        value=0,
        min=low,
        max=high,
        description=description,
        style={"description_width": "6em"},
        layout={"width": "11.5em"},
        **options,
    )


def _read(image, readers):
    """Name -> (digit, probabilities or None)."""
    found = {}
    for name, reader in readers.items():
        with torch.no_grad():
            said = torch.as_tensor(reader(image[None]))[0]
        found[name] = (int(said.argmax()), said.tolist()) if said.ndim else (int(said), None)
    return found


def _html(image, label, readers):
    panels = "".join(
        _panel(name, digit, probabilities, label) for name, (digit, probabilities) in _read(image, readers).items()
    )
    return (
        f'<div aria-live="polite" style="{STYLE}font:14px/1.4 system-ui,sans-serif">'
        f"<div>{_heading(f'a {label}, as they see it')}{_picture(image, label)}</div>{panels}</div>"
    )


def _heading(text):
    return f'<div style="font-weight:600;margin-bottom:6px">{escape(text)}</div>'


def _picture(image, label, size=152):
    """The digit as SVG: one square for each pixel, white ink on black."""
    height, width = image.shape
    side = size / max(height, width)
    squares = "".join(
        f'<rect x="{column * side:g}" y="{row * side:g}" width="{side + 0.2:g}" height="{side + 0.2:g}" '
        f'fill="rgb({shade},{shade},{shade})"/>'
        for row, values in enumerate((255 * image).round().int().tolist())
        for column, shade in enumerate(values)
    )
    return (
        f'<svg role="img" aria-label="The digit {label}, as altered" width="{size}" height="{size}" '
        f'style="border:1px solid {INK};border-radius:3px">{squares}</svg>'
    )


def _panel(name, digit, probabilities, label):
    color, mark, word = (RIGHT, "✓", "right") if digit == label else (WRONG, "✗", "wrong")
    verdict = (
        f'<div style="font-size:36px;line-height:1.1;font-weight:700;color:{color}">{digit}'
        f'<span style="font-size:16px"> {mark} {word}</span></div>'
    )
    bars = (
        _bars(name, probabilities)
        if probabilities
        else '<div style="max-width:7em">says a digit, not how sure it is</div>'
    )
    return f"<div>{_heading(name)}{verdict}{bars}</div>"


def _bars(name, probabilities):
    """Probabilities as SVG bars, one row for each class, with their numbers in the text alternative."""
    spoken = ", ".join(f"{digit}: {share:.0%}" for digit, share in enumerate(probabilities))
    rows = "".join(
        f'<text x="0" y="{15 * digit + 11}" font-size="12" fill="{INK}">{digit}</text>'
        f'<rect x="16" y="{15 * digit + 2}" width="84" height="10" fill="{TRACK}"/>'
        f'<rect x="16" y="{15 * digit + 2}" width="{84 * share:.1f}" height="10" fill="{BAR}"/>'
        f'<text x="105" y="{15 * digit + 11}" font-size="12" fill="{INK}">{share:.0%}</text>'
        for digit, share in enumerate(probabilities)
    )
    return (
        f'<svg role="img" aria-label="Probabilities by {escape(name)}: {spoken}" width="138" '
        f'height="{15 * len(probabilities)}" style="font-family:system-ui,sans-serif">{rows}</svg>'
    )
