"""What a cache hands out and counts. `value` None in a `Found` says that the source has none."""

from typing import Generic, TypeVar

import msgspec

T = TypeVar("T")


class CacheStats(msgspec.Struct, kw_only=True):
    """What happened in this process since it started. Plain counters, for metrics to read."""

    hits: int = 0
    stale_hits: int = 0
    misses: int = 0
    loads: int = 0
    load_errors: int = 0
    waits: int = 0
    outages: int = 0

    @property
    def hit_rate(self) -> float:
        """Return hits, stale ones too, in all lookups: 0 to 1; 0 before the first one."""
        asked = self.hits + self.stale_hits + self.misses
        return (self.hits + self.stale_hits) / asked if asked else 0.0


class Found(msgspec.Struct, Generic[T], frozen=True, kw_only=True):
    """What a cache gave. `is_stale`: older than the cache's span; `error`: why the source did not give a newer one."""

    value: T | None
    cached_at: str
    is_stale: bool = False
    error: str = ""


class Warmed(msgspec.Struct, frozen=True, kw_only=True):
    """What `Cache.warm` did; `failed` has the error of each id whose load failed."""

    loaded: int
    fresh: int
    failed: dict[str, Exception]
