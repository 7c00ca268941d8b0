"""Figures: one style for the whole course, colors that everybody can tell apart, and a text for those who don't look.

Importing this module sets the style. Functions that draw return Axes; `show` puts a figure on the page.
"""

import base64
import html
from io import BytesIO

import matplotlib.pyplot as plt
import numpy as np
from cycler import cycler
from IPython.display import display
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image

# Source: Okabe & Ito 2008, "Color Universal Design", https://jfly.uni-koeln.de/color/
PALETTE = {
    "blue": "#0072B2",
    "vermillion": "#D55E00",
    "green": "#009E73",
    "purple": "#CC79A7",
    "orange": "#E69F00",
    "sky": "#56B4E9",
    "black": "#000000",
    "yellow": "#F0E442",
}
INK = "#24292F"  # text
GRID = "#D9DEE3"  # lines that guide the eye and stay behind the data
SCREEN_DPI = 100  # how large a figure is on the page: one inch is 100 CSS pixels
PIXEL_DENSITY = 2  # image pixels per CSS pixel, so that lines are crisp on dense screens

plt.rcParams.update(
    {
        "figure.dpi": SCREEN_DPI,
        "figure.facecolor": "white",  # also where the notebook's theme is dark
        "figure.figsize": (7.0, 3.6),
        "figure.constrained_layout.use": True,
        "figure.constrained_layout.h_pad": 0.08,  # inches around each plot
        "figure.constrained_layout.w_pad": 0.08,
        "figure.titlesize": 13,
        "figure.titleweight": "bold",
        "font.family": "DejaVu Sans",  # comes with matplotlib: the same letters on every machine
        "font.size": 10,
        "text.color": INK,
        "axes.prop_cycle": cycler(color=[color for name, color in PALETTE.items() if name != "yellow"]),
        "axes.edgecolor": INK,
        "axes.labelcolor": INK,
        "axes.labelsize": 10,
        "axes.titlesize": 11,
        "axes.titleweight": "bold",
        "axes.titlepad": 8,
        "axes.axisbelow": True,
        "axes.grid": True,
        "axes.grid.axis": "y",
        "axes.spines.top": False,
        "axes.spines.right": False,
        "grid.color": GRID,
        "grid.linewidth": 0.8,
        "xtick.color": INK,
        "ytick.color": INK,
        "xtick.labelsize": 9,
        "ytick.labelsize": 9,
        "legend.frameon": False,
        "legend.fontsize": 9,
        "lines.linewidth": 2.0,
        "lines.markersize": 5,
        "image.cmap": "gray",
        "image.interpolation": "nearest",
    }
)


class Picture:
    """A figure as the page shows it: an image with its alternative text, and only the text where images don't show."""

    def __init__(self, png, *, alt, width):
        self.png, self.alt, self.width = png, alt, width

    def _repr_html_(self):
        data = base64.b64encode(self.png).decode("ascii")
        return (
            f'<img src="data:image/png;base64,{data}" alt="{html.escape(self.alt)}" '
            f'width="{self.width}" style="max-width:100%;height:auto">'
        )

    def __repr__(self):
        return self.alt


def show(figure_or_axes, *, alt):
    """Put a figure on the page, with a text that says what there is to see, and close it.

    Args:
        figure_or_axes: a matplotlib Figure, or Axes of the figure to show.
        alt: what the figure shows, in words, for those who can't see it; never empty.

    Raises:
        TypeError: the first argument is neither a Figure nor Axes.
        ValueError: the alternative text is empty.
    """
    if not isinstance(figure_or_axes, (Figure, Axes)):
        raise TypeError(f"show() got {type(figure_or_axes).__name__}, expected a matplotlib Figure or Axes: pass one")
    if not alt.strip():
        raise ValueError("show() got an empty alt, expected a sentence: say what the figure shows")
    figure = figure_or_axes if isinstance(figure_or_axes, Figure) else figure_or_axes.figure
    png = _draw(figure)
    plt.close(figure)
    display(Picture(png, alt=alt, width=round(figure.get_figwidth() * SCREEN_DPI)))


