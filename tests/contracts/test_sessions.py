"""What every place for sessions promises, on each of them: the SQLite file and the Redis server are real."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from uuid import uuid4

import pytest

from hashcache.core.barrier import Selector
from hashcache.core.entry import Instant
from hashcache.ports import Session
from tests.contracts.backends import KINDS, Backend, Both, backend_of

HOUR = 3_600_000
IDLE = timedelta(minutes=30)
SHORT = timedelta(milliseconds=80)
NAME, OTHER = (sha256(word).hexdigest() for word in (b"one", b"other"))


@pytest.fixture(params=KINDS)
async def backend(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Backend]:
    """Each store in turn."""
    async with backend_of(request.param, tmp_path, request.getfixturevalue) as backend:
        yield backend


@pytest.fixture
async def store(backend: Backend) -> Both:
    """One instance."""
    return await backend.instance()


def session(store: Both, life: int = HOUR) -> Session:
    """One that began now and lives for *life* milliseconds."""
    now = store.now()
    return Session(b"\x00\xffproof", now, Instant(now + life))


async def test_a_session_is_found_everywhere_as_it_was_begun(backend: Backend, store: Both) -> None:
    """Every process finds it, whole; nobody finds another one."""
    begun = session(store)
    await store.sessions.begin(NAME, begun, IDLE)
    other = await backend.instance()
    assert await other.sessions.find(NAME, IDLE) == begun
    assert await store.sessions.find(NAME, IDLE) == begun
    assert await store.sessions.find(OTHER, IDLE) is None


async def test_signing_out_ends_it_everywhere(backend: Backend, store: Both) -> None:
    """One process ends it: no other finds it any more, and ending it again finds nothing."""
    await store.sessions.begin(NAME, session(store), IDLE)
    await store.sessions.begin(OTHER, session(store), IDLE)
    other = await backend.instance()
    assert await other.sessions.end(NAME)
    assert await store.sessions.find(NAME, IDLE) is None
    assert not await store.sessions.end(NAME)
    assert await store.sessions.find(OTHER, IDLE) is not None


async def test_a_session_that_nobody_uses_ends(backend: Backend, store: Both) -> None:
    """After the time for which it may be idle it is gone, though its end is far away."""
    await store.sessions.begin(NAME, session(store), SHORT)
    await backend.elapse(SHORT)
    assert await store.sessions.find(NAME, IDLE) is None
    assert not await store.sessions.end(NAME)


async def test_using_it_lets_it_go_on(backend: Backend, store: Both) -> None:
    """What is looked up is kept anew from then on; the last look counts."""
    await store.sessions.begin(NAME, session(store), SHORT * 4)
    assert await store.sessions.find(NAME, IDLE) is not None
    await backend.elapse(SHORT * 4)
    assert await store.sessions.find(NAME, SHORT) is not None
    await backend.elapse(SHORT)
    assert await store.sessions.find(NAME, IDLE) is None


async def test_nothing_outlasts_its_end(backend: Backend, store: Both) -> None:
    """However often it is used, it ends when it was to end."""
    await store.sessions.begin(NAME, session(store, life=150), IDLE)
    assert await store.sessions.find(NAME, IDLE) is not None
    await backend.elapse(timedelta(milliseconds=150))
    assert await store.sessions.find(NAME, IDLE) is None


async def test_environments_are_apart(backend: Backend, store: Both) -> None:
    """A session of one environment is nobody's in another one, and is not ended from there."""
    await store.sessions.begin(NAME, session(store), IDLE)
    elsewhere = await backend.instance(f"test-{uuid4().hex}")
    assert await elsewhere.sessions.find(NAME, IDLE) is None
    assert not await elsewhere.sessions.end(NAME)
    assert await store.sessions.find(NAME, IDLE) is not None


async def test_a_clear_of_everything_leaves_sessions(backend: Backend, store: Both) -> None:
    """They are of the books: no invalidation touches them, and no scan shows them."""
    begun = session(store)
    await store.sessions.begin(NAME, begun, IDLE)
    await store.forbid(Selector(), "all")
    cursor, heads = None, []
    while True:
        page = await store.scan(cursor, 10)
        heads += page.heads
        if (cursor := page.cursor) is None:
            break
    assert heads == []
    assert await store.sessions.find(NAME, IDLE) == begun


async def test_beginning_again_replaces(store: Both) -> None:
    """Of two under one name the later one counts."""
    begun = session(store)
    await store.sessions.begin(NAME, begun, IDLE)
    later = replace(begun, proof=b"another")
    await store.sessions.begin(NAME, later, IDLE)
    assert await store.sessions.find(NAME, IDLE) == later
