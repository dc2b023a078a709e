"""The `Turns` port on Redis: a turn is two round trips, `begin.lua` with the state behind it and `commit.lua`.

A third one comes only where the keys that a script must declare depend on what is stored: the end of a retention (one
or two more), a commit that forgets a conversation with parts or that cancels all (one), the first commit of a
conversation whose status this process never saw (one), and a head that the server evicted (one).
"""

import hashlib
from collections.abc import Sequence
from typing import cast

from msgspec.structs import replace

from turnkeeper.errors import LimitError, StoreFullError, StoreUnavailableError
from turnkeeper.model.conversation import ConversationId
from turnkeeper.ports.checks import check_batch, check_begin, check_commit, check_payload, page_size
from turnkeeper.ports.limits import MAX_HAND_OUT, MAX_INBOX, MAX_MEMOS
from turnkeeper.ports.turns import (
    Begin,
    Begun,
    Busy,
    Commit,
    CommitAnswer,
    Committed,
    Conflict,
    Duplicate,
    Fenced,
    Forgotten,
    Full,
    Granted,
    Idle,
    LogRecord,
    Mode,
    Part,
    Queued,
    Release,
    Renewal,
    Renewed,
)
from turnkeeper.stores.redis.committing import WINDOW_MS, Draft, Known, draft
from turnkeeper.stores.redis.deployments.wire import Command, ErrorReply
from turnkeeper.stores.redis.layout import codes
from turnkeeper.stores.redis.layout import keys as names
from turnkeeper.stores.redis.layout.compressing import is_changed, packed
from turnkeeper.stores.redis.layout.envelope import unseal_one
from turnkeeper.stores.redis.layout.heads import Head
from turnkeeper.stores.redis.layout.parsing import Reply, granted, granting, number, record, text
from turnkeeper.stores.redis.lifecycle.lifetime import TRIES, end, erase, unlist
from turnkeeper.stores.redis.lifecycle.rebuilding import rebuilt
from turnkeeper.stores.redis.medium import Medium, Place, run_grouped
from turnkeeper.stores.redis.scripts import Call, facts


