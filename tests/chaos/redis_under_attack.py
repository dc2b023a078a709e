"""A real Redis behind a proxy, and what is done to it.

Alone it syncs every write (`appendfsync always`): every acknowledged write is on disk before its answer leaves, so that
whatever happens may lose only what nobody was told. With a replica it keeps nothing on disk, and a commit waits for the
replica (`durability=replica`): then the primary may be killed for good.
"""

import asyncio
import os
import signal
from pathlib import Path

from tests.chaos.append_only import whole_transactions
from tests.chaos.bot import flow
from tests.chaos.leftovers import Left, keys, keys_of
from tests.chaos.proxy import Proxy
from tests.chaos.redis_server import Server, free_port
from tests.chaos.workers import Workers
from tests.chaos.world import EVERYWHERE, ON_REDIS, ON_REPLICATED_REDIS, Attack, Fault, World
from turnkeeper.testing.history import Footprint

LONGEST_FILE_BYTES = 8 * 1024 * 1024
"""What is longer is rewritten before a restart, so that loading it takes no longer than another fault."""
ANSWER_SECONDS = 1
"""How long a worker waits for an answer: about a lease, as long as it takes to notice a dead worker."""


class RedisUnderAttack:
    """The server that workers talk to, and the proxy between them. Faults that both kinds of Redis know."""

    def __init__(self, world: World, server: Server) -> None:
        """Take the run, and the server that is the primary at first."""
        self.world = world
        self.primary = server
        self.proxy = Proxy(world, server.path)

    @property
    def url(self) -> str:
        """Where workers find it, through the proxy."""
        return f"redis://127.0.0.1:{self.proxy.port}/0?answer_seconds={ANSWER_SECONDS}"

    @property
    def direct_url(self) -> str:
        """Where whoever judges finds it."""
        return f"unix://{self.primary.path}?db=0"

    @property
    def attacks(self) -> tuple[Attack, ...]:
        """What may be done to it, one after the other."""
        return (self.pause, self.half_open, self.pause_clients, self.flush_scripts, self.fill_memory)

    async def footprints(self, left: Left) -> tuple[Footprint, Footprint]:
        """Return how many keys there may be, and how many there are."""
        held = await keys(self.primary)
        return Footprint(entries=keys_of(left, flow.name), is_baseline=True), Footprint(entries=dict(held))

    async def pause(self) -> None:
        """Let the whole server stand still, as a machine does that swaps or forks."""
        self.world.strike(Fault.REDIS_STOPPED)
        self.primary.signal(signal.SIGSTOP)
        try:
            await asyncio.sleep(self.world.chance.uniform(0.3, 1.2))
        finally:
            self.primary.signal(signal.SIGCONT)

    async def half_open(self) -> None:
        """Let one worker's connection look alive and be dead."""
        self.world.strike(Fault.HALF_OPEN)
        self.proxy.stick_one()

    async def pause_clients(self) -> None:
        """Let it answer nobody for a moment."""
        self.world.strike(Fault.CLIENTS_PAUSED)
        await self.primary.command("CLIENT", "PAUSE", str(self.world.chance.randint(100, 600)))

    async def flush_scripts(self) -> None:
        """Let it forget its scripts."""
        self.world.strike(Fault.SCRIPTS_FLUSHED)
        await self.primary.command("SCRIPT", "FLUSH")

    async def fill_memory(self) -> None:
        """Leave it no memory for a moment."""
        self.world.strike(Fault.MEMORY_FULL)
        await self.primary.command("CONFIG", "SET", "maxmemory", await self.primary.fact("memory", "used_memory"))
        try:
            await asyncio.sleep(self.world.chance.uniform(0.3, 1.0))
        finally:
            await self.primary.command("CONFIG", "SET", "maxmemory", "0")


