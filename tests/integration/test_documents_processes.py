"""Sessions and caches that several processes use at the same moment, on a file and on a Redis server."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conformance.redis_servers import RedisServer
from tests.integration.documents_child import CALLERS, FIELDS
from turnkeeper import hours, open_store
from turnkeeper.documents import Preserved, Sessions

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(120)]

CHILD = Path(__file__).with_name("documents_child.py")

PATIENCE_SECONDS = 60.0
"""How long a process may take on a machine that is busy with other tests."""


@pytest.fixture(params=["sqlite", "redis"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Return each store that several processes can share."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'shared.db'}"
        return
    folder = tmp_path / "redis"
    folder.mkdir()
    server = RedisServer(folder)
    yield server.url()
    server.stop()


def run_together(command: str, url: str, names: str, folder: Path) -> None:
    """Run one process for each name, all starting their part at once."""
    children = [
        subprocess.Popen(
            [sys.executable, str(CHILD), command, url, name, str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for name in names
    ]
    try:
        for child in children:
            assert child.stdout is not None
            assert child.stdout.readline() == "ready\n"
        for child in children:
            assert child.stdin is not None
            child.stdin.write("go\n")
            child.stdin.flush()
        codes = [child.wait(PATIENCE_SECONDS) for child in children]
    finally:
        for child in children:
            child.kill()
            child.communicate()
    assert codes == [0] * len(children)


def test_a_thousand_misses_in_four_processes_load_once(url: str, tmp_path: Path) -> None:
    """All of them want one key that is not there; the source is asked once, and everybody gets the answer."""
    run_together("load", url, "abcd", tmp_path)

    loads = (tmp_path / "loads").read_text().splitlines()
    found = [int((tmp_path / f"found-{name}").read_text()) for name in "abcd"]
    assert len(loads) == 1
    assert found == [7 * CALLERS] * 4


async def test_fifty_updates_of_fifty_members_all_survive(url: str, tmp_path: Path) -> None:
    """Five processes update ten members each of one session, all at once."""
    store = open_store(url)
    sessions: Sessions[dict[str, object]] = Sessions(store, "session", dict[str, object], ttl=Preserved(hours(1)))
    await sessions.set("CA1", {"call_sid": "CA1", "history": []})
    run_together("update", url, "abcde", tmp_path)
    found = await sessions.get("CA1")
    await store.close()

    assert found is not None
    written = {f"{name}{number}": [number] for name in "abcde" for number in range(FIELDS)}
    assert {key: value for key, value in found.items() if key not in {"created_at", "last_updated"}} == {
        "call_sid": "CA1",
        "history": [],
        **written,
    }
