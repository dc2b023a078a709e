"""The engine's own CPU per turn: the whole turn on the memory store, less the same port calls made by hand."""

import asyncio
import random
import time
from datetime import timedelta

from benchmarks.figures import summary
from benchmarks.plain import LOG, REPLY, STATE, Nowhere, PlainProgram, text
from turnkeeper.engine.engine import Engine
from turnkeeper.engine.settings import Settings
from turnkeeper.engine.wire import encode
from turnkeeper.model.conversation import ConversationId
from turnkeeper.ports.deliveries import Lane, Settlement, Verdict
from turnkeeper.ports.turns import Begin, Commit, Committed, Effect, EffectKind, Granted, Incoming
from turnkeeper.stores.memory import MemoryStore

TURNS = 2_000
SENDER = "hand"


async def _through_the_engine() -> float:
    engine = Engine(
        store=MemoryStore(),
        programs={"plain": PlainProgram()},
        channels={"sms": Nowhere()},
        settings=Settings(work=False),
    )
    conversation = ConversationId(flow="plain", person="ana")
    messages = [text(f"m{number}") for number in range(TURNS)]
    before = time.process_time()
    for message in messages:
        await engine.handle(conversation, message, within=timedelta(seconds=60))
    spent = time.process_time() - before
    await engine.stop()
    return spent / TURNS * 1e6


async def _by_hand() -> float:
    store = MemoryStore()
    conversation = ConversationId(flow="plain", person="ana")
    messages = [text(f"m{number}") for number in range(TURNS)]
    before = time.process_time()
    for number, message in enumerate(messages):
        token = f"t{number}"
        granted = await store.turns.begin(
            Begin(
                conversation=conversation,
                token=token,
                lease_ms=15_000,
                message=Incoming(id=message.id, payload=encode(message)),
            )
        )
        assert isinstance(granted, Granted)  # noqa: S101 - see sqlite.py
        effect = Effect(id=f"e{number}", kind=EffectKind.REPLY, payload=REPLY)
        committed = await store.turns.commit(
            Commit(
                conversation=conversation,
                token=token,
                fence=granted.fence,
                version=granted.version,
                generation=granted.generation,
                commit_id=f"{token}:1",
                take=1,
                state=STATE,
                status="talking",
                log=LOG,
                effects=(effect,),
                reply=b'["ok"]',
                lane_token=SENDER,
                lane_ms=30_000,
            )
        )
        assert isinstance(committed, Committed)  # noqa: S101 - see sqlite.py
        lane = Lane(conversation=conversation)
        await store.deliveries.settle([Settlement(lane=lane, token=SENDER, id=effect.id, verdict=Verdict.DONE)])
    return (time.process_time() - before) / TURNS * 1e6


def measure(rounds: int) -> dict[str, object]:
    """Measure both in turn and take the difference round by round."""
    order = random.Random(1)
    spent: dict[str, list[float]] = {"engine": [], "by hand": []}
    cases = [("engine", _through_the_engine), ("by hand", _by_hand)]
    for _ in range(rounds):
        order.shuffle(cases)
        for name, case in cases:
            spent[name].append(asyncio.run(case()))
    difference = [a - b for a, b in zip(spent["engine"], spent["by hand"], strict=True)]
    return {
        "us CPU a turn through the engine": summary(spent["engine"]),
        "us CPU a turn by hand at the port": summary(spent["by hand"]),
        "us CPU a turn that the engine adds": summary(difference),
    }
