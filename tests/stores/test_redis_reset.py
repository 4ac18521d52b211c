"""A connection that the network resets while it is idle, on the event loop that the service runs on."""

from __future__ import annotations

import asyncio
import secrets
import time

import uvloop

from hashcache.core.envelope import Envelope
from hashcache.core.errors import StoreUnavailable
from hashcache.core.key import Key, Names
from hashcache.ports import Reading
from hashcache.stores.redis import RedisStore
from tests.harness.clock import turns
from tests.harness.proxy import FaultProxy
from tests.harness.valkey import Valkey

KEY = Key("analysis", "0" * 64, "variant")
ROUNDS = 40


async def _reset_and_read(port: int) -> None:
    """Reset all idle connections, then read at once, round after round."""
    async with FaultProxy(port) as proxy:
        store = RedisStore(
            proxy.url,
            names=Names(f"reset-{secrets.token_hex(4)}"),
            envelope=Envelope(most=1000),
            clock=lambda: time.time_ns() // 1_000_000,
        )
        await store.open()
        try:
            for _ in range(ROUNDS):
                proxy.reset()
                await turns(20)  # the loop learns of the reset before anybody asks
                asked = (store.read([KEY]) for _ in range(5))
                told = await asyncio.gather(*asked, return_exceptions=True)
                assert {type(one) for one in told} <= {Reading, StoreUnavailable}, told
        finally:
            await store.close()


def test_row_02_a_reset_is_a_store_that_is_away_and_nothing_else() -> None:
    """uvloop raises RuntimeError where a reset connection is written to: it never reaches who asked the store."""
    with Valkey() as valkey, asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_reset_and_read(valkey.port))
