"""How an application stands towards its store: facts for `/health`, metrics and operators."""

from typing import Literal

import msgspec

from turnkeeper.model.conversation import ConversationId
from turnkeeper.outage.breaker import Circuit
from turnkeeper.policy.outage import OutagePolicy

CONFLICTS = "conflict"
"""Collection of the accounts of conflicts in the store; each stands under `conflict:<conversation>/<id>`."""


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """Whether messages can be taken. Asking costs nothing: it is what this process knows, nothing is asked.

    Attributes:
        status: `ok`; `degraded`: messages are taken, but not by the store (or not all of them are in it yet);
            `down`: they are refused.
        policy: What the application does while the store is away.
        reason: What is wrong, empty if nothing is.
        since_ms: When the store was first missed, in ms since 1970 UTC; None while it is there.
        retry_ms: When it is asked again.
        journal: Accepted messages that wait in this process's journal.
        refused: Of these, messages that the store can never take; an operator must look at them.
        carried: Conversations that live here and are not written back yet.
        conflicts: Conversations that could not be written back since this process started; see `App.conflicts`.
    """

    status: Literal["ok", "degraded", "down"]
    policy: OutagePolicy
    reason: str = ""
    since_ms: int | None = None
    retry_ms: int | None = None
    journal: int = 0
    refused: int = 0
    carried: int = 0
    conflicts: int = 0


class Conflict(msgspec.Struct, frozen=True, kw_only=True):
    """A conversation that went on in two places. The store's state stands; this is what was said here meanwhile.

    Attributes:
        id: Names it, for an operator.
        conversation: Whose.
        reason: Why it could not be written back.
        at_ms: When that was found, in ms since 1970 UTC.
        base_version: The version that this process went on from; None: it knew none and began anew.
        found_version: The version that the store had.
        status: Where the dialogue stood here.
        state: The state here, as its JSON; `null` if there was none.
        log: Entries of the event log of the turns here, oldest first, as their JSON.
        unsent: Payloads of jobs and timers that the turns here asked for and that were dropped.
    """

    id: str
    conversation: ConversationId
    reason: str
    at_ms: int
    base_version: int | None
    found_version: int | None
    status: str
    state: msgspec.Raw
    log: tuple[msgspec.Raw, ...]
    unsent: tuple[msgspec.Raw, ...] = ()


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """A policy's own part of the health."""

    journal: int = 0
    refused: int = 0
    carried: int = 0
    conflicts: int = 0


def judge(policy: OutagePolicy, circuit: Circuit, standing: Standing) -> Health:
    """Return the health of an application from what its parts say."""
    is_elsewhere = bool(standing.journal or standing.carried)
    status: Literal["ok", "degraded", "down"] = "degraded" if circuit.is_open or is_elsewhere else "ok"
    if circuit.is_open and policy == "fail":
        status = "down"
    reason = circuit.reason or ("not all that was taken while the store was away is in it yet" * is_elsewhere)
    return Health(
        status=status,
        policy=policy,
        reason=reason,
        since_ms=circuit.since_ms,
        retry_ms=circuit.retry_ms,
        journal=standing.journal,
        refused=standing.refused,
        carried=standing.carried,
        conflicts=standing.conflicts,
    )
