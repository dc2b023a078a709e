"""Judges what a server told: what is fine, what somebody should know, and what loses conversations.

A fact that the user may not ask for is a warning that says which one, never a silence.
"""

import time
from collections.abc import Callable, Iterator
from datetime import timedelta

from msgspec.structs import replace

from turnkeeper.ports.findings import Finding, Level
from turnkeeper.stores.redis.address import MAX_PARTITIONS
from turnkeeper.stores.redis.connections.proving import LOSES, WAITAOF_SINCE, Durability
from turnkeeper.stores.redis.examining.facts import Facts, Node, percentile
from turnkeeper.stores.redis.layout.keys import META, SLOTS
from turnkeeper.stores.redis.opening import OLDEST, SCHEMA

CLOCK_DIFFERENCE = timedelta(seconds=2)
"""More than that, and what people read of times differs visibly from what happened."""

SLOW_PING_MS = 5.0
"""Within a data centre it is below one; a turn waits twice for it."""

SLOW_WRITE_MS = 20.0
"""A fork that copies, a full disk under `appendfsync always`."""

MEMORY_SHARE = 0.8
"""Of `maxmemory`: above it, somebody should make room before the server does."""

LAG_BYTES = 1024 * 1024
"""What a replica may be behind without anybody being told."""

Check = Callable[[Facts, Durability], Iterator[Finding]]

NOT_TOLD = "not told: the user may not use {} ({})"


def judge(facts: Facts, durability: Durability, *, replicas: int = 1, partitions: int | None = None) -> list[Finding]:
    """Return one finding or more for each thing that was asked, in the order in which a person wants to read them.

    Args:
        facts: What the server told.
        durability: What the URL asks for; it decides what is dangerous.
        replicas: How many of them, at the levels that have some.
        partitions: How many the URL asks for.
    """
    once: tuple[Check, ...] = (_division, _cluster, _rights, _clock, _latency, _conversations)
    return [
        *_of_server(facts, durability, replicas),
        *(finding for node in facts.others for finding in _of_node(facts, node, durability, replicas)),
        *_wish(facts, partitions),
        *(finding for check in once for finding in check(facts, durability)),
    ]


def _of_server(facts: Facts, durability: Durability, replicas: int) -> Iterator[Finding]:
    """Yield what there is to say of one server."""
    for check in (_version, _role, _durability, _persistence, _memory, _eviction):
        yield from check(facts, durability)
    yield from _replicas(facts, durability, replicas)


def _of_node(facts: Facts, node: Node, durability: Durability, replicas: int) -> Iterator[Finding]:
    """Yield what is not as it should be with another node of a cluster, and that the rest is."""
    if not node.info:
        yield _finding(
            "node", "warn", f"{node.name} says nothing of itself", "is it up, and may the user use INFO there?"
        )
        return
    its_own = replace(facts, info=node.info, settings=node.settings, node=node.name)
    found = [one for one in _of_server(its_own, durability, replicas) if one.level != "ok"]
    yield from (replace(one, found=f"{node.name}: {one.found}") for one in found)
    if not found:
        yield _finding("node", "ok", f"{node.name} is set as it should be")


def _finding(check: str, level: Level, found: str, advice: str = "") -> Finding:
    return Finding(check=check, level=level, found=found, advice=advice)


def _number(facts: Facts) -> tuple[int, ...]:
    return tuple(int(part) for part in facts.info.get("redis_version", "0").split(".")[:2] if part.isdigit())


def _version(facts: Facts, _: Durability) -> Iterator[Finding]:
    valkey = facts.info.get("valkey_version")
    found = facts.info.get("redis_version", "0")
    name = f"Valkey {valkey} (as Redis {found})" if valkey else f"Redis {found}"
    if _number(facts) < OLDEST:
        yield _finding("version", "danger", name, "Redis 6.2 or Valkey 7.2 at least: older ones lack commands we need")
    else:
        yield _finding("version", "ok", name)


def _role(facts: Facts, _: Durability) -> Iterator[Finding]:
    role = facts.info.get("role", "master")
    if role != "master":
        yield _finding("role", "danger", role, "a replica cannot be written; give the address of its primary")
    else:
        yield _finding("role", "ok", f"primary {facts.node}".strip())


def _durability(_: Facts, durability: Durability) -> Iterator[Finding]:
    yield _finding("durability", "ok", f"{durability}: may lose {LOSES[durability]}")


