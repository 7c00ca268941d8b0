"""An explorer for lesson 06: move the threshold, and see who is found, who is missed, and what it costs."""

import math
from html import escape

import ipywidgets
import torch

from course_lib.metrics import roc_curve

INK, PAPER, GRID = "#1c2430", "#ffffff", "#d9dee3"
RIGHT, WRONG, CURVE, POINT = "#1a7f4b", "#b3261e", "#0072B2", "#b3261e"
STYLE = f"display:flex;flex-wrap:wrap;gap:24px;padding:14px;border-radius:6px;background:{PAPER};color:{INK};"
SIDE, MARGIN = 200, 34  # of the ROC picture


def count_decisions(scores, labels, *, threshold):
    """What happens if everybody from this score on is called ill.

    Args:
        scores: the higher, the more likely ill, shape `(n,)`.
        labels: 1 for ill, 0 for healthy, shape `(n,)`.
        threshold: on the scale of the scores.

    Returns:
        A dict: how many are "found", "missed", "false alarms" and "cleared".
    """
    called, ill = torch.as_tensor(scores) >= threshold, torch.as_tensor(labels) == 1
    counts = {"found": called & ill, "missed": ~called & ill, "false alarms": called & ~ill, "cleared": ~called & ~ill}
    return {name: int(which.sum()) for name, which in counts.items()}


def describe_threshold(scores, labels, *, threshold, miss_cost=20):
    """What one threshold does, in words and numbers: the explorer's text twin.

    Args:
        scores: probabilities, shape `(n,)`.
        labels: 1 for ill, 0 for healthy, shape `(n,)`.
        threshold: whoever reaches it is called ill.
        miss_cost: how many false alarms are as bad as one miss.

    Returns:
        Lines of text.
    """
    counts = count_decisions(scores, labels, threshold=threshold)
    found, missed, alarms, cleared = counts.values()
    rates = ", ".join(f"{name} {_share(rate)}" for name, rate in _rates(counts).items())
    return (
        f"threshold {threshold:.2f}\n"
        f"  of {found + missed} ill: {found} found, {missed} missed\n"
        f"  of {alarms + cleared} healthy: {alarms} false alarms, {cleared} cleared\n"
        f"  {rates}\n"
        f"  cost: {miss_cost} × {missed} + {alarms} = {miss_cost * missed + alarms}"
    )


def explore_threshold(scores, labels, *, threshold=0.5, miss_cost=20):
    """Choose a threshold and the price of a miss; the confusion matrix, the rates and the point on the curve follow.

    Args:
        scores: probabilities, shape `(n,)`.
        labels: 1 for ill, 0 for healthy, shape `(n,)`.
        threshold: where to begin.
        miss_cost: how many false alarms are as bad as one miss, to begin with.

    Returns:
        A widget for the last line of a cell.
    """
    curve = roc_curve(torch.as_tensor(scores), torch.as_tensor(labels))
    box = {"style": {"description_width": "8em"}, "layout": {"width": "14em"}}
    chosen = ipywidgets.BoundedFloatText(value=threshold, min=0.0, max=1.0, step=0.01, description="threshold", **box)
    price = ipywidgets.BoundedIntText(value=miss_cost, min=1, max=1000, description="a miss costs", **box)
    cheapest = ipywidgets.Button(description="go to the cheapest", layout={"width": "12em"})
    view = ipywidgets.HTML()

    def draw(*_):
        view.value = _html(scores, labels, curve, threshold=chosen.value, miss_cost=price.value)

    def go(_):
        chosen.value = cheapest_threshold(scores, labels, miss_cost=price.value)

    chosen.observe(draw, names="value")
    price.observe(draw, names="value")
    cheapest.on_click(go)
    draw()
    controls = ipywidgets.Box([chosen, price, cheapest], layout={"flex_flow": "row wrap"})
    explorer = ipywidgets.VBox([controls, view])
    explorer.add_class("course-threshold")
    return explorer


