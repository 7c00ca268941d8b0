"""The label-budget explorer of lesson 11: its words, its picture, its settings, its text twin."""

from xml.etree import ElementTree

import pytest

from course_lib.widgets.label_budget import COLORS, LabelBudget, advice, draw_label_budget, print_label_budget

SVG = "{http://www.w3.org/2000/svg}"
RESULTS = {
    "from scratch": {5: [0.10, 0.14], 20: [0.20, 0.30], 100: [0.80, 0.90]},
    "linear probe": {5: [0.60, 0.62], 20: [0.70, 0.74], 100: [0.75, 0.75]},
}


def controls(explorer):
    return {each.description: each for each in explorer.children[0].children}


def test_the_words_say_who_is_best_by_how_much_and_what_is_enough():
    assert advice(RESULTS, labels=20, wanted=0.71) == [
        "With 20 labels per class, linear probe does best.",
        "linear probe: 72.0% (from 70.0% to 74.0%); for 71%, 20 labels are enough.",
        "from scratch: 25.0% (from 20.0% to 30.0%); for 71%, 100 labels are enough.",
    ]
    assert advice(RESULTS, labels=100, wanted=0.8)[0] == "With 100 labels per class, from scratch does best."
    assert advice(RESULTS, labels=5, wanted=0.8)[1].endswith("for 80%, 100 labels are not enough.")


def test_the_settings_change_words_and_picture():
    explorer = LabelBudget(RESULTS, wanted=0.5)
    for labels in (5, 100, 20):
        for wanted in (30, 80):
            controls(explorer)["Labels per class"].value = labels
            controls(explorer)["Accuracy wanted (%)"].value = wanted
            sentences = advice(RESULTS, labels=labels, wanted=wanted / 100)
            assert all(sentence in explorer.children[1].value for sentence in sentences)
            assert ElementTree.fromstring(explorer.children[2].value).get("aria-label") == " ".join(sentences)


def test_each_mean_stands_at_its_height_and_each_bar_spans_the_seeds():
    svg = ElementTree.fromstring(draw_label_budget(RESULTS, labels=5, wanted=0.5))
    (scale,) = [float(each.get("y")) - 4 for each in svg.iter(f"{SVG}text") if each.text == "0"]
    (top,) = [
        float(each.get("y")) - 4 for each in svg.iter(f"{SVG}text") if each.text == "100" and float(each.get("x")) < 60
    ]
    for method, curve in zip(svg.iter(f"{SVG}polyline"), RESULTS.values(), strict=True):
        shares = [(scale - float(each.split(",")[1])) / (scale - top) for each in method.get("points").split()]
        assert shares == pytest.approx([sum(values) / 2 for values in curve.values()], abs=0.002)
    bars = [each for each in svg.iter(f"{SVG}line") if each.get("stroke") in COLORS]
    spans = [tuple((scale - float(each.get(end))) / (scale - top) for end in ("y1", "y2")) for each in bars]
    expected = [(min(values), max(values)) for curve in RESULTS.values() for values in curve.values()]
    for span, (low, high) in zip(spans, expected, strict=True):
        assert span == pytest.approx((low, high), abs=0.002)


def test_every_control_has_a_name():
    explorer = LabelBudget(RESULTS)
    assert set(controls(explorer)) == {"Labels per class", "Accuracy wanted (%)"}
    assert "course-label-budget" in explorer._dom_classes


def test_the_text_twin_prints_every_budget(capsys):
    print_label_budget(RESULTS, wanted=0.6)
    expected = [line for labels in (5, 20, 100) for line in advice(RESULTS, labels=labels, wanted=0.6)]
    assert [line.strip() for line in capsys.readouterr().out.splitlines()] == expected


def test_what_can_not_be_compared_is_refused():
    for results in ({}, {"a": {}}, {"a": {5: [0.1]}, "b": {6: [0.1]}}):
        with pytest.raises(ValueError, match="all measured with the same labels per class"):
            LabelBudget(results)
    with pytest.raises(ValueError, match=r"labels is 7, but measured were \[5, 20, 100\]"):
        advice(RESULTS, labels=7, wanted=0.5)


def test_one_budget_can_be_drawn():
    svg = ElementTree.fromstring(draw_label_budget({"a & b": {5: [0.5, 0.7]}}, labels=5, wanted=1.0))
    assert len(list(svg.iter(f"{SVG}polyline"))) == 1
