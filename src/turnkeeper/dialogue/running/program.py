"""`FlowProgram`: a checked flow as the engine runs it; bytes in, a draft out.

Nothing is kept between turns: the same program may run in any number of processes, and for the same message again.
"""

from collections.abc import Iterator
from typing import Generic, TypeVar

import msgspec

from turnkeeper.codecs.json import encode_value
from turnkeeper.dialogue.declaring.jobcalls import unpack_call
from turnkeeper.dialogue.plan import FlowPlan
from turnkeeper.dialogue.running.arrivals import handle_admin, handle_outcome, handle_timer
from turnkeeper.dialogue.running.closing import close_turn, leave_turn
from turnkeeper.dialogue.running.compiled import Compiled
from turnkeeper.dialogue.running.handling import Handling
from turnkeeper.dialogue.running.opening import Opened, open_turn, read_turn
from turnkeeper.dialogue.running.policies import opt_in, opt_out
from turnkeeper.dialogue.running.utterances import handle_press, handle_words
from turnkeeper.dialogue.thread import Route, moment
from turnkeeper.dialogue.turn import Job
from turnkeeper.errors import HandlerError, InvalidStateError, StateNewerError, StateUndecodableError
from turnkeeper.model.message import PERSONAL, JobFailed, Kind, Message
from turnkeeper.ports.program import Draft, JobInput, JobRules, Rules, Tools, TurnInput

S = TypeVar("S")

_encode_failed = msgspec.json.Encoder().encode

DEAD = "dead"
"""Note of a message that was given up."""

TOUCH = "touch"
"""Admin message that renews the retention and nothing else."""


class FlowProgram(Generic[S]):
    """See `ports.program.Program`."""

    __slots__ = ("_compiled", "plan")

    def __init__(self, plan: FlowPlan[S], *, screens: frozenset[str] = frozenset()) -> None:
        """Prepare a plan, once.

        Args:
            plan: From `Flow.check`.
            screens: Names of channels whose clients read the log by themselves (browser phone, terminal): replies on
                them are logged and not sent.
        """
        self.plan = plan
        self._compiled = Compiled(plan, screens=screens)

    @property
    def name(self) -> str:
        """See `Program.name`."""
        return self.plan.name

    @property
    def rules(self) -> Rules:
        """See `Program.rules`."""
        return self.plan.rules

    async def run(self, turn: TurnInput, tools: Tools, /) -> Draft:
        """See `Program.run`."""
        opened = await open_turn(self._compiled, turn, tools)
        handling = Handling(self._compiled, opened.ledger)
        is_changed = False
        for messages in _groups(turn):
            is_changed = await self._handle(handling, messages) or is_changed
        if is_changed:
            return close_turn(handling, opened)
        is_active = any(message.kind in PERSONAL or message.text == TOUCH for message in turn.messages)
        return leave_turn(handling, opened, active=is_active)

    async def _handle(self, handling: Handling[S], messages: tuple[Message, ...]) -> bool:
        """Handle messages that belong together; False: they change nothing."""
        handling.messages = messages
        message = messages[-1]
        kind = _kind(self.plan, handling, message)
        if kind in PERSONAL:
            return await self._handle_person(handling, kind, "\n".join(each.text for each in messages))
        match kind:
            case Kind.RESULT | Kind.FAILURE:
                await handle_outcome(handling, message)
            case Kind.TIMER:
                await handle_timer(handling, message)
            case _ if message.text == TOUCH:
                handling.understood(TOUCH)
                return False
            case _:
                await handle_admin(handling, message.text)
        return True

    async def _handle_person(self, handling: Handling[S], kind: Kind, text: str) -> bool:
        message, thread = handling.messages[-1], handling.thread
        handling.heard.append(text)
        if handling.is_silent and kind is not Kind.OPT_IN:
            handling.remark("opted_out")
            # Forwarded by the conversation of the address: what was live here was cancelled together with its own.
            if kind is Kind.OPT_OUT and (thread.jobs or thread.timers):
                opt_out(handling)
                return True
            return False
        thread.message_count += len(handling.messages)
        if message.channel:
            thread.route = Route(channel=message.channel, to=message.to)
        match kind:
            case Kind.TEXT:
                await handle_words(handling, text)
            case Kind.ACTION:
                await handle_press(handling, text)
            case Kind.OPT_OUT:
                opt_out(handling)
            case _:
                opt_in(handling)
        return True

    def bury(self, turn: TurnInput, error: str, /) -> Draft:
        """See `Program.bury`. A state that can be read gets a version more: it counts the error and forgets the job."""
        message = turn.messages[0]
        try:
            opened = read_turn(self._compiled, turn, _NO_TOOLS, turn.state)
        except (StateNewerError, StateUndecodableError):
            opened = read_turn(self._compiled, msgspec.structs.replace(turn, state=None), _NO_TOOLS, None)
            return leave_turn(self._burial(opened, message, error), opened)
        handling = self._burial(opened, message, error)
        if turn.state is None:
            return leave_turn(handling, opened, active=message.kind in PERSONAL)
        thread = handling.thread
        thread.error_count += 1
        thread.jobs = tuple(job for job in thread.jobs if job.id != message.source)
        thread.timers = tuple(timer for timer in thread.timers if timer.id != message.source)
        try:
            return close_turn(handling, opened)
        except InvalidStateError:
            return leave_turn(handling, opened, active=message.kind in PERSONAL)

    def _burial(self, opened: Opened[S], message: Message, error: str) -> Handling[S]:
        handling = Handling(self._compiled, opened.ledger)
        handling.messages = (message,)
        handling.heard.append(message.text)
        handling.remark(DEAD)
        handling.error = error
        if message.kind in PERSONAL and not handling.is_silent:
            handling.say(self.plan.texts.buried)
        return handling

    def job_rules(self, name: str, /) -> JobRules | None:
        """See `Program.job_rules`."""
        declared = self.plan.jobs.get(name)
        return None if declared is None else declared.rules

    async def work(self, job: JobInput, /) -> bytes:
        """See `Program.work`.

        Raises:
            HandlerError: The job is not declared here, its stored arguments do not fit, or it called `sys.exit`.
            InvalidStateError: It returned something else than it declares.
        """
        declared = self.plan.jobs.get(job.call.name)
        if declared is None:
            raise HandlerError(f"job {job.call.name} is not declared in flow {self.plan.name}; deploy the newer code")
        args, kwargs = unpack_call(declared, job.call, naive=self.plan.naive)
        context = Job(
            id=job.id,
            name=declared.name,
            peer=job.conversation.person,
            member=job.conversation.member,
            attempt=job.attempt,
            maybe_ran=job.maybe_ran,
            started=moment(job.started_ms),
        )
        try:
            result = await declared.call(context, *args, **kwargs)
        except SystemExit as exc:
            raise HandlerError(f"job {declared.name} called sys.exit(); a job ends by returning") from exc
        return encode_value(result, as_type=declared.result_type, naive=self.plan.naive)

    def failure(self, failed: JobFailed, /) -> bytes:
        """See `Program.failure`."""
        return _encode_failed(failed)


