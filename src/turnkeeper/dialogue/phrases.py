"""Where a phrase stands in an utterance, and what its slots hold there.

A matcher of our own and no regular expression: literal words are found from left to right, a slot ends at the first
place where the phrase can go on, and nothing backtracks over more than one slot, so the time is linear in the message.
"""

from collections.abc import Iterator, Mapping, Sequence

import msgspec

from turnkeeper.dialogue.intents import Intent
from turnkeeper.dialogue.language.courtesy import ARTICLES, JOINERS, LIGHT
from turnkeeper.dialogue.language.options import NEGATORS
from turnkeeper.dialogue.language.templates import Slot, Variant, words_of
from turnkeeper.dialogue.language.tokens import Break
from turnkeeper.dialogue.language.utterance import Utterance
from turnkeeper.dialogue.slots import SlotKind, SlotReading, SlotValue, Text, read_closed

MAX_STARTS = 8
"""Places of a phrase's first word that are tried in one message: who says "skip" more often means something else."""

MAX_STEPS_OVER = 3
"""Courtesies and articles that may stand between two words of a phrase ("undo just the last one")."""

SHORTEST_HEAD = 4
"""Letters of a first word that make a slot's content another phrase: "no bake cookies" is a dish, "skip monday" is not."""

SPAN_SLACK = 4
"""Articles and courtesies that a free slot may hold beside its words."""

_STOPS = frozenset(
    """
    because cause cuz coz bc since but although though unless if while whenever so please pls plz plez thanks thank thx
    thankyou ty i ill id we they he she it you let then also
    """.split()
)
"""Words that end a free slot at the end of a phrase: what follows is a reason, a thank-you or the next thought."""

_OPENERS = frozenset(
    """
    i ill id we you he she they it there let to is are was were not because if but be do does did could will would
    should reason point way idea clue problem problems prob worries worry doubt longer matter rush hurry wonder
    """.split()
)
"""Words with which no thing's name begins, but a sentence or an idiom does ("no idea", "no, it's fine")."""

_VERBS = frozenset(
    """
    is are am was were be been not will would can could has have had do does did love loves like likes hate hates eat eats
    want wants need needs got said says think came come comes
    """.split()
)
"""Words that make what follows a comma a sentence and no further thing ("…, my kids won't eat it")."""

_FOREIGN = frozenset(
    """
    que para muy puedo quiero necesito tengo porque gracias hola ich nicht und aber bitte kein keine wir je nous vous pas
    avec merci bonjour não nao obrigado voglio grazie sono eu você
    """.split()
)
"""Little words of other languages that stand in no dish's name: with one of them a slot holds a sentence."""

_LEADING_VERBS = frozenset(
    """
    have get do use make want give prefer like love take rather cook eat try go add put need order choose pick i id we you
    would it me us be with having to for am
    """.split()
)
"""Stripped from a slot that begins a phrase: "can we have [chicken] instead of pork"."""

_LEAD_STOPS = (JOINERS - {"and", "plus"}) | {"no", "yes", "yeah", "nope", "nah", "not"}
_TRAILING = frozenset("instead too also anymore now tonight today again then either all please".split())
_LINKS = frozenset({"and", "then", "also", "plus"})


class Step(msgspec.Struct, frozen=True):
    """Words in a row, and the slot behind them, if any."""

    run: tuple[str, ...]
    slot: str | None


class Phrase(msgspec.Struct, frozen=True, kw_only=True):
    """One plain variant of an intent's phrase, ready for matching.

    Attributes:
        lead: The slot that it begins with, None if it begins with a word.
        evidence: How much its words say: 1 for a full word or a closed slot, a half for a little word.
    """

    intent: str
    lead: str | None
    steps: tuple[Step, ...]
    kinds: Mapping[str, SlotKind]
    words: frozenset[str]
    evidence: float

    @property
    def is_plain(self) -> bool:
        """Whether it has no slot."""
        return not self.kinds


class Alignment(msgspec.Struct, frozen=True, kw_only=True):
    """A phrase found in an utterance.

    Attributes:
        first: Place of the first matched word.
        last: The place after the last one.
        literals: Places of the phrase's own words.
        taken: Places inside its slots.
        open_words: Words in its free slots, which could have been anything.
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
    """A slot's value, the range of words that it used up, and how many of them are free."""

    value: SlotValue
    first: int
    last: int
    open_words: int


