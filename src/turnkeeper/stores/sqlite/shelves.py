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
"""A flow and a status; the status None holds what is not listed any more."""

Row = tuple[Any, ...]
"""Of the catalogue; the first column is the number of its last change."""

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
    view: View, statement: str, shelves: list[Shelf], parameters: Mapping[str, object], *, newest_first: bool
) -> Generator[Iterator[Row], None, None]:
    """Read several shelves as one, in order of change. The cursors end with the block, read or not.

    Args:
        view: Where.
        statement: Reads the shelf `:flow`, `:status` in order; its first column is the change.
        shelves: Which ones.
        parameters: The statement's other parameters.
        newest_first: The order that the statement has.
    """
    cursors = [view.execute(statement, {**parameters, "flow": flow, "status": status}) for flow, status in shelves]
    try:
        yield heapq.merge(*cursors, key=_change, reverse=newest_first)
    finally:
        for cursor in cursors:
            cursor.close()


def _change(row: Row) -> int:
    change: int = row[0]
    return change
