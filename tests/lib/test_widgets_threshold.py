"""The threshold explorer of lesson 06: its counts, its text twin, and the widget itself."""

import itertools
import re

import pytest
import sklearn.metrics
import torch

from course_lib.metrics import roc_curve
from course_lib.widgets import threshold as explorer
from course_lib.widgets.threshold import cheapest_threshold, count_decisions, describe_threshold, explore_threshold

SCORES = torch.tensor([0.9, 0.6, 0.6, 0.4, 0.2])
LABELS = torch.tensor([1, 1, 0, 0, 1])


@pytest.fixture
def widget():
    box = explore_threshold(SCORES, LABELS, threshold=0.5, miss_cost=20)
    controls, view = box.children
    return {control.description: control for control in controls.children}, view


def test_whoever_reaches_the_threshold_is_called_ill():
    counts = count_decisions(SCORES, LABELS, threshold=0.6)
    assert counts == {"found": 2, "missed": 1, "false alarms": 1, "cleared": 1}


@pytest.mark.parametrize("seed", range(4))
def test_the_curve_passes_through_scikit_learns_points(seed):
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(2, (60,), generator=generator)
    scores = (torch.rand(60, generator=generator) * 8).floor() / 8 + 0.2 * labels
    false_rate, recall, thresholds = sklearn.metrics.roc_curve(labels, scores, drop_intermediate=False)
    ours = roc_curve(scores, labels)
    for mine, theirs in zip(ours, (thresholds, false_rate, recall), strict=True):
        assert mine.tolist() == pytest.approx(theirs.tolist(), abs=1e-6)


def test_the_text_twin_says_it_in_words():
    assert describe_threshold(SCORES, LABELS, threshold=0.5, miss_cost=20).splitlines() == [
        "threshold 0.50",
        "  of 3 ill: 2 found, 1 missed",
        "  of 2 healthy: 1 false alarms, 1 cleared",
        "  recall 66.7%, false alarm rate 50.0%, precision 66.7%, accuracy 60.0%",
        "  cost: 20 × 1 + 1 = 21",
    ]


def test_a_rate_that_is_none_is_said_so():
    assert "precision –" in describe_threshold(SCORES, LABELS, threshold=1.0)


@pytest.mark.parametrize("miss_cost", [1, 3, 20])
def test_the_cheapest_threshold_is_the_cheapest_of_all(miss_cost):
    def cost(threshold):
        counts = count_decisions(SCORES, LABELS, threshold=threshold)
        return miss_cost * counts["missed"] + counts["false alarms"]

    best = min(cost(hundredth / 100) for hundredth in range(101))
    assert cost(cheapest_threshold(SCORES, LABELS, miss_cost=miss_cost)) == best


def test_each_control_says_what_it_does(widget):
    assert list(widget[0]) == ["threshold", "a miss costs", "go to the cheapest"]


def test_a_new_threshold_and_a_new_price_redraw_everything(widget):
    controls, view = widget
    assert "cost in false alarms: <b>21</b>" in view.value
    controls["threshold"].value = 0.1
    assert "recall: <b>100.0%</b>" in view.value and "cost in false alarms: <b>2</b>" in view.value
    controls["threshold"].value = 0.95
    controls["a miss costs"].value = 7
    assert "cost in false alarms: <b>21</b>" in view.value


def test_the_button_goes_to_the_cheapest_threshold(widget):
    controls, view = widget
    controls["go to the cheapest"].click()
    assert controls["threshold"].value == cheapest_threshold(SCORES, LABELS, miss_cost=20)
    assert "cost in false alarms: <b>2</b>" in view.value


def test_the_point_lies_on_the_curve(widget):
    controls, view = widget
    for threshold in (0.95, 0.7, 0.5, 0.3, 0.1):
        controls["threshold"].value = threshold
        (corners,) = re.findall(r'<polyline points="([^"]+)" fill="none" stroke="#0072B2"', view.value)
        point = re.search(r'<circle cx="([\d.]+)" cy="([\d.]+)"', view.value).groups()
        assert ",".join(point) in corners.split()


def test_the_picture_has_words(widget):
    assert re.search(r'<svg role="img" aria-label="ROC curve\. [^"]+recall 67%"', widget[1].value)


def contrast(first, second):
    """Contrast of two colors. Source: WCAG 2.2, https://www.w3.org/TR/WCAG22/#dfn-contrast-ratio"""

    def luminance(color):
        parts = [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    dark, light = sorted([luminance(first), luminance(second)])
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("color", [explorer.INK, explorer.RIGHT, explorer.WRONG])
def test_text_stands_out_from_its_background(color):
    assert contrast(color, explorer.PAPER) >= 4.5


def test_every_pair_of_equal_scores_makes_one_point():
    thresholds, false_rate, recall = roc_curve(SCORES, LABELS)
    assert len(thresholds) == 1 + len(set(SCORES.tolist()))
    assert all(a <= b for a, b in itertools.pairwise(false_rate.tolist()))
    assert (recall[0], recall[-1], false_rate[-1]) == (0, 1, 1)
