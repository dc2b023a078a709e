"""The ready policies: several people on one number, start over, help, still working, opting out and in.

Each is a function on the turn being handled. Late replies span two turns and have a module of their own (`lateness`).
"""

from typing import Any, TypeVar

import msgspec

from turnkeeper.codecs import Decoded
from turnkeeper.dialogue.declaring.declared import StillWorking
from turnkeeper.dialogue.eventlog import STARTED_OVER
from turnkeeper.dialogue.language.tokens import keys
from turnkeeper.dialogue.plan import fill_state_key
from turnkeeper.dialogue.running.compiled import ONE_MS
from turnkeeper.dialogue.running.handling import Handling
from turnkeeper.dialogue.turn import Understanding
from turnkeeper.dialogue.understanding.introductions import Introduction, introduction
from turnkeeper.dialogue.wording import fill
from turnkeeper.model.conversation import ConversationId
from turnkeeper.model.message import Kind, Message

S = TypeVar("S")

MAX_MEMBERS = 16
"""People of one address that are remembered: a household, not a company."""

MAX_INTRODUCTION_CHARACTERS = 100
"""Who says their name says little else: a name has 40 characters, the forms around it have fewer."""

_MYSELF = frozenset(
    keys(text)
    for text in ("this is me", "it's me", "it is me", "me here", "me again", "it's me again", "this is me again")
)


def lead_elsewhere(handling: Handling[Any], text: str) -> bool:
    """Lead a person's messages to the conversation of whoever speaks on this address; False: it is this one.

    "This is Ana" makes it Ana's, "This is me" brings it back. Who is greeted is greeted in their own conversation.
    """
    thread, conversation = handling.thread, handling.ledger.input.conversation
    if conversation.member:
        return False
    who = _introduced(handling, text)
    if who is not None:
        thread.speaking = who.slug
        thread.members = (*(slug for slug in thread.members if slug != who.slug), who.slug)[-MAX_MEMBERS:]
    elif thread.speaking and keys(text) in _MYSELF:
        thread.speaking = ""
    if not thread.speaking:
        return False
    for message in handling.messages:
        forward(handling, thread.speaking, message)
    handling.remark("forwarded")
    return True


def _introduced(handling: Handling[Any], text: str) -> Introduction | None:
    """Return who introduces themselves. Words that a free question waits for ("What is your name?") are its answer."""
    question = handling.thread.question
    if len(text) > MAX_INTRODUCTION_CHARACTERS or (question is not None and question.kind == "text"):
        return None
    who = introduction(text)
    return who if who is not None and who.slug else None


def forward(handling: Handling[Any], member: str, message: Message) -> None:
    """Lead a message to a member's conversation, under the same id, so that a duplicate stays one there."""
    base, route = handling.ledger.input.conversation, handling.thread.route
    if not message.channel and route is not None:
        message = msgspec.structs.replace(message, channel=route.channel, to=route.to)
    speaker = f"{base.person}:{member}"
    there = ConversationId(
        flow=base.flow,
        person=base.person,
        member=member,
        state_key=fill_state_key(handling.plan.state_key, speaker),
    )
    handling.ledger.forward(there, message)


def greet(handling: Handling[Any], text: str) -> bool:
    """Greet the member whose conversation this is when they say who they are; False: they did not."""
    policy, conversation = handling.plan.several_people, handling.ledger.input.conversation
    if policy is None or not conversation.member:
        return False
    who = _introduced(handling, text)
    if who is None or who.slug != conversation.member:
        return False
    handling.understood("introduction")
    handling.handlers.append("several_people")
    handling.say(fill(policy.greeting, name=who.name))
    handling.repeat_question()
    return True


def start_over(handling: Handling[Any]) -> None:
    """Begin anew with an empty state but for the fields to keep. Without a declared policy nothing is kept."""
    policy, ledger, thread = handling.plan.start_over, handling.ledger, handling.thread
    kept_timers = frozenset(policy.keep_timers) if policy is not None else frozenset()
    ledger.cancel_jobs(lambda _: True)
    ledger.cancel_timers(lambda timer: timer.timer not in kept_timers and not timer.is_own)
    fresh = Decoded(state=handling.compiled.fresh(), envelope=None, extras=None, refs={})
    handling.put_back(fresh, keep=policy.keep if policy is not None else ())
    thread.settle()
    thread.held_back = ""
    handling.enter(policy.to if policy is not None else handling.plan.start)
    handling.handlers.append("start_over")
    handling.remark(STARTED_OVER)


def say_started_over(handling: Handling[Any]) -> None:
    """Tell the person that it begins anew."""
    policy = handling.plan.start_over
    handling.say(policy.reply if policy is not None else handling.plan.texts.fresh)


def help_here(handling: Handling[Any]) -> None:
    """Say what can be said in the current status, and repeat the pending question."""
    choices, status, policy = handling.compiled.choices, handling.thread.status, handling.plan.help
    lines = (policy.intro if policy is not None else "", choices.status_help(status), *choices.helps(status))
    handling.handlers.append("help")
    handling.say("\n".join(line for line in lines if line) or handling.plan.texts.no_help)
    handling.repeat_question()


def working_on(handling: Handling[Any], intent: str) -> StillWorking | None:
    """Return the policy for a request that is repeated while its job runs, None if this is no such request."""
    return next(
        (
            policy
            for policy in handling.plan.still_working
            if policy.intent == intent and handling.thread.status in policy.when
        ),
        None,
    )


async def still_working(handling: Handling[Any], policy: StillWorking, understanding: Understanding) -> None:
    """Ask for patience, or start anew what is stuck: nothing of it is alive, and it began long ago."""
    started_ms = handling.thread.started.get(policy.job)
    is_alive = any(job.name == policy.job for job in handling.thread.jobs)
    is_young = started_ms is not None and handling.now_ms - started_ms < policy.within // ONE_MS
    if is_alive or is_young:
        handling.handlers.append("still_working")
        handling.remark("still_working")
        handling.say(policy.reply)
        return
    handling.remark("restarted")
    await handling.run(handling.compiled.by_name[policy.restart], understanding)


def opt_out(handling: Handling[Any]) -> None:
    """Leave the person alone: one confirmation, everything that waits is cancelled. The status stays as it is."""
    handling.intent = Kind.OPT_OUT.value
    was_silent, handling.is_silent = handling.is_silent, True
    handling.opt_out = True
    ledger, thread = handling.ledger, handling.thread
    ledger.cancel_jobs(lambda _: True)
    ledger.cancel_timers(lambda _: True)
    thread.settle()
    for member in thread.members:
        forward(handling, member, handling.messages[-1])
    if not was_silent:
        handling.say(handling.plan.texts.opted_out)


def opt_in(handling: Handling[Any]) -> None:
    """Welcome the person back."""
    handling.intent = Kind.OPT_IN.value
    handling.is_silent = False
    handling.opt_out = False
    handling.say(handling.plan.texts.opted_in)
