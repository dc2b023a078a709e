"""The way back from `carry_on`: one commit, or a conflict that loses neither side, wherever it is cut off."""

from datetime import timedelta
from pathlib import Path

import pytest

from tests.unit.outage_bench import ANA, BEN, Bench, Heard, heard
from turnkeeper import Flow, Turn, hours
from turnkeeper.engine.results import Taken
from turnkeeper.engine.wire import encode
from turnkeeper.model.conversation import ConversationId
from turnkeeper.model.message import Message
from turnkeeper.ports.catalog import Exported
from turnkeeper.ports.turns import Begin, Commit, Committed, Granted, Incoming
from turnkeeper.testing.channel import FakeChannel

pytestmark = pytest.mark.anyio

WITHIN = timedelta(seconds=20)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """Return a store, a clock and a folder."""
    return Bench(tmp_path / "local")


async def test_another_servers_turn_in_between_is_a_conflict_that_loses_neither_side(bench: Bench) -> None:
    """The store's state stands, what was said here is kept for an operator, and nobody is answered twice."""
    sms = FakeChannel("sms")
    app, switch = bench.server("carry_on", sms)
    other, _ = bench.server("fail", sms)
    async with app.running(), other.running():
        await app.handle(ANA, app.message("one", id="m1", channel="sms"), within=WITHIN)
        await bench.away(app, switch)
        await app.handle(ANA, app.message("here", id="m2", channel="sms"), within=WITHIN)
        await other.handle(ANA, other.message("there", id="m3", channel="sms"), within=WITHIN)
        await bench.back(app, switch)

        assert await heard(other) == ["one", "there"]
        assert app.health().conflicts == 1
        (conflict,), cursor = await app.conflicts()
        assert cursor is None
        assert (conflict.base_version, conflict.found_version) == (1, 2)
        assert b"here" in bytes(conflict.state)
        assert b"2: here" in bytes(conflict.log[0])
        assert (await other.accept(ANA, other.message("here", id="m2"))).outcome is Taken.DUPLICATE
        view = await other.inspect(other.conversation(ANA))
        assert view is not None
        assert [entry.note for entry in view.log] == ["", "", "conflict"]
        await other.handle(ANA, other.message("on", id="m4", channel="sms"), within=WITHIN)
        assert await heard(other) == ["one", "there", "on"]
    assert sms.texts == ["1: one", "2: here", "2: there", "3: on"]


async def test_a_stop_that_was_heard_here_counts_also_beside_a_conflict(bench: Bench) -> None:
    """The person said it and was heard; that the conversation forked is no reason to write to them again."""
    app, switch = bench.server("carry_on")
    other, _ = bench.server("fail")
    async with app.running(), other.running():
        await app.handle(ANA, app.message("one", id="m1"), within=WITHIN)
        await bench.away(app, switch)
        await app.handle(ANA, app.message("STOP", id="m2"), within=WITHIN)
        await other.handle(ANA, other.message("there", id="m3"), within=WITHIN)
        await bench.back(app, switch)

        assert app.health().conflicts == 1
        view = await other.inspect(other.conversation(ANA))
        assert view is not None
        assert view.exported.opted_out


async def test_a_conversation_that_began_anew_is_another_one_also_with_the_same_version(bench: Bench) -> None:
    """The store's state ended meanwhile and the person went on there: what was said here does not continue that."""

    def forgetful() -> Flow[Heard]:
        flow = Flow("counting", Heard, start="listening", forget_after=hours(1))

        @flow.unknown
        async def listen(turn: Turn[Heard]) -> None:
            turn.state.words.append(turn.text)

        return flow

    app, switch = bench.server("carry_on", flow=forgetful())
    other, _ = bench.server("fail", flow=forgetful())
    async with app.running(), other.running():
        await app.handle(ANA, app.message("one", id="m1"), within=WITHIN)
        await bench.away(app, switch)
        await app.handle(ANA, app.message("here", id="m2"), within=WITHIN)
        bench.clock.advance(hours(2))
        await other.handle(ANA, other.message("there", id="m3"), within=WITHIN)
        await bench.back(app, switch)

        assert await heard(other) == ["there"]
        assert app.health().conflicts == 1


async def test_a_conversation_that_was_not_known_here_but_there_is_a_conflict(bench: Bench) -> None:
    """This process never saw the person; the store did: neither is overwritten."""
    other, _ = bench.server("fail")
    app, switch = bench.server("carry_on")
    async with other.running():
        await other.handle(ANA, other.message("old", id="m0"), within=WITHIN)
        async with app.running():
            await bench.away(app, switch)
            await app.handle(ANA, app.message("new", id="m1"), within=WITHIN)
            await bench.back(app, switch)

            assert await heard(app) == ["old"]
            (conflict,), _cursor = await app.conflicts()
            assert conflict.base_version is None


