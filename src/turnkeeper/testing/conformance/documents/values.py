"""Promises of the `Documents` port, and of the parts that commits keep there."""

import pytest
from msgspec.structs import replace

from turnkeeper.errors import LimitError
from turnkeeper.ports.documents import ABSENT, Document, DocumentKey, Ttl
from turnkeeper.ports.limits import MAX_BATCH, MAX_PART_BYTES
from turnkeeper.testing.conformance.scenario import DAY, MS, SECOND, Backend, Talk

KEY = DocumentKey(collection="session", id="CA1")
"""A document's key."""


class DocumentPromises(Backend):
    """Values with a name, and large parts."""

    async def test_a_document_is_read_as_it_was_written(self, talk: Talk) -> None:
        """Any bytes, also none; for ever unless told otherwise."""
        documents = talk.store.documents

        etag = await documents.put(KEY, b"\x00\xff")
        empty = await documents.put(replace(KEY, id="empty"), b"")

        assert etag is not None
        assert empty is not None
        talk.clock.advance(3650 * DAY)
        assert _told(await documents.get(KEY)) == (b"\x00\xff", etag, None)
        assert _told(await documents.get(replace(KEY, id="empty"))) == (b"", empty, None)

    async def test_a_document_that_is_not_there_is_none(self, talk: Talk) -> None:
        """Nor can it be touched or deleted."""
        documents = talk.store.documents

        assert await documents.get(KEY) is None
        assert not await documents.touch(KEY, ttl_ms=1000)
        assert not await documents.delete(KEY)

    async def test_collections_and_ids_name_different_documents(self, talk: Talk) -> None:
        """The same id in another collection is another document, with or without a person."""
        keys = [
            KEY,
            DocumentKey(collection="customer", id="CA1"),
            DocumentKey(collection="session", id="CA2"),
            DocumentKey(collection="order", id="1", person=talk.conversation.person),
        ]
        for number, key in enumerate(keys):
            await talk.store.documents.put(key, str(number).encode())

        found = await talk.store.documents.get_many(keys)

        assert [document.data for document in found if document is not None] == [b"0", b"1", b"2", b"3"]

    async def test_get_many_answers_in_order(self, talk: Talk) -> None:
        """With None where nothing is; the same key twice is no error."""
        other = replace(KEY, id="CA2")
        await talk.store.documents.put(KEY, b"1")
        await talk.store.documents.put(other, b"2")

        found = await talk.store.documents.get_many([other, replace(KEY, id="none"), KEY, other])

        assert [document and document.data for document in found] == [b"2", None, b"1", b"2"]

    async def test_get_many_has_a_limit(self, talk: Talk) -> None:
        """`MAX_BATCH` keys are read, more are refused."""
        assert list(await talk.store.documents.get_many([KEY] * MAX_BATCH)) == [None] * MAX_BATCH
        assert list(await talk.store.documents.get_many([])) == []
        with pytest.raises(LimitError):
            await talk.store.documents.get_many([KEY] * (MAX_BATCH + 1))

    async def test_a_document_has_a_limit(self, talk: Talk) -> None:
        """It may be as large as a part; a larger one is refused and what was there stays."""
        await talk.store.documents.put(KEY, bytes(MAX_PART_BYTES))

        with pytest.raises(LimitError):
            await talk.store.documents.put(KEY, bytes(MAX_PART_BYTES + 1))
        document = await talk.store.documents.get(KEY)
        assert document is not None
        assert len(document.data) == MAX_PART_BYTES

    async def test_the_etag_makes_read_modify_write_safe(self, talk: Talk) -> None:
        """Of two who read the same, one writes."""
        documents = talk.store.documents
        read = await documents.put(KEY, b"1")

        first = await documents.put(KEY, b"2", check=read)
        second = await documents.put(KEY, b"3", check=read)

        assert (first is not None, second) == (True, None)
        assert first != read
        assert _told(await documents.get(KEY)) == (b"2", first or "", None)

    async def test_absent_writes_only_where_nothing_is(self, talk: Talk) -> None:
        """The first one wins; an expired document is not there."""
        documents = talk.store.documents

        first = await documents.put(KEY, b"1", check=ABSENT, ttl_ms=1000)
        second = await documents.put(KEY, b"2", check=ABSENT)
        talk.clock.advance(SECOND)
        third = await documents.put(KEY, b"3", check=ABSENT)

        assert (first is not None, second, third is not None) == (True, None, True)

    async def test_a_check_against_what_is_gone_does_not_hold(self, talk: Talk) -> None:
        """Deleted or expired: whoever read it must read again."""
        documents = talk.store.documents
        deleted = await documents.put(KEY, b"1")
        await documents.delete(KEY)
        other = replace(KEY, id="CA2")
        expired = await documents.put(other, b"1", ttl_ms=1000)
        talk.clock.advance(SECOND)

        assert await documents.put(KEY, b"2", check=deleted) is None
        assert await documents.put(other, b"2", check=expired) is None
        assert list(await documents.get_many([KEY, other])) == [None, None]

    async def test_a_document_ends_with_its_time_to_live(self, talk: Talk) -> None:
        """Not before, and it is told when."""
        await talk.store.documents.put(KEY, b"1", ttl_ms=1000)
        ends_ms = talk.now + 1000
        talk.clock.advance(999 * MS)

        before = await talk.store.documents.get(KEY)
        talk.clock.advance(MS)

        assert before is not None
        assert before.expires_ms == ends_ms
        assert await talk.store.documents.get(KEY) is None
        assert list(await talk.store.documents.get_many([KEY])) == [None]
        assert not await talk.store.documents.touch(KEY, ttl_ms=1000)
        assert not await talk.store.documents.delete(KEY)

    async def test_ttl_set_counts_anew(self, talk: Talk) -> None:
        """Every write says how long; none at all means for ever."""
        documents = talk.store.documents
        await documents.put(KEY, b"1", ttl_ms=1000)
        talk.clock.advance(500 * MS)
        await documents.put(KEY, b"2", ttl_ms=1000)
        renewed = await documents.get(KEY)
        await documents.put(KEY, b"3")

        for_ever = await documents.get(KEY)

        assert renewed is not None
        assert for_ever is not None
        assert (renewed.expires_ms, for_ever.expires_ms) == (talk.now + 1000, None)

    async def test_ttl_keep_leaves_the_time_that_is_left(self, talk: Talk) -> None:
        """Of a document that is there; a new one, or one whose time is over, gets `ttl_ms`."""
        documents = talk.store.documents
        ends_ms = talk.now + 1000
        await documents.put(KEY, b"1", ttl_ms=1000, ttl=Ttl.KEEP)
        talk.clock.advance(500 * MS)
        await documents.put(KEY, b"2", ttl_ms=60_000, ttl=Ttl.KEEP)
        kept = await documents.get(KEY)
        talk.clock.advance(500 * MS)
        await documents.put(KEY, b"3", ttl_ms=60_000, ttl=Ttl.KEEP)

        fresh = await documents.get(KEY)

        assert kept is not None
        assert fresh is not None
        assert (kept.data, kept.expires_ms) == (b"2", ends_ms)
        assert (fresh.data, fresh.expires_ms) == (b"3", talk.now + 60_000)

    async def test_ttl_keep_keeps_for_ever_what_is_kept_for_ever(self, talk: Talk) -> None:
        """No time left to keep is not no time at all."""
        await talk.store.documents.put(KEY, b"1")
        await talk.store.documents.put(KEY, b"2", ttl_ms=1000, ttl=Ttl.KEEP)

        document = await talk.store.documents.get(KEY)

        assert document is not None
        assert (document.data, document.expires_ms) == (b"2", None)

    async def test_touch_counts_the_time_anew_and_changes_nothing_else(self, talk: Talk) -> None:
        """Whoever read it before may still write."""
        documents = talk.store.documents
        etag = await documents.put(KEY, b"1", ttl_ms=1000)
        talk.clock.advance(500 * MS)

        touched = await documents.touch(KEY, ttl_ms=1000)
        once = await documents.get(KEY)
        await documents.touch(KEY, ttl_ms=None)
        twice = await documents.get(KEY)

        assert touched
        assert _told(once) == (b"1", etag or "", talk.now + 1000)
        assert _told(twice) == (b"1", etag or "", None)
        assert await documents.put(KEY, b"2", check=etag) is not None

    async def test_delete_respects_its_check(self, talk: Talk) -> None:
        """What somebody changed meanwhile stays; what is gone is gone once."""
        documents = talk.store.documents
        old = await documents.put(KEY, b"1")
        new = await documents.put(KEY, b"2")

        refused = await documents.delete(KEY, check=old)
        deleted = await documents.delete(KEY, check=new)

        assert (refused, deleted) == (False, True)
        assert await documents.get(KEY) is None
        assert not await documents.delete(KEY)


def _told(document: Document | None) -> tuple[bytes, str, int | None] | None:
    return None if document is None else (document.data, document.etag, document.expires_ms)
