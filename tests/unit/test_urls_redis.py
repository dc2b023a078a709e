"""A Redis URL says where the server is and how it is used; what cannot be meant is one clear error."""

import pytest

from turnkeeper.errors import ConfigurationError
from turnkeeper.stores.redis import RedisStore
from turnkeeper.stores.redis.address import EXAMPLES, OURS, read_address
from turnkeeper.stores.redis.deployments.choosing import SCHEMES
from turnkeeper.stores.urls import REDIS_SCHEMES, open_store


def test_every_scheme_is_known_in_both_places() -> None:
    """The chooser must not need the extra to know that a URL means Redis."""
    assert EXAMPLES.keys() == REDIS_SCHEMES


@pytest.mark.parametrize(("scheme", "example"), EXAMPLES.items())
def test_the_examples_of_the_errors_are_accepted(scheme: str, example: str) -> None:
    """An advice that does not work is worse than none."""
    address = read_address(example)

    assert (address.scheme, address.url) == (scheme, example)
    assert (address.durability, address.partitions, address.answer_seconds) == (None, None, None)


def test_our_parameters_are_taken_off() -> None:
    """What the connection is not meant for does not reach it; the rest does."""
    address = read_address(
        "redis://u:p%40w@host/2?durability=disk+replica&replicas=2&partitions=64&answer_seconds=2.5&client_name=a"
    )

    assert address.url == "redis://u:p%40w@host/2?client_name=a"
    assert (address.durability, address.replicas) == ("disk+replica", 2)
    assert (address.partitions, address.answer_seconds) == (64, 2.5)


def test_a_plus_in_a_parameter_is_a_plus() -> None:
    """Passwords made of base 64 have it."""
    address = read_address("redis+sentinel://a,b/service?sentinel_password=q+w%2Be&db=2")

    assert address.url == "redis+sentinel://a,b/service?sentinel_password=q%2Bw%2Be&db=2"


@pytest.mark.parametrize("url", ["redis://host/2?db=2", "unix:///run/redis.sock?db=2", "redis+cluster://a?db=0"])
def test_a_database_may_be_said_twice_if_it_is_the_same(url: str) -> None:
    """What does not contradict itself can be meant."""
    assert read_address(url).url == url


def test_an_address_does_not_show_its_password() -> None:
    """Neither in a log nor in a debugger's list of variables."""
    assert "hunter2" not in repr(read_address("redis://user:hunter2@host"))


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("redis://", "names no host"),
        ("redis://user:hunter2@", "names no host"),
        ("redis://user:hunter2@host/zero", "number of a database"),
        ("redis://user:hunter2@host/0/1", "number of a database"),
        ("redis://user:hunter2@host:0", "port 0"),
        ("redis://user:hunter2@host:high", "%40 for @"),
        ("redis://user:hunter2/more@host", "%2F for /"),
        ("redis://user:hunter2#more@host", "%23 for #"),
        ("unix://", "names no socket"),
        ("redis+sentinel://user:hunter2@a,b", "names no service"),
        ("redis+sentinel://user:hunter2@a,b/service/zero", "number of a database"),
        ("redis+cluster://user:hunter2@a,b/1", "one database"),
        ("redis://user:hunter2@host?durability=safe", "disk+replica"),
        ("redis://user:hunter2@host?replicas=17", "1 to 16"),
        ("redis://user:hunter2@host?partitions=0", "1 to 256"),
        ("redis://user:hunter2@host?partitions=many", "1 to 256"),
        ("redis://user:hunter2@host?answer_seconds=-1", "answer_seconds"),
        ("redis://user:hunter2@host?answer_seconds=600", "up to 60"),
        ("redis://user:hunter2@host?partitions=4&partitions=8", "twice"),
        ("redis:///user:hunter2@host", "%40 for @"),
        ("redis://user:hunter2@a,b/0", "redis+sentinel:// or redis+cluster://"),
        ("redis://user:hunter2@host/2?db=4", "leave one of them out"),
        ("redis+sentinel://user:hunter2@a/service/2?db=4", "leave one of them out"),
        ("redis+cluster://user:hunter2@a?db=4", "one database"),
        ("redis://user:hunter2@host?db=", "db is the number"),
        ("redis://user:hunter2@host?ssl_cert_reqs=none", "write rediss://"),
        ("valkey+cluster://user:hunter2@host?ssl_ca_certs=a", "write valkeys+cluster://"),
        ("unix:///run/redis.sock?ssl_ca_certs=a", "leave it out"),
        ("redis://host?sentinel_password=hunter2", "redis+sentinel://"),
        ("unix:///run/redis.sock?password=hunter2", "unix://user:password@/run/redis.sock"),
        ("redis://host?username=u&password=hunter2", "rediss://user:password@host"),
        ("unix://user:hunter2@run/redis.sock", "three slashes"),
    ],
)
def test_a_url_that_cannot_be_meant_says_what_can(url: str, reason: str) -> None:
    """And shows no password."""
    with pytest.raises(ConfigurationError) as caught:
        open_store(url)

    assert reason in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_an_unknown_parameter_is_refused_with_the_list() -> None:
    """A mistyped durability must not be a weaker one."""
    with pytest.raises(ConfigurationError, match="durabilty") as caught:
        open_store("redis://host?durabilty=disk")

    assert all(name in str(caught.value) for name in OURS)


def test_the_schemes_are_those_that_can_be_connected_to() -> None:
    """What the URL reader accepts, the wires know, and the other way round."""
    assert set(SCHEMES) == EXAMPLES.keys()


@pytest.mark.parametrize("url", EXAMPLES.values())
def test_every_scheme_opens_a_store(url: str) -> None:
    """Nothing is connected by that."""
    assert isinstance(open_store(f"{url}{'&' if '?' in url else '?'}durability=replica&answer_seconds=3"), RedisStore)
