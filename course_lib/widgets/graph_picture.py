"""Draw a graph of computed numbers as SVG: leaves on the left, the output on the right, a column for each level.

A node is a number here: its place in an order in which each node stands after all of its parents.
"""

from html import escape
from itertools import pairwise

WIDTH, HEIGHT = 132, 62  # of a node's box, in pixels
COLUMN, ROW = WIDTH + 94, HEIGHT + 22
MARGIN, SLOT = 14, 24  # SLOT: between two edges that enter the same node
INK, QUIET, PAPER = "#1c2430", "#4a5568", "#ffffff"
LEAF, CURRENT, CURRENT_EDGE = "#eef2f6", "#fff3c4", "#9a5b00"
VALUE, GRADIENT = "#0b5394", "#a3260a"  # each text on each fill at 4.5:1 or better


def draw_graph(parents, titles, *, values, gradients, flows, current, caption):
    """Draw a graph as it stands at one moment.

    Args:
        parents: for each node, the list of its parents.
        titles: what stands in the first line of each node, such as "m = w * x".
        values: the values as texts, by node; absent ones are drawn as a dot.
        gradients: the gradients, likewise.
        flows: what flows back along an edge, as texts, by `(node, position among its parents)`.
        current: the node to highlight, or None.
        caption: what the picture shows, in words, for those who can't see it.

    Returns:
        The SVG element, as text.
    """
    places = _arrange(parents)
    width = max(x for x, _ in places.values()) + WIDTH + MARGIN
    height = max(y for _, y in places.values()) + HEIGHT + MARGIN
    parts = [f'<rect width="{width}" height="{height}" rx="6" fill="{PAPER}"/>']
    edges = [(node, position) for node in range(len(parents)) for position in range(len(parents[node]))]
    routes = {edge: _route(*edge, parents, places) for edge in edges}
    parts += [_line(routes[edge], is_current=edge[0] == current) for edge in edges]
    parts += [_flow(routes[edge], flows[edge]) for edge in edges if edge in flows]
    for node, title in enumerate(titles):
        fill = CURRENT if node == current else LEAF if not parents[node] else PAPER
        parts.append(_box(places[node], title, values.get(node, "·"), gradients.get(node, "·"), fill=fill))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" aria-label="{escape(caption)}" width="{width}" '
        f'height="{height}" viewBox="0 0 {width} {height}" font-family="system-ui, sans-serif" font-size="13" '
        f'style="max-width:100%;height:auto">{"".join(parts)}</svg>'
    )


def _arrange(parents):
    """The upper left corner of each node, and of each bend `(node, parent, column)` of an edge across a column."""
    levels = _levels(parents)
    columns = [[] for _ in range(max(levels) + 1)]
    neighbors = {}
    for node, level in enumerate(levels):
        columns[level].append(node)
        for parent in set(parents[node]):
            bends = _bends(node, parent, levels)
            for bend in bends:
                columns[bend[2]].append(bend)
            for left, right in pairwise([parent, *bends, node]):
                neighbors.setdefault(left, []).append(right)
                neighbors.setdefault(right, []).append(left)
    rows = _rows(columns, neighbors)
    top = min(rows.values())
    return {
        item: (MARGIN + column * COLUMN, round(MARGIN + (rows[item] - top) * ROW))
        for column, items in enumerate(columns)
        for item in items
    }


def _levels(parents):
    """The column of each node: right of all its parents; a leaf stands just left of the first node that uses it."""
    levels = []
    for its_parents in parents:
        levels.append(max((levels[parent] + 1 for parent in its_parents), default=0))
    for node, its_parents in enumerate(parents):
        if not its_parents:
            levels[node] = min((levels[user] - 1 for user, used in enumerate(parents) if node in used), default=0)
    return levels


def _bends(node, parent, levels):
    return [(node, parent, column) for column in range(levels[parent] + 1, levels[node])]


