"""Sentinels name the master, and another one when it is killed, frozen or told to step down."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest
from redis.asyncio.sentinel import Sentinel

from tests.harness.sentinel import NAME, ValkeySentinels

pytestmark = pytest.mark.prove


@pytest.fixture
def watched() -> Iterator[ValkeySentinels]:
    """A master, its replica and three sentinels."""
    with ValkeySentinels() as watched:
        yield watched


async def test_a_killed_master_is_replaced(watched: ValkeySentinels) -> None:
    """redis-py finds the master by the sentinels, and the new one with the data; the killed one becomes its replica."""
    addresses = watched.url.removeprefix("redis+sentinel://").split("/")[0].split(",")
    sentinels = Sentinel([(host, int(port)) for host, port in (one.split(":") for one in addresses)])
    async with sentinels.master_for(NAME) as client:
        await client.set("key", "value")
        assert await client.wait(1, 1000) == 1
        old = watched.master
        old.kill()
        new = await asyncio.to_thread(watched.until_other_master, old)
        assert await client.get("key") == b"value"
        assert await sentinels.discover_master(NAME) == ("127.0.0.1", new.port)
    await asyncio.gather(*(one.aclose() for one in sentinels.sentinels))
    old.start()
    watched.until_in_step()
    assert "role:slave" in old.ask("INFO", "replication")


def test_a_master_steps_down(watched: ValkeySentinels) -> None:
    """A fail-over that is asked for turns the two round."""
    old = watched.master
    new = watched.failover()
    assert new is not old
    watched.until_in_step()
    assert "role:slave" in old.ask("INFO", "replication")
