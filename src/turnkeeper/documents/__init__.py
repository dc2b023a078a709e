"""Data beside conversations: sessions, caches and mirrors, each one import, on every store.

A conversation's own state changes in turns and nowhere else; these are for what is not a conversation, and for code
that already keeps its data its own way.
"""

from turnkeeper.documents.cache import Cache, CacheStats, Found, Warmed
from turnkeeper.documents.mirror import Mirror, MirrorHealth
from turnkeeper.documents.sessions import KeyValue, Sessions
from turnkeeper.policy.ttl import Fixed, Lifetime, Preserved, Sliding

__all__ = [
    "Cache",
    "CacheStats",
    "Fixed",
    "Found",
    "KeyValue",
    "Lifetime",
    "Mirror",
    "MirrorHealth",
    "Preserved",
    "Sessions",
    "Sliding",
    "Warmed",
]
