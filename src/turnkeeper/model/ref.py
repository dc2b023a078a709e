"""`Ref[T]`: stands in a state for a large value that is stored apart and loaded only when touched.

A reference names one immutable part: a new value of the part gets a new reference. It carries no value, so that
reading a state never costs what the part costs.
"""

import builtins
from typing import Generic, TypeVar

T = TypeVar("T")


class Ref(Generic[T]):
    """A reference to a part. Two references are equal when they name the same part.

    Attributes:
        id: Names the part within its conversation.
        size_bytes: Length of the stored part, so that a handler can decide before it loads.
        type: What the part decodes to: the `T` of the annotation.
    """

    __slots__ = ("id", "size_bytes", "type")

    def __init__(self, part_id: str, *, size_bytes: int, of: builtins.type[T]) -> None:
        """Take the part's id, its stored length and its type.

        Raises:
            ValueError: The id is empty or the length negative.
        """
        if not part_id or size_bytes < 0:
            raise ValueError("a reference needs a part id and a length of 0 or more bytes")
        self.id = part_id
        self.size_bytes = size_bytes
        self.type = of

    def __eq__(self, other: object) -> bool:
        return self.id == other.id if isinstance(other, Ref) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.id)

    def __repr__(self) -> str:
        return f"Ref({self.id!r}, size_bytes={self.size_bytes}, of={getattr(self.type, '__name__', self.type)})"
