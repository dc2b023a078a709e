"""`turnkeeper migrate` between real stores: there and back again, killed on the way, and nothing is different."""

import contextlib
import json
import signal
import sqlite3
import subprocess
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import pytest
from redis import Redis

from tests.conformance.redis_servers import RedisServer
from tests.integration.migration_states import (
    FLOW,
    KINDS,
    conversation,
    documents,
    fill,
    is_empty,
    snapshot,
)
from tests.integration.server_process import COMMAND, PATIENCE_SECONDS, environment
from turnkeeper.errors import OutcomeUnknownError, RetryableError
from turnkeeper.model.conversation import ConversationId
from turnkeeper.ports.catalog import Exported
from turnkeeper.ports.documents import DocumentKey
from turnkeeper.ports.remains import OptOut
from turnkeeper.ports.store import Store
from turnkeeper.ports.turns import Begin, Commit, Committed, Duplicate, Granted, Incoming
from turnkeeper.stores.urls import open_store, read_remains

pytestmark = pytest.mark.anyio

T = TypeVar("T")

COUNT = 300
SOME = COUNT // 5
"""How many have arrived when the move is killed."""


def start(folder: Path, *arguments: str) -> subprocess.Popen[bytes]:
    """Start a move."""
    return subprocess.Popen(
        [*COMMAND, "migrate", *arguments],
        cwd=folder,
        env=environment(folder),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def finish(folder: Path, *arguments: str) -> tuple[int, str, str]:
    """Run a move to its end; return exit status and both outputs."""
    with start(folder, *arguments) as process:
        output, errors = process.communicate(timeout=PATIENCE_SECONDS)
    return process.returncode, output.decode(), errors.decode()


def wait_for_some(process: subprocess.Popen[bytes], arrived: Callable[[], int]) -> None:
    """Return while the move runs and some have arrived."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while arrived() < SOME:
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.002)


def kill_in_the_middle(folder: Path, arrived: Callable[[], int], *arguments: str) -> None:
    """Start a move and end it as a power cut would when some have arrived."""
    with start(folder, *arguments) as process:
        wait_for_some(process, arrived)
        process.send_signal(signal.SIGKILL)
        process.communicate()
    assert process.returncode == -signal.SIGKILL


def in_redis(server: RedisServer, database: int) -> int:
    """Return how many conversations a database holds."""
    with Redis(unix_socket_path=str(server.socket), db=database) as client:
        return sum(1 for _ in client.scan_iter(f"*:h:{FLOW}:*", count=1000))


def in_file(path: Path) -> int:
    """Return how many conversations a file holds."""
    if not path.exists():
        return 0
    with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
        try:
            (count,) = connection.execute("SELECT count(*) FROM conversation WHERE is_known").fetchone()
        except sqlite3.OperationalError:  # it has no tables yet
            return 0
        return int(count)


async def at(url: str, work: Callable[[Store], Awaitable[T]]) -> T:
    """Open a store, do something, and close it."""
    store = open_store(url)
    try:
        return await work(store)
    finally:
        await store.close()


async def everything(url: str) -> tuple[dict[str, Exported | None], dict[tuple[str, str], bytes]]:
    """Return all that a store holds of the test's conversations."""

    async def read(store: Store) -> tuple[dict[str, Exported | None], dict[tuple[str, str], bytes]]:
        return await snapshot(store, COUNT), await documents(store)

    return await at(url, read)


async def test_there_and_back_again_killed_on_the_way(tmp_path: Path, server: RedisServer) -> None:
    """300 conversations in every state: SQLite, Redis, Redis divided otherwise, SQLite; two moves are killed."""
    first, second = server.fresh(), server.fresh()
    here, back = f"sqlite:///{tmp_path}/here.db", f"sqlite:///{tmp_path}/back.db"
    there, further = server.url(first), server.url(second, partitions="3")
    await at(here, lambda store: fill(store, COUNT))
    before = await everything(here)

    kill_in_the_middle(tmp_path, lambda: in_redis(server, first), here, there)
    midway = in_file(tmp_path / "here.db")
    finished = finish(tmp_path, here, there)
    kill_in_the_middle(tmp_path, lambda: in_redis(server, second), there, further)
    between = in_redis(server, first)
    again = finish(tmp_path, there, further)
    returned = finish(tmp_path, further, back)

    assert 0 < midway < COUNT
    assert 0 < between < COUNT
    assert (finished[0], again[0]) == (0, 0), (finished, again)
    assert returned == (0, f"moved: conversations {COUNT}, documents 30, opt-outs 30\n", "")
    assert await everything(back) == before
    for url in (here, there, further):
        assert await at(url, lambda store: is_empty(store, COUNT))


async def test_a_target_that_dies_in_the_middle_costs_nothing(tmp_path: Path) -> None:
    """The run ends with one line that says what to do; with the server back, the next one finishes."""
    folder = tmp_path / "redis"
    folder.mkdir()
    server = RedisServer(folder, "--appendonly", "yes", "--appendfsync", "always")
    here, there = f"sqlite:///{tmp_path}/here.db", server.url()
    await at(here, lambda store: fill(store, COUNT))
    before = await everything(here)
    try:
        with start(tmp_path, here, there) as process:
            wait_for_some(process, lambda: in_redis(server, 0))
            server.stop()
            output, errors = process.communicate(timeout=PATIENCE_SECONDS)
        server.restart()
        finished = finish(tmp_path, here, there)
        after = await everything(there)
    finally:
        server.stop()

    assert (process.returncode, output) == (1, b"")
    assert b"run this again" in errors
    assert errors.count(b"\n") == 1
    assert finished[0] == 0, finished
    assert {key: one and one.version for key, one in after[0].items()} == {
        key: one and one.version for key, one in before[0].items()
    }
    assert after[1] == before[1]
    assert await at(here, lambda store: is_empty(store, COUNT))


async def test_what_died_on_redis_is_not_lost_when_it_is_left(tmp_path: Path, server: RedisServer) -> None:
    """Its dead letters are listed in the file, with their reasons, and come back from there."""
    here, there = server.url(server.fresh()), f"sqlite:///{tmp_path}/there.db"
    await at(here, lambda store: fill(store, KINDS, large=False))
    before = (await at(here, lambda store: store.deliveries.dead())).items

    status, _, _ = finish(tmp_path, here, there)
    after = (await at(there, lambda store: store.deliveries.dead())).items
    redriven = await at(there, lambda store: store.deliveries.redrive([one.id for one in after]))

    assert status == 0
    assert len(before) == 2
    assert [(one.source_id, one.kind, one.payload, one.error, one.attempts, one.at_ms) for one in after] == [
        (one.source_id, one.kind, one.payload, one.error, one.attempts, one.at_ms) for one in before
    ]
    assert redriven == 2


async def test_documents_under_the_users_own_names_move_there_and_back(tmp_path: Path, server: RedisServer) -> None:
    """Also those that other programs wrote beside them; what is no collection of ours stays where it is."""
    first = server.fresh()
    here, there = server.url(first), f"sqlite:///{tmp_path}/there.db"
    session = DocumentKey(collection="session", id="CA1")

    async def write(store: Store) -> None:
        await store.documents.put(session, b"1", ttl_ms=60_000)
        await store.documents.put(DocumentKey(collection="kunde", id="Ü 7"), b"{}")

    async def read(store: Store) -> list[tuple[str, bytes, bool]]:
        pages = [await store.documents.scan(each, limit=256) for each in ("session", "kunde", "celery")]
        return sorted((key.id, one.data, one.expires_ms is None) for page in pages for key, one in page.items)

    await at(here, write)
    with server.client(first) as client:
        client.set("session:CA2", "2", ex=60)
        client.set("celery:task", "another program's")
    moved = finish(tmp_path, here, there)
    arrived = await at(there, read)
    back = finish(tmp_path, there, here)

    assert moved == back == (0, "moved: conversations 0, documents 3, opt-outs 0\n", "")
    assert arrived == [("CA1", b"1", False), ("CA2", b"2", False), ("Ü 7", b"{}", True)]
    assert await at(here, read) == [*arrived[:2], ("task", b"another program's", True), *arrived[2:]]


async def test_a_state_under_a_collections_name_stays_with_its_conversation(
    tmp_path: Path, server: RedisServer
) -> None:
    """Who names both `session:` has states and documents side by side; a state is no document to be moved alone."""
    here, there = server.url(server.fresh()), f"sqlite:///{tmp_path}/there.db"
    called = ConversationId(flow="calls", person="7", state_key="session:7")

    async def talk(store: Store) -> None:
        message = Incoming(id="m1", payload=b"{}")
        grant = await store.turns.begin(Begin(conversation=called, token="t", lease_ms=1_000, message=message))
        assert isinstance(grant, Granted)
        await store.turns.commit(
            Commit(
                conversation=called,
                token="t",
                fence=grant.fence,
                version=grant.version,
                generation=grant.generation,
                commit_id="c",
                take=1,
                state=b"{}",
            )
        )

    async def write(store: Store) -> None:
        await talk(store)
        await store.documents.put(DocumentKey(collection="session", id="8"), b"{}")

    await at(here, write)
    would = finish(tmp_path, here, there, "--dry-run")
    await at(there, talk)
    status, output, _ = finish(tmp_path, here, there)
    left = await at(here, lambda store: store.catalog.export(called))

    assert would[1] == "would move: conversations 1, documents 1, opt-outs 0\n"
    assert (status, output.splitlines()[0]) == (1, "moved: conversations 0, documents 1, opt-outs 0")
    assert left is not None
    assert left.state == b"{}"


async def test_a_server_that_restarted_empty_is_told_again_which_collections_are_ours(
    tmp_path: Path, server: RedisServer
) -> None:
    """What is written there afterwards moves as well."""
    (tmp_path / "redis").mkdir()
    own = RedisServer(tmp_path / "redis")
    store = open_store(own.url())
    key = DocumentKey(collection="session", id="CA1")
    await store.documents.put(key, b"1")
    own.stop()
    own.restart()
    with contextlib.suppress(RetryableError, OutcomeUnknownError):
        await store.documents.put(key, b"2")  # notices that its connection is gone
    await store.documents.put(key, b"3")
    await store.documents.put(key, b"4")
    await store.close()

    status, output, _ = finish(tmp_path, own.url(), server.url(server.fresh()))
    own.stop()

    assert (status, output) == (0, "moved: conversations 0, documents 1, opt-outs 0\n")


async def test_who_opted_out_is_known_although_no_conversation_is_left(tmp_path: Path, server: RedisServer) -> None:
    """A STOP outlives the conversation in which it was said, and every move, whatever characters its names have."""
    here, there, back = (f"sqlite:///{tmp_path}/here.db", server.url(server.fresh()), f"sqlite:///{tmp_path}/back.db")
    people = [OptOut(flow="a:{b}%3A", person="+15550001"), OptOut(flow="dinner", person="mailto:x%7B@y:{z}")]

    async def opt_out(store: Store) -> None:
        for one in people:
            await _opt_out(store, one)
            await store.turns.forget(ConversationId(flow=one.flow, person=one.person))

    await at(here, opt_out)
    for source, target in ((here, there), (there, back)):
        assert finish(tmp_path, source, target)[0] == 0

    assert list((await read_remains(there)).opt_outs) == people
    assert list((await read_remains(back)).opt_outs) == people


async def test_a_wish_that_the_target_knows_already_stays(tmp_path: Path, server: RedisServer) -> None:
    """Who said START there wants to hear from it, whatever an older store says."""
    here, there = f"sqlite:///{tmp_path}/here.db", server.url(server.fresh())
    somebody = OptOut(flow=FLOW, person="+15550001")

    async def opt_out(store: Store) -> None:
        await _opt_out(store, somebody)
        await store.turns.forget(ConversationId(flow=FLOW, person=somebody.person))

    async def opt_in(store: Store) -> None:
        await _opt_out(store, somebody)
        await _opt_out(store, somebody, opt_out=False)
        await store.turns.forget(ConversationId(flow=FLOW, person=somebody.person))

    await at(here, opt_out)
    await at(there, opt_in)
    status, _, _ = finish(tmp_path, here, there)

    assert status == 0
    assert (await read_remains(there)).opt_outs == ()


async def _opt_out(store: Store, who: OptOut, *, opt_out: bool = True) -> None:
    name = ConversationId(flow=who.flow, person=who.person)
    message = Incoming(id=f"stop {opt_out}", payload=b"{}")
    grant = await store.turns.begin(Begin(conversation=name, token=f"t{opt_out}", lease_ms=1_000, message=message))
    assert isinstance(grant, Granted)
    committed = await store.turns.commit(
        Commit(
            conversation=name,
            token=grant.token,
            fence=grant.fence,
            version=grant.version,
            generation=grant.generation,
            commit_id=grant.token,
            take=1,
            state=b"{}",
            opt_out=opt_out,
        )
    )
    assert isinstance(committed, Committed)


async def test_a_provider_that_repeats_itself_is_recognised_on_the_other_side(
    tmp_path: Path, server: RedisServer
) -> None:
    """What SQLite had answered, Redis answers the same."""
    here, there = f"sqlite:///{tmp_path}/here.db", server.url(server.fresh())
    await at(here, lambda store: fill(store, KINDS))
    finish(tmp_path, here, there)

    async def repeat(store: Store) -> list[object]:
        return [
            await store.turns.begin(
                Begin(
                    conversation=conversation(number),
                    token="again",
                    lease_ms=1_000,
                    message=Incoming(id=f"{conversation(number).key}:hello", payload=b"again"),
                )
            )
            for number in range(KINDS)
        ]

    assert await at(there, repeat) == [Duplicate(done=True, reply=b"welcome")] * KINDS


async def test_a_dry_run_makes_no_file(tmp_path: Path) -> None:
    """It counts, and says that it only counted."""
    here = f"sqlite:///{tmp_path}/here.db"
    await at(here, lambda store: fill(store, KINDS))

    status, output, _ = finish(tmp_path, here, f"sqlite:///{tmp_path}/there.db", "--dry-run")

    assert (status, output) == (
        0,
        "would move: conversations 9, documents 1, opt-outs 1\n",
    )
    assert in_file(tmp_path / "there.db") == 0
    assert in_file(tmp_path / "here.db") == KINDS


async def test_a_flow_that_neither_store_knows_is_an_error(tmp_path: Path) -> None:
    """A mistyped name must not look like a move that has nothing left to do; one that is done is none."""
    here, there = f"sqlite:///{tmp_path}/here.db", f"sqlite:///{tmp_path}/there.db"
    await at(here, lambda store: fill(store, KINDS))

    mistyped = finish(tmp_path, here, there, "--flow", "diner")
    moved = finish(tmp_path, here, there, "--flow", FLOW)
    again = finish(tmp_path, here, there, "--flow", FLOW)

    assert (mistyped[0], mistyped[1]) == (1, "")
    assert f"no conversations of a flow 'diner'; in this store there are: {FLOW}" in mistyped[2]
    assert (moved[0], again[0]) == (0, 0), (moved, again)


async def test_a_new_folder_is_told(tmp_path: Path) -> None:
    """It may be a typing mistake."""
    here = f"sqlite:///{tmp_path}/here.db"
    await at(here, lambda store: fill(store, 1))

    status, _, errors = finish(tmp_path, here, f"sqlite:///{tmp_path}/ther/there.db")

    assert status == 0
    assert "there is no folder" in errors


async def test_what_could_not_move_is_named_and_the_exit_status_says_so(tmp_path: Path) -> None:
    """A script must not go on as if all had moved."""
    here, there = f"sqlite:///{tmp_path}/here.db", f"sqlite:///{tmp_path}/there.db"
    await at(here, lambda store: fill(store, KINDS))
    await at(there, lambda store: fill(store, 1))

    status, output, _ = finish(tmp_path, here, there)
    again, told, _ = finish(tmp_path, here, there, "--json")

    assert status == again == 1
    assert f"in both stores, left there (forget one of the two, then run this again): {FLOW}:" in output
    assert json.loads(told)["conflicts"] == [conversation(0).key]


@pytest.mark.parametrize(
    ("source", "target", "reason"),
    [
        ("sqlite:///nothing.db", "sqlite:///there.db", "there is no file"),
        ("memory://", "sqlite:///there.db", "dies with its process"),
        ("sqlite:///here.db", "memory://", "dies with its process"),
        ("sqlite:///here.db", "sqlite:///here.db", "same store"),
        ("sqlite:///here.db", "redis://user:hunter2@127.0.0.1:1", "cannot be reached"),
        ("sqlite:///here.db", "postgresql://user:hunter2@host", "no store for"),
    ],
)
async def test_stores_that_cannot_be_used_are_one_clear_line(
    tmp_path: Path, source: str, target: str, reason: str
) -> None:
    """Nothing is moved, nothing is made, and no password is shown."""
    await at(f"sqlite:///{tmp_path}/here.db", lambda store: fill(store, 1))

    status, output, errors = finish(tmp_path, source, target)

    assert (status, output) == (1, "")
    assert reason in errors
    assert errors.count("\n") == 1
    assert "hunter2" not in errors
    assert in_file(tmp_path / "here.db") == 1
    assert not (tmp_path / "nothing.db").exists()
