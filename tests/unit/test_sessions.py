"""`Sessions`: typed documents that several writers change without losing anything."""

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.unit.document_stores import KINDS, make_store
from turnkeeper import Struct, hours, minutes
from turnkeeper.documents import Fixed, Preserved, Sessions, Sliding
from turnkeeper.errors import (
    ConfigurationError,
    InvalidMessageError,
    InvalidStateError,
    StateUndecodableError,
    StoreUnavailableError,
)
from turnkeeper.policy.ttl import Lifetime
from turnkeeper.ports.documents import DocumentKey
from turnkeeper.ports.store import Store
from turnkeeper.stores.memory import MemoryStore
from turnkeeper.testing import ManualClock

pytestmark = pytest.mark.anyio

START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


class Call(Struct):
    call_sid: str = ""
    customer_id: int | None = None
    conversation_history: list[dict[str, Any]] = []
    collected_data: dict[str, Any] = {}
    intent: str = ""
    speaking: bool = False
    created_at: datetime | None = None
    last_updated: datetime | None = None


@pytest.fixture
def clock() -> ManualClock:
    """Return a clock that a test moves."""
    return ManualClock(START)


@pytest.fixture(params=KINDS)
async def store(request: pytest.FixtureRequest, clock: ManualClock, tmp_path: Path) -> AsyncIterator[Store]:
    """Return each kind of store in turn."""
    opened = make_store(request, clock, tmp_path)
    yield opened
    await opened.close()


def calls(store: Store, clock: ManualClock, ttl: Lifetime = Preserved(hours(1))) -> Sessions[Call]:  # noqa: B008
    """Return the sessions under test."""
    return Sessions(store, "session", Call, ttl=ttl, clock=clock)


async def stored(store: Store, session_id: str = "CA1") -> dict[str, Any]:
    """Return what another program would read."""
    found = await store.documents.get(DocumentKey(collection="session", id=session_id))
    assert found is not None
    value: dict[str, Any] = msgspec.json.decode(found.data)
    return value


async def test_a_session_is_readable_json_with_its_times(store: Store, clock: ManualClock) -> None:
    """What is stored has the members by their own names, and `created_at` and `last_updated`."""
    written = await calls(store, clock).set("CA1", Call(call_sid="CA1", customer_id=7))

    read = await calls(store, clock).get("CA1")
    assert read == written
    assert read is not None
    assert (read.created_at, read.last_updated) == (START, START)
    assert (await stored(store))["created_at"] == "2026-03-02T09:00:00Z"


async def test_an_update_merges_and_leaves_the_rest(store: Store, clock: ManualClock) -> None:
    """Other members stay, an empty list stays a list, a big integer stays exact, unknown members stay."""
    key = DocumentKey(collection="session", id="CA1")
    big = 2**80 + 1
    await store.documents.put(key, b'{"call_sid": "CA1", "conversation_history": [], "theirs": {"n": %d}}' % big)
    clock.advance(minutes(1))

    updated = await calls(store, clock).update("CA1", {"intent": "book", "speaking": True})

    assert updated is not None
    assert (updated.call_sid, updated.intent, updated.conversation_history) == ("CA1", "book", [])
    raw = await stored(store)
    assert (raw["theirs"], raw["conversation_history"]) == ({"n": big}, [])
    assert raw["last_updated"] == "2026-03-02T09:01:00Z"


async def test_an_update_keeps_the_remaining_time_to_the_millisecond(store: Store, clock: ManualClock) -> None:
    """`Preserved` counts from the first write."""
    sessions = calls(store, clock)
    await sessions.set("CA1", Call())
    clock.advance(timedelta(minutes=59, milliseconds=123))
    await sessions.update("CA1", {"intent": "book"})

    assert await sessions.remaining("CA1") == minutes(1) - timedelta(milliseconds=123)
    clock.advance(minutes(1))
    assert await sessions.get("CA1") is None


async def test_fixed_counts_from_each_write_and_sliding_from_each_use(store: Store, clock: ManualClock) -> None:
    """Reading keeps a sliding session alive and no fixed one; a write keeps both."""
    fixed = Sessions(store, "fixed", Call, ttl=Fixed(minutes(10)), clock=clock)
    sliding = Sessions(store, "sliding", Call, ttl=Sliding(minutes(10)), clock=clock)
    for sessions in (fixed, sliding):
        await sessions.set("a", Call())
    clock.advance(minutes(6))
    await fixed.update("a", {"intent": "x"})
    await sliding.get("a")
    clock.advance(minutes(6))
    kept = [await sessions.get("a") is not None for sessions in (fixed, sliding)]
    clock.advance(minutes(6))

    assert kept == [True, True]
    assert [await sessions.get("a") is not None for sessions in (fixed, sliding)] == [False, True]


async def test_one_session_may_have_its_own_span(store: Store, clock: ManualClock) -> None:
    """`set` and `touch` take a time to live in place of the collection's."""
    sessions = calls(store, clock)
    await sessions.set("short", Call(), ttl=minutes(1))
    await sessions.set("long", Call())
    await sessions.touch("long", ttl=hours(5))

    assert await sessions.remaining("short") == minutes(1)
    assert await sessions.remaining("long") == hours(5)


