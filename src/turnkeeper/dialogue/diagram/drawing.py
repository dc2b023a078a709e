"""Draws a graph as SVG: complete in itself, readable by a screen reader, light or dark as the reader prefers.

Solid lines are what a person says or presses, dashed ones what a job or a timer does. Text is drawn as text, with
widths estimated generously, because no font is known here.
"""

from collections.abc import Iterator, Mapping, Sequence
from html import escape

from turnkeeper.dialogue.diagram.layout import Layout, Point, Run, Size, Way, lay_out
from turnkeeper.dialogue.diagram.shape import ANYWHERE_ID, END_ID, Edge, Node
from turnkeeper.dialogue.diagram.style import (
    AVERAGE,
    BASELINE,
    END_RADIUS,
    GAPS,
    HEAD_HEIGHT,
    LABEL_LETTERS,
    LABEL_SIZE,
    LEGEND_HEIGHT,
    LEGEND_WIDTH,
    LINE_HEIGHT,
    LOOP_BULGE,
    LOOP_HEIGHT,
    LOOP_WIDTH,
    MARGIN,
    NARROW,
    NARROW_WIDTH,
    NODE_HEIGHT,
    NODE_MIN_WIDTH,
    NODE_PADDING,
    NODE_RADIUS,
    NODE_SIZE,
    PORT_SPREAD,
    PORT_STEP,
    STYLE,
    TIP,
    WIDE,
    WIDE_WIDTH,
)


def draw(name: str, start: str, nodes: Sequence[Node], edges: Sequence[Edge]) -> str:
    """Return the drawing as a whole SVG document."""
    loops = {edge.source: edge for edge in edges if edge.source == edge.target}
    moves = [edge for edge in edges if edge.source != edge.target]
    sizes = {node.id: _node_size(node, loops.get(node.id)) for node in nodes}
    ways = [Way(source=edge.source, target=edge.target, label=_label_size(edge)) for edge in moves]
    layout = lay_out(start, sizes, ways, GAPS)
    body = [
        *_edges(moves, layout, sizes),
        *(_loop(loop, layout.nodes[node], sizes[node]) for node, loop in loops.items()),
        *(_node(node, layout.nodes[node.id], sizes[node.id], is_start=node.id == start) for node in nodes),
        _beginning(layout.nodes[start]),
    ]
    return _document(name, start, nodes, edges, layout, body)


def _document(
    name: str, start: str, nodes: Sequence[Node], edges: Sequence[Edge], layout: Layout, body: Sequence[str]
) -> str:
    has_legend = not all(edge.is_personal for edge in edges)
    left, top = layout.left - MARGIN, -MARGIN - HEAD_HEIGHT
    width = max(layout.right - layout.left, LEGEND_WIDTH) + 2 * MARGIN
    height = layout.height + HEAD_HEIGHT + 2 * MARGIN + (LEGEND_HEIGHT if has_legend else 0)
    view = f"{_n(left)} {_n(top)} {_n(width)} {_n(height)}"
    extent = f'width="{_n(width)}" height="{_n(height)}"'
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" viewBox="{view}" {extent}>',
        f"<title>{escape(name)}: statuses and moves</title>",
        f"<desc>{escape(_described(start, nodes, edges))}</desc>",
        f"<style>{STYLE}\n</style>",
        f'<rect class="paper" x="{_n(left)}" y="{_n(top)}" {extent}/>',
        f'<text class="heading" x="{_n(layout.left)}" y="{_n(top + MARGIN)}">{escape(name)}</text>',
        *body,
    ]
    if has_legend:
        lines.extend(_legend(layout.left, layout.height + MARGIN + LEGEND_HEIGHT / 2))
    return "\n".join([*lines, "</svg>"]) + "\n"


def _described(start: str, nodes: Sequence[Node], edges: Sequence[Edge]) -> str:
    texts = {node.id: node.text for node in nodes}
    sentences = [f"A conversation starts in {start}."]
    for node in nodes:
        moves = [
            f"{', '.join(_printable(label.text) for label in edge.labels)} leads to {texts[edge.target]}"
            for edge in edges
            if edge.source == node.id
        ]
        if moves:
            sentences.append(f"From {node.text}: {'; '.join(moves)}.")
    return " ".join(sentences)


