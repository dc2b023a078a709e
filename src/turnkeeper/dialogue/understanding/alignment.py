"""Where a phrase stands in an utterance, and what its slots hold there.

A matcher of our own and no regular expression: literal words are found from left to right, a slot ends at the first
place where the phrase can go on, and nothing backtracks over more than one slot, so the time is linear in the message.
"""

from collections.abc import Iterator, Mapping, Sequence

import msgspec

from turnkeeper.dialogue.language.courtesy import DETERMINERS, STEPPED_OVER
from turnkeeper.dialogue.language.options import NEGATORS
from turnkeeper.dialogue.language.tokens import Break
from turnkeeper.dialogue.language.utterance import Utterance
from turnkeeper.dialogue.understanding.free_text import (
    LINKS,
    OPENERS,
    VERBS,
    ends_at,
    lead_begins,
    names_thing,
    says_it_twice,
    trimmed,
)
from turnkeeper.dialogue.understanding.phrases import Phrase
from turnkeeper.dialogue.understanding.slots import SlotKind, SlotValue, Text, read_closed

MAX_STARTS = 8
"""Places of a phrase's first word that are tried in one message: who says "skip" more often means something else."""

MAX_STEPS_OVER = 3
"""Courtesies and articles that may stand between two words of a phrase ("undo just the last one")."""

SHORTEST_HEAD = 4
"""Letters of a first word that make a slot's content another phrase: "no bake cookies" is a dish, "skip monday" is
not."""

SPAN_SLACK = 4
"""Articles and courtesies that a free slot may hold beside its words."""


class Alignment(msgspec.Struct, frozen=True, kw_only=True):
    """A phrase found in an utterance.

    Attributes:
        first: Place of the first matched word.
        last: The place after the last one.
        literals: Places of the phrase's own words.
        taken: Places inside its slots, and words that were stepped over.
        open_words: Full words in its free slots, which could have been anything.
    """

    phrase: Phrase
    first: int
    last: int
    literals: tuple[int, ...]
    taken: tuple[int, ...]
    slots: Mapping[str, SlotValue]
    open_words: int
    typos: int


class _Found(msgspec.Struct, frozen=True):
    """A slot's value, the range of words that it used up, and how many full ones of them are free."""

    value: SlotValue
    first: int
    last: int
    open_words: int


class _Asked(msgspec.Struct, frozen=True):
    """A slot to be read: its kind, its phrase, and whether its content may be taken for another phrase."""

    phrase: Phrase
    kind: SlotKind
    is_nested: bool


