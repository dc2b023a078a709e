"""What the tests of the Redis store share: a server of their own, and a look at it from outside."""

import random
from typing import Any

import pytest
from redis import Redis
from redis.backoff import ConstantBackoff
from redis.exceptions import ConnectionError as NotListeningError
from redis.retry import Retry

from tests.conformance.redis_servers import RedisServer

LARGE = random.Random(1).randbytes(64 * 1024)
"""64 KB that do not compress; a state of that size is staged."""

STATE = "shop:+15550100"

Client = Any
"""redis-py's client, whose types leave open whether it decodes."""


def own_server(folders: pytest.TempPathFactory, *options: str) -> RedisServer:
    """Start a server, and wait until it listens: its socket is there a moment earlier."""
    server = RedisServer(folders.mktemp("redis"), *options)
    patient = Retry(ConstantBackoff(0.01), 500)
    with Redis(unix_socket_path=str(server.socket), retry=patient, retry_on_error=[NotListeningError]) as client:
        client.ping()
    return server


def head(client: Client) -> bytes:
    """Return the key of the only head."""
    (key,) = client.keys("{*}:h:*")
    return bytes(key)
