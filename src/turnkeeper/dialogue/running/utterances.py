"""Where a person's words lead: to an answer, a policy, a handler, or a clarifying question, never to silence.

One message may hold several wishes ("confirm, and skip Monday"); each is followed in turn. An answer with a wish behind
it ("yes but swap the salmon") follows the wish instead, and the wish's handler finds the answer in `slots["answer"]`;
where the rest is no wish the answer's handler finds it in `slots["rest"]`.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from turnkeeper.dialogue.running.corrections import Correction, read_correction
from turnkeeper.dialogue.running.handling import Handling
from turnkeeper.dialogue.running.hearing import ANSWERS, denies
from turnkeeper.dialogue.running.lateness import LATE, go_on, notice_silence
from turnkeeper.dialogue.running.policies import (
    greet,
    help_here,
    lead_elsewhere,
    opt_out,
    say_started_over,
    start_over,
    still_working,
    working_on,
)
from turnkeeper.dialogue.thread import Guess, Question
from turnkeeper.dialogue.turn import Understanding
from turnkeeper.dialogue.understanding.carrier_words import is_opt_out_request
from turnkeeper.dialogue.understanding.intents import AFFIRMATIVE, AMBIGUOUS, ANSWER, CHOICE, UNKNOWN, Match
from turnkeeper.dialogue.wording import fill

GUESSING = "_guess"
"""Name of the question "Did you mean …?"."""

MAX_WISHES = 4
"""Wishes of one message that are followed: who writes more in one breath is better asked again."""

SOFT_REACH = timedelta(hours=24)
""""Actually, …" takes back what is younger: a day later it opens a new thought. "Oops" and "undo" reach further."""

MAX_GUESSED_CHARACTERS = 500
"""Of a text that "Did you mean …?" was about, kept to read slots from it once the person says yes."""


async def handle_words(handling: Handling[Any], text: str) -> None:
    """Handle what a person said, of a burst everything."""
    if handling.plan.several_people is not None and lead_elsewhere(handling, text):
        return
    await handling.run_hooks(Understanding(text=text))
    if notice_silence(handling, text) or greet(handling, text):
        return
    await _follow(handling, text, wishes=MAX_WISHES)


async def handle_press(handling: Handling[Any], name: str) -> None:
    """Handle a button or a webhook. An answer's button counts as the answer; what nobody takes here is only logged."""
    if handling.plan.several_people is not None and lead_elsewhere(handling, ""):
        return
    understanding = Understanding(intent=name, text=name)
    await handling.run_hooks(understanding)
    handler = handling.choose("action", name, understanding)
    if handler is not None:
        handling.understood(name)
        await handling.run(handler, understanding)
        return
    question = handling.thread.question
    if question is not None and question.name == LATE and notice_silence(handling, name):
        return
    if question is not None and question.kind != "text":
        match, _ = await handling.compiled.hearing.understand(name, status=handling.thread.status, question=question)
        if match.intent in ANSWERS:
            await _act(handling, name, match, wishes=1)
            return
    handling.understood(name)
    handling.remark("refused")


async def _follow(handling: Handling[Any], text: str, *, wishes: int) -> None:
    if handling.plan.corrections is not None:
        correction = read_correction(text)
        if correction is not None and await _correct(handling, text, correction, wishes=wishes):
            return
    await _act(handling, text, await _understand(handling, text), wishes=wishes)


async def _understand(handling: Handling[Any], text: str, *, question: Question | None = None) -> Match:
    match, failure = await handling.compiled.hearing.understand(
        text, status=handling.thread.status, question=question or handling.thread.question
    )
    handling.error = handling.error or failure
    return match


async def _correct(handling: Handling[Any], text: str, correction: Correction, *, wishes: int) -> bool:
    """Take the last modification back and follow the rest; False: the text is none of a correction after all."""
    rest = correction.rest
    if rest and handling.thread.question is None and denies(rest):
        rest = ""
    if rest:
        match = await _understand(handling, rest)
        is_wish = match.is_clear and match.intent != ANSWER
        if is_wish and (match.intent in ANSWERS or _changes_nothing(handling, match.intent)):
            await _act(handling, rest, match, wishes=wishes)
            return True
        if not is_wish and not correction.is_plain:
            return False
        if not is_wish and _means_undo(handling, text):
            rest = ""
    reach = None if correction.is_plain or not rest else SOFT_REACH
    await _undo(handling, within=reach, goes_on=bool(rest))
    if rest:
        await _act(handling, rest, await _understand(handling, rest), wishes=wishes)
    return True