class _NoTools:
    """Stands in for the store where a turn is only buried: no handler runs, so nobody asks."""

    async def part(self, part_id: str, /) -> bytes | None:
        raise HandlerError(f"part {part_id} was asked for outside of a running turn")

    async def remember(self, step: str, data: bytes, /) -> None:
        raise HandlerError(f"step {step} was remembered outside of a running turn ({len(data)} bytes)")

    async def history(self, *, before: int | None = None, limit: int = 100) -> tuple[()]:
        raise HandlerError(f"the history was asked for outside of a running turn ({before}, {limit})")


_NO_TOOLS = _NoTools()


def _groups(turn: TurnInput) -> Iterator[tuple[Message, ...]]:
    """Yield the messages that are handled together: texts of one burst as one, everything else by itself.

    Words of a person that were overtaken by later ones are left out; what was not said by anybody cannot be overtaken.
    """
    burst: list[Message] = []
    for index, message in enumerate(turn.messages):
        if index < turn.superseded and message.kind in PERSONAL:
            continue
        if message.kind is not Kind.TEXT and burst:
            yield tuple(burst)
            burst = []
        if message.kind is Kind.TEXT:
            burst.append(message)
        else:
            yield (message,)
    if burst:
        yield tuple(burst)


def _kind(plan: FlowPlan[S], handling: Handling[S], message: Message) -> Kind:
    """Return what a message is, now that the opt-out flag is known: YES opts in again, START is a word like others."""
    if handling.is_silent and message.kind is Kind.TEXT:
        return Kind.OPT_IN if plan.classify_kind(message.text, opted_out=True) is Kind.OPT_IN else Kind.TEXT
    if not handling.is_silent and message.kind is Kind.OPT_IN:
        return Kind.TEXT
    return message.kind