def _node(node: Node, middle: Point, size: Size, *, is_start: bool) -> str:
    x, y = middle
    if node.id == END_ID:
        return (
            f'<g><circle class="node" cx="{_n(x)}" cy="{_n(y)}" r="{END_RADIUS}"/>'
            f'<circle class="dot" cx="{_n(x)}" cy="{_n(y)}" r="{END_RADIUS / 2}"/></g>'
        )
    kind = "anywhere" if node.id == ANYWHERE_ID else "node start" if is_start else "node"
    radius = NODE_HEIGHT / 2 if node.id == ANYWHERE_ID else NODE_RADIUS
    tip = f"<title>{escape(_printable(node.help))}</title>" if node.help else ""
    return (
        f'<g>{tip}<rect class="{kind}" x="{_n(x - size.left)}" y="{_n(y - NODE_HEIGHT / 2)}" '
        f'width="{_n(2 * size.left)}" height="{NODE_HEIGHT}" rx="{_n(radius)}"/>'
        f'<text class="name" x="{_n(x)}" y="{_n(y + NODE_SIZE * BASELINE)}" text-anchor="middle">'
        f"{escape(node.text)}</text></g>"
    )


def _beginning(middle: Point) -> str:
    x, top = middle[0], middle[1] - NODE_HEIGHT / 2
    return (
        f'<circle class="dot begin" cx="{_n(x)}" cy="{_n(top - 24)}" r="5"/>'
        f'<path class="edge begin" d="M{_n(x)} {_n(top - 19)}V{_n(top - TIP)}"/>{_tip((x, top), "down", "tip begin")}'
    )


def _edges(moves: Sequence[Edge], layout: Layout, sizes: Mapping[str, Size]) -> Iterator[str]:
    ports = _ports(moves, layout, sizes)
    for number, (edge, run) in enumerate(zip(moves, layout.runs, strict=True)):
        start, end = ports[number, "source"], ports[number, "target"]
        direction = "down" if end[1] > start[1] else "up"
        kind = "edge" if edge.is_personal else "edge self"
        yield (
            f'<g><path class="{kind}" d="{_path(start, run, end, direction)}"/>{_tip(end, direction, "tip")}'
            f"{_label(edge, run.label, 'middle')}</g>"
        )


def _ports(moves: Sequence[Edge], layout: Layout, sizes: Mapping[str, Size]) -> dict[tuple[int, str], Point]:
    """Spread the ends of edges over the upper and lower sides of their nodes, in the order in which they go on."""
    sides: dict[tuple[str, bool], list[tuple[float, int, str]]] = {}
    for number, (edge, run) in enumerate(zip(moves, layout.runs, strict=True)):
        for node, bend, end in ((edge.source, run.bends[0], "source"), (edge.target, run.bends[-1], "target")):
            is_below = bend.top > layout.nodes[node][1]
            sides.setdefault((node, is_below), []).append((bend.x, number, end))
    ports: dict[tuple[int, str], Point] = {}
    for (node, is_below), ends in sides.items():
        x, y = layout.nodes[node]
        room = 2 * sizes[node].left * PORT_SPREAD
        step = min(PORT_STEP, room / max(1, len(ends) - 1))
        half = (NODE_HEIGHT if node != END_ID else 2 * END_RADIUS) / 2
        for place, (_, number, end) in enumerate(sorted(ends)):
            port = x + step * (place - (len(ends) - 1) / 2)
            ports[number, end] = (port, y + half if is_below else y - half)
    return ports


def _path(start: Point, run: Run, end: Point, direction: str) -> str:
    x, y = start
    parts = [f"M{_n(x)} {_n(y)}"]
    for bend in run.bends:
        entry, leave = (bend.top, bend.bottom) if direction == "down" else (bend.bottom, bend.top)
        parts.append(_curve((x, y), (bend.x, entry)))
        if leave != entry:
            parts.append(f"V{_n(leave)}")
        x, y = bend.x, leave
    tip = TIP if direction == "down" else -TIP
    parts.append(_curve((x, y), (end[0], end[1] - tip)))
    return "".join(parts)


