"""Cleans what somebody sent: only what can be stored, compared and shown stays.

The words themselves are never changed: no case folding, no trimming, no transliteration.
"""

import unicodedata

_KEPT_CONTROLS = "\n\t"


def clean_text(text: str) -> str:
    r"""Return the text without NUL and other control characters; lone surrogates become U+FFFD.

    Line breaks become `\n`. Safe to call twice.
    """
    if text.isascii() and text.isprintable():
        return text
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return "".join(letter for letter in text if letter in _KEPT_CONTROLS or unicodedata.category(letter) != "Cc")