def _persistence(facts: Facts, durability: Durability) -> Iterator[Finding]:
    has_aof = facts.info.get("aof_enabled") == "1"
    fsync = facts.settings.get("appendfsync")
    needs_disk = durability in {"disk", "disk+replica"}
    if has_aof:
        found = f"append-only file, fsync {fsync or 'unknown'}"
        if needs_disk and fsync != "always" and _number(facts) < WAITAOF_SINCE:
            advice = f"durability={durability} needs appendfsync always before Redis 7.2, which brought WAITAOF"
            yield _finding("persistence", "danger", found, advice)
        elif fsync == "no":
            yield _finding("persistence", "warn", found, "the kernel decides when to write (30 s): set everysec")
        else:
            yield _finding("persistence", "ok", found)
        if facts.info.get("aof_last_write_status", "ok") != "ok":
            yield _finding(
                "aof", "danger", "the last write failed", "make room on its disk: writes are refused or lost"
            )
    elif durability == "cache":
        yield _finding("persistence", "ok", "no append-only file; the level is cache")
    elif (saves := facts.settings.get("save")) == "":
        advice = "a restart loses every conversation: set appendonly yes, appendfsync everysec"
        yield _finding("persistence", "danger", "none: no append-only file, no snapshots", advice)
    else:
        when = "when is not told" if saves is None else f"save {saves}"
        advice = "a crash loses everything since the last snapshot: set appendonly yes, appendfsync everysec"
        found = f"snapshots only ({when}), the last one {_age(facts)} old"
        yield _finding("persistence", "danger" if needs_disk else "warn", found, advice)
    if facts.info.get("rdb_last_bgsave_status", "ok") != "ok":
        yield _finding("snapshot", "danger", "the last one failed", "see the server's log: writes may be refused")


def _age(facts: Facts) -> str:
    seconds = max(0, int(time.time()) - int(facts.info.get("rdb_last_save_time", "0")))  # noqa: TID251 - for people
    return str(timedelta(seconds=seconds))


def _memory(facts: Facts, _: Durability) -> Iterator[Finding]:
    used, limit = int(facts.info.get("used_memory", "0")), int(facts.info.get("maxmemory", "0"))
    if not limit:
        advice = "set maxmemory below what the machine has: the kernel kills a server that takes more"
        yield _finding("memory", "warn", f"{_mib(used)} used, no limit", advice)
    elif used > MEMORY_SHARE * limit:
        advice = "make room, or new messages are refused (noeviction) or idle conversations evicted soon"
        yield _finding("memory", "warn", f"{_mib(used)} of {_mib(limit)} used", advice)
    else:
        yield _finding("memory", "ok", f"{_mib(used)} of {_mib(limit)} used")


def _eviction(facts: Facts, durability: Durability) -> Iterator[Finding]:
    policy = facts.info.get("maxmemory_policy") or facts.settings.get("maxmemory-policy")
    evicted = int(facts.info.get("evicted_keys", "0"))
    found = f"{policy}, {evicted} evicted so far"
    if policy is None:
        yield _finding("eviction", "warn", "not told", "look at maxmemory-policy yourself: allkeys-* loses messages")
    elif policy.startswith("allkeys"):
        level: Level = "warn" if durability == "cache" else "danger"
        advice = "it may evict accepted messages and unsent replies: set volatile-ttl"
        yield _finding("eviction", level, found, advice)
    elif policy in {"volatile-ttl", "noeviction"}:
        yield _finding("eviction", "ok", found)
    else:
        advice = "set volatile-ttl: idle conversations then go in the order of their age, and whole"
        yield _finding("eviction", "warn", found, advice)


def _replicas(facts: Facts, durability: Durability, wanted: int) -> Iterator[Finding]:
    count = int(facts.info.get("connected_slaves", "0"))
    if durability in {"replica", "disk+replica"} and count < wanted:
        advice = f"durability={durability} waits for {wanted}: without them every commit is refused"
        yield _finding("replicas", "danger", str(count), advice)
        return
    if not count:
        yield _finding("replicas", "ok", "none")
        return
    written = int(facts.info.get("master_repl_offset", "0"))
    lags: list[str] = []
    level: Level = "ok"
    for number in range(count):
        said = dict(pair.partition("=")[::2] for pair in facts.info.get(f"slave{number}", "").split(","))
        behind = written - int(said.get("offset", "0") or 0)
        lags.append(f"{said.get('ip', '?')}:{said.get('port', '?')} {said.get('state', '?')}, {behind} bytes behind")
        if said.get("state") != "online" or behind > LAG_BYTES:
            level = "warn"
    advice = "a failover to a replica that is behind loses what it lacks" if level == "warn" else ""
    yield _finding("replicas", level, "; ".join(lags), advice)
    if facts.settings.get("min-replicas-to-write") == "0":
        advice = "set min-replicas-to-write 1: a primary that is cut off goes on accepting what a failover throws away"
        yield _finding("min-replicas", "warn", "0", advice)


