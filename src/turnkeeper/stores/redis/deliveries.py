"""The `Deliveries` port on Redis. What is due stands in one sorted set for each flow and partition."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta

import msgspec

from turnkeeper.model.conversation import ConversationId
from turnkeeper.ports.checks import check_batch, page_size
from turnkeeper.ports.deliveries import (
    Claim,
    Claimed,
    DeadLetter,
    DeadPage,
    Due,
    DueList,
    Lane,
    Settled,
    Settlement,
    Verdict,
)
from turnkeeper.ports.limits import MAX_INBOX
from turnkeeper.stores.redis.committing import WINDOW_MS
from turnkeeper.stores.redis.deployments.wire import Command
from turnkeeper.stores.redis.layout import codes
from turnkeeper.stores.redis.layout import keys as names
from turnkeeper.stores.redis.layout.keys import KIND_OF, Partition
from turnkeeper.stores.redis.layout.parsing import Reply, number
from turnkeeper.stores.redis.lifecycle.housekeeping import flows_of, forget_ends, look_for_ends
from turnkeeper.stores.redis.lifecycle.lifetime import end
from turnkeeper.stores.redis.medium import Look, Medium, run_grouped
from turnkeeper.stores.redis.scripts import Call, facts
from turnkeeper.stores.redis.turns import digest_of

MOST_CLAIMED = 512
"""Entries of one claim: twice a batch, because the committer adds replies to a claim of its own."""

GATHER_SECONDS = 0.01
"""Between a hint and the look that it asks for: every commit of this process hints, and a look asks every partition."""

_FIELDS = 8
"""Of an entry in the answer of `claim.lua`."""


class Letter(msgspec.Struct, frozen=True, array_like=True):
    """A dead letter as the scripts pack it."""

    ref: str
    source_id: str
    kind: str
    error: str
    attempts: int
    version: int
    at_ms: int
    name: str
    maybe_sent: int
    committed_ms: int
    tick: int


class RedisDeliveries:
    """See `turnkeeper.ports.deliveries.Deliveries`."""

    def __init__(self, medium: Medium) -> None:
        """Take the server."""
        self._medium = medium

    async def claim(self, lane: Lane, /, *, token: str, lease: timedelta, limit: int = 16) -> Claim | None:
        """See `Deliveries.claim`."""
        conversation = lane.conversation
        place = await self._medium.place(conversation)
        partition = place.partition
        call = Call(
            "claim",
            partition,
            (
                place.keys.head, place.keys.effects, partition.due(conversation.flow),
                partition.wish(conversation.flow, conversation.person),
            ),
            (lane.name, token, lease // timedelta(milliseconds=1), page_size(limit), place.lane, MOST_CLAIMED),
        )  # fmt: skip
        # As durable as a commit: a claim that a failover forgets would let its reply go out again, unmarked.
        reply: Reply = (await self._medium.scripts.run(call, durable=True))[0]
        if reply[0] != codes.OK:
            return None
        _, until_ms, now_ms, fields = reply
        entries = tuple(_claimed(fields[at : at + _FIELDS]) for at in range(0, len(fields), _FIELDS))
        return Claim(lane=lane, token=token, entries=entries, until_ms=until_ms, now_ms=now_ms)

    async def settle(self, settlements: Sequence[Settlement], /) -> Sequence[Settled]:
        """See `Deliveries.settle`."""
        check_batch(len(settlements))
        calls = [await self._settlement(one) for one in settlements]
        replies = await run_grouped(self._medium, calls)
        self._medium.hint()
        return [Settled(held=reply[0] == codes.OK, more=reply[0] == codes.OK and reply[1] == 1) for reply in replies]

    async def _settlement(self, one: Settlement) -> Call:
        place = await self._medium.place(one.lane.conversation)
        said = facts(
            one.lane.name, one.token, one.id, one.verdict.value, one.wait_ms, one.error, place.ref, place.lane,
            WINDOW_MS, MOST_CLAIMED,
        )  # fmt: skip
        if one.verdict is Verdict.DEAD:
            return Call("settle", place.partition, (*place.settle_keys, *place.burial_keys), (said,))
        return Call("settle", place.partition, place.settle_keys, (said,), place.settle_opening)

    async def due(
        self,
        *,
        flows: Sequence[str] | None = None,
        limit: int = 64,
        wait: timedelta = timedelta(0),
        jobs: bool = True,
    ) -> DueList:
        """See `Deliveries.due`. Once a minute it also forgets what is over, a little of it, found by the same look."""
        is_again = False

        async def look() -> Look[DueList]:
            nonlocal is_again
            if is_again:
                await asyncio.sleep(GATHER_SECONDS)  # not the clock's: one that stands still must not hold up a hint
            is_again = True
            found = await self._due(flows, page_size(limit), jobs=jobs)
            return Look(answer=found, is_enough=bool(found.items), now_ms=found.now_ms, next_ms=found.next_ms)

        return await self._medium.look(look, wait=wait)

    async def _due(self, flows: Sequence[str] | None, limit: int, *, jobs: bool) -> DueList:
        keys = await self._medium.keys()
        wanted = await flows_of(self._medium) if flows is None else list(dict.fromkeys(flows))
        calls = [
            Call("due", partition, [partition.due(flow) for flow in wanted], (limit, len(wanted), int(jobs)))
            for partition in keys.partitions
        ]
        ends = look_for_ends(self._medium, keys)
        answers = await run_grouped(self._medium, [*calls, *ends])
        replies = answers[: len(calls)]
        await forget_ends(self._medium, answers[len(calls) :])
        items = [
            _due_item(reply[3][at], int(reply[3][at + 1])) for reply in replies for at in range(0, len(reply[3]), 2)
        ]
        items.sort(key=_urgency)
        later = [next_ms for reply in replies if (next_ms := number(reply[2])) is not None]
        now_ms = max(reply[1] for reply in replies)
        return DueList(items=tuple(items[:limit]), next_ms=min(later, default=None), now_ms=now_ms)

    async def dead(self, *, flow: str | None = None, cursor: str | None = None, limit: int = 50) -> DeadPage:
        """See `Deliveries.dead`. The cursor is the age of the last one; ages are never shared within a partition."""
        keys = await self._medium.keys()
        rows = page_size(limit)
        flows = await flows_of(self._medium) if flow is None else [flow]
        newest = "+inf" if cursor is None else cursor.partition("-")[0]

        async def letters(partition: Partition, index: int) -> list[tuple[int, int, Partition]]:
            # One more than the page, and one that may be the cursor's own.
            asked: list[Command] = [
                ("ZREVRANGEBYSCORE", partition.dead(each), newest, "-inf", "LIMIT", 0, rows + 2) for each in flows
            ]
            found = await self._medium.scripts.read(asked, partition) if asked else []
            return [(int(one), index, partition) for each in found if isinstance(each, list) for one in each]

        lists = await asyncio.gather(*(letters(partition, index) for index, partition in enumerate(keys.partitions)))
        found = sorted((one for each in lists for one in each), key=lambda one: one[:2], reverse=True)
        if cursor is not None:
            age, _, last = cursor.partition("-")
            found = [one for one in found if one[:2] < (int(age), int(last))]
        page = found[:rows]
        items = await asyncio.gather(*(self._letter(partition, age, index) for age, index, partition in page))
        more = f"{page[-1][0]}-{page[-1][1]}" if len(found) > rows else None
        return DeadPage(items=tuple(item for item, _ in (one for one in items if one is not None)), cursor=more)

    async def _letter(self, partition: Partition, age: int, index: int) -> tuple[DeadLetter, Letter] | None:
        fields = ("HMGET", partition.dead_bodies, f"m{age}", f"p{age}")
        (found,) = await self._medium.scripts.read([fields], partition)
        if not isinstance(found, list) or found[0] is None:
            return None
        packed = msgspec.msgpack.decode(found[0], type=Letter)
        letter = DeadLetter(
            id=f"{age}-{index}",
            conversation=names.conversation_of(packed.ref.encode()),
            source_id=packed.source_id,
            kind=KIND_OF.get(packed.kind),
            payload=found[1],
            error=packed.error,
            attempts=packed.attempts,
            version=packed.version,
            at_ms=packed.at_ms,
        )
        return letter, packed

    async def redrive(self, ids: Sequence[str], /) -> int:
        """See `Deliveries.redrive`. One after the other, in the order of the ids."""
        check_batch(len(ids))
        count = 0
        for letter_id in ids:
            count += await self._redrive(letter_id)
        self._medium.hint()
        return count

    async def _redrive(self, letter_id: str) -> bool:
        keys = await self._medium.keys()
        age, _, index = letter_id.partition("-")
        if not (age.isdecimal() and index.isdecimal() and int(index) < len(keys.partitions)):
            return False
        found = await self._letter(keys.partitions[int(index)], int(age), int(index))
        if found is None:
            return False
        conversation, packed = found[0].conversation, found[1]
        place = await self._medium.place(conversation)
        mine, partition, flow = place.keys, place.partition, conversation.flow
        call = Call(
            "redrive",
            partition,
            (
                mine.head, mine.inbox, mine.effects, partition.due(flow), partition.shelf(flow, ""), partition.tick,
                partition.people(conversation.person), partition.flows, mine.log, mine.state, mine.receipts,
                partition.dead(flow), partition.dead_bodies, mine.letters,
            ),
            (
                age, place.ref, place.member, place.lane, int(place.is_only), flow, MAX_INBOX,
                digest_of(packed.source_id),
            ),
        )  # fmt: skip
        reply: Reply = (await self._medium.scripts.run(call))[0]
        if reply[0] == codes.OVER:
            await end(self._medium, conversation)
            reply = (await self._medium.scripts.run(call))[0]
        return bool(reply[0] == codes.OK)

    async def cancel(self, conversation: ConversationId, /, *, ids: Sequence[str]) -> int:
        """See `Deliveries.cancel`."""
        check_batch(len(ids))
        place = await self._medium.place(conversation)
        mine = place.keys
        call = Call(
            "cancel",
            place.partition,
            (
                mine.head, mine.state, mine.effects, place.partition.due(conversation.flow), mine.receipts,
                place.planned,
            ),
            (place.ref, place.lane, WINDOW_MS, *ids),
        )  # fmt: skip
        reply: Reply = (await self._medium.scripts.run(call))[0]
        self._medium.hint()
        return int(reply[1])


def _claimed(fields: Sequence[Reply]) -> Claimed:
    effect_id, kind, payload, attempt, committed_ms, maybe_sent, suppressed, name = fields
    return Claimed(
        id=effect_id.decode(),
        kind=KIND_OF[kind.decode()],
        payload=payload,
        attempt=attempt,
        committed_ms=committed_ms,
        maybe_sent=maybe_sent == 1,
        suppressed=suppressed == 1,
        name=name.decode(),
    )


def _due_item(member: bytes, due_ms: int) -> Due:
    conversation, kind, lane = names.parse_due(member)
    return Due(
        conversation=conversation,
        lane=None if kind is None else Lane(conversation=conversation, name=lane),
        kind=kind,
        due_ms=due_ms,
    )


def _urgency(item: Due) -> tuple[int, str, str, str, bool, str]:
    conversation = item.conversation
    lane = "" if item.lane is None else item.lane.name
    return item.due_ms, conversation.flow, conversation.person, conversation.member, item.lane is not None, lane
