"""Counts what a store holds when everything is at rest, past all of our code: its tables, or its keys.

What a run without faults leaves is known from its history: a conversation has a state, an entry in the log for each of
its turns, and a receipt for each of its messages. Nothing waits, nothing is to be sent, no step is remembered.
"""

import contextlib
import json
import sqlite3
from collections.abc import Iterable, Mapping
from pathlib import Path

import msgspec

from tests.chaos.redis_server import Server
from turnkeeper.testing.history import AnyEvent, Sight, Turn

PARTITIONS = 16
"""Each of them has some keys of its own in Redis."""

_COUNT_KEYS = """
local counts = {}
local function add(kind, count) counts[kind] = (counts[kind] or 0) + count end
local sizes = {zset = 'ZCARD', hash = 'HLEN', list = 'LLEN', set = 'SCARD'}
for _, key in ipairs(redis.call('KEYS', '*')) do
  local kind = string.match(key, '^{.-}:([^:]*)') or string.match(key, '^[^:]*')
  if string.find(key, ':stage:', 1, true) then kind = 'stage' end
  add(kind, 1)
  local size = sizes[redis.call('TYPE', key).ok]
  if size then add(kind .. ' members', redis.call(size, key)) end
end
return redis.status_reply(cjson.encode(counts))
"""
"""By what stands behind the hash tag: the letter of a conversation's keys, or the name of an index."""


PROBES = 1
"""Documents by which workers ask whether a store that failed takes writes again; it ends by itself."""


class Left(msgspec.Struct, frozen=True, kw_only=True):
    """What a history says there must be: how many conversations, turns of them, and messages that these took."""

    conversations: int
    turns: int
    messages: int


def left_by(history: Iterable[AnyEvent]) -> Left:
    """Count it in what was read from a store."""
    events = list(history)
    turns = [event for event in events if isinstance(event, Turn)]
    return Left(
        conversations=sum(isinstance(event, Sight) for event in events),
        turns=len(turns),
        messages=sum(len(turn.messages) for turn in turns),
    )


def rows(path: Path) -> Mapping[str, int]:
    """Count the rows of each table of a SQLite file."""
    with contextlib.closing(sqlite3.connect(path)) as connection:
        names = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
        return {
            name: connection.execute(f'SELECT count(*) FROM "{name}"').fetchone()[0]  # noqa: S608 - our own names
            for (name,) in names.fetchall()
        }


def rows_of(left: Left) -> dict[str, int]:
    """Return how many rows of each table there may be."""
    return {
        "meta": 1,
        "conversation": left.conversations,
        "state": left.conversations,
        "log": left.turns,
        "message": left.messages,
        "document": PROBES,
    }


async def keys(server: Server) -> Mapping[str, int]:
    """Count the keys of each kind in a Redis, and their members."""
    counts: dict[str, int] = json.loads((await server.command("EVAL", _COUNT_KEYS, "0"))[1:])
    return counts


def keys_of(left: Left, flow: str) -> dict[str, int]:
    """Return how many keys and members of each kind there may be. States are named after their flow."""
    every = dict.fromkeys(("h", "l", "r", "a", flow, "status members"), left.conversations)
    members = {"l members": left.turns, "a members": left.messages, "r members": left.messages}
    shared = dict.fromkeys(("flows", "statuses", "status", "tick", "proof"), PARTITIONS)
    shared_members = dict.fromkeys(("flows members", "statuses members", "tick members"), PARTITIONS)
    own = {"turnkeeper": 1, "turnkeeper members": 2, "turnkeeper.outage": PROBES, "e": PROBES, "e members": 2 * PROBES}
    return {**every, **members, **shared, **shared_members, **own}
