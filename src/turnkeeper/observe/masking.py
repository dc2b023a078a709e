"""Keeps people and secrets out of logs: an id stays recognisable to its owner, not to a reader of the log.

What may be a phone number is masked, also where it is none: a log is read by more people than it is written for. Only
what is certainly something else (a date, a random id, a size) stays readable.
"""

import re

_READABLE = (
    r"(?<![\w+])(?:19|20)\d\d-(?:0\d|1[0-2])-(?:[0-2]\d|3[01])(?:[T ]\d\d:\d\d:\d\d(?:\.\d{1,9})?)?(?![\d-])",  # a date
    r"(?<![\w+])(?=[\da-f-]*[a-f])[\da-f]{8}-(?:[\da-f]{4}-){3}[\da-f]{12}(?!\w)",  # a UUID
    r"(?<![\w+])(?=\d*[a-f])[\da-f]{16,}(?!\w)",  # an id of ours: hexadecimal, with a letter in it
    r"(?<![\w+])(?:journal|carry)-[\da-f]{8}-[\da-f]{12}\.db",  # a file of an outage: its operator must find it
    r"(?<![\d+.])(?!\d\d\.\d\d\.\d\d\.\d\d)\d{1,3}(?:\.\d{1,3}){3}(?![\d.])",  # an IPv4 address; 12.34.56.78 is dialled
    r"(?<![\d+.)(/-])(?<!\d )\d{7,9}(?= (?:bytes|characters|ms)\b)",  # a size, as in the errors about limits
)
"""What is kept although it has many digits."""

_PHONE = r"\+?\(?\d(?:[ .()/\u00a0\u2010-\u2015-]{0,3}\d){6,}"
"""Seven digits or more, as a person may group them; the shortest number that can be called from abroad has seven."""

_LONG = re.compile(f"({'|'.join(_READABLE)})|{_PHONE}")

_NOT_DIGIT = re.compile(r"\D")

_SECRET_PARAMETER = re.compile(r"(?<=[?&])([^=&#]*(?:pass|pwd|secret|token|key|auth)[^=&#]*=)[^&#]*", re.IGNORECASE)


def mask_person(text: str) -> str:
    """Return the text with everything that may be a phone number cut down to its last two digits."""
    return _LONG.sub(_masked, text)


def _masked(found: re.Match[str]) -> str:
    if found[1] is not None:
        return found[1]
    digits = _NOT_DIGIT.sub("", found[0])
    return f"{'+' if found[0].startswith('+') else ''}***{digits[-2:]}"


def mask_url(url: str) -> str:
    """Return the URL with its secrets replaced by `***`.

    Secrets are the password, a user without a password (some services put a token there), and parameters whose names
    say so. A password may hold any character: it ends at the last `@`. Text that is no URL is masked alike.
    """
    scheme, mark, rest = url.partition("://")
    if not mark:
        scheme, rest = "", url
    # Three slashes stand before the name of a database's file, which may have an @; elsewhere they are a mistake.
    if not rest.startswith("/") or scheme.partition("+")[0].lower() != "sqlite":
        user_info, at, place = rest.rpartition("@")
        user, colon, _ = user_info.partition(":")
        rest = f"{user}:***@{place}" if colon else f"***@{place}" if at else place
    return scheme + mark + _SECRET_PARAMETER.sub(r"\1***", rest)
