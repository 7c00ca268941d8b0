"""How many labels does which method need? Ask the curves that were measured."""

import math
from html import escape

import ipywidgets as widgets

WIDTH, HEIGHT = 660, 330
LEFT, RIGHT, TOP, BOTTOM = 62, 190, 34, 52  # pixels around the plot
INK, PAPER, LINE, CHOSEN = "#1c2430", "#ffffff", "#c3cad3", "#b3261e"
COLORS = ("#0b5fa5", "#a34700", "#00694b", "#8a3c6e", "#1c2430", "#5b4b00")  # each at 4.5:1 or better on white
MARKS = "●■▲◆▼★"

Results = dict[str, dict[int, list[float]]]


def advice(results, *, labels, wanted):
    """What the measurements say about one budget and one aim, sentence by sentence.

    Args:
        results: for each method, by labels per class, the accuracies of several seeds, from 0 to 1.
        labels: labels per class that you have; one of those measured.
        wanted: the accuracy that you need, from 0 to 1.

    Returns:
        One sentence for the budget, one for each method, one for the aim.

    Raises:
        ValueError: nothing was measured, the methods differ in their budgets, or the budget is none of them.
    """
    budgets = _budgets(results)
    if labels not in budgets:
        raise ValueError(f"labels is {labels}, but measured were {budgets}: take one of these")
    means = {method: _mean(curve[labels]) for method, curve in results.items()}
    best = max(means, key=means.get)
    sentences = [f"With {labels} labels per class, {best} does best."]
    for method, mean in sorted(means.items(), key=lambda each: -each[1]):
        low, high = min(results[method][labels]), max(results[method][labels])
        enough = [budget for budget in budgets if _mean(results[method][budget]) >= wanted]
        needs = f"{enough[0]} labels are enough" if enough else f"{budgets[-1]} labels are not enough"
        sentences.append(f"{method}: {mean:.1%} (from {low:.1%} to {high:.1%}); for {wanted:.0%}, {needs}.")
    return sentences


def print_label_budget(results, *, wanted=0.7):
    """Print what the measurements say about every budget: the text twin of `LabelBudget`.

    Args:
        results: for each method, by labels per class, the accuracies of several seeds, from 0 to 1.
        wanted: the accuracy that you need, from 0 to 1.

    Raises:
        ValueError: nothing was measured, or the methods differ in their budgets.
    """
    for labels in _budgets(results):
        print("\n  ".join(advice(results, labels=labels, wanted=wanted)))


class LabelBudget(widgets.VBox):
    """Choose how many labels you have and which accuracy you need; read which method gets you there.

    Args:
        results: for each method, by labels per class, the accuracies of several seeds, from 0 to 1; six methods at
            most.
        wanted: the accuracy to begin with, from 0 to 1.

    Raises:
        ValueError: nothing was measured, or the methods differ in their budgets.
    """

    def __init__(self, results: Results, *, wanted: float = 0.7):
        budgets = _budgets(results)
        self._results = results
        self._labels = widgets.Dropdown(options=budgets, value=budgets[0], description="Labels per class")
        self._wanted = widgets.BoundedIntText(
            value=round(100 * wanted), min=0, max=100, step=5, description="Accuracy wanted (%)"
        )
        for setting in (self._labels, self._wanted):
            setting.style.description_width = "initial"
            setting.layout.width = "15em"
            setting.observe(self._show, names="value")
        self._sentences, self._picture = widgets.HTML(), widgets.HTML()
        settings = widgets.HBox([self._labels, self._wanted], layout=widgets.Layout(flex_flow="row wrap"))
        super().__init__([settings, self._sentences, self._picture])
        self.add_class("course-label-budget")
        self._show()

    def _show(self, change=None):
        labels, wanted = self._labels.value, self._wanted.value / 100
        first, *others = (escape(each) for each in advice(self._results, labels=labels, wanted=wanted))
        items = "".join(f"<li>{each}</li>" for each in others)
        self._sentences.value = (
            '<div role="status" style="background:#f4f5f7;color:#1c2430;padding:.5em .8em;border-radius:4px;'
            f'line-height:1.5;font-size:14px"><b>{first}</b><ul style="margin:.2em 0 0 1.2em">{items}</ul></div>'
        )
        self._picture.value = draw_label_budget(self._results, labels=labels, wanted=wanted)


