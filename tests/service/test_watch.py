"""The watch: each crossing is one event, told by one process."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from structlog.testing import capture_logs

from hashcache.core.entry import Instant
from hashcache.ports import Process
from hashcache.service.alerts import Alert
from hashcache.service.watch import Watch
from hashcache.stores.ledger import MemoryLedger
from tests.harness.clock import HandClock

MEMORY = Alert("memory", "warning", "over 80 %", "81 %", "more", 81, 80)
HOUR = timedelta(hours=1)


@pytest.fixture
def ledger() -> MemoryLedger:
    """A fleet's, with nobody in it."""
    return MemoryLedger(HandClock())


def process(name: str, started: int) -> Process:
    """One of the fleet."""
    return Process(name, "host", 1, "serve", "1", Instant(started), Instant(started))


async def told(watch: Watch) -> list[tuple[str, str, str | None]]:
    """What one look puts into the log: event, alert, severity."""
    with capture_logs() as lines:
        await watch.look()
    return [(line["event"], line["alert"], line.get("severity")) for line in lines]


async def test_each_crossing_is_told_once(ledger: MemoryLedger) -> None:
    """When it begins, when it gets worse and when it ends; not while it lasts."""
    alerts = [MEMORY]

    async def now() -> list[Alert]:
        return list(alerts)

    watch = Watch(now, ledger, own="a", every=60)
    assert await told(watch) == [("alert.raised", "memory", "warning")]
    alerts[0] = replace(MEMORY, value=82)
    assert await told(watch) == []
    alerts[0] = replace(MEMORY, level="critical")
    assert await told(watch) == [("alert.raised", "memory", "critical")]
    alerts.clear()
    assert await told(watch) == [("alert.ended", "memory", None)]
    assert await told(watch) == []


async def test_the_eldest_process_speaks(ledger: MemoryLedger) -> None:
    """Of two, the one that started first; when it is gone, the other one."""

    async def now() -> list[Alert]:
        return [MEMORY]

    await ledger.beat(process("old", 1), HOUR)
    await ledger.beat(process("young", 2), HOUR)
    old, young = Watch(now, ledger, own="old", every=60), Watch(now, ledger, own="young", every=60)
    assert await told(young) == []
    assert len(await told(old)) == 1
    await ledger.beat(process("old", 1), timedelta(0))
    assert await told(young) == [("alert.raised", "memory", "warning")]
