"""One turn being handled: runs handlers on the ledger, and gathers what the log entry will say.

Policies and handlers meet here. A turn may run several handlers (a burst of messages, "confirm, and skip Monday"); they
share the ledger, and are committed together.
"""

from datetime import timedelta
from typing import Any, Generic, TypeVar

import msgspec

from turnkeeper.codecs import Decoded
from turnkeeper.codecs.json import decode_value
from turnkeeper.dialogue.declaring.declared import Handler
from turnkeeper.dialogue.eventlog import STARTED_OVER, Undoable, find_undoable
from turnkeeper.dialogue.ledger import Ledger
from turnkeeper.dialogue.running.compiled import ONE_MS, Compiled
from turnkeeper.dialogue.thread import Question, moment, thread_of
from turnkeeper.dialogue.turn import Turn, Understanding, Undone
from turnkeeper.dialogue.understanding.intents import UNKNOWN
from turnkeeper.errors import HandlerError
from turnkeeper.model.message import PERSONAL, Message

S = TypeVar("S")

_members = msgspec.json.Decoder(dict[str, msgspec.Raw])
_encode = msgspec.json.Encoder().encode


class Handling(Generic[S]):
    """The handling of one turn.

    Attributes:
        messages: What is being handled right now.
        intent: For the log: the first thing that was understood.
        handlers: For the log: what ran.
        heard: For the log: what came in.
        note, error: For the log; see `LogEntry`.
        opt_out: What becomes of the person's opt-out flag; None: nothing.
        is_silent: The person opted out: nobody answers.
    """

    __slots__ = (
        "compiled",
        "error",
        "handlers",
        "heard",
        "intent",
        "is_silent",
        "ledger",
        "messages",
        "note",
        "opt_out",
        "plan",
        "thread",
    )

    def __init__(self, compiled: Compiled[S], ledger: Ledger[S]) -> None:
        self.compiled = compiled
        self.plan = compiled.plan
        self.ledger = ledger
        self.thread = ledger.thread
        self.messages: tuple[Message, ...] = ledger.input.messages[-1:]
        self.intent = ""
        self.handlers: list[str] = []
        self.heard: list[str] = []
        self.note = ""
        self.error = ""
        self.opt_out: bool | None = None
        self.is_silent = ledger.input.opted_out

    @property
    def now_ms(self) -> int:
        """The store's clock when the turn began."""
        return self.ledger.input.now_ms

    def say(self, text: str) -> None:
        """Answer in the flow's own words; an empty text says nothing."""
        if text:
            self.ledger.reply(self.messages[-1], text)

    def repeat_question(self) -> None:
        """Ask the pending question again."""
        if self.thread.question is not None:
            self.say(self.thread.question.text)

    def understood(self, intent: str) -> None:
        """Have the log say how the message was understood; the first understanding counts."""
        self.intent = self.intent or intent

    def remark(self, note: str) -> None:
        """Have the log say why things went as they did. That it began anew outweighs the rest."""
        if self.note != STARTED_OVER:
            self.note = note

    def enter(self, status: str) -> None:
        """Lead to a status."""
        self.thread.enter(status, at_ms=self.now_ms)

    def turn(self, understanding: Understanding, handler: Handler | None = None) -> Turn[S]:
        """Return what a handler, guard or hook gets to see."""
        return Turn(
            self.ledger,
            self.messages,
            understanding,
            handler=handler,
            undo=self.take_back,
            hint=self.compiled.hint,
        )

    def choose(self, kind: str, name: str, understanding: Understanding) -> Handler | None:
        """Return the handler that runs in this status; its guard sees the turn."""

        def holds(handler: Handler) -> bool:
            turn = self.turn(understanding, handler)
            held = handler.guard is None or handler.guard(turn)
            turn.close()
            return held

        asked = understanding.question.name if understanding.question is not None else ""
        return self.compiled.choices.choose(kind, name, status=self.thread.status, question=asked, holds=holds)

    async def run(self, handler: Handler, understanding: Understanding, *, root: int | None = None) -> None:
        """Run a handler on the messages.

        Args:
            handler: Which.
            understanding: What it gets to see.
            root: See `LiveJob.root`; None: this turn, as far as it is undone with it.

        Raises:
            HandlerError: It called `sys.exit`, or returned something.
        """
        thread, ledger = self.thread, self.ledger
        pending, before = thread.question, thread.status
        is_person = self.messages[-1].kind in PERSONAL
        # What was not understood has not moved the dialogue on, so its question stays open.
        if is_person and not handler.aside and understanding.intent != UNKNOWN:
            thread.settle()
        kept = thread.question
        ledger.root = root if root is not None else 0 if handler.aside else ledger.input.version + 1
        turn = self.turn(understanding, handler)
        values = () if handler.value_type is None else (self._value(handler),)
        try:
            returned: object = await handler.call(turn, *values)  # type: ignore[func-returns-value]
        except SystemExit as exc:
            raise HandlerError(f"handler {handler.name} called sys.exit(); a handler ends by returning") from exc
        finally:
            has_decided = turn.close()
        if returned is not None:
            raise HandlerError(f"handler {handler.name} returned {type(returned).__name__}; use turn.reply to answer")
        if len(handler.to) == 1 and not has_decided:
            self.enter(handler.to[0])
        if thread.status != before and thread.question is kept:
            thread.settle()
        if handler.undoable:
            ledger.undoable = True
            thread.modifications_count += 1
        self.handlers.append(handler.name)
        if is_person and handler.aside and thread.question is pending:
            self.repeat_question()

    def _value(self, handler: Handler) -> object:
        return decode_value(bytes(self.messages[-1].data), handler.value_type, naive=self.plan.naive)

    async def run_hooks(self, understanding: Understanding) -> None:
        """Run what the flow declares for each message of a person."""
        for hook in self.plan.each:
            turn = self.turn(understanding)
            try:
                await hook(turn)
            except SystemExit as exc:
                raise HandlerError(f"hook {hook.__qualname__} called sys.exit(); a hook ends by returning") from exc
            finally:
                turn.close()

    async def take_back(self, within: timedelta | None = None) -> Undone | None:
        """Take back the newest modification; None if there is none, or none so young, or this turn did so already."""
        ledger = self.ledger
        if ledger.undoes is not None:
            return None
        found = await find_undoable(ledger.tools, generation=ledger.input.generation)
        if found is None or (within is not None and self.now_ms - found.kept.record.at_ms > within // ONE_MS):
            return None
        version, entry = found.kept.record.version, found.kept.entry
        earlier = self._state_before(found)
        self.put_back(earlier, keep=self.plan.undo_keep)
        ledger.cancel_jobs(lambda job: job.root >= version)
        ledger.cancel_timers(lambda timer: timer.root >= version and not timer.is_own)
        ledger.undoes = version
        self.thread.settle()
        self.thread.question = _question_of(earlier)
        self.enter(entry.before or self.plan.start)
        return Undone(message=entry.message, intent=entry.intent, at=moment(found.kept.record.at_ms), version=version)

    def _state_before(self, found: Undoable) -> Decoded[S]:
        if found.before is not None:
            return self.plan.codec.decode(found.before)
        return Decoded(state=self.compiled.fresh(), envelope=None, extras=None, refs={})

    def put_back(self, earlier: Decoded[S], *, keep: tuple[str, ...]) -> None:
        """Replace the state by another one, except for some fields.

        The fields change places as JSON, so that members in them that the code does not know are kept as well.
        """
        ledger, codec = self.ledger, self.plan.codec
        if keep:
            names = _stored_names(self.plan.state_type)
            members = _members.decode(codec.encode(earlier.state, None, earlier.extras).data)
            current = _members.decode(codec.encode(ledger.state, None, ledger.extras).data)
            for name in (names.get(field, field) for field in keep):
                members.pop(name, None)
                if name in current:
                    members[name] = current[name]
            earlier = codec.decode(_encode(members))
        ledger.state, ledger.extras = earlier.state, earlier.extras


def _question_of(earlier: Decoded[Any]) -> Question | None:
    """Return the question that was pending in an earlier state: with the state its question is open again."""
    thread = thread_of(earlier.envelope)
    if thread is None:
        return None
    return thread.parked if thread.question is not None and thread.question.is_own else thread.question


def _stored_names(state_type: Any) -> dict[str, str]:  # noqa: ANN401 - a Struct or a dataclass
    """Return the fields that are stored under another name."""
    fields = getattr(state_type, "__struct_fields__", ())
    return dict(zip(fields, getattr(state_type, "__struct_encode_fields__", fields), strict=True))
