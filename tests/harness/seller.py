"""
`python -m loadtests.provider` as its users meet it: a process that tells where its vendors are and what they billed.

Rule: every wait has a deadline.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from tests.harness.http import client

ROOT = Path(__file__).parents[2]
SECONDS = 20.0


class Seller:
    """The vendors of a process that runs; *told* is what it said of itself."""

    def __init__(self, told: Mapping[str, Any]) -> None:
        self._told = told

    def ledger_url(self, vendor: str) -> str:
        """Where one vendor tells what it billed."""
        return str(self._told["vendors"][vendor]["ledger"])

    def settings(self, vendor: str) -> dict[str, str]:
        """The variables that make a service buy from *vendor*, and from nobody else."""
        return {**self._told["vendors"][vendor]["settings"], "HASHCACHE_PROVIDER": vendor}

    async def billed(self, vendor: str | None = None) -> dict[str, Any]:
        """What one vendor billed, or all of them."""
        url = self._told["ledger"] if vendor is None else self.ledger_url(vendor)
        async with client("") as web:
            return dict((await web.get(url)).json())


@asynccontextmanager
async def selling(*options: str) -> AsyncGenerator[Seller]:
    """The process with these *options*; AssertionError when it does not end well."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "loadtests.provider", "--json", *options),
        cwd=ROOT,
        env={"PATH": os.defpath},
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(SECONDS):
            line = await process.stdout.readline()
        yield Seller(json.loads(line))
    finally:
        process.terminate()
        async with asyncio.timeout(SECONDS):
            await process.communicate()
    assert process.returncode == 0
