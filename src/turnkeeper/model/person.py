"""The normal form of a person's address: the same person must never be found under two names.

Without a region a number is read as international, with or without its plus, as providers send it; a national number
such as 0170 1234567 needs `region`. Texts of errors never repeat the number.
"""

from turnkeeper.errors import InvalidMessageError
from turnkeeper.model.conversation import check_name

ACCEPTED = "send a phone number with its country code, such as +15551234567"


def phone_number(text: str, region: str | None = None) -> str:
    """Return a phone number as E.164.

    The number must have a possible length for its country; whether it is in use is not asked. Safe to call twice.

    Args:
        text: Any usual spelling; blanks, dashes, dots and brackets are dropped.
        region: Two letters such as `DE`: numbers without a plus are then read as dialled there.

    Raises:
        InvalidMessageError: It is a short code, an alphanumeric sender, has an extension, or cannot be a number.
    """
    # Imported here: 30 ms that flows about orders or sessions need not pay.
    import phonenumbers

    number = text.strip()
    if any(character.isalpha() for character in number):
        raise InvalidMessageError(f"an address with letters cannot be answered by phone; {ACCEPTED}")
    if region is None and not number.startswith("+"):
        number = f"+{number}"
    try:
        parsed = phonenumbers.parse(number, region)
    except phonenumbers.NumberParseException as exc:
        raise InvalidMessageError(f"this is no phone number ({exc.args[0]}); {ACCEPTED}") from exc
    if parsed.extension:
        raise InvalidMessageError(f"a phone number with an extension cannot be reached directly; {ACCEPTED}")
    # Not `is_possible_number`: it also accepts numbers that can only be dialled within their own town.
    if phonenumbers.is_possible_number_with_reason(parsed) != phonenumbers.ValidationResult.IS_POSSIBLE:
        raise InvalidMessageError(f"a number of this length is a short code or is incomplete; {ACCEPTED}")
    return phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164)


def opaque(text: str) -> str:
    """Return an address that has no other spelling (an order's id, a session) unchanged.

    Raises:
        InvalidMessageError: It is empty, too long, cannot be printed, or holds a colon.
    """
    if ":" in text:
        raise InvalidMessageError("an address must not hold ':', which separates person and member in a key")
    return check_name("address", text)
