"""Durability levels, and a line whose answers count only once replicas or the disk have what was written.

One WAIT covers everything that its connection wrote before it. A repeated commit writes nothing, and on a new
connection WAIT would prove nothing; therefore something is written in front of each.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from typing import Literal

import msgspec

from turnkeeper.errors import OutcomeUnknownError, StoreUnavailableError, StoreUnreadableError, TurnkeeperError
from turnkeeper.stores.redis.connections.line import GRACE_SECONDS, Greet, Line
from turnkeeper.stores.redis.connections.server import Server
from turnkeeper.stores.redis.deployments.wire import Command, ErrorReply
from turnkeeper.stores.redis.layout.keys import proof_key

Durability = Literal["cache", "memory", "replica", "disk", "disk+replica"]

LOSES: dict[Durability, str] = {
    "cache": "whatever the server evicts, accepted messages and unsent replies too",
    "memory": "what the server had not saved when it stopped: with AOF everysec the last second, with a failover more",
    "replica": "what the servers had not saved when primary and replicas stopped together, and what a failover to a "
    "replica loses that had not acknowledged it",
    "disk": "what a failover loses; otherwise nothing that was acknowledged, as long as the disk keeps what it synced",
    "disk+replica": "nothing that was acknowledged, as long as the disks keep what they synced",
}
"""What each level may lose."""

PROVEN: frozenset[Durability] = frozenset({"replica", "disk", "disk+replica"})
"""Levels at which an answer waits for more than the primary's memory."""

PROOF_MS: dict[Durability, int] = {"cache": 0, "memory": 0, "replica": 1000, "disk": 3000, "disk+replica": 3000}
"""How long a write may take: a replica is milliseconds away, a disk with appendfsync everysec up to two seconds."""

WAITAOF_SINCE = (7, 2)
"""The first version that says whether the disk has it."""

MAX_BATCH = 512
"""Calls in front of one WAIT: what follows waits for it, so that it must not grow without end."""

MAX_GATHERED = 16_384
"""Calls that wait for the WAIT in front of them; one more is refused at once."""

MAX_TOUCHES = 8
"""Different slots of a cluster that are tried in front of one WAIT; one of them is enough."""

# PERSIST comes first because a server whose memory is full refuses a script only when it *begins* with a growing write.
_TOUCH = "redis.call('PERSIST', KEYS[1]) return redis.call('SET', KEYS[1], '', 'PX', 86400000)"


class Proof(msgspec.Struct, frozen=True, kw_only=True):
    """What has to have a write before it counts, and how long we wait: for that, and for any answer."""

    durability: Durability
    replicas: int = 1
    wait_ms: int = 1000
    answer_seconds: float = 10.0

    def check(self, server: Server) -> None:
        """Look whether a server can prove it at all.

        Raises:
            StoreUnreadableError: It has no append-only file, or does not sync it and cannot tell.
            StoreUnavailableError: It has too few replicas at the moment.
        """
        if self._disk:
            if not server.has_aof:
                raise StoreUnreadableError(
                    f"{server.url} keeps no append-only file, and durability={self.durability} needs one; nothing was "
                    "written. Set appendonly yes, or choose another level"
                )
            if server.version < WAITAOF_SINCE and server.fsync != "always":
                raise StoreUnreadableError(
                    f"{server.url} (Redis {server.version[0]}.{server.version[1]}) cannot tell when its disk has a "
                    f"write, and its appendfsync is {server.fsync or 'not told to this user'}; nothing was written. "
                    f"durability={self.durability} needs Redis 7.2 or appendfsync always"
                )
        if self._replica and server.replicas < self.replicas:
            raise StoreUnavailableError(
                f"{server.url} has {server.replicas} replicas, and durability={self.durability} needs "
                f"{self.replicas}; nothing was written. Start them, or choose another level"
            )

    def command(self, server: Server) -> Command | None:
        """Return what asks for the proof; None if the answer itself is the proof (appendfsync always)."""
        if self._disk and server.version >= WAITAOF_SINCE:
            return ("WAITAOF", 1, self.replicas if self._replica else 0, self.wait_ms)
        return ("WAIT", self.replicas, self.wait_ms) if self._replica else None

    def missing(self, reply: object) -> str:
        """Return what the answer of the command lacks, or nothing."""
        match reply:
            case int(replicas):
                return "" if replicas >= self.replicas else f"{replicas} of {self.replicas} replicas have it"
            case [int(local), int(replicas)]:
                wanted = self.replicas if self._replica else 0
                has = "the disk has it" if local else "the disk has it not"
                return (
                    ""
                    if local and replicas >= wanted
                    else f"{has}, {replicas} of {wanted} replicas' disks (appendonly yes) have it"
                )
            case ErrorReply():
                return f"the server answered {reply.text}"
            case _:
                return f"the server answered {reply!r}"

    @property
    def _disk(self) -> bool:
        return self.durability in {"disk", "disk+replica"}

    @property
    def _replica(self) -> bool:
        return self.durability in {"replica", "disk+replica"}


MEMORY = Proof(durability="memory")
"""Nothing to prove: the primary's memory has it."""


class _Gathered:
    """One caller's commands before they leave."""

    __slots__ = ("answer", "commands", "key", "since")

    def __init__(self, commands: Sequence[Command], key: str, answer: asyncio.Future[list[object]]) -> None:
        self.commands = commands
        self.key = key
        self.answer = answer
        self.since = answer.get_loop().time()


