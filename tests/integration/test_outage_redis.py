"""Redis is killed in a burst of 1,000 messages, and the application is killed too: what each outage policy promises."""

import asyncio
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec
import pytest

from tests.conformance.guard import Guard
from tests.conformance.redis_servers import RedisServer
from tests.integration.outage_bot import MESSAGES, PATIENCE, PEOPLE, build, facts
from turnkeeper.outage import Conflict
from turnkeeper.policy.outage import OutagePolicy

ROOT = Path(__file__).parents[2]
PATIENCE_SECONDS = PATIENCE.total_seconds()
WORDS = [f"word {number}" for number in range(MESSAGES)]


class Bot:
    """The application in a process of its own. As a context manager it is killed at the end."""

    def __init__(self, policy: OutagePolicy, redis: RedisServer, folder: Path, *, count: int = MESSAGES) -> None:
        """Take the policy, where its files go, and how many words it says for each person."""
        self._count = count
        self._arguments = [policy, redis.url(), str(folder)]
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        self._guard: Guard | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self.kill()

    def start(self, count: int | None = None) -> None:
        """Start it, and return once it takes messages."""
        starts = len(facts(self._folder / "started"))
        paths = os.pathsep.join([str(ROOT / "src"), str(ROOT)])
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.integration.outage_bot", *self._arguments, str(count or self._count)],
                env={**os.environ, "PYTHONPATH": paths},
                stderr=log,
            )
        self._guard = Guard(self._process)
        until(lambda: len(facts(self._folder / "started")) > starts or self._has_ended())
        assert not self._has_ended(), self.log

    def _has_ended(self) -> bool:
        return self._process is not None and self._process.poll() is not None

    @property
    def outages(self) -> tuple[int, int]:
        """How many outages it told of: begun, and over."""
        text = (self._folder / "log").read_text()
        return text.count("store_away"), text.count("store_back")

    @property
    def log(self) -> str:
        """The end of what it logged."""
        return (self._folder / "log").read_text()[-4_000:]

    def kill(self) -> None:
        """End it as a power cut would. Safe to call twice."""
        if self._guard is not None:
            self._guard.kill()

    def finish(self) -> int:
        """Wait until everything it took is in the store; return how many conflicts it found."""
        assert self._process is not None
        status = self._process.wait(PATIENCE_SECONDS)
        self.kill()
        assert status == 0, self.log
        return int(str(facts(self._folder / "done")[-1][0]))


def until(is_so: Callable[[], bool]) -> None:
    """Return once something is so."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not is_so():
        assert time.monotonic() < deadline, "it never came to be so"
        time.sleep(0.01)


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[RedisServer]:
    """Run a server that keeps what it acknowledged."""
    folder = tmp_path / "redis"
    folder.mkdir()
    server = RedisServer(folder, "--appendonly", "yes", "--appendfsync", "always")
    yield server
    server.stop()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return where the bot's files go."""
    folder = tmp_path / "bot"
    folder.mkdir()
    return folder


def stored(redis: RedisServer, folder: Path) -> dict[str, list[str]]:
    """Return what the store has of each person."""

    async def look() -> dict[str, list[str]]:
        app = build("fail", redis.url(), folder)
        words: dict[str, list[str]] = {}
        for person in PEOPLE:
            view = await app.inspect(app.conversation(person))
            state = None if view is None else view.exported.state
            words[person] = [] if state is None else app.flow.check().codec.decode(state).state.words
        await app.stop()
        return words

    return asyncio.run(look())


def has_accepted(folder: Path, count: int) -> Callable[[], bool]:
    """Tell whether so many messages were acknowledged."""
    return lambda: len(facts(folder / "accepted")) >= count


def unmarked(folder: Path) -> Counter[str]:
    """Return how often each reply was sent without being marked as a repetition."""
    return Counter(f"{to} {text}" for to, text, maybe_sent in facts(folder / "sent") if not maybe_sent)


def in_order(folder: Path) -> dict[str, list[str]]:
    """Return the replies to each person, in the order in which each was sent first."""
    sent: dict[str, list[str]] = {}
    for to, text, _ in facts(folder / "sent"):
        texts = sent.setdefault(str(to), [])
        if text not in texts:
            texts.append(str(text))
    return sent


