"""
Answers with secrets in them: who is given what, and what is kept.

No secret stands here in one piece, so that nobody's scanner takes this file for a leak.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from functools import partial
from typing import Annotated, Any

import msgspec
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from hashcache import Cache, SyncCache, Type
from hashcache.integrations import names
from hashcache.integrations.starlette import cached_route
from hashcache.testing import Bench, in_memory, in_memory_sync
from tests.harness.http import cache_status
from tests.harness.served import served
from tests.harness.turns import until_waiting
from tests.integrations.conftest import Work

TOKEN = "gh" + "p_" + "a7Qz0PmX4kLw9RbT2vNc8JdY5sHg1FeU6iBo"
LEAK = {"user": "ada", "token": TOKEN}
CLEAN = {"user": "ada", "token": "[secret: github_token]"}
REDACT = Type("redacted", on_secret="redact")
ENCRYPT = Type("letters", scope="user", on_secret="encrypt")


class Leak(Work):
    """A function that gives a token."""

    async def __call__(self) -> Any:
        """It."""
        await super().__call__()
        return LEAK


@pytest.fixture
def leak() -> Leak:
    """It counts its runs."""
    return Leak()


async def kept(cache: Cache, key: str, user: str | None = None) -> bytes | None:
    """The bytes that lie in the store under *key*."""
    reading = await cache.answering.opened.store.read([names.key_of(key, user)])
    entry = reading.slots[0].entry
    return None if entry is None else entry.payload


async def test_an_answer_with_a_secret_is_given_and_not_kept(
    cache: Cache, bench: Bench, leak: Leak, caplog: pytest.LogCaptureFixture
) -> None:
    """By `get_or_load`, a decorated function, `warm`, `set`. Rules are counted, and nothing else is told."""
    caplog.set_level(logging.DEBUG)

    @cache.cached("dashboard")
    async def dashboard() -> dict[str, str]:
        return await leak()  # type: ignore[no-any-return]  # it is LEAK

    assert [await cache.get_or_load("a", leak) for _ in range(2)] == [LEAK, LEAK]
    assert [await dashboard(), await dashboard()] == [LEAK, LEAK]
    assert (await cache.warm([dashboard])).failed == 0
    assert not await cache.set("b", LEAK)
    assert leak.calls == 5
    stats = await cache.stats()
    assert (stats.keys, stats.errors, stats.secrets) == (0, 0, {"github_token": 6})
    assert stats.by_type["dashboard"].secrets == {"github_token": 3}
    assert TOKEN[4:] not in caplog.text + repr(stats)
    assert "cache.error" not in caplog.text


async def test_what_is_redacted_is_given_whole_to_him_whose_run_it_was(cache: Cache, bench: Bench, leak: Leak) -> None:
    """Who joined that run, and everybody later, is given what is kept."""
    leak.gate.clear()
    first = asyncio.create_task(cache.get_or_load("a", leak, type=REDACT))
    await leak.entered.wait()
    joined = asyncio.create_task(cache.get_or_load("a", leak, type=REDACT))
    await until_waiting([joined])
    leak.gate.set()
    assert (await first, await joined) == (LEAK, CLEAN)
    assert [await cache.get_or_load("a", leak, type=REDACT), await cache.get("a")] == [CLEAN, CLEAN]
    assert await cache.get_or_load("a", leak, type=REDACT, refresh=True) == LEAK
    assert leak.calls == 2
    assert await cache.set("b", [TOKEN], type=REDACT)
    assert await cache.set("c", f"it is {TOKEN}", type=REDACT)
    assert [await cache.get("b"), await cache.get("c")] == [["[secret: github_token]"], "it is [secret: github_token]"]
    assert TOKEN.encode() not in b"".join([await kept(cache, key) or b"" for key in "abc"])


class Versioned:
    """A codec of the user's own."""

    def encode(self, value: str) -> bytes:
        """A text."""
        return b"v1:" + value.encode()

    def decode(self, raw: bytes) -> str:
        """The text."""
        return raw[3:].decode()


async def test_what_would_be_another_value_without_the_secret_is_not_kept(cache: Cache, bench: Bench) -> None:
    """Bytes of a codec; and what would not be read as what the function is annotated with."""
    runs = 0

    @cache.cached(REDACT)
    async def long() -> list[Annotated[str, msgspec.Meta(min_length=30)]]:
        nonlocal runs
        runs += 1
        return [TOKEN]

    assert [await long(), await long(), runs] == [[TOKEN], [TOKEN], 2]
    assert not await cache.set("a", TOKEN, type=REDACT, codec=Versioned())
    assert await cache.set("a", "nothing", type=REDACT, codec=Versioned())


