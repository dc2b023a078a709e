"""How an engine runs. Every default is safe on one machine and on many."""

from datetime import timedelta

import msgspec

from turnkeeper.errors import ConfigurationError


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Times are real time unless they say otherwise.

    Attributes:
        lease: How long a worker owns a conversation without renewing (store time). Recovery waits this long.
        renew_every: How often leases and job claims are renewed; a third of the lease survives two lost answers.
        max_running: Turns at once in this process; beyond it messages are accepted and left to whoever has room.
        max_jobs: Jobs at once in this process.
        send_lease: How long a sender owns a lane without settling (store time).
        send_timeout: How long a provider may take to answer one send; after that nobody knows whether it was sent.
        send_attempts: Attempts to send one reply before it is a dead letter.
        send_backoff, max_send_backoff: Wait before the second attempt, doubled each time, and its limit.
        poll: How long the worker waits for something due before it looks again: the idle cost is one read each.
        grace: How long `stop` waits for running turns and jobs before it gives them back.
        work: False accepts and runs turns, but leaves jobs, timers and recovery to other processes.
        heartbeat: False renews nothing; only for simulations whose clock stands still while a turn runs.
    """

    lease: timedelta = timedelta(seconds=15)
    renew_every: timedelta = timedelta(seconds=5)
    max_running: int = 256
    max_jobs: int = 32
    send_lease: timedelta = timedelta(seconds=30)
    send_timeout: timedelta = timedelta(seconds=20)
    send_attempts: int = 12
    send_backoff: timedelta = timedelta(seconds=1)
    max_send_backoff: timedelta = timedelta(minutes=5)
    poll: timedelta = timedelta(seconds=1)
    grace: timedelta = timedelta(seconds=10)
    work: bool = True
    heartbeat: bool = True

    def __post_init__(self) -> None:
        """Refuse what cannot work."""
        if self.renew_every * 2 >= self.lease:
            raise ConfigurationError(
                f"renew_every ({self.renew_every}) must be less than half the lease ({self.lease}): "
                "one lost answer would cost it"
            )
        if self.send_timeout >= self.send_lease:
            raise ConfigurationError(
                f"send_timeout ({self.send_timeout}) must be less than send_lease ({self.send_lease}): "
                "a send must end while its claim lasts"
            )
        for name in ("renew_every", "send_timeout", "send_backoff", "max_send_backoff", "poll"):
            if getattr(self, name) <= timedelta(0):
                raise ConfigurationError(f"{name} must be longer than nothing, got {getattr(self, name)}")
        for name in ("max_running", "max_jobs", "send_attempts"):
            if getattr(self, name) < 1:
                raise ConfigurationError(f"{name} must be at least 1, got {getattr(self, name)}")


def to_ms(duration: timedelta) -> int:
    """Return whole milliseconds, rounded up, so that a short wait never becomes none."""
    return -(-duration // timedelta(milliseconds=1))
