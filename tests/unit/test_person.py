"""A person is found under one name, however the address was written."""

from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnkeeper.errors import InvalidMessageError
from turnkeeper.model.person import opaque, phone_number


@pytest.mark.parametrize(
    "text",
    [
        "+15551234567",
        "15551234567",
        "+1 555 123 4567",
        "+1 (555) 123-4567",
        "  1.555.123.4567 ",
    ],
)
def test_every_spelling_of_a_number_is_one_person(text: str) -> None:
    """SMS, voice and terminal write the same number differently and meet in one conversation."""
    assert phone_number(text) == "+15551234567"


def test_a_number_of_an_invented_exchange_is_accepted() -> None:
    """Numbers made for examples (555) are possible numbers, and demonstrations live on them."""
    assert phone_number("15550100123") == "+15550100123"


@given(st.integers(min_value=2_000_000_000, max_value=9_999_999_999))
def test_the_normal_form_is_its_own_normal_form(national: int) -> None:
    """Normalising twice changes nothing, so it does not matter who did it first."""
    once = phone_number(f"+1{national}")

    assert phone_number(once) == once


def test_a_national_number_needs_its_region() -> None:
    """What people dial at home is understood where the flow says where home is."""
    assert phone_number("0170 1234567", "DE") == "+491701234567"
    with pytest.raises(InvalidMessageError, match="country code"):
        phone_number("0170 1234567")


@pytest.mark.parametrize("text", ["5551230002", "555 123 0002", "(212) 555-1234", "801-234-5678", "6562345678"])
def test_ten_digits_are_not_guessed_at(text: str) -> None:
    """As dialled in the US, they would otherwise be somebody's number in Brazil, Egypt or Singapore."""
    with pytest.raises(InvalidMessageError, match=r"\+1 in front"):
        phone_number(text)


def test_ten_digits_are_a_number_of_the_flows_region() -> None:
    """A flow that says where it is at home understands what people there write, and what providers send."""
    at_home = partial(phone_number, region="US")

    assert {at_home(text) for text in ("5551230002", "(555) 123-0002", "15551230002", "+15551230002")} == {
        "+15551230002"
    }


def test_ten_digits_of_one_country_only_are_taken() -> None:
    """A provider sends a Danish mobile like this; nobody in the US can have that number."""
    assert phone_number("4523456789") == "+4523456789"


def test_two_zeros_are_a_plus() -> None:
    """This is how Europe dials abroad."""
    assert phone_number("0049 170 1234567") == "+491701234567"


def test_a_plus_beats_the_region() -> None:
    """A flow with a region still hears from abroad."""
    assert phone_number("+15551234567", "DE") == "+15551234567"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("12345", "short code"),
        ("VONAGE", "letters"),
        ("+1-800-FLOWERS", "letters"),
        ("+15551234567890123", "short code or is incomplete"),
        ("+12530000", "short code or is incomplete"),
        ("+16502530000#5", "extension"),
        ("+999 123 456 789", "no country has the code"),
        ("0170 1234567", "no country has the code"),
        ("", "no phone number"),
        ("+", "no phone number"),
        ("👍", "no phone number"),
    ],
)
def test_what_cannot_be_answered_is_refused(text: str, reason: str) -> None:
    """Short codes and alphanumeric senders are nobody to talk to; the text says what is accepted."""
    with pytest.raises(InvalidMessageError, match=reason) as caught:
        phone_number(text)

    assert "+15551234567" in str(caught.value)


def test_an_error_says_its_reason_once() -> None:
    """What the library underneath says of it would only say the same again."""
    with pytest.raises(InvalidMessageError) as caught:
        phone_number("👍")

    assert str(caught.value).count("phone number") == 2, "what is wrong, and what to send instead"
    assert "(" not in str(caught.value)


def test_an_error_does_not_repeat_the_number() -> None:
    """Errors end up in logs, and logs hold no numbers."""
    with pytest.raises(InvalidMessageError) as caught:
        phone_number("+16502530000#5")

    assert "6502530000" not in str(caught.value)


@pytest.mark.parametrize("text", ["5866", "dishbee_02", "a7 f3", "José"])
def test_an_opaque_address_stays_as_it_is(text: str) -> None:
    """An order's id has one spelling."""
    assert opaque(text) == text


@pytest.mark.parametrize("text", ["", "line\nbreak", "x" * 201])
def test_an_opaque_address_fits_a_key(text: str) -> None:
    """What could not be part of a key is refused at the door."""
    with pytest.raises(InvalidMessageError):
        opaque(text)


def test_an_address_cannot_pose_as_somebody_elses_member() -> None:
    """`5866:ana` would otherwise be the key of Ana's conversation on 5866."""
    with pytest.raises(InvalidMessageError, match="':'"):
        opaque("5866:ana")
