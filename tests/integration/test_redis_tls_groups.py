"""TLS to sentinels, replicas and the nodes of a cluster, and between them; and what is told where it does not fit.

The servers speak TLS themselves here, because they talk to each other.
"""

import asyncio
import functools
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conformance.redis_groups import RedisClusterServers, RedisSentinelServers
from tests.integration.redis_load import works
from tests.integration.redis_papers import make_papers, tls_options
from turnkeeper.errors import StoreUnavailableError, StoreUnreadableError
from turnkeeper.ports.turns import Committed
from turnkeeper.stores.redis import RedisStore
from turnkeeper.stores.redis.deployments.choosing import open_wire
from turnkeeper.testing import ManualClock
from turnkeeper.testing.conformance.scenario import Talk

pytestmark = pytest.mark.anyio

Groups = RedisSentinelServers | RedisClusterServers
KINDS = ("sentinel", "cluster")


@pytest.fixture(scope="module")
def papers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return certificates."""
    return make_papers(tmp_path_factory.mktemp("papers"))


def start(kind: str, folders: pytest.TempPathFactory, *options: str) -> Groups:
    """Return servers of one kind."""
    if kind == "sentinel":
        return RedisSentinelServers(folders.mktemp(kind), *options)
    return RedisClusterServers(folders.mktemp(kind), *options, *(("--tls-cluster", "yes") if options else ()))


@pytest.fixture(scope="module", params=KINDS)
def group(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, papers: Path) -> Iterator[Groups]:
    """Return servers that want certificates of their clients too."""
    group = start(request.param, tmp_path_factory, *tls_options(papers, asks_clients=True))
    yield group
    group.stop()


def encrypted(url: str, *parameters: str) -> str:
    """Return a URL with TLS."""
    return f"{url.replace('redis+', 'rediss+', 1)}?{'&'.join(parameters)}"


def trusting(papers: Path) -> str:
    """Return the parameter that names the authority."""
    return f"ssl_ca_certs={papers}/ca.crt"


def showing(papers: Path) -> tuple[str, str]:
    """Return the parameters of a client's own certificate."""
    return f"ssl_certfile={papers}/client.crt", f"ssl_keyfile={papers}/client.key"


async def test_turns_run_through_tls(group: Groups, papers: Path) -> None:
    """To whichever server has the conversation; nothing but the scheme and the parameters differs."""
    store = RedisStore(encrypted(group.url(), trusting(papers), *showing(papers)))
    people = [Talk(store, ManualClock(), person=f"p{number}") for number in range(12)]

    assert [await one.turn("m1") for one in people] == [Committed(version=1)] * 12
    assert (await store.catalog.info()).facts["primary_changes"] == 0
    await store.close()


async def test_a_failover_ends_at_a_server_that_is_reached_through_tls(
    tmp_path_factory: pytest.TempPathFactory, papers: Path
) -> None:
    """What the replicas got through TLS is there."""
    group = RedisSentinelServers(tmp_path_factory.mktemp("failover"), *tls_options(papers))
    try:
        store = RedisStore(encrypted(group.url(), trusting(papers)), durability="replica")
        talk = Talk(store, ManualClock())
        await talk.turn("m1")
        old = group.primary()
        old.stop()
        await asyncio.to_thread(group.until_failed_over, old)

        # Not at once: the replica that is left has to find the new primary.
        assert (await works(functools.partial(talk.take, "m2"))).version == 1
        await store.close()
    finally:
        group.stop()


async def test_an_authority_that_nobody_named_is_not_trusted(group: Groups) -> None:
    """The first server that is asked is as good as any for the text."""
    with pytest.raises(StoreUnreadableError, match=r"certificate is not trusted.*ssl_ca_certs="):
        await open_wire(encrypted(group.url())).open()


async def test_a_certificate_that_is_missing_is_asked_for(group: Groups, papers: Path) -> None:
    """The text says how it is given."""
    with pytest.raises((StoreUnreadableError, StoreUnavailableError), match="ssl_certfile="):
        await open_wire(encrypted(group.url(), trusting(papers))).open()


async def test_plain_text_to_tls_ports_says_how_the_url_is_written(group: Groups) -> None:
    """With the scheme that somebody wrote, and not that of a single server."""
    scheme = encrypted(group.url()).partition("://")[0]
    with pytest.raises(StoreUnavailableError, match=re.escape(f"if it speaks TLS, write {scheme}://")):
        await open_wire(group.url()).open()


@pytest.mark.parametrize("kind", KINDS)
async def test_tls_where_nobody_speaks_it_says_how_the_url_is_written(
    kind: str, tmp_path_factory: pytest.TempPathFactory, papers: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The servers wait for the end of a line that never comes."""
    monkeypatch.setattr("turnkeeper.stores.redis.deployments.cluster.CONNECT_SECONDS", 0.3)
    monkeypatch.setattr("turnkeeper.stores.redis.deployments.sentinel.SENTINEL_SECONDS", 0.3)
    group = start(kind, tmp_path_factory)
    try:
        with pytest.raises(StoreUnavailableError, match=rf"does not speak TLS, write redis\+{kind}://") as caught:
            await open_wire(encrypted(group.url(), trusting(papers))).open()
    finally:
        group.stop()
    assert len(str(caught.value)) < 600


@pytest.mark.parametrize("kind", KINDS)
async def test_a_certificate_of_another_name_is_told_with_what_to_do(
    kind: str, tmp_path_factory: pytest.TempPathFactory, papers: Path
) -> None:
    """Nodes and sentinels tell addresses, certificates names: the commonest mistake of all."""
    group = start(kind, tmp_path_factory, *tls_options(papers, name="elsewhere"))
    try:
        url = encrypted(group.url(), trusting(papers))
        with pytest.raises(StoreUnreadableError, match=r"mismatch.*announce.*ssl_check_hostname=false"):
            await open_wire(url).open()
        wire = open_wire(f"{url}&ssl_check_hostname=false")
        assert await wire.send([("PING",)], key="") == [b"PONG"]
        await wire.close()
    finally:
        group.stop()
