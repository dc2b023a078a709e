"""What the flow says by itself, and how its texts are filled in."""

import re

import msgspec

_PLACEHOLDER = re.compile(r"\{(\w+)\}")


class Texts(msgspec.Struct, frozen=True, kw_only=True):
    """What the flow says by itself, to be replaced for another language or tone.

    Attributes:
        opted_out: The one confirmation of STOP.
        opted_in: The answer to START (or YES) after a STOP.
        unclear: No intent fits and none comes near. `{hints}` is what can be said now.
        did_you_mean: One or two intents come near. `{guesses}` names them.
        refused: The intent is known but cannot be had in this status. `{hints}` is what can be said now.
        buried: A message was given up after its last attempt.
        can_say: A hint. `{words}` is what can be said now.
        late_question: After a long silence. `{go_on}` and `{new}` are the two answers.
        late_repeat: Behind the reminder, when the words that had to wait are still open. `{text}` is them.
        reminder: Where they were, unless `late_reply` says it. `{status}` is the status in words.
        fresh: A new beginning, unless `start_over` says it.
        no_help: Help in a status that has no help text.
    """

    opted_out: str = "You're unsubscribed and won't hear from us again. Text START to come back."
    opted_in: str = "Welcome back! You'll hear from us again."
    unclear: str = "Sorry, I didn't get that. {hints}"
    did_you_mean: str = "Did you mean {guesses}?"
    refused: str = "That isn't possible right now. {hints}"
    buried: str = "Sorry, something went wrong with your last message. Please try again."
    can_say: str = "You can say: {words}."
    late_question: str = "It has been a while! Reply {go_on} to go on where we were, or {new} to start fresh."
    late_repeat: str = 'You wrote "{text}". Send it again if it still holds.'
    reminder: str = "Welcome back! We were at: {status}."
    fresh: str = "Starting fresh."
    no_help: str = "Just tell me what you need."


def fill(template: str, /, **values: str) -> str:
    """Return a text with its placeholders replaced; unknown ones stay, so that a slip in a text stops no turn.

    A value is never searched for placeholders: it may be what a person wrote.
    """
    return _PLACEHOLDER.sub(lambda found: values.get(found[1], found[0]), template).strip()
