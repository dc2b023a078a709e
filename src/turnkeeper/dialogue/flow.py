"""`Flow`: a conversation's statuses, handlers, jobs and policies, declared in one place and checked as a whole.

Declaring does nothing yet. `check` (called by `App`, in the user's own module) refuses every contradiction with its
line, so that a flow that imports is a flow that can run; after it nothing more can be declared.
"""

from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import msgspec

from turnkeeper.codecs.state import StateCodec
from turnkeeper.codecs.walk import Naive
from turnkeeper.dialogue.checks import Examined, examine, warn_about_carrier_words
from turnkeeper.dialogue.declaring.declarations import Gathered, JobUse, Policy, Upgrade, Upgrading, routers_of
from turnkeeper.dialogue.declaring.declared import Corrections, LateReply, SeveralPeople, StartOver, StillWorking
from turnkeeper.dialogue.declaring.jobtype import JobType
from turnkeeper.dialogue.declaring.origin import origin_of, origin_of_caller
from turnkeeper.dialogue.declaring.router import Names, Router, as_names
from turnkeeper.dialogue.diagram.graph import Graph, graph_of
from turnkeeper.dialogue.plan import FlowPlan, Help, LogRetention, OnLost, Retention
from turnkeeper.dialogue.running.program import FlowProgram
from turnkeeper.dialogue.understanding.intents import Classifier, Intent
from turnkeeper.dialogue.wording import Texts
from turnkeeper.model.conversation import ConversationId
from turnkeeper.model.message import Kind
from turnkeeper.model.person import opaque
from turnkeeper.ports.program import Busyness, Program, Rules

if TYPE_CHECKING:
    from turnkeeper.dialogue.declaring.router import TurnOnly
    from turnkeeper.dialogue.turn import Turn

S = TypeVar("S")
T = TypeVar("T")

LATE_REPLY = LateReply(resting=())
CORRECTIONS = Corrections()
SEVERAL_PEOPLE = SeveralPeople()
HELP = Help()
STILL_WORKING = StillWorking(intent="", when=(), job="", restart="")
START_OVER = StartOver(intent="", to="")
RULES = Rules()
LOG = LogRetention()
TEXTS = Texts()


