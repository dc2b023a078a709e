"""A store is found where people put it, and a wrong URL says what to do instead, without the password."""

import traceback
from pathlib import Path

import pytest

from turnkeeper.errors import ConfigurationError, UnknownStoreError
from turnkeeper.stores.memory import MemoryStore
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
        ({"TURNKEEPER_STORE": " ", "REDIS_URL": ""}, "", DEFAULT_URL, "embedded default"),
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


@pytest.mark.parametrize("scheme", ["redis", "rediss", "valkey"])
def test_redis_says_how_to_go_on_without_it(scheme: str) -> None:
    """Hosts set REDIS_URL by themselves; the error says how to pass over it."""
    with pytest.raises(UnknownStoreError, match="REDIS_ENABLED=false") as caught:
        open_store(f"{scheme}://user:hunter2@host")

    assert "hunter2" not in str(caught.value)
    assert caught.value.url == f"{scheme}://user:***@host"
