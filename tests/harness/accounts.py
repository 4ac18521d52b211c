"""An account at a vendor, as settings would give it to an adapter."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from hashcache.core.content import Content, Kind
from hashcache.core.digest import Hasher
from hashcache.core.entry import Instant
from hashcache.core.money import MicroDollars
from hashcache.providers.access import Access

#: 2026-11-20, ten o'clock in UTC.
TEN_O_CLOCK = Instant(1_795_168_800_000)


def account(url: str, key: str, **chosen: Any) -> Access:
    """Patient deadlines, four lines, a tenth of a cent a unit, and what is *chosen*."""
    known: dict[str, Any] = {
        "price": MicroDollars(1_000),
        "timeout": timedelta(seconds=20),
        "video_timeout": timedelta(seconds=20),
        "concurrency": 4,
        "ai_above": 0.5,
    }
    return Access(url=url, key=key, **known | chosen)


def upload(kind: Kind, media_type: str, raw: bytes, name: str = "anna-müller-passport.jpg") -> Content:
    """*raw* as the customer sent it: under a name that is nobody else's business."""
    hasher = Hasher()
    hasher.update(raw)
    return Content(kind, media_type, hasher.finish([raw]), name)
