"""The `Documents` port on Redis: the value under the users' own name, with Redis's own time to live, and nothing else.

Its etag is the digest of the value, so that what another program wrote there with SETEX is guarded as well. Parts of
conversations, and everything in a test whose clock is moved, have their end also in a small hash beside the value.
"""

import logging
import re
import uuid
from collections.abc import Sequence
from datetime import timedelta

import msgspec

from turnkeeper.errors import StoreFullError, StoreUnreadableError
from turnkeeper.ports.checks import check_batch, check_part, page_size
from turnkeeper.ports.documents import Document, DocumentKey, DocumentPage, Ttl, digest_of
from turnkeeper.ports.remains import is_own
from turnkeeper.stores.redis.committing import GIVEN_BYTES
from turnkeeper.stores.redis.deployments.wire import Command, ErrorReply
from turnkeeper.stores.redis.layout import codes
from turnkeeper.stores.redis.layout.compressing import packed, unpacked
from turnkeeper.stores.redis.layout.keys import Keys, Partition
from turnkeeper.stores.redis.layout.parsing import Reply, number, text
from turnkeeper.stores.redis.medium import Medium
from turnkeeper.stores.redis.scripts import Call, raise_error

logger = logging.getLogger(__name__)

PARTS = "part"
"""The collection of what commits store apart; see `part_key`."""

_SCAN_COUNT = 500
"""Keys that one SCAN looks at: well under a millisecond of the server's time."""

_LOOKS = 8
"""SCANs of one page, all in all: where few names fit, a page may have none of them."""

_GONE = -2
"""What PTTL says of a key that is not there: its time ended between the two reads."""

_GLOB = re.compile(r"[*?\[\]\\^-]")
"""Characters that mean something to MATCH."""

_STAGE_MS = timedelta(minutes=10) // timedelta(milliseconds=1)
"""How long a staged document lives whose second command never came."""


