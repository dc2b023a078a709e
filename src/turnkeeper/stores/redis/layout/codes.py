"""The return codes of all scripts: the first element of every answer. The scripts write the same words.

Words and not numbers, so that a MONITOR or a slow log explains itself.
"""

from typing import Final

GRANTED: Final = b"GRANTED"
"""The lease is the caller's."""

QUEUED: Final = b"QUEUED"
"""The message is durable, somebody else runs it."""

DUPLICATE: Final = b"DUPLICATE"
"""The message is known. Nothing of the conversation was written."""

FULL: Final = b"FULL"
"""The inbox is full. Nothing was written."""

BUSY: Final = b"BUSY"
"""Refused because a turn runs or others wait. Nothing was written."""

IDLE: Final = b"IDLE"
"""There is nothing to take. Nothing was written."""

OVER: Final = b"OVER"
"""The time of the state is over. Whoever accepts a message runs `end.lua` first, then the same again."""

COMMITTED: Final = b"COMMITTED"
"""Applied, now or by the same commit before."""

FENCED: Final = b"FENCED"
"""The lease belongs to somebody else. Nothing was written."""

CONFLICT: Final = b"CONFLICT"
"""The version moved. Nothing was written."""

TAKE: Final = b"TAKE"
"""More messages were to be taken than had been handed out. Nothing was written."""

NOSTAGE: Final = b"NOSTAGE"
"""What was to be staged is not there (memory was full, or it was evicted): send it along. Nothing was written."""

AGAIN: Final = b"AGAIN"
"""The declared keys do not fit what is there; the answer says what is. Nothing was written."""

CHANGED: Final = b"CHANGED"
"""It is not what it was when somebody looked. Nothing was written."""

OK: Final = b"OK"
"""Done."""

NONE: Final = b"NONE"
"""There is nothing of that name, or it is not the caller's. Nothing was written."""

MEMOS: Final = b"MEMOS"
"""The message has as many memos as it may have. The lease was prolonged, the memo was not kept."""

MORE: Final = b"MORE"
"""A part is done: call again for the rest."""

FOREIGN: Final = "FOREIGN "
"""What an error begins with, and no answer: the key behind it holds a value that Turnkeeper never wrote. A script stops
before its first write."""
