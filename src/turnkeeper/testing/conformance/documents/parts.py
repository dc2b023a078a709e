"""Promises about parts: large values that commits keep beside the state."""

from msgspec.structs import replace

from turnkeeper.ports.documents import part_key
from turnkeeper.ports.limits import PART_GRACE
from turnkeeper.ports.turns import Part
from turnkeeper.testing.conformance.scenario import DAY, MS, Backend, Talk


class PartPromises(Backend):
    """Written, retired, adopted."""

    async def test_a_part_is_read_under_its_key(self, talk: Talk) -> None:
        """From the commit on that wrote it, for as long as nobody retires it."""
        parts = (Part(id="p1", data=b"\x00large"), Part(id="p2", data=b""))
        await talk.apply(replace(talk.draft(await talk.take("m1")), parts=parts))
        talk.clock.advance(365 * DAY)

        found = [await talk.store.documents.get(part_key(talk.conversation, part.id)) for part in parts]

        assert [document and document.data for document in found] == [b"\x00large", b""]
        assert await talk.store.documents.get(part_key(talk.other(member="ana").conversation, "p1")) is None

    async def test_a_retired_part_is_kept_for_its_grace(self, talk: Talk) -> None:
        """So that an undo finds it; then it is gone."""
        key = part_key(talk.conversation, "p1")
        await talk.apply(replace(talk.draft(await talk.take("m1")), parts=(Part(id="p1", data=b"large"),)))
        await talk.apply(replace(talk.draft(await talk.take("m2")), retired=("p1",)))
        talk.clock.advance(PART_GRACE - MS)

        before = await talk.store.documents.get(key)
        talk.clock.advance(MS)

        assert before is not None
        assert before.data == b"large"
        assert await talk.store.documents.get(key) is None

    async def test_an_adopted_part_is_kept_again(self, talk: Talk) -> None:
        """One that is gone cannot be, and is no error."""
        key = part_key(talk.conversation, "p1")
        await talk.apply(replace(talk.draft(await talk.take("m1")), parts=(Part(id="p1", data=b"large"),)))
        await talk.apply(replace(talk.draft(await talk.take("m2")), retired=("p1",)))

        await talk.apply(replace(talk.draft(await talk.take("undo")), adopted=("p1", "never heard of")))
        talk.clock.advance(2 * PART_GRACE)

        document = await talk.store.documents.get(key)
        assert document is not None
        assert (document.data, document.expires_ms) == (b"large", None)
