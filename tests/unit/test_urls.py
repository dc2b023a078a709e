"""A store is found where people put it, and a wrong URL says what to do instead, without the password."""

import traceback
from pathlib import Path

import pytest

from turnkeeper.errors import ConfigurationError, UnknownStoreError
from turnkeeper.stores import urls
from turnkeeper.stores.memory import MemoryStore
from turnkeeper.stores.redis import RedisStore
from turnkeeper.stores.sqlite import SqliteStore
from turnkeeper.stores.urls import DEFAULT_URL, choose_store, open_store, sqlite_path

UPSTASH = {"UPSTASH_REDIS_REST_URL": "https://eu1.upstash.io", "UPSTASH_REDIS_REST_TOKEN": "t0ken"}
EVERYTHING = {"TURNKEEPER_STORE": "sqlite:///env.db", "REDIS_URL": "redis://cache", **UPSTASH}


@pytest.mark.parametrize(
    ("environ", "given", "url", "reason"),
    [
        (EVERYTHING, "sqlite:///asked.db", "sqlite:///asked.db", "--store"),
        (EVERYTHING, None, "sqlite:///env.db", "TURNKEEPER_STORE"),
        ({"REDIS_URL": "redis://cache", **UPSTASH}, None, "redis://cache", "REDIS_URL"),
        (UPSTASH, None, "rediss://default:t0ken@eu1.upstash.io:6379", "UPSTASH_REDIS_REST_URL"),
        ({}, None, DEFAULT_URL, "embedded default"),
        ({"TURNKEEPER_STORE": " ", "REDIS_URL": ""}, None, DEFAULT_URL, "embedded default"),
    ],
)
def test_the_first_one_found_wins(environ: dict[str, str], given: str | None, url: str, reason: str) -> None:
    """Option, own variable, Redis, Upstash, embedded: in this order; what is empty was not set."""
    chosen = choose_store(environ, given=given)

    assert (chosen.url, chosen.reason) == (url, reason)


@pytest.mark.parametrize("value", ["false", "False", "0", "no", "off"])
def test_redis_can_be_passed_over_and_the_reason_says_so(value: str) -> None:
    """An operator who switched Redis off reads in the start-up line where conversations are instead."""
    chosen = choose_store({"REDIS_ENABLED": value, "REDIS_URL": "redis://cache", **UPSTASH})

    assert chosen.url == DEFAULT_URL
    assert "REDIS_ENABLED=false" in chosen.reason


def test_a_redis_that_the_application_declares_is_passed_over_too() -> None:
    """Whoever switched Redis off does not find its conversations there all the same."""
    off = {"REDIS_ENABLED": "false"}

    chosen = choose_store(off, default="rediss+cluster://a,b")

    assert chosen.url == DEFAULT_URL
    assert chosen.reason == "embedded default; REDIS_ENABLED=false passes over Redis"
    assert choose_store(off, default="sqlite:///pizza.db").url == "sqlite:///pizza.db"
    assert choose_store(off, default="").url == ""
    assert choose_store({**off, "TURNKEEPER_STORE": "redis://asked"}).url == "redis://asked"


@pytest.mark.parametrize("value", ["n", "flase", "none"])
def test_a_switch_that_says_neither_is_an_error(value: str) -> None:
    """A mistyped false must not leave Redis on."""
    with pytest.raises(ConfigurationError, match="write true or false"):
        choose_store({"REDIS_ENABLED": value, "REDIS_URL": "redis://cache"})


@pytest.mark.parametrize("name", ["TURNKEEPER_STORE", "REDIS_URL", "REDIS_ENABLED", *UPSTASH])
@pytest.mark.parametrize("mark", ["'", '"'])
def test_quotation_marks_that_came_with_a_variable_are_named(name: str, mark: str) -> None:
    """They are part of the value where no shell took them off, and look right wherever somebody looks."""
    with pytest.raises(ConfigurationError, match=f"{name} begins with a quotation mark") as caught:
        choose_store({**UPSTASH, name: f"{mark}redis://u:hunter2@cache{mark}"})

    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    "url", ["eu1.upstash.io", "https://eu1.upstash.io/", "eu1.upstash.io/", "https://EU1.upstash.io:443"]
)
def test_the_host_of_upstash_is_found_however_it_is_written(url: str) -> None:
    """With the port of Redis, not of its web server."""
    chosen = choose_store({**UPSTASH, "UPSTASH_REDIS_REST_URL": url})

    assert chosen.url == "rediss://default:t0ken@eu1.upstash.io:6379"


def test_an_address_of_upstash_without_a_host_is_an_error() -> None:
    """It says how one looks."""
    with pytest.raises(ConfigurationError, match=r"https://name\.upstash\.io"):
        choose_store({**UPSTASH, "UPSTASH_REDIS_REST_URL": "https://"})


def test_blanks_around_a_store_that_was_asked_for_are_no_part_of_it() -> None:
    """As with the variables."""
    assert choose_store({}, given=" redis://cache ").url == "redis://cache"


