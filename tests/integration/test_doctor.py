"""`turnkeeper doctor` on real stores: it tells what is dangerous, and leaves no trace."""

import json
import sqlite3
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from tests.conformance.redis_servers import RedisServer
from tests.integration.migration_states import KINDS, fill
from tests.integration.server_process import COMMAND, PATIENCE_SECONDS, ROOT, environment
from turnkeeper.stores.sqlite import schema
from turnkeeper.stores.urls import open_store

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """Return a server that keeps what it acknowledges: append-only file, a limit, volatile-ttl."""
    folder = tmp_path_factory.mktemp("redis")
    running = RedisServer(
        folder, "--appendonly", "yes", "--maxmemory", "100mb", "--maxmemory-policy", "volatile-ttl", "--databases", "16"
    )
    yield running
    running.stop()


def run(folder: Path, store: str, *arguments: str, env: Mapping[str, str] | None = None) -> tuple[int, str, str]:
    """Run the command; return exit status and both outputs."""
    asked = ("--store", store) if store else ()
    done = subprocess.run(
        [*COMMAND, "doctor", *asked, *arguments],
        cwd=folder,
        env=environment(folder, **(env or {})),
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


def examined(folder: Path, store: str) -> tuple[int, dict[str, dict[str, Any]]]:
    """Return the exit status and the findings by their names."""
    status, output, errors = run(folder, store, "--json")
    assert not errors
    return status, {one["check"]: one for one in json.loads(output)["findings"]}


async def test_a_good_redis_is_good(tmp_path: Path, server: RedisServer) -> None:
    """Nothing to do is said in so many words, and nothing is left behind: not even a division of a new database."""
    url = server.url(server.fresh())
    status, output, errors = run(tmp_path, url)
    with Redis.from_url(url) as client:
        left = client.keys()

    assert (status, errors, left) == (0, "", [])
    assert "everything is as it should be" in output
    assert "append-only file, fsync everysec" in output
    assert "a new database" in output


async def test_a_redis_with_conversations_tells_what_they_take(tmp_path: Path, server: RedisServer) -> None:
    """Memory for each, schema and partitions; the keys are the same before and after."""
    url = server.url(server.fresh())
    store = open_store(url)
    await fill(store, KINDS, large=False)
    await store.close()
    with Redis.from_url(url) as client:
        before = sorted(client.keys())
        status, found = examined(tmp_path, url)
        after = sorted(client.keys())

    assert status == 0
    assert found["conversations"]["level"] == "ok"
    assert 200 < int(found["conversations"]["found"].split()[0]) < 20_000
    assert "fit into maxmemory" in found["conversations"]["found"]
    assert found["schema"]["found"].endswith("partitions")
    assert {"version", "role", "ping", "write", "clock", "scripts", "rights"} <= found.keys()
    assert after == before


async def test_a_redis_that_evicts_or_forgets_is_dangerous(tmp_path: Path) -> None:
    """Each danger is told with what to set; the exit status says that there is one."""
    server = RedisServer(tmp_path, "--maxmemory", "50mb", "--maxmemory-policy", "allkeys-lru")
    try:
        status, found = examined(tmp_path, server.url())
        as_cache, of_cache = examined(tmp_path, server.url(durability="cache"))
    finally:
        server.stop()

    assert (status, as_cache) == (1, 0)
    assert found["eviction"]["level"] == "danger"
    assert "volatile-ttl" in found["eviction"]["advice"]
    assert found["persistence"]["level"] == "danger"
    assert "appendonly yes" in found["persistence"]["advice"]
    assert of_cache["eviction"]["level"] == "warn"


async def test_a_user_with_few_rights_gets_an_answer(tmp_path: Path, server: RedisServer) -> None:
    """What could not be checked is a warning that names the command."""
    with Redis.from_url(server.url()) as client:
        client.execute_command("ACL", "SETUSER", "least", "on", ">hunter2", "~*", "+@all", "-config", "-memory")
    url = f"unix://least:hunter2@{server.socket}?db=3"

    status, output, errors = run(tmp_path, url)

    assert (status, errors) == (0, "")
    assert "not told: the user may not use CONFIG GET" in output
    assert "hunter2" not in output


async def test_the_documented_user_gets_an_answer(tmp_path: Path, server: RedisServer) -> None:
    """The least rights with which a server runs are enough to be examined, at worst with warnings."""
    page = ROOT / "docs/how-to/redis-acl.md"
    (words,) = [
        line.split() for line in page.read_text(encoding="utf-8").splitlines() if line.startswith("ACL SETUSER")
    ]
    with Redis.from_url(server.url()) as client:
        version = str(client.info()["redis_version"])
        if version < "7.2":
            words.remove("+waitaof")
        if version < "7":
            words = [word.partition("|")[0] for word in words]
        client.execute_command(*words, ">hunter2")

    status, found = examined(tmp_path, f"unix://{words[2]}:hunter2@{server.socket}?db=3")

    assert status == 0
    assert found["rights"]["level"] != "danger"
    assert found["persistence"]["found"] == "append-only file, fsync everysec"
    assert {"ping", "write", "clock", "eviction"} <= found.keys()


async def test_a_user_without_scripts_is_dangerous(tmp_path: Path, server: RedisServer) -> None:
    """Nothing works without them."""
    with Redis.from_url(server.url()) as client:
        client.execute_command("ACL", "SETUSER", "mute", "on", ">hunter2", "~*", "+@all", "-evalsha")

    status, found = examined(tmp_path, f"unix://mute:hunter2@{server.socket}?db=3")

    assert status == 1
    assert (found["rights"]["level"], "EVALSHA" in found["rights"]["found"]) == ("danger", True)


@pytest.mark.parametrize(
    ("command", "told"),
    [
        (("SET", "turnkeeper:meta", "mine"), "holds a string"),
        (("HSET", "turnkeeper:meta", "schema", "99", "partitions", "16"), "schema 99"),
    ],
)
async def test_a_database_that_is_not_ours_is_dangerous(
    tmp_path: Path, server: RedisServer, command: tuple[str, ...], told: str
) -> None:
    """It says so, and leaves it alone."""
    url = server.url(server.fresh())
    with Redis.from_url(url) as client:
        client.execute_command(*command)
        before = client.dump("turnkeeper:meta")
        status, found = examined(tmp_path, url)
        after = client.dump("turnkeeper:meta")

    assert (status, found["schema"]["level"]) == (1, "danger")
    assert told in found["schema"]["found"]
    assert after == before


async def test_a_good_file_is_good(tmp_path: Path) -> None:
    """What is in it, what it is written with, and how long a write takes."""
    url = f"sqlite:///{tmp_path}/a.db"
    store = open_store(url)
    await fill(store, KINDS, large=False)
    await store.close()

    status, found = examined(tmp_path, url)

    assert status == 0
    assert found["conversations"]["found"].startswith("10, ")
    assert (found["integrity"]["found"], found["durability"]["level"]) == ("ok", "ok")
    assert (found["dead letters"]["found"], found["dead letters"]["level"]) == ("2", "warn")
    assert found["write"]["level"] in {"ok", "warn"}
    assert (await documents_of(url)) == []


async def documents_of(url: str) -> list[str]:
    """Return what the examination left among the documents."""
    store = open_store(url)
    page = await store.documents.scan("turnkeeper.doctor")
    await store.close()
    return [key.id for key, _ in page.items]


async def test_the_level_memory_is_a_warning(tmp_path: Path) -> None:
    """It is a choice, and the choice is told."""
    url = f"sqlite:///{tmp_path}/a.db"
    store = open_store(url)
    await store.open()
    await store.close()

    status, found = examined(tmp_path, f"{url}?durability=memory")

    assert (status, found["durability"]["level"]) == (0, "warn")


@pytest.mark.parametrize(
    ("statement", "told"),
    [("CREATE TABLE precious (thing)", "another application"), (f"PRAGMA user_version={schema.VERSION + 1}", "schema")],
)
async def test_a_file_that_is_not_ours_is_dangerous_and_untouched(tmp_path: Path, statement: str, told: str) -> None:
    """It is looked at, and nothing else."""
    path = tmp_path / "other.db"
    connection = sqlite3.connect(path)
    connection.execute(statement)
    if told == "schema":
        connection.execute(f"PRAGMA application_id={schema.APPLICATION_ID}")
    connection.commit()
    connection.close()
    before = path.read_bytes()

    status, found = examined(tmp_path, f"sqlite:///{path}")

    assert (status, found["schema"]["level"]) == (1, "danger")
    assert told in found["schema"]["found"]
    assert path.read_bytes() == before


async def test_a_damaged_file_is_not_called_healthy(tmp_path: Path) -> None:
    """Pages of nonsense in the middle of it are found."""
    url = f"sqlite:///{tmp_path}/a.db"
    store = open_store(url)
    await fill(store, KINDS, large=False)
    await store.close()
    path = tmp_path / "a.db"
    content = bytearray(path.read_bytes())
    content[8192 : 8192 + 40_960] = b"\xa5" * 40_960
    path.write_bytes(content)

    status, output, errors = run(tmp_path, url)

    assert status in {1, 2}
    assert "danger  integrity" in output or "cannot be read" in errors


@pytest.mark.parametrize(
    ("store", "reason"),
    [
        ("sqlite:///nothing.db", "there is no file"),
        ("redis://user:hunter2@127.0.0.1:1", "cannot be reached"),
        ("postgresql://user:hunter2@host", "no store for"),
        ("redis://user:hunter2@host?durability=safe", "durability is one of"),
    ],
)
async def test_a_store_that_cannot_be_asked_has_a_status_of_its_own(tmp_path: Path, store: str, reason: str) -> None:
    """A monitor tells a danger from a typing mistake; no password is shown and nothing is made."""
    status, output, errors = run(tmp_path, store)

    assert (status, output) == (2, "")
    assert reason in errors
    assert "hunter2" not in errors
    assert not (tmp_path / "nothing.db").exists()


async def test_memory_is_for_tests(tmp_path: Path) -> None:
    """Said as a danger, because somebody asked about it."""
    status, found = examined(tmp_path, "memory://")

    assert (status, found["durability"]["level"]) == (1, "danger")


async def test_the_environment_chooses_as_for_a_server(tmp_path: Path, server: RedisServer) -> None:
    """What is examined is what would be served."""
    status, output, _ = run(tmp_path, "", env={"REDIS_URL": server.url(server.fresh())})

    assert status == 0
    assert "(REDIS_URL)" in output