class RedisTurns:
    """See `turnkeeper.ports.turns.Turns`."""

    def __init__(self, medium: Medium) -> None:
        """Take the server."""
        self._medium = medium

    async def begin(self, request: Begin, /) -> Begun:
        """See `Turns.begin`."""
        check_begin(request)
        medium = self._medium
        place = await medium.place(request.conversation)
        call = _begin_call(request, place)
        is_durable = request.message is not None
        for attempt in range(TRIES):
            reply, value = cast(
                "list[Reply]", await medium.scripts.run(call, after=(place.read_state,), durable=is_durable)
            )
            if reply[0] == codes.OVER:
                await end(medium, request.conversation)
                continue
            if reply[0] != codes.GRANTED:
                if reply[0] == codes.QUEUED:
                    medium.hint()
                return _begun(reply)
            head = granting(reply[2])
            state, fits = _state(value, head)
            if not fits and attempt < TRIES - 1:
                continue  # somebody wrote between the two commands, or the lease is ours: the same token asks again
            place.status = head.status
            grant = granted(reply[1:], head, state)
            if head.version == 0 and value:
                grant = await rebuilt(medium, request.conversation, grant, value)
            if grant.lost and grant.version == 0:
                await unlist(medium, request.conversation)
            return grant
        raise StoreUnavailableError("the conversation's time ends again and again; nothing was written, repeat")

    async def commit(self, request: Commit, /) -> CommitAnswer:
        """See `Turns.commit`."""
        check_commit(request)
        medium = self._medium
        keys, place = await medium.keys(), await medium.place(request.conversation)
        if request.parts or (request.log and is_changed(request.log)):
            request = await _smaller(request)
        known, given = Known(place.status), False
        if request.cancel_all:
            known = Known(
                known.status, others=await self._members(place, place.partition.people(request.conversation.person))
            )
        for _ in range(TRIES):
            sent = draft(request, keys, place, known=known, given=given)
            reply, value, refusal = await self._send(sent, place, request)
            if reply[0] == codes.AGAIN:
                known = Known(text(reply[1]), [text(part) for part in reply[2]], reply[3])
                place.status = known.status
                continue
            if reply[0] == codes.NOSTAGE:
                if given and refusal is not None:
                    raise StoreFullError(f"there is no room for a part and nothing was written: {refusal.text}")
                given = True
                continue
            return self._committed(reply, value, request, place)
        raise StoreUnavailableError("the commit's stage or keys changed again and again; nothing was written, repeat")

    async def _send(self, sent: Draft, place: Place, request: Commit) -> tuple[Reply, object, ErrorReply | None]:
        """Send a commit; return its answer, the state if it must be read, and why a stage was refused."""
        after: list[Command] = []
        if request.state is None and not request.forget and request.next:
            after.append(place.read_state)
        replies = await self._medium.scripts.run(sent.call, before=sent.stages, after=after, durable=True)
        refusals = [reply for reply in replies[: len(sent.stages)] if isinstance(reply, ErrorReply)]
        return replies[len(sent.stages)], replies[-1] if after else None, refusals[0] if refusals else None

    def _committed(self, reply: Reply, value: object, request: Commit, place: Place) -> CommitAnswer:
        medium = self._medium
        if reply[0] == codes.FENCED:
            return Fenced()
        if reply[0] == codes.CONFLICT:
            return Conflict(version=reply[1])
        if reply[0] == codes.TAKE:
            raise LimitError(limit="take", found=request.take, allowed=reply[1])
        _, version, claimed, repeated, *grant = reply
        following: Granted | None = None
        if grant:
            head, state = granting(grant[1]), request.state
            if state is None and not request.forget:
                state, _ = _state(value, head)
            following = granted(grant, head, state)
            place.status = head.status
        elif not repeated and (request.state is not None or request.forget):
            place.status = "" if request.forget else request.status
        medium.hint()
        return Committed(version=version, claimed=claimed == 1, next=following, repeated=repeated == 1)

    async def _members(self, place: Place, index: str) -> list[bytes]:
        (found,) = await self._medium.scripts.read([("ZRANGE", index, 0, -1)], place.partition)
        return list(found)

    async def renew(self, requests: Sequence[Renewal], /) -> Sequence[Renewed]:
        """See `Turns.renew`."""
        check_batch(len(requests))
        for request in requests:
            if request.memo is not None:
                check_payload(request.memo[1])
        replies = await run_grouped(self._medium, [await self._renewal(request) for request in requests])
        for reply in replies:
            if reply[0] == codes.MEMOS:
                raise LimitError(limit="MAX_MEMOS", found=reply[1], allowed=MAX_MEMOS)
        return [
            Renewed(held=reply[0] == codes.OK, waiting=reply[1] if reply[0] == codes.OK else 0) for reply in replies
        ]

    async def _renewal(self, request: Renewal) -> Call:
        place = await self._medium.place(request.conversation)
        name, result = request.memo or ("", b"")
        return Call(
            "renew",
            place.partition,
            (place.keys.head, place.partition.due(request.conversation.flow), place.keys.memos),
            (
                request.token,
                request.lease_ms,
                place.turn,
                int(request.memo is not None),
                name,
                result,
                MAX_MEMOS,
            ),
        )

    async def release(self, request: Release, /) -> bool:
        """See `Turns.release`."""
        place = await self._medium.place(request.conversation)
        call = Call(
            "release",
            place.partition,
            (place.keys.head, place.partition.due(request.conversation.flow)),
            (
                request.token,
                request.outcome.value,
                request.wait_ms,
                place.turn,
            ),
        )
        (reply,) = await self._run(call)
        self._medium.hint()
        return bool(reply[0] == codes.OK)

    async def history(
        self, conversation: ConversationId, /, *, before: int | None = None, limit: int = 100
    ) -> Sequence[LogRecord]:
        """See `Turns.history`."""
        place = await self._medium.place(conversation)
        arguments = ("" if before is None else before, page_size(limit))
        (reply,) = await self._run(Call("history", place.partition, (place.keys.head, place.keys.log), arguments))
        _, now, keep, elements = reply
        keep_ms = number(keep)
        records = [record(element) for element in reversed(elements)]
        return [one for one in records if keep_ms is None or one.at_ms + keep_ms > now]

    async def forget(
        self, conversation: ConversationId, /, *, person: bool = False, mark: str | None = None
    ) -> Forgotten:
        """See `Turns.forget`. A person's conversations are erased one after the other."""
        wanted = [conversation]
        if person:
            wanted = await conversations_of(self._medium, conversation)
        erased = [await erase(self._medium, one, mark=mark) for one in wanted]
        self._medium.hint()
        return sum(erased, Forgotten())

    async def _run(self, call: Call, *, after: Sequence[Command] = ()) -> list[Reply]:
        return await self._medium.scripts.run(call, after=after)