class ProvenLine:
    """See the module. Has a connection of its own, because WAIT holds up everything behind it."""

    def __init__(self, make: Callable[[Greet], Line], proof: Proof, *, url: str, in_cluster: bool) -> None:
        """Take what makes a line that nobody else uses."""
        self._line = make(self._greet_server)
        self._in_cluster = in_cluster
        self._proof = proof
        self._url = url
        self._gathered: deque[_Gathered] = deque()
        self._running: asyncio.Task[None] | None = None
        self._command: Command | None = None

    def _greet_server(self, server: Server) -> None:
        """Look at the server of a new connection, which may be another one than before."""
        self._proof.check(server)
        self._command = self._proof.command(server)

    async def send(self, commands: Sequence[Command], *, key: str) -> list[object]:
        """Write commands and return their answers once they are proven. They leave behind the WAIT of others.

        Raises:
            StoreUnavailableError: Nothing was sent.
            OutcomeUnknownError: It was written and not proven in time, or the answer was lost. Repeat with the same
                ids: the repeat is proven anew.
        """
        if len(self._gathered) >= MAX_GATHERED:
            raise StoreUnavailableError(f"{self._url} does not keep up: {MAX_GATHERED} calls wait; nothing was sent")
        answer: asyncio.Future[list[object]] = asyncio.get_running_loop().create_future()
        self._gathered.append(_Gathered(commands, key, answer))
        if self._running is None:
            self._running = asyncio.create_task(self._run(), name=f"proofs of {self._url}")
        return await answer

    async def connect(self) -> None:
        """Connect now, so that a level that the server cannot give is told at start-up."""
        await self._line.connect()

    async def close(self) -> None:
        """Let what was asked for leave and be proven, as far as the grace allows, and close. Safe to call twice."""
        if self._running is not None:
            await asyncio.wait({self._running}, timeout=GRACE_SECONDS)
        self._refuse_gathered()
        await self._line.close()

    async def _run(self) -> None:
        try:
            while self._gathered:
                some = min(MAX_BATCH, len(self._gathered))
                batch = [one for one in (self._gathered.popleft() for _ in range(some)) if self._is_wanted(one)]
                if batch:
                    await self._prove(batch)
        finally:
            # Here and in no callback: a call that comes between would wait for a task that is over.
            self._running = None
            self._refuse_gathered()

    def _is_wanted(self, one: _Gathered) -> bool:
        """Return whether somebody still waits for an answer; who has waited for too long is told now."""
        if asyncio.get_running_loop().time() - one.since > self._proof.answer_seconds:
            _resolve(one.answer, StoreUnavailableError(f"{self._url} does not keep up; nothing was sent, repeat later"))
        return not one.answer.done()

    def _refuse_gathered(self) -> None:
        while self._gathered:
            error = StoreUnavailableError(f"{self._url} is closed; nothing was sent")
            _resolve(self._gathered.popleft().answer, error)

    async def _prove(self, batch: Sequence[_Gathered]) -> None:
        try:
            await self._line.connect()
            touches = self._touches(batch)
            asked = [] if self._command is None else [*touches, self._command]
            replies = await self._line.send([*(command for one in batch for command in one.commands), *asked])
            lacks = self._lacks(replies[-len(asked) :]) if asked else ""
            start = 0
            for one in batch:
                mine = replies[start : start + len(one.commands)]
                start += len(mine)
                # What was refused whole wrote nothing, and there is nothing to prove.
                is_refused = all(isinstance(reply, ErrorReply) for reply in mine)
                _resolve(one.answer, self._unproven(lacks) if lacks and not is_refused else mine)
        except TurnkeeperError as exc:
            for one in batch:
                _resolve(one.answer, type(exc)(*exc.args))
        except ValueError as exc:  # a text that is none, such as half of a pair of surrogates; nothing was sent
            if len(batch) == 1:
                _resolve(batch[0].answer, exc)
            else:
                for one in batch:
                    await self._prove([one])
        finally:
            for one in batch:
                one.answer.cancel()  # nothing, unless this task was cancelled

    def _touches(self, batch: Sequence[_Gathered]) -> list[Command]:
        """Return what writes something in front of a WAIT; on a cluster a slot that is elsewhere refuses its own."""
        keys = list(dict.fromkeys(proof_key(one.key) for one in batch))
        if not self._in_cluster:
            return [("EVAL", _TOUCH, 1, keys[0])]
        return [command for key in keys[:MAX_TOUCHES] for command in (("ASKING",), ("EVAL", _TOUCH, 1, key))]

    def _lacks(self, replies: Sequence[object]) -> str:
        """Return why the answers of touches and WAIT prove nothing, or nothing. One touch is enough."""
        *touches, proof = replies
        if self._in_cluster:
            touches = touches[1::2]
        if all(isinstance(touch, ErrorReply) for touch in touches):
            return f"nothing could be written to prove it ({touches[0]!r})"
        return self._proof.missing(proof)

    def _unproven(self, lacks: str) -> OutcomeUnknownError:
        return OutcomeUnknownError(
            f"{self._url} wrote it, but {lacks} after {self._proof.wait_ms} ms (durability={self._proof.durability}); "
            "repeat with the same ids"
        )


def _resolve(answer: asyncio.Future[list[object]], result: list[object] | Exception) -> None:
    if answer.done():
        return
    if isinstance(result, Exception):
        answer.set_exception(result)
    else:
        answer.set_result(result)