def _curve(start: Point, end: Point) -> str:
    if round(start[0] - end[0]) == 0:
        return f"L{_n(end[0])} {_n(end[1])}"
    middle = (start[1] + end[1]) / 2
    return f"C{_n(start[0])} {_n(middle)} {_n(end[0])} {_n(middle)} {_n(end[0])} {_n(end[1])}"


def _tip(point: Point, direction: str, kind: str) -> str:
    x, y = point
    back, side = TIP, TIP * 0.45
    match direction:
        case "down":
            corners = (x, y), (x - side, y - back), (x + side, y - back)
        case "up":
            corners = (x, y), (x - side, y + back), (x + side, y + back)
        case _:
            corners = (x, y), (x + back, y - side), (x + back, y + side)
    points = " ".join(f"{_n(a)},{_n(b)}" for a, b in corners)
    return f'<polygon class="{kind}" points="{points}"/>'


def _loop(edge: Edge, middle: Point, size: Size) -> str:
    x, y = middle[0] + size.left, middle[1]
    out, half = x + LOOP_WIDTH, LOOP_HEIGHT / 2
    control = half + LOOP_BULGE
    path = (
        f"M{_n(x)} {_n(y - half)}C{_n(out)} {_n(y - control)} {_n(out)} {_n(y + control)} {_n(x + TIP)} {_n(y + half)}"
    )
    kind = "edge" if edge.is_personal else "edge self"
    label = _label(edge, (out - 2, y), "start")
    return f'<g><path class="{kind}" d="{path}"/>{_tip((x, y + half), "left", "tip")}{label}</g>'


def _label(edge: Edge, middle: Point, anchor: str) -> str:
    x, y = middle
    size = _label_size(edge)
    left = x - size.left if anchor == "middle" else x
    first = y - LINE_HEIGHT * len(edge.labels) / 2 + LABEL_SIZE
    rect = (
        f'<rect class="paper" x="{_n(left)}" y="{_n(y - size.height / 2)}" width="{_n(size.left + size.right)}" '
        f'height="{_n(size.height)}"/>'
    )
    lines = "".join(
        f'<text class="{"label" if label.is_personal else "label own"}" x="{_n(x)}" '
        f'y="{_n(first + number * LINE_HEIGHT)}" text-anchor="{anchor}">{_written(label.text)}</text>'
        for number, label in enumerate(edge.labels)
    )
    return rect + lines


def _legend(x: float, y: float) -> Iterator[str]:
    for kind, text, offset in (("edge", "a person", 0), ("edge self", "a job or a timer", 100)):
        label = "label" if kind == "edge" else "label own"
        yield (
            f'<path class="{kind}" d="M{_n(x + offset)} {_n(y)}h28"/>'
            f'<text class="{label}" x="{_n(x + offset + 35)}" y="{_n(y + LABEL_SIZE * BASELINE)}">{text}</text>'
        )


def _node_size(node: Node, loop: Edge | None) -> Size:
    if node.id == END_ID:
        return Size(END_RADIUS, END_RADIUS, NODE_HEIGHT)
    half = max(NODE_MIN_WIDTH, _text_width(node.text, NODE_SIZE) + 2 * NODE_PADDING) / 2
    if loop is None:
        return Size(half, half, NODE_HEIGHT)
    label = _label_size(loop)
    return Size(half, half + LOOP_WIDTH + label.left + label.right, max(NODE_HEIGHT, label.height))


def _label_size(edge: Edge) -> Size:
    half = max(_text_width(_shortened(label.text), LABEL_SIZE) for label in edge.labels) / 2 + 3
    return Size(half, half, LINE_HEIGHT * len(edge.labels) + 2)


def _written(text: str) -> str:
    return escape(_printable(_shortened(text)))


def _printable(text: str) -> str:
    """Return the text without what no XML document may hold."""
    return "".join(letter if letter.isprintable() else "�" for letter in text)


def _shortened(text: str) -> str:
    return text if len(text) <= LABEL_LETTERS else f"{text[: LABEL_LETTERS - 1]}…"


def _text_width(text: str, size: float) -> float:
    widths = (NARROW_WIDTH if letter in NARROW else WIDE_WIDTH if letter in WIDE else AVERAGE for letter in text)
    return size * sum(widths)


def _n(value: float) -> str:
    """Return a number with one decimal at most: a tenth of a pixel is not seen."""
    return f"{value:.1f}".removesuffix(".0")
