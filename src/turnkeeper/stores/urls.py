"""Opens a store by URL, and finds the URL where people put it. Pure, except that `open_store` imports the backend.

`.env` files are not read here: a process manager or a shell does that.
"""

from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Literal, get_args
from urllib.parse import SplitResult, parse_qsl, quote, unquote, urlsplit

import msgspec

from turnkeeper.errors import ConfigurationError, UnknownStoreError
from turnkeeper.observe.masking import mask_url
from turnkeeper.ports.clock import Clock, SystemClock
from turnkeeper.ports.findings import Finding
from turnkeeper.ports.remains import OptOut, Remains
from turnkeeper.ports.store import Store

KNOWN = (
    "sqlite:///relative.db",
    "sqlite:////absolute.db",
    "redis://host:6379/0",
    "redis+sentinel://host1,host2/service/0",
    "redis+cluster://host1,host2",
    "memory://",
)
"""URLs that this version understands, as examples for error texts."""

DEFAULT_URL = "sqlite:///.turnkeeper/turnkeeper.db"
"""The embedded store, below the folder in which the process was started."""

REDIS_EXTRA = (
    'Redis needs the extra "redis": pip install "turnkeeper[redis]"; or pass over REDIS_URL with REDIS_ENABLED=false'
)

REDIS_SCHEMES = frozenset(
    {
        "unix",
        *(
            f"{server}{kind}"
            for server in ("redis", "rediss", "valkey", "valkeys")
            for kind in ("", "+sentinel", "+cluster")
        ),
    }
)
"""What `turnkeeper.stores.redis` opens; named here too, so that this module needs no extra."""

_TRUE = frozenset({"", "true", "1", "yes", "on"})
_FALSE = frozenset({"false", "0", "no", "off"})

