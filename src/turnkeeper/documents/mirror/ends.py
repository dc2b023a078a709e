"""When the values of a mirror end. One entry a value, however often it is written."""

import heapq
from collections.abc import Iterable


class Ends:
    """The end of each value's time, in ms of the mirror's clock."""

    def __init__(self) -> None:
        """Know nothing yet."""
        self._ends: dict[str, int] = {}
        self._heap: list[tuple[int, str]] = []
        self._queued: set[str] = set()

    def note(self, value_id: str, ends_ms: int) -> None:
        """Take the end of a value's time, in place of an earlier one. It only ever moves away."""
        self.note_all([(ends_ms, value_id)])

    def note_all(self, ends: Iterable[tuple[int, str]]) -> None:
        """Take the ends of many values at once. See `note`."""
        known, queued = self._ends, self._queued
        for pair in ends:
            ends_ms, value_id = pair
            known[value_id] = ends_ms
            if value_id not in queued:
                queued.add(value_id)
                heapq.heappush(self._heap, pair)

    def forget(self, value_id: str) -> None:
        """Drop a value that is gone."""
        self._ends.pop(value_id, None)

    def ended(self, now_ms: int) -> list[str]:
        """Return whose time is over, each once."""
        over: list[str] = []
        while self._heap and self._heap[0][0] <= now_ms:
            _, value_id = heapq.heappop(self._heap)
            self._queued.discard(value_id)
            ends_ms = self._ends.get(value_id)
            if ends_ms is None:
                continue
            if ends_ms > now_ms:  # it was written since
                self.note(value_id, ends_ms)
            else:
                del self._ends[value_id]
                over.append(value_id)
        return over