class Aligner:
    """Finds phrases in utterances. It knows all phrases, because a slot ends where another phrase begins."""

    def __init__(self, phrases: Sequence[Phrase]) -> None:
        self._by_head: dict[str, list[Phrase]] = {}
        for phrase in phrases:
            if phrase.lead is None and not phrase.is_plain:
                self._by_head.setdefault(phrase.head, []).append(phrase)
        self._plain = {phrase.steps[0].run: phrase.intent for phrase in phrases if phrase.is_plain}

    def alignments(self, phrase: Phrase, utterance: Utterance) -> Iterator[Alignment]:
        """Yield every place where the phrase stands, from left to right, at most `MAX_STARTS`."""
        starts = [place for place, readings in enumerate(utterance.readings) if phrase.head in readings]
        for start in starts[:MAX_STARTS]:
            found = self._align(phrase, utterance, start, is_nested=False)
            if found is not None:
                yield found

    def _align(self, phrase: Phrase, utterance: Utterance, start: int, *, is_nested: bool) -> Alignment | None:
        """Find the phrase with its first word at `start`. Nested, slots are not asked whether they hold a wish."""
        places = _run(utterance, phrase.steps[0].run, start)
        if places is None:
            return None
        founds: dict[str, _Found] = {}
        if phrase.lead is not None:
            led = self._read_lead(_Asked(phrase, phrase.kinds[phrase.lead], is_nested), utterance, start)
            if led is None:
                return None
            founds[phrase.lead] = led
        literals = list(places)
        between = [place for place in range(places[0], places[-1]) if place not in places]
        for step, following in zip(phrase.steps, (*phrase.steps[1:], None), strict=True):
            if step.slot is None:
                break
            asked = _Asked(phrase, phrase.kinds[step.slot], is_nested)
            read = self._read_slot(asked, following.run if following else (), utterance, literals[-1] + 1)
            if read is None:
                return None
            founds[step.slot] = read[0]
            literals.extend(read[1])
        return _alignment(phrase, utterance, founds, literals, between)

    def _read_slot(
        self, asked: _Asked, following: tuple[str, ...], utterance: Utterance, first: int
    ) -> tuple[_Found, tuple[int, ...]] | None:
        """Read a slot that begins at `first`, and the words that follow it in the phrase, if any do."""
        words = utterance.words
        is_free = isinstance(asked.kind, Text)
        if first >= len(words) or words[first].pause is Break.SENTENCE or "," in words[first].gap:
            return None
        if is_free and words[first].gap == "-":  # the "no" of "no-bake cookies" is half a word
            return None
        limit = len(words)
        if isinstance(asked.kind, Text):
            limit = min(limit, first + asked.kind.max_words + SPAN_SLACK)
        if not following:
            last = self._free_end(asked, utterance, first, limit) if is_free else limit
            if is_free and says_it_twice(utterance, first, last):
                return None
            found = self._value(asked, utterance, first, last)
            return None if found is None else (found, ())
        for place in range(first + 1, limit):
            if words[place].pause is Break.SENTENCE:
                return None
            places = _run(utterance, following, place) if following[0] in utterance.readings[place] else None
            if places is not None:
                found = self._value(asked, utterance, first, place)
                if found is not None and _reaches(utterance, found.last, place):
                    return found, places
        return None

    def _read_lead(self, asked: _Asked, utterance: Utterance, end: int) -> _Found | None:
        """Read the slot before the phrase's first word."""
        if end == 0 or utterance.words[end].pause is Break.SENTENCE:
            return None
        for first in lead_begins(utterance, end):
            found = self._value(asked, utterance, first, end)
            if found is not None and _reaches(utterance, found.last, end):
                return found
        return None

    def _value(self, asked: _Asked, utterance: Utterance, first: int, last: int) -> _Found | None:
        """Read what words `first` up to `last` hold, None if that is no value of this kind."""
        if not isinstance(asked.kind, Text):
            is_refused = not NEGATORS.isdisjoint(asked.phrase.words)
            reading = read_closed(asked.kind, utterance, first=first, last=last, is_refused=is_refused)
            return None if reading is None else _Found(reading.value, first, reading.end, 0)
        begin, end = trimmed(utterance, first, last)
        held = tuple(word.key for word in utterance.words[begin:end])
        if not names_thing(utterance, first, held, max_words=asked.kind.max_words):
            return None
        if not asked.is_nested and self._is_wish(asked.phrase, utterance, begin, held):
            return None
        open_words = sum(utterance.weights[place] > 0 for place in range(begin, end))
        return _Found(utterance.tokens.text(begin, end), first, last, open_words)

    def _is_wish(self, phrase: Phrase, utterance: Utterance, begin: int, held: tuple[str, ...]) -> bool:
        """Tell whether words are another phrase: then they are no value ("no, skip monday")."""
        if self._plain.get(held, phrase.intent) != phrase.intent:
            return True
        if len(held) == 1 and any(other.intent != phrase.intent for other in self._by_head.get(held[0], ())):
            return True
        return len(held[0]) >= SHORTEST_HEAD and self._begins_wish(utterance, begin)

    def _begins_wish(self, utterance: Utterance, place: int) -> bool:
        """Tell whether a phrase with slots begins at this word."""
        return any(
            self._align(phrase, utterance, place, is_nested=True) is not None
            for head in utterance.readings[place]
            for phrase in self._by_head.get(head, ())
        )

    def _free_end(self, asked: _Asked, utterance: Utterance, first: int, limit: int) -> int:
        """Return where a free slot at the end of a phrase ends; where it has too many words already, there."""
        words = utterance.words
        for place in range(first + 1, limit):
            if ends_at(utterance, place):
                return place
            is_joint = "," in words[place].gap or words[place].key in LINKS
            if is_joint and self._turns_away(asked, utterance, place):
                return place
        return limit

    def _turns_away(self, asked: _Asked, utterance: Utterance, place: int) -> bool:
        """Tell whether something new begins at a comma or an "and": another wish, or a sentence."""
        words = utterance.words
        while place < len(words) and (words[place].key in LINKS or utterance.is_idle(place)):
            if utterance.courteous[place]:
                return True
            place += 1
        if place >= len(words):
            return True
        key = words[place].key
        if key in OPENERS or key in NEGATORS or (not asked.is_nested and self._begins_wish(utterance, place)):
            return True
        end = place + 1
        while end < len(words) and words[end].pause is Break.NONE and words[end].key not in LINKS:
            end += 1
        following = tuple(word.key for word in words[place:end])
        return following in self._plain or not VERBS.isdisjoint(following)


def _run(utterance: Utterance, run: tuple[str, ...], start: int) -> tuple[int, ...] | None:
    """Return the places of words in a row from `start` on; courtesies and articles between them are stepped over."""
    words = utterance.words
    places: list[int] = []
    place = start
    for word in run:
        steps = 0
        while place < len(words) and word not in utterance.readings[place]:
            is_stepped_over = utterance.is_idle(place) or words[place].key in STEPPED_OVER
            if not places or steps == MAX_STEPS_OVER or not is_stepped_over:
                return None
            steps += 1
            place += 1
        if place >= len(words) or (places and words[place].pause is Break.SENTENCE):
            return None
        places.append(place)
        place += 1
    return tuple(places)


def _reaches(utterance: Utterance, end: int, place: int) -> bool:
    """Tell whether nothing but courtesies and articles stands between a slot's end and the phrase's next word."""
    return all(utterance.is_idle(between) for between in range(end, place))


def _alignment(
    phrase: Phrase,
    utterance: Utterance,
    founds: Mapping[str, _Found],
    literals: Sequence[int],
    between: Sequence[int],
) -> Alignment:
    """Put together what was found."""
    taken = (*between, *(place for found in founds.values() for place in range(found.first, found.last)))
    wanted = [word for step in phrase.steps for word in step.run]
    return Alignment(
        phrase=phrase,
        first=min((*literals, *taken)),
        last=max((*literals, *taken)) + 1,
        literals=tuple(literals),
        taken=taken,
        slots={name: found.value for name, found in founds.items()},
        open_words=sum(found.open_words for found in founds.values()),
        typos=sum(
            utterance.words[place].key not in DETERMINERS and utterance.words[place].key != word
            for place, word in zip(literals, wanted, strict=True)
        ),
    )
