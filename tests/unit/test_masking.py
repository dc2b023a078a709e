"""Logs name neither people nor passwords."""

import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnkeeper.observe.masking import mask_person, mask_url


def test_a_number_is_recognisable_to_its_owner_only() -> None:
    """The last two digits stay, so that somebody who knows the number can find it."""
    assert mask_person("mealplan:+15551230001") == "mealplan:+***01"


REGIONS = sorted(phonenumbers.SUPPORTED_REGIONS)
FORMATS = (
    phonenumbers.PhoneNumberFormat.E164,
    phonenumbers.PhoneNumberFormat.INTERNATIONAL,
    phonenumbers.PhoneNumberFormat.NATIONAL,
    phonenumbers.PhoneNumberFormat.RFC3966,
)


@st.composite
def written_numbers(draw: st.DrawFn) -> str:
    """Draw a number that somebody may have, as people of its country or of another one would write it."""
    region = draw(st.sampled_from(REGIONS))
    kind = draw(st.sampled_from([phonenumbers.PhoneNumberType.FIXED_LINE, phonenumbers.PhoneNumberType.MOBILE]))
    example = phonenumbers.example_number_for_type(region, kind) or phonenumbers.example_number(region)
    if example is None:
        raise AssertionError(f"phonenumbers has no example of {region}")
    return phonenumbers.format_number(example, draw(st.sampled_from(FORMATS)))


def digits(text: str) -> str:
    """Return the digits alone."""
    return "".join(letter for letter in text if letter.isdigit())


@given(st.text(), st.integers(min_value=10**6, max_value=10**15 - 1), st.text())
def test_no_phone_number_survives(before: str, number: int, after: str) -> None:
    """Wherever it stands in a text, whatever stands beside it."""
    assert f"+{number}" not in mask_person(f"{before}+{number}{after}")


@given(
    written_numbers(),
    st.sampled_from(["turn of {}, version 12", "mealplan:{}:ana", "order_{}", "'{}'", "+{} bytes", "2026-11-21 {}"]),
)
def test_no_number_survives_as_people_write_it(number: str, text: str) -> None:
    """Blanks, dots, dashes and brackets do not hide one; of each run of digits two at most are left."""
    if len(digits(number)) < 7:
        return
    masked = mask_person(text.format(number)).replace("version 12", "").replace("2026-11-21", "")

    assert len(digits(masked)) <= 2


@pytest.mark.parametrize(
    "text",
    [
        "version 12 of 4711",
        "the text has 10001 characters, 10000 are allowed; send it in parts",
        "the state has 1048577 bytes",
        "still working after 120000 ms",
        "2026-11-21 03:39:48",
        "2026-11-21T03:39:48.123456Z",
        "m-0123456789012345678a4321",
        "web-0123456789abcdef0123456789abcdef",
        "/var/bot/journal-12345678-012345678a43.db, /var/bot/carry-0a345678-123456789012.db-wal",
        "550e8400-e29b-41d4-a716-446655440000",
        "Connection refused: 192.168.100.10:6379",
        'File "app.py", line 1234, in plan',
    ],
)
def test_what_is_no_number_of_a_person_stays_readable(text: str) -> None:
    """Versions, sizes, dates, random ids and addresses of machines are what a log is read for."""
    assert mask_person(text) == text


@pytest.mark.parametrize(
    ("url", "masked"),
    [
        ("redis://user:hunter2@host:6379/0", "redis://user:***@host:6379/0"),
        ("redis://:hunter2@host", "redis://:***@host"),
        ("rediss://hunter2@host", "rediss://***@host"),
        ("redis://user:hun@ter/2:x@host", "redis://user:***@host"),
        ("redis://user:hunter2?x=1@host", "redis://user:***@host"),
        ("user:hunter2@host:6379", "user:***@host:6379"),
        ("redis:///user:hunter2@host/0", "redis:///user:***@host/0"),
        ("unix:///user:hunter2@/run/redis.sock", "unix:///user:***@/run/redis.sock"),
        ("//user:hunter2@host:6379", "//user:***@host:6379"),
        ("redis://host?password=hunter2&db=1", "redis://host?password=***&db=1"),
        ("https://host/?db=1&Auth_Token=hunter2#top", "https://host/?db=1&Auth_Token=***#top"),
        ("sqlite:///me@home.db", "sqlite:///me@home.db"),
        ("sqlite:////var/lib/turnkeeper.db", "sqlite:////var/lib/turnkeeper.db"),
        ("sqlite+aiosqlite:////srv/me@home.db", "sqlite+aiosqlite:////srv/me@home.db"),
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
