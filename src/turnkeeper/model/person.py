"""The normal form of a person's address: the same person must never be found under two names.

Without a region a number is read as international, with or without its plus, as providers send it. Ten digits that may
as well have been dialled in the US or Canada are refused then: guessing would find a stranger in another country.
Texts of errors never repeat the number.
"""

import re

from turnkeeper.errors import InvalidMessageError
from turnkeeper.model.conversation import check_name

ACCEPTED = "send a phone number with its country code, such as +15551234567"

_NORTH_AMERICAN = re.compile(r"[2-9]\d{9}")
"""Area code and number as they are dialled in the US and Canada."""


def phone_number(text: str, region: str | None = None) -> str:
    """Return a phone number as E.164.

    The number must have a possible length for its country; whether it is in use is not asked. Safe to call twice.

    Args:
        text: Any usual spelling; blanks, dashes, dots and brackets are dropped.
        region: Two letters such as `US`: numbers without a plus are then read as dialled there. A flow takes it as
            `Flow(…, person=partial(phone_number, region="US"))`. A provider that sends international numbers without
            their plus then needs one put in front: `phone_number(f"+{sender}")`.

    Raises:
        InvalidMessageError: It is a short code, an alphanumeric sender, has an extension, cannot be a number, or may
            be one of two countries.
    """
    # Imported here: 30 ms that flows about orders or sessions need not pay.
    import phonenumbers

    number = text.strip()
    if any(character.isalpha() for character in number):
        raise InvalidMessageError(f"an address with letters cannot be answered by phone; {ACCEPTED}")
    if region is None and not number.startswith(("+", "\uff0b")):  # the second is the wide one
        number = _international(number)
    try:
        parsed = phonenumbers.parse(number, region)
    except phonenumbers.NumberParseException as exc:
        is_code = exc.error_type == phonenumbers.NumberParseException.INVALID_COUNTRY_CODE and number != "+"
        reason = "no country has the code that this number begins with" if is_code else "this is no phone number"
        raise InvalidMessageError(f"{reason}; {ACCEPTED}") from exc
    if parsed.extension:
        raise InvalidMessageError(f"a phone number with an extension cannot be reached directly; {ACCEPTED}")
    # Not `is_possible_number`: it also accepts numbers that can only be dialled within their own town.
    if phonenumbers.is_possible_number_with_reason(parsed) != phonenumbers.ValidationResult.IS_POSSIBLE:
        raise InvalidMessageError(f"a number of this length is a short code or is incomplete; {ACCEPTED}")
    return phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164)


def _international(number: str) -> str:
    """Return a number that was written without a plus with one; `00` is how most of the world dials it."""
    import phonenumbers

    if number.startswith("00"):
        return f"+{number[2:]}"
    digits = "".join(character for character in number if character.isdigit())
    if _NORTH_AMERICAN.fullmatch(digits):
        at_home = phonenumbers.parse(digits, "US")
        try:
            is_abroad = phonenumbers.is_valid_number(phonenumbers.parse(f"+{digits}"))
        except phonenumbers.NumberParseException:
            is_abroad = False
        if phonenumbers.is_valid_number(at_home) or not is_abroad:
            raise InvalidMessageError(
                "ten digits without a country code: for a number in the US or Canada write +1 in front, for another "
                "country + and its code (a flow of one country says so: phone_number with a region)"
            )
    return f"+{number}"


def opaque(text: str) -> str:
    """Return an address that has no other spelling (an order's id, a session) unchanged.

    Raises:
        InvalidMessageError: It is empty, too long, cannot be printed, or holds a colon.
    """
    if ":" in text:
        raise InvalidMessageError("an address must not hold ':', which separates person and member in a key")
    return check_name("address", text)
