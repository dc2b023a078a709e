"""What an idle worker costs, counted by the server: a real process that serves, and nobody who says anything."""

import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.conformance.redis_groups import RedisClusterServers
from tests.conformance.redis_servers import RedisServer, free_port
from tests.integration.redis_looks import Client
from tests.integration.server_process import ServerProcess

WATCHED_SECONDS = 4.0
"""By the server's clock. Two looks a second would be eight round trips."""

SOON_SECONDS = 30.0


class Reads:
    """How often a server found something to read that others sent: each is a round trip, however much it carries."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._asked = 0

    def count(self) -> int:
        """Return the reads so far, but for those of this object's own questions."""
        self._asked += 1
        return int(self._client.info("stats")["total_reads_processed"]) - self._asked

    def seconds(self) -> float:
        """Return the server's time."""
        self._asked += 1
        seconds, micros = self._client.time()
        return int(seconds) + int(micros) / 1e6


@pytest.fixture(scope="module", params=["standalone", "cluster"])
def place(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, list[RedisServer]]]:
    """Return the URL of a store and its servers."""
    if request.param == "cluster":
        cluster = RedisClusterServers(tmp_path_factory.mktemp("cluster"))
        yield cluster.url(), cluster.nodes
        cluster.stop()
    else:
        server = RedisServer(tmp_path_factory.mktemp("redis"), port=free_port())
        yield server.tcp_url(), [server]
        server.stop()


def test_an_idle_worker_asks_each_node_once_a_second(tmp_path: Path, place: tuple[str, list[RedisServer]]) -> None:
    """Everything that a serving process does while nothing happens, looks and tidying and heartbeat together."""
    url, servers = place
    with ServerProcess(tmp_path, "--store", url), ExitStack() as stack:
        watched = [Reads(stack.enter_context(server.client())) for server in servers]
        _until_looked(watched)
        began = [(each.seconds(), each.count()) for each in watched]
        while watched[0].seconds() - began[0][0] < WATCHED_SECONDS:
            time.sleep(0.05)
        ended = [(each.count(), each.seconds()) for each in watched]

    for (since, before), (after, until) in zip(began, ended, strict=True):
        assert 1 <= after - before <= until - since + 1  # a look may fall on either edge


def _until_looked(watched: list[Reads]) -> None:
    """Wait until each server was asked a few times: the process has started, and its scripts are there."""
    first = [each.count() for each in watched]
    deadline = time.monotonic() + SOON_SECONDS
    while any(each.count() - before < 3 for each, before in zip(watched, first, strict=True)):
        assert time.monotonic() < deadline, "the worker never looks"
        time.sleep(0.05)