async def test_no_session_is_told_apart_from_no_store(store: Store, clock: ManualClock) -> None:
    """None and False say "there is none"; a store that does not answer raises."""
    sessions = calls(store, clock)

    class Down:
        documents = property(lambda _: Dead())

    class Dead:
        async def get(self, *_: object) -> None:
            raise StoreUnavailableError("down")

    assert await sessions.get("x") is None
    assert await sessions.update("x", {"intent": "a"}) is None
    assert await sessions.edit("x", lambda call: call) is None
    assert [await sessions.touch("x"), await sessions.delete("x")] == [False, False]
    assert await sessions.remaining("x") is None
    down: Any = Down()
    with pytest.raises(StoreUnavailableError):
        await Sessions(down, "session", Call, ttl=None).update("x", {})


class Counted:
    """A store whose documents count how often they are read and written."""

    def __init__(self, store: Store) -> None:
        self.inner = store.documents
        self.calls: list[str] = []

    @property
    def documents(self) -> Any:
        """Return itself."""
        return self

    async def get(self, key: DocumentKey) -> Any:
        """Count, and ask."""
        self.calls.append("get")
        return await self.inner.get(key)

    async def put(self, key: DocumentKey, data: bytes, **how: Any) -> Any:
        """Count, and write."""
        self.calls.append("put")
        return await self.inner.put(key, data, **how)


async def test_an_update_of_what_only_this_process_writes_is_one_call(store: Store, clock: ManualClock) -> None:
    """Whether it was written or read here last; once another one wrote it, each update looks first."""
    counted: Any = Counted(store)
    here, there = calls(counted, clock), calls(store, clock)
    took: dict[str, list[str]] = {}

    async def update(what: str) -> None:
        counted.calls.clear()
        assert await here.update("CA1", {"intent": what}) is not None
        took[what] = list(counted.calls)

    await there.set("CA1", Call(call_sid="CA1"))
    await update("unseen")
    await update("written here")
    await here.get("CA1")
    await update("read here")
    await there.update("CA1", {"speaking": True})
    await update("written there")
    await update("shared")

    one, two = ["put"], ["get", "put"]
    assert took == {
        "unseen": two,
        "written here": one,
        "read here": one,
        "written there": ["put", "get", "put"],
        "shared": two,
    }
    kept = await here.get("CA1")
    assert kept is not None
    assert (kept.call_sid, kept.intent, kept.speaking) == ("CA1", "shared", True)


async def test_an_update_never_trusts_what_it_remembers(store: Store, clock: ManualClock) -> None:
    """What is gone stays gone, what was mended is read, and no id is remembered for ever."""
    sessions, others = calls(store, clock), calls(store, clock)
    for session_id in ("deleted", "ended"):
        await sessions.set(session_id, Call())
    await others.delete("deleted")
    clock.advance(hours(2))
    await store.documents.put(DocumentKey(collection="session", id="bad"), b'{"speaking": "maybe"}')
    with pytest.raises(StateUndecodableError):
        await sessions.get("bad")
    await others.set("bad", Call(call_sid="mended"))

    updated = {one: await sessions.update(one, {"intent": "x"}) for one in ("deleted", "ended", "bad")}

    assert [updated["deleted"], updated["ended"]] == [None, None]
    assert updated["bad"] is not None
    assert (updated["bad"].call_sid, updated["bad"].intent) == ("mended", "x")


async def test_an_edit_never_sees_what_is_no_longer_stored(store: Store, clock: ManualClock) -> None:
    """A decision is made on what is there, not on what was there when this process looked last."""
    here, there = calls(store, clock), calls(store, clock)
    await here.set("CA1", Call(intent="cancelled"))
    await there.update("CA1", {"intent": "book"})
    seen: list[str] = []

    def look(call: Call) -> None:
        seen.append(call.intent)

    await here.edit("CA1", look)
    await asyncio.gather(here.update("CA1", {"speaking": True}), _edit_behind(there, here, look))

    assert seen == ["book", "gone"]


async def _edit_behind(there: Sessions[Call], here: Sessions[Call], look: Callable[[Call], None]) -> None:
    """Edit a session that this process has just updated, and another one after it."""
    await there.update("CA1", {"intent": "gone"})
    await here.edit("CA1", look)


async def test_fifty_concurrent_updates_of_fifty_members_all_survive(store: Store, clock: ManualClock) -> None:
    """Half of them come from another `Sessions`, as another process would."""
    here = Sessions(store, "s", dict, ttl=Preserved(hours(1)), clock=clock)
    there = Sessions(store, "s", dict, ttl=Preserved(hours(1)), clock=clock)
    await here.set("a", {})
    await asyncio.gather(*((here, there)[n % 2].update("a", {f"m{n}": n}) for n in range(50)))

    value = await here.get("a")
    assert value is not None
    assert {name: value[name] for name in value if name.startswith("m")} == {f"m{n}": n for n in range(50)}