async def test_types_say_what_is_searched(cache: Cache, bench: Bench) -> None:
    """None: nothing; entropy is off unless it is asked for; what makes no sense is an error at once."""
    key = "9fK3xQ7vLm2RtYb8WnZc4JdH6sPg1AeU"
    assert await cache.set("a", TOKEN, type=Type("seen", on_secret=None))
    assert await cache.set("b", key)
    assert not await cache.set("c", key, type=Type("keys", entropy=4.5))
    assert (await cache.stats()).secrets == {"entropy": 1}
    with pytest.raises(ValueError, match="scope='user'"):
        Type("letters", on_secret="encrypt")
    with pytest.raises(ValueError, match="'forget'"):
        Type("letters", on_secret="forget")  # type: ignore[arg-type]  # that is what is shown
    with pytest.raises(ValueError, match="user_keys="):
        cache.cached(ENCRYPT, per="user")


async def test_all_that_may_be_kept_is_searched(bench: Bench) -> None:
    """Also where more than a megabyte may be."""
    large = Cache("memory://", max_entry=3_000_000)
    async with in_memory(large):
        assert await large.set("a", "x" * 2_000_000)
        assert not await large.set("b", "x" * 2_000_000 + " " + TOKEN)


async def test_what_is_encrypted_is_read_by_its_user_alone(leak: Leak) -> None:
    """
    Kept under his own key, as long as he has it; who has none is given the answer, and it is not kept. Answers without
    a secret are kept as they are.
    """
    keys = {"ada": [secrets.token_bytes(32)], "eve": []}
    cache = Cache("memory://", user_keys=lambda user: keys[user])
    ask = partial(cache.get_or_load, "a", leak, type=ENCRYPT)
    async with in_memory(cache) as bench:
        for _ in range(2):
            assert await ask(user="ada") == LEAK
        assert leak.calls == 1
        assert await cache.get("a", user="ada") == LEAK
        sealed = await kept(cache, "a", "ada")
        assert sealed is not None
        assert TOKEN.encode() not in sealed
        assert [await ask(user="eve"), await ask(user="eve"), leak.calls] == [LEAK, LEAK, 3]
        keys["ada"].insert(0, secrets.token_bytes(32))  # rotated
        assert [await ask(user="ada"), leak.calls] == [LEAK, 3]
        keys["ada"].pop()  # the old one is gone: as good as nothing
        assert [await ask(user="ada"), await ask(user="ada"), leak.calls] == [LEAK, LEAK, 4]
        assert await cache.set("b", "no secret", type=ENCRYPT, user="eve")
        assert [call.status for call in bench.calls if call.key == "b"] == []
        assert await cache.get("b", user="eve") == "no secret"


async def test_a_visitor_who_waits_is_not_given_a_secret_either(cache: Cache, bench: Bench) -> None:
    """He runs the route himself; the answer says why it was not kept."""
    runs = 0
    gate, entered = asyncio.Event(), asyncio.Event()

    @cached_route(cache, REDACT)
    async def route(request: Request) -> JSONResponse:
        nonlocal runs
        runs += 1
        entered.set()
        await gate.wait()
        return JSONResponse(LEAK)

    async with served(Starlette(routes=[Route("/", route)])) as client:
        asking = [asyncio.create_task(client.get("/")) for _ in range(3)]
        await entered.wait()
        gate.set()
        answers = await asyncio.gather(*asking)
    assert [answer.json() for answer in answers] == [LEAK] * 3
    assert runs == 3
    assert {cache_status(answer.headers["cache-status"])["detail"] for answer in answers} <= {"secret", "unshared"}
    stats = await cache.stats()
    assert (stats.keys, stats.errors) == (0, 0)


def test_without_a_loop_too() -> None:
    """One engine, one guard."""
    keys = [secrets.token_bytes(32)]
    cache = SyncCache("memory://", user_keys=lambda user: keys)  # noqa: ARG005 - all have the same

    @cache.cached(ENCRYPT, per="user")
    def letters(user: str) -> str:
        return f"{user}: {TOKEN}"

    with in_memory_sync(cache) as bench:
        assert [letters("ada"), letters("ada")] == [f"ada: {TOKEN}"] * 2
        assert [call.status for call in bench.calls] == ["MISS", "HIT"]
