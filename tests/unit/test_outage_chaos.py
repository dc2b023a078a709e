"""Outages at random: what is acknowledged is in the store at the end, once and in order, or in a conflict's account."""

import asyncio
import random
from collections import Counter
from pathlib import Path

import pytest

from tests.unit.outage_bench import TICK, Bench, Switch, heard
from turnkeeper import App
from turnkeeper.errors import OutcomeUnknownError, RetryableError
from turnkeeper.policy.outage import OutagePolicy
from turnkeeper.testing.channel import FakeChannel

pytestmark = pytest.mark.anyio

PEOPLE = ("+15551230001", "+15551230002", "+15551230003")
STEPS = 40


class Chaos:
    """One application after the other, over a store that comes and goes."""

    def __init__(self, bench: Bench, policy: OutagePolicy, seed: int) -> None:
        """Take what decides; the same seed makes the same plan."""
        self.sms = FakeChannel("sms")
        self.said: dict[str, list[str]] = {person: [] for person in PEOPLE}
        self._bench = bench
        self._policy = policy
        self._chance = random.Random(seed)
        self.app, self.switch = self._server()

    def _server(self) -> tuple[App, Switch]:
        return self._bench.server(self._policy, self.sms)

    async def speak(self) -> None:
        """Let somebody say the next word, again until it is acknowledged."""
        person = self._chance.choice(PEOPLE)
        word = f"word-{sum(map(len, self.said.values()))}"
        message = self.app.message(word, id=word, channel="sms")
        while True:
            try:
                if (await self.app.accept(person, message)).durable:
                    break
            except (RetryableError, OutcomeUnknownError):
                pass
            await asyncio.sleep(0.005)
        self.said[person].append(word)

    async def restart(self) -> None:
        """Bring another process; it finds the store as the one before did."""
        await self.app.stop()
        was_away = self.switch.is_away
        self.app, self.switch = self._server()
        self.switch.is_away = was_away
        await self.app.start()

    async def run(self, *, restarts: bool) -> None:
        """Go through the plan, and come to rest with the store there."""
        for _ in range(STEPS):
            match self._chance.choices(("speak", "away", "back", "cut", "restart"), (55, 13, 17, 8, 7))[0]:
                case "speak":
                    await self.speak()
                case "away":
                    self.switch.is_away, self.switch.cuts = True, 0
                case "back":
                    self.switch.is_away = False
                case "cut":
                    self.switch.cuts, self.switch.goes = self._chance.randint(1, 3), self._chance.random() < 0.5
                case "restart" if restarts:
                    await self.restart()
            await asyncio.sleep(self._chance.choice((0, 0, 0.01, 0.03)))
        self.switch.cuts = 0
        await self._bench.back(self.app, self.switch)


async def keep_ticking(bench: Bench) -> None:
    """Let the clock run."""
    while True:
        bench.clock.advance(TICK)
        await asyncio.sleep(0.002)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(("policy", "restarts"), [("queue", True), ("carry_on", False), ("carry_on", True)])
async def test_nothing_acknowledged_is_lost(tmp_path: Path, policy: OutagePolicy, seed: int, *, restarts: bool) -> None:
    """A process that ends may forget whom it knew: then there may be conflicts, and they hold the rest."""
    bench = Bench(tmp_path / "local")
    chaos = Chaos(bench, policy, seed)
    await chaos.app.start()
    ticking = asyncio.create_task(keep_ticking(bench))
    await chaos.run(restarts=restarts)
    words = {person: await heard(chaos.app, person) for person in PEOPLE}
    conflicts, _ = await chaos.app.conflicts()
    ticking.cancel()
    await chaos.app.stop()

    accounts = b" ".join(bytes(entry) for conflict in conflicts for entry in conflict.log)
    for person, said in chaos.said.items():
        assert words[person] == [word for word in said if word in words[person]]
        assert [word for word in said if word not in words[person] and f'"{word}"'.encode() not in accounts] == []
    assert restarts or not conflicts
    assert policy == "carry_on" or not conflicts
    sent = Counter(f"{one.reply.to} {one.reply.text.split()[-1]}" for one in chaos.sms.sent if not one.maybe_sent)
    assert set(sent.values()) <= {1}
