"""Which handler runs, and what can be said now: computed per status once, looked up in every turn.

Of handlers that match, the one that names the pending question wins over one that names none, then an explicit status
over anywhere, then one with a guard over one without. The order of declaration decides nothing.
"""

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from turnkeeper.dialogue.declaring.declared import ANYWHERE, Handler
from turnkeeper.dialogue.plan import FlowPlan

MAX_HINTS = 6
"""Things named in one hint: more are not read, and an SMS has 160 characters."""


class Candidate(msgspec.Struct, frozen=True):
    """A handler that may run in a status, and the question it wants to be the answer to; empty: any or none."""

    handler: Handler
    question: str


Holds = Callable[[Handler], bool]
"""Asks a handler's guard."""


class Choices:
    """The handlers of a plan, by status and trigger."""

    def __init__(self, plan: FlowPlan[Any]) -> None:
        """Sort the handlers of every status."""
        self._status_help = plan.status_help
        self._by_status = {status: _table(plan.handlers, status) for status in plan.statuses}
        self._anywhere = _table(plan.handlers, _UNDECLARED)
        self._helps = {status: _helps(plan.handlers, status) for status in (*plan.statuses, _UNDECLARED)}
        self.kinds = frozenset(trigger.kind for handler in plan.handlers for trigger in handler.triggers)
        self.intents = frozenset(
            trigger.name for handler in plan.handlers for trigger in handler.triggers if trigger.kind == "intent"
        )

    def choose(self, kind: str, name: str, *, status: str, question: str = "", holds: Holds) -> Handler | None:
        """Return the handler that runs, None if none may.

        Args:
            kind: See `Trigger`.
            name: See `Trigger`.
            status: Where the dialogue stands.
            question: The pending question, where the message answers it.
            holds: Asked for handlers with a guard, until one holds.
        """
        for candidate in self._by_status.get(status, self._anywhere).get((kind, name), ()):
            handler = candidate.handler
            is_asked = not candidate.question or candidate.question == question
            if is_asked and (handler.guard is None or holds(handler)):
                return handler
        return None

    def may_run(self, intent: str, *, status: str) -> bool:
        """Tell whether some handler takes an intent in a status, guards and questions aside."""
        candidates = self._by_status.get(status, self._anywhere).get(("intent", intent), ())
        return any(not candidate.question for candidate in candidates)

    def helps(self, status: str) -> Sequence[str]:
        """Return the help texts of what can be said in a status, what is special to it first."""
        return self._helps.get(status, self._helps[_UNDECLARED])

    def words(self, status: str) -> str:
        """Return what can be said in a status as a list of its first words: "PLAN, SWAP, HELP"."""
        names = dict.fromkeys(text.partition(":")[0].strip() for text in self.helps(status))
        return ", ".join(list(names)[:MAX_HINTS])

    def status_help(self, status: str) -> str:
        """Return what a person should know in a status; empty where nothing was declared."""
        return self._status_help.get(status, "")


Table = dict[tuple[str, str], tuple[Candidate, ...]]

_UNDECLARED = ""
"""Stands for a status that newer or older code declared: only what is declared for anywhere runs there."""


def _table(handlers: Sequence[Handler], status: str) -> Table:
    found: dict[tuple[str, str], list[Candidate]] = {}
    for handler in handlers:
        if handler.when == ANYWHERE or status in handler.when:
            for trigger in handler.triggers:
                found.setdefault((trigger.kind, trigger.name), []).append(Candidate(handler, trigger.question))
    return {key: tuple(sorted(candidates, key=_rank)) for key, candidates in found.items()}


def _rank(candidate: Candidate) -> tuple[bool, bool, bool]:
    handler = candidate.handler
    return not candidate.question, handler.when == ANYWHERE, handler.guard is None


def _helps(handlers: Sequence[Handler], status: str) -> tuple[str, ...]:
    here = [handler for handler in handlers if handler.help and status in handler.when]
    anywhere = [handler for handler in handlers if handler.help and handler.when == ANYWHERE]
    return tuple(dict.fromkeys(handler.help for handler in (*here, *anywhere)))
