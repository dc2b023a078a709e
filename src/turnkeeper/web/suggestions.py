"""What a person can say in a status, as phrases to tap: taken from the help texts of the flow, never made up.

By custom a help text begins with the command in capitals: "PLAN makes this week's dinners", "SWAP salmon FOR chicken".
Whether the capitals alone are said or the whole text is an example is decided by asking the flow's own matcher.
"""

from collections.abc import Iterator
from typing import Any

import msgspec

from turnkeeper.codecs.state import Envelope
from turnkeeper.dialogue.declaring.declared import ANYWHERE, Handler
from turnkeeper.dialogue.plan import FlowPlan
from turnkeeper.dialogue.thread import Question, thread_of
from turnkeeper.dialogue.understanding.intents import AFFIRMATIVE, NEGATIVE
from turnkeeper.dialogue.understanding.matching import Matcher

MAX_SUGGESTIONS = 10
"""More are not read."""

_YES_OR_NO = Question(name="anything", text="")


class Suggestion(msgspec.Struct, frozen=True, kw_only=True):
    """A phrase to say, and the help text that it comes from.

    An `example` names a thing ("remove eggplant"): whoever said it once needs it no more.
    """

    say: str
    help: str
    example: bool = False


class _Stored(msgspec.Struct):
    """What stands in front of the users' own fields in a stored state."""

    envelope: Envelope | None = msgspec.field(name="_", default=None)


def pending_question(state: bytes | None) -> Question | None:
    """Return the question that a stored state waits to be answered, None if there is none."""
    thread = thread_of(msgspec.json.decode(state, type=_Stored).envelope) if state else None
    return thread.question if thread else None


class Suggestions:
    """The suggestions of one flow. Holds no state between calls."""

    def __init__(self, plan: FlowPlan[Any]) -> None:
        """Compile the flow's phrases."""
        self._plan = plan
        self._matcher = Matcher(plan.intents)

    def here(self, status: str, *, question: Question | None = None) -> tuple[Suggestion, ...]:
        """Return what can be said in a status, what is special to it first, the flow's own policies last.

        While a question waits for a yes or a no, these come before all; the options of a choice are buttons already.
        """
        found: dict[str, Suggestion] = {}
        if question is not None and question.kind == "yes_no":
            for say, intent in (("yes", AFFIRMATIVE), ("no", NEGATIVE)):
                if self._means(say, intent, status):
                    found[say] = Suggestion(say=say, help=question.text)
        for handler in self._handlers(status):
            if say := self._phrase(handler, status):
                is_example = say != _command(handler.help.partition(":")[0]).lower()
                found.setdefault(say, Suggestion(say=say, help=handler.help, example=is_example))
        own = {name.replace("_", " "): text for name, text in self._policies() if self._means(name, name, status)}
        kept = list(found.values())[: MAX_SUGGESTIONS - len(own)]
        return (*kept, *(Suggestion(say=say, help=text) for say, text in own.items() if say not in found))

    def _handlers(self, status: str) -> Iterator[Handler]:
        handlers = [handler for handler in self._plan.handlers if handler.help]
        yield from (handler for handler in handlers if status in handler.when)
        yield from (handler for handler in handlers if handler.when == ANYWHERE)

    def _policies(self) -> Iterator[tuple[str, str]]:
        if self._plan.start_over is not None and self._plan.start_over.intent:
            yield self._plan.start_over.intent, "begin again"
        if self._plan.help is not None:
            yield self._plan.help.intent, "what can be said now"

    def _phrase(self, handler: Handler, status: str) -> str:
        text = handler.help.partition(":")[0].strip()
        command = _command(text)
        for say in dict.fromkeys((command, text)):
            for trigger in handler.triggers:
                if say and trigger.kind == "intent" and self._means(say, trigger.name, status):
                    return say.lower()
        # A classifier of the flow's own understands without phrases; asking a language model here would cost.
        return command.lower() if self._plan.classifier is not None else ""

    def _means(self, text: str, intent: str, status: str) -> bool:
        words = text.replace("_", " ")
        if intent in {AFFIRMATIVE, NEGATIVE}:
            return self._matcher.match(words, expecting=_YES_OR_NO).intent == intent
        return self._matcher.match(words, status=status).intent == intent


def _command(text: str) -> str:
    """Return the words in capitals that a text begins with."""
    words: list[str] = []
    for word in text.split():
        if not word.isupper():
            break
        words.append(word.strip(",."))
    return " ".join(words)
