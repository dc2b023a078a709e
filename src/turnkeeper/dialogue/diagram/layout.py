"""Second half of a layered drawing: where exactly everything stands, and along which points each edge runs.

Positions are found layer by layer: every member wants to stand in the middle of what it is linked to, and gives way
no further than it must to keep order and distance. That is a least-squares problem with one exact answer per layer.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise

import msgspec

from turnkeeper.dialogue.diagram.ranks import Layers, order_layers, rank_nodes

PASSES = 60
"""Rounds of standing in the middle, up and down; changes are below a pixel after thirty."""

BEND_WEIGHT = 6.0
"""How much more two bends of one edge hold together than an edge and its status."""

STILL = 0.1
"""Weight of what nothing links: it gives way to everything."""

STRAIGHTENINGS = 12
"""Rounds of straightening: each can free the next edge inwards, and no side has more than a dozen."""

Point = tuple[float, float]


class Size(msgspec.Struct, frozen=True):
    """Extent of a box in pixels; `right` and `left` are beside its middle, so that a loop may hang on one side."""

    left: float
    right: float
    height: float


class Gaps(msgspec.Struct, frozen=True, kw_only=True):
    """Distances in pixels.

    Attributes:
        beside: Between neighbours in a layer, at least.
        least, most: Between layers; the further an edge moves sideways there, the more.
        slope: How much more: a part of the sideways way.
    """

    beside: float
    least: float
    most: float
    slope: float


class Way(msgspec.Struct, frozen=True, kw_only=True):
    """An edge to lay out; `label` is the size of its text."""

    source: str
    target: str
    label: Size


class Bend(msgspec.Struct, frozen=True):
    """A straight piece of an edge, where it passes a layer."""

    x: float
    top: float
    bottom: float


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """Where an edge runs: bends from source to target without its ends, and the middle of its label."""

    bends: tuple[Bend, ...]
    label: Point


class Layout(msgspec.Struct, frozen=True, kw_only=True):
    """Middles of the nodes, runs in the order of the ways, and the extent of it all."""

    nodes: Mapping[str, Point]
    runs: tuple[Run, ...]
    left: float
    right: float
    height: float


def lay_out(start: str, nodes: Mapping[str, Size], ways: Sequence[Way], gaps: Gaps) -> Layout:
    """Place nodes and edges, downwards from the start. The ways lead from one node to another, not to itself."""
    links = [(way.source, way.target) for way in ways]
    # Every second layer is for labels only.
    ranks = {node: 2 * rank for node, rank in rank_nodes(start, tuple(nodes), links).items()}
    sizes = dict(nodes)
    chains: list[list[str]] = []
    labels: list[str] = []
    for number, way in enumerate(ways):
        chain, label = _chain(number, way, ranks)
        chains.append(chain)
        labels.append(label)
        sizes.update(dict.fromkeys(chain[1:-1], Size(1, 1, 0)))
        sizes[label] = way.label
    layers = order_layers(chains, ranks)
    across = _straightened(_across(layers, chains, sizes, gaps), layers, chains, sizes, gaps)
    along = _along(layers, chains, across, sizes, gaps)
    bends = {member: Bend(across[member], *along[rank]) for rank, layer in enumerate(layers) for member in layer}
    middles = {member: (bend.x, (bend.top + bend.bottom) / 2) for member, bend in bends.items()}
    return Layout(
        nodes={node: middles[node] for node in nodes},
        runs=tuple(
            Run(bends=tuple(bends[member] for member in chain[1:-1]), label=middles[label])
            for chain, label in zip(chains, labels, strict=True)
        ),
        left=min(across[member] - sizes[member].left for member in across),
        right=max(across[member] + sizes[member].right for member in across),
        height=along[-1][1],
    )


def _chain(number: int, way: Way, ranks: dict[str, int]) -> tuple[list[str], str]:
    """Return the members that an edge runs through, and which of them is its label; bends are added to the ranks."""
    first, last = ranks[way.source], ranks[way.target]
    step = 1 if first < last else -1
    passed = list(range(first + step, last, step))
    names = [f"{number}/{rank}" for rank in passed]
    # The label stands between two layers of statuses, where there is room, as near to the middle as that allows.
    label = min(
        (place for place in range(len(passed)) if passed[place] % 2), key=lambda place: abs(2 * place + 1 - len(passed))
    )
    ranks.update(zip(names, passed, strict=True))
    return [way.source, *names, way.target], names[label]


def _along(
    layers: Layers,
    chains: Sequence[Sequence[str]],
    across: Mapping[str, float],
    sizes: Mapping[str, Size],
    gaps: Gaps,
) -> list[tuple[float, float]]:
    """Return top and bottom of each layer, downwards."""
    rank_of = {member: rank for rank, layer in enumerate(layers) for member in layer}
    sideways = [0.0] * len(layers)
    for chain in chains:
        for one, other in pairwise(chain):
            upper = min(rank_of[one], rank_of[other])
            sideways[upper] = max(sideways[upper], abs(across[one] - across[other]))
    extents: list[tuple[float, float]] = []
    edge = 0.0
    for layer, moved in zip(layers, sideways, strict=True):
        bottom = edge + max((sizes[member].height for member in layer), default=0)
        extents.append((edge, bottom))
        edge = bottom + min(gaps.most, gaps.least + gaps.slope * moved)
    return extents


def _across(layers: Layers, chains: Sequence[Sequence[str]], sizes: Mapping[str, Size], gaps: Gaps) -> dict[str, float]:
    """Return the middle of each member within its layer."""
    links = _weighted_links(chains, sizes)
    positions: dict[str, float] = {}
    for layer in layers:
        edge = 0.0
        for member in layer:
            positions[member] = edge + sizes[member].left
            edge = positions[member] + sizes[member].right + gaps.beside
    for sweep in range(PASSES):
        for layer in layers if sweep % 2 == 0 else reversed(layers):
            wishes, weights = [], []
            for member in layer:
                total = sum(weight for _, weight in links[member])
                wish = sum(weight * positions[other] for other, weight in links[member])
                wishes.append(wish / total if total else positions[member])
                weights.append(total or STILL)
            offsets = _offsets(layer, sizes, gaps)
            settled = _isotonic([wish - offset for wish, offset in zip(wishes, offsets, strict=True)], weights)
            positions.update(
                (member, place + offset) for member, place, offset in zip(layer, settled, offsets, strict=True)
            )
    return positions


def _straightened(
    positions: dict[str, float], layers: Layers, chains: Sequence[Sequence[str]], sizes: Mapping[str, Size], gaps: Gaps
) -> dict[str, float]:
    """Let the bends of each long edge stand above each other, as far as their neighbours leave room for it.

    An edge that makes room for the next one needs another round; outer edges go first, because nothing is beyond them.
    """
    beside = {
        member: (layer[place - 1] if place else None, layer[place + 1] if place + 1 < len(layer) else None)
        for layer in layers
        for place, member in enumerate(layer)
    }

    def room(member: str) -> tuple[float, float]:
        left, right = beside[member]
        size = sizes[member]
        least = positions[left] + sizes[left].right + gaps.beside + size.left if left is not None else -math.inf
        most = positions[right] - sizes[right].left - gaps.beside - size.right if right is not None else math.inf
        return least, most

    middle = sum(positions.values()) / len(positions)
    for _ in range(STRAIGHTENINGS):
        outwards = sorted(chains, key=lambda chain: -max(abs(positions[member] - middle) for member in chain[1:-1]))
        for chain in outwards:
            for members, (least, most) in _runs_with_room(chain[1:-1], room):
                wish = sum(positions[member] for member in members) / len(members)
                positions.update(dict.fromkeys(members, min(max(wish, least), most)))
    return positions


def _runs_with_room(
    members: Sequence[str], room: Callable[[str], tuple[float, float]]
) -> Iterator[tuple[list[str], tuple[float, float]]]:
    """Cut a chain into as few pieces as can each stand on one line, with the room that all of a piece share."""
    piece: list[str] = []
    least, most = -math.inf, math.inf
    for member in members:
        low, high = room(member)
        if piece and max(least, low) > min(most, high):
            yield piece, (least, most)
            piece, least, most = [], -math.inf, math.inf
        piece.append(member)
        least, most = max(least, low), min(most, high)
    yield piece, (least, most)


def _weighted_links(chains: Sequence[Sequence[str]], sizes: Mapping[str, Size]) -> dict[str, list[tuple[str, float]]]:
    """Return what each member is linked to. Bends of one edge hold together most, so that long edges run straight."""
    links: dict[str, list[tuple[str, float]]] = {member: [] for member in sizes}
    for chain in chains:
        for place, (one, other) in enumerate(pairwise(chain)):
            weight = BEND_WEIGHT if 0 < place < len(chain) - 2 else 1.0
            links[one].append((other, weight))
            links[other].append((one, weight))
    return links


def _offsets(layer: Sequence[str], sizes: Mapping[str, Size], gaps: Gaps) -> list[float]:
    """Return how far from the first each member of a layer must at least stand."""
    offsets = [0.0]
    for one, other in pairwise(layer):
        offsets.append(offsets[-1] + sizes[one].right + gaps.beside + sizes[other].left)
    return offsets[: len(layer)]


def _isotonic(wishes: Sequence[float], weights: Sequence[float]) -> list[float]:
    """Return the rising values nearest to the wishes in weighted least squares (pool adjacent violators)."""
    pools: list[tuple[float, float, int]] = []
    for wish, weight in zip(wishes, weights, strict=True):
        value, total, count = wish, weight, 1
        while pools and pools[-1][0] > value:
            before, mass, members = pools.pop()
            value = (before * mass + value * total) / (mass + total)
            total += mass
            count += members
        pools.append((value, total, count))
    return [value for value, _, count in pools for _ in range(count)]
