# ruff: noqa: ANN401 - values of JSON, and the signatures of the builtins
"""Dicts and lists that tell when they are changed, at any depth. They are dicts and lists: `isinstance` holds.

What is put into one is copied into tracked containers; whoever keeps the original changes the original only.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Self, SupportsIndex

Tell = Callable[[], None]
"""Called after each change."""

_NOTHING: Any = object()


def _tell_nobody() -> None:
    """For what a caller makes of the type of one: `type(value)(…)` and `fromkeys`."""


def tracked(value: object, tell: Tell) -> Any:
    """Return a value with every dict and list in it tracked; anything else as it is."""
    if isinstance(value, dict):
        return TrackedDict(value, tell)
    if isinstance(value, list):
        return TrackedList(value, tell)
    return value


def plain(value: object) -> Any:
    """Return a copy made of ordinary dicts and lists."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    return value


class TrackedDict(dict[Any, Any]):
    """A dict that tells when it is changed."""

    __slots__ = ("_tell",)

    def __init__(self, items: Mapping[Any, Any] | Iterable[tuple[Any, Any]] = (), tell: Tell = _tell_nobody) -> None:
        """Copy the items."""
        self._tell = tell
        pairs = items.items() if isinstance(items, Mapping) else items
        super().__init__((key, tracked(value, tell)) for key, value in pairs)

    def __setitem__(self, key: object, value: object) -> None:
        super().__setitem__(key, tracked(value, self._tell))
        self._tell()

    def __delitem__(self, key: object) -> None:
        super().__delitem__(key)
        self._tell()

    def __ior__(self, other: Any) -> Self:  # type: ignore[misc]
        self.update(other)
        return self

    def update(self, *args: Any, **items: Any) -> None:
        """See `dict.update`."""
        fresh = dict(*args, **items)
        super().update((key, tracked(value, self._tell)) for key, value in fresh.items())
        self._tell()

    def setdefault(self, key: Any, default: Any = None, /) -> Any:
        """See `dict.setdefault`."""
        if key not in self:
            self[key] = default
        return self[key]

    def pop(self, key: Any, default: Any = _NOTHING, /) -> Any:
        """See `dict.pop`."""
        value = super().pop(key) if default is _NOTHING else super().pop(key, default)
        self._tell()
        return value

    def popitem(self) -> tuple[Any, Any]:
        """See `dict.popitem`."""
        item = super().popitem()
        self._tell()
        return item

    def clear(self) -> None:
        """See `dict.clear`."""
        super().clear()
        self._tell()

    def copy(self) -> dict[Any, Any]:
        """Return an ordinary dict; what is below is shared, as `dict.copy` has it."""
        return dict(self)

    def __copy__(self) -> dict[Any, Any]:
        return dict(self)

    def __deepcopy__(self, memo: dict[int, Any]) -> dict[Any, Any]:
        copied: dict[Any, Any] = plain(self)
        return copied

    def __reduce__(self) -> tuple[Any, ...]:
        return dict, (plain(self),)


class TrackedList(list[Any]):
    """A list that tells when it is changed."""

    __slots__ = ("_tell",)

    def __init__(self, items: Iterable[Any] = (), tell: Tell = _tell_nobody) -> None:
        """Copy the items."""
        self._tell = tell
        super().__init__(tracked(item, tell) for item in items)

    def __setitem__(self, at: Any, value: Any) -> None:
        if isinstance(at, slice):
            super().__setitem__(at, [tracked(item, self._tell) for item in value])
        else:
            super().__setitem__(at, tracked(value, self._tell))
        self._tell()

    def __delitem__(self, at: Any) -> None:
        super().__delitem__(at)
        self._tell()

    def __iadd__(self, other: Iterable[Any]) -> Self:  # type: ignore[misc]
        self.extend(other)
        return self

    def __imul__(self, times: SupportsIndex) -> Self:
        items = plain(self)
        self[:] = items * times
        return self

    def append(self, item: Any, /) -> None:
        """See `list.append`."""
        super().append(tracked(item, self._tell))
        self._tell()

    def extend(self, items: Iterable[Any], /) -> None:
        """See `list.extend`."""
        super().extend([tracked(item, self._tell) for item in items])
        self._tell()

    def insert(self, at: SupportsIndex, item: Any, /) -> None:
        """See `list.insert`."""
        super().insert(at, tracked(item, self._tell))
        self._tell()

    def pop(self, at: SupportsIndex = -1, /) -> Any:
        """See `list.pop`."""
        item = super().pop(at)
        self._tell()
        return item

    def remove(self, item: Any, /) -> None:
        """See `list.remove`."""
        super().remove(item)
        self._tell()

    def clear(self) -> None:
        """See `list.clear`."""
        super().clear()
        self._tell()

    def sort(self, *, key: Any = None, reverse: bool = False) -> None:
        """See `list.sort`."""
        try:
            super().sort(key=key, reverse=reverse)
        finally:
            self._tell()  # a sort that fails may have moved some

    def reverse(self) -> None:
        """See `list.reverse`."""
        super().reverse()
        self._tell()

    def __copy__(self) -> list[Any]:
        return list(self)

    def __deepcopy__(self, memo: dict[int, Any]) -> list[Any]:
        copied: list[Any] = plain(self)
        return copied

    def __reduce__(self) -> tuple[Any, ...]:
        return list, (plain(self),)
