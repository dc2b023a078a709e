"""Puts an outage policy together. What a policy needs is imported when it is chosen: `fail` needs nothing."""

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path

from turnkeeper.engine.engine import Engine
from turnkeeper.observe.masking import mask_url
from turnkeeper.outage.breaker import Breaker
from turnkeeper.outage.guarded import GuardedStore
from turnkeeper.outage.reception import Failing, Reception
from turnkeeper.policy.outage import Outage
from turnkeeper.ports.clock import Clock
from turnkeeper.ports.store import Store

NewEngine = Callable[[Store], Engine]
"""Makes an engine with the application's programs and channels over a store."""


def guard(store: Store, outage: Outage, *, clock: Clock) -> GuardedStore:
    """Return a store behind a circuit breaker, as the policy wants it."""
    breaker = Breaker(
        clock=clock, failures=outage.failures, first_wait=outage.first_wait, longest_wait=outage.longest_wait
    )
    return GuardedStore(store, breaker, clock=clock, may_open_later=outage.policy != "fail")


def bind(
    store: GuardedStore,
    outage: Outage,
    *,
    store_url: str,
    flows: Sequence[str],
    new_engine: NewEngine,
    clock: Clock,
) -> tuple[Engine, Reception]:
    """Return the engine over the store and the way in.

    Args:
        store: The application's.
        outage: What to do while it is away.
        store_url: Of the store, empty if it came as an object. Files of a process with another store are left alone.
        flows: Names of what this process serves; what was left of other flows is left to who serves them.
        new_engine: Makes an engine.
        clock: Time.
    """
    folder = Path(outage.folder).absolute()
    owner = hashlib.blake2b(_place_of(store_url).encode(), digest_size=4).hexdigest()
    if outage.policy == "carry_on":
        from turnkeeper.outage.carry.carrying import Carrying
        from turnkeeper.outage.carry.fenced import FencedStore
        from turnkeeper.outage.carry.recent import Recent

        recent = Recent(conversations=outage.remembered, size_bytes=outage.remembered_bytes)
        carrying = Carrying(
            store,
            store.breaker,
            recent,
            folder=folder,
            owner=owner,
            flows=flows,
            limit=outage.carried_conversations,
            new_engine=new_engine,
            clock=clock,
        )
        carrying.engine = new_engine(
            FencedStore(
                store,
                carrying.is_fenced,
                clock=clock,
                recent=recent,
                on_verdict=carrying.note_verdict,
                is_sent_here=carrying.is_sent_here,
            )
        )
        store.tell_of_erasures(carrying.forget)
        return carrying.engine, carrying
    engine = new_engine(store)
    if outage.policy == "fail":
        return engine, Failing(engine)
    from turnkeeper.outage.queueing import Queueing

    queueing = Queueing(
        engine,
        store.breaker,
        folder=folder,
        owner=owner,
        limit=outage.journal_messages,
        flows=flows,
        clock=clock,
    )
    return engine, queueing


def _place_of(store_url: str) -> str:
    """Return what stays the same of a store's URL when its password or its parameters change."""
    scheme, mark, rest = mask_url(store_url).partition("?")[0].partition("://")
    return f"{scheme}{mark}{rest if rest.startswith('/') else rest.rpartition('@')[2]}"
