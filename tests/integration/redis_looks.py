"""What the tests of the Redis store share: a look at a server from outside."""

import random
from typing import Any

LARGE = random.Random(1).randbytes(64 * 1024)
"""64 KB that do not compress; a state of that size is staged."""

STATE = "shop:+15550100"

Client = Any
"""redis-py's client, whose types leave open whether it decodes."""


def head(client: Client) -> bytes:
    """Return the key of the only head."""
    (key,) = client.keys("{*}:h:*")
    return bytes(key)