class RedisDocuments:
    """See `turnkeeper.ports.documents.Documents`."""

    def __init__(self, medium: Medium) -> None:
        """Take the server."""
        self._medium = medium
        self._noted: set[tuple[str, int, int]] = set()

    async def get(self, key: DocumentKey, /) -> Document | None:
        """See `Documents.get`."""
        return (await self.get_many([key]))[0]

    async def get_many(self, keys: Sequence[DocumentKey], /) -> Sequence[Document | None]:
        """See `Documents.get_many`. One round trip; on a cluster one for each partition."""
        check_batch(len(keys))
        names = await self._medium.keys()
        wanted = list(dict.fromkeys(keys))
        if not (self._medium.wire.in_cluster or any(map(self._is_logical, wanted))):
            found = await self._read(names, names.partitions[0], wanted)
            return [found[key] for key in keys]
        groups: dict[tuple[str, bool], list[DocumentKey]] = {}
        for key in wanted:
            logical = self._is_logical(key)
            tag = names.home(key).tag if logical or self._medium.wire.in_cluster else ""
            groups.setdefault((tag, logical), []).append(key)
        found = {}
        for (_, logical), group in groups.items():
            read = self._read_logical if logical else self._read
            found.update(await read(names, names.home(group[0]), group))
        return [found[key] for key in keys]

    def _is_logical(self, key: DocumentKey) -> bool:
        """Return whether a document's end is also written down: scripts of conversations do, and tests move clocks."""
        return bool(key.person) or self._medium.is_movable

    async def _read(
        self, names: Keys, partition: Partition, keys: Sequence[DocumentKey]
    ) -> dict[DocumentKey, Document | None]:
        in_cluster = self._medium.wire.in_cluster
        places = [names.document(key)[0] if in_cluster else f"{key.collection}:{key.id}" for key in keys]
        commands: list[Command] = [("TIME",)]
        for place in places:
            commands += [("GET", place), ("PTTL", place)]
        time, *read = await self._medium.wire.send(commands, key=partition.tag)
        raise_error(time)
        answer: Reply = time
        now = int(answer[0]) * 1000 + int(answer[1]) // 1000
        found: dict[DocumentKey, Document | None] = {}
        for key, place, value, left in zip(keys, places, read[::2], read[1::2], strict=True):
            _check_string(place, value)
            expires_ms = now + left if isinstance(left, int) and left >= 0 else None
            found[key] = _document(value, expires_ms)
        return found

    async def _read_logical(
        self, names: Keys, partition: Partition, keys: Sequence[DocumentKey]
    ) -> dict[DocumentKey, Document | None]:
        places = [names.document(key) for key in keys]
        call = Call("now", partition, [end for _, end in places], (len(places),))
        values: list[Command] = [("GET", value) for value, _ in places]
        reply, *read = await self._medium.scripts.run(call, after=values)
        answer: Reply = reply
        _, now, facts = answer
        found: dict[DocumentKey, Document | None] = {}
        for at, (key, value) in enumerate(zip(keys, read, strict=True)):
            _check_string(places[at][0], value)
            expires_ms = number(facts[2 * at + 1])
            if expires_ms is not None and expires_ms <= now:
                found[key] = None
                continue
            document = _document(value, expires_ms)
            if document is not None and key.collection == PARTS:
                document = msgspec.structs.replace(document, data=await unpacked(document.data), version=document.etag)
            found[key] = document
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
        staged = len(data) > GIVEN_BYTES
        stage = f"{etag}:stage:{uuid.uuid4().hex if staged else ''}"
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
                int(self._is_logical(key)),
                self._listed(key),
            ),
        )
        note = self._note(names, key)
        replies = await self._medium.scripts.run(call, before=[*stages, *note])
        if note and isinstance(replies[len(stages)], int):
            self._noted.add(self._noted_as(key))
        reply: Reply = replies[-1]
        if reply[0] == codes.NOSTAGE:
            refusal = replies[0]
            why = refusal.text if isinstance(refusal, ErrorReply) else "it was evicted at once"
            raise StoreFullError(f"there is no room for a document and nothing was written: {why}")
        return digest_of(data) if reply[0] == codes.OK else None

    def _note(self, names: Keys, key: DocumentKey) -> list[Command]:
        """Return what notes that a collection is ours, once: of names that are the users' own nobody else could say."""
        if self._listed(key) or is_own(key.collection) or self._noted_as(key) in self._noted:
            return []
        return [("SADD", names.collections, key.collection)]

    def _noted_as(self, key: DocumentKey) -> tuple[str, int, int]:
        """Return what has to be the same for a note to be there: a server that takes over or restarts may lack it."""
        return key.collection, self._medium.wire.primary_changes, self._medium.wire.restarts

    async def touch(self, key: DocumentKey, /, *, ttl_ms: int | None) -> bool:
        """See `Documents.touch`."""
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
            (what, "" if ttl_ms is None else ttl_ms, _check(check), int(self._is_logical(key)), self._listed(key)),
        )
        reply: Reply = (await self._medium.scripts.run(call))[0]
        return bool(reply[0] == codes.OK)

    def _listed(self, key: DocumentKey) -> bytes:
        """Return the member of its collection's list, or nothing: SCAN finds what has the users' own name."""
        return _member(key) if key.person or self._medium.wire.in_cluster else b""

    async def scan(self, collection: str, /, *, cursor: str | None = None, limit: int = 100) -> DocumentPage:
        """See `Documents.scan`. First what is listed, partition after partition, then what SCAN finds.

        A page may be empty and have a cursor, and a document may come twice. Parts are not in it.
        """
        names = await self._medium.keys()
        rows = page_size(limit)
        place = _Place() if cursor is None else msgspec.json.decode(cursor, type=_Place)
        items: list[tuple[DocumentKey, Document]] = []
        while place.partition < len(names.partitions) and len(items) < rows:
            partition = names.partitions[place.partition]
            index = partition.collection(collection)
            start = f"({place.last}" if place.last else "-"
            command: Command = ("ZRANGEBYLEX", index, start, "+", "LIMIT", 0, rows - len(items))
            (found,) = await self._medium.scripts.read([command], partition)
            if not found:
                place = _Place(partition=place.partition + 1)
                continue
            keys = [_key(collection, member) for member in found]
            documents = await self._read_all(keys)
            items += [(key, document) for key in keys if (document := documents[key]) is not None]
            await self._drop(partition, index, [key for key in keys if documents[key] is None])
            place = _Place(partition=place.partition, last=text(found[-1]))
        is_over = self._medium.wire.in_cluster and place.partition == len(names.partitions)
        if not self._medium.wire.in_cluster and len(items) < rows:
            found_items, place = await self._scanned(collection, place, rows - len(items))
            items += found_items
        more = None if is_over or place.is_end else msgspec.json.encode(place).decode()
        return DocumentPage(items=tuple(items), cursor=more)

    async def _scanned(
        self, collection: str, place: "_Place", rows: int
    ) -> tuple[list[tuple[DocumentKey, Document]], "_Place"]:
        """Go on with SCAN until there is something to read, or it has taken long enough for one page.

        The names of the next page are asked for together with the values of this one: one round trip each.
        """
        pattern = _GLOB.sub(r"\\\g<0>", collection) + ":*"
        waiting, at, looks = place.waiting, place.at, 0
        while True:
            is_enough = len(waiting) >= rows or at == "0" or looks == _LOOKS
            taken = list(dict.fromkeys(waiting[:rows])) if is_enough else []
            scan: Command = ("SCAN", at or "0", "MATCH", pattern, "COUNT", _SCAN_COUNT, "TYPE", "string")
            scans = [scan] if at != "0" and len(waiting) < 2 * rows and looks < _LOOKS else []
            found, items = await self._scan_and_read(collection, scans, taken)
            waiting = waiting[rows:] if is_enough else waiting
            if found is not None:
                at, looks = text(found[0]), looks + 1
                waiting = (*waiting, *_ids(collection, found[1]))
            if is_enough:
                return items, _Place(partition=place.partition, at=at, waiting=waiting)

    async def _scan_and_read(
        self, collection: str, scans: Sequence[Command], taken: Sequence[str]
    ) -> tuple[Reply | None, list[tuple[DocumentKey, Document]]]:
        """Send a SCAN, if any, and read documents that an earlier one found, in one write."""
        home = (await self._medium.keys()).partitions[0]
        if self._medium.is_movable:
            found = await self._medium.scripts.read(scans, home) if scans else [None]
            read = await self._read_all([DocumentKey(collection=collection, id=each) for each in taken])
            return found[0], [(key, document) for key, document in read.items() if document is not None]
        names = [f"{collection}:{each}" for each in taken]
        if not names:
            return (await self._medium.scripts.read(scans, home))[0] if scans else None, []
        commands = [*scans, ("MGET", *names)]
        replies = await self._medium.scripts.run(Call("left", home, names, ()), before=commands)
        for reply in replies:
            raise_error(reply)
        *answers, values, told = replies
        return answers[0] if answers else None, _documents(collection, taken, values, told)

    async def _read_all(self, keys: Sequence[DocumentKey]) -> dict[DocumentKey, Document | None]:
        return dict(zip(keys, await self.get_many(keys), strict=True))

    async def _drop(self, partition: Partition, index: str, gone: Sequence[DocumentKey]) -> None:
        """Take names off the index whose documents ended, by a script that looks again."""
        names = await self._medium.keys()
        calls = [Call("unlist", partition, (*names.document(key), index), (_member(key),)) for key in gone]
        if calls:
            await self._medium.scripts.run_all(calls)


