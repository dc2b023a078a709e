"""Can every name be part of a key, a diagram and a log, and does each name one thing?"""

import re
from collections.abc import Iterable, Iterator

from turnkeeper.dialogue.checks.problem import Problem
from turnkeeper.dialogue.declaring.declarations import Gathered
from turnkeeper.dialogue.thread import OWN_PREFIX

NAME = re.compile(r"\w[\w.-]{0,63}", re.ASCII)
"""Of flows, statuses, jobs and timers: no colon, which separates the parts of a key, and no blank."""

PLACEHOLDER = re.compile(r"\{[A-Za-z_]\w*\}")
"""What the person's address replaces in a state key."""

ACCEPTED = "use up to 64 letters, digits, '_', '-' and '.', beginning with a letter or digit"


def name_problems(flow: Gathered) -> Iterator[Problem]:
    """Find names that cannot be one, and names that two things share."""
    yield from _unfit(flow)
    yield from _state_key(flow)
    yield from _twice("status", ((status.name, status.where) for status in flow.statuses))
    yield from _twice("job", ((job.name, job.where) for job in flow.jobs))
    yield from _twice("intent", ((intent.name, flow.where) for intent in flow.intents))
    yield from _twice("upgrade from version", ((str(upgrade.from_version), upgrade.where) for upgrade in flow.upgrades))
    yield from _schemas(flow)
    yield from _routers(flow)


def _unfit(flow: Gathered) -> Iterator[Problem]:
    named = {
        ("flow", flow.name): flow.where,
        ("status", flow.start): flow.where,
        **{("status", status.name): status.where for status in flow.statuses},
        **{("job", job.name): job.where for job in flow.jobs},
    }
    for handler in flow.handlers:
        named.update({("status", name): handler.where for name in handler.to})
        for trigger in handler.triggers:
            if trigger.kind == "timer":
                named[trigger.kind, trigger.name] = handler.where
            if trigger.question:
                named["question", trigger.question] = handler.where
            if trigger.kind == "action" and not trigger.name.strip():
                yield Problem(where=handler.where, text=f"handler {handler.name} takes an action without a name")
    for (what, name), where in named.items():
        if not NAME.fullmatch(name):
            yield Problem(where=where, text=f"{name!r} cannot name a {what}; {ACCEPTED}")
        elif what in {"timer", "question"} and name.startswith(OWN_PREFIX):
            text = f"{what} {name!r}: names that begin with {OWN_PREFIX!r} are the flow's own; drop it"
            yield Problem(where=where, text=text)


def _state_key(flow: Gathered) -> Iterator[Problem]:
    key = flow.state_key
    if key and (len(PLACEHOLDER.findall(key)) != 1 or key.count("{") != 1 or key.count("}") != 1):
        text = f"state_key {key!r} needs exactly one placeholder, where the person goes, such as 'order:{{id}}'"
        yield Problem(where=flow.where, text=text)


def _twice(what: str, named: Iterable[tuple[str, str]]) -> Iterator[Problem]:
    first: dict[str, str] = {}
    for name, where in named:
        if name in first:
            yield Problem(where=where, text=f"{what} {name!r} is declared twice, first at {first[name]}; rename one")
        first.setdefault(name, where)


def _schemas(flow: Gathered) -> Iterator[Problem]:
    if flow.schema < 1:
        yield Problem(where=flow.where, text=f"schema={flow.schema}, but schemas count from 1")
    known = {upgrade.from_version for upgrade in flow.upgrades}
    for upgrade in flow.upgrades:
        start, end = upgrade.from_version, upgrade.from_version + 1
        if start < 1:
            yield Problem(where=upgrade.where, text=f"upgrade from version {start}, but schemas count from 1")
        elif start >= flow.schema:
            text = f"upgrade from version {start} leads beyond schema={flow.schema} of the flow; raise that to {end}"
            yield Problem(where=upgrade.where, text=text)
        elif end < flow.schema and end not in known:
            text = f"upgrade from version {start} ends at {end}, and none goes on to schema {flow.schema}"
            yield Problem(where=upgrade.where, text=f"{text}; add @flow.upgrade(from_version={end})")


def _routers(flow: Gathered) -> Iterator[Problem]:
    seen = {id(flow.routers[0])}
    for inclusion in flow.inclusions:
        router = inclusion.router
        if id(router) in seen:
            text = "this router is part of the flow already; include it once"
            yield Problem(where=inclusion.where, text=text)
        elif router.state_type is not flow.state_type:
            text = f"this router is for {router.state_type.__name__}, the flow for {flow.state_type.__name__}"
            yield Problem(where=inclusion.where, text=f"{text}; make it Router({flow.state_type.__name__})")
        seen.add(id(router))
