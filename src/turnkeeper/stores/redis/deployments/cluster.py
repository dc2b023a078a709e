"""The wire to a Redis Cluster: one shared connection for each primary, and each call to the node that has its slot.

While a slot moves, any script with one absent key is refused, by its old node or its new one. Nothing was written then:
the whole call is sent again, to where it is sent on, or after a pause, until its time is over. A handler never sees it.
"""

import asyncio
import functools
import logging
import random
from collections.abc import Sequence

from turnkeeper.errors import OutcomeUnknownError, StoreUnavailableError
from turnkeeper.stores.redis.connections import topology
from turnkeeper.stores.redis.connections.addresses import Address, Place
from turnkeeper.stores.redis.connections.dialling import CONNECT_SECONDS, Dialler
from turnkeeper.stores.redis.connections.loops import PerLoop
from turnkeeper.stores.redis.connections.node import Node
from turnkeeper.stores.redis.connections.proving import MEMORY, Proof
from turnkeeper.stores.redis.connections.server import Primaries
from turnkeeper.stores.redis.deployments.single import ANSWER_SECONDS
from turnkeeper.stores.redis.deployments.wire import Command, ErrorReply, Terms
from turnkeeper.stores.redis.layout.keys import slot

logger = logging.getLogger(__name__)

FIRST_PAUSE_SECONDS = 0.02
"""After a slot that is on its way said "try again"; doubled each time."""

LONGEST_PAUSE_SECONDS = 0.1
"""Moving a slot of a few thousand keys takes some 100 ms."""

ASK_AGAIN_SECONDS = 0.1
"""Between two questions for the slots, so that a cluster in trouble is not asked by every call."""

OTHERS_SECONDS = 0.5
"""For nodes that a call does not need, to load a script too: one that stands still must not hold it up."""

MAX_HOPS = 5
"""From node to node without a pause: two nodes that disagree send us to and fro."""

_ELSEWHERE = frozenset({"MOVED", "ASK"})
_LATER = frozenset({"TRYAGAIN", "CLUSTERDOWN"})
_ASKING: Command = ("ASKING",)


@functools.lru_cache(maxsize=4096)
def slot_of(key: str) -> int:
    """Return the slot of a key: that of its hash tag, if it has one."""
    start = key.find("{")
    end = key.find("}", start + 1) if start >= 0 else -1
    return slot((key[start + 1 : end] if end > start + 1 else key).encode())


class _Nodes:
    """The nodes as one event loop is connected to them."""

    def __init__(self) -> None:
        self.known: dict[Address, Node] = {}
        self.asking: asyncio.Task[None] | None = None


