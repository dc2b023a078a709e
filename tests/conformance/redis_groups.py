"""Several Redis servers that belong together: a cluster, and a primary with replicas that sentinels watch."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from redis.exceptions import RedisError

from tests.conformance.redis_servers import RedisServer, free_port

SETTLE_SECONDS = 20.0
"""Nodes that have not found each other by then will not."""

SLOTS = 16_384
"""Of a cluster, by its specification."""

NODE_TIMEOUT_MS = 500
"""After which nodes and sentinels take a server for dead: short, so that a failover takes a second or two."""

SERVICE = "turns"
"""What the sentinels call their primary."""


Client = Any
"""redis-py's client, whose types leave open what a command answers."""


def until(is_so: Callable[[], bool], what: str) -> None:
    """Wait until servers agree on something."""
    deadline = time.monotonic() + SETTLE_SECONDS
    while True:
        try:
            if is_so():
                return
        except RedisError:
            pass
        assert time.monotonic() < deadline, f"{what} did not happen"
        time.sleep(0.02)


class RedisClusterServers:
    """Nodes of one cluster: first the primaries, which share the slots, then one replica for each if asked for."""

    def __init__(self, folder: Path, *options: str, primaries: int = 3, replicas: bool = False) -> None:
        """Start the nodes and let them find each other."""
        self.nodes: list[RedisServer] = []
        for index in range(primaries * (2 if replicas else 1)):
            home = folder / f"node{index}"
            home.mkdir()
            self.nodes.append(
                RedisServer(
                    home,
                    *("--cluster-enabled", "yes", "--cluster-node-timeout", str(NODE_TIMEOUT_MS)),
                    *("--repl-diskless-sync-delay", "0", *options),
                    port=free_port(),
                )
            )
        try:
            self._join(primaries)
        except BaseException:
            self.stop()
            raise

    def url(self) -> str:
        """Return the URL of the store; one node is enough to find the others."""
        return f"redis+cluster://127.0.0.1:{self.nodes[0].port},127.0.0.1:{self.nodes[1].port}"

    def ids(self) -> list[str]:
        """Return what the nodes call themselves, in their order."""
        found = []
        for node in self.nodes:
            with node.client() as client:
                found.append(str(client.execute_command("CLUSTER MYID"), "ascii"))
        return found

    def flush(self) -> None:
        """Empty every node that can be written."""
        for node in self.nodes:
            with node.client() as client:
                if client.info("replication")["role"] == "master":
                    client.flushall()

    def move_slot(self, slot: int, *, source: int, target: int, pause: float = 0.0) -> None:
        """Move a slot with its keys from one primary to another, as an operator's resharding does."""
        ids = self.ids()
        with self.nodes[source].client() as old, self.nodes[target].client() as new:
            new.execute_command("CLUSTER SETSLOT", slot, "IMPORTING", ids[source])
            old.execute_command("CLUSTER SETSLOT", slot, "MIGRATING", ids[target])
            time.sleep(pause)
            while keys := old.execute_command("CLUSTER GETKEYSINSLOT", slot, 10):
                place = ("127.0.0.1", self.nodes[target].port, "", 0, 5000)
                old.execute_command("MIGRATE", *place, "REPLACE", "KEYS", *keys)
                time.sleep(pause / 10)
            for client in (new, old):
                client.execute_command("CLUSTER SETSLOT", slot, "NODE", ids[target])

    def stop(self) -> None:
        """Kill them all."""
        for node in self.nodes:
            node.stop()

    def _join(self, primaries: int) -> None:
        clients = [node.client() for node in self.nodes]
        share = SLOTS // primaries
        for index, client in enumerate(clients):
            client.execute_command("CLUSTER SET-CONFIG-EPOCH", index + 1)
            if index < primaries:
                end = SLOTS if index == primaries - 1 else (index + 1) * share
                client.execute_command("CLUSTER ADDSLOTS", *range(index * share, end))
            if index:
                client.execute_command("CLUSTER MEET", "127.0.0.1", self.nodes[0].port)
        until(lambda: all(_knows(client, len(clients)) for client in clients), "the meeting of the nodes")
        ids = self.ids()
        for index, client in enumerate(clients[primaries:]):
            client.execute_command("CLUSTER REPLICATE", ids[index])
        until(lambda: all(_is_whole(client) for client in clients), "the cluster")
        if clients[primaries:]:
            until(lambda: all(_has_replica(client) for client in clients[:primaries]), "the replicas")
        for client in clients:
            client.close()