def compile_phrase(intent: Intent, variant: Variant) -> Phrase:
    """Prepare one variant of an intent's phrase."""
    pieces = list(variant)
    lead = pieces.pop(0).name if isinstance(pieces[0], Slot) else None  # type: ignore[union-attr]
    steps: list[Step] = []
    run: list[str] = []
    for piece in pieces:
        if isinstance(piece, Slot):
            steps.append(Step(tuple(run), piece.name))
            run = []
        else:
            run.append(piece)
    if run:
        steps.append(Step(tuple(run), None))
    words = words_of(variant)
    kinds = {piece.name: intent.kind_of(piece.name) for piece in variant if isinstance(piece, Slot)}
    closed = sum(not isinstance(kind, Text) for kind in kinds.values())
    return Phrase(
        intent=intent.name,
        lead=lead,
        steps=tuple(steps),
        kinds=kinds,
        words=frozenset(words),
        evidence=closed + sum(0.5 if word in LIGHT or word in ARTICLES else 1.0 for word in words),
    )


class Aligner:
    """Finds phrases in utterances. It knows all phrases, because a slot ends where another phrase begins."""

    def __init__(self, phrases: Sequence[Phrase]) -> None:
        self._by_head: dict[str, list[Phrase]] = {}
        for phrase in phrases:
            if phrase.lead is None and not phrase.is_plain:
                self._by_head.setdefault(phrase.steps[0].run[0], []).append(phrase)
        self._plain = {phrase.steps[0].run: phrase.intent for phrase in phrases if phrase.is_plain}

    def alignments(self, phrase: Phrase, utterance: Utterance) -> Iterator[Alignment]:
        """Yield every place where the phrase stands, from left to right, at most `MAX_STARTS`."""
        head = phrase.steps[0].run[0]
        starts = [place for place, readings in enumerate(utterance.readings) if head in readings]
        for start in starts[:MAX_STARTS]:
            found = self._align(phrase, utterance, start, depth=0)
            if found is not None:
                yield found

    def begins_wish(self, utterance: Utterance, place: int) -> bool:
        """Tell whether a phrase with slots begins at this word."""
        return any(
            self._align(phrase, utterance, place, depth=1) is not None
            for head in utterance.readings[place]
            for phrase in self._by_head.get(head, ())
        )

    def _align(self, phrase: Phrase, utterance: Utterance, start: int, *, depth: int) -> Alignment | None:
        """Find the phrase with its first word at `start`. At depth 1 slots are not asked whether they hold a wish."""
        places = _run(utterance, phrase.steps[0].run, start)
        if places is None:
            return None
        founds: dict[str, _Found] = {}
        if phrase.lead is not None:
            led = self._read_lead(phrase, phrase.lead, utterance, start, depth)
            if led is None:
                return None
            founds[phrase.lead] = led
        literals = list(places)
        for index, step in enumerate(phrase.steps):
            if step.slot is None:
                break
            following = phrase.steps[index + 1].run if index + 1 < len(phrase.steps) else None
            slot_and_run = self._read_slot(phrase, step.slot, following, utterance, literals[-1] + 1, depth)
            if slot_and_run is None:
                return None
            founds[step.slot] = slot_and_run[0]
            literals.extend(slot_and_run[1])
        return _alignment(phrase, utterance, founds, literals)

    def _read_slot(  # noqa: PLR0913
        self,
        phrase: Phrase,
        slot: str,
        following: tuple[str, ...] | None,
        utterance: Utterance,
        first: int,
        depth: int,
    ) -> tuple[_Found, tuple[int, ...]] | None:
        """Read a slot that begins at `first`, and the words that follow it in the phrase, if any do."""
        words = utterance.words
        if first >= len(words) or words[first].pause is Break.SENTENCE or words[first].gap in {"-", ", ", ","}:
            return None
        kind = phrase.kinds[slot]
        if following is None:
            last = self._free_end(utterance, first, depth) if isinstance(kind, Text) else len(words)
            found = self._value(phrase, kind, utterance, first, last, depth)
            return None if found is None else (found, ())
        limit = len(words) if not isinstance(kind, Text) else first + kind.max_words + SPAN_SLACK
        for place in range(first + 1, min(limit, len(words))):
            if words[place].pause is Break.SENTENCE:
                return None
            places = _run(utterance, following, place) if following[0] in utterance.readings[place] else None
            if places is not None:
                found = self._value(phrase, kind, utterance, first, place, depth)
                if found is not None and _reaches(utterance, found.last, place):
                    return found, places
        return None

    def _read_lead(self, phrase: Phrase, slot: str, utterance: Utterance, end: int, depth: int) -> _Found | None:
        """Read the slot before the phrase's first word, from as far back as one thought goes."""
        words = utterance.words
        if end == 0 or words[end].pause is Break.SENTENCE:
            return None
        start = end - 1
        begins = []
        while start > 0 and words[start].pause is Break.NONE and words[start].key not in _LEAD_STOPS:
            if words[start].key in _LINKS:
                begins.append(start + 1)
            start -= 1
        for begin in (start, *reversed(begins)):
            first = begin
            while first < end and (
                utterance.is_idle(first) or words[first].key in _LEADING_VERBS | _LEAD_STOPS | _STOPS
            ):
                first += 1
            found = self._value(phrase, phrase.kinds[slot], utterance, first, end, depth) if first < end else None
            if found is not None and _reaches(utterance, found.last, end):
                return found
        return None

    def _value(  # noqa: PLR0913
        self, phrase: Phrase, kind: SlotKind, utterance: Utterance, first: int, last: int, depth: int
    ) -> _Found | None:
        """Read what words `first` up to `last` hold, None if that is no value of this kind."""
        if not isinstance(kind, Text):
            reading: SlotReading | None = read_closed(kind, utterance, first=first, last=last)
            return None if reading is None else _Found(reading.value, first, reading.end, 0)
        begin, end = _trimmed(utterance, first, last)
        held = [word.key for word in utterance.words[begin:end]]
        if not held or len(held) > kind.max_words or held[0] in _OPENERS or utterance.words[first].key in _OPENERS:
            return None
        if not _FOREIGN.isdisjoint(held) or (depth == 0 and self._is_wish(phrase, utterance, begin, end)):
            return None
        text = utterance.tokens.text(begin, end)
        return _Found(text, first, last, sum(utterance.weights[place] > 0 for place in range(begin, end)))

    def _is_wish(self, phrase: Phrase, utterance: Utterance, begin: int, end: int) -> bool:
        """Tell whether the words are another phrase: then they are no value ("no, skip monday")."""
        held = tuple(word.key for word in utterance.words[begin:end])
        if self._plain.get(held, phrase.intent) != phrase.intent:
            return True
        return len(held[0]) >= SHORTEST_HEAD and self.begins_wish(utterance, begin)

    def _free_end(self, utterance: Utterance, first: int, depth: int) -> int:
        """Return where a free slot at the end of a phrase ends."""
        words = utterance.words
        for place in range(first + 1, len(words)):
            word = words[place]
            if word.pause is Break.SENTENCE or word.key in _STOPS or word.is_symbol:
                return place
            is_comma = "," in word.gap
            if word.pause is Break.CLAUSE and not is_comma and "(" not in word.gap:
                return place
            if (is_comma or word.key in _LINKS) and self._turns_away(utterance, place, depth):
                return place
        return len(words)

    def _turns_away(self, utterance: Utterance, place: int, depth: int) -> bool:
        """Tell whether something new begins at a comma or an "and": another wish, or a sentence."""
        words = utterance.words
        while place < len(words) and (words[place].key in _LINKS or utterance.is_idle(place)):
            if utterance.courteous[place]:
                return True
            place += 1
        if place >= len(words):
            return True
        key = words[place].key
        if key in _OPENERS or key in NEGATORS or (depth == 0 and self.begins_wish(utterance, place)):
            return True
        end = place + 1
        while end < len(words) and words[end].pause is Break.NONE and words[end].key not in _LINKS:
            end += 1
        return any(word.key in _VERBS for word in words[place:end])


