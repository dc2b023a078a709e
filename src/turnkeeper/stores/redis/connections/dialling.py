"""Opens connections: redis-py connects, speaks TLS, authenticates and selects; then the stream is ours.

What cannot work is told apart from what may work later, with what to do about it.
"""

import asyncio
import socket
import ssl
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from redis.asyncio.connection import AbstractConnection, Connection, SSLConnection, parse_url
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import AuthenticationError, NoPermissionError, RedisError, ResponseError

from turnkeeper.errors import ConfigurationError, StoreUnavailableError, StoreUnreadableError, TurnkeeperError
from turnkeeper.observe.masking import mask_url
from turnkeeper.stores.redis.connections.addresses import Address
from turnkeeper.stores.redis.connections.multiplexer import Multiplexer

CONNECT_SECONDS = 5.0
"""A server of the same data centre that does not answer for so long is not there."""

KEEP_ALIVE = {
    getattr(socket, name): seconds
    for name, seconds in (("TCP_KEEPIDLE", 30), ("TCP_KEEPINTVL", 10), ("TCP_KEEPCNT", 3))
    if hasattr(socket, name)
}
"""Seconds of silence, between probes, and how many: firewalls forget a silent connection in minutes, Linux asks after
two hours, and redis-py 5 does not ask at all. Not every system has each of them."""

_POOL_OPTIONS = ("max_connections", "timeout")
"""Of redis-py's pools, which people leave in their URLs; one shared connection has no use for them."""


class Dialler:
    """Opens connections to servers that share user, password, TLS and database number."""

    def __init__(self, url: str, *, name: str = "", answer_seconds: float, connect_seconds: float) -> None:
        """Take a URL as redis-py reads it, with its parameters; and how somebody wrote it, where that is another one.

        Raises:
            ConfigurationError: It is no URL of a Redis server.
        """
        self.url = name or mask_url(url)
        self._answer_seconds = answer_seconds
        self._connect_seconds = connect_seconds
        try:
            _ = urlsplit(url).port
        except ValueError:
            # Without its cause: what Python says of a malformed URL quotes the password.
            raise ConfigurationError(
                f"{self.url!r} is no URL of a Redis server; write special characters of a password as %40 for @, %2F "
                "for /, %23 for #, %3F for ?"
            ) from None
        try:
            found: dict[str, Any] = dict(parse_url(url))
            self._kind: type[AbstractConnection] = found.pop("connection_class", Connection)
            if issubclass(self._kind, Connection):  # else a socket of this machine, which needs none
                found |= {"socket_keepalive": True, "socket_keepalive_options": KEEP_ALIVE}
            for option in _POOL_OPTIONS:
                found.pop(option, None)
            self._options = {
                **found,
                "protocol": 2,  # what the parser's `False` relies on
                "decode_responses": False,
                "socket_connect_timeout": connect_seconds,
                "socket_timeout": connect_seconds,
                # redis-py would send a command up to ten times; nothing here is repeated but by who knows what it is.
                "retry": Retry(NoBackoff(), 0),
            }
            self._connection(None)
        except (ValueError, TypeError, RedisError) as exc:
            raise ConfigurationError(f"{self.url!r} is no URL of a Redis server: {exc}") from None

    async def dial(self, address: Address | None = None) -> Multiplexer:
        """Return a new open connection, to an address or to where the URL leads.

        Raises:
            StoreUnreadableError: The server refuses us, or TLS does not fit. Repeating changes nothing.
            StoreUnavailableError: Nobody is there, or not yet.
        """
        url = self.url if address is None else f"{self.url} ({address})"
        connection = self._connection(address)
        try:
            # redis-py bounds each of its steps; a server that answers each of them slowly is bounded here.
            async with asyncio.timeout(2 * self._connect_seconds):
                await connection.connect()  # type: ignore[no-untyped-call]  # redis-py
        except (RedisError, OSError) as exc:
            connection._close()  # type: ignore[no-untyped-call]  # noqa: SLF001 - no other way closes without waiting
            is_tls = issubclass(self._kind, SSLConnection)
            told, password = _told(url, exc, is_tls=is_tls), self._options.get("password")
            if password and password in str(told):  # a server without AUTH repeats what it was sent
                raise type(told)(str(told).replace(password, "***")) from None
            raise told from exc
        except BaseException:
            connection._close()  # type: ignore[no-untyped-call]  # noqa: SLF001
            raise
        return self._taken(connection, url)

    def _connection(self, address: Address | None) -> AbstractConnection:
        place = {} if address is None else {"host": address.host, "port": address.port}
        return self._kind(**{**self._options, **place})

    def _taken(self, connection: AbstractConnection, url: str) -> Multiplexer:
        """Take the stream away from redis-py, which reads one reply for one caller at a time."""
        writer: asyncio.StreamWriter = connection._writer  # type: ignore[assignment]  # noqa: SLF001
        connection._reader = connection._writer = None  # noqa: SLF001 - else it closes the stream when it is collected
        multiplexer = Multiplexer(url, answer_seconds=self._answer_seconds, keep=writer)
        writer.transport.set_protocol(multiplexer)
        multiplexer.connection_made(writer.transport)
        return multiplexer