_UPSTASH = "https://name.upstash.io"

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
        environ: Usually `os.environ`. `REDIS_ENABLED=false` passes over REDIS_URL, the Upstash pair, and a Redis as
            default, in whose place the embedded store comes.
        given: What the person asked for, such as `--store`; None: nothing.
        default: What the application declares; without it the embedded store.

    Raises:
        ConfigurationError: Half of the Upstash pair is set, a variable cannot be meant, or what was asked for is empty.
    """
    if given is not None:
        if not given.strip():
            raise ConfigurationError(f"--store is empty; give a URL like {KNOWN[0]}, or leave the option out")
        return ChosenStore(url=given.strip(), reason="--store")
    if url := _value(environ, "TURNKEEPER_STORE"):
        return ChosenStore(url=url, reason="TURNKEEPER_STORE")
    if not _is_redis_enabled(environ):
        if _split(default).scheme in REDIS_SCHEMES:
            default = DEFAULT_URL
        return ChosenStore(url=default, reason=f"{_fallback(default)}; REDIS_ENABLED=false passes over Redis")
    if url := _value(environ, "REDIS_URL"):
        return ChosenStore(url=url, reason="REDIS_URL")
    if url := _upstash(environ):
        return ChosenStore(url=url, reason="UPSTASH_REDIS_REST_URL")
    return ChosenStore(url=default, reason=_fallback(default))


def _value(environ: Mapping[str, str], name: str) -> str:
    """Return what a variable says, empty where it says nothing.

    Raises:
        ConfigurationError: Somebody's quotation marks came with it, as `docker --env-file` hands them on.
    """
    value = environ.get(name, "").strip()
    if value[:1] in {"'", '"'}:
        raise ConfigurationError(f"the value of {name} begins with a quotation mark; write it without")
    return value


def _is_redis_enabled(environ: Mapping[str, str]) -> bool:
    said = _value(environ, "REDIS_ENABLED").lower()
    if said not in _TRUE | _FALSE:
        raise ConfigurationError(f"REDIS_ENABLED is {said!r}; write true or false")
    return said in _TRUE


def _upstash(environ: Mapping[str, str]) -> str:
    """Return the URL that the pair stands for, empty where it is not set."""
    rest_url, token = _value(environ, "UPSTASH_REDIS_REST_URL"), _value(environ, "UPSTASH_REDIS_REST_TOKEN")
    if bool(rest_url) != bool(token):
        missing = "UPSTASH_REDIS_REST_TOKEN" if rest_url else "UPSTASH_REDIS_REST_URL"
        raise ConfigurationError(f"{missing} is not set; Upstash needs both, or unset the other one")
    if not rest_url:
        return ""
    host = _split(rest_url if "://" in rest_url else f"https://{rest_url}").hostname
    if not host:
        raise ConfigurationError(f"UPSTASH_REDIS_REST_URL names no host; it looks like {_UPSTASH}")
    return f"rediss://default:{quote(token, safe='')}@{host}:6379"


def _fallback(default: str) -> str:
    return "embedded default" if default == DEFAULT_URL else "declared by the application"


def open_store(url: str, *, clock: Clock | None = None) -> Store:
    """Return the store of a URL; nothing is opened before it is used.

    Raises:
        UnknownStoreError: No store has that scheme.
        ConfigurationError: The URL is incomplete or has a parameter that the store does not know.
    """
    parts = _split(url)
    used_clock = clock or SystemClock()
    if parts.scheme == "memory":
        from turnkeeper.stores.memory import MemoryStore

        if parts.netloc or parts.path or parts.query or parts.fragment:
            raise ConfigurationError(f"{mask_url(url)!r} names something, and memory has no names; write memory://")
        return MemoryStore(clock=used_clock)
    if parts.scheme == "sqlite":
        from turnkeeper.stores.sqlite import SqliteStore

        return SqliteStore(sqlite_path(url), clock=used_clock, durability=_durability(url))
    if parts.scheme in REDIS_SCHEMES:
        return _open_redis(url, used_clock)
    advice = "the URL is empty" if not url.strip() else ""
    raise UnknownStoreError(url=mask_url(url), known=KNOWN, advice=advice)


def _require_redis(url: str) -> None:
    if find_spec("redis") is None:
        raise ConfigurationError(f"{mask_url(url)!r}: {REDIS_EXTRA}")


def _open_redis(url: str, clock: Clock) -> Store:
    _require_redis(url)
    from turnkeeper.stores.redis.address import read_address
    from turnkeeper.stores.redis.store import RedisStore

    return RedisStore(url, clock=clock, replicas=read_address(url).replicas or 1)


async def examine_store(url: str, *, clock: Clock | None = None) -> Sequence[Finding]:
    """Return what there is to say of a store and its settings; nothing is written but a probe that is removed again.

    Raises:
        ConfigurationError: The URL cannot be meant, there is no such file, or the server cannot be ours.
        RetryableError: The store does not answer.
    """
    scheme = _split(url).scheme
    used_clock = clock or SystemClock()
    if scheme == "sqlite":
        from turnkeeper.stores.sqlite.examine import examine as examine_file

        return await examine_file(sqlite_path(url), clock=used_clock, durability=_durability(url))
    if scheme in REDIS_SCHEMES:
        _require_redis(url)
        from turnkeeper.stores.redis.examining.examine import examine as examine_server

        return await examine_server(url, clock=used_clock)
    info = await open_store(url, clock=used_clock).catalog.info()
    advice = "for tests only: choose sqlite:///name.db or a Redis for conversations that matter"
    return [Finding(check="durability", level="danger", found=f"{info.kind}: may lose {info.loses}", advice=advice)]


async def read_remains(url: str) -> Remains:
    """Return what a store keeps that hangs on no conversation it lists. A SQLite file must be there.

    Raises:
        ConfigurationError: The URL cannot be meant, or the store does not let itself be read.
        RetryableError: It does not answer.
    """
    scheme = _split(url).scheme
    if scheme == "sqlite":
        from turnkeeper.stores.sqlite.remains import read_remains as read_file

        return await read_file(sqlite_path(url), clock=SystemClock())
    if scheme in REDIS_SCHEMES:
        _require_redis(url)
        from turnkeeper.stores.redis.lifecycle.remains import read_remains as read_server

        return await read_server(url)
    return Remains(collections=(), opt_outs=())


async def write_opt_outs(url: str, opt_outs: Sequence[OptOut]) -> None:
    """Note in an existing store who opted out; a wish that it knows already stays. Safe to repeat."""
    scheme = _split(url).scheme
    if scheme == "sqlite":
        from turnkeeper.stores.sqlite.remains import write_opt_outs as write_file

        await write_file(sqlite_path(url), opt_outs, clock=SystemClock())
    elif scheme in REDIS_SCHEMES:
        from turnkeeper.stores.redis.lifecycle.remains import write_opt_outs as write_server

        await write_server(url, opt_outs)


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