class RedisSentinelServers:
    """A primary, its replicas, and three sentinels that watch it. The primary is the first of the servers at first."""

    def __init__(self, folder: Path, *options: str, replicas: int = 2) -> None:
        """Start them, and wait until the sentinels know each other and all replicas."""
        self.servers: list[RedisServer] = []
        self.sentinels: list[RedisServer] = []
        try:
            self._start(folder, options, replicas)
        except BaseException:
            self.stop()
            raise

    def url(self, database: int = 0) -> str:
        """Return the URL of the store."""
        hosts = ",".join(f"127.0.0.1:{sentinel.port}" for sentinel in self.sentinels)
        return f"redis+sentinel://{hosts}/{SERVICE}/{database}"

    def primary(self) -> RedisServer:
        """Return the server that the first sentinel takes for the primary."""
        with self.sentinels[0].client() as client:
            _, port = client.execute_command("SENTINEL GET-MASTER-ADDR-BY-NAME", SERVICE)
        return next(server for server in self.servers if server.port == int(port))

    def replicas(self) -> list[RedisServer]:
        """Return all but the primary."""
        primary = self.primary()
        return [server for server in self.servers if server is not primary]

    def until_failed_over(self, old: RedisServer) -> RedisServer:
        """Wait until the sentinels agree on another primary, and it serves; return it."""
        until(lambda: self.primary() is not old and self._serves(self.primary()), "the failover")
        return self.primary()

    def stop(self) -> None:
        """Kill them all."""
        for server in (*self.sentinels, *self.servers):
            server.resume()
            server.stop()

    def _serves(self, server: RedisServer) -> bool:
        with server.client() as client:
            return bool(client.info("replication")["role"] == "master")

    def _start(self, folder: Path, options: tuple[str, ...], replicas: int) -> None:
        for index in range(replicas + 1):
            home = folder / f"server{index}"
            home.mkdir()
            following = ("--replicaof", "127.0.0.1", str(self.servers[0].port)) if index else ()
            more = ("--repl-diskless-sync", "yes", "--repl-diskless-sync-delay", "0", "--repl-ping-replica-period", "1")
            self.servers.append(RedisServer(home, *more, *following, *options, port=free_port()))
        with self.servers[0].client() as client:
            until(lambda: _online(client) == replicas, "the replication")
        for index in range(3):
            home = folder / f"sentinel{index}"
            home.mkdir()
            settings = home / "sentinel.conf"
            settings.write_text(
                f"sentinel monitor {SERVICE} 127.0.0.1 {self.servers[0].port} 2\n"
                f"sentinel down-after-milliseconds {SERVICE} {NODE_TIMEOUT_MS}\n"
                f"sentinel failover-timeout {SERVICE} 5000\n"
            )
            encrypted = options if "--tls-cert-file" in options else ()
            self.sentinels.append(RedisServer(home, *encrypted, port=free_port(), sentinel=settings))
        until(lambda: all(_watches(sentinel, replicas) for sentinel in self.sentinels), "the sentinels' meeting")


def _knows(client: Client, nodes: int) -> bool:
    return int(_cluster_info(client)["cluster_known_nodes"]) == nodes


def _is_whole(client: Client) -> bool:
    said = _cluster_info(client)
    return said["cluster_state"] == "ok" and said["cluster_slots_ok"] == str(SLOTS)


def _cluster_info(client: Client) -> dict[str, str]:
    reply = client.execute_command("CLUSTER INFO")
    if isinstance(reply, dict):
        return {str(name): str(value) for name, value in reply.items()}
    return dict(line.split(":", 1) for line in reply.decode().splitlines() if ":" in line)


def _has_replica(client: Client) -> bool:
    return _online(client) == 1


def _online(client: Client) -> int:
    """Return how many replicas are in step, not only connected."""
    said = client.info("replication")
    return sum(1 for name, value in said.items() if name.startswith("slave") and value.get("state") == "online")


def _watches(sentinel: RedisServer, replicas: int) -> bool:
    with sentinel.client() as client:
        reply = client.execute_command("SENTINEL MASTERS")
    state = reply[SERVICE] if isinstance(reply, dict) else dict(zip(reply[0][::2], reply[0][1::2], strict=True))
    return int(state["num-slaves"]) == replicas and int(state["num-other-sentinels"]) == 2
