"""Examines the server of a URL, also one that the store itself would refuse."""

from collections.abc import Sequence

from turnkeeper.ports.clock import Clock
from turnkeeper.ports.findings import Finding
from turnkeeper.stores.redis.address import read_address
from turnkeeper.stores.redis.deployments.choosing import open_wire
from turnkeeper.stores.redis.deployments.single import ANSWER_SECONDS
from turnkeeper.stores.redis.examining.facts import gather
from turnkeeper.stores.redis.examining.judging import judge


async def examine(url: str, *, clock: Clock) -> Sequence[Finding]:
    """Return what there is to say of a server.

    Raises:
        ConfigurationError: The URL cannot be meant, or the server does not even say what it is.
        StoreUnavailableError: It does not answer.
    """
    address = read_address(url)
    # Asked without any proof: what the durability level needs is a finding, and no reason not to answer.
    wire = open_wire(address.url, answer_seconds=address.answer_seconds or ANSWER_SECONDS)
    try:
        facts = await gather(wire, clock=clock)
    finally:
        await wire.close()
    durability = address.durability or "memory"
    return judge(facts, durability, replicas=address.replicas or 1, partitions=address.partitions)