class Flow(Generic[S]):
    """A kind of conversation.

        flow = Flow("mealplan", MealPlan, start="idle", quiet_after=hours(2), forget_after=days(30))

        @flow.on("plan", when=("idle", "error"), to="analyzing")
        async def plan(turn: Turn[MealPlan]) -> None: ...

    The decorators `on`, `action`, `timer`, `result`, `failed`, `on_quiet`, `on_forget`, `unknown`, `each` and `job`,
    and `status` and `include`, are those of its own `Router`; see there.

    Attributes:
        name: First part of its conversations' keys.
        state_type: What is stored of each conversation.
    """

    def __init__(  # noqa: PLR0913 - every setting is independent of the others, and all are by name
        self,
        name: str,
        state_type: type[S],
        /,
        *,
        start: str,
        intents: Sequence[Intent] = (),
        classifier: Classifier | None = None,
        quiet_after: timedelta | None = None,
        forget_after: timedelta | None = None,
        retention: Retention = "sliding",
        on_lost: OnLost = "rebuild",
        log: LogRetention = LOG,
        state_key: str = "",
        person: Callable[[str], str] = opaque,
        busy: Busyness = RULES.busy,
        turn_timeout: timedelta = RULES.turn_timeout,
        max_attempts: int = RULES.max_attempts,
        schema: int = 1,
        naive: Naive = "utc",
        carrier_words: bool = True,
        texts: Texts = TEXTS,
    ) -> None:
        """Begin a flow.

        Args:
            name: Unique in a store: letters, digits, `_`, `-` and `.`, at most 64.
            state_type: A Struct with a default for every field: a new conversation begins with an empty one. A field
                `status: str` follows the dialogue's status.
            start: The status of a new conversation.
            intents: What a person may mean.
            classifier: Understands messages instead of the built-in matcher, for example by a language model.
            quiet_after: Silence after which `on_quiet` runs and late replies are noticed; None: never.
            forget_after: How long a conversation is kept; None: for ever.
            retention: `sliding` counts `forget_after` from the last activity, `fixed` from the beginning.
            on_lost: What to do when the store evicted a state: `rebuild` it from the log, `restart`, or `fail`.
            log: How much of the event log is kept; independent of the state.
            state_key: The users' own name for the stored state, with one placeholder for the person, such as
                `order:{id}`; empty: `{flow}:{person}`.
            person: Returns the normal form of an address, or raises `InvalidMessageError`; `phone_number` for numbers.
            busy: What a message does while a turn of the same conversation runs.
            turn_timeout: Hard limit for one turn, in real time.
            max_attempts: After so many failures a message goes to the dead letters.
            schema: Number of the state's shape, from 1; raise it together with an `upgrade`.
            naive: What a datetime without time zone in the state is: read as UTC, or refused.
            carrier_words: STOP, START and their like opt out and in, as SMS carriers require.
            texts: What the flow says by itself.
        """
        self.name = name
        self.state_type = state_type
        self._settings = Gathered(
            name=name,
            state_type=state_type,
            start=start,
            where=origin_of_caller(),
            intents=tuple(intents),
            schema=schema,
            state_key=state_key,
            naive=naive,
            quiet_after=quiet_after,
            forget_after=forget_after,
            retention=retention,
            on_lost=on_lost,
            log=log,
            rules=Rules(busy=busy, turn_timeout=turn_timeout, max_attempts=max_attempts),
            carrier_words=carrier_words,
        )
        self._person = person
        self._classifier = classifier
        self._texts = texts
        self._policies: list[Policy] = []
        self._upgrades: list[Upgrade] = []
        self._plan: FlowPlan[S] | None = None
        self._router = Router(state_type)
        self.on = self._router.on
        self.action = self._router.action
        self.timer = self._router.timer
        self.result = self._router.result
        self.failed = self._router.failed
        self.on_quiet = self._router.on_quiet
        self.on_forget = self._router.on_forget
        self.unknown = self._router.unknown
        self.each = self._router.each
        self.job = self._router.job
        self.status = self._router.status
        self.include = self._router.include

    def upgrade(self, *, from_version: int) -> Callable[[Upgrading], Upgrading]:
        """Declare how the stored members of one schema become those of the next.

        It works on JSON as it is stored (a datetime is text) and runs when such a state is next read, not before.
        """

        def declare(call: Upgrading) -> Upgrading:
            where = origin_of(call)
            self._open(where)
            self._upgrades.append(Upgrade(from_version=from_version, call=call, where=where))
            return call

        return declare

    def start_over(
        self,
        intent: str,
        /,
        *,
        to: str,
        keep: Names = (),
        keep_timers: Names = (),
        reply: str = START_OVER.reply,
    ) -> None:
        """Lead back to `to` from anywhere, with an empty state but for the fields in `keep`.

        Waiting jobs and timers are cancelled, except the timers in `keep_timers`.
        """
        where = origin_of_caller()
        policy = StartOver(
            intent=intent, to=to, keep=as_names(keep), keep_timers=as_names(keep_timers), reply=reply, where=where
        )
        self._open(where).append(policy)

    def still_working(
        self,
        intent: str,
        /,
        *,
        when: Names,
        job: JobType[..., Any],
        restart: "TurnOnly[S]",
        reply: str = STILL_WORKING.reply,
        within: timedelta = STILL_WORKING.within,
    ) -> None:
        """Answer a request that is repeated while its job runs.

        In a status of `when`: within `within` of the job's start, or as long as the job is alive, the answer is
        `reply`; afterwards handler `restart` runs as if it were allowed there, for the job is stuck.
        """
        where = origin_of_caller()
        self._open(where).append(
            StillWorking(
                intent=intent,
                when=as_names(when),
                job=job.name,
                restart=getattr(restart, "__qualname__", repr(restart)),
                reply=reply,
                within=within,
                where=where,
            )
        )
        self._router.declared.job_uses.append(JobUse(job=job, where=where))

    def late_reply(
        self,
        *,
        resting: Names,
        reminder: "Callable[[Turn[S]], str] | None" = None,
        continue_intent: str = LATE_REPLY.continue_intent,
        new_intent: str = LATE_REPLY.new_intent,
        remind_after: timedelta = LATE_REPLY.remind_after,
        ask_after: timedelta = LATE_REPLY.ask_after,
    ) -> None:
        """Pick the thread up again after a silence, in any status that is not `resting`.

        After `remind_after` the answer begins with what `reminder` says; after `ask_after` the message is not run, and
        the person chooses between `continue_intent` and `new_intent`.
        """
        where = origin_of_caller()
        self._open(where).append(
            LateReply(
                resting=as_names(resting),
                reminder=reminder,
                continue_intent=continue_intent,
                new_intent=new_intent,
                remind_after=remind_after,
                ask_after=ask_after,
                where=where,
            )
        )

    def corrections(
        self,
        *,
        intent: str = CORRECTIONS.intent,
        keep: Names = (),
        reply: str = CORRECTIONS.reply,
        nothing: str = CORRECTIONS.nothing,
    ) -> None:
        """Take the last undoable turn back on "oops", "actually …" or `intent`; then the rest is understood.

        Fields named in `keep` are not taken back, here and in `turn.undo`.
        """
        where = origin_of_caller()
        policy = Corrections(intent=intent, keep=as_names(keep), reply=reply, nothing=nothing, where=where)
        self._open(where).append(policy)

    def several_people(self, *, greeting: str = SEVERAL_PEOPLE.greeting) -> None:
        """Lead who says "This is Ana" to a conversation of her own, until somebody else speaks up."""
        where = origin_of_caller()
        self._open(where).append(SeveralPeople(greeting=greeting, where=where))

    def help(self, intent: str = HELP.intent, /, *, intro: str = HELP.intro) -> None:
        """Answer `intent` by `intro` and by what can be said in the current status."""
        where = origin_of_caller()
        self._open(where).append(Help(intent=intent, intro=intro, where=where))

    def check(self) -> FlowPlan[S]:
        """Return the plan by which the flow runs; computed once, after which nothing more can be declared.

        Raises:
            InvalidFlowError: The flow contradicts itself; every problem is named with its line and what to do.
        """
        if self._plan is None:
            gathered = self._gather()
            self._plan = self._make_plan(gathered, examine(gathered))
            warn_about_carrier_words(gathered)
            for router in gathered.routers:
                router.declared.sealed = True
        return self._plan

    def graph(self) -> Graph:
        """Return the flow's statuses and moves as a graph, to be drawn as Mermaid or SVG.

        Raises:
            InvalidFlowError: See `check`.
        """
        return graph_of(self.check())

    def program(self, *, screens: Collection[str] = ()) -> Program:
        """Return the flow as the engine runs it.

        Args:
            screens: Names of channels whose clients read the log by themselves (browser phone, terminal): replies on
                them are logged and not sent.

        Raises:
            InvalidFlowError: See `check`.
        """
        return FlowProgram(self.check(), screens=frozenset(screens))

    def conversation(self, address: str, /, *, member: str = "") -> ConversationId:
        """See `FlowPlan.conversation`."""
        return self.check().conversation(address, member=member)

    def classify_kind(self, text: str, /, *, opted_out: bool = False) -> Kind:
        """See `FlowPlan.classify_kind`."""
        return self.check().classify_kind(text, opted_out=opted_out)

    def _open(self, where: str) -> list[Policy]:
        self._router.declared.open(where)
        return self._policies

    def _gather(self) -> Gathered:
        routers = routers_of(self._router)
        declared = [router.declared for router in routers]
        return msgspec.structs.replace(
            self._settings,
            policies=tuple(self._policies),
            upgrades=tuple(self._upgrades),
            routers=routers,
            inclusions=_joined(each.inclusions for each in declared),
            handlers=_joined(each.handlers for each in declared),
            hooks=_joined(each.hooks for each in declared),
            jobs=_joined(each.jobs for each in declared),
            job_uses=_joined(each.job_uses for each in declared),
            statuses=_joined(each.statuses for each in declared),
        )

    def _make_plan(self, flow: Gathered, examined: Examined) -> FlowPlan[S]:
        upgrades = {upgrade.from_version: upgrade.call for upgrade in flow.upgrades}
        return FlowPlan(
            name=flow.name,
            state_type=self.state_type,
            codec=StateCodec(self.state_type, schema=flow.schema, upgrades=upgrades, naive=flow.naive),
            start=flow.start,
            statuses=examined.statuses,
            status_help={status.name: status.help for status in flow.statuses if status.help},
            handlers=examined.handlers,
            jobs=examined.jobs,
            intents=flow.intents,
            classifier=self._classifier,
            person=self._person,
            each=tuple(hook.call for hook in flow.hooks),
            timers=frozenset(
                trigger.name for handler in flow.handlers for trigger in handler.triggers if trigger.kind == "timer"
            ),
            schema=flow.schema,
            naive=flow.naive,
            quiet_after=flow.quiet_after,
            forget_after=flow.forget_after,
            retention=flow.retention,
            on_lost=flow.on_lost,
            log=flow.log,
            rules=flow.rules,
            carrier_words=flow.carrier_words,
            texts=self._texts,
            state_key=flow.state_key,
            still_working=tuple(policy for policy in flow.policies if isinstance(policy, StillWorking)),
            start_over=_only(StartOver, flow.policies),
            late_reply=_only(LateReply, flow.policies),
            corrections=_only(Corrections, flow.policies),
            several_people=_only(SeveralPeople, flow.policies),
            help=_only(Help, flow.policies),
        )


def _joined(lists: Iterable[list[T]]) -> tuple[T, ...]:
    return tuple(item for each in lists for item in each)


def _only(kind: type[T], policies: Iterable[Policy]) -> T | None:
    return next((policy for policy in policies if isinstance(policy, kind)), None)
