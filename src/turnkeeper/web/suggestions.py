"""What a person can say in a status, as phrases to tap: taken from the help texts of the flow, never made up.

By custom a help text begins with the command in capitals: "PLAN makes this week's dinners", "SWAP salmon FOR chicken".
Whether the capitals alone are said or the whole text is an example is decided by asking the flow's own matcher.
"""

from collections.abc import Iterator
from typing import Any

import msgspec

from turnkeeper.dialogue.declared import ANYWHERE, Handler
from turnkeeper.dialogue.intents import AFFIRMATIVE, NEGATIVE
from turnkeeper.dialogue.matching import Matcher
from turnkeeper.dialogue.plan import FlowPlan
from turnkeeper.dialogue.thread import Question

MAX_SUGGESTIONS = 10
"""More are not read."""

_YES_OR_NO = Question(name="anything", text="")


class Suggestion(msgspec.Struct, frozen=True, kw_only=True):
    """A phrase to say, and the help text that it comes from."""

    say: str
    help: str


class Suggestions:
    """The suggestions of one flow. Holds no state between calls."""

    def __init__(self, plan: FlowPlan[Any]) -> None:
        """Compile the flow's phrases."""
        self._plan = plan
        self._matcher = Matcher(plan.intents)

    def here(self, status: str) -> tuple[Suggestion, ...]:
        """Return what can be said in a status, what is special to it first, the flow's own policies last."""
        found: dict[str, Suggestion] = {}
        for handler in self._handlers(status):
            if say := self._phrase(handler, status):
                found.setdefault(say, Suggestion(say=say, help=handler.help))
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
