"""The library's comparison: what it makes of measurements, and one of its processes at work on a real server."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

import pytest

from loadtests.compare.library.__main__ import HEADING
from loadtests.compare.library.caches import CONTENDERS, NEAR, ONCE, STORE
from loadtests.compare.library.report import render, rows
from loadtests.compare.library.run import PLACES, WAYS, Results
from loadtests.compare.published import PUBLISHED, publish
from tests.harness.process import ROOT
from tests.harness.valkey import redis_url

__all__ = ["redis_url"]

SECONDS = 30


def measured(ours: float) -> Results:
    """Two rounds in which cashews gives 100 and 50 hits a second, aiocache twice and hashcache *ours* times as many."""
    results = Results()
    for place in PLACES:
        for way in WAYS:
            for name, times in {"hashcache": ours, "cashews": 1.0, "aiocache": 2.0}.items():
                results.rates[name, place, way] = [100 * times, 50 * times]
                results.costs[name, place, way] = [0.01 / times, 0.02 / times]
    for name, runs in {"hashcache": 1, "cashews": 1, "aiocache": 76}.items():
        results.runs[name], results.seconds[name] = [runs, runs], [0.2, 0.4]
    return results


@pytest.mark.parametrize(
    ("ours", "near", "store"),
    [(2.0, "held", "held"), (1.9, "**short** by 5.00 %", "held"), (1.0, "**short**", "**short**")],
)
def test_hits_are_held_against_the_faster_other_one(ours: float, near: str, store: str) -> None:
    """Round by round, so that a slow round changes nothing; near and store have floors of their own."""
    told = {row[0]: row for row in rows(measured(ours))}
    assert {row[2] for row in told.values()} == {"aiocache"}
    assert told[NEAR][-1].startswith(near)
    assert told[STORE][-1].startswith(store)
    assert told[NEAR][4] == told[NEAR][6]


def test_everybody_and_each_late_answer_is_told() -> None:
    """Each contender in each place and way, how often functions ran, and whom Redis let wait."""
    results = measured(2.0)
    results.waited["hashcache"] = 3
    told = render(results, [("commit", "abc")])
    for name in CONTENDERS:
        assert told.count(f" {name} |") >= len(PLACES) * len(WAYS)
    assert "| aiocache | 2 | 152 | 76 | 0.300 | 0.400 |" in told
    assert "> hashcache ran the function 3 times instead" in told


def test_its_results_have_a_place_of_their_own(tmp_path: Path) -> None:
    """What stands under the next heading stays."""
    page = tmp_path / "page.md"
    page.write_text(f"# Benchmarks\n\n{HEADING}\n\nOld.\n\n## Results\n\nOthers.\n", "utf-8")
    publish(page, "New.\n", HEADING)
    assert page.read_text("utf-8") == f"# Benchmarks\n\n{HEADING}\n\nNew.\n\n## Results\n\nOthers.\n"
    assert f"\n{HEADING}\n" in PUBLISHED.read_text("utf-8")


@pytest.mark.parametrize("place", [NEAR, STORE, ONCE])
async def test_a_process_measures_hits_and_a_stampede(redis_url: str, place: str) -> None:
    """On a real server: it fills its cache, is told what to do line by line, and ends with its input."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "loadtests.compare.library.worker",
        "hashcache",
        place,
        redis_url,
        env={"PYTHONPATH": str(ROOT)},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    lines = b"stampede 25 7\nstampede 25 7\n" if place == ONCE else b"sequential 0.05\nconcurrent 0.05\n"
    async with asyncio.timeout(SECONDS):
        out, _ = await process.communicate(lines)
    assert process.returncode == 0
    ready, *told = out.decode().splitlines()
    assert ready == "ready"
    found = [json.loads(line) for line in told]
    if place == ONCE:
        assert [one["runs"] for one in found] == [1, 0]
    else:
        assert all(one["rate"] > 0 and one["cost"] > 0 and one["runs"] <= 1 for one in found)
