"""The `Catalog` port on SQLite. A state whose time is over reads as forgotten, also before a begin forgets it."""

import itertools
import sqlite3
from collections import Counter
from datetime import timedelta

from turnkeeper.model.conversation import ConversationId
from turnkeeper.ports.catalog import Change, Changes, Counts, Exported, StoreInfo, Summary, SummaryPage
from turnkeeper.stores.sqlite import schema
from turnkeeper.stores.sqlite.file.readers import View
from turnkeeper.stores.sqlite.medium import Look, Medium
from turnkeeper.stores.sqlite.migration import export, restore
from turnkeeper.stores.sqlite.shelves import Row, Shelf, all_flows, merged, statuses_of
from turnkeeper.stores.sqlite.steps.limits import page_size

_IS_OVER = "(c.expires_ms IS NOT NULL AND c.expires_ms <= ? AND c.waiting + c.unsent + c.timers = 0)"
_SUMMARY = (
    "SELECT c.change, c.flow, c.person, c.member, c.state_key, c.status, c.version, c.created_ms, c.changed_ms, "
    "c.active_ms, c.expires_ms, c.waiting, c.unsent, "
    "COALESCE((SELECT o.is_out FROM opt_out o WHERE o.person = c.person AND o.flow = c.flow), 0) FROM conversation c "
)
_OF_SHELF = (
    _SUMMARY + f"WHERE c.flow = ? AND c.status = ? AND c.change < ? AND NOT {_IS_OVER} ORDER BY c.change DESC"
)
_OF_PERSON = (
    _SUMMARY + "WHERE c.person = ? AND (?2 IS NULL OR c.flow = ?2) AND c.status IS NOT NULL "
    f"AND (?3 IS NULL OR c.status = ?3) AND c.change < ?4 AND NOT {_IS_OVER.replace('?', '?5')} "
    "ORDER BY c.change DESC LIMIT ?6"
).replace("c.person = ?", "c.person = ?1", 1)
_CHANGES = (
    f"SELECT c.change, c.flow, c.person, c.member, c.state_key, c.status, c.version, {_IS_OVER}, s.bytes "  # noqa: S608
    "FROM conversation c LEFT JOIN state s ON s.conversation = c.id "
    "WHERE c.flow = ? AND c.status IS ? AND c.change > ? AND c.is_published = 1 ORDER BY c.change"
)
_TOTALS = (
    f"SELECT c.status, sum(c.version > 0 AND NOT {_IS_OVER}), sum(c.waiting), "  # noqa: S608
    "sum(c.token <> '' AND c.lease_until_ms > ?), sum(c.unsent), sum(c.timers) FROM conversation c "
)
_TOTALS_OF_FLOW = _TOTALS + "WHERE c.flow = ? GROUP BY c.status"
_TOTALS_OF_ALL = _TOTALS + "GROUP BY c.status"
_DEAD = "SELECT count(*) FROM dead"
_DEAD_OF_FLOW = "SELECT count(*) FROM dead WHERE flow = ?"
_NEWEST = (1 << 63) - 1
"""Greater than every number of a change."""

_LOSES = {
    "disk": "nothing that was acknowledged, as long as the disk keeps what it synced",
    "memory": "the last commits when the machine loses power; nothing when the process crashes",
}
