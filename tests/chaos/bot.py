"""The bot under attack.

What a conversation was told stands in its state, message id by message id, so that nothing that was lost or applied
twice can hide.
"""

import time
from collections.abc import Callable

from tests.chaos.world import Fault
from turnkeeper import Flow, Job, LogRetention, Retry, Struct, Turn, seconds
from turnkeeper.model.message import JobFailed

MAX_ATTEMPTS = 10_000
"""No message may die of faults alone."""

RAISES = 0.01
RAISING_ATTEMPTS = 2
"""Beyond them the engine waits for long before it tries again."""
BLOCKS = 0.005
BLOCK_SECONDS = 0.2
JOB_RAISES = 0.05
RING_AFTER = seconds(0.2)

Trouble = Callable[[Fault, float], bool]
"""Says whether a fault that is so likely happens now."""


class Heard(Struct):
    """What a conversation was told and what came of it, in order of application. `taken`: every message's id."""

    taken: list[str] = []
    applied: list[str] = []
    measured: list[str] = []
    rang: list[str] = []
    strays: list[str] = []


flow = Flow(
    "chaos",
    Heard,
    start="listening",
    max_attempts=MAX_ATTEMPTS,
    carrier_words=False,
    log=LogRetention(entries=10_000),  # the checker reads all of it
)
_trouble: list[Trouble] = []


def have_trouble(trouble: Trouble) -> None:
    """Let handlers and jobs of this process fail as that says."""
    _trouble[:] = [trouble]


def _fails(fault: Fault, probability: float) -> bool:
    return any(trouble(fault, probability) for trouble in _trouble)


@flow.job(retry=Retry(attempts=100, delay=seconds(0.05), factor=1.0), timeout=seconds(10))
async def measure(job: Job, word: str) -> str:
    """Bring the word home."""
    if _fails(Fault.JOB_RAISED, JOB_RAISES):
        raise ValueError("the job failed")
    return word


@flow.unknown
async def listen(turn: Turn[Heard]) -> None:
    """Remember the message's id, answer, and do what its text asks for."""
    word, *wishes = turn.text.split()

    async def spell() -> str:
        return word

    if "step" in wishes:
        word = await turn.step("spell", spell)
    if turn.attempt <= RAISING_ATTEMPTS and _fails(Fault.HANDLER_RAISED, RAISES):
        raise ValueError("the handler failed")
    if _fails(Fault.LOOP_BLOCKED, BLOCKS):
        time.sleep(BLOCK_SECONDS)  # noqa: ASYNC251 - that is the fault
    turn.state.taken.append(turn.message.id)
    turn.state.applied.append(word)
    turn.reply(f"heard {word}")
    if "more" in wishes:
        turn.reply(f"more of {word}")
    if "job" in wishes:
        turn.start(measure, word)
    if "ring" in wishes:
        turn.after(RING_AFTER, "ring", word, name=f"ring {word}")


@flow.result(measure)
async def measured(turn: Turn[Heard], word: str) -> None:
    """Remember what the job brought."""
    turn.state.taken.append(turn.message.id)
    turn.state.measured.append(word)
    turn.reply(f"measured {word}")


@flow.failed(measure)
async def not_measured(turn: Turn[Heard], failed: JobFailed) -> None:
    """Remember what must not happen."""
    turn.state.taken.append(turn.message.id)
    turn.state.strays.append(f"job failed: {failed.reason}")


@flow.timer("ring")
async def ring(turn: Turn[Heard], word: str) -> None:
    """Remember for which message it rang."""
    turn.state.taken.append(turn.message.id)
    turn.state.rang.append(word)
