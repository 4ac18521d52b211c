"""The default store: one SQLite file."""

from hashcache.stores.sqlite.store import SqliteStore

__all__ = ["SqliteStore"]
