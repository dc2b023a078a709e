"""A message whose handler ends the process is given up after its attempts; what came before and after it is applied."""

import asyncio
import subprocess
import sys
from pathlib import Path

from tests.crash import exiting_bot

ROOT = Path(__file__).parents[2]
SECONDS = 60


def start(directory: Path) -> int:
    """Run the bot to its end; return its exit status."""
    command = [sys.executable, "-m", "tests.crash.exiting_bot", str(directory)]
    return subprocess.run(command, check=False, timeout=SECONDS, cwd=ROOT).returncode


def test_a_message_that_ends_the_process_is_buried_and_the_others_are_applied(tmp_path: Path) -> None:
    """Every start of the server dies of it until its attempts are used up; then the conversation goes on."""
    ends = [start(tmp_path) for _ in range(exiting_bot.ATTEMPTS + 1)]

    assert ends == [exiting_bot.EXIT_STATUS] * exiting_bot.ATTEMPTS + [0]
    app = exiting_bot.build(tmp_path)

    async def read() -> tuple[list[str], list[str]]:
        view = await app.inspect(app.conversation(exiting_bot.PERSON))
        dead = await app.store.deliveries.dead()
        await app.stop()
        assert view is not None
        assert view.exported.state is not None
        state = exiting_bot.flow.check().codec.decode(view.exported.state).state
        return state.words, [letter.source_id for letter in dead.items]

    words, dead = asyncio.run(read())
    assert words == ["before", "after"]
    assert dead == ["die"]
