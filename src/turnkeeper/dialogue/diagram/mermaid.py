"""Writes a graph as a Mermaid state diagram.

Mermaid ends a label at a colon or semicolon and takes some words for commands; both are written around here.
"""

import re
from collections.abc import Iterator, Sequence

from turnkeeper.dialogue.diagram.shape import END_ID, Edge, Node

PLAIN_ID = re.compile(r"[A-Za-z]\w*", re.ASCII)
WORDS = frozenset(
    (
        "accdescr acctitle as bt choice class classdef click concurrent constructor default direction end "
        "fork hasownproperty hide history isprototypeof join lr note propertyisenumerable rl root scale state "
        "statediagram style tb tolocalestring tostring valueof"
    ).split()
)
"""Words that cannot be ids, in lower case: Mermaid's own, and those that every object of its language has."""

PLAIN_CHARACTERS = re.compile(r"[\w ,.()\[\]/'?!+=-]")
"""Characters that mean nothing to Mermaid inside a label; every other one is written as its number."""


def write_mermaid(start: str, nodes: Sequence[Node], edges: Sequence[Edge]) -> str:
    """Return the diagram's text, with a line end at its end."""
    prefix = "node"
    while any(node.id.startswith(prefix) for node in nodes):
        prefix += "_"
    ids = {node.id: _id(node, f"{prefix}{number}") for number, node in enumerate(nodes)}
    lines = ["stateDiagram-v2", *_declarations(nodes, ids), f"    [*] --> {ids[start]}"]
    for edge in edges:
        label = ", ".join(_escaped(found.text) for found in edge.labels)
        lines.append(f"    {ids[edge.source]} --> {ids[edge.target]}: {label}")
    return "\n".join(lines) + "\n"


def _declarations(nodes: Sequence[Node], ids: dict[str, str]) -> Iterator[str]:
    for node in nodes:
        if ids[node.id] not in {node.id, "[*]"}:
            yield f'    state "{_escaped(node.text)}" as {ids[node.id]}'


def _id(node: Node, replacement: str) -> str:
    if node.id == END_ID:
        return "[*]"
    is_plain = PLAIN_ID.fullmatch(node.id) is not None and node.id.casefold() not in WORDS
    return node.id if is_plain else replacement


def _escaped(text: str) -> str:
    return "".join(found if PLAIN_CHARACTERS.match(found) else f"#{ord(found)};" for found in text)