class _Place(msgspec.Struct, frozen=True, omit_defaults=True):
    """Where a walk stands: the partition and the last name of its list, then SCAN's cursor and what it found more."""

    partition: int = 0
    last: str = ""
    at: str = ""
    waiting: tuple[str, ...] = ()

    @property
    def is_end(self) -> bool:
        """Return whether SCAN came round."""
        return self.at == "0" and not self.waiting


def _ids(collection: str, names: Reply) -> list[str]:
    """Return the ids in what SCAN found."""
    start, ids = len(collection.encode()) + 1, list[str]()
    for name in names:
        try:
            found = name[start:].decode()
        except UnicodeDecodeError:  # no id that anybody could ask for
            logger.warning("redis.document_unnamed", extra={"collection": collection})
            continue
        if found:
            ids.append(found)
    return ids


def _documents(collection: str, ids: Sequence[str], values: Reply, told: Reply) -> list[tuple[DocumentKey, Document]]:
    """Return what MGET and the script `left` say of documents; what is gone, or of another type, is left out."""
    _, now, lefts = told
    return [
        (
            DocumentKey(collection=collection, id=each),
            Document(data=value, expires_ms=now + left if left >= 0 else None),
        )
        for each, value, left in zip(ids, values, lefts, strict=True)
        if value is not None and left != _GONE
    ]


def _document(value: object, expires_ms: int | None) -> Document | None:
    if not isinstance(value, bytes):
        return None
    return Document(data=value, expires_ms=expires_ms)


def _check_string(name: str, value: object) -> None:
    """Let a value pass that can be a document.

    Raises:
        StoreUnreadableError: It is of another type of Redis. Nothing was changed.
    """
    if isinstance(value, ErrorReply) and "WRONGTYPE" in value.text:
        raise StoreUnreadableError(
            f"{name!r} is no string in Redis, so it is no document; nothing was changed. Rename it, or use another name"
        )
    raise_error(value)


def _check(check: str | None) -> str:
    return "any" if check is None else f"={check}"


def _member(key: DocumentKey) -> bytes:
    return msgspec.json.encode((key.id, key.person))


def _key(collection: str, member: bytes) -> DocumentKey:
    name, person = msgspec.json.decode(member, type=tuple[str, str])
    return DocumentKey(collection=collection, id=name, person=person)
