"""Promises of `Documents.scan`: a walk that misses nothing that stayed."""

from msgspec.structs import replace

from turnkeeper.ports.documents import DocumentKey, DocumentPage
from turnkeeper.testing.conformance.documents.values import KEY
from turnkeeper.testing.conformance.scenario import SECOND, Backend, Talk


async def walk(talk: Talk, collection: str, *, limit: int, cursor: str | None = None) -> list[DocumentPage]:
    """Walk a collection to its end."""
    pages = [await talk.store.documents.scan(collection, limit=limit, cursor=cursor)]
    while pages[-1].cursor is not None:
        pages.append(await talk.store.documents.scan(collection, limit=limit, cursor=pages[-1].cursor))
    return pages


class ScanPromises(Backend):
    """Walking a collection."""

    async def test_scan_walks_the_whole_collection_in_pages(self, talk: Talk) -> None:
        """Every document once, none of another collection, none whose time is over."""
        documents = talk.store.documents
        expected = {}
        for number in range(25):
            key = replace(KEY, id=f"CA{number}", person="" if number % 2 else "+15550100")
            expected[key] = await documents.put(key, str(number).encode())
        await documents.put(replace(KEY, id="over"), b"", ttl_ms=1000)
        await documents.put(DocumentKey(collection="sessions", id="CA1"), b"")
        talk.clock.advance(SECOND)

        pages = await walk(talk, "session", limit=10)

        items = [item for page in pages for item in page.items]
        assert {key: document.etag for key, document in items} == expected
        assert len(items) == len(expected)
        assert max(len(page.items) for page in pages) <= 10

    async def test_scan_misses_nothing_that_stayed(self, talk: Talk) -> None:
        """Whatever is written and deleted while somebody walks."""
        documents = talk.store.documents
        for number in range(20):
            await documents.put(replace(KEY, id=f"stays{number}"), b"")
            await documents.put(replace(KEY, id=f"goes{number}"), b"")
        first = await documents.scan("session", limit=10)
        for number in range(20):
            await documents.delete(replace(KEY, id=f"goes{number}"))
            await documents.put(replace(KEY, id=f"new{number}"), b"")
            await documents.put(replace(KEY, id=f"stays{number}"), b"changed")

        pages = [first, *await walk(talk, "session", limit=10, cursor=first.cursor)]

        seen = {key.id for page in pages for key, _ in page.items}
        assert {f"stays{number}" for number in range(20)} <= seen

    async def test_an_empty_collection_has_one_empty_page(self, talk: Talk) -> None:
        """And no cursor."""
        assert await talk.store.documents.scan("session") == DocumentPage(items=(), cursor=None)
