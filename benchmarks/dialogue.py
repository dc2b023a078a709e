"""What a flow's own turn costs: decoding, understanding, the handler, encoding, and the log entry; no store."""

import asyncio
import random
import time

import msgspec

from benchmarks.figures import summary
from turnkeeper import Flow, Intent, Struct, Turn
from turnkeeper.dialogue.running.program import FlowProgram
from turnkeeper.model.conversation import ConversationId
from turnkeeper.model.message import Kind, Message
from turnkeeper.ports.program import TurnInput
from turnkeeper.ports.turns import LogRecord

TURNS = 1_000


class Notes(Struct):
    """About 2 KB of words."""

    words: list[str] = msgspec.field(default_factory=lambda: ["word"] * 250)
    count: int = 0


flow = Flow("notes", Notes, start="talking", intents=(Intent("note", phrases=("note {what}", "remember {what}")),))


@flow.on("note", when="talking")
async def note(turn: Turn[Notes]) -> None:
    """Count and reply."""
    turn.state.count += 1
    turn.reply("Noted.")


@flow.action("press", when="talking")
async def press(turn: Turn[Notes]) -> None:
    """Count and reply, with nothing to understand."""
    turn.state.count += 1
    turn.reply("Noted.")


class _NoStore:
    async def part(self, _: str, /) -> bytes | None:
        return None

    async def remember(self, _: str, __: bytes, /) -> None:
        return None

    async def history(self, **_: object) -> tuple[LogRecord, ...]:
        return ()


async def _cpu(message: Message) -> float:
    program = FlowProgram(flow.check())
    state: bytes | None = None
    before = time.process_time()
    for number in range(TURNS):
        turn = TurnInput(
            conversation=ConversationId(flow="notes", person="ana"),
            messages=(message,),
            effect_prefix=f"notes:ana:1:{number}",
            commit_id=f"c{number}",
            fence=number,
            version=number,
            generation=1,
            state=state,
            now_ms=1_000_000 + number,
            created_ms=1_000_000,
            active_ms=1_000_000 + number - 1,
        )
        state = (await program.run(turn, _NoStore())).state
    return (time.process_time() - before) / TURNS * 1e6


def measure(rounds: int) -> dict[str, object]:
    """Measure a text and a button."""
    order = random.Random(1)
    cases = [
        ("text", Message(id="m", kind=Kind.TEXT, text="please note the milk", channel="sms")),
        ("button", Message(id="m", kind=Kind.ACTION, text="press", channel="sms")),
    ]
    spent: dict[str, list[float]] = {name: [] for name, _ in cases}
    for _ in range(rounds):
        order.shuffle(cases)
        for name, message in cases:
            spent[name].append(asyncio.run(_cpu(message)))
    return {f"us CPU a {name} turn": summary(samples) for name, samples in spent.items()}