def _draw(figure):
    """The figure as PNG of 256 colors, a third of the size; no version or date inside: same figure, same bytes."""
    full, small = BytesIO(), BytesIO()
    figure.savefig(full, format="png", dpi=SCREEN_DPI * PIXEL_DENSITY)
    colors = Image.open(full).convert("RGB").quantize(256, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    colors.save(small, format="png", optimize=True)
    return small.getvalue()


def show_images(images, *, titles=None, alt, columns=None):
    """Show pictures side by side, all on one gray scale, so that equal grays are equal values.

    Args:
        images: one picture `(h, w)`, several `(n, h, w)`, or a list of them (axes of length 1 are dropped); tensors
            or arrays; the largest value is white.
        titles: one text or number per picture.
        alt: what there is to see, in words.
        columns: pictures per row; by default as many as there are, ten at most.

    Raises:
        ValueError: a picture isn't two-dimensional, or there is not one title per picture.
    """
    pictures = _as_pictures(images)
    titles = [""] * len(pictures) if titles is None else [str(title) for title in titles]
    if len(titles) != len(pictures):
        raise ValueError(f"show_images() got {len(titles)} titles for {len(pictures)} images: give one each")
    columns = min(len(pictures), columns or 10)
    rows = -(-len(pictures) // columns)
    side = 1.6 if columns <= 4 else 6.8 / columns  # inches
    title_height = 0.3 * (1 + max(title.count("\n") for title in titles)) if any(titles) else 0.1
    figure, grid = plt.subplots(rows, columns, figsize=(columns * side, rows * (side + title_height)), squeeze=False)
    low = min(picture.min() for picture in pictures)
    high = max(picture.max() for picture in pictures)
    for axes, picture, title in zip(grid.flat, pictures, titles, strict=False):
        axes.imshow(picture, vmin=low, vmax=high)
        axes.set_title(title, fontsize=9, fontweight="normal", pad=4)
        axes.set(xticks=[], yticks=[])
        axes.spines[:].set(visible=True, color=GRID)  # a white picture has an edge too
    for axes in grid.flat[len(pictures) :]:
        axes.axis("off")
    show(figure, alt=alt)


def _as_pictures(images):
    """A list of two-dimensional arrays from whatever `show_images` is given."""
    if not isinstance(images, (list, tuple)):
        images = [images] if np.ndim(images) == 2 else list(images)
    pictures = [np.squeeze(np.asarray(image, dtype=float)) for image in images]
    shapes = [picture.shape for picture in pictures if picture.ndim != 2]
    if shapes or not pictures:
        got = f"one of shape {shapes[0]}" if shapes else "none"
        raise ValueError(f"show_images() got {got}, expected pictures of shape (h, w): index or reshape first")
    return pictures


def plot_confusion(matrix, *, class_names=None, title, axes=None):
    """Draw a confusion matrix with its counts; the darker a cell, the larger its share of the row.

    Args:
        matrix: counts, shape `(classes, classes)`; row = true class, column = predicted class. Tensor or array.
        class_names: one per class; by default 0, 1, 2 ...
        title: what was classified, by whom.
        axes: where to draw; by default a figure of its own.

    Returns:
        The Axes.

    Raises:
        ValueError: the matrix isn't square.
    """
    counts = np.asarray(matrix)
    if counts.ndim != 2 or counts.shape[0] != counts.shape[1]:
        raise ValueError(f"plot_confusion() got shape {counts.shape}, expected (classes, classes)")
    if axes is None:
        _, axes = plt.subplots(figsize=(4.6, 4.8))
    share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)  # a class without examples stays white
    axes.imshow(share, cmap="Blues", vmin=0, vmax=1)
    for (row, column), count in np.ndenumerate(counts):
        if count:
            color = "white" if share[row, column] > 0.5 else INK
            axes.text(column, row, f"{count:g}", ha="center", va="center", color=color, fontsize=8)
    names = range(len(counts)) if class_names is None else class_names
    axes.set_xticks(range(len(counts)), names)
    axes.set_yticks(range(len(counts)), names)
    axes.set(title=title, xlabel="predicted class", ylabel="true class")
    axes.tick_params(length=0)
    axes.grid(False)
    axes.spines[:].set_visible(False)
    return axes
