"""Waiting for a piece of a body: what has come is taken at once, what does not come is given up."""

from __future__ import annotations

import asyncio

import pytest
from starlette.types import Message

from hashcache.api.arrival import _Patient

PIECE: Message = {"type": "http.request", "body": b"x", "more_body": False}


async def test_what_has_come_is_taken_without_a_wait() -> None:
    """Even where no time at all is granted."""

    async def receive() -> Message:
        return PIECE

    assert await _Patient(receive(), 0) == PIECE


async def test_what_comes_later_is_waited_for() -> None:
    """However often the one who brings it has to wait himself."""
    gates = [asyncio.Event(), asyncio.Event()]

    async def receive() -> Message:
        for gate in gates:
            await gate.wait()
        return PIECE

    waiting = asyncio.ensure_future(_Patient(receive(), 20))
    for gate in gates:
        for _ in range(3):
            await asyncio.wait({waiting}, timeout=0)
        assert not waiting.done()
        gate.set()
    assert await waiting == PIECE


@pytest.mark.parametrize("how", ["late", "cancelled"])
async def test_who_waits_hears_that_it_is_over(how: str) -> None:
    """The end of patience and a cancellation reach the one who waits for the connection, so that he can clean up."""
    waits, cleaned = asyncio.Event(), []

    async def receive() -> Message:
        try:
            waits.set()
            await asyncio.Event().wait()
        finally:
            cleaned.append(how)
        return PIECE

    waiting = asyncio.ensure_future(_Patient(receive(), 0.01 if how == "late" else 20))
    await waits.wait()
    if how == "cancelled":
        waiting.cancel()
    with pytest.raises(TimeoutError if how == "late" else asyncio.CancelledError):
        await waiting
    assert cleaned == [how]


async def test_an_error_of_the_connection_is_passed_on() -> None:
    """Whether it comes at once or later."""

    async def broken(turns: int) -> Message:
        for _ in range(turns):
            done = asyncio.get_running_loop().create_future()
            asyncio.get_running_loop().call_soon(done.set_result, None)
            await done
        raise ConnectionResetError

    for turns in (0, 2):
        with pytest.raises(ConnectionResetError):
            await _Patient(broken(turns), 20)
