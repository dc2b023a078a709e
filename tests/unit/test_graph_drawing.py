"""A drawing is whole and readable whatever the flow: nothing covers anything, every word is there, nothing leaks in."""

import re
from itertools import combinations
from xml.etree import ElementTree as ET

from hypothesis import given, settings
from hypothesis import strategies as st

from turnkeeper.dialogue.diagram.drawing import draw
from turnkeeper.dialogue.diagram.layout import Gaps, Layout, Size, Way, lay_out
from turnkeeper.dialogue.diagram.shape import ANYWHERE_ID, END_ID, Edge, Label, Node

SVG = "{http://www.w3.org/2000/svg}"
GAPS = Gaps(beside=20, least=16, most=50, slope=0.1)

Box = tuple[float, float, float, float]
Move = tuple[int, int]


def drawn(start: str, *edges: tuple[str, str, str], personal: bool = True) -> ET.Element:
    """Return a drawing of these moves, parsed."""
    names = dict.fromkeys((start, *(name for source, target, _ in edges for name in (source, target))))
    nodes = [Node(id=name, text=name, help=f"help of {name}") for name in names]
    labels = {text: (Label(text=text, is_personal=personal),) for _, _, text in edges}
    moves = [Edge(source=source, target=target, labels=labels[text]) for source, target, text in edges]
    return ET.fromstring(draw("mealplan", start, nodes, moves))  # noqa: S314 - drawn a line ago


def words(drawing: ET.Element) -> list[str]:
    """Return all texts that can be seen."""
    return [text.text or "" for text in drawing.iter(f"{SVG}text")]


def laid_out(count: int, moves: list[Move]) -> tuple[Layout, dict[str, Size], list[Way]]:
    """Lay out some nodes and moves between them."""
    sizes = {str(number): Size(30, 30 + 60 * (number % 3 == 0), 36) for number in range(count)}
    ways = [
        Way(source=str(source), target=str(target), label=Size(40 + 3 * source, 40 + 3 * source, 17 + 15 * target))
        for source, target in moves
    ]
    return lay_out("0", sizes, ways, GAPS), sizes, ways


@st.composite
def graphs(draw: st.DrawFn) -> tuple[int, list[Move]]:
    """Draw a number of nodes and moves between different ones, each pair once."""
    count = draw(st.integers(min_value=1, max_value=9))
    pairs = [(one, other) for one in range(count) for other in range(count) if one != other]
    return count, draw(st.lists(st.sampled_from(pairs), unique=True, max_size=24)) if pairs else []


@given(graphs())
@settings(max_examples=60, deadline=None)
def test_no_label_and_no_status_covers_another(graph: tuple[int, list[Move]]) -> None:
    """Each has a place of its own, in every graph."""
    layout, sizes, ways = laid_out(*graph)
    boxes = [box(layout.nodes[node], size) for node, size in sizes.items()]
    boxes += [box(run.label, way.label) for run, way in zip(layout.runs, ways, strict=True)]

    for one, other in combinations(boxes, 2):
        assert not overlap(one, other)


@given(graphs())
@settings(max_examples=60, deadline=None)
def test_an_edge_runs_past_all_labels_and_statuses_but_its_own(graph: tuple[int, list[Move]]) -> None:
    """Where an edge passes a layer it keeps its distance from what stands there, and never turns back."""
    layout, sizes, ways = laid_out(*graph)
    labels = [box(run.label, way.label) for run, way in zip(layout.runs, ways, strict=True)]
    nodes = [box(middle, sizes[node]) for node, middle in layout.nodes.items()]

    for number, run in enumerate(layout.runs):
        others = [*nodes, *(label for place, label in enumerate(labels) if place != number)]
        heights = [bend.top for bend in run.bends]
        assert heights in (sorted(heights), sorted(heights, reverse=True))
        for bend in run.bends:
            passing = (bend.x - 1, bend.top, bend.x + 1, bend.bottom)
            assert not any(overlap(passing, other) for other in others)


@given(graphs())
@settings(max_examples=30, deadline=None)
def test_a_layout_stays_within_its_extent(graph: tuple[int, list[Move]]) -> None:
    """What is said to be the size of the drawing holds all of it."""
    layout, sizes, ways = laid_out(*graph)
    boxes = [box(layout.nodes[node], size) for node, size in sizes.items()]
    boxes += [box(run.label, way.label) for run, way in zip(layout.runs, ways, strict=True)]

    for left, top, right, bottom in boxes:
        assert layout.left - 0.01 <= left
        assert right <= layout.right + 0.01
        assert top >= -0.01
        assert bottom <= layout.height + 0.01


def box(middle: tuple[float, float], size: Size) -> Box:
    """Return left, top, right and bottom."""
    return middle[0] - size.left, middle[1] - size.height / 2, middle[0] + size.right, middle[1] + size.height / 2


