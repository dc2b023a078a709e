"""The `Catalog` port on Redis: indexes that the commits keep, merged over the partitions.

What an index names is looked up in its head before it is shown: an index may be late, a head is not.
"""

import asyncio
import itertools
from collections.abc import AsyncIterator, Iterable, Sequence
from datetime import timedelta

import msgspec

from turnkeeper.model.conversation import ConversationId
from turnkeeper.ports.catalog import Change, Changes, Counts, Exported, StoreInfo, Summary, SummaryPage
from turnkeeper.ports.checks import page_size
from turnkeeper.stores.redis.connections.proving import LOSES
from turnkeeper.stores.redis.deployments.wire import Command
from turnkeeper.stores.redis.layout import keys as names
from turnkeeper.stores.redis.layout.envelope import unseal
from turnkeeper.stores.redis.layout.heads import TICKS, Head, head_of
from turnkeeper.stores.redis.layout.keys import PLANS, Partition
from turnkeeper.stores.redis.layout.parsing import Reply, text
from turnkeeper.stores.redis.lifecycle.housekeeping import flows_of
from turnkeeper.stores.redis.lifecycle.migration import export, restore
from turnkeeper.stores.redis.medium import Look, Medium
from turnkeeper.stores.redis.opening import SCHEMA
from turnkeeper.stores.redis.scripts import Call, raise_error

_CHUNK = 500
"""Members read at once where all of an index are read."""

_CHANGES = 32
"""Changes read at least of each index for one look: what is read of one partition beyond the others' comes again."""

_Numbered = tuple[int, int, bytes, bool]
"""The number of a change, its partition, the member, and whether it was forgotten."""

_Place = tuple[int, bytes]
"""Where a conversation stands in a list: its last change, and its name for those of one millisecond."""

