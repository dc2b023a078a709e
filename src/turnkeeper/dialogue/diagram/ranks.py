"""First half of a layered drawing: in which layer everything stands, and in which order within it.

Layers follow the distance from the start, so that a conversation reads in one direction and whatever leads back is
drawn against it. Each edge gets a chain of bends, one per layer it passes, and its label is one of them; whatever
stands in one layer is kept apart later, and so labels can never cover each other, nor a status.
"""

from collections import defaultdict, deque
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise

SWEEPS = 24
"""Passes over the layers; the order of a state machine settles within ten."""

Link = tuple[str, str]
Layers = list[list[str]]


def rank_nodes(start: str, nodes: Sequence[str], links: Iterable[Link]) -> dict[str, int]:
    """Return the layer of every node, 0 for the first; no link stays within a layer."""
    links = [link for link in dict.fromkeys(links) if link[0] != link[1]]
    forward = _forward(_distances(start, nodes, links), nodes, links)
    ranks = dict.fromkeys(nodes, 0)
    for _ in nodes:
        for source, target in forward:
            ranks[target] = max(ranks[target], ranks[source] + 1)
    _pull_down(ranks, forward, start)
    return ranks


def order_layers(chains: Iterable[Sequence[str]], ranks: Mapping[str, int]) -> Layers:
    """Return the layers with their members ordered so that few chains cross.

    Args:
        chains: Each runs through members of consecutive layers.
        ranks: Layer of each member, in an order that is a fair beginning.
    """
    links = [link for chain in chains for link in pairwise(chain)]
    up, down = _neighbours(links, ranks)
    layers: Layers = [[] for _ in range(max(ranks.values(), default=0) + 1)]
    for member, rank in ranks.items():
        layers[rank].append(member)
    best, fewest = [list(layer) for layer in layers], _crossings(layers, down)
    for sweep in range(SWEEPS):
        beside = up if sweep % 2 == 0 else down
        for rank in range(len(layers)) if sweep % 2 == 0 else reversed(range(len(layers))):
            _sort_layer(layers, rank, beside)
        _swap_neighbours(layers, up, down)
        found = _crossings(layers, down)
        if found < fewest:
            best, fewest = [list(layer) for layer in layers], found
    return best


def _distances(start: str, nodes: Sequence[str], links: Sequence[Link]) -> dict[str, int]:
    leading: defaultdict[str, list[str]] = defaultdict(list)
    for source, target in links:
        leading[source].append(target)
    distances: dict[str, int] = {}
    for begin in (start, *nodes):
        if begin in distances:
            continue
        distances[begin] = 0
        waiting = deque([begin])
        while waiting:
            source = waiting.popleft()
            for target in leading[source]:
                if target not in distances:
                    distances[target] = distances[source] + 1
                    waiting.append(target)
    return distances


def _forward(distances: Mapping[str, int], nodes: Sequence[str], links: Sequence[Link]) -> list[Link]:
    """Turn links that lead back towards the start around, so that no circle is left."""
    found_at = {node: place for place, node in enumerate(distances)}
    return [
        (source, target)
        if (distances[source], found_at[source]) < (distances[target], found_at[target])
        else (target, source)
        for source, target in links
        if source in nodes and target in nodes
    ]


def _pull_down(ranks: dict[str, int], forward: Sequence[Link], start: str) -> None:
    """Move whatever only points onwards next to what it points at: a shorter line says the same."""
    entered = {target for _, target in forward}
    for node in ranks:
        targets = [ranks[target] for source, target in forward if source == node]
        if node != start and node not in entered and targets:
            ranks[node] = max(0, min(targets) - 1)


def _neighbours(links: Iterable[Link], ranks: Mapping[str, int]) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    up: dict[str, list[str]] = {member: [] for member in ranks}
    down: dict[str, list[str]] = {member: [] for member in ranks}
    for one, other in links:
        first, second = (one, other) if ranks[one] < ranks[other] else (other, one)
        down[first].append(second)
        up[second].append(first)
    return up, down


def _sort_layer(layers: Layers, rank: int, beside: Mapping[str, Sequence[str]]) -> None:
    places = {member: place for layer in layers for place, member in enumerate(layer)}

    def middle(member: str) -> float:
        found = [places[other] for other in beside[member]]
        return sum(found) / len(found) if found else places[member]

    layers[rank].sort(key=middle)


def _swap_neighbours(layers: Layers, up: Mapping[str, Sequence[str]], down: Mapping[str, Sequence[str]]) -> None:
    """Exchange members side by side as long as that saves a crossing."""
    for rank, layer in enumerate(layers):
        above = {member: place for place, member in enumerate(layers[rank - 1])} if rank else {}
        below = {member: place for place, member in enumerate(layers[rank + 1])} if rank + 1 < len(layers) else {}
        improved = True
        while improved:
            improved = False
            for place in range(len(layer) - 1):
                one, other = layer[place], layer[place + 1]
                now = _between(up[one], up[other], above) + _between(down[one], down[other], below)
                then = _between(up[other], up[one], above) + _between(down[other], down[one], below)
                if then < now:
                    layer[place], layer[place + 1] = other, one
                    improved = True


def _between(first: Sequence[str], second: Sequence[str], places: Mapping[str, int]) -> int:
    """Count crossings between the links of a member and of the next one in its layer."""
    return sum(places[one] > places[other] for one in first for other in second)


def _crossings(layers: Layers, down: Mapping[str, Sequence[str]]) -> int:
    total = 0
    for upper, lower in pairwise(layers):
        places = {member: place for place, member in enumerate(lower)}
        total += sum(
            _between(down[one], down[other], places) for index, one in enumerate(upper) for other in upper[index + 1 :]
        )
    return total
