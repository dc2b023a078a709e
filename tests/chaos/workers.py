"""The worker processes of a chaos run: started, killed, paused, replaced, and always some of them there."""

import asyncio
import contextlib
import multiprocessing
import os
import signal
from multiprocessing.process import BaseProcess
from pathlib import Path

from tests.chaos import worker as one
from tests.chaos.world import Fault, World
from turnkeeper.ports.faults import POINTS

PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload([one.__name__])

WORKERS = 3
"""At a time. Two would leave one alone whenever the other is down."""

DIES_BY_ITSELF = 0.7
"""How likely a new worker is to die at one of its first passages of a crash point."""
LAST_PASSAGE = {"in_recovery": 1, "in_job": 5, "before_step_kept": 5, "after_step_kept": 5}
"""The latest of these passages, for points that are rare."""
LATEST_PASSAGE = 100

PAUSE_SECONDS = one.LEASE.total_seconds() * 1.6
STOP_SECONDS = 30.0
"""Until a worker must have ended after SIGTERM: its grace, and the waits of an engine whose store is away."""

_LOOK_SECONDS = 0.02


class Worker:
    """One process. `is_leaving`: it was told to go, so that nobody sends it messages any more."""

    def __init__(self, number: int, path: Path, process: BaseProcess) -> None:
        """Take a process that was started."""
        self.number = number
        self.path = path
        self.process = process
        self.is_leaving = False

    @property
    def pid(self) -> int:
        """The process id."""
        assert self.process.pid is not None
        return self.process.pid

    def signal(self, number: signal.Signals) -> None:
        """Send a signal, unless it is gone."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, number)


class Workers:
    """All of them."""

    def __init__(self, world: World, store: str) -> None:
        """Take the store's URL."""
        self._world = world
        self._store = store
        self._number = 0
        self._alive: list[Worker] = []
        self._keeper: asyncio.Task[None] | None = None
        self.unclean_stops = 0

    @property
    def serving(self) -> list[Worker]:
        """Those who take messages."""
        return [worker for worker in self._alive if not worker.is_leaving]

    @property
    def pids(self) -> list[int]:
        """The process ids of all."""
        return [worker.pid for worker in self._alive]

    def choose(self) -> Path:
        """Return where to send a message, as a load balancer does that does not know yet who died."""
        serving = self.serving
        return self._world.chance.choice(serving).path if serving else self._world.folder / "nobody.sock"

    def start(self) -> None:
        """Have some workers from now on."""
        for _ in range(WORKERS):
            self._add()
        self._keeper = asyncio.create_task(self._keep())

    def _add(self) -> Worker:
        self._number += 1
        chance = self._world.chance
        dies = self._world.is_stormy and chance.random() < DIES_BY_ITSELF
        points = sorted(point for point in POINTS if "." not in point or point.partition(".")[0] in self._store)
        point = chance.choice(points)
        plan = one.Plan(
            number=self._number,
            folder=self._world.folder,
            store=self._store,
            seed=chance.getrandbits(32),
            die_at=point if dies else "",
            die_nth=chance.randint(1, LAST_PASSAGE.get(point, LATEST_PASSAGE)),
        )
        process = PROCESSES.Process(target=one.main, args=(plan,), daemon=True)
        process.start()
        worker = Worker(self._number, one.socket_of(self._world.folder, self._number), process)
        self._alive.append(worker)
        return worker

    async def _keep(self) -> None:
        """Replace whoever is gone."""
        while True:
            for worker in list(self._alive):
                if not worker.process.is_alive():
                    self._alive.remove(worker)
                    worker.process.join()
                    worker.path.unlink(missing_ok=True)
            while len(self.serving) < WORKERS and not self._world.is_over:
                self._add()
            await asyncio.sleep(_LOOK_SECONDS)

    def _any(self) -> Worker | None:
        """Return one to attack if all are there and listen: a slow machine gets the time to replace who is gone."""
        listening = [worker for worker in self.serving if worker.path.exists()]
        return self._world.chance.choice(listening) if len(listening) >= WORKERS else None

    async def kill(self) -> None:
        """Kill one."""
        worker = self._any()
        if worker is not None:
            self._world.strike(Fault.WORKER_KILLED)
            worker.signal(signal.SIGKILL)

    async def pause(self) -> None:
        """Let one stand still for longer than its leases, and go on afterwards as if nothing had been."""
        worker = self._any()
        if worker is None:
            return
        self._world.strike(Fault.WORKER_PAUSED)
        worker.signal(signal.SIGSTOP)
        try:
            await asyncio.sleep(PAUSE_SECONDS)
        finally:
            worker.signal(signal.SIGCONT)

    async def deploy(self) -> None:
        """Start another one, then stop one as a deploy does."""
        worker = self._any()
        if worker is None:
            return
        self._world.strike(Fault.WORKER_DEPLOYED)
        await self._stop(worker)

    async def _stop(self, worker: Worker) -> None:
        worker.is_leaving = True
        worker.signal(signal.SIGTERM)
        until = asyncio.get_running_loop().time() + STOP_SECONDS
        while worker.process.is_alive():
            if asyncio.get_running_loop().time() > until:
                self.unclean_stops += 1
                worker.signal(signal.SIGKILL)
                return
            await asyncio.sleep(_LOOK_SECONDS)

    async def stop(self) -> None:
        """Stop all of them."""
        if self._keeper is not None:
            self._keeper.cancel()
        await asyncio.gather(*(self._stop(worker) for worker in self._alive))
