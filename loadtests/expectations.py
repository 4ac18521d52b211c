"""
What a month must show when it is over; a run that does not show it fails.

Rule: paid calls = distinct contents = what the plan says, every analysis was answered, and each answer was right.
"""

from __future__ import annotations

import json
import urllib.request
from dataclasses import dataclass
from decimal import Decimal

from loadtests.plan import Bill, Month


@dataclass(frozen=True)
class Ledger:
    """What the vendor booked: *calls* about so many distinct *contents*, at *price* dollars a call."""

    calls: int
    contents: int
    price: Decimal


@dataclass(frozen=True)
class Run:
    """What the users saw: analyses *answered*, and *failures*."""

    answered: int
    failures: int


def read_ledger(url: str) -> Ledger:
    """Ask the vendor."""
    with urllib.request.urlopen(url, timeout=10) as reply:  # noqa: S310  # loopback, checked by the caller
        booked = json.load(reply)
    price = Decimal(booked["billed_usd"]) / max(booked["calls"], 1)
    return Ledger(booked["calls"], booked["contents"], price)


def shortcomings(month: Month, run: Run, ledger: Ledger) -> list[str]:
    """Why the run failed, in sentences; empty when it did not."""
    checks = [
        (run.failures == 0, f"{run.failures} analyses failed"),
        (run.answered == month.analyses, f"{run.answered} of {month.analyses} analyses were answered"),
        (ledger.contents == month.distinct, f"{ledger.contents} of {month.distinct} distinct pictures were bought"),
        (ledger.calls == ledger.contents, f"{ledger.calls} calls were paid for {ledger.contents} distinct pictures"),
    ]
    return [sentence for met, sentence in checks if not met]


def summary(run: Run, ledger: Ledger) -> str:
    """The month in one line."""
    bill = Bill(run.answered, ledger.calls, ledger.price)
    return (
        f"{run.answered} analyses, {ledger.contents} distinct, {ledger.calls} paid calls, "
        f"${bill.without:.2f} without the cache, ${bill.paid:.2f} with it, {bill.less} % less"
    )