def _division(facts: Facts, _: Durability) -> Iterator[Finding]:
    if facts.foreign_type is not None:
        advice = f"the key {META} is somebody else's: use another database number"
        yield _finding("schema", "danger", f"{META} holds a {facts.foreign_type}", advice)
    elif facts.schema is None:
        yield _finding("schema", "ok", "a new database; it is divided when a server first opens it")
    elif facts.schema.isdigit() and int(facts.schema) > SCHEMA:
        advice = f"this Turnkeeper knows schema {SCHEMA}: upgrade it here, or use another database"
        yield _finding("schema", "danger", f"schema {facts.schema}", advice)
    elif not (facts.schema.isdigit() and _is_count(facts.partitions or "")):
        advice = (
            f"Turnkeeper never wrote that: put back the two numbers of {META} from a backup, or use another database"
        )
        found = f"schema {facts.schema or 'missing'}, partitions {facts.partitions or 'missing'}"
        yield _finding("schema", "danger", found, advice)
    else:
        yield _finding("schema", "ok", f"schema {facts.schema}, {facts.partitions} partitions")


def _wish(facts: Facts, partitions: int | None) -> Iterator[Finding]:
    if partitions is not None and facts.partitions not in {None, str(partitions)}:
        advice = "leave partitions= out of the URL: a database is divided once, and no server starts on another number"
        yield _finding("partitions", "danger", f"{partitions} asked for, {facts.partitions} there", advice)


def _is_count(partitions: str) -> bool:
    return partitions.isdigit() and 1 <= int(partitions) <= MAX_PARTITIONS


def _cluster(facts: Facts, _: Durability) -> Iterator[Finding]:
    spread = facts.spread
    if spread is None:
        return
    is_whole = spread.state in {"ok", ""} and spread.assigned == SLOTS
    advice = "" if is_whole else "conversations of the missing slots cannot be reached: see CLUSTER NODES"
    yield _finding(
        "cluster", "ok" if is_whole else "danger", f"{spread.state or 'not told'}, {spread.assigned} slots", advice
    )
    counts = sorted(spread.by_node.values())
    if not sum(counts):
        return
    found = ", ".join(f"{node} {count}" for node, count in sorted(spread.by_node.items()))
    is_even = counts[0] * 2 >= counts[-1]
    advice = "" if is_even else "one node carries more than twice another's load: redis-cli --cluster rebalance"
    yield _finding("spread", "ok" if is_even else "warn", f"partitions: {found}", advice)


def _rights(facts: Facts, _: Durability) -> Iterator[Finding]:
    for command, text in facts.refused.items():
        word = command.split()[0]
        is_needed = word in {"EVALSHA", "SCRIPT", "HMGET", "TYPE", "SET", "TIME", "PING"}
        advice = "allow it: nothing works without" if is_needed else "allow it, or check yourself what it would tell"
        yield _finding("rights", "danger" if is_needed else "warn", NOT_TOLD.format(command, text), advice)
    if not facts.refused:
        yield _finding("rights", "ok", "everything that was asked is allowed")


def _clock(facts: Facts, _: Durability) -> Iterator[Finding]:
    if facts.clock_ms is None:
        return
    is_near = abs(facts.clock_ms) < CLOCK_DIFFERENCE / timedelta(milliseconds=1)
    advice = "" if is_near else "leases and timers follow the server's clock: run NTP on both machines"
    yield _finding("clock", "ok" if is_near else "warn", f"{facts.clock_ms / 1000:+.3f} s from this machine's", advice)


def _latency(facts: Facts, _: Durability) -> Iterator[Finding]:
    for check, took, slow_ms in (("ping", facts.ping_ms, SLOW_PING_MS), ("write", facts.write_ms, SLOW_WRITE_MS)):
        if not took:
            continue
        middle, most = percentile(took, 0.5), percentile(took, 0.99)
        advice = "" if middle <= slow_ms else f"more than {slow_ms:g} ms: a turn waits twice for it; come nearer"
        found = f"p50 {middle:.2f} ms, p99 {most:.2f} ms of {len(took)}"
        yield _finding(check, "ok" if middle <= slow_ms else "warn", found, advice)
    scripts = facts.info.get("number_of_cached_scripts")
    if scripts is not None:
        yield _finding("scripts", "ok", f"{scripts} cached; what is missing is loaded when it is needed")


def _conversations(facts: Facts, _: Durability) -> Iterator[Finding]:
    if sizes := sorted(facts.conversations_bytes):
        mean = sum(sizes) // len(sizes)
        found = f"{mean} bytes each, log and parts' names included (of {len(sizes)}, {sizes[0]} to {sizes[-1]})"
        limit = int(facts.info.get("maxmemory", "0"))
        room = f"; {limit // mean} fit into maxmemory" if limit and mean else ""
        yield _finding("conversations", "ok", found + room)


def _mib(count: int) -> str:
    return f"{count / 1024 / 1024:,.1f} MiB"
