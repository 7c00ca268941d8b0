"""Choose a head and a word, and see where it looks."""

from html import escape

import ipywidgets as widgets

MAX_PLACES = 24  # more than that fits no page
LETTER, PAD, GAP = 8.2, 12, 6  # pixels: a letter's width, a box' padding, between boxes
BOX, ROOM, BAR = 26, 74, 70  # pixels: height of a box, of the room for lines, of the longest bar
INK, PAPER, LINE, LOOKS, CURRENT = "#1c2430", "#ffffff", "#8792a0", "#0072b2", "#b3261e"


def look(words, weights, *, place, top=3):
    """Where one place looks, in words.

    Args:
        words: what stands at each place.
        weights: of one head, `(time, time)`: rows look, columns are looked at; a tensor or a list of rows.
        place: the row.
        top: how many places to name, the most looked at first.

    Returns:
        A sentence such as "5 'hall' looks at 3 'off' 81%, 5 'hall' 12%"; places count from 1.

    Raises:
        ValueError: words and weights don't fit together, or there are too many of them.
    """
    words, rows = _checked(words, {"": weights})
    row = rows[""][place]
    order = sorted(range(len(words)), key=lambda other: -row[other])[:top]
    seen = ", ".join(f"{_name(words, other)} {row[other]:.0%}" for other in order)
    return f"{_name(words, place)} looks at {seen}"


def trace_attention(words, weights, *, top=3):
    """Print where each place looks: the text twin of `AttentionExplorer`.

    Args:
        words: what stands at each place.
        weights: of one head, `(time, time)`: rows look, columns are looked at; a tensor or a list of rows.
        top: how many places to name for each, the most looked at first.

    Raises:
        ValueError: words and weights don't fit together, or there are too many of them.
    """
    for place in range(len(words)):
        print(look(words, weights, place=place, top=top))


class AttentionExplorer(widgets.VBox):
    """Choose a head, and step from word to word: lines and bars show where each one looks.

    Args:
        words: what stands at each place, at most 24.
        maps: weights by the head's name, each `(time, time)`: rows look, columns are looked at, each row sums to 1.

    Raises:
        ValueError: words and weights don't fit together, there are too many of them, or there is no head.
    """

    def __init__(self, words, maps):
        self._words, self._maps = _checked(words, maps)
        self._head = widgets.Dropdown(options=list(self._maps), description="Head")
        self._place = widgets.Dropdown(
            options=[(_name(self._words, place), place) for place in range(len(self._words))], description="Word"
        )
        buttons = [
            self._button("Back", "Go to the word before", -1),
            self._button("Next", "Go to the next word", 1),
        ]
        self._sentence, self._picture = widgets.HTML(), widgets.HTML()
        row = widgets.HBox([self._head, self._place, *buttons], layout=widgets.Layout(flex_flow="row wrap"))
        super().__init__([row, self._sentence, self._picture])
        for widget, name in ((self, ""), (self._sentence, "-sentence"), (self._picture, "-picture")):
            widget.add_class(f"course-attention{name}")
        for control in (self._head, self._place):
            control.layout.width = "auto"
            control.observe(self._show, names="value")
        self._show()

    def _button(self, description, tooltip, step):
        def move(_):
            self._place.value = min(max(self._place.value + step, 0), len(self._words) - 1)

        button = widgets.Button(description=description, tooltip=tooltip, layout=widgets.Layout(width="5em"))
        button.on_click(move)
        return button

    def _show(self, change=None):
        weights, place = self._maps[self._head.value], self._place.value
        sentence = look(self._words, weights, place=place)
        self._sentence.value = (
            '<div role="status" style="background:#f4f5f7;color:#1c2430;padding:.5em .8em;border-radius:4px;'
            f'line-height:1.5;font-size:14px;white-space:normal">{escape(sentence)}</div>'
        )
        self._picture.value = draw_look(self._words, weights, place=place)


def draw_look(words, weights, *, place):
    """Draw who looks above, who is looked at below, lines between them, and a bar for each weight.

    Args:
        words: what stands at each place.
        weights: rows of numbers from 0 to 1.
        place: who looks.

    Returns:
        The SVG element, as text.
    """
    row, lefts, widths = weights[place], [], []
    x = GAP
    for word in words:
        lefts.append(x)
        widths.append(max(len(word) * LETTER + PAD, 44))  # room for "100%"
        x += widths[-1] + GAP
    middles = [left + width / 2 for left, width in zip(lefts, widths, strict=True)]
    below = GAP + BOX + ROOM
    parts = []
    for other, weight in enumerate(row):
        if weight >= 0.005:
            parts.append(
                f'<line x1="{middles[place]:g}" y1="{GAP + BOX}" x2="{middles[other]:g}" y2="{below}" stroke="{LOOKS}" '
                f'stroke-width="{1 + 9 * weight:.2f}" stroke-opacity="{0.25 + 0.75 * weight:.2f}"/>'
            )
    for other, word in enumerate(words):
        looks = other == place
        parts.append(_box(lefts[other], GAP, widths[other], word, edge=CURRENT if looks else LINE, bold=looks))
        parts.append(_box(lefts[other], below, widths[other], word, edge=LINE, bold=False))
        top = below + BOX + 4
        parts.append(
            f'<rect x="{lefts[other] + 6:g}" y="{top}" width="{widths[other] - 12:g}" height="{BAR * row[other]:.2f}" '
            f'fill="{LOOKS}"/>'
        )
        parts.append(_text(middles[other], top + BAR * row[other] + 16, f"{row[other]:.0%}"))
    height = below + BOX + BAR + 28
    label = escape(look(words, weights, place=place, top=len(words)))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" aria-label="{label}" width="{x:g}" height="{height}" '
        f'viewBox="0 0 {x:g} {height}" font-family="system-ui, sans-serif" font-size="13" '
        f'style="max-width:100%;height:auto"><rect width="{x:g}" height="{height}" rx="6" fill="{PAPER}"/>'
        f"{''.join(parts)}</svg>"
    )


def _checked(words, maps):
    """Words as texts and maps as lists of rows, if they fit together."""
    words = [str(word) for word in words]
    if not 1 <= len(words) <= MAX_PLACES or not maps:
        raise ValueError(
            f"got {len(words)} words and {len(maps)} heads, expected 1 to {MAX_PLACES} words and at least one head: "
            "pass a shorter sentence, and its weights by name"
        )
    rows = {name: weights.tolist() if hasattr(weights, "tolist") else weights for name, weights in maps.items()}
    for name, weights in rows.items():
        sizes = {len(row) if isinstance(row, list | tuple) else None for row in weights}
        if len(weights) != len(words) or sizes != {len(words)}:
            raise ValueError(
                f"the weights of head {name!r} don't fit: got {len(weights)} rows for {len(words)} words, expected as "
                "many rows and columns as words: cut the padding off, and pass one head of one sentence"
            )
    return words, rows


def _name(words, place):
    return f"{place + 1} '{words[place]}'"


def _box(x, y, width, word, *, edge, bold):
    frame = f'<rect x="{x:g}" y="{y}" width="{width:g}" height="{BOX}" rx="4" fill="{PAPER}" stroke="{edge}" '
    frame += f'stroke-width="{3 if bold else 1}"/>'
    return frame + _text(x + width / 2, y + BOX / 2 + 5, word, bold=bold)


def _text(x, y, text, *, bold=False):
    weight = ' font-weight="bold"' if bold else ""
    return f'<text x="{x:g}" y="{y:g}" fill="{INK}" text-anchor="middle"{weight}>{escape(text)}</text>'
