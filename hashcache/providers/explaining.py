"""
What a vendor writes under a refusal: some say only there whether it is the content, the account or the hour.

Rule 1: an explanation makes a refusal more exact and never worse: where there is none, or none that can be read in
        time and within bounds, the status alone decides.
Rule 2: a vendor that names the time to come back is taken at its word; no explanation is asked for.
Rule 3: what is read here is thrown away: no part of it enters an error's message.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

import h11

from hashcache.core.errors import ProviderError
from hashcache.providers.line import Line, is_coded
from hashcache.providers.network import Disconnected

#: Of a status and the body under it: the error that it means, or None where the status says enough.
Explain = Callable[[int, bytes], ProviderError | None]
#: The longest explanation, in bytes.
LONGEST = 64 * 1024
#: How long we wait for one, in seconds.
PATIENCE = 2.0


async def explained(
    line: Line, status: int, headers: Mapping[str, str], refused: ProviderError, explain: Explain | None
) -> ProviderError:
    """What a reply means that is *refused* by its *status*; reads its body from *line*."""
    if explain is None or status < 400 or refused.retry_after is not None:
        return refused
    try:
        async with asyncio.timeout(PATIENCE):
            body = None if is_coded(headers) else await line.read(LONGEST)
    except (TimeoutError, Disconnected, h11.RemoteProtocolError):
        return refused
    return (explain(status, body) if body else None) or refused