def _means_undo(handling: Handling[Any], text: str) -> bool:
    """Tell whether the flow's own phrases say undo with the whole text ("undo the last one")."""
    policy = handling.plan.corrections
    return policy is not None and handling.compiled.hearing.among(text, (policy.intent,)).intent == policy.intent


async def _undo(handling: Handling[Any], *, within: timedelta | None = None, goes_on: bool = False) -> None:
    """Take the last modification back and say so. If it goes on, that there is none is not worth a word."""
    policy = handling.plan.corrections
    if policy is None:
        return
    undone = await handling.take_back(within)
    if undone is not None:
        handling.understood(policy.intent)
        handling.handlers.append("corrections")
        handling.say(fill(policy.reply, message=undone.message, intent=undone.intent))
        if not goes_on:
            handling.repeat_question()
    elif not goes_on:
        handling.understood(policy.intent)
        handling.handlers.append("corrections")
        handling.remark("nothing_to_undo")
        handling.say(policy.nothing)
        handling.repeat_question()


def _changes_nothing(handling: Handling[Any], intent: str) -> bool:
    """Tell whether "wait, …" in front of this wish only asks for attention: an aside, help, start over, undo itself."""
    plan = handling.plan
    policies = (plan.help, plan.start_over, plan.corrections)
    if any(policy is not None and policy.intent == intent for policy in policies):
        return True
    handler = handling.choose("intent", intent, Understanding(intent=intent))
    return handler is not None and handler.aside


async def _act(handling: Handling[Any], text: str, match: Match, *, wishes: int) -> None:
    """Do what a match says, then follow what else was said."""
    question = handling.thread.question
    if question is not None and question.name == GUESSING:
        if await _take_guess(handling, match):
            return
        if handling.compiled.hearing.has_classifier:
            match = await _understand(handling, text)
    if match.intent in ANSWERS:
        await _answer(handling, text, match, wishes=wishes)
        return
    if not match.is_clear:
        await _clarify(handling, text, match)
        return
    await _wish(handling, text, match.intent, confidence=match.confidence, slots=match.slots)
    if match.remainder and wishes > 1:
        await _follow(handling, match.remainder, wishes=wishes - 1)


async def _wish(
    handling: Handling[Any], text: str, intent: str, *, confidence: float = 1.0, slots: Mapping[str, Any] | None = None
) -> None:
    """Follow one wish: by a policy, a handler, or by saying that it cannot be had here."""
    handling.understood(intent)
    if await _by_policy(handling, intent):
        return
    understanding = Understanding(intent=intent, confidence=confidence, slots=slots or {}, text=text)
    repeated = working_on(handling, intent)
    if repeated is not None:
        await still_working(handling, repeated, understanding)
        return
    handler = handling.choose("intent", intent, understanding)
    if handler is not None:
        await handling.run(handler, understanding)
        return
    late = handling.plan.late_reply
    if late is not None and intent in (late.continue_intent, late.new_intent):
        go_on(handling, late, intent)
        return
    _refuse(handling)


async def _by_policy(handling: Handling[Any], intent: str) -> bool:
    plan = handling.plan
    if plan.start_over is not None and intent == plan.start_over.intent:
        start_over(handling)
        say_started_over(handling)
    elif plan.corrections is not None and intent == plan.corrections.intent:
        await _undo(handling)
    elif plan.help is not None and intent == plan.help.intent:
        help_here(handling)
    else:
        return False
    return True