def draw_label_budget(results, *, labels, wanted):
    """Draw the mean of each method over the budgets, with bars from the least to the most, and the choice as lines.

    Args:
        results: for each method, by labels per class, the accuracies of several seeds.
        labels: the budget that is chosen.
        wanted: the accuracy that is needed.

    Returns:
        The SVG element, as text.
    """
    budgets = _budgets(results)
    first, last = math.log(budgets[0]), math.log(budgets[-1])

    def x(budget):
        return LEFT + (math.log(budget) - first) / ((last - first) or 1) * (WIDTH - LEFT - RIGHT)

    def y(share):
        return TOP + (1 - share) * (HEIGHT - TOP - BOTTOM)

    parts = [_text(LEFT, 18, "Accuracy on new classes, by method (%)", weight="bold")]
    for percent in range(0, 101, 20):
        height = y(percent / 100)
        parts.append(_line(LEFT, height, WIDTH - RIGHT, height, color=LINE))
        parts.append(_text(LEFT - 8, height + 4, percent, anchor="end"))
    parts += [_text(x(budget), HEIGHT - BOTTOM + 20, budget, anchor="middle") for budget in budgets]
    parts.append(_text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 10, "labels per class", anchor="middle"))
    parts.append(_line(x(labels), TOP, x(labels), HEIGHT - BOTTOM, color=CHOSEN, dashed=True))
    parts.append(_line(LEFT, y(wanted), WIDTH - RIGHT, y(wanted), color=CHOSEN, dashed=True))
    for method, color in zip(results, COLORS, strict=False):
        points = [(x(budget), y(_mean(results[method][budget]))) for budget in budgets]
        path = " ".join(f"{across:.1f},{down:.1f}" for across, down in points)
        parts.append(f'<polyline points="{path}" fill="none" stroke="{color}" stroke-width="2"/>')
        for budget, (across, down) in zip(budgets, points, strict=True):
            bar = (y(min(results[method][budget])), y(max(results[method][budget])))
            parts.append(_line(across, bar[0], across, bar[1], color=color, width=3))
            parts.append(_mark(results, method, across, down, color))
    parts += _legend(results)
    words = escape(" ".join(advice(results, labels=labels, wanted=wanted)))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" aria-label="{words}" width="{WIDTH}" height="{HEIGHT}" '
        f'viewBox="0 0 {WIDTH} {HEIGHT}" font-family="system-ui, sans-serif" font-size="12" '
        f'style="max-width:100%;height:auto"><rect width="{WIDTH}" height="{HEIGHT}" rx="6" fill="{PAPER}"/>'
        f"{''.join(parts)}</svg>"
    )


def _legend(results):
    parts = []
    for number, (method, color) in enumerate(zip(results, COLORS, strict=False)):
        down = TOP + 24 * number + 10
        parts.append(_mark(results, method, WIDTH - RIGHT + 22, down, color))
        parts.append(_text(WIDTH - RIGHT + 34, down + 4, method))
    return parts


def _mark(results, method, across, down, color):
    mark = MARKS[list(results).index(method)]
    return _text(across, down + 4.5, mark, anchor="middle", color=color, size=13)


def _budgets(results):
    """The labels per class that all methods were measured with, in ascending order."""
    sets = {tuple(sorted(curve)) for curve in results.values()}
    if len(sets) != 1 or not (budgets := sets.pop()) or len(results) > len(MARKS):
        raise ValueError(
            f"got {len(results)} methods with {len(sets)} different lists of budgets, expected one to {len(MARKS)} "
            "methods, all measured with the same labels per class"
        )
    return list(budgets)


def _mean(shares):
    return sum(shares) / len(shares)


def _line(x1, y1, x2, y2, *, color, width=1.2, dashed=False):
    dash = ' stroke-dasharray="5 4"' if dashed else ""
    ends = f'x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"'
    return f'<line {ends} stroke="{color}" stroke-width="{width}"{dash}/>'


def _text(x, y, text, *, anchor="start", color=INK, size=12, weight="normal"):
    style = f'text-anchor="{anchor}" fill="{color}" font-size="{size}" font-weight="{weight}"'
    return f'<text x="{x:.1f}" y="{y:.1f}" {style}>{escape(str(text))}</text>'
