"""Opens a store by URL, and finds the URL where people put it. Pure, except that `open_store` imports the backend.

`.env` files are not read here: a process manager or a shell does that.
"""

from collections.abc import Mapping
from typing import Literal, get_args
from urllib.parse import parse_qsl, unquote, urlsplit

import msgspec

from turnkeeper.errors import ConfigurationError, UnknownStoreError
from turnkeeper.observe.masking import mask_url
from turnkeeper.ports.clock import Clock, SystemClock
from turnkeeper.ports.store import Store

KNOWN = ("sqlite:///relative.db", "sqlite:////absolute.db", "memory://")
"""URLs that this version understands, as examples for error texts."""

DEFAULT_URL = "sqlite:///.turnkeeper/turnkeeper.db"
"""The embedded store, below the folder in which the process was started."""

_FALSE = frozenset({"false", "0", "no", "off"})

Durability = Literal["disk", "memory"]


class ChosenStore(msgspec.Struct, frozen=True, kw_only=True):
    """A store URL and why it was chosen, for the start-up line."""

    url: str
    reason: str


def choose_store(environ: Mapping[str, str], *, given: str | None = None, default: str = DEFAULT_URL) -> ChosenStore:
    """Return the first URL found: given, TURNKEEPER_STORE, REDIS_URL, the Upstash pair, the embedded default.

    Args:
        environ: Usually `os.environ`. `REDIS_ENABLED=false` passes over REDIS_URL and the Upstash pair.
        given: What the person asked for, such as `--store`.
        default: The embedded store.

    Raises:
        ConfigurationError: Half of the Upstash pair is set.
    """
    if given:
        return ChosenStore(url=given, reason="--store")
    if url := environ.get("TURNKEEPER_STORE", "").strip():
        return ChosenStore(url=url, reason="TURNKEEPER_STORE")
    if environ.get("REDIS_ENABLED", "").strip().lower() in _FALSE:
        return ChosenStore(url=default, reason="embedded default (REDIS_ENABLED=false)")
    if url := environ.get("REDIS_URL", "").strip():
        return ChosenStore(url=url, reason="REDIS_URL")
    rest_url = environ.get("UPSTASH_REDIS_REST_URL", "").strip()
    token = environ.get("UPSTASH_REDIS_REST_TOKEN", "").strip()
    if bool(rest_url) != bool(token):
        missing = "UPSTASH_REDIS_REST_TOKEN" if rest_url else "UPSTASH_REDIS_REST_URL"
        raise ConfigurationError(f"{missing} is not set; Upstash needs both, or unset the other one")
    if rest_url:
        host = urlsplit(rest_url).hostname or rest_url
        return ChosenStore(url=f"rediss://default:{token}@{host}:6379", reason="UPSTASH_REDIS_REST_URL")
    return ChosenStore(url=default, reason="embedded default")


def open_store(url: str, *, clock: Clock | None = None) -> Store:
    """Return the store of a URL; nothing is opened before it is used.

    Raises:
        UnknownStoreError: No store has that scheme.
        ConfigurationError: The URL is incomplete or has a parameter that the store does not know.
    """
    parts = urlsplit(url)
    used_clock = clock or SystemClock()
    if parts.scheme == "memory":
        from turnkeeper.stores.memory import MemoryStore

        return MemoryStore(clock=used_clock)
    if parts.scheme == "sqlite":
        from turnkeeper.stores.sqlite import SqliteStore

        return SqliteStore(_sqlite_path(url), clock=used_clock, durability=_durability(url, parts.query))
    raise UnknownStoreError(url=mask_url(url), known=KNOWN)


def _sqlite_path(url: str) -> str:
    parts = urlsplit(url)
    path = unquote(parts.path)
    if parts.netloc or not path.startswith("/") or path in {"/", "/:memory:"}:
        raise ConfigurationError(
            f"{url!r} names no file; write sqlite:///relative.db, sqlite:////absolute.db, or memory:// for none"
        )
    return path[1:]


def _durability(url: str, query: str) -> Durability:
    parameters = dict(parse_qsl(query, keep_blank_values=True))
    durability = parameters.pop("durability", "disk")
    if parameters or durability not in get_args(Durability):
        raise ConfigurationError(f"{url!r}: the only parameter is durability=disk or durability=memory")
    return "disk" if durability == "disk" else "memory"
