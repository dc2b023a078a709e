"""`chat`: a terminal as a phone.

Replies are read from the committed conversation, from the place up to which they were printed before: what arrived
while nobody was at the terminal is printed at the next start.
"""

import asyncio
import contextlib
import signal
import sys
import time
from collections.abc import Awaitable, Callable
from datetime import timedelta
from functools import partial

from turnkeeper.app import App, Line
from turnkeeper.cli.loading import load_app, tell_of_new_folder
from turnkeeper.cli.logs import configure
from turnkeeper.cli.reading import Input
from turnkeeper.cli.telling import naming
from turnkeeper.engine.results import Taken
from turnkeeper.errors import InvalidMessageError, OutcomeUnknownError, RetryableError, StoreUnavailableError
from turnkeeper.model.conversation import ConversationId
from turnkeeper.model.message import Message
from turnkeeper.ports.documents import DocumentKey

CHANNEL = "terminal"

LOOK_SECONDS = 0.2
"""How often an interactive terminal looks for replies that nobody asked for."""

AGAIN_SECONDS = 0.5
"""Wait before a line that the store did not take is handed over again."""

FAREWELL = timedelta(seconds=5)
"""How long an interactive terminal waits at its end for what is still under way; the next start prints the rest."""


def run_chat(reference: str, *, speaker: str, store: str | None, wait_seconds: float) -> None:
    """Talk until the input ends. SIGTERM and Ctrl-C end it too, and give back what runs.

    Raises:
        ConfigurationError: The application or its store cannot be used.
        InvalidMessageError: The speaker's address cannot be one.
        RetryableError: The store did not take a line, or could not be read, for as long as the wait allows; the lines
            before it are safe. Under the outage policies that take lines meanwhile, it goes on without the answers.
    """
    configure("text", is_quiet=True)  # else Python prints the names of events alone
    app, chosen = load_app(reference, store=store)
    tell_of_new_folder(chosen.url)
    with naming(chosen.reason):
        asyncio.run(_chat(app, speaker, timedelta(seconds=wait_seconds)))


async def _chat(app: App, speaker: str, wait: timedelta) -> None:
    talking = asyncio.current_task()
    is_terminated = False

    def terminate() -> None:
        nonlocal is_terminated
        is_terminated = True
        if talking is not None:
            talking.cancel()

    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, terminate)
    conversation = app.conversation(speaker)
    try:
        async with app.running():
            printer = _Printer(app, conversation)
            await _patiently(printer.begin, wait)
            if sys.__stdin__ is not None and sys.__stdin__.isatty():
                await _interactive(app, printer, conversation)
            else:
                await _piped(app, printer, conversation, wait)
    except asyncio.CancelledError:
        if not is_terminated:
            raise
        raise SystemExit(128 + signal.SIGTERM) from None


class _Printer:
    """Prints what is new, once, and remembers in the store how far it came."""

    def __init__(self, app: App, conversation: ConversationId) -> None:
        self._app = app
        self._person = conversation.person
        self._flow = conversation.flow
        self._key = DocumentKey(collection="turnkeeper.terminal", id=conversation.key, person=conversation.person)
        self._printed: set[str] = set()

    async def begin(self) -> None:
        """Print what came for the terminal since it was last open; nothing of what other screens showed."""
        replies = await self._replies()
        document = await self._app.store.documents.get(self._key)
        known = document.data.decode() if document else None
        ids = [line.id for line in replies]
        seen_until = ids.index(known) + 1 if known in ids else len(ids) if document else 0
        missed = [line for line in replies[seen_until:] if line.channel == CHANNEL]
        self._printed = set(ids)
        await self._print(missed)

    async def print_new(self) -> None:
        """Print every reply that was not printed yet."""
        await self._print([line for line in await self._replies() if line.id not in self._printed])

    async def _replies(self) -> list[Line]:
        return [line for line in await self._app.thread(self._person, flow=self._flow) if line.direction == "out"]

    async def _print(self, lines: list[Line]) -> None:
        for line in lines:
            sys.stdout.write(line.text + "\n")
            if line.buttons:
                sys.stdout.write("  ".join(f"[{button.text}]" for button in line.buttons) + "\n")
            self._printed.add(line.id)
        if lines:
            sys.stdout.flush()
            # If this fails, a later line remembers the place, or the next start prints these once more.
            with contextlib.suppress(RetryableError, OutcomeUnknownError):
                await self._app.store.documents.put(self._key, lines[-1].id.encode())