def cheapest_threshold(scores, labels, *, miss_cost):
    """The threshold, in hundredths, at which misses and false alarms cost least; the highest one among equals."""

    def cost(threshold):
        counts = count_decisions(scores, labels, threshold=threshold)
        return miss_cost * counts["missed"] + counts["false alarms"]

    return min((hundredth / 100 for hundredth in range(100, -1, -1)), key=cost)


def _rates(counts):
    found, missed, alarms, cleared = counts.values()

    def share(part, whole):
        return part / whole if whole else math.nan

    return {
        "recall": share(found, found + missed),
        "false alarm rate": share(alarms, alarms + cleared),
        "precision": share(found, found + alarms),
        "accuracy": share(found + cleared, sum(counts.values())),
    }


def _share(value):
    return "–" if math.isnan(value) else f"{value:.1%}"


def _html(scores, labels, curve, *, threshold, miss_cost):
    counts = count_decisions(scores, labels, threshold=threshold)
    rates = _rates(counts)
    cost = miss_cost * counts["missed"] + counts["false alarms"]
    lines = "".join(f"<div>{name}: <b>{_share(value)}</b></div>" for name, value in rates.items())
    return (
        f'<div role="status" style="{STYLE}font:14px/1.5 system-ui,sans-serif">{_table(counts)}'
        f"<div>{lines}<div>cost in false alarms: <b>{cost}</b></div></div>"
        f"{_roc(curve, rates['false alarm rate'], rates['recall'])}</div>"
    )


def _table(counts):
    def cell(name, color):
        return (
            f'<td style="padding:8px 14px;text-align:center;border:1px solid {GRID};color:{color}">'
            f'<span style="font-size:22px;font-weight:700">{counts[name]}</span><br>{escape(name)}</td>'
        )

    style = f'style="padding:6px 10px;text-align:left;color:{INK}"'
    return (
        f'<table style="border-collapse:collapse;color:{INK};background:{PAPER}"><caption style="color:{INK}">'
        f'Who is called ill</caption><tr><td></td><th scope="col" {style}>called ill</th>'
        f'<th scope="col" {style}>called healthy</th></tr>'
        f'<tr><th scope="row" {style}>ill</th>{cell("found", RIGHT)}{cell("missed", WRONG)}</tr>'
        f'<tr><th scope="row" {style}>healthy</th>{cell("false alarms", WRONG)}{cell("cleared", RIGHT)}</tr></table>'
    )


def _roc(curve, false_alarm_rate, recall):
    """The ROC curve as SVG, with the point of the threshold on it."""

    def place(across, up):
        return f"{MARGIN + SIDE * across:.1f},{SIDE * (1 - up) + 8:.1f}"

    points = " ".join(place(float(across), float(up)) for across, up in zip(curve[1], curve[2], strict=True))
    x, y = place(false_alarm_rate, recall).split(",")
    words = f"ROC curve. This threshold: false alarm rate {false_alarm_rate:.0%}, recall {recall:.0%}"
    text = f'font-size="12" fill="{INK}"'
    return (
        f'<svg role="img" aria-label="{words}" width="{SIDE + MARGIN + 10}" height="{SIDE + 44}" '
        f'style="font-family:system-ui,sans-serif">'
        f'<rect x="{MARGIN}" y="8" width="{SIDE}" height="{SIDE}" fill="none" stroke="{GRID}"/>'
        f'<polyline points="{place(0, 0)} {place(1, 1)}" fill="none" stroke="{GRID}" stroke-dasharray="4 4"/>'
        f'<polyline points="{points}" fill="none" stroke="{CURVE}" stroke-width="2"/>'
        f'<circle cx="{x}" cy="{y}" r="6" fill="{POINT}"/>'
        f'<text x="{MARGIN}" y="{SIDE + 24}" {text}>0</text>'
        f'<text x="{MARGIN + SIDE - 8}" y="{SIDE + 24}" {text}>1</text>'
        f'<text x="{MARGIN + 52}" y="{SIDE + 38}" {text}>false alarm rate</text>'
        f'<text x="22" y="{SIDE // 2 + 30}" {text} transform="rotate(-90 22 {SIDE // 2 + 30})">recall</text></svg>'
    )
