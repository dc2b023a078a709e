"""Invariants 5, 6, 7 and 9: what the world was told is what was committed."""

from collections.abc import Collection, Iterator

from turnkeeper.testing.history.books import Book
from turnkeeper.testing.history.events import Answer, Asked, Ending, Reported


def replies_are_those_of_commits(book: Book) -> Iterator[str]:
    """What was sent stands in one committed turn, word for word; what was applied was sent or asked for by one."""
    committed: dict[str, str] = {}
    for turn in book.turns:
        for effect, text in turn.replies:
            if effect in committed:
                yield f"reply {effect} was committed twice, the second time by version {turn.version}"
            committed[effect] = text
    for got in book.got:
        if got.effect not in committed:
            yield f"reply {got.effect} was sent; no committed turn asked for it"
        elif committed[got.effect] != got.text:
            yield f"reply {got.effect} was sent as {got.text!r}; committed was {committed[got.effect]!r}"
    yield from _out_of_nowhere(book, committed.keys())


def _out_of_nowhere(book: Book, committed: Collection[str]) -> Iterator[str]:
    """Tell what was applied or died that nobody sent and no turn asked for; without one delivery nobody can say."""
    promised = {promise for turn in book.turns for promise in turn.promises}
    for turn in book.turns:
        for message in turn.messages:
            if message in promised or message in book.asked:
                continue
            if message.startswith(("result:", "timer:")):
                yield f"{message} came back; no committed turn asked for it"
            elif book.has_asked:
                yield f"message {message} was taken by version {turn.version}; nobody sent it"
    known = promised | {promise.partition(":")[2] for promise in promised} | set(committed) | book.asked.keys()
    if book.has_asked:
        yield from (f"{source} is a dead letter; nobody sent it or asked for it" for source in book.dead.keys() - known)


def replies_arrive_in_order(book: Book) -> Iterator[str]:
    """Every committed reply is taken by the provider at least once, first times in order, all but one time marked.

    The one without a mark may be the last: what a sender gave up on can arrive after its repetition.
    """
    places = {effect: place for place, effect in enumerate(effect for turn in book.turns for effect, _ in turn.replies)}
    yield from _out_of_order(book, places)
    yield from _sent_again(book)
    excused = {got.effect for got in book.got} | set(book.dead) | book.called_off()
    if book.last is not None:
        excused |= set(book.last.unsent)
    yield from (f"reply {effect} was never sent" for effect in places if effect not in excused)


def _out_of_order(book: Book, places: dict[str, int]) -> Iterator[str]:
    """Tell whose first time came before that of an earlier one; of what was given up, a copy may come at any time."""
    excused = book.redriven | set(book.dead) | book.called_off()
    first_times = {got.effect: None for got in book.got if got.effect in places and got.effect not in excused}
    latest, latest_effect = -1, ""
    for effect in first_times:
        if places[effect] < latest:
            yield f"reply {effect} was first sent after {latest_effect}"
        else:
            latest, latest_effect = places[effect], effect


def _sent_again(book: Book) -> Iterator[str]:
    """Tell whose repetition has no mark, or should not have been."""
    seen: set[str] = set()
    unmarked: set[str] = set()
    for got in book.got:
        if not got.maybe_sent and got.effect in unmarked:
            yield f"reply {got.effect} was sent again without maybe_sent"
        if got.effect in seen and not (book.resends or got.effect in book.redriven):
            yield f"reply {got.effect} was sent again although its channel wants it held"
        seen.add(got.effect)
        if not got.maybe_sent:
            unmarked.add(got.effect)


def reports_agree_with_the_log(book: Book) -> Iterator[str]:
    """Committed is in the log, fenced is not, refused is nowhere; only a lost answer may be either."""
    at = {turn.commit: number for number, turn in enumerate(book.turns)}
    for commit, reports in book.reported.items():
        yield from _about_commit(book, commit, reports, at.get(commit))
    taken = book.taken()
    for message, asked in book.asked.items():
        turn = taken.get(message)
        if turn is None and message not in book.dead and any(one.answer is Answer.DONE for one in asked):
            yield f"message {message} was reported done; no turn took it"
        if turn is not None and _is_before_any_chance(asked, turn.at_ms):
            yield f"message {message} had only been refused when version {turn.version} applied it"
        if turn is not None and (early := _done_before(asked, turn.at_ms)) is not None:
            yield f"message {message} was reported done at {early}, committed at {turn.at_ms}"


def _is_before_any_chance(asked: list[Asked], at_ms: int) -> bool:
    """Return whether every delivery that may have written a message began after its turn was committed."""
    return all(one.answer is Answer.REFUSED or one.started_ms > at_ms for one in asked)


def _done_before(asked: list[Asked], at_ms: int) -> int | None:
    """Return when a message was reported done before it was."""
    return next((one.ended_ms for one in asked if one.answer is Answer.DONE and one.ended_ms < at_ms), None)


def _about_commit(book: Book, commit: str, reports: list[Reported], place: int | None) -> Iterator[str]:
    is_certain = all(one.ending is not Ending.UNKNOWN for one in reports)
    for report in reports:
        if report.ending is Ending.COMMITTED:
            if place is None:
                yield f"commit {commit} was reported as committed; the log does not have it"
            elif report.version not in {None, book.turns[place].version}:
                yield f"commit {commit} was reported as version {report.version}, logged as {book.turns[place].version}"
        elif place is not None and report.ending in {Ending.FENCED, Ending.CONFLICT}:
            committed_before = any(one.ending is Ending.COMMITTED for one in reports)
            if is_certain and not committed_before:
                yield f"commit {commit} was reported as {report.ending.value}; the log has it"
            elif not _is_outgrown(book, place, report):
                yield f"commit {commit} was repeated and reported as {report.ending.value}; it was the last one"
    if place is not None and all(one.ending is Ending.REFUSED for one in reports):
        yield f"commit {commit} was refused every time; the log has it"


def _is_outgrown(book: Book, place: int, report: Reported) -> bool:
    """Return whether the next turn may have been committed when this report came: only the last id is kept."""
    return place + 1 < len(book.turns) and book.turns[place + 1].at_ms <= report.answered_ms


def duplicates_hear_the_first_reply(book: Book) -> Iterator[str]:
    """Whoever delivers a message again gets the replies that its turn recorded, the same ones each time."""
    taken = book.taken()
    for message, asked in book.asked.items():
        said = {one.replies for one in asked if one.answer is Answer.DONE and one.replies is not None}
        turn = taken.get(message)
        if turn is not None:
            said.add(turn.answer)
        if len(said) > 1:
            yield f"message {message} was answered in {len(said)} ways: {sorted(said)}"
