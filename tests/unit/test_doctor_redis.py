"""What a Redis server tells is judged: each danger and each warning, with what to do."""

import msgspec
import pytest

from turnkeeper.ports.findings import Finding, worst
from turnkeeper.stores.redis.address import Level
from turnkeeper.stores.redis.examining.facts import Facts, Node, Spread, percentile
from turnkeeper.stores.redis.examining.judging import judge

GOOD = Facts(
    info={
        "redis_version": "7.0.15",
        "role": "master",
        "aof_enabled": "1",
        "aof_last_write_status": "ok",
        "rdb_last_bgsave_status": "ok",
        "used_memory": "1000000",
        "maxmemory": "100000000",
        "maxmemory_policy": "volatile-ttl",
        "connected_slaves": "0",
        "master_repl_offset": "5000000",
    },
    settings={"appendfsync": "everysec", "save": "", "min-replicas-to-write": "0"},
    refused={},
    clock_ms=1.0,
    ping_ms=(0.1, 0.2, 0.3),
    write_ms=(0.2, 0.3, 0.4),
    schema="1",
    partitions="16",
    foreign_type=None,
    conversations_bytes=(3000, 3200),
    spread=None,
)
REPLICA = {"connected_slaves": "1", "slave0": "ip=10.0.0.2,port=6379,state=online,offset=4999000,lag=0"}


def bad_node(**info: str) -> Node:
    """Return another node of a cluster, good but for this."""
    return Node(name="b:1", info={**GOOD.info, **info}, settings=GOOD.settings)


def judged(
    durability: Level = "memory", *, info: dict[str, str] | None = None, facts: dict[str, object] | None = None
) -> dict[str, Finding]:
    """Return the findings by their names for a good server with some facts changed."""
    found = msgspec.structs.replace(GOOD, info={**GOOD.info, **(info or {})}, **(facts or {}))
    return {one.check: one for one in judge(found, durability)}


def test_a_good_server_is_good() -> None:
    """No warning that everybody gets used to."""
    assert worst(list(judged().values())) == "ok"
    assert all(not one.advice for one in judged().values())


@pytest.mark.parametrize(
    ("check", "level", "info", "facts"),
    [
        ("version", "danger", {"redis_version": "6.0.16"}, {}),
        ("version", "ok", {"redis_version": "6.2.0"}, {}),
        ("role", "danger", {"role": "slave"}, {}),
        ("persistence", "danger", {"aof_enabled": "0"}, {}),
        ("persistence", "warn", {"aof_enabled": "0"}, {"settings": {"save": "3600 1"}}),
        ("persistence", "warn", {"aof_enabled": "0"}, {"settings": {}}),
        ("persistence", "warn", {}, {"settings": {"appendfsync": "no"}}),
        ("aof", "danger", {"aof_last_write_status": "err"}, {}),
        ("snapshot", "danger", {"rdb_last_bgsave_status": "err"}, {}),
        ("memory", "warn", {"maxmemory": "0"}, {}),
        ("memory", "warn", {"used_memory": "90000000"}, {}),
        ("eviction", "danger", {"maxmemory_policy": "allkeys-lfu"}, {}),
        ("eviction", "warn", {"maxmemory_policy": "volatile-lru"}, {}),
        ("eviction", "ok", {"maxmemory_policy": "noeviction"}, {}),
        ("replicas", "ok", REPLICA, {}),
        ("min-replicas", "warn", REPLICA, {}),
        ("replicas", "warn", {**REPLICA, "master_repl_offset": "9000000"}, {}),
        ("replicas", "warn", {"connected_slaves": "1", "slave0": "ip=a,port=1,state=wait_bgsave,offset=0,lag=9"}, {}),
        ("schema", "danger", {}, {"schema": "2"}),
        ("schema", "danger", {}, {"schema": "mine"}),
        ("schema", "danger", {}, {"foreign_type": "string"}),
        ("schema", "danger", {}, {"schema": "1", "partitions": ""}),
        ("schema", "danger", {}, {"schema": "", "partitions": "16"}),
        ("schema", "danger", {}, {"partitions": "0"}),
        ("schema", "danger", {}, {"partitions": "99999"}),
        ("node", "ok", {}, {"others": (Node(name="b:1", info=GOOD.info, settings=GOOD.settings),)}),
        ("node", "warn", {}, {"others": (Node(name="b:1", info={}, settings={}),)}),
        ("eviction", "danger", {}, {"others": (bad_node(maxmemory_policy="allkeys-lru"),)}),
        ("persistence", "danger", {}, {"others": (bad_node(aof_enabled="0"),)}),
        ("role", "danger", {}, {"others": (bad_node(role="slave"),)}),
        ("schema", "ok", {}, {"schema": None}),
        ("clock", "warn", {}, {"clock_ms": -5000.0}),
        ("ping", "warn", {}, {"ping_ms": (30.0, 40.0)}),
        ("write", "warn", {}, {"write_ms": (30.0, 40.0)}),
        ("rights", "warn", {}, {"refused": {"CONFIG GET": "NOPERM"}}),
        ("rights", "danger", {}, {"refused": {"EVALSHA 0": "NOPERM"}}),
        ("cluster", "danger", {}, {"spread": Spread(state="fail", assigned=10_000, by_node={"a": 5})}),
        ("cluster", "ok", {}, {"spread": Spread(state="", assigned=16_384, by_node={})}),
        ("cluster", "danger", {}, {"spread": Spread(state="ok", assigned=16_383, by_node={})}),
        ("spread", "warn", {}, {"spread": Spread(state="ok", assigned=16_384, by_node={"a": 16, "b": 40, "c": 8})}),
        ("spread", "ok", {}, {"spread": Spread(state="ok", assigned=16_384, by_node={"a": 21, "b": 21, "c": 22})}),
    ],
)
def test_each_thing_is_judged(check: str, level: str, info: dict[str, str], facts: dict[str, object]) -> None:
    """And whatever is not fine says what to do."""
    finding = judged(info=info, facts=facts)[check]

    assert finding.level == level
    assert bool(finding.advice) == (level != "ok")


