"""Prints what was looked up: facts in words for people, JSON for programs.

Times are those of the machine's own zone and carry their distance from UTC, so that they can be copied anywhere.
"""

import sys
from collections.abc import Mapping
from datetime import datetime, timedelta

import msgspec

from turnkeeper.cli.tables import print_facts, print_table
from turnkeeper.ports.clock import SystemClock

LOG_COLUMNS = {
    "version": "version",
    "at": "timestamp",
    "status": "state",
    "intent": "intent",
    "message": "message",
    "response": "response_preview",
}
"""Heads of the log's columns, and the entry's members that stand in them."""

FACTS = {
    "conversation": "conversation",
    "status": "status",
    "version": "version",
    "waiting": "messages waiting",
    "unsent": "replies and jobs under way",
    "created_at": "begun",
    "last_activity": "last message",
    "changed_at": "last change",
    "expires_at": "forgotten",
    "opted_out": "opted out",
}
"""Members of a summary, and what they are called in words. Flow, person and member stand in the conversation's name."""

_STEPS = ((timedelta(days=2), "day"), (timedelta(hours=2), "hour"), (timedelta(minutes=2), "minute"))
"""From how long on a duration is told in which unit: "90 minutes" says more than "1 hour"."""

_JUST = timedelta(seconds=1)


def print_json(content: object) -> None:
    """Print indented JSON."""
    sys.stdout.write(msgspec.json.format(msgspec.json.encode(content).decode(), indent=2) + "\n")


def print_view(view: Mapping[str, object]) -> None:
    """Print a conversation: facts in words, state and counters as they are stored, the log as a table."""
    now = datetime.fromtimestamp(SystemClock().now_ms() / 1000).astimezone()
    print_facts([(words, in_words(view[name], now)) for name, words in FACTS.items()])
    for name in ("state", "counters"):
        sys.stdout.write(f"\n{name}\n")
        print_json(view[name])
    sys.stdout.write("\nlog\n")
    log = view["log"]
    rows = [
        [show_time(entry[field]) for field in LOG_COLUMNS.values()] for entry in (log if isinstance(log, list) else ())
    ]
    print_table(tuple(LOG_COLUMNS), rows, nothing="nothing yet", texts=("message", "response"))


def in_words(value: object, now: datetime) -> str:
    """Return a fact as people say it; of a time also how far away it is."""
    match value:
        case datetime():
            return f"{show_time(value)} ({distance(value - now)})"
        case bool():
            return "yes" if value else "no"
        case None | "":
            return "-"
        case _:
            return str(value)


def distance(duration: timedelta) -> str:
    """Return how far away a moment is: "3 minutes ago", "in 30 days"."""
    length = abs(duration)
    if length < _JUST:
        return "now"
    step, unit = next(((step, unit) for step, unit in _STEPS if length >= step), (timedelta(seconds=2), "second"))
    count = round(length / (step / 2))
    words = f"{count} {unit}{'' if count == 1 else 's'}"
    return f"{words} ago" if duration < timedelta(0) else f"in {words}"


def show_time(value: object) -> str:
    """Return a time to the second in this machine's zone, such as `2026-05-09 18:30:00+02:00`; other values as text."""
    if not isinstance(value, datetime):
        return str(value)
    return value.astimezone().isoformat(sep=" ", timespec="seconds")
