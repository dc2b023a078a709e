"""What nobody asked for: forgetting, a few at a time, what is over, so that every index shrinks again."""

import logging

from turnkeeper.errors import OutcomeUnknownError, RetryableError
from turnkeeper.stores.redis import keys as names
from turnkeeper.stores.redis.lifetime import end
from turnkeeper.stores.redis.medium import Medium
from turnkeeper.stores.redis.parsing import Reply, text
from turnkeeper.stores.redis.scripts import Call

logger = logging.getLogger(__name__)

_AT_ONCE = 8
"""Conversations of one partition that one round forgets: some milliseconds for all partitions together."""

_EVERY_SECONDS = 60.0
"""Between two rounds of a process, on the clock of the store."""


async def flows_of(medium: Medium) -> list[str]:
    """Return every flow that the store ever had a conversation of."""
    keys = await medium.keys()
    found: set[str] = set()
    for partition in keys.partitions:
        (flows,) = await medium.scripts.read([("SMEMBERS", partition.flows)], partition)
        found.update(text(flow) for flow in flows)
    return sorted(found)


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
    count = 0
    for partition in keys.partitions:
        reply: Reply = (await medium.scripts.run(Call("due", partition, [partition.planned], (at_once, 1))))[0]
        for member in reply[3][::2]:
            await end(medium, names.conversation_of(member))
            count += 1
    return count
