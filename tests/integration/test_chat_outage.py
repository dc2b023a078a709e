"""`turnkeeper chat` while its store is away: it waits for the answer that cannot be read yet, and says so."""

import contextlib
import subprocess
from pathlib import Path

from tests.conformance.guard import Guard
from tests.conformance.redis_servers import RedisServer
from tests.integration.server_process import COMMAND, PATIENCE_SECONDS, environment

BOT = """
from turnkeeper import App, Flow, Struct, Turn

class Nothing(Struct):
    pass

flow = Flow("notes", Nothing, start="open")

@flow.unknown
async def note(turn: Turn[Nothing]) -> None:
    turn.reply(f"noted {turn.text}")

app = App(flow, store="memory://", outage="queue")
"""


def test_a_line_said_while_the_store_is_away_is_answered_when_it_is_back(tmp_path: Path) -> None:
    """The terminal neither ends nor forgets the line; every answer is printed once."""
    (tmp_path / "notes.py").write_text(BOT)
    redis = RedisServer(tmp_path, "--appendonly", "yes", "--appendfsync", "always")
    with contextlib.ExitStack() as ending:
        ending.callback(redis.stop)
        talking = subprocess.Popen(
            [*COMMAND, "chat", "notes:app", "--as", "+15551230001", "--store", redis.url()],
            cwd=tmp_path,
            env=environment(tmp_path),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        ending.callback(Guard(talking).kill)
        assert talking.stdin is not None
        assert talking.stdout is not None
        assert talking.stderr is not None
        talking.stdin.write("milk\n")
        talking.stdin.flush()
        first = talking.stdout.readline()
        redis.stop()
        talking.stdin.write("eggs\n")
        talking.stdin.flush()
        while "trying again" not in talking.stderr.readline():
            assert talking.poll() is None
        redis.restart()
        rest, _ = talking.communicate(timeout=PATIENCE_SECONDS)

    assert (first, rest, talking.returncode) == ("noted milk\n", "noted eggs\n", 0)
