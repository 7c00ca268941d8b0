"""Move a kernel over a small image, and watch each pixel of the answer being made."""

from dataclasses import dataclass
from html import escape

import ipywidgets as widgets

MAX_SIDE, MAX_KERNEL = 12, 5  # more than that fits no page
STRIDES, PADDINGS = (1, 2, 3), (0, 1, 2)
CELL, PRODUCT, GAP, TITLE = 34, 44, 30, 26  # pixels: a cell, a cell that holds a product, between grids, above a grid
INK, PAPER, LINE, OUTSIDE, CURRENT = "#1c2430", "#ffffff", "#8792a0", "#e6ebf0", "#b3261e"


@dataclass(frozen=True)
class Place:
    """One place of the kernel, and the pixel of the answer that comes of it.

    Attributes:
        row: of the answer.
        column: of the answer.
        top: the image's row below the kernel's first row; negative in the padding.
        left: the image's column, likewise.
        patch: the numbers below the kernel, row by row; 0 in the padding.
        products: each of them times its cell of the kernel.
        total: the sum of the products.
        sentence: what happens, in words and numbers.
    """

    row: int
    column: int
    top: int
    left: int
    patch: list[list[float]]
    products: list[list[float]]
    total: float
    sentence: str


def walk(image, kernel, *, stride=1, padding=0):
    """Every place of a kernel on an image, from the upper left to the lower right.

    Args:
        image: gray values, shape `(h, w)`, at most 12 on a side; a tensor or a list of rows.
        kernel: shape `(kh, kw)`, at most 5 on a side and not larger than the image.
        stride: pixels from one place to the next.
        padding: zeros around the image.

    Returns:
        A list of `Place`.

    Raises:
        ValueError: one of the two is no grid of numbers, is too large to be drawn, or the kernel doesn't fit.
    """
    image = _grid(image, name="image", largest=MAX_SIDE)
    kernel = _grid(kernel, name="kernel", largest=MAX_KERNEL)
    if len(kernel) > len(image) or len(kernel[0]) > len(image[0]):
        sizes = f"a kernel of {len(kernel)}x{len(kernel[0])} for an image of {len(image)}x{len(image[0])}"
        raise ValueError(f"got {sizes}, expected one that fits: take a smaller kernel")
    tops, lefts = (
        range(-padding, side + padding - cells + 1, stride)
        for side, cells in ((len(image), len(kernel)), (len(image[0]), len(kernel[0])))
    )
    return [
        _place(image, kernel, row=row, column=column, top=top, left=left)
        for row, top in enumerate(tops)
        for column, left in enumerate(lefts)
    ]


def trace_kernel(image, kernel, *, stride=1, padding=0):
    """Print how each pixel of the answer is made: the text twin of `KernelStepper`.

    Args:
        image: gray values, shape `(h, w)`, at most 12 on a side; a tensor or a list of rows.
        kernel: shape `(kh, kw)`, at most 5 on a side and not larger than the image.
        stride: pixels from one place to the next.
        padding: zeros around the image.

    Raises:
        ValueError: one of the two is no grid of numbers, is too large to be drawn, or the kernel doesn't fit.
    """
    for place in walk(image, kernel, stride=stride, padding=padding):
        print(place.sentence)


