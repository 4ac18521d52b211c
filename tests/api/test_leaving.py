"""Clients that leave after their upload, while its answer is being bought, under each server."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from hashlib import sha256

import pytest

from tests.harness.contents import photo
from tests.harness.http import Answer, Wire, exchange, request
from tests.harness.service import Service, until
from tests.harness.vendor import ScriptedVendor, gate, ok

pytestmark = pytest.mark.asyncio(loop_scope="session")

PAGE = "/api/analyze"
EVERYBODY = 100


async def known(service: Service, content: bytes) -> Answer:
    """What it knows of *content*."""
    target = f"/api/analyses/{sha256(content).hexdigest()}"
    return await exchange(service.url, request("GET", target), to="GET")


async def stored(service: Service, content: bytes) -> bool:
    """Whether it has an answer about *content*."""
    return (await known(service, content)).status == 200


@pytest.mark.parametrize("how", ["reset", "close"])
async def test_row_40_the_client_leaves_while_it_is_bought(server: Service, vendor: ScriptedVendor, how: str) -> None:
    """
    The only client leaves in the middle of the call, politely or not: the call goes on, its answer is kept, and the
    next request is a hit. Nothing of it is logged as a fault.
    """
    content, opened, calls = photo(), asyncio.Event(), vendor.ledger.calls
    vendor.then(gate(opened, ok()))
    wire = await Wire.open(server.url)
    await wire.send(request("POST", PAGE, content, Content_Type="image/jpeg"))
    await vendor.called(calls + 1)
    wire.reset() if how == "reset" else wire.close()
    await server.taken_up()
    assert (await known(server, content)).status == 202
    opened.set()
    await until(lambda: stored(server, content), what="the answer is kept")
    answer = await exchange(server.url, request("POST", PAGE, content, Content_Type="image/jpeg"))
    assert (answer.status, answer.header("x-cache"), answer.json["cost"]["saved_usd"]) == (200, "HIT", "0.01")
    assert vendor.ledger.by_digest[sha256(content).hexdigest()] == 1
    for word in ("Traceback", "Exception", "ERROR"):
        assert word not in server.log()


async def test_row_41_the_last_of_a_hundred_leaves(server: Service, vendor: ScriptedVendor) -> None:
    """A hundred clients wait for one call and all leave, the last one too: it goes on, and its answer is kept."""
    content, opened, calls = photo(), asyncio.Event(), vendor.ledger.calls
    vendor.then(gate(opened, ok()))
    async with AsyncExitStack() as stack:
        wires = [await stack.enter_async_context(await Wire.open(server.url)) for _ in range(EVERYBODY)]
        for wire in wires:
            await wire.send(request("POST", PAGE, content, Content_Type="image/jpeg"))
        await vendor.called(calls + 1)
        await server.taken_up()
        for wire in wires:
            wire.reset()
    await server.taken_up()
    assert (await known(server, content)).status == 202
    opened.set()
    await until(lambda: stored(server, content), what="the answer is kept")
    assert vendor.ledger.by_digest[sha256(content).hexdigest()] == 1
