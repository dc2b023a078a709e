"""Abilities: what not every store can do. A test that needs one is deselected unless the backend declares it.

Deselected, not skipped: pytest counts it, and a skip stays what it is, a test that should have run.
"""

from collections.abc import Callable
from typing import TypeVar

import pytest

ABILITIES = {
    "evict": "the medium may drop a state on its own; `evict` does it",
    "restart": "what is stored outlives the store object; `reopen` brings it back",
    "second_process": "two store objects may use one medium at a time; `make_store` twice with one path gives them",
}
"""Every ability, and what declaring it means."""

_ATTRIBUTE = "needs_ability"

F = TypeVar("F", bound=Callable[..., object])


def needs(ability: str) -> Callable[[F], F]:
    """Mark a test as one that only a backend with that ability can pass."""
    if ability not in ABILITIES:
        raise ValueError(f"no ability is called {ability!r}; there are: {', '.join(ABILITIES)}")

    def mark(test: F) -> F:
        setattr(test, _ATTRIBUTE, ability)
        return test

    return mark


def undeclared(test: object, backend: object) -> str:
    """Return the ability that a test needs and its backend's class does not declare, or nothing."""
    ability = str(getattr(test, _ATTRIBUTE, ""))
    return "" if ability in getattr(backend, "abilities", ()) else ability


def deselect_undeclared(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Take the tests out of a collection that their backend does not declare itself able to pass."""
    left_out = [item for item in items if isinstance(item, pytest.Function) and undeclared(item.function, item.cls)]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]