def test_fail_applies_every_acknowledged_message_once(redis: RedisServer, folder: Path) -> None:
    """Refused while Redis is dead, with what is known; sent again, every message counts once and in order."""
    with Bot("fail", redis, folder) as bot:
        until(has_accepted(folder, 300))
        redis.stop()
        until(
            lambda: (
                len({one for one, _, reason in facts(folder / "refused") if reason == "StoreDownError"}) == len(PEOPLE)
            )
        )
        bot.kill()
        redis.restart()
        bot.start()
        bot.finish()

    assert stored(redis, folder) == dict.fromkeys(PEOPLE, WORDS)
    reasons = {str(fact[2]) for fact in facts(folder / "refused")}
    assert "StoreDownError" in reasons
    assert reasons <= {"StoreDownError", "StoreUnavailableError", "OutcomeUnknownError"}
    assert set(unmarked(folder).values()) == {1}
    assert in_order(folder) == {person: [f"heard {word}" for word in WORDS] for person in PEOPLE}


def test_queue_applies_every_acknowledged_message_once_and_in_order(redis: RedisServer, folder: Path) -> None:
    """Accepted all the time: before, while Redis is dead, by the next process while it is still dead, and after."""
    with Bot("queue", redis, folder) as bot:
        until(has_accepted(folder, 300))
        redis.stop()
        until(has_accepted(folder, 600))
        bot.kill()
        bot.start()
        until(has_accepted(folder, 800))
        redis.restart()
        bot.finish()

    assert bot.outages == (2, 1), "one of each of its two processes, and one that was over"
    assert facts(folder / "refused") == []
    assert stored(redis, folder) == dict.fromkeys(PEOPLE, WORDS)
    assert list((folder / "local").iterdir()) == []
    assert set(unmarked(folder).values()) == {1}
    assert in_order(folder) == {person: [f"heard {word}" for word in WORDS] for person in PEOPLE}


def test_carry_on_answers_while_redis_is_dead_and_writes_back(redis: RedisServer, folder: Path) -> None:
    """Answered all the time; killed and started again without Redis it goes on; afterwards the store has all of it."""
    with Bot("carry_on", redis, folder) as bot:
        until(has_accepted(folder, 300))
        redis.stop()
        until(has_accepted(folder, 600))
        bot.kill()
        bot.start()
        until(has_accepted(folder, len(PEOPLE) * MESSAGES))
        until(lambda: len({f"{to} {text}" for to, text, _ in facts(folder / "sent")}) == len(PEOPLE) * MESSAGES)
        redis.restart()
        conflicts = bot.finish()

    assert conflicts == 0
    assert facts(folder / "refused") == []
    assert stored(redis, folder) == dict.fromkeys(PEOPLE, WORDS)
    assert list((folder / "local").iterdir()) == []
    assert set(unmarked(folder).values()) == {1}
    assert in_order(folder) == {person: [f"heard {word}" for word in WORDS] for person in PEOPLE}


def test_carry_on_reports_another_servers_turn_in_between_and_loses_neither_side(
    redis: RedisServer, folder: Path
) -> None:
    """Redis is back before the killed bot is, and another server answers one person: one conflict, nineteen written."""
    with Bot("carry_on", redis, folder, count=10) as bot:
        bot.finish()
        bot.start(count=20)
        until(has_accepted(folder, 15 * len(PEOPLE)))
        redis.stop()
        until(has_accepted(folder, 20 * len(PEOPLE)))
        bot.kill()
        redis.restart()
        before, conflicts = asyncio.run(speak_elsewhere(redis, folder))
        bot.start(count=20)
        found = bot.finish()
        _, conflicts = asyncio.run(speak_elsewhere(redis, folder, text="later"))

    words = stored(redis, folder)
    assert found == 1, [(one.reason, one.base_version, one.found_version) for one in conflicts]
    assert words == {**dict.fromkeys(PEOPLE[1:], WORDS[:20]), PEOPLE[0]: [*before, "later"]}
    (conflict,) = conflicts
    assert conflict.conversation.person == PEOPLE[0]
    assert conflict.base_version is not None
    said = b" ".join(bytes(entry) for entry in conflict.log)
    lost = [word for word in WORDS[:20] if word not in before and f'"{word}"'.encode() not in said]
    assert lost == []


async def speak_elsewhere(
    redis: RedisServer, folder: Path, *, text: str = "elsewhere"
) -> tuple[list[str], list[Conflict]]:
    """Speak for the first person on another server; return what the store has then, and the conflicts in it."""
    app = build("fail", redis.url(), folder)
    app.settings = msgspec.structs.replace(app.settings, work=False)  # it speaks for one person, and recovers nobody
    async with app.running():
        handled = await app.handle(PEOPLE[0], app.message(text, id=text, channel="sms"))
        assert handled.done
        found, _ = await app.conflicts()
        view = await app.inspect(app.conversation(PEOPLE[0]))
        assert view is not None
        assert view.exported.state is not None
        return list(app.flow.check().codec.decode(view.exported.state).state.words), list(found)
