"""What people send is stored as they sent it, without what cannot be stored, compared or shown."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnkeeper.model.text import clean_text


@given(st.text(st.characters()))
def test_cleaned_text_can_be_stored_and_shown(text: str) -> None:
    """No control character but line break and tab is left, and every store can encode the rest."""
    cleaned = clean_text(text)

    cleaned.encode("utf-8")
    assert not [letter for letter in cleaned if unicodedata.category(letter) == "Cc" and letter not in "\n\t"]


@given(st.text(st.characters()))
def test_cleaning_twice_changes_nothing(text: str) -> None:
    """It does not matter who cleaned first."""
    once = clean_text(text)

    assert clean_text(once) == once


@given(st.text(st.characters(exclude_categories=["Cc", "Cs"])))
def test_words_stay_as_they_are(text: str) -> None:
    """No folding, no trimming, no transliteration: what a person wrote is what the log shows."""
    assert clean_text(text) == text


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("swap\x00 salmon", "swap salmon"),
        ("\x1b[2Jhello", "[2Jhello"),
        ("one\r\ntwo\rthree\nfour", "one\ntwo\nthree\nfour"),
        ("half \ud83d a smile", "half � a smile"),
        ("\ud83d\ude42", "🙂"),
        ("👍🏽", "👍🏽"),
        ("👩‍👩‍👧", "👩‍👩‍👧"),
        ("נעים", "נעים"),
    ],
)
def test_only_what_cannot_stay_is_dropped(sent: str, kept: str) -> None:
    """NUL and escape sequences go, lone surrogates are replaced, emoji and other scripts stay whole."""
    assert clean_text(sent) == kept
