"""Invariants 1 to 4: what was accepted is applied once, in order, one version a turn."""

from collections import Counter
from collections.abc import Iterator

from turnkeeper.testing.history.books import Book
from turnkeeper.testing.history.events import Answer, Asked

_DURABLE = frozenset({Answer.ACCEPTED, Answer.DONE})


def nothing_is_lost(book: Book) -> Iterator[str]:
    """Every accepted message is applied, a dead letter, or still waits; so is every result and timer of a turn."""
    waiting = set(book.last.waiting) if book.last is not None else set()
    ended = set(book.applied()) | set(book.dead) | waiting
    for message in book.buried() - ended:
        what = "was put back and is nowhere" if message in book.redriven else "was given up and is no dead letter"
        yield f"message {message} {what}"
    ended |= book.buried()
    for message, asked in book.asked.items():
        if message not in ended and any(one.answer in _DURABLE for one in asked):
            yield f"message {message} was accepted and is nowhere"
    unsent = set(book.last.unsent) if book.last is not None else set()
    excused = ended | unsent | book.called_off()
    for turn in book.turns:
        for promise in turn.promises:
            if promise not in excused and promise.partition(":")[2] not in excused:
                yield f"version {turn.version} was to bring back {promise}, which is nowhere"


def nothing_is_applied_twice(book: Book) -> Iterator[str]:
    """No message is taken by two turns, or applied and a dead letter too, unless somebody redrove it.

    Whoever redrives it has it given up more than once; it is applied once all the same.
    """
    if book.last is not None and book.last.applied is not None:
        in_state = Counter(book.last.applied)
        yield from (f"message {one} is in the state {count} times" for one, count in in_state.items() if count > 1)
    applied, taken = book.applied(), Counter(message for turn in book.turns for message in turn.messages)
    for message, count in taken.items():
        if count > 1 and message not in book.redriven:
            yield f"message {message} was taken by {count} turns"
        elif applied[message] > 1:
            yield f"message {message} was put back, and applied by {applied[message]} turns"
    for source, count in book.dead.items():
        if source in book.redriven:
            continue
        if count > 1:
            yield f"{source} is {count} dead letters"
        if source in applied:
            yield f"message {source} was applied and is a dead letter"


def order_is_that_of_acceptance(book: Book) -> Iterator[str]:
    """No message is applied before another one whose acceptance was known before it was sent at all."""
    position = 0
    generation = None
    for turn in book.turns:
        if turn.generation != generation:
            generation, position = turn.generation, 0
        for number, message in zip(turn.positions, turn.messages, strict=False):
            if number <= position and message not in book.redriven:
                yield f"message {message} stood at {number} in the inbox and was taken after {position}"
            position = max(position, number)
    order = [message for turn in book.turns for message in turn.messages if message not in book.redriven]
    earliest_known: int | None = None
    known = ""
    for message in reversed(order):
        asked = book.asked.get(message)
        if not asked:
            continue
        if earliest_known is not None and earliest_known < min(one.started_ms for one in asked):
            yield f"message {message} was applied before {known}, which had been accepted before it was sent"
        accepted_ms = _accepted_ms(asked)
        if accepted_ms is not None and (earliest_known is None or accepted_ms < earliest_known):
            earliest_known, known = accepted_ms, message


def _accepted_ms(asked: list[Asked]) -> int | None:
    """Return when a provider first knew that a message was accepted."""
    return min((one.ended_ms for one in asked if one.answer in _DURABLE), default=None)


def versions_have_no_gaps(book: Book) -> Iterator[str]:
    """Versions count 1, 2, 3 … per generation, each by a commit of its own, and state and log tell the same."""
    commits = Counter(turn.commit for turn in book.turns)
    yield from (f"commit {one} wrote {count} log entries" for one, count in commits.items() if count > 1)
    version, generation, seq = 0, None, None
    for turn in book.turns:
        if seq is not None and turn.seq != seq + 1:
            yield f"log entry {turn.seq} follows {seq}"
        seq = turn.seq
        if turn.generation != generation:
            generation, version = turn.generation, 0
        version += not turn.unchanged
        if turn.version != version:
            yield f"version {turn.version} stands where {version} must"
            version = turn.version
    if book.last is None or book.last.version == 0:
        return
    if book.turns and book.last.version != version:
        yield f"the conversation is at version {book.last.version}, its log at {version}"
    if book.last.applied is not None:
        logged = [
            one for turn in book.turns if turn.generation == generation and not turn.unchanged for one in turn.messages
        ]
        if list(book.last.applied) != logged:
            yield f"the state holds {_tail(book.last.applied)}, the log {_tail(logged)}"


def _tail(ids: tuple[str, ...] | list[str]) -> str:
    return f"{len(ids)} messages ending with {list(ids[-3:])}"
