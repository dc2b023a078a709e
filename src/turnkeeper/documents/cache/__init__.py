"""A cache in front of a slow source: cache-aside, single flight across processes, stale-while-revalidate."""

from turnkeeper.documents.cache.cache import Cache, Loader
from turnkeeper.documents.cache.results import CacheStats, Found, Warmed

__all__ = ["Cache", "CacheStats", "Found", "Loader", "Warmed"]
