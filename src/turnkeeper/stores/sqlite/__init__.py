"""The embedded store: one SQLite file, the default of an application that names none."""

from turnkeeper.stores.sqlite.store import SqliteStore

__all__ = ["SqliteStore"]
