"""The words that carriers reserve on SMS: STOP and its like opt out, START opts in, HELP asks for help.

The exact words of Twilio's default handling, and the seven that the FCC names (47 CFR 64.1200(a)(10)), count only as a
*whole* message: "stop please" or "cancel my plan" are left to the flow, since no carrier blocks on them either. The law
still asks to honour such a wish; `is_opt_out_request` recognises the plain ones, so that a flow can offer to opt out.
"""

import unicodedata
from collections.abc import Sequence
from typing import Literal

import msgspec

from turnkeeper.dialogue.language.courtesy import courtesies
from turnkeeper.dialogue.language.templates import slots_of, words_of
from turnkeeper.dialogue.language.tokens import clean, keys, tokenize
from turnkeeper.dialogue.understanding.intents import Intent

CarrierWord = Literal["opt_out", "opt_in", "help"]
"""What a reserved word does."""

OPT_OUT_WORDS = frozenset(
    {"stop", "stopall", "stop all", "unsubscribe", "cancel", "end", "quit", "revoke", "optout", "opt out", "opt-out"}
)
"""Twilio's list and the FCC's. Not here: ARRET and REMOVE, which few carriers reserve and flows use ("remove")."""

OPT_IN_WORDS = frozenset({"start", "unstop"})
OPT_IN_AFTER_OPT_OUT = frozenset({"yes"})
"""Opts in only if the person had opted out; otherwise it is an ordinary answer."""

HELP_WORDS = frozenset({"help", "info"})

LONGEST_WORD = 64
"""Characters of a message that may be one of them with punctuation around; a longer one is something else."""


class Collision(msgspec.Struct, frozen=True, kw_only=True):
    """A phrase of a flow that a carrier takes for itself when it is the whole message.

    Attributes:
        phrase: As the author wrote it.
        word: The reserved word that it can be.
    """

    intent: str
    phrase: str
    word: str
    kind: CarrierWord

    @property
    def text(self) -> str:
        """What that means, and what to do."""
        consequence = {
            "opt_out": "unsubscribes the person on SMS, and the flow never sees it; choose another phrase",
            "opt_in": "opts in on SMS if the person had opted out; otherwise the flow sees it",
            "help": "may be answered by the carrier first, and must say how to opt out",
        }[self.kind]
        return f"intent {self.intent!r}, phrase {self.phrase!r}: {self.word.upper()!r} as a whole message {consequence}"


def carrier_word(text: str, *, opted_out: bool = False) -> CarrierWord | None:
    """Return what a message does as a reserved word, None if it is none.

    Args:
        text: The whole message. Case, white space and punctuation around the word do not matter ("Stop.", '"STOP"').
        opted_out: Whether the person had opted out, so that YES opts in again.
    """
    word = _bare(text)
    if word in OPT_OUT_WORDS:
        return "opt_out"
    if word in OPT_IN_WORDS or (opted_out and word in OPT_IN_AFTER_OPT_OUT):
        return "opt_in"
    return "help" if word in HELP_WORDS else None


_WISHES = """
stop|stop it|stop this|stop that|stop now|stop texting|stop texting me|stop messaging|stop messaging me|stop sending
stop sending me messages|stop sending me texts|stop sending me these|stop sending messages|stop sending texts
stop these texts|stop these messages|stop the texts|stop the messages|stop all messages|stop all texts
stop contacting me|dont text me|dont text me anymore|dont text me again|dont message me|dont message me anymore
dont contact me|dont contact me anymore|do not text me|do not text me anymore|do not text me again|do not message me
do not contact me|do not contact me again|never text me|never text me again|never contact me again|no more texts
no more messages|no more text messages|quit texting me|quit messaging me|unsubscribe|unsubscribe me
unsubscribe me from this|unsubscribe me from this list|opt out|opt me out|i opt out|i want to opt out|take me off
take me off this list|take me off the list|take me off your list|remove me|remove me from this list
remove me from the list|remove me from your list|delete my number|lose my number|leave me alone|i revoke
revoke my consent|i revoke my consent|revoke consent|i withdraw my consent|end this subscription|wrong number stop
"""
_OPT_OUT_WISHES = frozenset(keys(wish) for wish in _WISHES.replace("\n", "|").split("|") if wish)


def is_opt_out_request(text: str) -> bool:
    """Tell whether a whole message plainly asks not to be texted again, in words or as a reserved word.

    Politeness around it is tolerated ("please stop texting me"). A wish that could mean a part of the service ("cancel
    my plan", "stop the recipes") is none: ask what is meant.
    """
    if carrier_word(text) == "opt_out":
        return True
    said = tuple(word.key for word in tokenize(text).words if not word.is_symbol)
    if said in _OPT_OUT_WISHES:
        return True
    polite = courtesies(said)
    return tuple(key for key, courteous in zip(said, polite, strict=True) if not courteous) in _OPT_OUT_WISHES


def reserved_collisions(intents: Sequence[Intent]) -> tuple[Collision, ...]:
    """Return the phrases of a flow that are reserved words, in the order of declaration, each once."""
    found: dict[Collision, None] = {}
    for intent in intents:
        said = [(phrase, " ".join(words_of(variant))) for phrase, variant in intent.variants() if not slots_of(variant)]
        said.extend((keyword, keyword) for keyword in intent.keywords)
        for phrase, text in said:
            kind = carrier_word(text, opted_out=True)
            if kind is not None:
                found[Collision(intent=intent.name, phrase=phrase, word=_bare(text), kind=kind)] = None
    return tuple(found)


def _bare(text: str) -> str:
    """Return a short text in lower case without white space and punctuation around it, single spaces inside."""
    seen = clean(text).strip()
    start, end = 0, len(seen)
    while start < end and not _is_inner(seen[start]):
        start += 1
    while end > start and not _is_inner(seen[end - 1]):
        end -= 1
    return "" if end - start > LONGEST_WORD else " ".join(seen[start:end].casefold().split())


def _is_inner(char: str) -> bool:
    """Tell whether a character is no white space, punctuation or currency sign. An emoji is more than punctuation."""
    return not char.isspace() and unicodedata.category(char)[0] != "P" and unicodedata.category(char) != "Sc"