class LoneRedis:
    """One server that keeps everything on disk. See `Target`."""

    expected = EVERYWHERE | ON_REDIS

    def __init__(self, world: World) -> None:
        """Take the run."""
        options = ("--appendonly", "yes", "--appendfsync", "always", "--auto-aof-rewrite-percentage", "0")
        self._server = Server(world.folder / "redis", *options)
        self._world = world
        self.any = RedisUnderAttack(world, self._server)

    @property
    def url(self) -> str:
        """Where workers find it."""
        return self.any.url

    @property
    def direct_url(self) -> str:
        """Where whoever judges finds it."""
        return self.any.direct_url

    @property
    def requests(self) -> int:
        """How often workers asked it for something."""
        return self.any.proxy.requests

    async def footprints(self, left: Left) -> tuple[Footprint, Footprint]:
        """Count keys."""
        return await self.any.footprints(left)

    def attacks(self, workers: Workers) -> tuple[Attack, ...]:
        """What may be done to it, one after the other."""
        return (*self.any.attacks, self.kill, self.cut_tail)

    async def open(self) -> None:
        """Start server and proxy."""
        await self._server.start()
        await self.any.proxy.open()

    def close(self) -> None:
        """End the server."""
        self._server.kill()

    async def _compact(self) -> None:
        """Rewrite the file if it is long, and wait until that is done."""
        if self._file().stat().st_size < LONGEST_FILE_BYTES:
            return
        await self._server.command("BGREWRITEAOF")
        await self._server.until("persistence", "aof_rewrite_scheduled", "0")
        await self._server.until("persistence", "aof_rewrite_in_progress", "0")

    async def kill(self) -> None:
        """Kill it and start it again a moment later."""
        await self._compact()
        self._world.strike(Fault.REDIS_KILLED)
        self._server.kill()
        await asyncio.sleep(self._world.chance.uniform(0, 0.3))
        await self._server.start()

    async def cut_tail(self) -> None:
        """Take from its file a part of what it wrote and told nobody, as a power cut may.

        First the proxy dams the answers; what stands in the file at that moment covers everything that was told. What
        is written after it is cut somewhere, in the middle of a command as likely as not. Then the beginning of a
        transaction whose end is gone is cut off as well, as `redis-check-aof --fix` does after a power cut: Redis 7.0
        by itself cuts off only its last command, and after the next restart takes what is left, and everything up to
        the next EXEC, for one transaction (https://github.com/valkey-io/valkey/pull/4342).
        """
        await self._compact()
        self._world.strike(Fault.TAIL_CUT)
        proxy = self.any.proxy
        proxy.dam.clear()
        told = self._file().stat().st_size
        await asyncio.sleep(self._world.chance.uniform(0.02, 0.2))
        self._server.kill()
        written = self._file().stat().st_size
        cut = self._world.chance.randint(told, written)
        os.truncate(self._file(), told + whole_transactions(self._file(), told, cut))
        proxy.break_all()
        proxy.dam.set()
        await self._server.start()

    def _file(self) -> Path:
        files = sorted(self._server.folder.glob("appendonlydir/*.incr.aof"), key=lambda path: path.stat().st_mtime)
        return files[-1] if files else self._server.folder / "appendonly.aof"


class ReplicatedRedis:
    """A primary and its replica, both in memory only. See `Target`."""

    expected = EVERYWHERE | ON_REPLICATED_REDIS

    def __init__(self, world: World) -> None:
        """Take the run."""
        self._world = world
        options = ("--appendonly", "no", "--repl-diskless-sync-delay", "0")
        primary = Server(world.folder / "redis-a", *options, port=free_port())
        self._replica = Server(world.folder / "redis-b", *options, port=free_port())
        self.any = RedisUnderAttack(world, primary)

    @property
    def url(self) -> str:
        """Where workers find it: every commit waits for the replica."""
        return f"{self.any.url}&durability=replica"

    @property
    def direct_url(self) -> str:
        """Where whoever judges finds it."""
        return self.any.direct_url

    @property
    def requests(self) -> int:
        """How often workers asked it for something."""
        return self.any.proxy.requests

    async def footprints(self, left: Left) -> tuple[Footprint, Footprint]:
        """Count keys."""
        return await self.any.footprints(left)

    def attacks(self, workers: Workers) -> tuple[Attack, ...]:
        """What may be done to it, one after the other."""
        return (*self.any.attacks, self.fail_over)

    async def open(self) -> None:
        """Start all."""
        await self.any.primary.start()
        await self._follow()
        await self.any.proxy.open()

    async def _follow(self) -> None:
        """Start the replica, empty, and wait until it has everything."""
        await self._replica.start("--replicaof", f"127.0.0.1 {self.any.primary.port}")
        await self._replica.until("replication", "master_link_status", "up")

    def close(self) -> None:
        """End both."""
        self.any.primary.kill()
        self._replica.kill()

    async def fail_over(self) -> None:
        """Kill the primary for good and promote its replica; what was the primary comes back empty, as its replica."""
        self._world.strike(Fault.FAILED_OVER)
        lost, promoted = self.any.primary, self._replica
        lost.kill()
        await promoted.command("REPLICAOF", "NO", "ONE")
        self.any.primary, self._replica = promoted, lost
        self.any.proxy.target = promoted.path
        self.any.proxy.break_all()
        await self._follow()
