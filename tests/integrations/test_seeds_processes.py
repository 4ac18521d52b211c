"""
What the systems that this library replaces promised between processes, on a real server.

Who runs once, is cancelled or raises, in one process and in four: `test_once.py` and `test_functions.py`.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from tests.harness.process import ROOT

PROCESSES = 3
SECONDS = 30


class Listener:
    """A process with the cache of `listens.py`."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def heard(self) -> str:
        """The line that it says next."""
        assert self._process.stdout is not None
        return (await self._process.stdout.readline()).decode().strip()

    async def told(self, line: str) -> str:
        """What it answers to *line*."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{line}\n".encode())
        return await self.heard()

    async def end(self) -> None:
        """Let it go: there are no more lines."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        assert await self._process.wait() == 0


async def test_what_one_of_three_processes_forgets_none_of_them_gives(
    redis_url: str, environment: str, tmp_path: Path
) -> None:
    """
    Each has the answer in its own memory. When the invalidation by one of them has returned, all three give the new
    answer, which is computed once.
    """
    truth, ledger = tmp_path / "truth", tmp_path / "ledger"
    truth.write_text("before")
    listeners = [
        Listener(
            await asyncio.create_subprocess_exec(
                sys.executable,
                str(Path(__file__).with_name("listens.py")),
                redis_url,
                environment,
                str(truth),
                str(ledger),
                env={"PYTHONPATH": str(ROOT)},
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
            )
        )
        for _ in range(PROCESSES)
    ]
    one, two, three = listeners
    async with asyncio.timeout(SECONDS):
        assert [await each.heard() for each in listeners] == ["ready"] * 3
        for _ in range(2):  # the second answer of each is from its own memory
            assert [await each.told("ask") for each in listeners] == ["before"] * 3
        truth.write_text("after")
        assert [await each.told("ask") for each in listeners] == ["before"] * 3
        assert await two.told("forget agents:*") == "2"
        assert await asyncio.gather(*(each.told("ask") for each in listeners)) == ["after"] * 3
        assert [await each.told("ask") for each in (three, one, two)] == ["after"] * 3
        assert int(await one.told("hits")) >= 3
        for each in listeners:
            await each.end()
    assert ledger.read_text() == "7\n7\n"
