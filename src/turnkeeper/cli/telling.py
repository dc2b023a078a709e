"""Tells an error in one line, with where the store's URL came from, unless the person has just typed it."""

from collections.abc import Iterator
from contextlib import contextmanager

from turnkeeper.errors import TurnkeeperError


@contextmanager
def naming(reason: str) -> Iterator[None]:
    """Add to an error why this store was chosen: nobody finds a wrong URL who does not know which variable has it."""
    try:
        yield
    except TurnkeeperError as exc:
        if reason != "--store":
            exc.add_note(f"the store: {reason}")
        raise


def told(exc: TurnkeeperError) -> str:
    """Return what an error says."""
    notes = "; ".join(getattr(exc, "__notes__", ()))
    return f"{exc} ({notes})" if notes else str(exc)