class KernelStepper(widgets.VBox):
    """Move a kernel over an image by buttons; choose the kernel, the stride and the padding.

    Args:
        image: gray values, shape `(h, w)`, at most 12 on a side; a tensor or a list of rows.
        kernels: kernels by name, each of shape `(kh, kw)`, at most 5 on a side and not larger than the image.

    Raises:
        ValueError: something is no grid of numbers, is too large to be drawn, a kernel doesn't fit, or there is none.
    """

    def __init__(self, image, kernels):
        if not kernels:
            raise ValueError("got no kernel, expected at least one: pass {'edge': [[-1, 1]]}")
        self._image = _grid(image, name="image", largest=MAX_SIDE)
        self._kernels = {name: _grid(kernel, name="kernel", largest=MAX_KERNEL) for name, kernel in kernels.items()}
        for kernel in self._kernels.values():
            walk(self._image, kernel)
        self._kernel = widgets.Dropdown(options=list(self._kernels), description="Kernel")
        self._stride = widgets.Dropdown(options=STRIDES, value=1, description="Stride")
        self._padding = widgets.Dropdown(options=PADDINGS, value=0, description="Padding")
        self._number = widgets.Dropdown(description="Go to")
        self._sentence, self._picture = widgets.HTML(), widgets.HTML()
        for setting in (self._kernel, self._stride, self._padding):
            setting.layout.width = "auto"
            setting.observe(self._start, names="value")
        moves = [
            self._button("First", "Go to the first place", lambda number: 0),
            self._button("Back", "Go one place back", lambda number: number - 1),
            self._button("Step", "Go one place on", lambda number: number + 1),
            self._button("Last", "Go to the last place", lambda number: len(self._places) - 1),
            self._number,
        ]
        settings = [self._kernel, self._stride, self._padding]
        rows = [widgets.HBox(row, layout=widgets.Layout(flex_flow="row wrap")) for row in (settings, moves)]
        super().__init__([*rows, self._sentence, self._picture])
        for widget, name in ((self, ""), (self._sentence, "-sentence"), (self._picture, "-picture")):
            widget.add_class(f"course-kernel{name}")
        self._start()
        self._number.observe(self._show, names="value")

    def _button(self, description, tooltip, target):
        def move(_):
            self._number.value = min(max(target(self._number.value), 0), len(self._places) - 1)

        button = widgets.Button(description=description, tooltip=tooltip, layout=widgets.Layout(width="5em"))
        button.on_click(move)
        return button

    def _start(self, change=None):
        """Begin anew with the kernel, the stride and the padding that are chosen."""
        kernel = self._kernels[self._kernel.value]
        self._places = walk(self._image, kernel, stride=self._stride.value, padding=self._padding.value)
        self._number.options = [
            (f"row {place.row}, column {place.column}", number) for number, place in enumerate(self._places)
        ]
        self._number.value = 0
        self._show()

    def _show(self, change=None):
        number = self._number.value
        place = self._places[number]
        self._sentence.value = (
            '<div role="status" style="background:#f4f5f7;color:#1c2430;padding:.5em .8em;border-radius:4px;'
            'line-height:1.5;min-height:3em;font-size:14px;white-space:normal">'
            f"<b>{number + 1} of {len(self._places)}.</b> {escape(place.sentence)}</div>"
        )
        kernel = self._kernels[self._kernel.value]
        self._picture.value = draw_place(self._image, kernel, self._places, number=number, padding=self._padding.value)


def draw_place(image, kernel, places, *, number, padding):
    """Draw the image with the kernel on it, the kernel, the products, and the answer as far as it is made.

    Args:
        image: rows of numbers.
        kernel: rows of numbers.
        places: what `walk` gives for them.
        number: how many of the places come before the one to draw.
        padding: zeros around the image.

    Returns:
        The SVG element, as text.
    """
    place, kh, kw = places[number], len(kernel), len(kernel[0])
    middle = GAP + (len(image[0]) + 2 * padding) * CELL
    right = middle + kw * PRODUCT + GAP
    rows, columns = places[-1].row + 1, places[-1].column + 1
    low, high = _range([[each.total for each in places]])
    shade = _shades(*_range([*image, [0]]))
    parts = [_text(GAP / 2, 17, "image"), _text(middle, 17, "kernel"), _text(right, 17, "answer")]
    for i in range(-padding, len(image) + padding):
        for j in range(-padding, len(image[0]) + padding):
            inside = 0 <= i < len(image) and 0 <= j < len(image[0])
            fill, text = (shade(image[i][j]), _short(image[i][j])) if inside else (OUTSIDE, "0")
            parts.append(_cell(GAP / 2 + (j + padding) * CELL, TITLE + (i + padding) * CELL, text, fill=fill))
    x, y = GAP / 2 + (place.left + padding) * CELL, TITLE + (place.top + padding) * CELL
    parts.append(_outline(x, y, kw * CELL, kh * CELL))
    parts += _numbers(kernel, middle, TITLE)
    below = TITLE + kh * CELL + TITLE + 8
    parts.append(_text(middle, below - 9, "image × kernel"))
    parts += _numbers(place.products, middle, below)
    parts.append(_text(middle, below + kh * CELL + 20, f"sum: {_number(place.total)}"))
    shade = _shades(low, high)
    for other, each in enumerate(places):
        fill, text = (shade(each.total), _short(each.total)) if other <= number else (PAPER, "·")
        parts.append(_cell(right + each.column * CELL, TITLE + each.row * CELL, text, fill=fill))
    parts.append(_outline(right + place.column * CELL, TITLE + place.row * CELL, CELL, CELL))
    width = right + max(columns, 2) * CELL + GAP / 2
    height = max(TITLE + CELL * max(len(image) + 2 * padding, rows), below + kh * CELL + 24) + 8
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" aria-label="{escape(place.sentence)}" width="{width:g}" '
        f'height="{height:g}" viewBox="0 0 {width:g} {height:g}" font-family="system-ui, sans-serif" font-size="12" '
        f'style="max-width:100%;height:auto"><rect width="{width:g}" height="{height:g}" rx="6" fill="{PAPER}"/>'
        f"{''.join(parts)}</svg>"
    )