def _rows(columns, neighbors):
    """The row of each item: column by column, back and forth, items are sorted by the mean row of their neighbors."""
    rows = {item: row - (len(items) - 1) / 2 for items in columns for row, item in enumerate(items)}

    def mean_row(item):
        others = neighbors.get(item, [item])
        return sum(rows[other] for other in others) / len(others)

    for sweep in range(8):
        for items in columns if sweep % 2 else reversed(columns):
            items.sort(key=mean_row)
            rows.update({item: row - (len(items) - 1) / 2 for row, item in enumerate(items)})
    return rows


def _route(node, position, parents, places):
    """The points that an edge runs through, from its parent's right side to the node's left side."""
    parent = parents[node][position]
    bends = sorted(item for item in places if isinstance(item, tuple) and item[:2] == (node, parent))

    def comes_from(other):
        last = [item for item in places if isinstance(item, tuple) and item[:2] == (node, parents[node][other])]
        return places[max(last) if last else parents[node][other]][1], other

    slots = sorted(range(len(parents[node])), key=comes_from)
    shift = SLOT * (slots.index(position) - (len(slots) - 1) / 2)
    start_shift = shift if parents[node].count(parent) > 1 else 0
    (x, y), (end_x, end_y) = places[parent], places[node]
    points = [(x + WIDTH, y + HEIGHT / 2 + start_shift)]
    for bend_x, bend_y in map(places.get, bends):
        points += [(bend_x, bend_y + HEIGHT / 2), (bend_x + WIDTH, bend_y + HEIGHT / 2)]
    return [*points, (end_x, end_y + HEIGHT / 2 + shift)]


def _line(points, *, is_current):
    path = f"M{points[0][0]} {points[0][1]:g}"
    for (x1, y1), (x2, y2) in pairwise(points):
        middle = (x1 + x2) / 2
        path += f" C{middle:g} {y1:g} {middle:g} {y2:g} {x2} {y2:g}"
    color, width = (CURRENT_EDGE, 2.5) if is_current else (QUIET, 1.5)
    (tip_x, tip_y) = points[-1]
    arrow = f'<path d="M{tip_x} {tip_y:g} l-8 -4 v8 z" fill="{color}"/>'
    return f'<path d="{path}" fill="none" stroke="{color}" stroke-width="{width}"/>{arrow}'


def _flow(points, text):
    """The gradient on its way back: a label on the edge's last stretch, near the node, where edges keep apart."""
    (x1, y1), (x2, y2) = points[-2:]
    x, y, width = x1 + 0.56 * (x2 - x1), y1 + 0.72 * (y2 - y1), 8 * len(text) + 22
    return (
        f'<rect x="{x - width / 2:g}" y="{y - 10:g}" width="{width}" height="20" rx="10" fill="{PAPER}" '
        f'stroke="{GRADIENT}"/>' + _text(x, y + 4.5, f"← {text}", color=GRADIENT, anchor="middle")
    )


def _box(corner, title, value, gradient, *, fill):
    x, y = corner
    edge, width = (CURRENT_EDGE, 3) if fill == CURRENT else (QUIET, 1.2)
    squeeze = f' textLength="{WIDTH - 12}" lengthAdjust="spacingAndGlyphs"' if len(title) > 16 else ""
    return (
        f'<rect x="{x}" y="{y}" width="{WIDTH}" height="{HEIGHT}" rx="6" fill="{fill}" stroke="{edge}" '
        f'stroke-width="{width}"/>'
        + _text(x + WIDTH / 2, y + 18, title, color=INK, anchor="middle", weight="bold", extra=squeeze)
        + _text(x + 10, y + 36, "value", color=QUIET)
        + _text(x + WIDTH - 10, y + 36, value, color=VALUE, anchor="end", weight="bold")
        + _text(x + 10, y + 53, "gradient", color=QUIET)
        + _text(x + WIDTH - 10, y + 53, gradient, color=GRADIENT, anchor="end", weight="bold")
    )


def _text(x, y, text, *, color, anchor="start", weight="normal", extra=""):
    look = f'fill="{color}" text-anchor="{anchor}" font-weight="{weight}"{extra}'
    return f'<text x="{x:g}" y="{y:g}" {look}>{escape(text)}</text>'
