"""The `Documents` port on Redis: the value under the users' own name, its etag and end in a small hash beside it.

A value that another program wrote there is read too; its etag says `foreign` and guards nothing.
"""

import uuid
from collections.abc import Sequence
from datetime import timedelta

import msgspec

from turnkeeper.errors import StoreFullError
from turnkeeper.ports.checks import check_batch, check_part, page_size
from turnkeeper.ports.documents import Document, DocumentKey, DocumentPage, Ttl
from turnkeeper.stores.redis import codes
from turnkeeper.stores.redis.committing import GIVEN_BYTES
from turnkeeper.stores.redis.compressing import packed, unpacked
from turnkeeper.stores.redis.keys import Keys, Partition
from turnkeeper.stores.redis.medium import Medium
from turnkeeper.stores.redis.parsing import Reply, number, text
from turnkeeper.stores.redis.scripts import Call, raise_error
from turnkeeper.stores.redis.wire import Command, ErrorReply

PARTS = "part"
"""The collection of what commits store apart; see `part_key`."""

FOREIGN = "foreign"
"""The etag of a value that was not written through this port."""

_STAGE_MS = timedelta(minutes=10) // timedelta(milliseconds=1)
"""How long a staged document lives whose second command never came."""


class RedisDocuments:
    """See `turnkeeper.ports.documents.Documents`."""

    def __init__(self, medium: Medium) -> None:
        """Take the server."""
        self._medium = medium

    async def get(self, key: DocumentKey, /) -> Document | None:
        """See `Documents.get`."""
        return (await self.get_many([key]))[0]

    async def get_many(self, keys: Sequence[DocumentKey], /) -> Sequence[Document | None]:
        """See `Documents.get_many`. One round trip for each partition; an etag is never newer than its value."""
        check_batch(len(keys))
        names = await self._medium.keys()
        groups: dict[str, list[DocumentKey]] = {}
        for key in dict.fromkeys(keys):
            groups.setdefault(names.home(key).tag, []).append(key)
        found: dict[DocumentKey, Document | None] = {}
        for group in groups.values():
            found.update(await self._read(names, names.home(group[0]), group))
        return [found[key] for key in keys]

    async def _read(
        self, names: Keys, partition: Partition, keys: Sequence[DocumentKey]
    ) -> dict[DocumentKey, Document | None]:
        places = [names.document(key) for key in keys]
        call = Call("now", partition, [etag for _, etag in places], (len(places),))
        values: list[Command] = [("GET", value) for value, _ in places]
        reply, *read = await self._medium.scripts.run(call, after=values)
        for one in read:
            raise_error(one)
        answer: Reply = reply
        _, now, facts = answer
        found: dict[DocumentKey, Document | None] = {}
        for at, (key, value) in enumerate(zip(keys, read, strict=True)):
            content = value
            if key.collection == PARTS and isinstance(value, bytes):
                content = await unpacked(value)
            found[key] = _document(content, facts[2 * at], facts[2 * at + 1], now)
        return found

    async def put(
        self,
        key: DocumentKey,
        data: bytes,
        /,
        *,
        check: str | None = None,
        ttl_ms: int | None = None,
        ttl: Ttl = Ttl.SET,
    ) -> str | None:
        """See `Documents.put`. What is large is staged, so that it never passes through a script."""
        check_part(data)
        names = await self._medium.keys()
        partition = names.home(key)
        value, etag = names.document(key)
        if key.collection == PARTS:
            data = await packed(data)
        stage = f"{etag}:stage:{uuid.uuid4().hex}"
        staged = len(data) > GIVEN_BYTES
        stages: list[Command] = [("SET", stage, bytes(data), "PX", _STAGE_MS)] if staged else []
        call = Call(
            "put",
            partition,
            (value, etag, stage, partition.collection(key.collection)),
            (
                b"" if staged else bytes(data),
                int(staged),
                _check(check),
                "" if ttl_ms is None else ttl_ms,
                int(ttl is Ttl.KEEP),
                _member(key),
            ),
        )
        replies = await self._medium.scripts.run(call, before=stages)
        reply: Reply = replies[-1]
        if reply[0] == codes.NOSTAGE:
            refusal = replies[0]
            why = refusal.text if isinstance(refusal, ErrorReply) else "it was evicted at once"
            raise StoreFullError(f"there is no room for a document and nothing was written: {why}")
        return text(reply[1]) if reply[0] == codes.OK else None

    async def touch(self, key: DocumentKey, /, *, ttl_ms: int | None) -> bool:
        """See `Documents.touch`. The etag stays: the value did not change."""
        return await self._change("touch", key, ttl_ms, None)

    async def delete(self, key: DocumentKey, /, *, check: str | None = None) -> bool:
        """See `Documents.delete`."""
        return await self._change("delete", key, None, check)

    async def _change(self, what: str, key: DocumentKey, ttl_ms: int | None, check: str | None) -> bool:
        names = await self._medium.keys()
        partition = names.home(key)
        call = Call(
            "touch",
            partition,
            (*names.document(key), partition.collection(key.collection)),
            (what, "" if ttl_ms is None else ttl_ms, _check(check), _member(key)),
        )
        reply: Reply = (await self._medium.scripts.run(call))[0]
        return bool(reply[0] == codes.OK)

    async def scan(self, collection: str, /, *, cursor: str | None = None, limit: int = 100) -> DocumentPage:
        """See `Documents.scan`. Partition after partition; the cursor is the last name. Parts are not listed."""
        names = await self._medium.keys()
        rows = page_size(limit)
        at, last = (0, "") if cursor is None else msgspec.json.decode(cursor, type=tuple[int, str])
        items: list[tuple[DocumentKey, Document]] = []
        while at < len(names.partitions):
            partition = names.partitions[at]
            index = partition.collection(collection)
            start = f"({last}" if last else "-"
            command: Command = ("ZRANGEBYLEX", index, start, "+", "LIMIT", 0, rows - len(items))
            (found,) = await self._medium.scripts.read([command], partition)
            if not found:
                at, last = at + 1, ""
                continue
            keys = [_key(collection, member) for member in found]
            documents = await self._read(names, partition, keys)
            items += [(key, document) for key in keys if (document := documents[key]) is not None]
            await self._drop(partition, index, [key for key in keys if documents[key] is None])
            last = text(found[-1])
            if len(items) == rows:
                more = msgspec.json.encode((at, last)).decode()
                return DocumentPage(
                    items=tuple(items), cursor=more if await self._is_more(at, last, collection) else None
                )
        return DocumentPage(items=tuple(items), cursor=None)

    async def _is_more(self, at: int, last: str, collection: str) -> bool:
        """Return whether any name stands behind the last one of a page."""
        names = await self._medium.keys()
        start = f"({last}"
        for partition in names.partitions[at:]:
            command: Command = ("ZRANGEBYLEX", partition.collection(collection), start, "+", "LIMIT", 0, 1)
            (found,) = await self._medium.scripts.read([command], partition)
            if found:
                return True
            start = "-"
        return False

    async def _drop(self, partition: Partition, index: str, gone: Sequence[DocumentKey]) -> None:
        """Take names off the index whose documents ended, by a script that looks again."""
        names = await self._medium.keys()
        calls = [Call("unlist", partition, (*names.document(key), index), (_member(key),)) for key in gone]
        if calls:
            await self._medium.scripts.run_all(calls)


def _document(value: object, etag: bytes | None, expires: bytes, now: int) -> Document | None:
    if not isinstance(value, bytes):
        return None
    expires_ms = number(expires)
    if expires_ms is not None and expires_ms <= now:
        return None
    return Document(data=value, etag=FOREIGN if etag is None else etag.decode(), expires_ms=expires_ms)


def _check(check: str | None) -> str:
    return "any" if check is None else f"={check}"


def _member(key: DocumentKey) -> bytes:
    return msgspec.json.encode((key.id, key.person))


def _key(collection: str, member: bytes) -> DocumentKey:
    name, person = msgspec.json.decode(member, type=tuple[str, str])
    return DocumentKey(collection=collection, id=name, person=person)
