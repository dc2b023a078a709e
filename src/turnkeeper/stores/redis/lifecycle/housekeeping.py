"""What nobody asked for: forgetting, a few at a time, what is over, so that every index shrinks again."""

import asyncio
import logging
from collections.abc import Sequence

from turnkeeper.errors import OutcomeUnknownError, RetryableError
from turnkeeper.stores.redis.layout import keys as names
from turnkeeper.stores.redis.layout.keys import PLANS, Keys
from turnkeeper.stores.redis.layout.parsing import Reply, text
from turnkeeper.stores.redis.lifecycle.lifetime import end
from turnkeeper.stores.redis.medium import Medium
from turnkeeper.stores.redis.scripts import Call

logger = logging.getLogger(__name__)

_AT_ONCE = 8
"""Conversations of one partition that one round forgets: some milliseconds for all partitions together."""

_EVERY_SECONDS = 60.0
"""Between two rounds of a process, on the clock of the store."""

_SOON_SECONDS = 1.0
"""The same while a round finds more than it forgets: a busy flow ends more conversations than one round a minute."""


async def flows_of(medium: Medium) -> list[str]:
    """Return every flow that the store ever had a conversation of."""
    keys = await medium.keys()
    asked = (medium.scripts.read([("SMEMBERS", partition.flows)], partition) for partition in keys.partitions)
    return sorted({text(flow) for (flows,) in await asyncio.gather(*asked) for flow in flows})


def look_for_ends(medium: Medium, keys: Keys) -> list[Call]:
    """Return what finds conversations that are over, to send beside another look; nothing if it is not time yet."""
    if not medium.may_tidy(_EVERY_SECONDS):
        return []
    return [Call("due", partition, partition.plans(), (_AT_ONCE, PLANS)) for partition in keys.partitions]


async def forget_ends(medium: Medium, replies: Sequence[Reply]) -> None:
    """Forget what such a look found. What fails now is done later."""
    try:
        members = [member for reply in replies for member in reply[3][::2][:_AT_ONCE]]
        if any(len(reply[3]) // 2 >= _AT_ONCE for reply in replies):
            medium.tidy_in(_SOON_SECONDS)
        await asyncio.gather(*(end(medium, names.conversation_of(member)) for member in members))
    except (RetryableError, OutcomeUnknownError) as exc:
        logger.debug("redis_tidy_failed", extra={"reason": str(exc)})
