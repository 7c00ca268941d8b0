"""Look at a graph of computed numbers, and walk through it: forwards with values, backwards with gradients.

A node is anything with `data`, `parents` and `operation`, such as the `Value` that lesson 02 builds; `label` and `grad`
are used if they are there. The gradients of a walk are computed on the side: the nodes are left as they were.
"""

import base64
from dataclasses import dataclass, field
from html import escape

import ipywidgets as widgets
from IPython.display import display

from course_lib.widgets.graph_picture import draw_graph

MAX_NODES = 40


@dataclass(frozen=True)
class Step:
    """One step of the walk, and how the graph stands after it.

    Attributes:
        title: a few words for the list of steps.
        sentence: what happens, in words and numbers.
        known: the places of the nodes that have their value.
        current: the place of the node that the step is about, or None.
        gradients: what each node has received, by place.
        flows: what has flown back along each edge, by `(place, position among its parents)`.
    """

    title: str
    sentence: str
    known: frozenset[int]
    current: int | None = None
    gradients: dict[int, float] = field(default_factory=dict)
    flows: dict[tuple[int, int], float] = field(default_factory=dict)


class Graph:
    """The nodes below an output, each after all of its parents; a node is then known by its place in this order."""

    def __init__(self, root):
        if not all(hasattr(root, name) for name in ("data", "parents", "operation")):
            raise TypeError(
                f"got {type(root).__name__}, expected a node with data, parents and operation: pass the loss"
            )
        nodes = _in_order(root)
        if len(nodes) > MAX_NODES:
            raise ValueError(f"got a graph of {len(nodes)} nodes, expected at most {MAX_NODES}: pass a part of it")
        places = {id(node): place for place, node in enumerate(nodes)}
        self.nodes = nodes
        self.parents = [[places[id(parent)] for parent in node.parents] for node in nodes]
        self.values = [number(node.data) for node in nodes]
        self.labels = [
            getattr(node, "label", "") or (f"n{place}" if node.parents else number(node.data))
            for place, node in enumerate(nodes)
        ]
        self.titles = [
            f"{label} = {self.formula(place, self.labels)}" if self.parents[place] else label
            for place, label in enumerate(self.labels)
        ]

    def formula(self, place, names):
        """How a node is computed, such as `w * x` or `tanh(z)`; `names` says what to write for each node."""
        operation, inputs = self.nodes[place].operation, [names[parent] for parent in self.parents[place]]
        return f"{operation}({inputs[0]})" if len(inputs) == 1 else f" {operation} ".join(inputs)


def show_graph(root):
    """Show the graph below a node as a picture: its values, and the gradients where nodes have received some.

    Args:
        root: the node that everything leads to.

    Raises:
        TypeError: `root` is no node.
        ValueError: the graph has more than 40 nodes.
    """
    graph = Graph(root)
    gradients = {place: number(node.grad) for place, node in enumerate(graph.nodes) if getattr(node, "grad", 0.0)}
    alt = "A graph of computed numbers. " + "; ".join(
        f"{title} = {value}" + (f", gradient {gradients[place]}" if place in gradients else "")
        for place, (title, value) in enumerate(zip(graph.titles, graph.values, strict=True))
    )
    values = dict(enumerate(graph.values))
    svg = draw_graph(
        graph.parents, graph.titles, values=values, gradients=gradients, flows={}, current=None, caption=alt
    )
    source = "data:image/svg+xml;base64," + base64.b64encode(svg.encode()).decode()
    picture = f'<img src="{source}" alt="{escape(alt)}" style="max-width:100%;height:auto">'
    display({"text/html": picture, "text/plain": alt}, raw=True)


def trace_graph(root, rule):
    """Print the walk through a graph, step by step: the text twin of `GraphStepper`.

    Args:
        root: the node that everything leads to.
        rule: `rule(operation, inputs, output, upstream)` gives what a node passes to each parent, a list.

    Raises:
        TypeError: `root` is no node.
        ValueError: the graph has more than 40 nodes, or the rule doesn't return one number for each parent.
    """
    for place, step in enumerate(walk(Graph(root), rule)):
        print(f"{place:2d}. {step.sentence}")


