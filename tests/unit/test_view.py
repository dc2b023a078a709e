"""`App.view`: every state of a flow in memory, live and read-only."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from turnkeeper import App, Flow, Struct, Turn, View, seconds
from turnkeeper.errors import ConfigurationError, StoreUnavailableError
from turnkeeper.ports.catalog import Changes
from turnkeeper.stores.memory import MemoryStore
from turnkeeper.stores.sqlite import SqliteStore

pytestmark = pytest.mark.anyio


class Count(Struct):
    """Counts what was said."""

    said: int = 0
    words: list[str] = []


def counting() -> Flow[Count]:
    """Return a flow that counts, and ends at "bye"."""
    flow = Flow("counting", Count, start="open")

    @flow.unknown(to=("open", "closed"))
    async def count(turn: Turn[Count]) -> None:
        turn.state.said += 1
        turn.state.words.append(turn.text)
        if turn.text == "bye":
            turn.go("closed")

    return flow


@pytest.fixture(params=["memory", "sqlite"])
async def opened(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Callable[[], App]]:
    """Return a maker of applications on one store, each as another process would be."""
    store = MemoryStore() if request.param == "memory" else None

    def make() -> App:
        return App(counting(), store=store or SqliteStore(tmp_path / "v.db"))

    yield make
    if store is not None:
        await store.close()


async def until(told: Callable[[], bool]) -> None:
    """Let other tasks run until it is so."""
    async with asyncio.timeout(10):
        while not told():  # noqa: ASYNC110 - what is waited for has no event
            await asyncio.sleep(0.01)


async def say(app: App, person: str, text: str) -> None:
    """Say something and wait for its turn."""
    await app.handle(person, app.message(text), within=seconds(10))


async def test_a_view_is_restored_before_the_first_turn(opened: Callable[[], App]) -> None:
    """Whatever was committed before is there when the application has started."""
    async with opened().running() as app:
        for start in (0, 150):
            await asyncio.gather(*(say(app, f"p{n}", "hello") for n in range(start, start + 150)))
    app = opened()
    view = app.view(app.flow)
    with pytest.raises(ConfigurationError, match="not open"):
        len(view)
    async with app.running():
        assert len(view) == 300
        assert view["p7"].words == ["hello"]


async def test_turns_here_and_elsewhere_show_up(opened: Callable[[], App]) -> None:
    """Of the other application within its next look; with status and version, and filters without a round trip."""
    here, there = opened(), opened()
    view = here.view(here.flow)
    async with here.running(), there.running():
        await say(here, "ana", "one")
        await say(there, "ben", "two")
        await say(there, "ben", "bye")
        await until(lambda: "ana" in view and view.get("ben", Count()).said == 2)
        seen = view.look("ben")

        assert sorted(view) == ["ana", "ben"]
        assert seen is not None
        assert (seen.status, seen.version, seen.state.words) == ("closed", 2, ["two", "bye"])
        assert [found.conversation.person for found in view.in_status("open")] == ["ana"]
        assert [found.conversation.person for found in view.where(lambda one: one.state.said > 1)] == ["ben"]
        assert view.look("nobody") is None


async def test_waiting_for_a_change(opened: Callable[[], App]) -> None:
    """`changed` returns when something did."""
    app = opened()
    view = app.view(app.flow)
    async with app.running():
        waiting = asyncio.create_task(view.changed())
        await say(app, "ana", "one")
        async with asyncio.timeout(10):
            await waiting

        assert view["ana"].said == 1


async def test_a_forgotten_conversation_leaves_the_view(opened: Callable[[], App]) -> None:
    """And one that begins anew is there again."""
    app = opened()
    view = app.view(app.flow)
    async with app.running():
        await say(app, "ana", "one")
        await until(lambda: "ana" in view)
        await app.store.turns.forget(app.conversation("ana"))
        await until(lambda: "ana" not in view)
        await say(app, "ana", "again")
        await until(lambda: "ana" in view)

        assert view["ana"].words == ["again"]


async def test_a_view_of_another_applications_flow_is_refused(opened: Callable[[], App]) -> None:
    """The error lists the flows that there are."""
    with pytest.raises(ConfigurationError, match="counting"):
        opened().view(Flow("other", Count, start="open"))


async def test_a_store_that_is_away_stops_no_view(caplog: pytest.LogCaptureFixture) -> None:
    """It keeps what it knows, says once that it is behind, and catches up."""
    store = MemoryStore()
    app = App(counting(), store=store)
    view = app.view(app.flow)
    watch = store.catalog.watch
    is_away = False

    async def away(**options: Any) -> Changes:
        if is_away:
            raise StoreUnavailableError("down")
        return await watch(**options)

    store.catalog.watch = away  # type: ignore[method-assign]
    async with app.running():
        await say(app, "ana", "one")
        await until(lambda: "ana" in view)
        is_away = True
        await until(lambda: view.is_behind)
        kept = view["ana"].said
        await say(app, "ana", "two")
        is_away = False
        await until(lambda: not view.is_behind and view["ana"].said == 2)

    assert kept == 1
    assert [record.message for record in caplog.records].count("view_store_down") == 1


async def test_what_is_carried_on_elsewhere_is_shown_while_the_store_is_away() -> None:
    """It joins what the view knows, and its end there is not its end: it comes back with the store."""
    carried = MemoryStore()
    app, beside = App(counting(), store=MemoryStore()), App(counting(), store=carried)
    catalog: Any = Switched(app.store.catalog)
    view = View(lambda: catalog, app.flow.check(), beside=lambda: [carried])
    async with app.running(), beside.running():
        await app.handle("ana", app.message("one"))
        await view.open()
        catalog.is_up = False
        await beside.handle("ben", beside.message("two"))
        async with asyncio.timeout(10):
            while "ben" not in view:
                await view.changed()
        is_behind = view.is_behind
        await carried.turns.forget(beside.conversation("ben"))
        catalog.is_up = True
        await app.handle("cleo", app.message("three"))
        async with asyncio.timeout(10):
            while "cleo" not in view:
                await view.changed()

        assert is_behind
        assert sorted(view) == ["ana", "ben", "cleo"]
    await view.close()


class Switched:
    """A catalog that can be away."""

    def __init__(self, inner: Any) -> None:
        self.inner = inner
        self.is_up = True

    async def watch(self, **options: Any) -> Changes:
        """See `Catalog.watch`."""
        if not self.is_up:
            raise StoreUnavailableError("down")
        changes: Changes = await self.inner.watch(**{**options, "wait": seconds(0.01)})
        if not self.is_up:
            raise StoreUnavailableError("down")
        return changes


async def test_a_view_that_opens_again_begins_anew() -> None:
    """An application that stops closes its store; in memory that is the end of what it held."""
    app = App(counting(), store="memory://")
    view = app.view(app.flow)
    async with app.running():
        await app.handle("ana", app.message("one"))
        while "ana" not in view:
            await view.changed()
    async with app.running():
        again = dict(view)
        await app.handle("ben", app.message("one"))
        while "ben" not in view:
            await view.changed()

    assert again == {}
