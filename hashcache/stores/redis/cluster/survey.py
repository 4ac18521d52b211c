"""
Finding out which node has which slot: any node that answers will do.

Rule 1: each node is asked on a connection of its own, which is closed at once: it is in nobody's way, and no node that
        serves no keys keeps one.
Rule 2: a node that is silent does not hold the others up: the next one is asked after a moment, beside it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from datetime import timedelta
from typing import Any

from redis.exceptions import RedisError

from hashcache.core.errors import StoreUnavailable
from hashcache.stores.redis.address import Address
from hashcache.stores.redis.cluster.topology import Topology
from hashcache.stores.redis.dialing import dial
from hashcache.stores.redis.failures import translate
from hashcache.stores.redis.scripts import Command

#: Seconds that a node may take until the next is asked as well.
_STAGGER = 0.2


async def reply_of(address: Address, command: Command, patience: timedelta) -> Any:
    """
    What the node at *address* replies to *command*.

    Raises:
        StoreUnavailable: it is out of reach, late, or refuses it.
    """
    try:
        async with asyncio.timeout(patience.total_seconds()):
            connection = await dial(address, patience)
            try:
                await connection.send_packed_command(connection.pack_commands([command]))
                return await connection.read_response()
            finally:
                await connection.disconnect(nowait=True)
    except (
        RedisError,
        OSError,
        ValueError,
        EOFError,
        RuntimeError,
    ) as error:  # RuntimeError: uvloop's word for a reset
        raise translate(error, str(address)) from None


async def told_by(address: Address, patience: timedelta) -> Topology:
    """
    The topology as the node at *address* sees it.

    Raises:
        StoreUnavailable: as `reply_of`, or it knows no topology.
    """
    try:
        reply = await reply_of(address, ("CLUSTER", "SLOTS"), patience)
        return Topology.parse(reply, (address.host, address.port))
    except ValueError as error:
        raise StoreUnavailable(f"Redis at {address}: {error}", reason="error") from None
    except StoreUnavailable as away:
        if away.reason != "error":
            raise
        words = "it is no node of a cluster: the URL of a single server begins with redis:// or rediss://"
        raise StoreUnavailable(f"Redis at {address}: {words}", reason="error") from None


async def first_of(
    candidates: Sequence[Address], ask: Callable[[Address], Awaitable[Topology]], stagger: float = _STAGGER
) -> Topology:
    """
    What the first of *candidates* that answers tells; they are asked in order, and the silent ones left behind.

    Raises:
        StoreUnavailable: why the last of them could not tell.
    """
    waiting = list(candidates)
    asked: set[asyncio.Future[Topology]] = set()
    failure = StoreUnavailable("no node is known", reason="unreachable")
    try:
        while waiting or asked:
            if waiting:
                asked.add(asyncio.ensure_future(ask(waiting.pop(0))))
            timeout = stagger if waiting else None
            done, asked = await asyncio.wait(asked, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
            for one in done:
                try:
                    return one.result()
                except StoreUnavailable as away:
                    failure = away
        raise failure
    finally:
        for one in asked:
            one.cancel()
        with suppress(asyncio.CancelledError):
            await asyncio.gather(*asked, return_exceptions=True)
