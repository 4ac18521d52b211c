"""
The books of money against the ledger of the vendor: what a fleet says that it bought, and what arrived.

Rule 1: calls sent = stored + unkept + fenced + failed + unknown, each call in exactly one class; all parts add up to
        the whole.
Rule 2: books and vendor differ by calls of unknown outcome that never arrived, and by nothing else.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from tests.harness.http import client
from tests.harness.received import Ledger
from tests.harness.service import ADMIN_TOKEN, Service, until

PRICE = Decimal("0.01")
#: What a call may come to.
CLASSES = ("stored", "unkept", "fenced", "failed", "unknown")
_MONEY = ("spent_usd", "saved_usd", "wasted_usd")


async def spend_of(service: Service) -> dict[str, Any]:
    """What `GET /api/admin/spend` of *service* says."""
    async with client(service.url, ADMIN_TOKEN) as admin:
        answer = await admin.get("/api/admin/spend")
    assert answer.status_code == 200, answer.text
    report: dict[str, Any] = answer.json()
    return report


async def settled(service: Service) -> dict[str, Any]:
    """The same, once no call is under way or still to be booked."""

    async def report() -> dict[str, Any] | None:
        found = await spend_of(service)
        return found if not found["open_attempts"] else None

    found: dict[str, Any] = await until(report, what="each call is settled")
    return found


async def books_agree(service: Service, ledger: Ledger, *, unsent: int = 0, free: int = 0) -> dict[str, Any]:
    """What *service* says, once all is settled, if it agrees; see `assert_books_agree`."""
    report = await settled(service)
    assert_books_agree(report, ledger, unsent=unsent, free=free)
    return report


def assert_books_agree(
    report: Mapping[str, Any], ledger: Ledger, *, unsent: int = 0, free: int = 0, price: Decimal = PRICE
) -> None:
    """
    *report*, of `GET /api/admin/spend`, agrees with the *ledger* of the only vendor, who bills *price* a call.

    *unsent*: calls that died before they arrived; these are the whole difference, and are of unknown outcome.
    *free*: calls that arrived, were answered with an error, and are not billed.
    """
    assert_books_add_up(report)
    calls = report["calls"]
    assert calls["sent"] - unsent == ledger.calls, (calls, ledger.calls)
    assert unsent <= calls["unknown"], calls
    assert free <= calls["failed"], calls
    booked = Decimal(report["spent_usd"]) + Decimal(report["wasted_usd"])
    assert booked - unsent * price == (ledger.calls - free) * price, report


def assert_books_add_up(report: Mapping[str, Any]) -> None:
    """In *report*, of `GET /api/admin/spend`, each call is in exactly one class, and all parts add up to the whole."""
    calls = report["calls"]
    assert not report["open_attempts"]
    assert calls["sent"] == sum(calls[one] for one in CLASSES), calls
    for name in ("by_provider", "by_kind", "by_tenant"):
        assert _added(report[name].values()) == _amounts(report), name
    assert _added(report["by_day"]) == _amounts(report)


def _amounts(figures: Mapping[str, Any]) -> dict[str, Decimal]:
    """The figures that add up, without those that are 0."""
    found = {name: Decimal(figures[name]) for name in (*_MONEY, "hits", "collapsed")}
    found |= {f"calls.{name}": Decimal(count) for name, count in figures["calls"].items()}
    return {name: amount for name, amount in found.items() if amount}


def _added(parts: Iterable[Mapping[str, Any]]) -> dict[str, Decimal]:
    sums: defaultdict[str, Decimal] = defaultdict(Decimal)
    for part in parts:
        for name, amount in _amounts(part).items():
            sums[name] += amount
    return dict(sums)
