"""Outages that last: whatever was said in them, and however much, comes back."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from tests.unit.outage_bench import ANA, Bench, Heard, heard
from turnkeeper import Flow, LogRetention, Turn
from turnkeeper.engine.results import Taken
from turnkeeper.model.conversation import ConversationId
from turnkeeper.model.event import LogEntry, LoggedInput, decode_entry
from turnkeeper.model.message import NOTHING, Kind
from turnkeeper.outage.carry.account import encoded, log_of
from turnkeeper.outage.carry.seeding import Note
from turnkeeper.outage.standing import Conflict
from turnkeeper.ports.limits import MAX_PART_BYTES, MAX_STATE_BYTES

pytestmark = pytest.mark.anyio

WITHIN = timedelta(seconds=20)
NOTE = Note(write_id="w", conversation=ConversationId(flow="counting", person=ANA), since_ms=0)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """Return a store, a clock and a folder."""
    return Bench(tmp_path / "local")


async def test_every_message_of_a_long_outage_is_known_to_the_store(bench: Bench) -> None:
    """Also where the flow keeps a log of one entry: a provider repeats what it sent at the beginning."""
    flow = Flow("counting", Heard, start="listening", log=LogRetention(entries=1))

    @flow.unknown
    async def listen(turn: Turn[Heard]) -> None:
        """Remember."""
        turn.state.words.append(turn.text)

    said = [str(number) for number in range(30)]
    app, switch = bench.server("carry_on", flow=flow)
    async with app.running():
        await bench.away(app, switch)
        for word in said:
            await app.handle(ANA, app.message(word, id=f"m{word}"), within=WITHIN)
        await bench.back(app, switch)
        repeated = {(await app.accept(ANA, app.message(word, id=f"m{word}"))).outcome for word in said}

        assert repeated == {Taken.DUPLICATE}
        assert await heard(app) == said


def entry(number: int, *, size: int) -> LogEntry:
    """Return what one turn of an outage logged, with a text of so many characters."""
    return LogEntry(
        phone=ANA,
        state="listening",
        message="",
        intent="",
        response_preview="",
        timestamp=datetime(2026, 3, 2, tzinfo=UTC),
        modifications_count=0,
        error_count=0,
        before=f"before {number}",
        inputs=(LoggedInput(id=f"m{number}", kind=Kind.TEXT, text="x" * size),),
    )


@pytest.mark.parametrize(
    ("size", "state_bytes", "kept"),
    [(1_000, 10, 5), (300_000, 10, 2), (300_000, 800_000, 0), (300_000, MAX_STATE_BYTES, 0)],
    ids=["all fits", "the newest", "the state alone", "not even that"],
)
def test_what_one_entry_has_no_room_for_is_left_out_oldest_first(size: int, state_bytes: int, kept: int) -> None:
    """A commit that is too large would be refused, and the conversation would never come back."""
    state = b'"' + b"s" * (state_bytes - 2) + b'"'

    data = log_of([entry(number, size=size) for number in range(5)], NOTE, now_ms=0, state=state)

    assert data is not None
    assert len(data) <= MAX_STATE_BYTES
    merged = decode_entry(data)
    assert [one.id for one in merged.inputs] == [f"m{number}" for number in range(5)][5 - kept :]
    assert merged.before == "before 0"
    assert bytes(merged.full) == (state if state_bytes < MAX_STATE_BYTES else bytes(NOTHING))


def test_an_account_keeps_what_a_document_has_room_for() -> None:
    """The state and what was not sent come first, then the newest of the log."""
    log = tuple(msgspec.Raw(b'"%d%s"' % (number, b"x" * 1_000_000)) for number in range(8))
    conflict = Conflict(
        id="w",
        conversation=NOTE.conversation,
        reason="",
        at_ms=0,
        base_version=1,
        found_version=2,
        status="",
        state=msgspec.Raw(b"{}"),
        log=log,
        unsent=(),
    )

    data = encoded(conflict)

    assert len(data) <= MAX_PART_BYTES
    assert [bytes(one)[:2] for one in msgspec.json.decode(data, type=Conflict).log] == [b'"4', b'"5', b'"6', b'"7']
