"""Sessions: who is recognised, when the store is asked, and what holds while it is away."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from hashcache.core.entry import Instant
from hashcache.core.errors import StoreUnavailable
from hashcache.ports import Session
from hashcache.service.callers import Callers
from hashcache.service.doorkeeper import TRUSTED, Doorkeeper, Life
from hashcache.service.tries import Tries
from hashcache.stores.sessions import MemorySessions
from tests.harness.clock import HandClock

KEY = "an-admin-token-of-tests"
LIFE = Life(idle=timedelta(minutes=30), long=timedelta(hours=12))
SECOND = timedelta(seconds=1)


class Watched(MemorySessions):
    """Counts the look-ups, and can be away."""

    looked = 0
    away = False

    async def find(self, name: str, idle: timedelta) -> Session | None:
        """As the memory does, unless it is away."""
        self.looked += 1
        if self.away:
            raise StoreUnavailable("away", reason="timeout")
        return await super().find(name, idle)


class Setting:
    """A clock, a store, and doors on it."""

    def __init__(self) -> None:
        self.clock = HandClock()
        self.sessions = Watched(self.clock)
        self.made = 0

    def door(self, key: str = KEY) -> Doorkeeper:
        """A process's door, whose admin has *key*."""
        return Doorkeeper(
            self.sessions,
            Callers((), key),
            LIFE,
            now=lambda: Instant(self.clock()),
            monotonic=self.clock.seconds,
            secret=self._secret,
        )

    def _secret(self) -> str:
        self.made += 1
        return f"secret {self.made}"


@pytest.fixture
def setting() -> Setting:
    """A new one."""
    return Setting()


async def signed_in(door: Doorkeeper) -> str:
    """The secret of a new session."""
    opened = await door.sign_in(KEY)
    assert opened is not None
    return opened[0]


async def test_reading_asks_the_store_now_and_then(setting: Setting) -> None:
    """A page that asks every two seconds costs one look-up in ten; what changes something is always looked up."""
    door = setting.door()
    secret = await signed_in(door)
    for _ in range(30):
        setting.clock.advance(2 * SECOND)
        assert await door.recognise(secret, changes=False) is not None
    assert setting.sessions.looked == 60 / TRUSTED
    before = setting.sessions.looked
    assert await door.recognise(secret, changes=True) is not None
    assert setting.sessions.looked == before + 1


async def test_signing_out_holds_in_other_processes(setting: Setting) -> None:
    """For changes at once, for reading within ten seconds; where it was done, at once for all."""
    here, there = setting.door(), setting.door()
    secret = await signed_in(here)
    assert await there.recognise(secret, changes=False) is not None
    await here.sign_out(secret)
    assert await here.recognise(secret, changes=False) is None
    assert await there.recognise(secret, changes=True) is None
    other = await signed_in(here)
    assert await there.recognise(other, changes=False) is not None
    await here.sign_out(other)
    setting.clock.advance(TRUSTED * SECOND)
    assert await there.recognise(other, changes=False) is None


async def test_a_look_up_that_was_under_way_does_not_outlive_a_sign_out(
    setting: Setting, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who looked before the session was ended, and is told after it, lets nobody in."""
    door = setting.door()
    secret = await signed_in(door)
    found = setting.sessions.find

    async def find(*args: Any) -> Session | None:
        session = await found(*args)
        await door.sign_out(secret)
        return session

    monkeypatch.setattr(setting.sessions, "find", find)
    assert await door.recognise(secret, changes=True) is None
    monkeypatch.undo()
    assert await door.recognise(secret, changes=False) is None


async def test_it_ends_when_idle_and_in_any_case(setting: Setting) -> None:
    """Half an hour without a request; and twelve hours, however busy."""
    door = setting.door()
    secret = await signed_in(door)
    setting.clock.advance(LIFE.idle)
    assert await door.recognise(secret, changes=False) is None
    secret = await signed_in(door)
    for _ in range(LIFE.long // timedelta(minutes=20) - 1):
        setting.clock.advance(timedelta(minutes=20))
        assert await door.recognise(secret, changes=False) is not None
    setting.clock.advance(timedelta(minutes=20))
    assert await door.recognise(secret, changes=False) is None


async def test_the_dashboard_can_be_read_while_the_store_is_away(setting: Setting) -> None:
    """Who was seen here may go on reading for as long as he may be idle; nothing is changed meanwhile."""
    door, other = setting.door(), setting.door()
    secret = await signed_in(door)
    setting.sessions.away = True
    setting.clock.advance(TRUSTED * SECOND)
    assert await door.recognise(secret, changes=False) is not None
    for one, changes in ((door, True), (other, False)):
        with pytest.raises(StoreUnavailable):
            await one.recognise(secret, changes=changes)
    setting.clock.advance(LIFE.idle)
    with pytest.raises(StoreUnavailable):
        await door.recognise(secret, changes=False)


async def test_who_can_write_to_the_store_makes_no_session(setting: Setting) -> None:
    """Neither by copying another's proof under a name of his own, nor by making a session longer."""
    door = setting.door()
    secret = await signed_in(door)
    ((name, (session, _)),) = setting.sessions._kept.items()
    mine = "5" * 64
    await setting.sessions.begin(mine, session, LIFE.idle)
    assert door._owner(mine, session) is None
    longer = Session(session.proof, session.began, Instant(session.ends + 1))
    await setting.sessions.begin(name, longer, LIFE.idle)
    assert await door.recognise(secret, changes=True) is None


async def test_a_key_that_is_gone_takes_its_sessions_along(setting: Setting) -> None:
    """After the admin's key has changed nobody is let in by a session of the old one."""
    secret = await signed_in(setting.door())
    assert await setting.door().recognise(secret, changes=False) is not None
    assert await setting.door("another-admin-token").recognise(secret, changes=False) is None


def test_tries_are_counted_by_address() -> None:
    """So many in a while; then it tells how long to wait, and a try too early is none."""
    clock = HandClock()
    tries = Tries(most=2, seconds=60, monotonic=clock.seconds)
    assert [tries.wait("a"), tries.wait("a")] == [0, 0]
    clock.advance(20 * SECOND)
    assert tries.wait("a") == 40
    assert tries.wait("b") == 0
    clock.advance(40 * SECOND)
    assert [tries.wait("a"), tries.wait("a")] == [0, 0]
    assert tries.wait("a") == 60
    tries.forget("a")
    assert tries.wait("a") == 0
