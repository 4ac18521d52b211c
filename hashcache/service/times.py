"""Instants as people read them."""

from __future__ import annotations

from datetime import UTC, datetime

from hashcache.core.entry import Instant


def rfc3339(instant: Instant) -> str:
    """*instant* as RFC 3339 in UTC, to the second: `2026-11-21T10:00:00Z`."""
    return datetime.fromtimestamp(instant / 1000, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
