"""Does the steps of a random story on one store, as a worker would; it says nothing about what is right."""

from collections.abc import Awaitable, Callable
from datetime import timedelta

import msgspec
from msgspec.structs import replace

from turnkeeper.model.conversation import ConversationId
from turnkeeper.ports.deliveries import Claim, Lane, Settlement, Verdict
from turnkeeper.ports.documents import DocumentKey, Ttl, part_key
from turnkeeper.ports.store import Store
from turnkeeper.ports.turns import (
    Begin,
    Commit,
    Committed,
    Effect,
    EffectKind,
    Granted,
    Incoming,
    Mode,
    Outcome,
    Part,
    Queued,
    Release,
    Renewal,
)
from turnkeeper.testing.clock import ManualClock

PEOPLE = (
    ConversationId(flow="shop", person="ana"),
    ConversationId(flow="shop", person="ana", member="ben"),
    ConversationId(flow="shop", person="carl"),
    ConversationId(flow="dispatch", person="ana"),
)
"""Few, so that steps meet."""

LOST_ANSWER_MS = 3_600_000
"""How long after a commit it may be repeated: a store need not know it when the whole head is gone."""


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that happens: what, to whom, and numbers to choose by."""

    what: str
    who: int
    name: str
    chance: tuple[int, ...]


class Actor:
    """Does the steps of a story on one store, and remembers what a worker would."""

    def __init__(self, store: Store, clock: ManualClock) -> None:
        self._store = store
        self._clock = clock
        self._grants: list[tuple[ConversationId, Granted]] = []
        self._commits: list[tuple[int, Commit]] = []
        self._claims: list[Claim] = []
        self._letters: list[str] = []
        self._count = 0

    async def act(self, step: Step) -> object:
        """Do one step and return the store's answer."""
        self._count += 1
        do: Callable[[Step], Awaitable[object]] = getattr(self, f"do_{step.what}")
        return await do(step)

    def _grant(self, step: Step) -> tuple[ConversationId, Granted] | None:
        """Return one of the newest grants: mostly the newest, sometimes one that is long lost."""
        back = (1, 1, 1, 2, 3, 6)[step.chance[0] % 6]
        return self._grants[-min(back, len(self._grants))] if self._grants else None

    async def do_begin(self, step: Step) -> object:
        """Accept a message, or take over what waits."""
        mode = (Mode.QUEUE, Mode.QUEUE, Mode.QUEUE, Mode.REJECT, Mode.INTERRUPT)[step.chance[0] % 5]
        wait_ms = (0, 0, 0, 500)[step.chance[1] % 4]
        message = Incoming(id=step.name, payload=step.name.encode(), wait_ms=wait_ms, max_wait_ms=2_000)
        takes_over = step.chance[2] % 4 == 0
        request = Begin(
            conversation=PEOPLE[step.who],
            token=f"w{self._count}",
            lease_ms=15_000,
            message=None if takes_over else message,
            mode=Mode.QUEUE if takes_over else mode,
            hand_out=1 + step.chance[3] % 3,
            run=takes_over or step.chance[3] % 7 > 0,
        )
        answer = await self._store.turns.begin(request)
        if isinstance(answer, Granted):
            self._grants.append((PEOPLE[step.who], answer))
        if isinstance(answer, Queued):
            return replace(answer, ready_ms=max(answer.ready_ms, self._clock.now_ms()))
        return answer

    async def do_commit(self, step: Step) -> object:
        """Commit a grant, or repeat the commit of one."""
        found = self._grant(step)
        recent = [commit for at_ms, commit in self._commits[-3:] if at_ms + LOST_ANSWER_MS > self._clock.now_ms()]
        if recent and step.chance[1] % 6 == 0:
            request = recent[step.chance[2] % len(recent)]
        elif found is not None:
            request = self._commit(step, *found)
        else:
            return None
        answer = await self._store.turns.commit(request)
        if isinstance(answer, Committed) and not answer.repeated:
            self._commits.append((self._clock.now_ms(), request))
            self._grants.remove(found or self._grants[-1])
            if answer.next is not None:
                self._grants.append((request.conversation, answer.next))
        if isinstance(answer, Committed) and answer.repeated:
            return replace(answer, version=0)  # the version now, which may be of a later time
        return answer

    def _commit(self, step: Step, conversation: ConversationId, grant: Granted) -> Commit:
        one, two, three, _ = step.chance
        prefix = f"e{self._count}"
        part = f"{grant.created_ms}/{two % 4}"  # of this generation: the others' end at no certain time
        return Commit(
            conversation=conversation,
            token=grant.token,
            fence=grant.fence,
            version=grant.version,
            generation=grant.generation,
            commit_id=f"c{self._count}",
            take=max(1, len(grant.messages) - three % 2),
            state=None if one % 6 == 0 else prefix.encode(),
            status=("idle", "open")[two % 2],
            forget=one % 23 == 1,
            active=one % 4 > 0,
            retain_ms=None if two % 5 == 0 else 3_600_000,
            slide=two % 3 > 0,
            log=prefix.encode() if three % 3 else None,
            log_keep=4,
            log_keep_ms=100_000_000,
            effects=self._effects(step, prefix),
            cancel=(("t1",), (), (), (f"e{self._count - 3}:0",))[two % 4],
            cancel_all=three % 19 == 1,
            reply=prefix.encode() if three % 2 else None,
            lane_token="sender" if one % 3 else "",
            lane_ms=30_000,
            parts=(Part(id=part, data=prefix.encode()),) if three % 4 == 0 else (),
            adopted=(part,) if three % 4 == 1 else (),
            retired=(part,) if three % 4 == 2 else (),
            opt_out=(None, None, None, None, None, True, False)[two % 7],
            dead="poison" if one % 9 == 2 else None,
            next=two % 6 > 0,
            hand_out=1 + one % 3,
            lease_ms=15_000,
        )

    def _effects(self, step: Step, prefix: str) -> tuple[Effect, ...]:
        kinds = (EffectKind.REPLY, EffectKind.REPLY, EffectKind.JOB, EffectKind.TIMER, EffectKind.FORWARD)
        effects = []
        for number in range(step.chance[3] % 4):
            kind = kinds[(step.chance[3] >> 3 * number) % len(kinds)]
            later = self._clock.now_ms() + 5_000 if (step.chance[2] + number) % 3 == 0 else 0
            effects.append(
                Effect(
                    id=f"{prefix}:{number}",
                    kind=kind,
                    payload=prefix.encode(),
                    due_ms=later if kind is EffectKind.TIMER or step.chance[0] % 8 == 0 else 0,
                    name=f"t{number % 2}" if kind is EffectKind.TIMER else "",
                )
            )
        return tuple(effects)

    async def do_renew(self, step: Step) -> object:
        """Renew a grant, sometimes with a memo."""
        found = self._grant(step)
        memo = (f"step{step.chance[1] % 3}", step.name.encode()) if step.chance[2] % 2 else None
        conversation, token = (found[0], found[1].token) if found else (PEOPLE[step.who], "nobody")
        renewal = Renewal(conversation=conversation, token=token, lease_ms=15_000, memo=memo)
        return await self._store.turns.renew([renewal])

    async def do_release(self, step: Step) -> object:
        """Give a grant back."""
        found = self._grant(step)
        return await self._store.turns.release(
            Release(
                conversation=found[0] if found else PEOPLE[step.who],
                token=found[1].token if found else "nobody",
                outcome=(Outcome.ERROR, Outcome.RETURNED)[step.chance[1] % 2],
                wait_ms=(0, 0, 1_000, 10_000)[step.chance[2] % 4],
            )
        )

    async def do_history(self, step: Step) -> object:
        """Read the log."""
        return await self._store.turns.history(PEOPLE[step.who], limit=1 + step.chance[0] % 5)

    async def do_forget(self, step: Step) -> object:
        """Erase a conversation or a person."""
        if step.chance[1] % 3:
            return None
        erased = await self._store.turns.forget(PEOPLE[step.who], person=step.chance[0] % 2 == 0)
        # What nobody could read any more may have been swept before, or may be swept only now.
        return replace(erased, conversations=0, parts=0)

    async def do_claim(self, step: Step) -> object:
        """Claim one of the lanes that have something to do."""
        due = await self._store.deliveries.due(limit=256)
        lanes = sorted((item.lane for item in due.items if item.lane is not None), key=_lane_name)
        lane = lanes[step.chance[0] % len(lanes)] if lanes else Lane(conversation=PEOPLE[step.who])
        claim = await self._store.deliveries.claim(
            lane,
            token=("sender", "other")[step.chance[1] % 2],
            lease=timedelta(seconds=30),
            limit=1 + step.chance[2] % 3,
        )
        if claim is not None:
            self._claims.append(claim)
        return claim

    async def do_settle(self, step: Step) -> object:
        """Settle the next entry of a claim, whoever has the lane by now."""
        if not self._claims:
            return None
        index = -1 - step.chance[0] % min(3, len(self._claims))
        claim = self._claims[index]
        (answer,) = await self._store.deliveries.settle(
            [
                Settlement(
                    lane=claim.lane,
                    token=claim.token,
                    id=claim.entries[0].id,
                    verdict=list(Verdict)[step.chance[1] % len(Verdict)],
                    wait_ms=(0, 1_000, 20_000)[step.chance[2] % 3],
                    error="because",
                )
            ]
        )
        self._claims[index] = replace(claim, entries=claim.entries[1:])
        if len(claim.entries) == 1:
            del self._claims[index]
        return answer

    async def do_due(self, _step: Step) -> object:
        """Look at what is due."""
        due = await self._store.deliveries.due(limit=256)
        return {(item.conversation, item.lane, item.kind) for item in due.items}, due.next_ms

    async def do_dead(self, _step: Step) -> object:
        """List the dead letters."""
        page = await self._store.deliveries.dead(limit=100)
        self._letters = [letter.id for letter in page.items]
        return [replace(letter, id="") for letter in page.items]

    async def do_redrive(self, step: Step) -> object:
        """Bring some of the listed dead letters back."""
        wanted = self._letters[: step.chance[0] % 3]
        return await self._store.deliveries.redrive(wanted)

    async def do_cancel(self, step: Step) -> object:
        """Cancel from outside."""
        names = [f"t{step.chance[0] % 2}", f"e{self._count - step.chance[1] % 20}:0"]
        return await self._store.deliveries.cancel(PEOPLE[step.who], ids=names)

    async def do_find(self, step: Step) -> object:
        """List conversations, in the order of their changes as far as there is one."""
        page = await self._store.catalog.find(
            flow=("shop", None)[step.chance[0] % 2], status=(None, None, "open")[step.chance[1] % 3]
        )
        changed = [summary.changed_ms for summary in page.items]
        return frozenset(page.items), changed

    async def do_counts(self, step: Step) -> object:
        """Count."""
        return await self._store.catalog.counts(flow=("shop", None)[step.chance[0] % 2])

    async def do_watch(self, step: Step) -> object:
        """Look at the states of a flow, as a view does that starts."""
        changes = await self._store.catalog.watch(flow=("shop", "dispatch")[step.chance[0] % 2])
        return [change for change in changes.items if change.state is not None]

    async def do_export(self, step: Step) -> object:
        """Take a conversation out, if it has anything."""
        exported = await self._store.catalog.export(PEOPLE[step.who])
        if exported is None or not (exported.inbox or exported.state is not None):
            return None
        commit_id = exported.last_commit_id if exported.version else ""  # the head may be another one since
        return replace(
            exported,
            last_commit_id=commit_id,
            ready_ms=max(exported.ready_ms, self._clock.now_ms()),
            receipts=(),
            deliveries=tuple(sorted(exported.deliveries, key=lambda d: d.id)),
            log_keep_ms=exported.log_keep_ms if exported.log else None,  # a store may remember that of an empty one
            mark="",
        )

    async def do_put(self, step: Step) -> object:
        """Write a document."""
        key = _document_key(step)
        found = await self._store.documents.get(key)
        check = (None, None, "", found.etag if found else "stale")[step.chance[1] % 4]
        ttl = (Ttl.SET, Ttl.KEEP)[step.chance[2] % 2]
        etag = await self._store.documents.put(
            key, step.name.encode(), check=check, ttl_ms=(None, 3_000, 50_000)[step.chance[3] % 3], ttl=ttl
        )
        return etag is not None

    async def do_touch(self, step: Step) -> object:
        """Touch or delete a document."""
        documents = self._store.documents
        if step.chance[1] % 2:
            return await documents.touch(_document_key(step), ttl_ms=20_000)
        return await documents.delete(_document_key(step))

    async def do_read(self, step: Step) -> object:
        """Read documents and parts."""
        page = await self._store.documents.scan("session", limit=100)
        exported = await self._store.catalog.export(PEOPLE[step.who])
        part = f"{exported.created_ms}/{step.chance[0] % 4}" if exported is not None else ""
        document = await self._store.documents.get(part_key(PEOPLE[step.who], part))
        is_kept = exported is not None and exported.state is not None
        kept = document.data if is_kept and document is not None else None
        return frozenset((key.id, document.data, document.expires_ms) for key, document in page.items), kept


def _lane_name(lane: Lane) -> tuple[str, str]:
    return lane.conversation.key, lane.name


def _document_key(step: Step) -> DocumentKey:
    return DocumentKey(collection="session", id=f"d{step.chance[0] % 4}")