def _message(app: App, text: str) -> Message | None:
    """Make a message of a line; what cannot be one is told and passed over."""
    try:
        return app.message(text, channel=CHANNEL)
    except InvalidMessageError as exc:
        _note(f"{exc} (nothing was sent)")
        return None


async def _hand_over(app: App, conversation: ConversationId, message: Message) -> None:
    accepted = await app.accept(conversation.person, message, flow=conversation.flow)
    if accepted.outcome is Taken.FULL:
        raise StoreUnavailableError("too many messages wait in this conversation; try again later")
    if accepted.outcome is Taken.BUSY:
        _note("the conversation is busy; this was not taken")


def _note(text: str) -> None:
    sys.stderr.write(f"turnkeeper: {text}\n")
    sys.stderr.flush()


async def _piped(app: App, printer: _Printer, conversation: ConversationId, wait: timedelta) -> None:
    """Talk line by line; what an earlier start left unfinished ends before the first one."""
    await _settle(app, printer, conversation, wait)
    async for text in Input(tell=_note):
        message = _message(app, text)
        if message is not None:
            await _insist(app, conversation, message, wait)
            await _settle(app, printer, conversation, wait)


async def _settle(app: App, printer: _Printer, conversation: ConversationId, wait: timedelta) -> None:
    async def look() -> None:
        if not await app.at_rest(conversation.person, within=wait, flow=conversation.flow):
            _note(f"still working after {wait.total_seconds():g} s; going on")
        await printer.print_new()

    try:
        await _patiently(look, wait)
    except (RetryableError, OutcomeUnknownError) as exc:
        if app.outage.policy == "fail":
            raise
        _note(f"no answer can be read ({exc}); going on")


async def _patiently(step: Callable[[], Awaitable[None]], wait: timedelta) -> None:
    """Take a step that may be repeated, again and again while the store does not answer, at most for the wait."""
    deadline = time.monotonic() + wait.total_seconds()
    has_told = False
    while True:
        try:
            return await step()
        except (RetryableError, OutcomeUnknownError) as exc:
            if time.monotonic() >= deadline:
                raise
            if not has_told:
                _note(f"{exc}; trying again for {wait.total_seconds():g} s")
                has_told = True
        await asyncio.sleep(AGAIN_SECONDS)


async def _insist(app: App, conversation: ConversationId, message: Message, wait: timedelta) -> None:
    """Hand a line over until the store takes it, under one id, so that it counts once."""
    await _patiently(partial(_hand_over, app, conversation, message), wait)


async def _interactive(app: App, printer: _Printer, conversation: ConversationId) -> None:
    _note(f"you are {conversation.person}; one message a line, Ctrl-D ends")
    watcher = asyncio.create_task(_watch(printer))
    try:
        async for text in Input(tell=_note):
            message = _message(app, text)
            try:
                if message is not None:
                    await _hand_over(app, conversation, message)
            except (RetryableError, OutcomeUnknownError) as exc:
                _note(f"{exc}; say it again")
    finally:
        watcher.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await watcher
    try:
        await app.at_rest(conversation.person, within=FAREWELL, flow=conversation.flow)
        await printer.print_new()
    except (RetryableError, OutcomeUnknownError) as exc:
        _note(f"{exc}; what is still to come is printed at the next start")


async def _watch(printer: _Printer) -> None:
    """Print what comes; a store that does not answer for a while is no reason to stop."""
    while True:
        with contextlib.suppress(RetryableError, OutcomeUnknownError):
            await printer.print_new()
        await asyncio.sleep(LOOK_SECONDS)