async def test_an_edit_sees_what_others_wrote(store: Store, clock: ManualClock) -> None:
    """Twenty concurrent appends: twenty entries, and what the type does not know is kept."""
    sessions, others = calls(store, clock), calls(store, clock)
    await store.documents.put(DocumentKey(collection="session", id="CA1"), b'{"theirs": 1}')

    def append(call: Call) -> None:
        call.conversation_history.append({"role": "user"})

    await asyncio.gather(*((sessions, others)[n % 2].edit("CA1", append) for n in range(20)))

    assert len((await stored(store))["conversation_history"]) == 20
    assert (await stored(store))["theirs"] == 1


@pytest.mark.parametrize("stored_bytes", [b"not json", b"[1]", b'{"speaking": "maybe"}', b"\xff"])
async def test_a_value_that_does_not_fit_is_left_as_it_is(
    store: Store, clock: ManualClock, stored_bytes: bytes
) -> None:
    """Every reader raises, and the stored bytes stay."""
    key = DocumentKey(collection="session", id="CA1")
    await store.documents.put(key, stored_bytes)
    sessions = calls(store, clock)
    readers: list[Callable[[], Any]] = [
        lambda: sessions.get("CA1"),
        lambda: sessions.update("CA1", {"intent": "x"}),
        lambda: sessions.edit("CA1", lambda call: call),
    ]

    for read in readers:
        with pytest.raises(StateUndecodableError, match="Call"):
            await read()
    found = await store.documents.get(key)
    assert found is not None
    assert found.data == stored_bytes


async def test_a_value_of_another_type_is_refused_and_nothing_is_written(store: Store, clock: ManualClock) -> None:
    """The error names the member, or lists those that there are."""
    sessions = calls(store, clock)
    await sessions.set("CA1", Call(intent="a"))
    wrong: Any = Call(speaking="maybe")  # type: ignore[arg-type]

    with pytest.raises(InvalidStateError, match="speaking"):
        await sessions.set("CA1", wrong)
    with pytest.raises(InvalidStateError, match="speaking"):
        await sessions.update("CA1", {"speaking": "maybe"})
    with pytest.raises(InvalidStateError, match="it has: call_sid"):
        await sessions.update("CA1", {"speeking": True})
    read = await sessions.get("CA1")
    assert read is not None
    assert (read.intent, read.speaking) == ("a", False)


@pytest.mark.parametrize("session_id", ["two words", "a:b:c", "Zoë 🚗", "{tag}", "*", "%"])
async def test_ids_are_taken_as_they_are(store: Store, clock: ManualClock, session_id: str) -> None:
    """Spaces, colons and other scripts are no separators."""
    sessions = calls(store, clock)
    await sessions.set(session_id, Call(intent=session_id))

    read = await sessions.get(session_id)
    assert read is not None
    assert read.intent == session_id
    assert await sessions.delete(session_id)


@pytest.mark.parametrize("session_id", ["", "x" * 513, "\ud800", 5866])
async def test_an_id_that_cannot_be_one_is_refused(store: Store, clock: ManualClock, session_id: Any) -> None:
    """Empty, too long, no Unicode, no text."""
    with pytest.raises(InvalidMessageError):
        await calls(store, clock).get(session_id)


async def test_datetimes_come_back_aware_at_any_depth(store: Store, clock: ManualClock) -> None:
    """In an untyped place too; a string that looks like one stays a string; a naive one is UTC."""
    sessions = calls(store, clock)
    at = datetime(2026, 5, 1, 12, 0)  # noqa: DTZ001 - that is the point
    await sessions.set("CA1", Call(collected_data={"at": at, "text": "2026-05-01T12:00:00Z"}))

    read = await sessions.get("CA1")
    assert read is not None
    assert read.collected_data == {"at": at.replace(tzinfo=UTC), "text": "2026-05-01T12:00:00Z"}


def test_a_stamp_that_is_no_time_is_refused() -> None:
    """`created_at: int` cannot hold what is written there."""

    class Odd(Struct):
        created_at: int = 0

    with pytest.raises(ConfigurationError, match=r"Odd\.created_at"):
        Sessions(MemoryStore(), "odd", Odd, ttl=None)
    with pytest.raises(ConfigurationError, match="at least a millisecond"):
        Fixed(timedelta(0))
    with pytest.raises(InvalidStateError, match="a document is"):
        Sessions(MemoryStore(), "odd", list[int], ttl=None)
    with pytest.raises(ConfigurationError, match="no room for created_at and last_updated"):
        Sessions(MemoryStore(), "odd", dict[str, int], ttl=None)
    for fits in (dict[str, int | str], dict[str, object], dict[str, Any], dict[str, datetime], dict):
        Sessions(MemoryStore(), "even", fits, ttl=None)


@pytest.mark.parametrize("name", ["\ud800", 5])
async def test_a_members_name_that_is_no_text_is_refused(store: Store, clock: ManualClock, name: Any) -> None:
    """JSON would turn a number into text, and cannot hold half a character. Nothing is written."""
    sessions = Sessions(store, "any", dict[str, Any], ttl=None, clock=clock)
    before = await sessions.set("a", {"n": 1})
    with pytest.raises(InvalidStateError, match="the name"):
        await sessions.update("a", {name: 2})

    assert await sessions.get("a") == before
