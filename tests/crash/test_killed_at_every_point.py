"""A process that is killed with SIGKILL at any named point loses nothing and repeats nothing unmarked."""

import asyncio
import multiprocessing
import signal
from pathlib import Path

import pytest

from tests.crash import bot
from turnkeeper.ports.faults import POINTS

LATER = {"sqlite.before_commit": (1, 2, 3, 5, 8), "sqlite.after_commit": (1, 2, 3, 5, 8), "before_settle": (1, 4)}
"""Points that one turn passes more than once: which passage kills."""

CASES = [(point, nth) for point in sorted(POINTS - {"in_recovery"}) for nth in LATER.get(point, (1, 3))]

SECONDS = 60
"""Until a process must have ended: thirty times what it takes."""


PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload([bot.__name__])
"""Every bot is a process of its own, forked from one that has done the importing: that costs more than a bot does."""


def run_bot(directory: Path, point: str = "", nth: int = 0) -> int | None:
    """Run the bot to its end; return its exit status, negative for a signal, None if it had to be ended."""
    process = PROCESSES.Process(target=bot.main, args=(directory, point, nth))
    process.start()
    process.join(SECONDS)
    status = process.exitcode
    process.kill()
    process.join()
    process.close()
    return status


def check(directory: Path) -> None:
    """Assert the promises from the outside: what the provider got, what the store holds."""
    app = bot.build(directory)

    async def read() -> tuple[bot.Heard, int]:
        view = await app.view(app.conversation(bot.PERSON))
        dead = await app.store.deliveries.dead()
        await app.stop()
        assert view is not None
        assert view.exported.state is not None
        decoded = bot.flow.check().codec.decode(view.exported.state)
        return decoded.state, len(dead.items)

    state, dead = asyncio.run(read())
    words = [text for _, text in bot.MESSAGES]
    assert state.words == words, "every accepted message is applied once, in order"
    assert state.lengths == [len(text) for text in words[1::2]], "every job's result is applied once, in order"
    assert dead == 0

    sent = [(str(row[0]), str(row[1]), bool(row[2])) for row in bot.facts(directory / "sent") if isinstance(row, list)]
    expected = {f"heard {text}" for text in words} | {f"that makes {n}" for n in range(1, len(words) + 1)}
    assert expected <= {text for _, text, _ in sent}, "every reply is sent"
    first: list[str] = []
    for delivery_id, _, maybe_sent in sent:
        if delivery_id in first:
            assert maybe_sent, f"{delivery_id} was sent again without maybe_sent"
        else:
            first.append(delivery_id)
    assert len(first) == 2 * len(words) + len(words) // 2, "no reply was made up"
    heard = [text for delivery_id, text, _ in sent if delivery_id in first and text.startswith("heard")]
    assert list(dict.fromkeys(heard)) == [f"heard {text}" for text in words], "first deliveries are in order"


@pytest.mark.parametrize(("point", "nth"), CASES)
def test_a_killed_process_loses_nothing_and_repeats_nothing_unmarked(point: str, nth: int, tmp_path: Path) -> None:
    """Killed at this point, and started again: applied once, in order, every reply sent."""
    killed = run_bot(tmp_path, point, nth)
    assert killed == -signal.SIGKILL, f"{point} was not reached {nth} times"
    assert bot.facts(tmp_path / "reached") == [point]

    ended = run_bot(tmp_path)

    assert ended == 0
    check(tmp_path)


@pytest.mark.parametrize("first", ["in_handler", "after_commit", "before_send", "in_job"])
def test_a_process_killed_while_it_recovers_loses_nothing(first: str, tmp_path: Path) -> None:
    """Killed once, killed again while another process takes over, and started a third time."""
    assert run_bot(tmp_path, first, 1) == -signal.SIGKILL
    killed = run_bot(tmp_path, "in_recovery", 1)
    assert killed == -signal.SIGKILL, "in_recovery was not reached"

    ended = run_bot(tmp_path)

    assert ended == 0
    check(tmp_path)


def test_every_point_is_killed_at_least_once() -> None:
    """A crash point that no test reaches is not known to be safe."""
    assert {point for point, _ in CASES} | {"in_recovery"} == POINTS
