"""`chat`: a terminal as a phone.

Replies are read from the committed conversation, from the place up to which they were printed before: what arrived
while nobody was at the terminal is printed at the next start.
"""

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator
from datetime import timedelta

from turnkeeper.app import App, Line
from turnkeeper.cli.loading import load_app
from turnkeeper.engine.results import Taken
from turnkeeper.errors import InvalidMessageError, RetryableError, StoreUnavailableError
from turnkeeper.model.conversation import ConversationId
from turnkeeper.ports.documents import DocumentKey

CHANNEL = "terminal"

LOOK_SECONDS = 0.2
"""How often an interactive terminal looks for replies that nobody asked for."""

MAX_LINE_BYTES = 1024 * 1024
"""A longer line is refused whole instead of being read in pieces."""


def run_chat(reference: str, *, speaker: str, store: str | None, wait_seconds: float) -> None:
    """Talk until the input ends."""
    app, _ = load_app(reference, store=store)
    asyncio.run(_chat(app, speaker, timedelta(seconds=wait_seconds)))


async def _chat(app: App, speaker: str, wait: timedelta) -> None:
    conversation = app.conversation(speaker)
    async with app.running():
        printer = _Printer(app, conversation)
        await printer.begin()
        if sys.stdin.isatty():
            await _interactive(app, printer, conversation)
        else:
            await _piped(app, printer, conversation, wait)


class _Printer:
    """Prints what is new, once, and remembers in the store how far it came."""

    def __init__(self, app: App, conversation: ConversationId) -> None:
        self._app = app
        self._person = conversation.person
        self._key = DocumentKey(collection=CHANNEL, id=conversation.key, person=conversation.person)
        self._printed: set[str] = set()

    async def begin(self) -> None:
        """Print what came for the terminal since it was last open; nothing of what other screens showed."""
        replies = [line for line in await self._app.thread(self._person) if line.direction == "out"]
        document = await self._app.store.documents.get(self._key)
        known = document.data.decode() if document else None
        ids = [line.id for line in replies]
        seen_until = ids.index(known) + 1 if known in ids else len(ids)
        self._printed = set(ids[:seen_until])
        missed = [line for line in replies[seen_until:] if line.channel == CHANNEL]
        self._printed |= {line.id for line in replies[seen_until:] if line.channel != CHANNEL}
        await self._print(missed)

    async def print_new(self) -> None:
        """Print every reply that was not printed yet."""
        thread = await self._app.thread(self._person)
        await self._print([line for line in thread if line.direction == "out" and line.id not in self._printed])

    async def _print(self, lines: list[Line]) -> None:
        for line in lines:
            sys.stdout.write(line.text + "\n")
            if line.buttons:
                sys.stdout.write("  ".join(f"[{button.text}]" for button in line.buttons) + "\n")
            self._printed.add(line.id)
        if lines:
            sys.stdout.flush()
            await self._app.store.documents.put(self._key, lines[-1].id.encode())


async def _say(app: App, conversation: ConversationId, text: str) -> None:
    """Hand one line over; what cannot be one is told and passed over."""
    if not text.strip():
        _note("an empty line says nothing; nothing was sent")
        return
    try:
        accepted = await app.accept(conversation.person, app.message(text, channel=CHANNEL), flow=conversation.flow)
    except InvalidMessageError as exc:
        _note(str(exc))
        return
    if accepted.outcome is Taken.FULL:
        raise StoreUnavailableError("too many messages wait in this conversation; try again later")
    if accepted.outcome is Taken.BUSY:
        _note("the conversation is busy; this was not taken")


def _note(text: str) -> None:
    sys.stderr.write(f"turnkeeper: {text}\n")
    sys.stderr.flush()


async def _piped(app: App, printer: _Printer, conversation: ConversationId, wait: timedelta) -> None:
    async for text in _lines():
        await _say(app, conversation, text)
        if not await app.at_rest(conversation.person, within=wait):
            _note(f"still working after {wait.total_seconds():g} s; going on with the next line")
        await printer.print_new()


async def _interactive(app: App, printer: _Printer, conversation: ConversationId) -> None:
    _note(f"you are {conversation.person}; one message a line, Ctrl-D ends")
    watcher = asyncio.create_task(_watch(printer))
    try:
        async for text in _lines():
            try:
                await _say(app, conversation, text)
            except RetryableError as exc:
                _note(f"{exc}; say it again")
    finally:
        watcher.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await watcher
    await app.at_rest(conversation.person, within=timedelta(seconds=5))
    await printer.print_new()


async def _watch(printer: _Printer) -> None:
    while True:
        await printer.print_new()
        await asyncio.sleep(LOOK_SECONDS)


async def _lines() -> AsyncIterator[str]:
    """Yield the lines of standard input; bytes that are no UTF-8 become replacement characters."""
    loop = asyncio.get_running_loop()
    while True:
        raw = await loop.run_in_executor(None, sys.stdin.buffer.readline, MAX_LINE_BYTES)
        if not raw:
            return
        if len(raw) == MAX_LINE_BYTES and not raw.endswith(b"\n"):
            while raw and not raw.endswith(b"\n"):
                raw = await loop.run_in_executor(None, sys.stdin.buffer.readline, MAX_LINE_BYTES)
            _note(f"a line of more than {MAX_LINE_BYTES} bytes was passed over; send it in parts")
            continue
        yield raw.decode("utf-8", "replace").rstrip("\r\n")
