"""Clients with habits: one that asks again and again, one that trickles, one that is slow."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from time import monotonic

from tests.harness.http import Wire, client
from tests.harness.service import Service, until

PAUSE = 0.01
#: How long a client may have to wait while others misbehave, in seconds: far less than any of them holds out.
PROMPT = 2.0


@asynccontextmanager
async def others_are_served(service: Service) -> AsyncIterator[None]:
    """Inside, another client asks *service* all the time, and is answered promptly each time."""
    took: list[float] = []

    async def ask() -> None:
        async with client(service.url) as web:
            while True:
                asked = monotonic()
                assert (await web.get("/healthz")).status_code == 200
                took.append(monotonic() - asked)
                await asyncio.sleep(PAUSE)

    task = asyncio.create_task(ask())
    try:
        await until(lambda: took or task.done())
        yield
        asked = len(took)
        await until(lambda: len(took) > asked or task.done())
        assert not task.done(), task.exception()
        assert max(took) < PROMPT
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@asynccontextmanager
async def trickling(wire: Wire, piece: bytes) -> AsyncIterator[None]:
    """Inside, *piece* is sent over *wire* ten times a second."""

    async def trickle() -> None:
        while True:
            await wire.send(piece)
            await asyncio.sleep(0.1)

    task = asyncio.create_task(trickle())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def slowly(content: bytes, *, seconds: float, pieces: int) -> AsyncIterator[bytes]:
    """*content* in about so many *pieces*, over so many *seconds*."""
    size = len(content) // pieces
    for at in range(0, len(content), size):
        await asyncio.sleep(seconds / pieces)
        yield content[at : at + size]
