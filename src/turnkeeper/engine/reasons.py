"""Says why something failed, in a text that every store can keep: bounded, and valid UTF-8 whatever was raised."""

MAX_REASON_CHARACTERS = 2_000
"""Enough for a message and the end of a long URL; a provider's whole HTML page is no reason."""


def clean_reason(text: str) -> str:
    """Return the text cut to `MAX_REASON_CHARACTERS`, with `?` for what is no Unicode. Safe to call twice."""
    return text[:MAX_REASON_CHARACTERS].encode("utf-8", "replace").decode("utf-8")


def reason_of(exc: BaseException) -> str:
    """Return the exception's type and text."""
    try:
        text = str(exc)
    except Exception as broken:  # noqa: BLE001 - somebody else's `__str__` must not hide what it is about
        text = f"(its text cannot be read: {type(broken).__name__})"
    return clean_reason(f"{type(exc).__name__}: {text}")
