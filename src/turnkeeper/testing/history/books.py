"""A history, sorted once by what the invariants ask for. Building it is linear, and so is each of them."""

from collections import Counter
from collections.abc import Iterable

import msgspec

from turnkeeper.testing.history.events import (
    AnyEvent,
    Asked,
    Dead,
    Ending,
    Fault,
    Footprint,
    Got,
    Grant,
    Handback,
    Healed,
    Idle,
    Prolonged,
    Redriven,
    Reported,
    Rested,
    Setup,
    Sight,
    Turn,
)


class Book(msgspec.Struct, kw_only=True):
    """Everything that was seen of one conversation.

    Attributes:
        turns: In the order of the log.
        asked: By message id, in the order of the history.
        got: In the order in which the provider took them.
        reported: By commit id.
        dead: How often an id is among the dead letters.
        last: The look when everything was over.
        resends: From the setup.
        has_asked: Whether the history tells of deliveries of messages at all.
    """

    name: str
    turns: list[Turn] = []
    asked: dict[str, list[Asked]] = {}
    got: list[Got] = []
    reported: dict[str, list[Reported]] = {}
    dead: dict[str, int] = {}
    redriven: set[str] = set()
    sights: list[Sight] = []
    grants: list[Grant] = []
    prolonged: dict[int, int] = {}
    handed_back: dict[int, int] = {}
    last: Sight | None = None
    resends: bool = True
    has_asked: bool = False

    def taken(self) -> dict[str, Turn]:
        """Return the first turn that took each message."""
        found: dict[str, Turn] = {}
        for turn in self.turns:
            for message in turn.messages:
                found.setdefault(message, turn)
        return found

    def buried(self) -> set[str]:
        """Return the messages that some turn gave up."""
        return {message for turn in self.turns if turn.buried for message in turn.messages[:1]}

    def applied(self) -> Counter[str]:
        """Return how many turns took each message and did not give it up."""
        return Counter(message for turn in self.turns for message in turn.messages[turn.buried :])

    def called_off(self) -> set[str]:
        """Return the effects and promises that some turn cancelled, or that a person did not want to hear of."""
        names = {name for turn in self.turns for name in turn.called_off}
        if any(turn.silences for turn in self.turns):
            last = max(place for place, turn in enumerate(self.turns) if turn.silences)
            for turn in self.turns[:last]:
                names.update(effect for effect, _ in turn.replies)
                names.update(turn.promises)
        return names


class Books(msgspec.Struct, kw_only=True):
    """The whole history."""

    setup: Setup | None = None
    by_name: dict[str, Book] = {}
    faults: dict[str, int] = {}
    healed: Healed | None = None
    rested: Rested | None = None
    idle: list[Idle] = []
    footprints: list[Footprint] = []
    events: int = 0

    def counters(self) -> dict[str, int]:
        """Count what happened, for the table that is published."""
        books = self.by_name.values()
        replies = sum(len(book.got) for book in books)
        return {
            "events": self.events,
            "conversations": len(self.by_name),
            "messages": sum(len(book.asked) for book in books),
            "deliveries_of_messages": sum(len(many) for book in books for many in book.asked.values()),
            "turns": sum(len(book.turns) for book in books),
            "replies": replies,
            "replies_repeated": replies - sum(len({got.effect for got in book.got}) for book in books),
            "dead_letters": sum(sum(book.dead.values()) for book in books),
            "commits_fenced": sum(
                one.ending is Ending.FENCED for book in books for many in book.reported.values() for one in many
            ),
            "faults": sum(self.faults.values()),
        }


def gather(history: Iterable[AnyEvent]) -> Books:
    """Sort a history. Events of several processes may come in any order, as long as those of one keep theirs."""
    books = Books()
    for event in history:
        books.events += 1
        _note(books, event)
    has_asked = any(book.asked for book in books.by_name.values())
    for book in books.by_name.values():
        book.has_asked = has_asked
        book.resends = books.setup is None or books.setup.resends
        book.turns.sort(key=lambda turn: turn.seq)
        book.got.sort(key=lambda got: got.at_ms)
        book.grants.sort(key=lambda grant: grant.fence)
    return books


def _note(books: Books, event: AnyEvent) -> None:
    match event:
        case Setup():
            books.setup = event
        case Fault():
            books.faults[event.kind] = books.faults.get(event.kind, 0) + 1
        case Healed():
            books.healed = event
        case Rested():
            books.rested = event
        case Idle():
            books.idle.append(event)
        case Footprint():
            books.footprints.append(event)
        case _:
            book = books.by_name.get(event.conversation)
            if book is None:
                book = books.by_name[event.conversation] = Book(name=event.conversation)
            _note_in(book, event)


def _note_in(
    book: Book, event: Asked | Got | Turn | Sight | Dead | Redriven | Grant | Prolonged | Handback | Reported
) -> None:
    match event:
        case Asked():
            book.asked.setdefault(event.message, []).append(event)
        case Got():
            book.got.append(event)
        case Turn():
            book.turns.append(event)
        case Sight():
            book.sights.append(event)
            book.last = event if event.is_last else book.last
        case Dead():
            book.dead[event.source] = book.dead.get(event.source, 0) + 1
        case Redriven():
            book.redriven.add(event.source)
        case _:
            _note_work(book, event)


def _note_work(book: Book, event: Grant | Prolonged | Handback | Reported) -> None:
    match event:
        case Grant():
            book.grants.append(event)
        case Prolonged():
            book.prolonged[event.fence] = max(event.until_ms, book.prolonged.get(event.fence, 0))
        case Handback():
            book.handed_back[event.fence] = min(event.at_ms, book.handed_back.get(event.fence, event.at_ms))
        case Reported():
            book.reported.setdefault(event.commit, []).append(event)
