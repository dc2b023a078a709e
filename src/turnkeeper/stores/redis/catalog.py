"""The `Catalog` port on Redis: indexes that the commits keep, merged over the partitions.

What an index names is looked up in its head before it is shown: an index may be late, a head is not.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from datetime import timedelta

import msgspec

from turnkeeper.model.conversation import ConversationId
from turnkeeper.ports.catalog import Change, Changes, Counts, Exported, StoreInfo, Summary, SummaryPage
from turnkeeper.ports.checks import page_size
from turnkeeper.stores.redis import keys as names
from turnkeeper.stores.redis.envelope import unseal
from turnkeeper.stores.redis.heads import FIELDS, Head, head_of
from turnkeeper.stores.redis.housekeeping import flows_of
from turnkeeper.stores.redis.keys import Partition
from turnkeeper.stores.redis.medium import Look, Medium
from turnkeeper.stores.redis.migration import export, restore
from turnkeeper.stores.redis.opening import SCHEMA
from turnkeeper.stores.redis.parsing import Reply, text
from turnkeeper.stores.redis.scripts import Call
from turnkeeper.stores.redis.wire import Command

_CHUNK = 500
"""Members read at once where all of an index are read."""

_LOSES = {
    "memory": "what the server had not saved when it stopped: with AOF everysec the last second, with a failover more",
    "cache": "whatever the server evicts, accepted messages and unsent replies too",
}

_Place = tuple[int, bytes]
"""Where a conversation stands in a list: its last change, and its name for those of one millisecond."""


class RedisCatalog:
    """See `turnkeeper.ports.catalog.Catalog`."""

    def __init__(self, medium: Medium) -> None:
        """Take the server."""
        self._medium = medium

    async def find(
        self,
        *,
        flow: str | None = None,
        status: str | None = None,
        person: str | None = None,
        cursor: str | None = None,
        limit: int = 50,
    ) -> SummaryPage:
        """See `Catalog.find`."""
        rows = page_size(limit)
        after = None if cursor is None else _place(cursor)
        if person is not None:
            listed = await self._of_person(person, flow)
        else:
            listed = await self._newest(flow, status, after, rows + 1)
        fitting = [
            (place, summary)
            for place, summary in listed
            if status in {None, summary.status} and (after is None or place < after)
        ]
        fitting.sort(key=lambda each: each[0], reverse=True)
        page = fitting[:rows]
        more = None if len(fitting) <= rows else msgspec.json.encode((page[-1][0][0], page[-1][0][1].decode())).decode()
        return SummaryPage(items=tuple(summary for _, summary in page), cursor=more)

    async def _of_person(self, person: str, flow: str | None) -> list[tuple[_Place, Summary]]:
        keys = await self._medium.keys()
        partition = keys.partition(person)
        (found,) = await self._medium.scripts.read([("ZRANGE", partition.people(person), 0, -1)], partition)
        members = [member for member in found if flow in {None, names.conversation_of(member).flow}]
        return await self._summaries(partition, members)

    async def _newest(
        self, flow: str | None, status: str | None, after: _Place | None, rows: int
    ) -> list[tuple[_Place, Summary]]:
        """Return the newest listed conversations of every index, enough for a page whichever they come from."""
        keys = await self._medium.keys()
        flows = await flows_of(self._medium) if flow is None else [flow]
        lists = await asyncio.gather(
            *(
                self._of_index(
                    partition, partition.recent(each) if status is None else partition.shelf(each, status), after, rows
                )
                for partition in keys.partitions
                for each in flows
            )
        )
        return [one for each in lists for one in each]

    async def _of_index(
        self, partition: Partition, index: str, after: _Place | None, rows: int
    ) -> list[tuple[_Place, Summary]]:
        """Read an index until enough of what it names is really there."""
        found: list[tuple[_Place, Summary]] = []
        newest, offset = ("+inf" if after is None else str(after[0])), 0
        while len(found) < rows:
            command: Command = ("ZREVRANGEBYSCORE", index, newest, "-inf", "WITHSCORES", "LIMIT", offset, rows)
            (flat,) = await self._medium.scripts.read([command], partition)
            members = [
                flat[at] for at in range(0, len(flat), 2) if after is None or (int(flat[at + 1]), flat[at]) < after
            ]
            found += await self._summaries(partition, members)
            offset += rows
            if len(flat) < 2 * rows:
                break
        return found

    async def _summaries(self, partition: Partition, members: Sequence[bytes]) -> list[tuple[_Place, Summary]]:
        """Return what is listed of these: begun, and its time not over."""
        heads, now = await self._heads(partition, members)
        wishes = await self._wishes(partition, [head.conversation for head in heads if head is not None])
        summaries = []
        for head in heads:
            if head is None or not head.is_listed(now):
                continue
            is_out = wishes[head.conversation.flow, head.conversation.person]
            summaries.append(((head.changed_ms, names.ref(head.conversation)), head.summary(opted_out=is_out)))
        return summaries

    async def _heads(self, partition: Partition, members: Sequence[bytes]) -> tuple[list[Head | None], int]:
        if not members:
            return [], 0
        keys = await self._medium.keys()
        conversations = [names.conversation_of(member) for member in members]
        reads: list[Command] = [("HMGET", keys.conversation(partition, one).head, *FIELDS) for one in conversations]
        reply, *found = await self._medium.scripts.run(Call("now", partition, (), (0,)), after=reads)
        answer: Reply = reply
        return [head_of(one, fields) for one, fields in zip(conversations, found, strict=True)], int(answer[1])

    async def _wishes(
        self, partition: Partition, conversations: Iterable[ConversationId]
    ) -> dict[tuple[str, str], bool]:
        wanted = list({(one.flow, one.person) for one in conversations})
        if not wanted:
            return {}
        found = await self._medium.scripts.read(
            [("HGET", partition.wish(flow, person), "out") for flow, person in wanted], partition
        )
        return {each: out == b"1" for each, out in zip(wanted, found, strict=True)}

    async def counts(self, *, flow: str | None = None) -> Counts:
        """See `Catalog.counts`. It reads everything that is in flight: for a console, not for every turn."""
        keys = await self._medium.keys()
        flows = await flows_of(self._medium) if flow is None else [flow]
        parts = await asyncio.gather(*(self._count(partition, each) for partition in keys.partitions for each in flows))
        statuses: dict[str, int] = {}
        for part in parts:
            for status, count in part.statuses.items():
                statuses[status] = statuses.get(status, 0) + count
        return Counts(
            statuses={status: count for status, count in statuses.items() if count > 0},
            waiting=sum(part.waiting for part in parts),
            running=sum(part.running for part in parts),
            unsent=sum(part.unsent for part in parts),
            timers=sum(part.timers for part in parts),
            dead=sum(part.dead for part in parts),
        )

    async def _count(self, partition: Partition, flow: str) -> Counts:
        statuses, dead = await self._medium.scripts.read(
            [("HGETALL", partition.statuses(flow)), ("ZCARD", partition.dead(flow))], partition
        )
        counted = {text(statuses[at]): int(statuses[at + 1]) for at in range(0, len(statuses), 2)}
        for head in await self._over(partition, flow):
            counted[head.status] = counted.get(head.status, 0) - 1
        busy = {names.parse_due(member)[0] async for member in _members(self._medium, partition, partition.due(flow))}
        heads, now = await self._heads(partition, [names.ref(one) for one in busy])
        known = [head for head in heads if head is not None]
        return Counts(
            statuses=counted,
            waiting=sum(head.waiting for head in known),
            running=sum(head.is_leased(now) for head in known),
            unsent=sum(head.unsent for head in known),
            timers=sum(head.timers for head in known),
            dead=dead,
        )

    async def _over(self, partition: Partition, flow: str) -> list[Head]:
        """Return the heads of a flow that still count under a status although their time is over."""
        reply: Reply = (await self._medium.scripts.run(Call("due", partition, [partition.planned], (_CHUNK, 1))))[0]
        members = [member for member in reply[3][::2] if names.conversation_of(member).flow == flow]
        heads, now = await self._heads(partition, members)
        return [
            head
            for head in heads
            if head is not None and head.created_ms and head.version > 0 and not head.is_listed(now)
        ]

    async def watch(self, *, flow: str, cursor: str = "", wait: timedelta = timedelta(0), limit: int = 256) -> Changes:
        """See `Catalog.watch`. The cursor holds one number for each partition."""
        keys = await self._medium.keys()
        seen = msgspec.json.decode(cursor, type=list[int]) if cursor else [0] * len(keys.partitions)

        async def look() -> Look[Changes]:
            found, now = await self._changes(flow, seen, page_size(limit))
            return Look(answer=found, is_enough=bool(found.items), now_ms=now)

        return await self._medium.look(look, wait=wait)

    async def _changes(self, flow: str, seen: Sequence[int], limit: int) -> tuple[Changes, int]:
        keys = await self._medium.keys()

        async def after(at: int, partition: Partition) -> list[tuple[int, int, bytes]]:
            command: Command = (
                "ZRANGEBYSCORE", partition.feed(flow), f"({seen[at]}", "+inf", "WITHSCORES", "LIMIT", 0, limit,
            )  # fmt: skip
            (flat,) = await self._medium.scripts.read([command], partition)
            return [(int(flat[each + 1]), at, flat[each]) for each in range(0, len(flat), 2)]

        lists = await asyncio.gather(*(after(at, partition) for at, partition in enumerate(keys.partitions)))
        page = sorted(one for each in lists for one in each)[:limit]
        reached = list(seen)
        items: list[Change] = []
        changes = await asyncio.gather(*(self._change(keys.partitions[at], member) for _, at, member in page))
        now = 0
        for (number, at, _), (change, read_ms) in zip(page, changes, strict=True):
            reached[at] = max(reached[at], number)
            items.append(change)
            now = max(now, read_ms)
        return Changes(items=tuple(items), cursor=msgspec.json.encode(reached).decode()), now

    async def _change(self, partition: Partition, member: bytes) -> tuple[Change, int]:
        conversation = names.conversation_of(member)
        place = await self._medium.place(conversation)
        reads: list[Command] = [("HMGET", place.keys.head, *FIELDS), ("GET", place.keys.state)]
        replies = await self._medium.scripts.run(Call("now", partition, (), (0,)), after=reads)
        answer: Reply = replies[0]
        head = head_of(conversation, replies[1])
        if head is None or not head.is_listed(answer[1]):
            return Change(conversation=conversation, status="", version=0, state=None), answer[1]
        value = replies[2]
        found = unseal(value) if isinstance(value, bytes) and head.version > 0 else None
        state = found.state if found is not None and found.generation == head.generation else None
        return Change(conversation=conversation, status=head.status, version=head.version, state=state), answer[1]

    async def export(self, conversation: ConversationId, /) -> Exported | None:
        """See `Catalog.export`."""
        return await export(self._medium, conversation)

    async def restore(self, exported: Exported, /) -> bool:
        """See `Catalog.restore`."""
        is_restored = await restore(self._medium, exported)
        self._medium.hint()
        return is_restored

    async def info(self) -> StoreInfo:
        """See `Catalog.info`."""
        keys = await self._medium.keys()
        facts = self._medium.told()
        await self._medium.scripts.run(Call("now", keys.partitions[0], (), (0,)))
        return StoreInfo(
            kind="redis",
            url=self._medium.wire.url,
            schema=SCHEMA,
            durability=self._medium.durability,
            loses=_LOSES[self._medium.durability],
            facts={
                "version": facts.version,
                "mode": facts.mode,
                "policy": facts.policy,
                "maxmemory_bytes": facts.maxmemory_bytes,
                "partitions": facts.partitions,
            },
        )


async def _members(medium: Medium, partition: Partition, index: str) -> AsyncIterator[bytes]:
    """Yield the members of an index, a chunk at a time."""
    start = 0
    while True:
        (found,) = await medium.scripts.read([("ZRANGE", index, start, start + _CHUNK - 1)], partition)
        for member in found:
            yield member
        if len(found) < _CHUNK:
            return
        start += _CHUNK


def _place(cursor: str) -> _Place:
    changed_ms, member = msgspec.json.decode(cursor, type=tuple[int, str])
    return changed_ms, member.encode()