def _told(url: str, exc: Exception, *, is_tls: bool) -> TurnkeeperError:
    """Return what a failed connection means and what to do. redis-py puts most reasons into errors of its own."""
    nothing, reasons = "nothing was written", _reasons(exc)
    for reason in reasons:
        text = str(reason)
        if "DB index" in text or "SELECT is not allowed" in text:
            return StoreUnreadableError(
                f"{url} has no such database ({text}); {nothing}. Use a smaller number (a cluster has only 0), or "
                "raise `databases` in the server's settings"
            )
        if "NOAUTH" in text or "Authentication required" in text:
            return StoreUnreadableError(f"{url} asks for a password ({text}); {nothing}. Add one to the URL")
        if isinstance(reason, AuthenticationError | NoPermissionError):
            return StoreUnreadableError(
                f"{url} refused the user or password ({text}); {nothing}. Write them as redis://user:password@host, "
                "special characters as %XX"
            )
        if "rotocol error" in text:
            return StoreUnreadableError(
                f"{url} is no Redis server ({text}): a web server, for one, answers so; {nothing}. Check host and port"
            )
        if isinstance(reason, ResponseError):
            return StoreUnreadableError(f"{url} refused the connection ({text}); {nothing}")
        if is_tls and isinstance(reason, ssl.SSLError | FileNotFoundError | PermissionError):
            return _tls(url, reason)
    said = str(exc) or "no answer in time"
    return StoreUnavailableError(
        f"{url} cannot be reached: {said}; nothing was sent{_advice(url, reasons, is_tls=is_tls)}"
    )


def _advice(url: str, reasons: Sequence[BaseException], *, is_tls: bool) -> str:
    """Return what may be the matter with somebody who is there and hangs up, or says nothing."""
    if any(isinstance(reason, socket.gaierror) for reason in reasons):
        return "; check the name of the host"
    texts = " ".join(str(reason) for reason in reasons)
    if any(isinstance(reason, ConnectionResetError | BrokenPipeError) for reason in reasons) or any(
        mark in texts for mark in ("closed by server", "Connection lost")
    ):
        certificate = "if it wants a certificate of its clients, add ?ssl_certfile=FILE&ssl_keyfile=FILE"
        return f"; {certificate}" if is_tls else f"; if it speaks TLS, write {_other_scheme(url)}"
    if is_tls and any(isinstance(reason, TimeoutError) for reason in reasons):
        return f"; if it does not speak TLS, write {_other_scheme(url)}"
    return ""


def _other_scheme(url: str) -> str:
    """Return how a URL begins that is the same with TLS, or without it."""
    kind, plus, several = url.partition("://")[0].partition("+")
    return f"{kind.removesuffix('s') if kind in {'rediss', 'valkeys'} else f'{kind}s'}{plus}{several}://"


def _tls(url: str, reason: OSError) -> StoreUnreadableError:
    if not isinstance(reason, ssl.SSLError):
        return StoreUnreadableError(
            f"{url}: a file that one of its ssl_ parameters names cannot be read ({reason.strerror}); nothing was "
            "sent. Check their paths"
        )
    if isinstance(reason, ssl.SSLCertVerificationError):
        advice = "Name its authority with ?ssl_ca_certs=FILE"
        if "mismatch" in reason.verify_message:
            advice = (
                "Use a name that it has (replica-announce-ip, cluster-announce-hostname say which one others get), "
                "or check its authority only, with ?ssl_check_hostname=false"
            )
        return StoreUnreadableError(
            f"{url}: the server's certificate is not trusted ({reason.verify_message}); nothing was written. {advice}"
        )
    if any(mark in str(reason) for mark in ("WRONG_VERSION_NUMBER", "RECORD_LAYER", "PACKET_LENGTH")):
        return StoreUnreadableError(
            f"{url} does not speak TLS ({reason}); nothing was written. Write {_other_scheme(url)}"
        )
    return StoreUnreadableError(
        f"{url}: TLS failed ({reason}); nothing was written. A server that wants a certificate of its clients gets it "
        "with ?ssl_certfile=FILE&ssl_keyfile=FILE"
    )


def _reasons(exc: BaseException) -> list[BaseException]:
    """Return an error and what it came from, the outermost first."""
    found = [exc]
    while (inner := found[-1].__cause__ or found[-1].__context__) is not None:
        found.append(inner)
    return found