def _run(utterance: Utterance, run: tuple[str, ...], start: int) -> tuple[int, ...] | None:
    """Return the places of words in a row from `start` on; courtesies and articles between them are stepped over."""
    places: list[int] = []
    place = start
    for word in run:
        steps = 0
        while place < len(utterance.words) and word not in utterance.readings[place]:
            if not places or steps == MAX_STEPS_OVER or not utterance.is_idle(place):
                return None
            steps += 1
            place += 1
        if place >= len(utterance.words) or (places and utterance.words[place].pause is Break.SENTENCE):
            return None
        places.append(place)
        place += 1
    return tuple(places)


def _trimmed(utterance: Utterance, first: int, last: int) -> tuple[int, int]:
    """Return the range without articles and politeness around it."""
    words = utterance.words
    while last > first and (
        utterance.courteous[last - 1] or words[last - 1].is_symbol or (last - 1 > first and words[last - 1].key in _TRAILING)
    ):
        last -= 1
    while first < last and (utterance.courteous[first] or words[first].is_symbol):
        first += 1
    while first < last - 1 and words[first].key in ARTICLES:
        first += 1
    return first, last


def _reaches(utterance: Utterance, end: int, place: int) -> bool:
    """Tell whether nothing but courtesies and articles stands between a slot's end and the phrase's next word."""
    return all(utterance.is_idle(between) for between in range(end, place))


def _alignment(
    phrase: Phrase, utterance: Utterance, founds: Mapping[str, _Found], literals: Sequence[int]
) -> Alignment:
    """Put together what was found."""
    taken = tuple(place for found in founds.values() for place in range(found.first, found.last))
    wanted = [word for step in phrase.steps for word in step.run]
    return Alignment(
        phrase=phrase,
        first=min((*literals, *taken)),
        last=max((*literals, *taken)) + 1,
        literals=tuple(literals),
        taken=taken,
        slots={name: found.value for name, found in founds.items()},
        open_words=sum(found.open_words for found in founds.values()),
        typos=sum(utterance.words[place].key != word for place, word in zip(literals, wanted, strict=True)),
    )
