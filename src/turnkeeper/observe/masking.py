"""Keeps people and secrets out of logs: an id stays recognisable to its owner, not to a reader of the log."""

import re

_DIGITS = re.compile(r"\d{5,}")

_SECRET_PARAMETER = re.compile(r"(?<=[?&])([^=&#]*(?:pass|pwd|secret|token|key|auth)[^=&#]*=)[^&#]*", re.IGNORECASE)


def mask_person(text: str) -> str:
    """Return the text with every run of five or more digits cut down to its last two."""
    return _DIGITS.sub(lambda found: "***" + found.group()[-2:], text)


def mask_url(url: str) -> str:
    """Return the URL with its secrets replaced by `***`.

    Secrets are the password, a user without a password (some services put a token there), and parameters whose names
    say so. A password may hold any character: it ends at the last `@`. Text that is no URL is masked alike.
    """
    scheme, mark, rest = url.partition("://")
    if not mark:
        scheme, rest = "", url
    if not rest.startswith("/"):
        user_info, at, place = rest.rpartition("@")
        user, colon, _ = user_info.partition(":")
        rest = f"{user}:***@{place}" if colon else f"***@{place}" if at else place
    return scheme + mark + _SECRET_PARAMETER.sub(r"\1***", rest)