def _grid(rows, *, name, largest):
    rows = rows.tolist() if hasattr(rows, "tolist") else rows
    try:
        grid = [[float(value) for value in row] for row in rows]
    except TypeError:
        grid = []
    sides = {len(row) for row in grid}
    if len(sides) != 1 or not 1 <= len(grid) <= largest or not 1 <= sides.pop() <= largest:
        way_out = "pass one channel, cut to size" if name == "image" else "pass one filter's slice for one channel"
        expected = f"expected rows of equal length, at most {largest} on a side"
        raise ValueError(f"the {name} can't be drawn: got {_size_of(rows)}, {expected}: {way_out}")
    return grid


def _size_of(rows):
    """What somebody passed, as a size: 3 x 5 x 5 for a tensor of color."""
    sides = []
    while isinstance(rows, list | tuple):
        sides.append(str(len(rows)))
        rows = rows[0] if rows else None
    return " x ".join(sides) or type(rows).__name__


def _place(image, kernel, *, row, column, top, left):
    def pixel(i, j):
        return image[i][j] if 0 <= i < len(image) and 0 <= j < len(image[0]) else 0.0

    kh, kw = len(kernel), len(kernel[0])
    patch = [[pixel(top + i, left + j) for j in range(kw)] for i in range(kh)]
    products = [[patch[i][j] * kernel[i][j] for j in range(kw)] for i in range(kh)]
    total = sum(map(sum, products))
    sums = " + ".join(
        "(" + " + ".join(f"{_number(patch[i][j])}·{_signed(kernel[i][j])}" for j in range(kw)) + ")" for i in range(kh)
    )
    where = f"rows {top} to {top + kh - 1}, columns {left} to {left + kw - 1}"
    sentence = f"answer[{row}, {column}], from {where} of the image: {sums} = {_number(total)}"
    return Place(row, column, top, left, patch, products, total, sentence)


def _range(rows):
    values = [value for row in rows for value in row]
    return min(values), max(values)


def _shades(low, high):
    """A function from numbers to grays, the smallest black, the largest white."""

    def shade(value):
        gray = round(255 * (value - low) / (high - low)) if high > low else 255
        return f"#{gray:02x}{gray:02x}{gray:02x}"

    return shade


def _numbers(grid, x, y):
    return [
        _cell(x + j * PRODUCT, y + i * CELL, _short(value), fill=PAPER, width=PRODUCT)
        for i, row in enumerate(grid)
        for j, value in enumerate(row)
    ]


def _cell(x, y, text, *, fill, width=CELL):
    color = PAPER if int(fill[1:3], 16) < 0x76 else "#000000"  # each reads at 4.5:1 or better on its side
    return (
        f'<rect x="{x:g}" y="{y:g}" width="{width}" height="{CELL}" fill="{fill}" stroke="{LINE}"/>'
        f'<text x="{x + width / 2:g}" y="{y + CELL / 2 + 4:g}" fill="{color}" text-anchor="middle">{text}</text>'
    )


def _outline(x, y, width, height):
    frame = f'<rect x="{x:g}" y="{y:g}" width="{width}" height="{height}" fill="none" stroke='
    return f'{frame}"{PAPER}" stroke-width="7"/>{frame}"{CURRENT}" stroke-width="3.5"/>'


def _text(x, y, text):
    return f'<text x="{x:g}" y="{y:g}" fill="{INK}" font-weight="bold" font-size="13">{escape(text)}</text>'


def _number(value):
    return f"{value + 0.0:.3g}"  # the sum makes 0 of -0


def _short(value):
    return f"{value + 0.0:.2g}"


def _signed(value):
    return f"({_number(value)})" if value < 0 else _number(value)