def test_what_the_application_declares_comes_last() -> None:
    """Its own URL stands in for the embedded default, and nothing else."""
    assert choose_store({}, default="sqlite:///pizza.db").url == "sqlite:///pizza.db"
    assert choose_store({}, default="sqlite:///pizza.db").reason == "declared by the application"
    assert choose_store(EVERYTHING, default="sqlite:///pizza.db").url == "sqlite:///env.db"


@pytest.mark.parametrize("name", list(UPSTASH))
def test_half_of_the_upstash_pair_is_an_error(name: str) -> None:
    """To go on with the embedded store would hide a forgotten variable; the text names it."""
    (missing,) = UPSTASH.keys() - {name}

    with pytest.raises(ConfigurationError, match=missing):
        choose_store({name: "value"})


def test_a_chosen_store_does_not_show_its_password() -> None:
    """Neither in a log nor in a debugger's list of variables."""
    chosen = choose_store({"REDIS_URL": "redis://user:hunter2@cache"})

    assert "hunter2" not in repr(chosen) + str(chosen)


def test_urls_lead_to_their_stores() -> None:
    """Nothing is opened by that."""
    assert isinstance(open_store("memory://"), MemoryStore)
    assert isinstance(open_store("sqlite:///never-made.db?durability=memory"), SqliteStore)
    assert not Path("never-made.db").exists()


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("sqlite:///relative.db", "relative.db"),
        ("sqlite:////var/lib/turnkeeper.db", "/var/lib/turnkeeper.db"),
        ("sqlite:///with%20blank%23.db?durability=disk", "with blank#.db"),
        ("SQLITE:///Case.db", "Case.db"),
    ],
)
def test_three_slashes_are_relative_and_four_absolute(url: str, path: str) -> None:
    """As SQLAlchemy has it, whose URLs people know."""
    assert sqlite_path(url) == Path(path)


@pytest.mark.parametrize(
    "url",
    [
        "sqlite://",
        "sqlite:///",
        "sqlite:///:memory:",
        "sqlite://user:hunter2@host/file.db",
        "sqlite:///a#b.db",
        "sqlite:///a%00b",
        "sqlite:///a.db?durability=hunter2&token=hunter2",
        "sqlite:///a.db?password=hunter2",
        "redis://user:hunter2@[broken",
        "http://user:hunter2@\N{CARE OF}.example",
    ],
)
def test_a_url_that_cannot_work_is_one_clear_error(url: str) -> None:
    """It says what is accepted, and shows no password, not even in its traceback."""
    with pytest.raises(ConfigurationError) as caught:
        open_store(url)

    told = "".join(traceback.format_exception(caught.value))
    assert "sqlite:///" in told
    assert "user:hunter2" not in told
    assert "password=hunter2" not in told
    assert "token=hunter2" not in told


@pytest.mark.parametrize("url", ["bla", "", "postgresql://user:hunter2@host/db", "localhost:6379", "/var/lib/x.db"])
def test_an_unknown_store_names_the_known_ones(url: str) -> None:
    """Whoever guessed reads which ones there are."""
    with pytest.raises(UnknownStoreError, match="sqlite:////absolute") as caught:
        open_store(url)

    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("given", ["", " "])
def test_an_empty_option_is_an_error(given: str) -> None:
    """A shell variable that is not set must not put conversations somewhere else."""
    with pytest.raises(ConfigurationError, match="--store is empty"):
        choose_store({"TURNKEEPER_STORE": "sqlite:///env.db"}, given=given)


def test_an_empty_url_says_so() -> None:
    """Rather than naming a store of no name only."""
    with pytest.raises(UnknownStoreError, match="the URL is empty") as caught:
        open_store("")

    assert caught.value.advice == "the URL is empty"


@pytest.mark.parametrize("url", ["memory:///x", "memory://x", "memory://?durability=disk", "memory://#x"])
def test_memory_has_no_names(url: str) -> None:
    """Two stores of memory never meet, whatever stands behind the slashes."""
    with pytest.raises(ConfigurationError, match="write memory://"):
        open_store(url)


def test_an_upstash_token_may_hold_any_character() -> None:
    """It is quoted, so that the URL means the same host and the same token."""
    chosen = choose_store({**UPSTASH, "UPSTASH_REDIS_REST_TOKEN": "a/b@c#d=="})

    assert chosen.url == "rediss://default:a%2Fb%40c%23d%3D%3D@eu1.upstash.io:6379"


@pytest.mark.parametrize(
    "url",
    [
        "redis://host",
        "rediss://u:p%40w@host:6380/3",
        "valkey://host/0",
        "valkeys://host",
        "unix:///run/redis.sock?db=2",
    ],
)
def test_one_server_of_redis_or_valkey_is_a_store(url: str) -> None:
    """Nothing is connected by that."""
    assert isinstance(open_store(url), RedisStore)


def test_redis_without_its_extra_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """The core is light; whoever needs more is told how to get it."""
    monkeypatch.setattr(urls, "find_spec", lambda _: None)

    with pytest.raises(ConfigurationError, match=r'pip install "turnkeeper\[redis\]"') as caught:
        open_store("redis://user:hunter2@host")

    assert "hunter2" not in str(caught.value)
