"""
How a reply is read: bounded in bytes, never decompressed.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import cast

import httpcore


def fields(response: httpcore.Response) -> Mapping[str, str]:
    """The header fields of *response*, by names in lower case; several of a name as one (RFC 9110 section 5.3)."""
    found: dict[str, str] = {}
    for name, value in response.headers:
        key, text = name.decode("latin-1").lower(), value.decode("latin-1")
        found[key] = f"{found[key]}, {text}" if key in found else text
    return found


def is_coded(headers: Mapping[str, str]) -> bool:
    """Whether the body under *headers* is compressed, which nobody asked for."""
    return headers.get("content-encoding", "identity").strip().lower() != "identity"


async def read(response: httpcore.Response, most: int) -> bytes | None:
    """
    The body of *response* as it comes over the wire; None: it has more than *most* bytes, and is not read to its end.

    Raises:
        httpcore.NetworkError, httpcore.ProtocolError: it broke off.
    """
    body = bytearray()
    async with aclosing(cast("AsyncGenerator[bytes, None]", aiter(response.stream))) as chunks:  # type: ignore[arg-type]  # httpcore knows a stream that does not wait too
        async for chunk in chunks:
            body += chunk
            if len(body) > most:
                return None
    return bytes(body)