_Named = tuple[_Place, Partition, ConversationId]


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
            fitting = [one for one in listed if status in {None, one[1].status} and (after is None or one[0] < after)]
            fitting.sort(key=lambda each: each[0], reverse=True)
        else:
            fitting = await self._newest(flow, status, after, rows + 1)
        page = fitting[:rows]
        more = None if len(fitting) <= rows else msgspec.json.encode((page[-1][0][0], page[-1][0][1].decode())).decode()
        return SummaryPage(items=tuple(summary for _, summary in page), cursor=more)

    async def _of_person(self, person: str, flow: str | None) -> list[tuple[_Place, Summary]]:
        keys = await self._medium.keys()
        partition = keys.partition(person)
        (found,) = await self._medium.scripts.read([("ZRANGE", partition.people(person), 0, -1)], partition)
        flows = await flows_of(self._medium) if flow is None else [flow]
        indexed = [names.conversation_of(member) for member in found]
        return await self._summaries(partition, names.of_person(flows, person, indexed))

    async def _newest(
        self, flow: str | None, status: str | None, after: _Place | None, rows: int
    ) -> list[tuple[_Place, Summary]]:
        """Return the newest listed conversations, those that an index names too long left out."""
        flows = await flows_of(self._medium) if flow is None else [flow]
        shelves = await self._shelves(flows, status)
        found: list[tuple[_Place, Summary]] = []
        while len(found) < rows:
            named = await self._named(shelves, after, rows)
            if not named:
                break
            after = named[-1][0]
            live: dict[ConversationId, Summary] = {}
            for partition in dict.fromkeys(partition for _, partition, _ in named):
                wanted = [one for _, where, one in named if where is partition]
                live.update({summary.conversation: summary for _, summary in await self._summaries(partition, wanted)})
            found += [
                (place, live[one]) for place, _, one in named if one in live and status in {None, live[one].status}
            ]
        return found

    async def _shelves(self, flows: Sequence[str], status: str | None) -> list[tuple[Partition, str, str]]:
        """Return the indexes that list what is asked for, with their flow."""
        keys = await self._medium.keys()
        if status is not None:
            return [(each, flow, each.shelf(flow, status)) for each in keys.partitions for flow in flows]

        asked: list[list[Command]] = [
            [("HKEYS", partition.statuses(flow)) for flow in flows] for partition in keys.partitions
        ]
        return [
            (partition, flow, partition.shelf(flow, name))
            for partition, found in zip(keys.partitions, await self._read_each(asked), strict=True)
            for flow, statuses in zip(flows, found, strict=True)
            for name in {"", *(text(one) for one in statuses)}
        ]

    async def _read_each(self, asked: Sequence[Sequence[Command]]) -> list[list[Reply]]:
        """Read something of each partition, in their order: on one server in one call."""
        partitions, read = (await self._medium.keys()).partitions, self._medium.scripts.read
        if self._medium.wire.in_cluster:
            pairs = zip(asked, partitions, strict=True)
            return list(await asyncio.gather(*(read(commands, partition) for commands, partition in pairs)))
        replies = iter(await read([command for commands in asked for command in commands], partitions[0]))
        return [list(itertools.islice(replies, len(commands))) for commands in asked]

    async def _named(
        self, shelves: Sequence[tuple[Partition, str, str]], after: _Place | None, rows: int
    ) -> list[_Named]:
        """Return the newest so many that the indexes name, or a few more: those of one millisecond come together."""
        newest = "+inf" if after is None else str(after[0] * TICKS + TICKS - 1)

        async def of(partition: Partition, indexes: Sequence[tuple[str, str]]) -> list[_Named]:
            first = await self._medium.scripts.read(
                [_newest_of(key, newest, "-inf", rows) for _, key in indexes], partition
            )
            rest: list[Command] = []
            for (_, key), flat in zip(indexes, first, strict=True):
                last = int(flat[-1]) // TICKS * TICKS if flat else 0
                rest.append(_newest_of(key, str(last + TICKS - 1), str(last), -1))
            ties = await self._medium.scripts.read(rest, partition)
            return [
                ((int(both[at + 1]) // TICKS, names.ref(one)), partition, one)
                for (flow, _), flat, more in zip(indexes, first, ties, strict=True)
                for both in ([*flat, *more],)
                for at in range(0, len(both), 2)
                for one in (names.conversation_in(flow, both[at]),)
            ]

        groups: dict[Partition, list[tuple[str, str]]] = {}
        for partition, flow, key in shelves:
            groups.setdefault(partition, []).append((flow, key))
        lists = await asyncio.gather(*(of(partition, indexes) for partition, indexes in groups.items()))
        unique = {one[2]: one for each in lists for one in each if after is None or one[0] < after}
        return sorted(unique.values(), key=lambda one: one[0], reverse=True)[:rows]

    async def _summaries(
        self, partition: Partition, conversations: Sequence[ConversationId]
    ) -> list[tuple[_Place, Summary]]:
        """Return what is listed of these: begun, and its time not over."""
        heads, now = await self._heads(partition, conversations)
        wishes = await self._wishes(partition, conversations)
        return [
            ((head.changed_ms, names.ref(one)), head.summary(one, opted_out=wishes[one.flow, one.person]))
            for one, head in zip(conversations, heads, strict=True)
            if head is not None and head.is_listed(now)
        ]

    async def _heads(
        self, partition: Partition, conversations: Sequence[ConversationId]
    ) -> tuple[list[Head | None], int]:
        if not conversations:
            return [], 0
        keys = await self._medium.keys()
        reads: list[Command] = [("GET", keys.conversation(partition, one).head) for one in conversations]
        reply, *found = await self._medium.scripts.run(Call("now", partition, (), (0,)), after=reads)
        answer: Reply = reply
        for one in found:
            raise_error(one)
        return [head_of(packed) for packed in found], int(answer[1])

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
        heads, now = await self._heads(partition, list(busy))
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
        reply: Reply = (await self._medium.scripts.run(Call("due", partition, partition.plans(), (_CHUNK, PLANS))))[0]
        named = [names.conversation_of(member) for member in reply[3][::2]]
        heads, now = await self._heads(partition, [one for one in named if one.flow == flow])
        return [
            head
            for head in heads
            if head is not None and head.created_ms and head.version > 0 and not head.is_listed(now)
        ]

    async def watch(self, *, flow: str, cursor: str = "", wait: timedelta = timedelta(0), limit: int = 256) -> Changes:
        """See `Catalog.watch`.

        The cursor holds one number for each partition; while there are further pages also those that their first began
        with. A turn without state moves a conversation behind others, and what it told is not to be left out for that.
        """
        count = len((await self._medium.keys()).partitions)
        numbers = msgspec.json.decode(cursor, type=list[int]) if cursor else [0] * count
        seen, told = numbers[:count], numbers[count:] or numbers

        async def look() -> Look[Changes]:
            found, now = await self._changes(flow, seen, told, page_size(limit))
            return Look(answer=found, is_enough=bool(found.items), now_ms=now)

        return await self._medium.look(look, wait=wait)

    async def _changes(self, flow: str, seen: Sequence[int], before: Sequence[int], limit: int) -> tuple[Changes, int]:
        """Return the first changes behind these numbers; what was told before the first page's, or is new, is none."""
        shelves = await self._shelves([flow], None)
        count = max(limit // len(seen), _CHANGES)
        reached, items, now, is_all = list(seen), list[tuple[int, Change]](), 0, False
        while not (items or is_all):
            page, is_all = _first_of(await self._numbered(flow, shelves, reached, count), limit)
            if not page:
                break
            changed, now = await self._changed(flow, page)
            for (number, at, _, is_gone), (change, told) in changed:
                if is_gone or told is None or told > before[at]:
                    items.append((number if is_gone or told is None else told, change))
                reached[at] = max(reached[at], number)
        items.sort(key=lambda each: each[0])
        cursor = msgspec.json.encode(reached if is_all else [*reached, *before]).decode()
        return Changes(items=tuple(one for _, one in items), cursor=cursor), now

    async def _numbered(
        self, flow: str, shelves: Sequence[tuple[Partition, str, str]], after: Sequence[int], count: int
    ) -> list[tuple[list[_Numbered], int | None]]:
        """Return the first changes of each partition, and up to which number these are all (None: to the end)."""
        keys = await self._medium.keys()
        indexes = {partition: [partition.gone(flow)] for partition in keys.partitions}
        for partition, _, key in shelves:
            indexes[partition].append(key)
        asked: list[list[Command]] = [
            [("ZRANGEBYSCORE", key, f"({number}", "+inf", "WITHSCORES", "LIMIT", 0, count) for key in each]
            for each, number in zip(indexes.values(), after, strict=True)
        ]
        return [_numbers(at, found, count) for at, found in enumerate(await self._read_each(asked))]

    async def _changed(
        self, flow: str, page: Sequence[_Numbered]
    ) -> tuple[list[tuple[_Numbered, tuple[Change, int | None]]], int]:
        """Return what became of conversations with the number of their last told change (None: over), and the time."""
        keys = await self._medium.keys()
        groups: dict[int, list[_Numbered]] = {}
        for one in page:
            groups.setdefault(one[1] if self._medium.wire.in_cluster else 0, []).append(one)

        async def of(partition: Partition, group: list[_Numbered]) -> tuple[list[tuple[Change, int | None]], int]:
            conversations = [names.conversation_in(flow, member) for _, _, member, _ in group]
            places = [
                keys.seen(keys.partitions[at], one) for (_, at, _, _), one in zip(group, conversations, strict=True)
            ]
            read: list[Command] = [("GET", key) for place in places for key in place]
            answer, *found = await self._medium.scripts.run(Call("now", partition, (), (0,)), after=read)
            told: Reply = answer
            changes = [
                _change(one, head_of(found[2 * at]), found[2 * at + 1], int(told[1]))
                for at, one in enumerate(conversations)
            ]
            return changes, int(told[1])

        answers = await asyncio.gather(*(of(keys.partitions[at], group) for at, group in groups.items()))
        changed = [
            both
            for group, (changes, _) in zip(groups.values(), answers, strict=True)
            for both in zip(group, changes, strict=True)
        ]
        return changed, max(now for _, now in answers)

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
            loses=LOSES[self._medium.durability],
            facts={
                "version": facts.version,
                "mode": facts.mode,
                "policy": facts.policy,
                "maxmemory_bytes": facts.maxmemory_bytes,
                "partitions": facts.partitions,
                "primary_changes": self._medium.wire.primary_changes,
                "restarts": self._medium.wire.restarts,
                "heads_rebuilt": self._medium.heads_rebuilt,
            },
        )


def _newest_of(index: str, newest: str, oldest: str, rows: int) -> Command:
    return ("ZREVRANGEBYSCORE", index, newest, oldest, "WITHSCORES", "LIMIT", 0, rows)


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


def _numbers(at: int, found: Sequence[Reply], count: int) -> tuple[list[_Numbered], int | None]:
    """Return what the indexes of a partition name, what is gone first, and up to which number it is all."""
    ends = [int(flat[-1]) for flat in found if len(flat) == 2 * count]
    end = min(ends, default=None)
    numbered = [
        (int(flat[each + 1]), at, flat[each], index == 0)
        for index, flat in enumerate(found)
        for each in range(0, len(flat), 2)
        if end is None or int(flat[each + 1]) <= end
    ]
    return numbered, end


def _first_of(lists: Sequence[tuple[list[_Numbered], int | None]], limit: int) -> tuple[list[_Numbered], bool]:
    """Return the first changes of all partitions, one per conversation, as far as known, and whether these are all."""
    end = min((each for _, each in lists if each is not None), default=None)
    known = [one for numbered, _ in lists for one in sorted(numbered) if end is None or one[0] <= end]
    found = sorted({one[2]: one for one in known}.values())
    return found[:limit], end is None and len(found) <= limit


def _change(conversation: ConversationId, head: Head | None, value: object, now: int) -> tuple[Change, int | None]:
    """Return what became of a conversation, and the number of its last told change (None: over)."""
    if head is None or not head.is_listed(now):
        return Change(conversation=conversation, status="", version=0, state=None), None
    found = unseal(value) if isinstance(value, bytes) and head.version > 0 else None
    state = found.state if found is not None and found.generation == head.generation else None
    return Change(conversation=conversation, status=head.status, version=head.version, state=state), head.told
