"""Tells one random story to two stores and compares every answer: a backend against the memory store, the model.

A story is a list of plain steps made from a seed; steps speak of tokens and names only, so that both stores hear the
same. What may differ between two right stores is taken out before comparing: generations, fences, sequence numbers,
etags, cursors, ids of dead letters, and the order of what has no order.
"""

import random
from collections.abc import Sequence
from datetime import timedelta

import msgspec

from turnkeeper.ports.store import Store
from turnkeeper.testing.clock import ManualClock
from turnkeeper.testing.conformance.actor import PEOPLE, Actor, Step

PAUSES_MS = (1, 1, 400, 400, 2_000, 2_000, 6_000, 16_000, 31_000, 3_600_000, 90_000_000, 180_000_000)
"""Within a lease, past a lease, past a claim, past a retention, past the dedup window and the grace of parts."""

WEIGHTS = {"begin": 16, "commit": 16, "wait": 6, "claim": 8, "settle": 10, "renew": 3, "release": 3}
"""How often a kind of step comes, 1 unless said here."""

FREE = frozenset({"generation", "fence", "seq", "etag", "cursor", "next_seq", "now_ms"})
"""Fields in which two right stores may differ."""


def story(seed: int, length: int) -> list[Step]:
    """Return the steps of a seed, always the same ones."""
    chance = random.Random(seed)  # noqa: S311 - repeatable, not secret
    kinds = ["wait", *(name.removeprefix("do_") for name in dir(Actor) if name.startswith("do_"))]
    weights = [WEIGHTS.get(kind, 1) for kind in kinds]
    return [
        Step(
            what=chance.choices(kinds, weights)[0],
            who=chance.randrange(len(PEOPLE)),
            name=f"m{chance.randrange(max(3, number // 4))}",
            chance=tuple(chance.randrange(1_000_000) for _ in range(4)),
        )
        for number in range(length)
    ]


async def compare(first: Store, second: Store, clock: ManualClock, *, seed: int, length: int = 200) -> None:
    """Tell one story to two empty stores that follow one clock.

    Raises:
        AssertionError: They answered differently; the text names the seed, the step and both answers.
    """
    actors = (Actor(first, clock), Actor(second, clock))
    for number, step in enumerate(story(seed, length)):
        if step.what == "wait":
            clock.advance(timedelta(milliseconds=PAUSES_MS[step.chance[0] % len(PAUSES_MS)]))
            continue
        left, right = [normalised(await actor.act(step)) for actor in actors]
        assert left == right, f"seed {seed}, step {number}, {step}:\n{left}\n{right}"


def normalised(answer: object) -> object:
    """Return an answer without what may differ, structs as dicts and unordered sequences sorted."""
    if isinstance(answer, msgspec.Struct):
        fields = {name: normalised(getattr(answer, name)) for name in answer.__struct_fields__ if name not in FREE}
        return {"": type(answer).__name__, **fields}
    if isinstance(answer, dict):
        return {name: normalised(value) for name, value in answer.items()}
    if isinstance(answer, set | frozenset):
        return sorted(repr(normalised(item)) for item in answer)
    if isinstance(answer, Sequence) and not isinstance(answer, str | bytes):
        return [normalised(item) for item in answer]
    return answer
