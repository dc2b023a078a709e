"""Opens a store by URL, and finds the URL where people put it. Pure, except that `open_store` imports the backend.

`.env` files are not read here: a process manager or a shell does that.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Literal, get_args
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

import msgspec

from turnkeeper.errors import ConfigurationError, UnknownStoreError
from turnkeeper.observe.masking import mask_url
from turnkeeper.ports.clock import Clock, SystemClock
from turnkeeper.ports.store import Store

KNOWN = ("sqlite:///relative.db", "sqlite:////absolute.db", "memory://")
"""URLs that this version understands, as examples for error texts."""

DEFAULT_URL = "sqlite:///.turnkeeper/turnkeeper.db"
"""The embedded store, below the folder in which the process was started."""

REDIS_ADVICE = (
    "this version has no Redis store; if REDIS_URL or the UPSTASH_ variables chose it, unset them or set "
    f"REDIS_ENABLED=false, and conversations are kept in {DEFAULT_URL}"
)

_REDIS_SCHEMES = frozenset({"redis", "rediss", "valkey", "valkeys"})

_FALSE = frozenset({"false", "0", "no", "off"})

Durability = Literal["disk", "memory"]


class ChosenStore(msgspec.Struct, frozen=True, kw_only=True):
    """A store URL and why it was chosen, for the start-up line. Its text never shows the URL's password."""

    url: str
    reason: str

    def __repr__(self) -> str:
        return f"ChosenStore(url={mask_url(self.url)!r}, reason={self.reason!r})"


def choose_store(environ: Mapping[str, str], *, given: str | None = None, default: str = DEFAULT_URL) -> ChosenStore:
    """Return the first URL found: given, TURNKEEPER_STORE, REDIS_URL, the Upstash pair, the default.

    Args:
        environ: Usually `os.environ`. `REDIS_ENABLED=false` passes over REDIS_URL and the Upstash pair.
        given: What the person asked for, such as `--store`.
        default: What the application declares; without it the embedded store.

    Raises:
        ConfigurationError: Half of the Upstash pair is set.
    """
    if given:
        return ChosenStore(url=given, reason="--store")
    if url := environ.get("TURNKEEPER_STORE", "").strip():
        return ChosenStore(url=url, reason="TURNKEEPER_STORE")
    fallback = "embedded default" if default == DEFAULT_URL else "declared by the application"
    if environ.get("REDIS_ENABLED", "").strip().lower() in _FALSE:
        return ChosenStore(url=default, reason=f"{fallback}; REDIS_ENABLED=false passes over Redis")
    if url := environ.get("REDIS_URL", "").strip():
        return ChosenStore(url=url, reason="REDIS_URL")
    rest_url = environ.get("UPSTASH_REDIS_REST_URL", "").strip()
    token = environ.get("UPSTASH_REDIS_REST_TOKEN", "").strip()
    if bool(rest_url) != bool(token):
        missing = "UPSTASH_REDIS_REST_TOKEN" if rest_url else "UPSTASH_REDIS_REST_URL"
        raise ConfigurationError(f"{missing} is not set; Upstash needs both, or unset the other one")
    if rest_url:
        host = _split(rest_url).hostname or rest_url
        return ChosenStore(url=f"rediss://default:{token}@{host}:6379", reason="UPSTASH_REDIS_REST_URL")
    return ChosenStore(url=default, reason=fallback)


def open_store(url: str, *, clock: Clock | None = None) -> Store:
    """Return the store of a URL; nothing is opened before it is used.

    Raises:
        UnknownStoreError: No store has that scheme.
        ConfigurationError: The URL is incomplete or has a parameter that the store does not know.
    """
    scheme = _split(url).scheme
    used_clock = clock or SystemClock()
    if scheme == "memory":
        from turnkeeper.stores.memory import MemoryStore

        return MemoryStore(clock=used_clock)
    if scheme == "sqlite":
        from turnkeeper.stores.sqlite import SqliteStore

        return SqliteStore(sqlite_path(url), clock=used_clock, durability=_durability(url))
    error = UnknownStoreError(url=mask_url(url), known=KNOWN)
    if scheme in _REDIS_SCHEMES:
        error.args = (f"{error}; {REDIS_ADVICE}",)
    raise error


def sqlite_path(url: str) -> Path:
    """Return the file that a `sqlite:` URL names, relative to the working directory unless it has four slashes.

    Raises:
        ConfigurationError: It names no file.
    """
    parts = _split(url)
    path = unquote(parts.path)
    if parts.netloc or parts.fragment or not path.startswith("/") or path in {"/", "/:memory:"} or "\0" in path:
        raise ConfigurationError(
            f"{mask_url(url)!r} names no file; write sqlite:///relative.db, sqlite:////absolute.db, or memory:// for "
            "none (in a file's name write %23 for # and %3F for ?)"
        )
    return Path(path[1:])


def _durability(url: str) -> Durability:
    parameters = dict(parse_qsl(_split(url).query, keep_blank_values=True))
    durability = parameters.pop("durability", "disk")
    if parameters or durability not in get_args(Durability):
        raise ConfigurationError(f"{mask_url(url)!r}: the only parameter is durability=disk or durability=memory")
    return "disk" if durability == "disk" else "memory"


def _split(url: str) -> SplitResult:
    try:
        return urlsplit(url)
    except ValueError:
        # Without its cause: what Python says of a malformed URL quotes the password.
        raise ConfigurationError(f"{mask_url(url)!r} is no URL; use one like {', '.join(KNOWN)}") from None