async def _answer(handling: Handling[Any], text: str, match: Match, *, wishes: int) -> None:
    """Run the answer's handler, or the wish behind the answer."""
    thread = handling.thread
    question = thread.question
    slots: dict[str, Any] = dict(match.slots)
    after: Match | None = None
    if match.remainder and wishes > 1:
        thread.question = None
        after = await _understand(handling, match.remainder)
        thread.question = question
        if not after.is_clear or not _may_run(handling, after.intent):
            slots["rest"] = match.remainder
            after = None
        elif not _changes_nothing(handling, after.intent):
            wish = {**after.slots, "answer": match.intent}
            await _wish(handling, match.remainder, after.intent, confidence=after.confidence, slots=wish)
            if after.remainder:
                await _follow(handling, after.remainder, wishes=wishes - 2)
            return
    understanding = Understanding(
        intent=match.intent, confidence=match.confidence, slots=slots, question=question, text=text
    )
    handling.understood(match.intent)
    handler = handling.choose("intent", match.intent, understanding)
    if handler is not None:
        await handling.run(handler, understanding)
    else:
        thread.settle()
        _refuse(handling)
    if after is not None:
        await _act(handling, match.remainder, after, wishes=wishes - 1)


async def _take_guess(handling: Handling[Any], match: Match) -> bool:
    """Take the answer to "Did you mean …?"; False: it was none, and the question is off."""
    thread = handling.thread
    guess = thread.guess
    thread.unpark()
    if guess is None or match.intent not in ANSWERS:
        return False
    if match.intent == CHOICE:
        chosen = guess.intents[int(match.slots["number"]) - 1]  # type: ignore[arg-type]
    elif match.intent == AFFIRMATIVE:
        chosen = guess.intents[0]
    else:
        await _clarify(handling, "", Match(intent=UNKNOWN, confidence=0.0))
        return True
    read = handling.compiled.hearing.among(guess.text, (chosen,))
    slots = read.slots if chosen in (read.intent, *read.guesses) else {}
    await _wish(handling, guess.text, chosen, slots=slots)
    return True


async def _clarify(handling: Handling[Any], text: str, match: Match) -> None:
    """Ask what was meant: "Did you mean …?" where something comes near, else what can be said now."""
    plan, thread = handling.plan, handling.thread
    if plan.carrier_words and is_opt_out_request(text):
        opt_out(handling)
        return
    guesses = tuple(intent for intent in match.guesses if _may_run(handling, intent))
    if match.intent == AMBIGUOUS and len(guesses) == 1:
        read = handling.compiled.hearing.among(text, guesses)
        slots = read.slots if read.intent == guesses[0] else {}
        await _wish(handling, text, guesses[0], confidence=match.confidence, slots=slots)
        return
    handling.understood(match.intent)
    if match.intent == AMBIGUOUS and not guesses:
        _refuse(handling)
        return
    if match.intent == UNKNOWN:
        understanding = Understanding(
            intent=UNKNOWN, confidence=match.confidence, slots={"guesses": guesses}, text=text
        )
        handler = handling.choose("unknown", "", understanding)
        if handler is not None:
            await handling.run(handler, understanding)
            return
    handling.remark("unclear")
    if guesses:
        _guess(handling, guesses, text)
        return
    hints = handling.compiled.hint(thread.status)
    handling.say(fill(plan.texts.unclear, hints=hints))
    handling.repeat_question()


def _guess(handling: Handling[Any], guesses: tuple[str, ...], text: str) -> None:
    labels = [handling.compiled.hearing.label(intent) for intent in guesses]
    named = " or ".join(f'"{label}"' for label in labels)
    asked = fill(handling.plan.texts.did_you_mean, guesses=named)
    is_one = len(guesses) == 1
    question = Question(
        name=GUESSING, text=asked, kind="yes_no" if is_one else "choice", options=() if is_one else tuple(labels)
    )
    handling.thread.park(question, Guess(intents=guesses, text=text[:MAX_GUESSED_CHARACTERS]))
    handling.say(asked)


def _refuse(handling: Handling[Any]) -> None:
    """Say that it cannot be had here, and what can."""
    handling.remark("refused")
    hints = handling.compiled.hint(handling.thread.status)
    handling.say(fill(handling.plan.texts.refused, hints=hints))
    handling.repeat_question()


def _may_run(handling: Handling[Any], intent: str) -> bool:
    """Tell whether a wish could be followed in this status, guards aside."""
    plan = handling.plan
    policies = (plan.help, plan.start_over, plan.corrections)
    if any(policy is not None and policy.intent == intent for policy in policies):
        return True
    if working_on(handling, intent) is not None:
        return True
    return handling.compiled.choices.may_run(intent, status=handling.thread.status)
