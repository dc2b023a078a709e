"""How long a document lives, as a value: `Fixed`, `Sliding` or `Preserved`. Pure; a store counts the time.

The three differ only in which operation starts the span anew.
"""

from datetime import timedelta

import msgspec

from turnkeeper.errors import ConfigurationError

_MS = timedelta(milliseconds=1)


class Fixed(msgspec.Struct, frozen=True):
    """Counted from each write: a value is never older than its span."""

    span: timedelta

    def __post_init__(self) -> None:
        """Refuse a span that is over before it began."""
        span_ms(self.span)


class Sliding(msgspec.Struct, frozen=True):
    """Counted from each read and each write: what is used stays."""

    span: timedelta

    def __post_init__(self) -> None:
        """Refuse a span that is over before it began."""
        span_ms(self.span)


class Preserved(msgspec.Struct, frozen=True):
    """Counted from the first write: an update changes the value and leaves the time that remains as it is."""

    span: timedelta

    def __post_init__(self) -> None:
        """Refuse a span that is over before it began."""
        span_ms(self.span)


Lifetime = Fixed | Sliding | Preserved | None
"""None: for ever."""


def span_ms(span: timedelta | None) -> int | None:
    """Return a span in whole milliseconds, None for ever.

    Raises:
        ConfigurationError: It is shorter than a millisecond.
    """
    if span is None:
        return None
    if span < _MS:
        raise ConfigurationError(f"a time to live is at least a millisecond, got {span}; None means for ever")
    return span // _MS
