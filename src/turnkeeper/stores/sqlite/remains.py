"""Reads and brings in what hangs on no conversation: names of collections, and who opted out."""

from collections.abc import Sequence
from pathlib import Path

from turnkeeper.ports.clock import Clock
from turnkeeper.ports.remains import OptOut, Remains, is_own
from turnkeeper.stores.sqlite.file.readers import View
from turnkeeper.stores.sqlite.file.writer import Transaction
from turnkeeper.stores.sqlite.medium import Medium
from turnkeeper.stores.sqlite.steps.commit import PUT_WISH

_COLLECTIONS = "SELECT DISTINCT collection FROM document WHERE conversation IS NULL ORDER BY collection"
_OPT_OUTS = "SELECT flow, person FROM opt_out WHERE is_out = 1 ORDER BY flow, person"
_KNOWN = "SELECT 1 FROM opt_out WHERE person = ? AND flow = ?"


async def read_remains(path: Path, *, clock: Clock) -> Remains:
    """Return what is there."""

    def read(view: View) -> Remains:
        collections = tuple(name for (name,) in view.execute(_COLLECTIONS) if not is_own(name))
        opt_outs = tuple(OptOut(flow=flow, person=person) for flow, person in view.execute(_OPT_OUTS))
        return Remains(collections=collections, opt_outs=opt_outs)

    medium = Medium(path, clock=clock, durability="disk")
    try:
        return await medium.read(read)
    finally:
        await medium.close()


async def write_opt_outs(path: Path, opt_outs: Sequence[OptOut], *, clock: Clock) -> None:
    """Note who opted out; a person of whom the store knows a wish keeps that one. Safe to repeat."""

    def write(transaction: Transaction) -> None:
        for one in opt_outs:
            if transaction.execute(_KNOWN, (one.person, one.flow)).fetchone() is None:
                transaction.execute(PUT_WISH, (one.person, one.flow, 1, transaction.next_number()))

    medium = Medium(path, clock=clock, durability="disk")
    try:
        await medium.write(write)
    finally:
        await medium.close()
