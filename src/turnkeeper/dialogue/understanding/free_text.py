"""What belongs to a free slot: where it begins and ends, and whether what it holds names a thing at all.

Nothing marks the border between a thing and the rest of a sentence, so these are rules of thumb about little words.
They err towards refusing: a slot that holds half a sentence makes a flow look foolish, a clarifying question does not.
"""

from collections.abc import Sequence

from turnkeeper.dialogue.language.courtesy import ARTICLES, JOINERS
from turnkeeper.dialogue.language.tokens import Break
from turnkeeper.dialogue.language.utterance import Utterance
from turnkeeper.dialogue.language.weekdays import read_days

LINKS = frozenset({"and", "then", "also", "plus"})
"""Words that join another thing, or another wish."""

STOPS = frozenset(
    """
    because cause cuz coz bc since but although though unless if while whenever so please pls plz plez thanks thank
    thx thankyou ty i ill id we they he she it you let then also
    """.split()
)
"""Words that end a free slot at the end of a phrase: what follows is a reason, a thank-you or the next thought."""

OPENERS = frozenset(
    """
    i ill id we you he she they it there let to is are was were not because if but be do does did could will would
    should need reason point way idea clue problem problems prob worries worry doubt longer matter rush hurry wonder
    """.split()
)
"""Words with which no thing's name begins, but a sentence or an idiom does ("no idea", "no, it's fine")."""

VERBS = frozenset(
    """
    is are am was were be been not will would can could has have had do does did love loves like likes hate hates
    eat eats want wants need needs got said says think came come comes
    """.split()
)
"""Words that make what follows a comma a sentence and no further thing ("…, my kids won't eat it")."""

_FINITE = frozenset("is are am was were be been has have had do does did would could should".split())
"""Words that make a sentence of what looks like a thing ("no options are required")."""

LEAD_STOPS = (JOINERS - {"and", "plus"}) | {"no", "yes", "yeah", "nope", "nah", "not"}
"""Words before which a slot at the beginning of a phrase does not reach back."""

_BEFORE_LEAD = (
    LEAD_STOPS
    | STOPS
    | frozenset(
        """
        have get do use make want give prefer like love take rather cook eat try go add put need order choose pick
        would me us be with having to for am was were thinking wondering hoping think can could should might about
        """.split()
    )
)
"""Stripped from a slot that begins a phrase: "can we have [chicken] instead of pork"."""

_POSSESSIVES = frozenset({"my", "our", "his", "her"})
_PREPOSITIONS = frozenset("in on with from for of and or to into at by like than over".split())
"""Before a "my" they go on with the thing ("soup from my mom"); without one a sentence begins ("no nuts my son …")."""

_SEPARATORS = frozenset({"for", "with", "to", "by"})

_FOREIGN = frozenset(
    """
    que para muy puedo quiero necesito tengo porque gracias hola ich nicht und aber bitte kein keine wir je nous
    vous pas avec merci bonjour não nao obrigado voglio grazie sono eu você
    """.split()
)
"""Little words of other languages that stand in no dish's name: with one of them a slot holds a sentence."""

_AFTER_THINGS = frozenset("instead too also anymore now tonight today again then either all please".split())
_BEFORE_THINGS = ARTICLES | {"all", "both", "every", "of"}
_BEFORE_DAYS = frozenset({"on", "from", "this", "next"})
"""With days behind it no part of a thing's name ("the chicken from monday"); without it a "taco tuesday" may be one."""


def trimmed(utterance: Utterance, first: int, last: int) -> tuple[int, int]:
    """Return the range without articles, politeness and days around it; empty if nothing else is in it."""
    words = utterance.words
    while last > first and (
        utterance.courteous[last - 1]
        or words[last - 1].is_symbol
        or (last - 1 > first and words[last - 1].key in _AFTER_THINGS)
    ):
        last -= 1
    while first < last and (utterance.courteous[first] or words[first].is_symbol):
        first += 1
    while first < last - 1 and words[first].key in _BEFORE_THINGS:
        first += 1
    for place in range(first + 1, last):
        if words[place].key in _BEFORE_DAYS:
            days = read_days(words, first=place, last=last, today=None)
            if days is not None and days.end == last:
                return first, place
    return first, last


def names_thing(utterance: Utterance, first: int, held: Sequence[str], *, max_words: int) -> bool:
    """Tell whether trimmed words may be the name of a thing.

    Args:
        utterance: The message.
        first: Where the slot begins, before trimming.
        held: The keys of the trimmed words.
        max_words: What the slot takes.
    """
    if not held or len(held) > max_words or not _FOREIGN.isdisjoint(held):
        return False
    if tuple(held) == ("it",):
        return True
    if not _FINITE.isdisjoint(held):
        return False
    return held[0] not in OPENERS and utterance.words[first].key not in OPENERS


def lead_begins(utterance: Utterance, end: int) -> list[int]:
    """Return where a slot before word `end` may begin: as far back as the thought goes, then behind each "and"."""
    words = utterance.words
    start = end - 1
    behind_links = []
    while start > 0 and words[start].pause is Break.NONE and words[start].key not in LEAD_STOPS:
        if words[start].key in LINKS:
            behind_links.append(start + 1)
        start -= 1
    begins = []
    for begin in (start, *reversed(behind_links)):
        first = begin
        while first < end and (utterance.is_idle(first) or words[first].key in _BEFORE_LEAD):
            first += 1
        if first < end:
            begins.append(first)
    return begins


def ends_at(utterance: Utterance, place: int) -> bool:
    """Tell whether a free slot at the end of a phrase ends before a word, whatever that word begins."""
    words = utterance.words
    word = words[place]
    if word.pause is Break.SENTENCE or word.key in STOPS or word.is_symbol:
        return True
    if word.pause is Break.CLAUSE and "," not in word.gap and "(" not in word.gap:
        return True
    return word.key in _POSSESSIVES and words[place - 1].key not in _PREPOSITIONS


def says_it_twice(utterance: Utterance, first: int, last: int) -> bool:
    """Tell whether a slot behind "for" would hold another pair ("swap kale for spinach and beef for turkey")."""
    words = utterance.words
    separator = words[first - 1].key
    if separator not in _SEPARATORS:
        return False
    held = [word.key for word in words[first:last]]
    links = [place for place, key in enumerate(held) if key in LINKS]
    return bool(links) and separator in held[links[0] :]
