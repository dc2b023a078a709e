"""The store on a Redis or Valkey server, 6.2 or newer: no modules, nothing to install on it."""

from turnkeeper.stores.redis.store import RedisStore

__all__ = ["RedisStore"]
