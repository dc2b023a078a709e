"""Logs name neither people nor passwords."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnkeeper.observe.masking import mask_person, mask_url


def test_a_number_is_recognisable_to_its_owner_only() -> None:
    """The last two digits stay, so that somebody who knows the number can find it."""
    assert mask_person("mealplan:+15551230001") == "mealplan:+***01"


@given(st.integers(min_value=10**6, max_value=10**14))
def test_no_phone_number_survives(number: int) -> None:
    """Wherever it stands in a text."""
    assert str(number) not in mask_person(f"turn of +{number}, version 12")


def test_short_numbers_stay_readable() -> None:
    """Versions, counts and line numbers are what a log is read for."""
    assert mask_person("version 12 of 4711") == "version 12 of 4711"


@pytest.mark.parametrize(
    ("url", "masked"),
    [
        ("redis://user:hunter2@host:6379/0", "redis://user:***@host:6379/0"),
        ("redis://:hunter2@host", "redis://:***@host"),
        ("rediss://hunter2@host", "rediss://***@host"),
        ("redis://user:hun@ter/2:x@host", "redis://user:***@host"),
        ("redis://user:hunter2?x=1@host", "redis://user:***@host"),
        ("user:hunter2@host:6379", "user:***@host:6379"),
        ("redis://host?password=hunter2&db=1", "redis://host?password=***&db=1"),
        ("https://host/?db=1&Auth_Token=hunter2#top", "https://host/?db=1&Auth_Token=***#top"),
        ("sqlite:///me@home.db", "sqlite:///me@home.db"),
        ("sqlite:////var/lib/turnkeeper.db", "sqlite:////var/lib/turnkeeper.db"),
        ("redis://host:6379/0", "redis://host:6379/0"),
        ("memory://", "memory://"),
    ],
)
def test_a_url_keeps_everything_but_its_secrets(url: str, masked: str) -> None:
    """Password, lone user name and secret parameters go; what helps to find the mistake stays."""
    assert mask_url(url) == masked


@given(st.text(st.characters(codec="ascii"), min_size=1))
def test_no_password_survives_whatever_it_is_made_of(password: str) -> None:
    """Also one with characters that a URL should escape and people do not."""
    secret = f"s3cr3t{password}t3rc3s"

    masked = mask_url(f"redis://user:{secret}@host:6379")

    assert masked == "redis://user:***@host:6379"
