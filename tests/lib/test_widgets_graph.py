"""The graph stepper of lesson 02: its walk, its picture, its buttons, its text twin."""

import math
import re
from types import SimpleNamespace
from xml.etree import ElementTree

import ipywidgets as widgets
import pytest

from course_lib.exercises.registry import load_lesson
from course_lib.widgets import graph_picture
from course_lib.widgets.graph import Graph, GraphStepper, show_graph, trace_graph, walk

REFERENCES = {name: exercise.reference for name, exercise in load_lesson("backprop").exercises.items()}
RULE = REFERENCES["backward_rule"]


class Node(SimpleNamespace):
    """A node as the lesson has them; two nodes are equal only if they are one."""

    __hash__, __eq__ = object.__hash__, object.__eq__


def leaf(label, data):
    return Node(data=data, parents=[], operation="", label=label, grad=0.0)


def compute(label, operation, *parents):
    compute_ = {"+": lambda a, b: a + b, "*": lambda a, b: a * b, "tanh": math.tanh}[operation]
    data = compute_(*[parent.data for parent in parents])
    return Node(data=data, parents=list(parents), operation=operation, label=label, grad=0.0)


def squared_error():
    m = compute("m", "*", leaf("w", 2.0), leaf("x", 3.0))
    e = compute("e", "+", m, leaf("-t", -4.0))
    return compute("loss", "*", e, e)


def short_and_long_way():
    h = compute("h", "*", leaf("a", 0.5), leaf("b", -1.0))
    return compute("out", "+", h, compute("v", "tanh", compute("u", "tanh", h)))


def button(stepper, description):
    (found,) = [child for child in stepper.children[0].children if child.description == description]
    return found


def sentence(stepper):
    return stepper.children[1].value


def picture(stepper):
    return ElementTree.fromstring(stepper.children[2].value)


def test_a_sentence_says_in_words_and_numbers_what_happens():
    sentences = [step.sentence for step in walk(Graph(squared_error()), RULE)]
    assert sentences[0] == "The leaves hold their numbers: w = 2, x = 3, -t = -4."
    assert sentences[1] == "Forwards: m = w * x = 2 * 3 = 6."
    assert "1 × 2 = 2 to e; 1 × 2 = 2 to e, which now has 2 + 2 = 4" in sentences[5]
    assert sentences[7] == "Backwards: m has received 4. It passes upstream × slope: 4 × 3 = 12 to w; 4 × 2 = 8 to x."
    assert sentences[-1] == "Done. The slopes of loss at the leaves: 12 for w, 8 for x, 4 for -t."


@pytest.mark.parametrize("make", [squared_error, short_and_long_way])
def test_the_walk_ends_with_the_gradients_of_backpropagation(make):
    root = make()
    graph = Graph(root)
    end = walk(graph, RULE)[-1]
    root.grad = 1.0
    REFERENCES["backpropagate"](graph.nodes, RULE)
    assert [end.gradients[place] for place in range(len(graph.nodes))] == [node.grad for node in graph.nodes]


def test_the_walk_leaves_the_nodes_as_they_were():
    root = squared_error()
    walk(Graph(root), RULE)
    assert all(node.grad == 0.0 for node in Graph(root).nodes)


def test_the_buttons_lead_from_the_first_step_to_the_last_and_not_beyond():
    stepper = GraphStepper(squared_error(), RULE)
    last = len(walk(Graph(squared_error()), RULE)) - 1
    seen = []
    for description in ("Step", "Step", "Back", "Last", "Step", "First", "Back"):
        button(stepper, description).click()
        seen.append(int(re.search(r"<b>(\d+) of", sentence(stepper))[1]))
    assert seen == [1, 2, 1, last, last, 0, 0]


def test_step_by_step_one_comes_to_the_end():
    stepper = GraphStepper(squared_error(), RULE)
    for _ in walk(Graph(squared_error()), RULE):
        button(stepper, "Step").click()
    assert "Done." in sentence(stepper)


def test_every_step_has_a_place_in_the_list_and_shows_its_own_sentence():
    stepper = GraphStepper(short_and_long_way(), RULE)
    steps = walk(Graph(short_and_long_way()), RULE)
    (places,) = [child for child in stepper.children[0].children if isinstance(child, widgets.Dropdown)]
    for place, step in enumerate(steps):
        places.value = place
        assert step.sentence in sentence(stepper)
        assert step.sentence in picture(stepper).get("aria-label")


