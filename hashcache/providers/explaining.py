"""
What a vendor writes under a refusal: some say only there whether it is the content, the account or the hour.

Rule 1: an explanation makes a refusal more exact and never worse: where there is none, or none that can be read in
        time and within bounds, the status alone decides.
Rule 2: a vendor that names the time to come back is taken at its word; no explanation is asked for.
Rule 3: what is read here is thrown away: no part of it enters an error's message.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import aclosing

import httpx

from hashcache.core.errors import ProviderError

#: Of a status and the body under it: the error that it means, or None where the status says enough.
Explain = Callable[[int, bytes], ProviderError | None]
#: The longest explanation, in bytes.
LONGEST = 64 * 1024
#: How long we wait for one, in seconds.
PATIENCE = 2.0


async def explained(response: httpx.Response, refused: ProviderError, explain: Explain | None) -> ProviderError:
    """What *response* means, which is *refused* by its status; reads its body, does not close it."""
    if explain is None or response.status_code < 400 or refused.retry_after is not None:
        return refused
    try:
        async with asyncio.timeout(PATIENCE):
            body = await _read(response)
    except (TimeoutError, httpx.TransportError):
        return refused
    return (explain(response.status_code, body) if body else None) or refused


async def _read(response: httpx.Response) -> bytes:
    """The body as it came over the wire; nothing of one that is compressed or too long."""
    if response.headers.get("content-encoding", "identity").strip().lower() != "identity":
        return b""
    body = bytearray()
    async with aclosing(response.aiter_raw()) as chunks:  # type: ignore[type-var]  # httpx hides a generator
        async for chunk in chunks:
            body += chunk
            if len(body) > LONGEST:
                return b""
    return bytes(body)