class GraphStepper(widgets.VBox):
    """Walk through a graph by buttons, forwards and backwards, with the picture and a sentence for each step.

    Args:
        root: the node that everything leads to.
        rule: `rule(operation, inputs, output, upstream)` gives what a node passes to each parent, a list.

    Raises:
        TypeError: `root` is no node.
        ValueError: the graph has more than 40 nodes, or the rule doesn't return one number for each parent.
    """

    def __init__(self, root, rule):
        self._graph = Graph(root)
        self._steps = walk(self._graph, rule)
        last = len(self._steps) - 1
        options = [(f"{place}: {step.title}", place) for place, step in enumerate(self._steps)]
        self._place = widgets.Dropdown(options=options, value=0, description="Go to")
        self._place.observe(self._show, names="value")
        self._sentence, self._picture = widgets.HTML(), widgets.HTML()
        controls = [
            self._button("First", "Go to the start", lambda place: 0),
            self._button("Back", "Go one step back", lambda place: max(place - 1, 0)),
            self._button("Step", "Go one step on", lambda place: min(place + 1, last)),
            self._button("Last", "Go to the end", lambda place: last),
            self._place,
        ]
        row = widgets.HBox(controls, layout=widgets.Layout(flex_flow="row wrap"))
        super().__init__([row, self._sentence, self._picture])
        self.add_class("course-graph")
        self._sentence.add_class("course-graph-sentence")
        self._picture.add_class("course-graph-picture")
        self._show()

    def _button(self, description, tooltip, target):
        button = widgets.Button(description=description, tooltip=tooltip, layout=widgets.Layout(width="5em"))
        button.on_click(lambda _: setattr(self._place, "value", target(self._place.value)))
        return button

    def _show(self, change=None):
        graph, step = self._graph, self._steps[self._place.value]
        self._sentence.value = (
            '<div role="status" style="background:#f4f5f7;color:#1c2430;padding:.5em .8em;border-radius:4px;'
            'line-height:1.5;min-height:3em;font-size:14px;white-space:normal">'
            f"<b>{self._place.value} of {len(self._steps) - 1}.</b> {escape(step.sentence)}</div>"
        )
        self._picture.value = draw_graph(
            graph.parents,
            graph.titles,
            values={place: graph.values[place] for place in step.known},
            gradients={place: number(gradient) for place, gradient in step.gradients.items()},
            flows={edge: number(flow) for edge, flow in step.flows.items()},
            current=step.current,
            caption=f"The graph after this step: {step.sentence}",
        )


def walk(graph, rule):
    """Every step of the way: the leaves, each operation forwards, the turn, each operation backwards, the end."""
    leaves = [place for place, parents in enumerate(graph.parents) if not parents]
    operations = [place for place, parents in enumerate(graph.parents) if parents]
    held = ", ".join(f"{graph.labels[leaf]} = {graph.values[leaf]}" for leaf in leaves)
    steps = [Step("the leaves", f"The leaves hold their numbers: {held}.", known=frozenset(leaves))]
    steps += [_forwards(graph, place, known=steps[0].known | set(range(place + 1))) for place in operations]
    steps.append(_turn(graph))
    for place in reversed(operations):
        steps.append(_backwards(graph, place, rule, before=steps[-1]))
    end = steps[-1]
    slopes = ", ".join(f"{number(end.gradients[leaf])} for {graph.labels[leaf]}" for leaf in leaves)
    sentence = f"Done. The slopes of {graph.labels[-1]} at the leaves: {slopes}."
    return [*steps, Step("the end", sentence, end.known, None, end.gradients, end.flows)]


def _forwards(graph, place, *, known):
    computed = graph.formula(place, graph.values)
    sentence = f"Forwards: {graph.titles[place]} = {computed} = {graph.values[place]}."
    return Step(f"forwards, {graph.labels[place]}", sentence, known, place)


def _turn(graph):
    last, label = len(graph.nodes) - 1, graph.labels[-1]
    sentence = f"Here the way back begins: the slope of {label} with respect to itself is 1."
    return Step("the turn", sentence, frozenset(range(last + 1)), last, gradients={last: 1.0})


def _backwards(graph, place, rule, *, before):
    gradients, flows, news = dict(before.gradients), dict(before.flows), []
    upstream = gradients[place]
    slopes, passed = (_passed(graph.nodes[place], rule, gradient) for gradient in (1.0, upstream))
    for position, parent in enumerate(graph.parents[place]):
        label, flow = graph.labels[parent], passed[position]
        news.append(f"{number(upstream)} × {number(slopes[position])} = {number(flow)} to {label}")
        if parent in gradients:
            total = f"{number(gradients[parent])} + {number(flow)} = {number(gradients[parent] + flow)}"
            news[-1] += f", which now has {total}"
        gradients[parent] = gradients.get(parent, 0.0) + flow
        flows[place, position] = flow
    label = graph.labels[place]
    sentence = f"Backwards: {label} has received {number(upstream)}. It passes upstream × slope: {'; '.join(news)}."
    return Step(f"backwards, {label}", sentence, before.known, place, gradients, flows)


def _passed(node, rule, upstream):
    inputs = [parent.data for parent in node.parents]
    passed = rule(node.operation, inputs, node.data, upstream)
    if not isinstance(passed, list | tuple) or len(passed) != len(inputs):
        expected = f"expected a list of {len(inputs)}, one number for each input: mend the rule"
        raise ValueError(f"the rule for {node.operation!r} returned {passed}, {expected}")
    return passed


def _in_order(root):
    """The nodes below the root, parents first, in the order in which they are written: left before right."""
    order, seen = [], set()

    def visit(node):
        if id(node) not in seen:
            seen.add(id(node))
            for parent in node.parents:
                visit(parent)
            order.append(node)

    visit(root)
    return order


def number(value):
    """Three digits that count: 12, 0.462, -0.0012."""
    return f"{value + 0.0:.3g}"  # the sum makes 0 of -0
