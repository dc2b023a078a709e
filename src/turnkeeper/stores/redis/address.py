"""Reads the URL of a Redis or Valkey server: what of it is ours, and what the connection is to know.

A `+` in a query is a blank by the rules of forms. Here it is a plus, as in `durability=disk+replica` and in passwords.
"""

from typing import Literal, get_args
from urllib.parse import SplitResult, parse_qsl, urlencode, urlsplit, urlunsplit

import msgspec

from turnkeeper.errors import ConfigurationError
from turnkeeper.observe.masking import mask_url

Level = Literal["cache", "memory", "replica", "disk", "disk+replica"]

EXAMPLES = {
    "redis": "redis://host:6379/0",
    "rediss": "rediss://user:password@host:6379/0",
    "valkey": "valkey://host:6379/0",
    "valkeys": "valkeys://user:password@host:6379/0",
    "unix": "unix:///run/redis.sock?db=0",
    "redis+sentinel": "redis+sentinel://host1:26379,host2:26379/service/0",
    "rediss+sentinel": "rediss+sentinel://host1:26379,host2:26379/service/0",
    "valkey+sentinel": "valkey+sentinel://host1:26379,host2:26379/service/0",
    "valkeys+sentinel": "valkeys+sentinel://host1:26379,host2:26379/service/0",
    "redis+cluster": "redis+cluster://host1:6379,host2:6379",
    "rediss+cluster": "rediss+cluster://host1:6379,host2:6379",
    "valkey+cluster": "valkey+cluster://host1:6379,host2:6379",
    "valkeys+cluster": "valkeys+cluster://host1:6379,host2:6379",
}
"""The schemes, each with a URL that shows what belongs where."""

OURS = ("durability", "replicas", "partitions", "answer_seconds")
"""What the store itself is told."""

THEIRS = frozenset(
    {
        "db", "client_name", "ssl_ca_certs", "ssl_ca_path", "ssl_certfile", "ssl_keyfile", "ssl_cert_reqs",
        "ssl_check_hostname", "sentinel_username", "sentinel_password",
    }
)  # fmt: skip
"""What goes on to the connection. Timeouts and retries of redis-py do not: the store has its own."""

MAX_ANSWER_SECONDS = 60.0
"""Longer than any provider waits for its webhook."""

MAX_REPLICAS = 16
"""More than a primary can feed."""

MAX_PARTITIONS = 256
"""More tags than that have fewer than 64 slots each."""

_ESCAPES = "write special characters of a password as %40 for @, %2F for /, %23 for #, %3F for ?"


class Address(msgspec.Struct, frozen=True, kw_only=True):
    """Where a server is and how it is to be used. `url` has a password; None: the store's own default."""

    scheme: str
    url: str
    durability: Level | None = None
    replicas: int | None = None
    partitions: int | None = None
    answer_seconds: float | None = None

    def __repr__(self) -> str:
        return f"Address(url={mask_url(self.url)!r})"


def read_address(url: str) -> Address:
    """Return what a URL says; `Address.url` is without our parameters.

    Raises:
        ConfigurationError: It cannot be meant; the text says what is accepted and shows no password.
    """
    parts = _split(url)
    if parts.scheme not in EXAMPLES:
        raise _refused(url, f"write one of {', '.join(f'{scheme}://' for scheme in EXAMPLES)}")
    _check_place(url, parts)
    given = parse_qsl(parts.query.replace("+", "%2B"), keep_blank_values=True)
    _check_names(url, parts.scheme, [name for name, _ in given])
    _check_database(url, parts, dict(given).get("db"))
    ours = {name: value for name, value in given if name in OURS}
    rest = urlencode([(name, value) for name, value in given if name not in OURS])
    # Without a scheme, because `urlunsplit` takes the slashes off a scheme that it does not know, such as unix.
    plain = urlunsplit(parts._replace(scheme="", query=rest))
    return Address(
        scheme=parts.scheme,
        url=f"{parts.scheme}:{plain if plain.startswith('//') else '//' + plain}",
        durability=_durability(url, ours.get("durability")),
        replicas=_number(url, "replicas", ours.get("replicas"), MAX_REPLICAS),
        partitions=_number(url, "partitions", ours.get("partitions"), MAX_PARTITIONS),
        answer_seconds=_answer_seconds(url, ours.get("answer_seconds")),
    )


