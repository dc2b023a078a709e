"""Conversations in every state that a store can hold, for tests that move them."""

from datetime import timedelta

import msgspec

from turnkeeper.model.conversation import ConversationId
from turnkeeper.operations.migration import listed
from turnkeeper.ports.catalog import Exported
from turnkeeper.ports.deliveries import Lane, Settlement, Verdict
from turnkeeper.ports.documents import DocumentKey
from turnkeeper.ports.store import Store
from turnkeeper.ports.turns import (
    Begin,
    Commit,
    Committed,
    Effect,
    EffectKind,
    Granted,
    Incoming,
    Outcome,
    Part,
    Release,
    Renewal,
)

FLOW = "dinner"
LEASE_MS = 300
"""Short, so that the lease of a worker that is gone is over when the move begins."""
FAR_MS = 3_600_000
KINDS = 10


def conversation(number: int) -> ConversationId:
    """Return who it is; some share a number, some have a name of the users' own for their state."""
    member = "ana" if number % 7 == 3 else ""
    key = f"order:{number}" if number % 7 == 5 else ""
    return ConversationId(flow=FLOW, person=f"+1555{number:07d}", member=member, state_key=key)


async def fill(store: Store, count: int, *, large: bool = True) -> None:
    """Bring conversations into every state, `KINDS` of them in turn, and some documents beside them."""
    for number in range(count):
        await _Filler(store, number, large=large).fill()
    for number in range(count // KINDS):
        key = DocumentKey(collection="session", id=f"s{number}", person=f"+1555{number:07d}" if number % 2 else "")
        await store.documents.put(key, b"call %d" % number, ttl_ms=FAR_MS if number % 3 else None)


async def snapshot(store: Store, count: int) -> dict[str, Exported | None]:
    """Return what every conversation looks like from outside."""
    names = [conversation(number) for number in range(count)]
    return {one.key: _sorted(await store.catalog.export(one)) for one in names}


async def documents(store: Store) -> dict[tuple[str, str], bytes]:
    """Return the documents of the tests' collection."""
    page = await store.documents.scan("session", limit=256)
    return {(key.id, key.person): document.data for key, document in page.items}


async def is_empty(store: Store, count: int) -> bool:
    """Return whether a store knows none of the conversations, and lists nothing."""
    pages = [page async for page in listed(store, None)]
    known = [await store.catalog.export(conversation(number)) for number in range(count)]
    return pages == [[]] and not any(known) and not await documents(store)


def _sorted(exported: Exported | None) -> Exported | None:
    return exported and msgspec.structs.replace(
        exported,
        receipts=tuple(sorted(exported.receipts, key=lambda one: one.digest)),
        deliveries=tuple(sorted(exported.deliveries, key=lambda one: one.id)),
    )


class _Filler:
    """Brings one conversation into the state of its number."""

    def __init__(self, store: Store, number: int, *, large: bool) -> None:
        self._store = store
        self._number = number
        self._large = large
        self._conversation = conversation(number)

    async def fill(self) -> None:
        """Begin with a whole turn, then do what is special about it."""
        await self._turn("hello", log=b"entry", reply=b"welcome", retain_ms=FAR_MS)
        works = (
            self._waiting, self._running, self._unsent, self._scheduled, self._claimed, self._buried, self._parts,
            self._opted_out, self._failed, self._forgotten,
        )  # fmt: skip
        assert len(works) == KINDS
        await works[self._number % KINDS]()

    async def _begin(self, message_id: str | None, *, run: bool = True) -> object:
        message = None if message_id is None else Incoming(id=self._id(message_id), payload=b'{"text":"hi"}')
        return await self._store.turns.begin(
            Begin(
                conversation=self._conversation,
                token=f"t{self._number}/{message_id}",
                lease_ms=LEASE_MS,
                message=message,
                run=run,
            )
        )

    async def _take(self, message_id: str | None) -> Granted:
        grant = await self._begin(message_id)
        assert isinstance(grant, Granted), grant
        return grant

    async def _turn(self, message_id: str, *effects: Effect, **facts: object) -> None:
        grant = await self._take(message_id)
        commit = Commit(
            conversation=self._conversation,
            token=grant.token,
            fence=grant.fence,
            version=grant.version,
            generation=grant.generation,
            commit_id=f"c{self._number}/{message_id}",
            take=1,
            state=b'{"_":{},"n":%d}' % self._number,
            status=("open", "analyzing")[self._number % 2],
            effects=effects,
        )
        answer = await self._store.turns.commit(msgspec.structs.replace(commit, **facts))
        assert isinstance(answer, Committed), answer

    def _effect(self, kind: EffectKind, name: str, *, due_ms: int = 0, timer: str = "") -> Effect:
        return Effect(id=self._id(name), kind=kind, payload=name.encode(), due_ms=due_ms, name=timer)

    def _id(self, name: str) -> str:
        return f"{self._conversation.key}:{name}"

    async def _waiting(self) -> None:
        for name in ("w1", "w2", "w3"):
            await self._begin(name, run=False)

    async def _running(self) -> None:
        await self._take("r1")
        await self._begin("r2")

    async def _unsent(self) -> None:
        await self._turn("u", self._effect(EffectKind.REPLY, "b"), self._effect(EffectKind.REPLY, "a"))

    async def _scheduled(self) -> None:
        now_ms = (await self._store.deliveries.due(limit=1)).now_ms
        await self._turn(
            "s",
            self._effect(EffectKind.TIMER, "t1", due_ms=now_ms + FAR_MS, timer="later"),
            self._effect(EffectKind.TIMER, "t2", due_ms=now_ms + 2 * FAR_MS, timer="much later"),
            self._effect(EffectKind.FORWARD, "f"),
        )

    async def _claimed(self) -> None:
        await self._turn("j", self._effect(EffectKind.JOB, "job"), self._effect(EffectKind.REPLY, "r"))
        for name in ("", self._id("job")):
            lane = Lane(conversation=self._conversation, name=name)
            assert await self._store.deliveries.claim(lane, token="gone", lease=timedelta(milliseconds=LEASE_MS))

    async def _buried(self) -> None:
        await self._turn("poison", dead="cannot be helped", state=None)
        await self._turn("j", self._effect(EffectKind.JOB, "job"))
        lane = Lane(conversation=self._conversation, name=self._id("job"))
        assert await self._store.deliveries.claim(lane, token="worker", lease=timedelta(seconds=30))
        settlement = Settlement(lane=lane, token="worker", id=self._id("job"), verdict=Verdict.DEAD, error="gave up")
        (settled,) = await self._store.deliveries.settle([settlement])
        assert settled.held

    async def _parts(self) -> None:
        size = 1_500_000 if self._large and self._number < KINDS else 40
        await self._turn("p", parts=(Part(id="big", data=b"x" * size), Part(id="none", data=b"")))

    async def _opted_out(self) -> None:
        await self._turn("stop", opt_out=True)

    async def _failed(self) -> None:
        grant = await self._take("f")
        renewal = Renewal(
            conversation=self._conversation, token=grant.token, lease_ms=LEASE_MS, memo=("step", b"result")
        )
        await self._store.turns.renew([renewal])
        release = Release(conversation=self._conversation, token=grant.token, outcome=Outcome.ERROR, wait_ms=FAR_MS)
        assert await self._store.turns.release(release)

    async def _forgotten(self) -> None:
        await self._turn("bye", state=None, forget=True)