class ClusterWire:
    """See `turnkeeper.stores.redis.deployments.wire.Wire`. For a Redis Cluster; keys have the partition as tag."""

    in_cluster = True

    def __init__(self, place: Place, *, answer_seconds: float = ANSWER_SECONDS, proof: Proof = MEMORY) -> None:
        """Take some nodes of the cluster; the others are asked for.

        Raises:
            ConfigurationError: The URL cannot be read.
        """
        self.url = place.url
        self._seeds = place.hosts
        self._proof = proof
        self._answer_seconds = answer_seconds
        self._dialler = Dialler(
            place.plain, name=place.url, answer_seconds=answer_seconds, connect_seconds=CONNECT_SECONDS
        )
        self._primaries = Primaries(are_found=True)
        self._loops = PerLoop(_Nodes)
        self._slots: topology.Slots = []
        self._is_stale = True
        self._asked = 0.0
        self._failed: set[Address] = set()

    @property
    def primary_changes(self) -> int:
        """See `Wire.primary_changes`. Slots that moved on purpose do not count."""
        return self._primaries.changes

    @property
    def restarts(self) -> int:
        """See `Wire.restarts`."""
        return self._primaries.restarts

    def demand(self, terms: Terms, /) -> None:
        """See `Wire.demand`."""
        self._primaries.demand(terms)

    async def send(self, commands: Sequence[Command], *, key: str, durable: bool = False) -> list[object]:
        """See `Wire.send`. SCRIPT commands go to every node; the answers are those of the key's own."""
        if commands[0][0] == "SCRIPT":
            return await self._send_scripts(commands, key)
        owner = self._owner(key)
        if self._is_stale or owner is None:
            owner = await self._found_owner(key)
        try:
            replies = await self._node(owner).send(commands, key=key, durable=durable)
        except (StoreUnavailableError, OutcomeUnknownError):
            self._is_stale = True  # another node may be in its place: the next call asks
            self._failed.add(owner)
            raise
        if self._failed:
            self._failed.discard(owner)
        for reply in replies:
            if isinstance(reply, ErrorReply) and (reply.code in _ELSEWHERE or reply.code in _LATER):
                return await self._follow(commands, replies, key=key, durable=durable)
        return replies

    async def send_all(self, commands: Sequence[Command]) -> list[list[object]]:
        """See `Wire.send_all`."""
        if self._is_stale:
            await self._ask()
        return list(await asyncio.gather(*(self._tell(each, commands, key="") for each in self._owners())))

    async def open(self) -> None:
        """See `Wire.open`."""
        await self._ask()
        await asyncio.gather(*(self._node(each).open() for each in self._owners()))

    async def close(self) -> None:
        """See `Wire.close`. Connections of other loops close when their loop does."""
        self._primaries.demand(None)
        self._is_stale = True
        nodes = self._loops.take()
        if nodes is not None:
            if nodes.asking is not None:
                nodes.asking.cancel()
                await asyncio.wait({nodes.asking})
            await asyncio.gather(*(node.close() for node in nodes.known.values()))

    async def _follow(
        self, commands: Sequence[Command], replies: list[object], *, key: str, durable: bool
    ) -> list[object]:
        """Send a call again until no node refuses it because of its slot, or its time is over."""
        loop = asyncio.get_running_loop()
        deadline, pause, hops = loop.time() + self._answer_seconds, FIRST_PAUSE_SECONDS, 0
        while (refusal := _refusal(replies)) is not None:
            target, is_asking = self._owner(key), False
            hops += 1
            if refusal.code in _ELSEWHERE and hops % MAX_HOPS:
                target, is_asking = self._told(refusal, target), refusal.code == "ASK"
            else:
                if loop.time() + pause > deadline:
                    break
                await asyncio.sleep(pause * random.uniform(0.5, 1))  # noqa: S311 - no secret
                pause = min(2 * pause, LONGEST_PAUSE_SECONDS)
                if refusal.code == "CLUSTERDOWN":
                    await self._ask()
                target = self._owner(key)
            if loop.time() > deadline:
                break
            if target is None:
                raise StoreUnavailableError(f"{self.url}: no node serves {key!r} at the moment; nothing was written")
            sent = [part for command in commands for part in (_ASKING, command)] if is_asking else commands
            replies = await self._node(target).send(sent, key=key, durable=durable)
            replies = replies[1::2] if is_asking else replies
        return replies

    def _told(self, refusal: ErrorReply, asked: Address | None) -> Address:
        """Return where a node sends us, and remember it if it is for good: `MOVED 1234 host:port`."""
        _, number, place = refusal.text.split(" ")[:3]
        host, _, port = place.rpartition(":")
        target = Address(host or (asked.host if asked is not None else self._seeds[0].host), int(port))
        if refusal.code == "MOVED":
            self._slots[int(number)] = target
            self._is_stale = True  # one slot seldom moves alone
        return target

    async def _send_scripts(self, commands: Sequence[Command], key: str) -> list[object]:
        """Send to every node that is known, also one that is about to get its first slot."""
        owner = self._owner(key)
        if self._is_stale or owner is None:
            owner = await self._found_owner(key)
        known = {*self._owners(), *self._loops.get().known} - {owner}
        others = asyncio.gather(*(self._tell(each, commands, key=key) for each in known), return_exceptions=True)
        try:
            answer = await self._tell(owner, commands, key=key)
            await asyncio.wait({others}, timeout=OTHERS_SECONDS)
        finally:
            others.cancel()
        return answer

    async def _tell(self, address: Address, commands: Sequence[Command], *, key: str) -> list[object]:
        """Send to one node; what it refuses is told like any other failure, to whoever gathers."""
        return await self._node(address).send(commands, key=key, durable=False)

    def _owner(self, key: str) -> Address | None:
        return self._slots[slot_of(key)] if self._slots else None

    async def _found_owner(self, key: str) -> Address:
        """Return who has a key, after asking; who does not wait for a node that failed asks and goes on meanwhile."""
        owner = self._owner(key)
        if owner is not None and owner not in self._failed:
            self._question()
            return owner
        await self._ask()
        owner = self._owner(key)
        if owner is None:
            raise StoreUnavailableError(f"{self.url}: no node serves the slot of {key!r}; nothing was sent, repeat")
        return owner

    def _owners(self) -> list[Address]:
        return [each for each in dict.fromkeys(self._slots) if each is not None]

    def _node(self, address: Address) -> Node:
        known = self._loops.get().known
        node = known.get(address)
        if node is None:
            node = known[address] = Node(
                functools.partial(self._dialler.dial, address),
                url=f"{self.url} ({address})",
                place=str(address),
                primaries=self._primaries,
                proof=self._proof,
                in_cluster=True,
            )
        return node

    async def _ask(self) -> None:
        """Ask for the slots, all callers of a loop together, unless somebody has just done so."""
        task = self._question()
        if task is None:
            return
        await asyncio.wait({task})  # a caller that is cancelled must not cancel the question of the others
        if task.cancelled():
            raise StoreUnavailableError(f"{self.url} was closed meanwhile; nothing was sent")
        task.result()

    def _question(self) -> asyncio.Task[None] | None:
        """Return the question for the slots that is under way, or begin one; None if it was just answered."""
        nodes, loop = self._loops.get(), asyncio.get_running_loop()
        if nodes.asking is None:
            if self._slots and loop.time() - self._asked < ASK_AGAIN_SECONDS:
                return None
            nodes.asking = asyncio.create_task(self._asked_slots(nodes), name=f"slots of {self.url}")
            nodes.asking.add_done_callback(_look_at)
        return nodes.asking

    async def _asked_slots(self, nodes: _Nodes) -> None:
        try:
            before = self._owners()
            asked = list(dict.fromkeys([*random.sample(before, len(before)), *self._seeds]))
            asked.sort(key=self._failed.__contains__)
            slots = await topology.ask(self._dialler, asked, url=self.url)
            self._slots, self._is_stale = slots, False
            owners = self._owners()
            for gone in (self._failed & nodes.known.keys()).difference(owners):
                del nodes.known[gone]
            self._failed.intersection_update(owners)
            if before and set(before) != set(owners):
                logger.warning(
                    "redis.cluster_changed", extra={"url": self.url, "primaries": [str(one) for one in owners]}
                )
        finally:
            self._asked = asyncio.get_running_loop().time()
            nodes.asking = None


def _look_at(task: asyncio.Task[None]) -> None:
    """Take note of how a question ended that nobody may have waited for: its failure is that of the next one."""
    if not task.cancelled():
        task.exception()


def _refusal(replies: Sequence[object]) -> ErrorReply | None:
    """Return why a call must be sent again, or nothing: where it is sent on counts before that it should wait."""
    found = [reply for reply in replies if isinstance(reply, ErrorReply)]
    for codes in (_ELSEWHERE, _LATER):
        for reply in found:
            if reply.code in codes:
                return reply
    return None
