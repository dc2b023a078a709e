"""Lists of weekdays as people text them: "monday and weds", "mon, tue & thurs", "fri-sun", "weekdays except friday".

A day is a lower-case English name, and a list keeps the order in which the days were said. "today" and "tomorrow" are
days only when the caller says which day today is: this module knows no clock.
"""

from collections.abc import Sequence

import msgspec

from turnkeeper.dialogue.language.spelling import Speller
from turnkeeper.dialogue.language.tokens import Break, Word, tokenize

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
"""In their order; weeks begin on Monday as in ISO 8601."""

_SHORT_NAMES = {
    "monday": "mon mo",
    "tuesday": "tue tues tu teusday",
    "wednesday": "wed weds wednes wensday wendsday wedsday",
    "thursday": "thu thur thurs th thrus thurday",
    "friday": "fri fr",
    "saturday": "sat satur",
    "sunday": "sun",
}
_DAYS = {
    **{name: (name,) for name in WEEKDAYS},
    **{short: (name,) for name, shorts in _SHORT_NAMES.items() for short in shorts.split()},
    "weekend": WEEKDAYS[5:],
    "weekends": WEEKDAYS[5:],
    "weekday": WEEKDAYS[:5],
    "weekdays": WEEKDAYS[:5],
    "weeknights": WEEKDAYS[:5],
    "everyday": WEEKDAYS,
}
_SPELLER = Speller(_DAYS)
_TODAY = frozenset({"today", "tonight", "tonite"})
_TOMORROW = frozenset({"tomorrow", "tommorow", "tomorow", "tommorrow", "tmrw", "tmw", "tmr", "tomo", "2morrow"})
_EVERY_DAY = (("every", "day"), ("all", "week"), ("all", "days"), ("the", "whole", "week"), ("each", "day"))

_BEFORE = frozenset(
    "on from for the this next every each all both of dinner dinners cooking meal meals supper lunch".split()
)
_AFTER = frozenset("night nights nite evening evenings dinner dinners meal meals supper lunch too please pls".split())
_JOINING = frozenset({"and", "n", "plus", "also"})
_RANGE = frozenset({"to", "through", "thru", "till", "until", "til"})
_EXCEPT = frozenset({"except", "excluding", "besides", "but", "without", "not"})


class DayList(msgspec.Struct, frozen=True, kw_only=True):
    """Days that were read, each once, and the place after the last word that belongs to them."""

    days: tuple[str, ...]
    end: int


def weekdays(text: str, *, today: str | None = None) -> tuple[str, ...]:
    """Read a text that is a list of weekdays and nothing else.

    Args:
        text: For example "mon, tue & thurs" or "mon-wed".
        today: The weekday's lower-case name; without it "today" and "tomorrow" are no days.

    Returns:
        Lower-case names, each once, in the order said; empty if the text is anything else.
    """
    words = tokenize(text).words
    found = read_days(words, first=0, last=len(words), today=today)
    return found.days if found is not None and found.end == len(words) else ()


def read_days(
    words: Sequence[Word], *, first: int, last: int, today: str | None, is_refused: bool = False
) -> DayList | None:
    """Read as many weekdays as stand in a row from word `first` on, before word `last`.

    Args:
        words: The message.
        first: Where to begin.
        last: Where to stop.
        today: See `weekdays`.
        is_refused: The days stand behind a "not" or "no", so that "or" joins them ("not home monday or tuesday").

    Returns:
        None if there is none, or if the person leaves the choice open ("skip monday or tuesday").
    """
    listed = _read_list(words, first, last, today, joining=_JOINING | {"or", "nor"} if is_refused else _JOINING)
    if listed is None:
        return None
    days, end = listed
    if end < last and words[end].key == "or" and _read_day(words, end + 1, last, today) is not None:
        return None
    if end < last and words[end].key in _EXCEPT:
        excepted = _read_list(words, _skip(words, end, last, _EXCEPT), last, today)
        if excepted is not None:
            days, end = [day for day in days if day not in excepted[0]], excepted[1]
    return DayList(days=tuple(dict.fromkeys(days)), end=end) if days else None


def day_after(day: str) -> str:
    """Return the weekday after a weekday.

    Raises:
        ValueError: `day` is no lower-case English weekday.
    """
    if day not in WEEKDAYS:
        raise ValueError(f"{day!r} is no weekday; use one of: {', '.join(WEEKDAYS)}")
    return WEEKDAYS[(WEEKDAYS.index(day) + 1) % len(WEEKDAYS)]


def _read_list(
    words: Sequence[Word], first: int, last: int, today: str | None, *, joining: frozenset[str] = _JOINING
) -> tuple[list[str], int] | None:
    """Read days, joined or not, up to the first word that is none; a range needs a day on either side."""
    days: list[str] = []
    place = end = first
    ranging = False
    while place < last and (place == first or words[place].pause is not Break.SENTENCE):
        found = _read_day(words, place, last, today)
        if found is None:
            break
        group, after = found
        is_range = bool(days) and (ranging or _is_dashed(words[place])) and len(group) == 1
        days.extend(_between(days[-1], group[0]) if is_range else group)
        place = end = _skip(words, after, last, _AFTER)
        ranging = place < last and words[place].key in _RANGE
        if ranging or (place < last and words[place].key in joining):
            place += 1
    return (days, end) if days else None


def _read_day(words: Sequence[Word], place: int, last: int, today: str | None) -> tuple[tuple[str, ...], int] | None:
    """Read one day or one group of days ("weekend") and return the place after it."""
    for phrase in _EVERY_DAY:
        if tuple(word.key for word in words[place : min(place + len(phrase), last)]) == phrase:
            return WEEKDAYS, place + len(phrase)
    start = _skip(words, place, last, _BEFORE)
    if start >= last:
        return None
    word = words[start]
    if start > place and word.pause is Break.SENTENCE:
        return None
    group = _named(word.key, today)
    return None if group is None else (group, start + 1)


def _named(key: str, today: str | None) -> tuple[str, ...] | None:
    """Return the days that one word names, None if it names none."""
    if key in _TODAY:
        return None if today is None else (today,)
    if key in _TOMORROW:
        return None if today is None else (day_after(today),)
    groups = {_DAYS[reading] for reading in _SPELLER.readings(key)}
    return groups.pop() if len(groups) == 1 else None


def _between(first: str, last: str) -> list[str]:
    """Return the days after `first` up to `last`, over the week's end if need be; the same day again gives none."""
    start, end = WEEKDAYS.index(first), WEEKDAYS.index(last)
    return [WEEKDAYS[(start + step) % len(WEEKDAYS)] for step in range(1, (end - start) % len(WEEKDAYS) + 1)]


def _is_dashed(word: Word) -> bool:
    """Tell whether a hyphen or dash joins a word to the day before it."""
    return word.gap.strip() in {"-", "\u2010", "\u2011", "\u2012", "\u2013", "\u2014", "->"}


def _skip(words: Sequence[Word], place: int, last: int, skipped: frozenset[str]) -> int:
    """Return the first place from `place` on whose word is not in `skipped`; no further than a sentence's end."""
    while place < last and words[place].key in skipped and words[place].pause is not Break.SENTENCE:
        place += 1
    return place
