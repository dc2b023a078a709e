"""A flow as a graph: statuses, and what leads from one to another.

Left out is what moves nothing and holds everywhere (help, prices, thanks); what holds everywhere and moves starts at
one node called "anywhere", because an arrow from every status would hide all others.
"""

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from turnkeeper.dialogue.declaring.declared import ANYWHERE, Handler, Trigger
from turnkeeper.dialogue.diagram.drawing import draw
from turnkeeper.dialogue.diagram.mermaid import write_mermaid
from turnkeeper.dialogue.diagram.shape import ANYWHERE_ID, END_ID, Edge, Label, Node
from turnkeeper.dialogue.plan import FlowPlan, is_restart

PERSONAL_KINDS = frozenset({"intent", "action", "unknown"})
"""Kinds of triggers that a person causes; the others happen by themselves."""

TEXTS = {
    "intent": "{name}",
    "action": "action {name}",
    "result": "{name} done",
    "failure": "{name} failed",
    "timer": "timer {name}",
    "quiet": "quiet",
    "forget": "forgotten",
    "unknown": "anything else",
    "admin": "operator: {name}",
}
"""How a trigger reads on an arrow."""


class Graph(msgspec.Struct, frozen=True, kw_only=True):
    """Statuses and moves.

    Attributes:
        name: The flow's.
        start: The status of a new conversation.
        edges: At most one from a node to another; it carries all labels.
    """

    name: str
    start: str
    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]

    def mermaid(self) -> str:
        """Return a Mermaid state diagram (`stateDiagram-v2`)."""
        return write_mermaid(self.start, self.nodes, self.edges)

    def svg(self) -> str:
        """Return a drawing, complete in itself, that follows the reader's light or dark setting."""
        return draw(self.name, self.start, self.nodes, self.edges)


def graph_of(plan: FlowPlan[Any]) -> Graph:
    """Return the graph of a checked flow."""
    labels: dict[tuple[str, str], dict[Label, None]] = {}
    for source, target, label in _moves(plan):
        labels.setdefault((source, target), {})[label] = None
    edges = tuple(Edge(source=source, target=target, labels=tuple(found)) for (source, target), found in labels.items())
    named = {end for edge in edges for end in (edge.source, edge.target)}
    nodes = [Node(id=status, text=status, help=plan.status_help.get(status, "")) for status in plan.statuses]
    if ANYWHERE_ID in named:
        nodes.append(Node(id=ANYWHERE_ID, text="anywhere"))
    if END_ID in named:
        nodes.append(Node(id=END_ID, text="forgotten"))
    return Graph(name=plan.name, start=plan.start, nodes=tuple(nodes), edges=edges)


def _moves(plan: FlowPlan[Any]) -> Iterator[tuple[str, str, Label]]:
    for handler in plan.handlers:
        for trigger in handler.triggers:
            label = _label(trigger, handler)
            for source, target in _ends(handler):
                yield source, target, label
    if plan.start_over is not None:
        yield ANYWHERE_ID, plan.start_over.to, Label(text=plan.start_over.intent, is_personal=True)
    for policy in plan.still_working:
        label = Label(text=f"{policy.intent} again", is_personal=True)
        targets = {name: None for handler in plan.handlers if is_restart(handler, policy) for name in handler.to}
        yield from ((source, target, label) for source in policy.when for target in targets)


def _ends(handler: Handler) -> Iterable[tuple[str, str]]:
    is_anywhere = handler.when == ANYWHERE
    if handler.triggers[0].kind == "forget":
        return [(ANYWHERE_ID if is_anywhere else status, END_ID) for status in handler.when]
    if is_anywhere:
        return [(ANYWHERE_ID, target) for target in handler.to]
    return [(source, target) for source in handler.when for target in handler.to or (source,)]


def _guard_name(guard: object) -> str:
    """Return the guard's name; one without (a lambda, a partial) is only said to be there."""
    name = getattr(guard, "__name__", "")
    return name if name.isidentifier() else "guard"


def _label(trigger: Trigger, handler: Handler) -> Label:
    text = TEXTS[trigger.kind].format(name=trigger.name)
    if trigger.question:
        text = f"{text} to {trigger.question}"
    if handler.guard is not None:
        text = f"{text} [{_guard_name(handler.guard)}]"
    return Label(text=text, is_personal=trigger.kind in PERSONAL_KINDS)
