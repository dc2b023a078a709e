"""What a URL of several hosts says: `redis+sentinel://h1,h2/service/0` and `redis+cluster://h1,h2`."""

from typing import Literal
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit

import msgspec

from turnkeeper.errors import ConfigurationError
from turnkeeper.observe.masking import mask_url

SENTINEL_PORT = 26_379
"""Where a sentinel listens unless told otherwise."""

REDIS_PORT = 6379
"""Where a server listens unless told otherwise."""


class Address(msgspec.Struct, frozen=True):
    """Where a server listens."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """Several hosts that lead to one store.

    `plain` is the URL of a single server as redis-py reads it, `guard` that of a sentinel.
    """

    url: str
    kind: Literal["sentinel", "cluster"]
    hosts: tuple[Address, ...]
    plain: str
    service: str = ""
    guard: str = ""

    def __repr__(self) -> str:
        return f"Place(url={self.url!r})"


def parse_place(url: str) -> Place:
    """Return what a URL of several hosts says.

    Raises:
        ConfigurationError: It cannot be read; the text says how it is written.
    """
    masked = mask_url(url)
    try:
        parts = urlsplit(url)
    except ValueError:
        raise ConfigurationError(f"{masked!r} is no URL") from None
    scheme, _, kind = parts.scheme.partition("+")
    user, at, hosts = parts.netloc.rpartition("@")
    path = [unquote(piece) for piece in parts.path.split("/")[1:] if piece]
    parameters = dict(parse_qsl(parts.query, keep_blank_values=True))
    guard = [quote(parameters.pop(f"sentinel_{name}", ""), safe="") for name in ("username", "password")]
    plain_scheme = "rediss" if scheme in {"rediss", "valkeys"} else "redis"
    if kind == "cluster":
        if path not in ([], ["0"]):
            raise ConfigurationError(f"{masked!r}: a cluster has only database 0; write redis+cluster://host,host")
        addresses, service, database = _hosts(hosts, REDIS_PORT, masked), "", "0"
    elif kind == "sentinel":
        service, database = path[0] if path else "", path[1] if path[1:] else "0"
        if not service or path[2:] or not database.isdecimal():
            raise ConfigurationError(f"{masked!r}: write redis+sentinel://host,host/service or /service/database")
        addresses = _hosts(hosts, SENTINEL_PORT, masked)
    else:
        raise ConfigurationError(f"{masked!r}: write redis+sentinel:// or redis+cluster://")
    query = f"?{urlencode(parameters)}" if parameters else ""
    first, guarded = addresses[0], f"{':'.join(guard)}@" if any(guard) else ""
    return Place(
        url=masked,
        kind="cluster" if kind == "cluster" else "sentinel",
        hosts=addresses,
        plain=f"{plain_scheme}://{user}{at}{first}/{database}{query}",
        service=service,
        guard=f"{plain_scheme}://{guarded}{first}/0{query}",
    )


def _hosts(text: str, port: int, masked: str) -> tuple[Address, ...]:
    found = []
    for piece in text.split(","):
        host, colon, number = piece.rpartition(":")
        if not colon or piece.endswith("]"):
            host, number = piece, str(port)
        host = host.removeprefix("[").removesuffix("]")
        if not host or not number.isdecimal() or not 0 < int(number) < 65_536:  # noqa: PLR2004 - ports end there
            raise ConfigurationError(
                f"{masked!r}: {piece!r} is no host or host:port; write them as host:port,host:port"
            )
        found.append(Address(host, int(number)))
    return tuple(found)
