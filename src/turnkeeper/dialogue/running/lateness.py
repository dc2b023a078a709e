"""Late replies: what a message after a long silence is answered with.

After some hours the answer begins with a reminder of where they were. After a day the message is held back and the
person chooses: to go on (then they are reminded, and shown what they wrote) or to start fresh. Held back is not lost:
it stands in the log and in the reminder, but words that are a day out of context are not acted upon.
"""

from collections.abc import Sequence
from typing import Any

from turnkeeper.dialogue.declaring.declared import LateReply
from turnkeeper.dialogue.running.compiled import ONE_MS
from turnkeeper.dialogue.running.handling import Handling
from turnkeeper.dialogue.running.hearing import agrees, denies
from turnkeeper.dialogue.running.policies import say_started_over, start_over
from turnkeeper.dialogue.thread import Question
from turnkeeper.dialogue.turn import MAX_REPLY_CHARACTERS, Understanding
from turnkeeper.dialogue.understanding.intents import CHOICE, Match
from turnkeeper.dialogue.wording import fill
from turnkeeper.errors import HandlerError

LATE = "_late"
"""Name of the question "continue or new?"."""

MAX_HELD_BACK_CHARACTERS = 500
"""Of a held-back message, to be shown again: three SMS. The log keeps it whole."""


def notice_silence(handling: Handling[Any], text: str) -> bool:
    """Remind, or ask how to go on; True: the message is answered with that."""
    policy = handling.plan.late_reply
    if policy is None or not text:
        return False
    asked = handling.thread.question
    if asked is not None and asked.name == LATE and _answer(handling, policy, asked, text):
        return True
    quiet_ms = _silence_ms(handling)
    if quiet_ms < policy.remind_after // ONE_MS or handling.thread.status in policy.resting:
        return False
    wishes = (policy.continue_intent, policy.new_intent)
    said = _said(handling, text, (*wishes, *_exempt(handling)))
    is_long = quiet_ms >= policy.ask_after // ONE_MS
    if said in wishes and is_long:
        go_on(handling, policy, said)
        return True
    if said is not None:
        return False
    if is_long:
        _ask(handling, policy, text)
    else:
        handling.say(_reminder(handling, policy, text))
    return is_long


def _silence_ms(handling: Handling[Any]) -> int:
    """Return how long nobody had said anything when the message was received, which is earlier after an outage."""
    turn = handling.ledger.input
    if turn.active_ms is None:
        return 0
    message = handling.messages[-1]
    said_ms = message.received_ms if message.late and message.received_ms else turn.now_ms
    return max(0, said_ms - turn.active_ms)


def _exempt(handling: Handling[Any]) -> tuple[str, ...]:
    """Return the intents that make sense whatever was before."""
    policies = (handling.plan.start_over, handling.plan.help)
    return tuple(policy.intent for policy in policies if policy is not None)


def _said(handling: Handling[Any], text: str, intents: Sequence[str]) -> str | None:
    """Return which of a few intents a text means; None if it means none of them, or them among others."""
    match: Match = handling.compiled.hearing.among(text, intents)
    return match.intent if match.is_clear and not match.remainder else None


def _ask(handling: Handling[Any], policy: LateReply, text: str) -> None:
    options = (policy.continue_intent.upper(), policy.new_intent.upper())
    question = fill(handling.plan.texts.late_question, go_on=options[0], new=options[1])
    handling.thread.park(Question(name=LATE, text=question, kind="choice", options=options))
    handling.thread.held_back = text[:MAX_HELD_BACK_CHARACTERS]
    handling.handlers.append("late_reply")
    handling.remark("held_back")
    handling.say(question)


def _answer(handling: Handling[Any], policy: LateReply, asked: Question, text: str) -> bool:
    """Take the answer to "continue or new?"; False: the person simply goes on, or was silent for a day again."""
    wishes = (policy.continue_intent, policy.new_intent)
    match = handling.compiled.hearing.among(text, wishes, question=asked)
    if match.intent == CHOICE:
        go_on(handling, policy, wishes[asked.options.index(str(match.slots["option"]))])
        return True
    if match.intent in wishes or agrees(text):
        go_on(handling, policy, match.intent if match.intent in wishes else policy.continue_intent)
        return True
    if denies(text):
        handling.say(asked.text)
        return True
    if _silence_ms(handling) < policy.ask_after // ONE_MS:
        handling.thread.unpark()
        handling.thread.held_back = ""
    return False


def go_on(handling: Handling[Any], policy: LateReply, intent: str) -> None:
    """Follow "continue" or "new"."""
    thread = handling.thread
    handling.understood(intent)
    if intent == policy.new_intent:
        start_over(handling)
        say_started_over(handling)
        return
    handling.handlers.append("late_reply")
    if thread.question is not None and thread.question.is_own:
        thread.unpark()
    handling.say(_reminder(handling, policy, ""))
    if thread.held_back:
        handling.say(fill(handling.plan.texts.late_repeat, text=thread.held_back))
        thread.held_back = ""
    handling.repeat_question()


def _reminder(handling: Handling[Any], policy: LateReply, text: str) -> str:
    """Return what reminds the person of where they were; empty if the flow has nothing to say here."""
    if policy.reminder is None:
        status = handling.thread.status.replace("_", " ").replace("-", " ")
        return fill(handling.plan.texts.reminder, status=status)
    turn = handling.turn(Understanding(text=text))
    try:
        said = policy.reminder(turn)
    finally:
        turn.close()
    if not isinstance(said, str):
        raise HandlerError(f"the reminder of late_reply must return text, got {type(said).__name__}")
    if len(said) > MAX_REPLY_CHARACTERS:
        raise HandlerError(f"the reminder of late_reply may have {MAX_REPLY_CHARACTERS} characters, got {len(said)}")
    return said.strip()
