"""Nodes and edges of a diagram, before anybody decides where they stand."""

import msgspec

ANYWHERE_ID = "*"
"""Node from which everything starts that may start in every status. No status can have this name."""

END_ID = "."
"""Node of forgotten conversations. No status can have this name."""


class Label(msgspec.Struct, frozen=True, kw_only=True):
    """What leads along an edge. `is_personal`: a person causes it, not a job or a timer."""

    text: str
    is_personal: bool


class Node(msgspec.Struct, frozen=True, kw_only=True):
    """A status, or one of the two that are none (`ANYWHERE_ID`, `END_ID`)."""

    id: str
    text: str
    help: str = ""


class Edge(msgspec.Struct, frozen=True, kw_only=True):
    """All that leads from one node to another, or back to itself."""

    source: str
    target: str
    labels: tuple[Label, ...]

    @property
    def is_personal(self) -> bool:
        """Whether anything on it is caused by a person."""
        return any(label.is_personal for label in self.labels)
