"""The store in the memory of one process."""

from hashcache.stores.memory.store import MemoryStore

__all__ = ["MemoryStore"]
