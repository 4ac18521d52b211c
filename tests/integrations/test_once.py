"""Many processes with many callers run a function once."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest

from tests.harness.process import ROOT

PROCESSES = 4
SECONDS = 30


@pytest.mark.parametrize("shared", ["redis", "sqlite"])
async def test_four_processes_with_25_callers_run_it_once(
    redis_url: str, environment: str, tmp_path: Path, shared: str
) -> None:
    """All ask at the same moment; the ledger that the function writes has one line, and all are given its answer."""
    ledger = tmp_path / "ledger"
    url = redis_url if shared == "redis" else f"sqlite:///{tmp_path}/entries.sqlite3"
    processes = [
        await asyncio.create_subprocess_exec(
            sys.executable,
            str(Path(__file__).with_name("asks.py")),
            url,
            environment,
            str(ledger),
            env={"PYTHONPATH": str(ROOT)},
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        for _ in range(PROCESSES)
    ]
    async with asyncio.timeout(SECONDS):
        for process in processes:
            assert process.stdout is not None
            assert await process.stdout.readline() == b"ready\n"
        told = await asyncio.gather(*(process.communicate(b"go\n") for process in processes))
    assert [out for out, _ in told] == [b"True\n"] * PROCESSES
    assert ledger.read_text() == "7\n"
