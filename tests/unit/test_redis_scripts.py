"""The Lua scripts of the Redis store are a code base like any other: contracts, one table of codes, one clock."""

import re
from importlib import resources
from pathlib import Path

import pytest

from turnkeeper.errors import StoreUnavailableError
from turnkeeper.stores.redis.deployments.wire import ErrorReply
from turnkeeper.stores.redis.layout import codes
from turnkeeper.stores.redis.layout.heads import Head
from turnkeeper.stores.redis.scripts import digest, raise_error, source

LUA = Path(str(resources.files("turnkeeper.stores.redis"))) / "lua"
SCRIPTS = sorted(path.stem for path in LUA.glob("*.lua"))
CONTRACT = ("-- KEYS ", "-- ARGV ", "-- gives ", "-- writes ", "-- cost ")
CODES = {value.decode() for value in vars(codes).values() if isinstance(value, bytes)}


@pytest.mark.parametrize("name", SCRIPTS)
def test_every_script_says_what_it_does(name: str) -> None:
    """Its header is the contract: keys, arguments, answers, writes and cost."""
    header = (LUA / f"{name}.lua").read_text(encoding="utf-8").partition("\nlocal ")[0]

    assert header.startswith(f"-- {name}: ")
    assert [each for each in CONTRACT if each.strip() not in header] == []


@pytest.mark.parametrize("name", SCRIPTS)
def test_every_return_code_is_in_the_table(name: str) -> None:
    """And in the header of the script that gives it."""
    text = source(name, movable=False).decode()
    header = text.partition("\nlocal ")[0]

    given = set(re.findall(r"(?:return |refuse\()\{?\s*'([A-Z]+)'", text))

    assert given
    assert given <= CODES
    assert {code for code in given if code not in header} == set()


@pytest.mark.parametrize("name", SCRIPTS)
def test_no_script_parses_json_builds_a_key_or_loops_without_end(name: str) -> None:
    """Keys are declared, states are opaque, and whatever is walked has a bound."""
    lines = source(name, movable=False).decode().splitlines()
    text = "\n".join(line.partition("--")[0] for line in lines)
    called = re.findall(r"redis\.call\('[A-Z]+', ([^,)]+)", text)

    assert "cjson" not in text
    assert "while " not in text
    assert "repeat\n" not in text
    assert {
        key for key in called if not re.match(r"KEYS\[|lane\.|keys\.|value$|etag$|stage$|key$|shelf$|index$", key)
    } == set()


def test_the_head_has_one_order() -> None:
    """The scripts write a list, and Python reads it: both count its fields alike."""
    text = (LUA / "shared" / "head.lua").read_text(encoding="utf-8")
    fields = dict(
        pair
        for names, numbers in re.findall(r"^local ([A-Z_, ]+) = ([\d, ]+)$", text, re.MULTILINE)
        for pair in zip(names.split(", "), map(int, numbers.split(", ")), strict=True)
    )
    other_names = {
        "CREATED": "created_ms", "ACTIVE": "active_ms", "FIRST": "first_ms", "EXPIRES": "expires_ms",
        "DEADLINE": "lease_until_ms", "READY": "ready_ms", "LOG_ENDS": "log_ends_ms", "PLANNED": "planned_ms",
        "LANE_UNTIL": "lane_until_ms", "OWNER": "token", "COMMIT_ID": "last_commit_id",
    }  # fmt: skip

    order = [other_names.get(name, name.lower()) for name, _ in sorted(fields.items(), key=lambda each: each[1])]

    assert sorted(fields.values()) == list(range(1, len(fields) + 1))
    assert order == list(Head.__struct_fields__)
    assert f"#head ~= {len(order)}" in text


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_test_clock_makes_another_script(name: str) -> None:
    """Production asks the server for the time, once; what a test sends has another name."""
    production, movable = source(name, movable=False), source(name, movable=True)

    assert production.count(b"'TIME'") == 1
    assert b"'TIME'" not in movable
    assert digest(name, movable=False) != digest(name, movable=True)


@pytest.mark.parametrize("code", ["NOSCRIPT", "MOVED", "ASK", "TRYAGAIN", "READONLY"])
def test_a_script_that_did_not_run_is_told_as_such(code: str) -> None:
    """Whoever was sent to another server for as long as a call may take knows that nothing was written."""
    with pytest.raises(StoreUnavailableError, match="nothing was written"):
        raise_error(ErrorReply(code, f"{code} 1234 127.0.0.1:7001"))
