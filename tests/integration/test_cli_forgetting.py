"""`conversations forget`: it erases what was asked for, after a yes, on every kind of store, and nothing else."""

import asyncio
import json
from pathlib import Path

import msgspec
import pytest

from tests.conformance.redis_servers import RedisServer
from tests.integration.server_process import run_cli
from tests.integration.test_cli_terminal import Terminal
from turnkeeper.model.conversation import ConversationId
from turnkeeper.model.message import NOTHING
from turnkeeper.outage.standing import CONFLICTS, Conflict
from turnkeeper.ports.documents import DocumentKey
from turnkeeper.ports.turns import Begin, Incoming
from turnkeeper.stores.sqlite import SqliteStore

BOT = "tests.integration.notebook:app"
ANA, BEN = "+15551230001", "+15551230002"


def say(folder: Path, store: str, number: str, *lines: str) -> None:
    """Say something to the notebook."""
    stdin = "".join(f"{line}\n" for line in lines).encode()
    assert run_cli(folder, "chat", BOT, "--as", number, "--store", store, stdin=stdin).returncode == 0


def plant(path: Path, *conversations: ConversationId) -> None:
    """Let a message wait for each of them."""

    async def begin() -> None:
        store = SqliteStore(path)
        message = Incoming(id="m1", payload=b"{}")
        for one in conversations:
            await store.turns.begin(Begin(conversation=one, token="t", lease_ms=1000, message=message))
        await store.close()

    asyncio.run(begin())


def left(folder: Path, *arguments: str) -> list[str]:
    """Return whose conversations there are."""
    done = run_cli(folder, "conversations", "list", "--json", *arguments)
    return sorted(item["conversation"] for item in json.loads(done.stdout)["conversations"])


@pytest.mark.parametrize("kind", ["sqlite", "redis"])
def test_a_person_is_erased_and_nobody_else(tmp_path: Path, kind: str, request: pytest.FixtureRequest) -> None:
    """The number as people write it; what was erased is counted; a second time there is nobody."""
    store = "sqlite:///a.db"
    if kind == "redis":
        server: RedisServer = request.getfixturevalue("server")
        store = server.url(server.fresh())
    say(tmp_path, store, ANA, "milk", "eggs", "fail")
    say(tmp_path, store, BEN, "bread")

    done = run_cli(tmp_path, "conversations", "forget", "+1 (555) 123-0001", "--yes", "--store", store)
    again = run_cli(tmp_path, "conversations", "forget", ANA, "--yes", "--store", store)

    assert done.returncode == 0, done.stderr
    assert done.stdout == "forgotten: conversations 1, log entries 3, deliveries 0, large parts 0, dead letters 1\n"
    assert left(tmp_path, "--store", store) == [f"notebook:{BEN}"]
    assert again.returncode == 1
    assert f"no conversation of {ANA}" in again.stderr
    assert run_cli(tmp_path, "dead-letters", "list", "--json", "--store", store).stdout.count(ANA) == 0


def test_nothing_is_erased_where_nobody_can_be_asked(tmp_path: Path) -> None:
    """A script that did not say --yes is told which conversations it would have erased."""
    say(tmp_path, "sqlite:///a.db", ANA, "milk")

    done = run_cli(tmp_path, "conversations", "forget", ANA, "--store", "sqlite:///a.db")

    assert done.returncode == 1
    assert "nothing was erased" in done.stderr
    assert "--yes" in done.stderr
    assert f"notebook:{ANA}" in done.stderr
    assert left(tmp_path, "--store", "sqlite:///a.db") == [f"notebook:{ANA}"]


@pytest.mark.parametrize(("answer", "is_left"), [(b"y\n", False), (b"n\n", True), (b"\n", True)])
def test_a_person_at_a_terminal_is_asked(tmp_path: Path, answer: bytes, *, is_left: bool) -> None:
    """Only a yes erases."""
    say(tmp_path, "sqlite:///a.db", ANA, "milk")
    terminal = Terminal(tmp_path, "conversations", "forget", ANA, "--store", "sqlite:///a.db")
    terminal.wait_for(r"\[y/N\]")
    shown = terminal.shown

    terminal.type(answer)
    status = terminal.end()

    assert f"notebook:{ANA}" in shown
    assert status == int(is_left)
    assert ("nothing was erased" in terminal.shown) is is_left
    assert left(tmp_path, "--store", "sqlite:///a.db") == ([f"notebook:{ANA}"] if is_left else [])


@pytest.mark.parametrize(
    ("arguments", "gone"),
    [
        ((), {"family:ana", "family:ben", "news"}),
        (("--flow", "family"), {"family:ana", "family:ben"}),
        (("--flow", "family", "--member", "ben"), {"family:ben"}),
    ],
)
def test_one_flow_or_one_of_several_people_is_erased_alone(
    tmp_path: Path, arguments: tuple[str, ...], gone: set[str]
) -> None:
    """As JSON for programs: the conversations that are gone."""
    places = {
        "family:ana": ConversationId(flow="family", person=ANA, member="ana"),
        "family:ben": ConversationId(flow="family", person=ANA, member="ben"),
        "news": ConversationId(flow="news", person=ANA),
    }
    plant(tmp_path / "a.db", *places.values())
    store = ("--store", "sqlite:///a.db")
    before = left(tmp_path, *store)

    done = run_cli(tmp_path, "conversations", "forget", ANA, *store, "--yes", "--json", *arguments)

    assert before == sorted(place.key for place in places.values())
    assert set(json.loads(done.stdout)["conversations"]) == {places[name].key for name in gone}
    assert set(left(tmp_path, *store)) == {places[name].key for name in places.keys() - gone}


def test_the_account_of_an_outage_goes_too(tmp_path: Path) -> None:
    """What could not be written back after an outage stands in a document; another person's stays."""
    say(tmp_path, "sqlite:///a.db", ANA, "milk")
    about = {person: ConversationId(flow="notebook", person=person) for person in (ANA, BEN)}

    async def accounts(*written: Conflict) -> list[str]:
        store = SqliteStore(tmp_path / "a.db")
        for one in written:
            key = DocumentKey(collection=CONFLICTS, id=f"{one.conversation.key}/1", person=one.conversation.person)
            await store.documents.put(key, msgspec.json.encode(one))
        page = await store.documents.scan(CONFLICTS)
        await store.close()
        return [key.id for key, _ in page.items]

    def told(conversation: ConversationId) -> Conflict:
        return Conflict(
            id="1",
            conversation=conversation,
            reason="r",
            at_ms=1,
            base_version=1,
            found_version=2,
            status="",
            state=NOTHING,
            log=(),
        )

    before = asyncio.run(accounts(*map(told, about.values())))
    done = run_cli(tmp_path, "conversations", "forget", ANA, "--yes", "--store", "sqlite:///a.db")

    assert done.returncode == 0, done.stderr
    assert len(before) == 2
    assert asyncio.run(accounts()) == [f"{about[BEN].key}/1"]


def test_a_member_that_there_is_not_erases_nobody(tmp_path: Path) -> None:
    """It says who there is."""
    say(tmp_path, "sqlite:///a.db", ANA, "milk")
    arguments = ("--member", "zoe", "--yes", "--store", "sqlite:///a.db")

    done = run_cli(tmp_path, "conversations", "forget", ANA, *arguments)

    assert done.returncode == 1
    assert f"{ANA} has no member 'zoe'; there are: (none)" in done.stderr
    assert left(tmp_path, "--store", "sqlite:///a.db") == [f"notebook:{ANA}"]
