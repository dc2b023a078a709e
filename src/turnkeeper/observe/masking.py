"""Keeps people out of logs: an id stays recognisable to its owner, not to a reader of the log."""

import re

_DIGITS = re.compile(r"\d{5,}")
_PASSWORD = re.compile(r"(?<=:)[^:@/]+(?=@)")


def mask_person(text: str) -> str:
    """Return the text with every run of five or more digits cut down to its last two."""
    return _DIGITS.sub(lambda found: "***" + found.group()[-2:], text)


def mask_url(url: str) -> str:
    """Return the URL with its password, if it has one, replaced by `***`."""
    return _PASSWORD.sub("***", url, count=1) if "://" in url else url
