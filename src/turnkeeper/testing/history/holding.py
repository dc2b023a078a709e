"""Invariants 8 and 10: who holds a conversation, and when it may end."""

import bisect
from collections.abc import Iterator
from itertools import pairwise

from turnkeeper.testing.history.books import Book, Books
from turnkeeper.testing.history.events import Grant
from turnkeeper.testing.history.finding import Finding, Findings


def one_owner_at_a_time(book: Book) -> Iterator[str]:
    """Fences only grow, no lease begins while another one lasts, and whoever lost one commits nothing more."""
    fence = 0
    for turn in book.turns:
        if turn.fence <= fence:
            yield f"version {turn.version} was committed under fence {turn.fence}, after fence {fence}"
        fence = turn.fence
    yield from _committed_too_late(book)
    before: Grant | None = None
    for grant in book.grants:
        if before is not None and grant != before:
            yield from _about_pair(book, before, grant)
        before = grant


def _committed_too_late(book: Book) -> Iterator[str]:
    """Tell which turns were committed after the lease had been granted to somebody else."""
    fences = [grant.fence for grant in book.grants]
    for turn in book.turns:
        place = bisect.bisect_right(fences, turn.fence)
        if place == len(fences):
            continue
        since = book.grants[place]
        if since.granted_ms < turn.at_ms:
            text = f"version {turn.version} was committed at {turn.at_ms} under fence {turn.fence}"
            yield f"{text}; fence {since.fence} had been granted at {since.granted_ms}"


def _about_pair(book: Book, before: Grant, grant: Grant) -> Iterator[str]:
    if grant.fence == before.fence:
        if grant.owner != before.owner:
            yield f"fence {grant.fence} was granted to {before.owner} and to {grant.owner}"
        return
    if grant.granted_ms < before.granted_ms:
        yield f"fence {grant.fence} was granted at {grant.granted_ms}, before fence {before.fence}"
    until_ms = max(before.until_ms, book.prolonged.get(before.fence, 0))
    handed_back_ms = book.handed_back.get(before.fence)
    is_over = until_ms <= grant.granted_ms or (handed_back_ms is not None and handed_back_ms <= grant.granted_ms)
    if not is_over and not grant.interrupted:
        yield f"fence {grant.fence} was granted at {grant.granted_ms}; fence {before.fence} lasted until {until_ms}"


def what_is_in_flight_does_not_end(books: Books) -> Findings:
    """Whatever waits or is unsent has no end and is in the index; whatever is at rest has an end and is not."""
    retains = books.setup is not None and books.setup.retains
    for book in books.by_name.values():
        yield from (Finding(book.name, text) for text in _forgotten_in_flight(book))
        for sight in book.sights:
            is_in_flight = bool(sight.waiting or sight.unsent)
            has_end = sight.expires_ms is not None
            if is_in_flight and has_end:
                text = f"at {sight.at_ms} it ends at {sight.expires_ms} with {len(sight.waiting)} waiting"
                yield Finding(book.name, f"{text}, {len(sight.unsent)} unsent")
            if retains and not is_in_flight and sight.version > 0 and not has_end:
                yield Finding(book.name, f"at {sight.at_ms} it is at rest and never ends")
            if sight.is_indexed is not None and sight.is_indexed != is_in_flight:
                what = "in flight and not in the index" if is_in_flight else "at rest and in the index"
                yield Finding(book.name, f"at {sight.at_ms} it is {what}")


def _forgotten_in_flight(book: Book) -> Iterator[str]:
    """Tell what of a generation came after the next one had begun: it was in flight when its state was forgotten."""
    next_began_ms = {
        earlier.generation: later.at_ms
        for earlier, later in pairwise(book.turns)
        if earlier.generation != later.generation
    }
    if not next_began_ms:
        return
    last_sent_ms = {got.effect: got.at_ms for got in book.got}
    taken, called_off = book.taken(), book.called_off()
    for turn in book.turns:
        began_ms = next_began_ms.get(turn.generation)
        if began_ms is None:
            continue
        for effect, _ in turn.replies:
            if last_sent_ms.get(effect, 0) > began_ms and effect not in book.redriven:
                yield f"generation {turn.generation} was forgotten with reply {effect} unsent"
        for promise in turn.promises:
            came_back = taken.get(promise)
            if came_back and came_back.generation != turn.generation and promise not in called_off:
                yield f"generation {turn.generation} was forgotten before {promise} came back"