def _split(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        if "," not in parts.netloc and parts.port == 0:
            raise _refused(url, "port 0 is none")
    except ValueError:
        # Without its cause: what Python says of a malformed URL quotes the password.
        raise _refused(url, f"it is no URL; {_ESCAPES}") from None
    return parts


def _check_place(url: str, parts: SplitResult) -> None:
    example = EXAMPLES[parts.scheme]
    if parts.fragment or "@" in parts.path:
        raise _refused(url, _ESCAPES)
    if parts.scheme == "unix":
        if not parts.path.strip("/"):
            raise _refused(url, f"it names no socket; write {example}")
        if parts.netloc.rpartition("@")[2]:
            raise _refused(url, f"a socket has no host: three slashes stand before its path; write {example}")
        return
    _check_hosts(url, parts)
    names = [name for name in parts.path.split("/") if name]
    if parts.scheme.endswith("+sentinel"):
        if not names:
            raise _refused(url, f"it names no service; write {example}")
        names = names[1:]
    if len(names) > 1 or (names and not names[0].isdecimal()):
        raise _refused(url, f"behind the host stands the number of a database; write {example}")
    if parts.scheme.endswith("+cluster") and names not in ([], ["0"]):
        raise _refused(url, "a cluster has one database, number 0; leave the number out")


def _check_hosts(url: str, parts: SplitResult) -> None:
    hosts = parts.netloc.rpartition("@")[2]
    if not hosts.strip(","):
        raise _refused(url, f"it names no host; write {EXAMPLES[parts.scheme]}")
    if "," in hosts and "+" not in parts.scheme:
        several = " or ".join(f"{parts.scheme}+{kind}://" for kind in ("sentinel", "cluster"))
        raise _refused(url, f"it names several hosts; write {several} for those")


def _check_names(url: str, scheme: str, names: list[str]) -> None:
    unknown = sorted(set(names) - THEIRS - set(OURS))
    if {"username", "password"} & set(unknown):
        where = "unix://user:password@/run/redis.sock" if scheme == "unix" else EXAMPLES["rediss"]
        raise _refused(url, f"user and password stand before an @, as in {where}")
    if unknown or len(set(names)) < len(names):
        what = f"there is no parameter {', '.join(unknown)}" if unknown else "a parameter stands there twice"
        raise _refused(url, f"{what}; there are {', '.join((*OURS, *sorted(THEIRS)))}")
    kind, plus, several = scheme.partition("+")
    for name in names:
        if name.startswith("ssl_") and kind not in {"rediss", "valkeys"}:
            advice = "a socket needs none" if kind == "unix" else f"write {kind}s{plus}{several}://"
            raise _refused(url, f"{name} is for TLS, and this is without; {advice}, or leave it out")
        if name.startswith("sentinel_") and several != "sentinel":
            raise _refused(url, f"{name} is for sentinels, and it names none; write {EXAMPLES['redis+sentinel']}")


def _check_database(url: str, parts: SplitResult, given: str | None) -> None:
    """Refuse a `db` that is none, or that the path contradicts: conversations would be where nobody looks."""
    if given is None:
        return
    if not given.isdecimal():
        raise _refused(url, "db is the number of a database")
    if parts.scheme.endswith("+cluster") and int(given):
        raise _refused(url, "a cluster has one database, number 0; leave the number out")
    names = [name for name in parts.path.split("/") if name]
    said = names[1:] if parts.scheme.endswith("+sentinel") else names
    if parts.scheme != "unix" and said and int(said[0]) != int(given):
        raise _refused(url, f"its path says database {said[0]} and its parameter {given}; leave one of them out")


def _durability(url: str, given: str | None) -> Level | None:
    for level in get_args(Level):
        if given is not None and given.replace(" ", "+") == level:  # what was %20 in the URL, or a blank in a shell
            found: Level = level
            return found
    if given is not None:
        raise _refused(url, f"durability is one of {', '.join(get_args(Level))}")
    return None


def _number(url: str, name: str, given: str | None, most: int) -> int | None:
    if given is None:
        return None
    if not (given.isdecimal() and 1 <= int(given) <= most):
        raise _refused(url, f"{name} is a number from 1 to {most}")
    return int(given)


def _answer_seconds(url: str, given: str | None) -> float | None:
    if given is None:
        return None
    seconds = float(given) if given.replace(".", "", 1).isdecimal() else 0.0
    if not 0 < seconds <= MAX_ANSWER_SECONDS:
        raise _refused(url, f"answer_seconds is a number above 0, up to {MAX_ANSWER_SECONDS:g}")
    return seconds


def _refused(url: str, why: str) -> ConfigurationError:
    return ConfigurationError(f"{mask_url(url)!r} leads to no Redis: {why}")
