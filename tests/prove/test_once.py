"""A new file that everybody asks for at the same moment is paid for once, however many processes there are."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.harness.books import books_agree
from tests.harness.contents import photo
from tests.harness.fleet import PRICE, Fleet, Numbered
from tests.harness.vendor import ScriptedVendor

CALLERS = 100
MANY = [pytest.mark.prove, pytest.mark.timeout(400)]


@pytest.mark.parametrize(
    ("services", "shared", "rounds"),
    [
        pytest.param(4, "redis", 5),
        pytest.param(4, "sqlite", 5),
        pytest.param(4, "cluster", 5),
        pytest.param(4, "redis", 200, marks=MANY),
        pytest.param(4, "sqlite", 200, marks=MANY),
        pytest.param(4, "cluster", 200, marks=MANY),
        pytest.param(1, "redis", 200, marks=MANY),
        pytest.param(1, "sqlite", 200, marks=MANY),
    ],
    indirect=["shared"],
)
async def test_row_44_one_hundred_callers_cost_one_call(
    services: int, shared: dict[str, str], rounds: int, vendor: ScriptedVendor, script: Numbered, tmp_path: Path
) -> None:
    """
    4 processes (as services, or as workers of one), 100 concurrent uploads of the same new file, round after round:
    one paid call a round, which one caller is told to have paid; all are given the very same result. The books and the
    vendor agree.
    """
    script.delay = 0.02
    options = ("--workers", str(4 // services))
    async with Fleet(tmp_path, vendor.url, [shared] * services, options=options) as fleet:
        callers = [one for service in fleet.services for one in fleet.callers(CALLERS // services, service)]
        for round_ in range(1, rounds + 1):
            content = photo()
            answers = await asyncio.gather(*(caller.upload(content) for caller in callers))
            assert {answer.status for answer in answers} == {200}
            assert len(script.calls) == round_, fleet.said("store.away", "store.available")
            first = answers[0].json["result"]
            assert first["answer"]["number"] == round_
            assert all(answer.json["result"] == first for answer in answers)
            paid = [answer for answer in answers if answer.json["cost"]["spent_usd"] != "0"]
            assert [answer.json["cost"]["spent_usd"] for answer in paid] == [PRICE]
        report = await books_agree(fleet.services[0], vendor.ledger)
        assert report["calls"]["stored"] == rounds