async def test_a_person_whom_another_server_meets_on_the_way_back_is_a_conflict(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The store knew nothing when it was asked, and had a turn before the lease was taken: neither is overwritten."""
    app, switch = bench.server("carry_on")
    other, _ = bench.server("fail")
    export = bench.store.catalog.export

    async def slow_export(conversation: ConversationId) -> Exported | None:
        found = await export(conversation)
        if found is None:
            await other.handle(ANA, other.message("there", id="m2"), within=WITHIN)
        return found

    async with app.running(), other.running():
        await bench.away(app, switch)
        await app.handle(ANA, app.message("here", id="m1"), within=WITHIN)
        monkeypatch.setattr(bench.store.catalog, "export", slow_export)
        await bench.back(app, switch)

        assert await heard(app) == ["there"]
        (conflict,), _cursor = await app.conflicts()
        assert b"here" in bytes(conflict.state)


async def test_what_waits_in_the_store_unrun_is_run_here_before_it_comes_back(bench: Bench) -> None:
    """A message that another server accepted and never ran is answered once, with the conversation as it is here."""
    sms = FakeChannel("sms")
    app, switch = bench.server("carry_on", sms)
    async with app.running():
        await app.handle(ANA, app.message("one", id="m1", channel="sms"), within=WITHIN)
        await bench.away(app, switch)
        await app.handle(ANA, app.message("two", id="m2", channel="sms"), within=WITHIN)
        await accept_only(bench, app.message("three", id="m3", channel="sms"), app.conversation(ANA))
        await bench.back(app, switch)

        assert await heard(app) == ["one", "two", "three"]
        assert app.health().conflicts == 0
    assert sms.texts == ["1: one", "2: two", "3: three"]


async def accept_only(bench: Bench, message: Message, conversation: ConversationId) -> None:
    """Put a message into the store as a server does that dies before it runs it."""
    incoming = Incoming(id=message.id, payload=encode(message))
    await bench.store.turns.begin(
        Begin(conversation=conversation, token="gone", lease_ms=1, message=incoming, run=False)
    )


async def test_a_long_outage_brings_back_more_messages_than_one_commit_takes(bench: Bench) -> None:
    """Seventy messages: three commits, all of them known to the store afterwards."""
    app, switch = bench.server("carry_on")
    words = [f"word {number}" for number in range(70)]
    async with app.running():
        await bench.away(app, switch)
        for number, word in enumerate(words):
            await app.handle(ANA, app.message(word, id=f"m{number}"), within=WITHIN)
        await bench.back(app, switch)

        assert await heard(app) == words
        again = [(await app.accept(ANA, app.message(word, id=f"m{n}"))).outcome for n, word in enumerate(words)]
        assert set(again) == {Taken.DUPLICATE}
        assert await heard(app) == words


async def test_the_way_back_may_be_cut_anywhere(bench: Bench) -> None:
    """Answers are lost on the way back, one after the other: it is repeated until it is there, once."""
    for cuts in range(1, 6):
        app, switch = bench.server("carry_on", failures=100)
        person = f"+1555123{cuts:04d}"
        async with app.running():
            await app.handle(person, app.message("one", id="m1"), within=WITHIN)
            switch.is_away = True
            await app.handle(person, app.message("two", id="m2"), within=WITHIN)
            await app.handle(person, app.message("three", id="m3"), within=WITHIN)
            switch.cuts = cuts
            await bench.back(app, switch)

            assert await heard(app, person) == ["one", "two", "three"]
            assert app.health().conflicts == 0


@pytest.mark.parametrize("answered", range(12))
async def test_a_process_that_dies_on_the_way_back_leaves_nothing_twice(bench: Bench, answered: int) -> None:
    """The store goes away again after so many calls, and the process dies: the next one ends what was begun."""
    sms = FakeChannel("sms")
    app, switch = bench.server("carry_on", sms)
    await app.start()
    await app.handle(ANA, app.message("one", id="m1", channel="sms"), within=WITHIN)
    assert await heard(app) == ["one"]
    await bench.away(app, switch)
    for word in ("two", "three", "four"):
        await app.handle(ANA, app.message(word, id=word, channel="sms"), within=WITHIN)
    switch.left = answered
    switch.is_away = False
    await bench.until(lambda: switch.is_away or app.health().status == "ok")
    await app.stop()
    heir, _ = bench.server("carry_on", sms)
    async with heir.running():
        await bench.until(lambda: heir.health().status == "ok")

        assert await heard(heir) == ["one", "two", "three", "four"]
        assert heir.health().conflicts == 0
        for word in ("two", "three", "four"):
            assert (await heir.accept(ANA, heir.message(word, id=word))).outcome is Taken.DUPLICATE
    assert sms.texts == ["1: one", "2: two", "3: three", "4: four"]


async def test_what_the_store_took_in_meanwhile_is_run_there_if_the_conversation_forked(bench: Bench) -> None:
    """Another server answered, and took in one more before it died: that one is the store's own, and is answered."""
    app, switch = bench.server("carry_on")
    other, _ = bench.server("fail")
    async with app.running():
        await app.handle(ANA, app.message("one", id="m1"), within=WITHIN)
        await bench.away(app, switch)
        await app.handle(ANA, app.message("here", id="m2"), within=WITHIN)
        async with other.running():
            await other.handle(ANA, other.message("there", id="m3"), within=WITHIN)
        await accept_only(bench, app.message("later", id="m4"), app.conversation(ANA))
        await bench.back(app, switch)

        assert await heard(app) == ["one", "there", "later"]
        assert app.health().conflicts == 1


async def test_what_was_erased_does_not_come_back(bench: Bench) -> None:
    """Erased before the outage, or in it by another process: neither what is remembered nor what lives here returns."""
    app, switch = bench.server("carry_on")
    async with app.running():
        for person in (ANA, BEN):
            await app.handle(person, app.message("secret", id="m1"), within=WITHIN)
        await app.store.turns.forget(app.conversation(ANA), person=True)
        await bench.away(app, switch)
        await bench.store.turns.forget(app.conversation(BEN), person=True)
        first = await app.handle(ANA, app.message("new", id="m2"), within=WITHIN)
        await app.handle(BEN, app.message("more", id="m2"), within=WITHIN)
        await bench.back(app, switch)

        assert first.replies == ("1: new",)
        assert await heard(app) == ["new"]
        assert await heard(app, BEN) == []
        (conflict,), _cursor = await app.conflicts()
        assert "erased" in conflict.reason
        assert not [text for text in await kept_texts(bench, app.conversation(BEN)) if b'"more"' in text]


@pytest.mark.parametrize("speaks_again", [False, True])
async def test_the_account_of_what_was_erased_holds_no_text(bench: Bench, *, speaks_again: bool) -> None:
    """Nor does the log, whether or not the person has begun anew with another server."""
    app, switch = bench.server("carry_on")
    other, _ = bench.server("fail")
    async with app.running(), other.running():
        await app.handle(BEN, app.message("secret", id="m1"), within=WITHIN)
        await bench.away(app, switch)
        await app.handle(BEN, app.message("more secret", id="m2"), within=WITHIN)
        await bench.store.turns.forget(app.conversation(BEN), person=True)
        bench.clock.advance(timedelta(seconds=1))
        if speaks_again:
            await other.handle(BEN, other.message("new", id="m3"), within=WITHIN)
        await bench.back(app, switch)

        assert app.health().conflicts == 1
        assert not [text for text in await kept_texts(bench, app.conversation(BEN)) if b"secret" in text]
        assert await heard(other, BEN) == (["new"] if speaks_again else [])


async def test_a_conversation_that_was_forgotten_and_not_erased_keeps_its_account(bench: Bench) -> None:
    """Its log is still there, and so is what was said here."""
    app, switch = bench.server("carry_on")
    other, _ = bench.server("fail")
    async with app.running(), other.running():
        await app.handle(BEN, app.message("one", id="m1"), within=WITHIN)
        await bench.away(app, switch)
        await app.handle(BEN, app.message("here", id="m2"), within=WITHIN)
        await forget_state(bench, app.conversation(BEN))
        await bench.back(app, switch)

        assert [text for text in await kept_texts(bench, app.conversation(BEN)) if b"here" in text]


async def test_erasing_takes_the_accounts_of_conflicts_along(bench: Bench) -> None:
    """Those of the person, and nobody else's."""
    app, switch = bench.server("carry_on")
    other, _ = bench.server("fail")
    async with app.running(), other.running():
        for person in (ANA, BEN):
            await app.handle(person, app.message("one", id="m1"), within=WITHIN)
        await bench.away(app, switch)
        for person in (ANA, BEN):
            await app.handle(person, app.message("here", id="m2"), within=WITHIN)
            await other.handle(person, other.message("there", id="m3"), within=WITHIN)
        await bench.back(app, switch)
        both, _cursor = await app.conflicts()

        await app.store.turns.forget(app.conversation(ANA), person=True)

        left, _cursor = await app.conflicts()
        assert sorted(one.conversation.person for one in both) == sorted([ANA, BEN])
        assert [one.conversation.person for one in left] == [BEN]


async def forget_state(bench: Bench, conversation: ConversationId) -> None:
    """Let a turn of another server end the conversation, as a handler does with `turn.forget`."""
    message = Incoming(id="bye", payload=b"{}")
    granted = await bench.store.turns.begin(
        Begin(conversation=conversation, token="bye", lease_ms=1000, message=message)
    )
    assert isinstance(granted, Granted)
    commit = Commit(
        conversation=conversation, token="bye", fence=granted.fence, version=granted.version,
        generation=granted.generation, commit_id="bye", take=1, state=None, forget=True, active=True, next=False,
    )  # fmt: skip
    assert isinstance(await bench.store.turns.commit(commit), Committed)


async def kept_texts(bench: Bench, conversation: ConversationId) -> list[bytes]:
    """Return whatever the store still has of what was said: log, accounts, inbox."""
    log = [record.data for record in await bench.store.turns.history(conversation)]
    accounts = [document.data for _, document in (await bench.store.documents.scan("conflict")).items]
    exported = await bench.store.catalog.export(conversation)
    waiting = [] if exported is None else [one.payload for one in exported.inbox]
    return [*log, *accounts, *waiting]