@pytest.mark.parametrize(
    ("durability", "check", "level", "info", "facts"),
    [
        ("cache", "eviction", "warn", {"maxmemory_policy": "allkeys-lru"}, {}),
        ("cache", "persistence", "ok", {"aof_enabled": "0"}, {}),
        ("replica", "replicas", "danger", {}, {}),
        ("disk+replica", "replicas", "danger", {}, {}),
        ("disk", "persistence", "danger", {"aof_enabled": "0"}, {"settings": {"save": "3600 1"}}),
        ("disk", "persistence", "danger", {}, {}),
        ("disk", "persistence", "danger", {}, {"settings": {}}),
        ("replica", "replicas", "ok", REPLICA, {}),
        ("disk", "persistence", "ok", {}, {"settings": {"appendfsync": "always"}}),
        ("disk", "persistence", "ok", {"redis_version": "7.2.4"}, {}),
    ],
)
def test_the_level_decides_what_is_dangerous(
    durability: Level, check: str, level: str, info: dict[str, str], facts: dict[str, object]
) -> None:
    """Whoever asked for more gets told what lacks for it; whoever asked for less is not frightened."""
    assert judged(durability, info=info, facts=facts)[check].level == level


def test_valkey_is_called_by_its_name() -> None:
    """With the version that its users know."""
    assert judged(info={"redis_version": "7.2.4", "valkey_version": "8.1.0"})["version"].found.startswith(
        "Valkey 8.1.0"
    )


def test_what_was_not_measured_is_not_told() -> None:
    """No invented zero."""
    found = judged(facts={"ping_ms": (), "write_ms": (), "clock_ms": None, "conversations_bytes": ()})

    assert not {"ping", "write", "clock", "conversations"} & found.keys()


def test_a_percentile_is_one_of_the_values() -> None:
    """Nearest rank, as it is usually meant."""
    values = [float(number) for number in range(1, 201)]

    assert (percentile(values, 0.5), percentile(values, 0.99), percentile([7.0], 0.99)) == (100.0, 198.0, 7.0)


def test_as_many_replicas_as_asked_for_are_needed() -> None:
    """One of two is as none: every commit would be refused."""
    found = msgspec.structs.replace(GOOD, info={**GOOD.info, **REPLICA})

    levels = {one.check: one.level for one in judge(found, "replica", replicas=2)}

    assert levels["replicas"] == "danger"


def test_another_node_of_a_cluster_is_named() -> None:
    """And what the first one has stays told."""
    found = msgspec.structs.replace(GOOD, node="a:1", others=(bad_node(aof_enabled="0"),))

    told = [one.found for one in judge(found, "memory")]

    assert "primary a:1" in told
    assert "append-only file, fsync everysec" in told
    assert "b:1: none: no append-only file, no snapshots" in told


@pytest.mark.parametrize(("asked", "dangers"), [(None, 0), (16, 0), (8, 1)])
def test_a_number_of_partitions_that_no_server_would_start_on_is_dangerous(asked: int | None, dangers: int) -> None:
    """What is there counts; a new database takes any."""
    new = msgspec.structs.replace(GOOD, schema=None, partitions=None)

    assert sum(one.check == "partitions" for one in judge(GOOD, "memory", partitions=asked)) == dangers
    assert worst(judge(new, "memory", partitions=asked)) == "ok"
