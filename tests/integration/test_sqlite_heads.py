"""The heads that the writer keeps between transactions: never other than what the file holds."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import msgspec
import pytest

from tests.integration.sqlite_child import conversation, send
from tests.integration.sqlite_gate import begin
from turnkeeper.errors import StoreUnavailableError
from turnkeeper.model.conversation import ConversationId
from turnkeeper.ports import faults
from turnkeeper.ports.turns import Begun, Commit, Committed, Granted, Release
from turnkeeper.ports.turns import Outcome as HowReleased
from turnkeeper.stores.sqlite import SqliteStore
from turnkeeper.stores.sqlite.steps import heads

pytestmark = pytest.mark.anyio

ANA = conversation("ana")


@pytest.fixture
async def other(file: Path, store: SqliteStore) -> AsyncIterator[SqliteStore]:
    """Give the test a second store on the same file, with a connection of its own as another process has."""
    other = SqliteStore(file)
    await other.open()
    yield other
    await other.close()


@pytest.fixture
def _no_fault() -> Iterator[None]:
    """Take away the fault that the test installed."""
    yield
    faults.clear()


def granted(answer: Begun) -> Granted:
    """Return the answer, which is a grant."""
    assert isinstance(answer, Granted)
    return answer


def commit(turn: Granted, of: ConversationId, *, opt_out: bool | None = None) -> Commit:
    """Return a commit of a turn."""
    return Commit(
        conversation=of,
        token=turn.token,
        fence=turn.fence,
        version=turn.version,
        generation=turn.generation,
        commit_id=f"{turn.token}:c",
        take=1,
        state=b"state",
        opt_out=opt_out,
    )


async def test_what_another_process_committed_is_seen_by_the_next_operation(
    store: SqliteStore, other: SqliteStore
) -> None:
    """Two stores take turns with one conversation: each finds the state that the other left."""
    for number in range(6):
        await send((store, other)[number % 2], "ana", f"m{number}")
    exported = await store.catalog.export(ANA)

    assert exported is not None
    assert exported.version == 6
    assert msgspec.json.decode(exported.state or b"") == [f"m{number}" for number in range(6)]


async def test_a_lease_that_another_process_took_over_is_lost(store: SqliteStore, other: SqliteStore) -> None:
    """The head that was kept since the grant does not let a late commit through."""
    turn = granted(await store.turns.begin(begin("ana")))
    assert await other.turns.release(Release(conversation=ANA, token=turn.token, outcome=HowReleased.RETURNED))
    again = granted(await other.turns.begin(begin("ana", message_id="m2")))

    assert not isinstance(await store.turns.commit(commit(turn, ANA)), Committed)
    assert isinstance(await other.turns.commit(commit(again, ANA)), Committed)


@pytest.mark.usefixtures("_no_fault")
async def test_what_was_rolled_back_is_not_remembered(store: SqliteStore) -> None:
    """A begin that failed after its last write has not counted as an attempt, nor left its message."""
    first = granted(await store.turns.begin(begin("ana")))
    assert await store.turns.release(Release(conversation=ANA, token=first.token, outcome=HowReleased.ERROR))

    def fail(point: str) -> None:
        if point == "sqlite.before_commit":
            raise StoreUnavailableError("the power is gone")

    faults.install(fail)
    with pytest.raises(StoreUnavailableError):
        await store.turns.begin(begin("ana", message_id="lost"))
    faults.clear()
    turn = granted(await store.turns.begin(begin("ana", message_id="m3")))

    assert (turn.attempts, turn.errors, turn.more) == (2, 1, 1)
    assert turn.fence > first.fence


async def test_an_opt_out_is_seen_by_the_other_members_of_an_address(store: SqliteStore) -> None:
    """Ben spoke before Ana, on the same number, asked for silence: his next turn knows."""
    members = [ConversationId(flow="shop", person="home", member=name) for name in ("ana", "ben")]
    ana, ben = members
    for member in members:
        turn = granted(await store.turns.begin(msgspec.structs.replace(begin("home"), conversation=member)))
        await store.turns.commit(commit(turn, member))
    request = begin("home", message_id="stop")
    turn = granted(await store.turns.begin(msgspec.structs.replace(request, conversation=ana)))
    await store.turns.commit(commit(turn, ana, opt_out=True))
    request = begin("home", message_id="hello")
    bens = granted(await store.turns.begin(msgspec.structs.replace(request, conversation=ben)))

    assert bens.opted_out


async def test_more_conversations_than_heads_are_kept_change_nothing(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With room for two heads, ten people's turns go as they go with room for all."""
    monkeypatch.setattr(heads, "KEPT_HEADS", 2)
    for number in range(3):
        for person in range(10):
            await send(store, f"p{person}", f"m{number}")
    exported = [await store.catalog.export(conversation(f"p{person}")) for person in range(10)]

    assert [one.version for one in exported if one is not None] == [3] * 10
