"""The attention explorer of lesson 10: its sentence, its picture, its buttons, its text twin."""

from xml.etree import ElementTree

import ipywidgets as widgets
import pytest
import torch

from course_lib.widgets.attention import AttentionExplorer, draw_look, look, trace_attention

SVG = "{http://www.w3.org/2000/svg}"
WORDS = ["turn", "off", "the", "<lamp>"]
FIRST = [[0.7, 0.1, 0.2, 0.0], [0.25, 0.25, 0.25, 0.25], [0.0, 0.0, 1.0, 0.0], [0.0, 0.9, 0.0, 0.1]]
MAPS = {"block 1, head 1": torch.tensor(FIRST), "block 1, head 2": torch.eye(4)}


def control(explorer, description):
    (found,) = [each for each in explorer.children[0].children if each.description == description]
    return found


def sentence(explorer):
    return explorer.children[1].value


def test_a_sentence_names_the_most_looked_at_first():
    assert look(WORDS, FIRST, place=0) == "1 'turn' looks at 1 'turn' 70%, 3 'the' 20%, 2 'off' 10%"
    assert look(WORDS, FIRST, place=3, top=1) == "4 '<lamp>' looks at 2 'off' 90%"


def test_the_text_twin_prints_every_word(capsys):
    trace_attention(WORDS, MAPS["block 1, head 1"], top=2)
    expected = [look(WORDS, torch.tensor(FIRST), place=place, top=2) for place in range(4)]
    assert capsys.readouterr().out.splitlines() == expected


def test_the_buttons_lead_from_the_first_word_to_the_last_and_not_beyond():
    explorer, seen = AttentionExplorer(WORDS, MAPS), []
    for _ in range(5):
        seen.append(control(explorer, "Word").value)
        control(explorer, "Next").click()
    for _ in range(5):
        control(explorer, "Back").click()
    assert seen == [0, 1, 2, 3, 3]
    assert control(explorer, "Word").value == 0


def test_another_head_is_another_map():
    explorer = AttentionExplorer(WORDS, MAPS)
    control(explorer, "Word").value = 3
    assert "&#x27;off&#x27; 90%" in sentence(explorer)
    control(explorer, "Head").value = "block 1, head 2"
    assert "&#x27;&lt;lamp&gt;&#x27; 100%" in sentence(explorer)


def test_bars_and_lines_are_as_large_as_the_weights():
    svg = ElementTree.fromstring(draw_look(WORDS, FIRST, place=0))
    bars = [float(rect.get("height")) for rect in svg.iter(f"{SVG}rect") if rect.get("fill") == "#0072b2"]
    assert [bar / bars[0] for bar in bars] == pytest.approx([1, 1 / 7, 2 / 7, 0], abs=1e-3)
    widths = [float(line.get("stroke-width")) for line in svg.iter(f"{SVG}line")]
    assert widths == sorted(widths, key=lambda width: [7.3, 1.9, 2.8].index(width)) and len(widths) == 3


def test_everything_drawn_lies_inside_the_picture_and_it_has_words():
    for words in (WORDS, ["a"], ["television"] * 24):
        svg = ElementTree.fromstring(draw_look(words, torch.eye(len(words)).tolist(), place=0))
        assert svg.get("aria-label").startswith("1 '")
        for rect in svg.iter(f"{SVG}rect"):
            x, y, width, height = (float(rect.get(name, 0)) for name in ("x", "y", "width", "height"))
            assert x >= 0 and y >= 0
            assert x + width <= float(svg.get("width")) and y + height <= float(svg.get("height"))
        for text in svg.iter(f"{SVG}text"):
            assert 0 < float(text.get("y")) < float(svg.get("height"))


def test_every_control_has_a_name():
    explorer = AttentionExplorer(WORDS, MAPS)
    controls = explorer.children[0].children
    assert [each.description for each in controls if isinstance(each, widgets.Dropdown)] == ["Head", "Word"]
    assert all(each.tooltip for each in controls if isinstance(each, widgets.Button))
    assert "course-attention" in explorer._dom_classes


def test_what_does_not_fit_together_is_refused_with_the_way_out():
    with pytest.raises(ValueError, match="got 3 rows for 4 words, expected as many rows and columns as words: cut"):
        AttentionExplorer(WORDS, {"a": torch.eye(3)})
    with pytest.raises(ValueError, match="don't fit: got 4 rows for 4 words"):
        trace_attention(WORDS, torch.ones(4, 5))
    with pytest.raises(ValueError, match="got 25 words and 1 heads, expected 1 to 24 words"):
        AttentionExplorer(["a"] * 25, {"a": torch.eye(25)})
    with pytest.raises(ValueError, match=r"got 4 words and 0 heads, .* at least one head"):
        AttentionExplorer(WORDS, {})