async def conversations_of(medium: Medium, conversation: ConversationId) -> list[ConversationId]:
    """Return every conversation of a person in a flow that the store may know."""
    place = await medium.place(conversation)
    people = place.partition.people(conversation.person)
    (found,) = await medium.scripts.read([("ZRANGE", people, 0, -1)], place.partition)
    indexed = [names.conversation_of(member) for member in sorted(found)]
    return names.of_person([conversation.flow], conversation.person, indexed)


def _begin_call(request: Begin, place: Place) -> Call:
    message = request.message
    said = facts(
        request.token, request.lease_ms, MAX_HAND_OUT if request.mode is Mode.INTERRUPT else request.hand_out,
        request.mode.value, request.run, place.turn, place.member, place.ref, place.is_only, request.conversation.flow,
        MAX_INBOX, WINDOW_MS, message.wait_ms if message else 0, message.max_wait_ms if message else 0,
    )  # fmt: skip
    if message is None:
        return Call("begin", place.partition, place.begin_keys, (said,), place.begin_opening)
    name = message.id.encode()
    digest = hashlib.blake2b(name, digest_size=8).digest()
    element = b"%d %b%b" % (len(name), name, message.payload)
    return Call("begin", place.partition, place.begin_keys, (said, digest, element), place.begin_opening)


async def _smaller(request: Commit) -> Commit:
    """Return a commit whose log entry and parts are as they are stored."""
    log = None if request.log is None else await packed(request.log)
    parts = tuple([Part(id=part.id, data=await packed(part.data)) for part in request.parts])
    return replace(request, log=log, parts=parts)


def digest_of(message_id: str) -> bytes:
    """Return what a receipt keeps of a message id: 8 bytes of BLAKE2b, the same in every store."""
    return hashlib.blake2b(message_id.encode("utf-8", "surrogatepass"), digest_size=8).digest()


def _begun(reply: Reply) -> Begun:
    """Return an answer that is no grant."""
    match reply:
        case [codes.QUEUED, position, ready]:
            return Queued(position=position, ready_ms=ready)
        case [codes.DUPLICATE, done, answer]:
            return Duplicate(done=done == 1, reply=answer)
        case [codes.FULL, waiting]:
            return Full(waiting=waiting)
        case [codes.BUSY]:
            return Busy()
        case _:
            return Idle(ready_ms=number(reply[1]))


def _state(value: object, head: Head) -> tuple[bytes | None, bool]:
    """Return the state if it is the one that the head speaks of, and whether what was read fits the head."""
    if isinstance(value, ErrorReply):
        return None, False
    if not isinstance(value, bytes) or head.version == 0:
        return None, True
    state = unseal_one(value, generation=head.generation, version=head.version)
    return state, state is not None