def test_the_picture_is_an_image_with_a_name_and_shows_each_gradient_on_its_edge():
    stepper = GraphStepper(squared_error(), RULE)
    assert "←" not in stepper.children[2].value
    button(stepper, "Last").click()
    svg = picture(stepper)
    texts = [element.text for element in svg.iter("{http://www.w3.org/2000/svg}text")]
    assert svg.get("role") == "img"
    assert sorted(text for text in texts if "←" in text) == ["← 12", "← 2", "← 2", "← 4", "← 4", "← 8"]
    assert "m = w * x" in texts


def test_values_appear_only_once_they_are_computed():
    stepper = GraphStepper(squared_error(), RULE)
    unknown = stepper.children[2].value.count(">·<")
    button(stepper, "Step").click()
    assert stepper.children[2].value.count(">·<") == unknown - 1


def test_the_styles_have_hooks_for_tests_and_themes():
    stepper = GraphStepper(squared_error(), RULE)
    assert "course-graph" in stepper._dom_classes
    assert "course-graph-sentence" in stepper.children[1]._dom_classes
    assert "course-graph-picture" in stepper.children[2]._dom_classes


@pytest.mark.parametrize("make", [squared_error, short_and_long_way])
def test_no_box_covers_another_one_or_a_bend(make):
    corners = list(graph_picture._arrange(Graph(make()).parents).values())
    for i, (x, y) in enumerate(corners):
        for other_x, other_y in corners[:i]:
            assert abs(x - other_x) >= graph_picture.WIDTH or abs(y - other_y) >= graph_picture.HEIGHT


def test_edges_run_from_left_to_right():
    graph = Graph(short_and_long_way())
    levels = graph_picture._levels(graph.parents)
    assert all(levels[parent] < levels[node] for node, used in enumerate(graph.parents) for parent in used)


def test_every_text_stands_out_from_every_fill():
    texts = [graph_picture.INK, graph_picture.QUIET, graph_picture.VALUE, graph_picture.GRADIENT]
    fills = [graph_picture.PAPER, graph_picture.LEAF, graph_picture.CURRENT]
    assert min(contrast(text, fill) for text in texts for fill in fills) >= 4.5


def contrast(one, other):
    """Source: WCAG 2.2, definition of contrast ratio and relative luminance."""
    low, high = sorted(map(luminance, (one, other)))
    return (high + 0.05) / (low + 0.05)


def luminance(color):
    channels = [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_the_text_twin_prints_every_step(capsys):
    trace_graph(squared_error(), RULE)
    printed = capsys.readouterr().out.splitlines()
    steps = walk(Graph(squared_error()), RULE)
    assert [line.split(". ", 1)[1] for line in printed] == [step.sentence for step in steps]


def test_a_shown_graph_has_its_numbers_in_the_alternative_text(capsys):
    root = squared_error()
    root.parents[0].grad = 4.0
    show_graph(root)
    assert "m = w * x = 6; -t = -4; e = m + -t = 2, gradient 4; loss = e * e = 4" in capsys.readouterr().out


def test_nodes_without_a_label_get_a_name():
    root = squared_error()
    for node in Graph(root).nodes:
        del node.label
    assert Graph(root).titles == ["2", "3", "n2 = 2 * 3", "-4", "n4 = n2 + -4", "n5 = n4 * n4"]


def test_what_is_no_node_is_refused_with_the_way_out():
    with pytest.raises(TypeError, match="got float, expected a node"):
        GraphStepper(3.0, RULE)


def test_a_graph_too_large_for_a_picture_is_refused():
    node = leaf("a", 0.5)
    for i in range(40):
        node = compute(f"n{i}", "tanh", node)
    with pytest.raises(ValueError, match="got a graph of 41 nodes, expected at most 40"):
        show_graph(node)


def test_a_rule_that_returns_too_little_is_named():
    with pytest.raises(ValueError, match=r"the rule for '\*' returned None, expected a list of 2"):
        trace_graph(squared_error(), lambda operation, inputs, output, upstream: None)
