"""A program whose log tells what every commit held, for the checker; the program's own log stands inside.

The dialogue layer writes its log for people and for undo. What a turn promised, called off and left alone is taken
from the draft that the engine is to commit, so that a program cannot forget to mention it.
"""

from collections.abc import Iterator, Mapping, Sequence

import msgspec

from turnkeeper.model.message import NOTHING, JobFailed, Reply
from turnkeeper.ports.program import Draft, JobInput, JobRules, Program, Rules, Tools, TurnInput
from turnkeeper.ports.turns import EffectKind, LogRecord
from turnkeeper.testing.history import Turn

_PROMISES: Mapping[EffectKind, str] = {EffectKind.JOB: "result", EffectKind.TIMER: "timer"}


class Entry(msgspec.Struct, kw_only=True, omit_defaults=True):
    """One commit. `promises`: what comes back, and the name that replaces or cancels it; `own`: the program's entry."""

    commit: str
    fence: int
    messages: tuple[str, ...]
    position: int
    replies: tuple[tuple[str, str], ...] = ()
    promises: tuple[tuple[str, str], ...] = ()
    cancelled: tuple[str, ...] = ()
    buried: bool = False
    unchanged: bool = False
    silences: bool = False
    own: msgspec.Raw = NOTHING


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Entry).decode
_decode_reply = msgspec.json.Decoder(Reply).decode


def own_entry(record: LogRecord) -> bytes:
    """Return what the program itself wrote into its log."""
    return bytes(_decode(record.data).own)


def turns_of(conversation: str, records: Sequence[LogRecord]) -> Iterator[Turn]:
    """Read a log, oldest first: what a turn cancels or replaces by name is what stood under that name before."""
    named: dict[str, str] = {}
    for record in records:
        entry = _decode(record.data)
        called_off = [*entry.cancelled, *(named[name] for name in entry.cancelled if name in named)]
        for promise, name in entry.promises:
            if name and name in named:
                called_off.append(named[name])
            named[name] = promise
        yield Turn(
            conversation=conversation,
            seq=record.seq,
            version=record.version,
            generation=record.generation,
            at_ms=record.at_ms,
            commit=entry.commit,
            fence=entry.fence,
            messages=entry.messages,
            positions=(entry.position,),
            replies=entry.replies,
            promises=tuple(promise for promise, _ in entry.promises),
            called_off=tuple(called_off),
            answer=tuple(text for _, text in entry.replies),
            buried=entry.buried,
            unchanged=entry.unchanged,
            silences=entry.silences,
        )


class Chronicled:
    """See `turnkeeper.ports.program.Program`."""

    def __init__(self, program: Program) -> None:
        """Take the program."""
        self._program = program

    @property
    def name(self) -> str:
        """See `Program.name`."""
        return self._program.name

    @property
    def rules(self) -> Rules:
        """See `Program.rules`."""
        return self._program.rules

    async def run(self, turn: TurnInput, tools: Tools, /) -> Draft:
        """See `Program.run`."""
        return _chronicle(turn, await self._program.run(turn, _OwnHistory(tools)), is_buried=False)

    def bury(self, turn: TurnInput, error: str, /) -> Draft:
        """See `Program.bury`."""
        return _chronicle(turn, self._program.bury(turn, error), is_buried=True)

    def job_rules(self, name: str, /) -> JobRules | None:
        """See `Program.job_rules`."""
        return self._program.job_rules(name)

    async def work(self, job: JobInput, /) -> bytes:
        """See `Program.work`."""
        return await self._program.work(job)

    def failure(self, failed: JobFailed, /) -> bytes:
        """See `Program.failure`."""
        return self._program.failure(failed)


def _chronicle(turn: TurnInput, draft: Draft, *, is_buried: bool) -> Draft:
    entry = Entry(
        commit=turn.commit_id,
        fence=turn.fence,
        messages=tuple(message.id for message in (turn.messages[:1] if is_buried else turn.messages)),
        position=int(turn.effect_prefix.rpartition(":")[2]),
        replies=tuple(
            (effect.id, _decode_reply(effect.payload).text)
            for effect in draft.effects
            if effect.kind is EffectKind.REPLY
        ),
        promises=tuple(
            (f"{_PROMISES[effect.kind]}:{effect.id}", effect.name)
            for effect in draft.effects
            if effect.kind in _PROMISES
        ),
        cancelled=draft.cancel,
        buried=is_buried,
        unchanged=draft.state is None,
        silences=draft.cancel_all,
        own=NOTHING if draft.log is None else msgspec.Raw(draft.log),
    )
    return msgspec.structs.replace(draft, log=_encode(entry))


class _OwnHistory:
    """The tools of a turn; in the log the program finds what it wrote."""

    def __init__(self, tools: Tools) -> None:
        self._tools = tools

    async def part(self, part_id: str, /) -> bytes | None:
        return await self._tools.part(part_id)

    async def remember(self, step: str, data: bytes, /) -> None:
        await self._tools.remember(step, data)

    async def history(self, *, before: int | None = None, limit: int = 100) -> Sequence[LogRecord]:
        records = await self._tools.history(before=before, limit=limit)
        return [msgspec.structs.replace(record, data=own_entry(record)) for record in records]
