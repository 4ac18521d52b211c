"""
Entries for people: a page of them, one of them, and what it says.

Rule 1: a page looks at a bounded number of entries: where few of many are meant it may be short or empty and still
        have a next one. Dead ones are not shown.
Rule 2: a SHA-256 alone is looked up, not searched: under the keys that any known tenant's answer would have now.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from hashcache.core.barrier import Selector
from hashcache.core.entry import Entry, Head
from hashcache.core.key import Key
from hashcache.core.money import decimal
from hashcache.engine.invalidation import Invalidations
from hashcache.ports import Ledger, Store
from hashcache.service.routing import Routing
from hashcache.service.times import rfc3339

#: How many entries one page looks at, at most, and in how many steps.
_MOST_LOOKED, _STEPS, _STEP = 2_000, 20, 200
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Listed:
    """Some *entries* as people see them, the *cursor* of the next page (None: that was all), and how many were seen."""

    entries: Sequence[dict[str, Any]]
    cursor: str | None
    scanned: int


class Browsing:
    """Browses *store*; *tenants* are all that are known."""

    def __init__(
        self,
        store: Store,
        ledger: Ledger,
        invalidations: Invalidations,
        routing: Routing,
        tenants: Sequence[str],
    ) -> None:
        self._store = store
        self._ledger = ledger
        self._invalidations = invalidations
        self._routing = routing
        self._tenants = tenants

    async def page(self, selector: Selector, cursor: str | None, limit: int) -> Listed:
        """
        About *limit* of the living entries that *selector* means, from *cursor* on.

        Raises:
            StoreUnavailable: the store is away.
        """
        barrier, now = await self._store.barrier(), self._store.now()
        found: dict[Key, Head] = {}
        scanned = 0
        step = limit if selector == Selector() else _STEP
        for _ in range(_STEPS):
            page = await self._store.scan(cursor, step)
            cursor, scanned = page.cursor, scanned + len(page.heads)
            for head in page.heads:
                if head.expires > now and selector.matches(head) and not barrier.forbids(head):
                    found[head.key] = head
            if cursor is None or len(found) >= limit or scanned >= _MOST_LOOKED:
                break
        heads = sorted(found.values(), key=lambda head: head.created, reverse=True)
        hits = await self._ledger.hits([head.key for head in heads])
        rows = [
            {**self._describe(head, count), "stored_bytes": head.size} for head, count in zip(heads, hits, strict=True)
        ]
        return Listed(rows, cursor, scanned)

    async def find(self, name: str) -> list[dict[str, Any]]:
        """
        What lies under the key, or for the content with the SHA-256, that *name* is.

        Raises:
            PatternError: it is neither.
            StoreUnavailable: the store is away.
        """
        keys = self._keys(name)
        reading = await self._store.read(keys)
        now = self._store.now()
        entries = [
            slot.entry
            for slot in reading.slots
            if slot.entry is not None and slot.entry.expires > now and not reading.barrier.forbids(slot.entry)
        ]
        hits = await self._ledger.hits([entry.key for entry in entries])
        return [self._open(entry, count) for entry, count in zip(entries, hits, strict=True)]

    async def forget(self, name: str) -> int:
        """
        Forget what lies there, everywhere; how many entries there were. Raises as `find`.
        """
        return await self._invalidations.forget(self._keys(name))

    def _keys(self, name: str) -> list[Key]:
        if not _SHA256.fullmatch(name):
            return [Key.parse(name)]
        keys = (key for tenant in self._tenants for key in self._routing.candidates(name, tenant))
        return list(dict.fromkeys(keys))

    def _describe(self, one: Head | Entry, hits: int | None) -> dict[str, Any]:
        now = self._store.now()
        return {
            "key": one.key.logical,
            "sha256": one.key.name if _SHA256.fullmatch(one.key.name) else None,
            "kind": one.label.kind,
            "tenant": one.label.tenant,
            "provider": one.label.provider,
            "tags": list(one.label.tags),
            "created": rfc3339(one.created),
            "expires": rfc3339(one.expires),
            "age_seconds": max(0, now - one.created) // 1000,
            "ttl_seconds": max(0, one.expires - now) // 1000,
            "cost_usd": decimal(one.price),
            "hits": hits,
        }

    def _open(self, entry: Entry, hits: int | None) -> dict[str, Any]:
        try:
            result = msgspec.json.decode(entry.payload) if entry.payload else None
        except (msgspec.DecodeError, RecursionError):
            result = None  # a library's own payload
        said = result if isinstance(result, dict) else {}
        return {
            **self._describe(entry, hits),
            "answer_bytes": len(entry.payload),
            "model": said.get("model"),
            "model_version": said.get("model_version"),
            "analysed_at": said.get("analysed_at"),
            "took_ms": entry.took,
            "error": entry.error or None,
            "result": result,
        }
