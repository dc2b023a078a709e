"""What everybody in a chaos run shares: the seed, the kinds of faults, and the history that is judged in the end."""

import enum
import fcntl
import os
import random
import threading
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

from tests.chaos.witness import now_ms, without_answered
from turnkeeper.testing import history
from turnkeeper.testing.history import AnyEvent, to_line

COLLECT_SECONDS = 0.02
"""Between two readings of the pipe: whoever writes then wakes nobody, which costs more than writing."""
PIPE_BYTES = 1024 * 1024
"""Of events on their way; some seconds of a busy run."""
_IS_FAULT = b'"event":"fault"'
"""What no other event's line begins with: a history is read as far as it must be."""


class Fault(enum.StrEnum):
    """What goes wrong."""

    WORKER_KILLED = "worker killed (SIGKILL)"
    WORKER_DIED_AT_POINT = "worker died at a named crash point"
    WORKER_PAUSED = "worker paused beyond its lease (SIGSTOP)"
    WORKER_DEPLOYED = "worker replaced by a deploy (SIGTERM)"
    HANDLER_RAISED = "handler raised"
    LOOP_BLOCKED = "handler blocked the event loop"
    JOB_RAISED = "job raised"
    WEBHOOK_REPEATED = "message delivered again later"
    WEBHOOK_TWINNED = "message delivered twice at once"
    WEBHOOK_REORDERED = "messages delivered out of order"
    WEBHOOK_REQUEST_CUT = "webhook cut in its request"
    WEBHOOK_ANSWER_CUT = "webhook cut before its answer"
    SEND_ANSWER_CUT = "send taken, its answer cut"
    SEND_500 = "send taken, answered 500"
    SEND_429 = "send refused with 429"
    SEND_SLOW = "send taken, answered too late"
    REQUEST_CUT = "store request cut"
    ANSWER_CUT = "store answer cut"
    ANSWER_DELAYED = "store answer delayed"
    HALF_OPEN = "store connection half open"
    REDIS_KILLED = "Redis killed and restarted"
    REDIS_STOPPED = "Redis paused (SIGSTOP)"
    CLIENTS_PAUSED = "Redis clients paused (CLIENT PAUSE)"
    SCRIPTS_FLUSHED = "Redis scripts flushed"
    MEMORY_FULL = "Redis out of memory"
    TAIL_CUT = "Redis killed, unacknowledged tail of its AOF cut"
    FAILED_OVER = "Redis primary killed, replica promoted"
    FILE_LOCKED = "SQLite file locked by another process"
    FILE_READ = "SQLite file read for long by another process"
    DISK_FULL = "SQLite disk full"


ON_ANY_REDIS = frozenset(
    {
        Fault.REQUEST_CUT,
        Fault.ANSWER_CUT,
        Fault.ANSWER_DELAYED,
        Fault.HALF_OPEN,
        Fault.REDIS_STOPPED,
        Fault.CLIENTS_PAUSED,
        Fault.SCRIPTS_FLUSHED,
        Fault.MEMORY_FULL,
    }
)
ON_REDIS = ON_ANY_REDIS | {Fault.REDIS_KILLED, Fault.TAIL_CUT}
ON_REPLICATED_REDIS = ON_ANY_REDIS | {Fault.FAILED_OVER}
ON_SQLITE = frozenset({Fault.FILE_LOCKED, Fault.FILE_READ, Fault.DISK_FULL})
EVERYWHERE = frozenset(Fault) - ON_REDIS - ON_REPLICATED_REDIS - ON_SQLITE


Attack = Callable[[], Awaitable[None]]
"""Does something bad, and returns when it is over."""


class World:
    """One run. `folder` holds every socket, file and log of it; `history` is what the checker reads in the end."""

    def __init__(self, *, seed: int, folder: Path) -> None:
        """Begin without faults."""
        self.chance = random.Random(seed)
        self.folder = folder
        self.is_stormy = False
        self.is_over = False
        self.late_firsts = 0
        self._calm = folder / "calm"
        self._calm.touch()
        self._history = (folder / "history.jsonl").open("ab", buffering=0)
        self._lock = threading.Lock()
        self.pipe = folder / "events"
        os.mkfifo(self.pipe)
        self._reader = os.open(self.pipe, os.O_RDWR)  # read and write: it never ends while a worker may come
        fcntl.fcntl(self._reader, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
        self._is_closed = False
        self._collector = threading.Thread(target=self._collect, name="chaos-events", daemon=True)
        self._collector.start()

    def _collect(self) -> None:
        while not self._is_closed:
            time.sleep(COLLECT_SECONDS)
            lines = os.read(self._reader, PIPE_BYTES)
            with self._lock:
                self._history.write(lines)

    def close(self) -> None:
        """Collect no more. What was written down stays."""
        self._is_closed = True
        os.write(self._reader, b"\n")  # wakes the collector; an empty line is no event
        self._collector.join()
        os.close(self._reader)
        self._history.close()

    def record(self, event: AnyEvent) -> None:
        """Write an event down."""
        with self._lock:
            self._history.write(to_line(event))

    def strike(self, fault: Fault) -> None:
        """Write down that a fault happened."""
        self.record(history.Fault(kind=fault.value, at_ms=now_ms()))

    def faults(self) -> Counter[str]:
        """Count the faults that were written down so far, by kind."""
        counts: Counter[str] = Counter()
        with (self.folder / "history.jsonl").open("rb") as lines:
            for line in lines:
                if _IS_FAULT in line and line.endswith(b"\n"):
                    event = next(history.from_lines([line]))
                    counts.update([event.kind] if isinstance(event, history.Fault) else [])
        return counts

    def events(self) -> Iterator[AnyEvent]:
        """Read everything that was written down."""
        with (self.folder / "history.jsonl").open("rb") as lines:
            yield from without_answered(history.from_lines(lines))

    def start_storm(self) -> None:
        """Let faults happen."""
        self._calm.unlink(missing_ok=True)
        self.is_stormy = True

    def end_storm(self) -> None:
        """Let no more faults happen, in workers neither."""
        self._calm.touch()
        self.is_stormy = False

    def happens(self, fault: Fault, probability: float) -> bool:
        """Return whether a fault that is so likely happens now; it is written down."""
        if self.is_stormy and self.chance.random() < probability:
            self.strike(fault)
            return True
        return False
