"""What nobody asked for: forgetting, a few at a time, what is over, so that every index shrinks again."""

import asyncio
import logging

from turnkeeper.errors import OutcomeUnknownError, RetryableError
from turnkeeper.stores.redis import keys as names
from turnkeeper.stores.redis.keys import PLANS
from turnkeeper.stores.redis.lifetime import end
from turnkeeper.stores.redis.medium import Medium, run_grouped
from turnkeeper.stores.redis.parsing import text
from turnkeeper.stores.redis.scripts import Call

logger = logging.getLogger(__name__)

_AT_ONCE = 8
"""Conversations of one partition that one round forgets: some milliseconds for all partitions together."""

_EVERY_SECONDS = 60.0
"""Between two rounds of a process, on the clock of the store."""


async def flows_of(medium: Medium) -> list[str]:
    """Return every flow that the store ever had a conversation of."""
    keys = await medium.keys()
    asked = (medium.scripts.read([("SMEMBERS", partition.flows)], partition) for partition in keys.partitions)
    return sorted({text(flow) for (flows,) in await asyncio.gather(*asked) for flow in flows})


async def tidy(medium: Medium) -> None:
    """Forget a little of what is over, if the last time was long enough ago. What fails now is done later."""
    if not medium.may_tidy(_EVERY_SECONDS):
        return
    try:
        await sweep(medium, at_once=_AT_ONCE)
    except (RetryableError, OutcomeUnknownError) as exc:
        logger.debug("redis_tidy_failed", extra={"reason": str(exc)})


async def sweep(medium: Medium, *, at_once: int) -> int:
    """Look at so many conversations of every partition whose time may be over; return how many were looked at."""
    keys = await medium.keys()
    calls = [Call("due", partition, partition.plans(), (at_once, PLANS)) for partition in keys.partitions]
    members = [member for reply in await run_grouped(medium, calls) for member in reply[3][::2][:at_once]]
    for member in members:
        await end(medium, names.conversation_of(member))
    return len(members)
