"""Limits that every store keeps and every caller may rely on.

They are part of the ports: a store that accepted more could not be exchanged for another one.
"""

from datetime import timedelta

MAX_INBOX = 200
"""Waiting messages of one conversation; below `RECEIPTS_KEPT`, so that a pending message is never forgotten."""

MAX_PAYLOAD_BYTES = 256 * 1024
"""One message, reply, job or timer. Larger data belong into a part."""

MAX_STATE_BYTES = 1024 * 1024
"""One encoded state: larger ones delay their neighbours on a shared connection (2 ms measured at 1 MB)."""

MAX_PART_BYTES = 4 * 1024 * 1024
"""One part stored apart by reference."""

MAX_EFFECTS = 64
"""Replies, jobs and timers of one turn."""

MAX_PARTS = 16
"""Parts written, adopted or retired by one commit."""

MAX_HAND_OUT = 32
"""Waiting messages handed out at once (coalesce, interrupt)."""

MAX_MEMOS = 64
"""Step results remembered for one message."""

MAX_BATCH = 256
"""Renewals, settlements, keys or rows of one call."""

RECEIPTS_KEPT = 256
"""Receipts of one conversation: the dedup window in messages."""

DEDUP_WINDOW = timedelta(hours=48)
"""The dedup window in time: twice the longest retry of a provider (24 h, Vonage)."""

PART_GRACE = timedelta(hours=48)
"""How long a retired part is kept, so that an undo finds it."""
