"""A cache in front of a slow source: cache-aside, single flight across processes, stale-while-revalidate."""

from turnkeeper.documents.cache.cache import Cache, CacheStats, Found, Loader, Warmed

__all__ = ["Cache", "CacheStats", "Found", "Loader", "Warmed"]
