"""Walks the catalogue in order of change. One index serves every list: it holds one shelf per flow and status.

A list over several shelves merges them row by row, so that a first page costs a page and not a table. Statuses are
the states of a flow: a handful, not one per conversation.
"""

import contextlib
import heapq
from collections.abc import Generator, Iterator, Mapping
from typing import Any

from turnkeeper.stores.sqlite.file.readers import View

Shelf = tuple[str | None, str | None]
"""A flow and a status."""

Row = tuple[Any, ...]
"""Of the catalogue; the first two columns are its place: the time of its last change, and a number of its own."""

_FIRST_FLOW = "SELECT min(flow) FROM conversation"
_NEXT_FLOW = "SELECT min(flow) FROM conversation WHERE flow > ?"
_FIRST_STATUS = "SELECT min(status) FROM conversation WHERE flow = ?"
_NEXT_STATUS = "SELECT min(status) FROM conversation WHERE flow = ? AND status > ?"


def all_flows(view: View) -> Iterator[str]:
    """Yield the flows that have conversations, by one index look-up each."""
    (flow,) = view.execute(_FIRST_FLOW).fetchone()
    while flow is not None:
        yield flow
        (flow,) = view.execute(_NEXT_FLOW, (flow,)).fetchone()


def statuses_of(view: View, flow: str) -> Iterator[str]:
    """Yield the statuses that conversations of a flow have, by one index look-up each."""
    (status,) = view.execute(_FIRST_STATUS, (flow,)).fetchone()
    while status is not None:
        yield status
        (status,) = view.execute(_NEXT_STATUS, (flow, status)).fetchone()


@contextlib.contextmanager
def merged(
    view: View, statement: str, shelves: list[Shelf], parameters: Mapping[str, object]
) -> Generator[Iterator[Row], None, None]:
    """Read several shelves as one, the newest change first. The cursors end with the block, read or not.

    Args:
        view: Where.
        statement: Reads the shelf `:flow`, `:status` in that order.
        shelves: Which ones.
        parameters: The statement's other parameters.
    """
    cursors = [view.execute(statement, {**parameters, "flow": flow, "status": status}) for flow, status in shelves]
    try:
        yield heapq.merge(*cursors, key=_place, reverse=True)
    finally:
        for cursor in cursors:
            cursor.close()


def _place(row: Row) -> Row:
    return row[:2]