def overlap(one: Box, other: Box) -> bool:
    """Tell whether two boxes share more than rounding."""
    slack = 0.01
    return (
        one[0] < other[2] - slack
        and other[0] < one[2] - slack
        and one[1] < other[3] - slack
        and other[1] < one[3] - slack
    )


def test_a_conversation_reads_downwards() -> None:
    """The start is on top, and each step of the shortest way stands below the one before."""
    layout, _, _ = laid_out(4, [(0, 1), (1, 2), (2, 3), (3, 0), (2, 0)])

    heights = [layout.nodes[str(number)][1] for number in range(4)]

    assert heights == sorted(heights)


def test_long_edges_run_straight_where_they_can() -> None:
    """The way back from the end is one line, not a staircase."""
    layout, _, ways = laid_out(5, [(0, 1), (1, 2), (2, 3), (3, 4), (4, 0)])
    back = next(run for run, way in zip(layout.runs, ways, strict=True) if way.source == "4")

    assert len({round(bend.x, 3) for bend in back.bends}) == 1


def test_every_status_and_every_label_is_written() -> None:
    """The drawing says what the graph says."""
    drawing = drawn("idle", ("idle", "busy", "plan"), ("busy", "idle", "done"), ("busy", "busy", "plan again"))

    assert sorted(words(drawing)) == ["busy", "done", "idle", "mealplan", "plan", "plan again"]


def test_text_from_outside_stays_text() -> None:
    """A label is no markup."""
    drawing = drawn("idle", ("idle", "busy", '<script>alert("&")</script>'))

    assert '<script>alert("&")</script>' in words(drawing)
    assert not list(drawing.iter(f"{SVG}script"))


def test_text_that_cannot_be_drawn_is_replaced() -> None:
    """A control character would make the whole document unreadable, and a long name would stretch it."""
    drawing = drawn("idle", ("idle", "busy", "a\x00\nb"), ("busy", "idle", "x" * 1000))

    assert "a��b" in words(drawing)
    assert f"{'x' * 47}…" in words(drawing)


def test_a_screen_reader_hears_the_moves() -> None:
    """Title and description say in words what is drawn."""
    drawing = drawn("idle", ("idle", "busy", "plan"), ("busy", "idle", "done"))

    assert drawing.get("role") == "img"
    assert drawing.findtext(f"{SVG}title") == "mealplan: statuses and moves"
    assert drawing.findtext(f"{SVG}desc") == (
        "A conversation starts in idle. From idle: plan leads to busy. From busy: done leads to idle."
    )


def test_the_help_of_a_status_shows_when_it_is_pointed_at() -> None:
    """Browsers show a title on hover."""
    drawing = drawn("idle", ("idle", "busy", "plan"))

    assert [title.text for title in drawing.findall(f"{SVG}g/{SVG}title")] == ["help of idle", "help of busy"]


def test_the_drawing_follows_light_and_dark() -> None:
    """It is complete in itself: no font, script or image is loaded."""
    text = draw("mealplan", "idle", [Node(id="idle", text="idle")], [])

    assert "@media (prefers-color-scheme:dark)" in text
    assert not re.search(r"href|url\(|@import|<image|<script", text)


def test_the_legend_appears_with_the_first_dashed_line() -> None:
    """What needs no explaining is not explained."""
    personal = drawn("idle", ("idle", "busy", "plan"))
    by_itself = drawn("idle", ("idle", "busy", "done"), personal=False)

    assert "a job or a timer" not in words(personal)
    assert {"a person", "a job or a timer"} <= set(words(by_itself))


def test_the_two_nodes_that_are_no_statuses_look_different() -> None:
    """Anywhere is dashed, and forgotten is the ring of an end."""
    nodes = [Node(id="idle", text="idle"), Node(id=ANYWHERE_ID, text="anywhere"), Node(id=END_ID, text="forgotten")]
    edge = Edge(source=ANYWHERE_ID, target=END_ID, labels=(Label(text="forgotten", is_personal=False),))

    drawing = ET.fromstring(draw("mealplan", "idle", nodes, [edge]))  # noqa: S314 - drawn here

    kinds = {rect.get("class") for rect in drawing.iter(f"{SVG}rect")}
    assert {"node start", "anywhere"} <= kinds
    assert "node" not in kinds
    assert len(list(drawing.iter(f"{SVG}circle"))) == 3


def test_a_flow_is_drawn_the_same_every_time() -> None:
    """A drawing in a repository changes only when the flow does."""
    edges = [("idle", "busy", "plan"), ("busy", "idle", "done"), ("idle", "gone", "x"), ("gone", "busy", "y")]

    assert ET.tostring(drawn("idle", *edges)) == ET.tostring(drawn("idle", *edges))
