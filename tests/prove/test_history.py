"""Random questions and random faults over real processes, for minutes or for an hour: no promise is broken."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.harness.history import calm, violations, write
from tests.harness.turmoil import GENTLE, ROUGH, Turmoil

LEG = 25.0
#: A long run is asked for in minutes; one says with which seed, to have the same faults again.
MINUTES = float(os.environ.get("HASHCACHE_TEST_MINUTES", "2"))  # noqa: TID251 - how long is the runner's choice
SEED = int(os.environ.get("HASHCACHE_TEST_SEED", "20261120"))  # noqa: TID251 - so is which faults


@pytest.mark.prove
@pytest.mark.timeout(120 + MINUTES * 60 * 2)
async def test_no_promise_is_broken(tmp_path: Path, figures: Callable[[str], None]) -> None:
    """
    Three processes on one Redis, faults every few seconds: each answer is about the bytes that were sent, none was
    bought before a clear that had returned (but on a process cut off from Redis), one call at a time is under way for
    a content while all is well, every request ends by its deadline, and the books agree with the vendor's.
    """
    record = tmp_path / "history.jsonl"
    async with Turmoil(tmp_path, SEED) as turmoil:
        for leg in range(max(2, round(MINUTES * 60 / LEG))):
            await turmoil.leg(LEG, GENTLE if leg % 2 == 0 else ROUGH)
    history = turmoil.history()
    write(record, history)
    counts = Counter(event.what for event in history)
    figures(f"{MINUTES:g} minutes, seed {SEED}: " + ", ".join(f"{count} {what}" for what, count in counts.items()))
    figures(f"{calm(history):.0%} of the calls were made while there was no excuse for anything")
    broken = violations(history)
    assert not broken, f"{len(broken)} violations (all events: {record}):\n" + "\n".join(broken[:20])
