"""The running service keeps to its own OpenAPI document, whatever it is sent."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import pytest

from tests.harness.service import ADMIN_TOKEN
from tests.system.conftest import Services

CONFIG = Path(__file__).with_name("schemathesis.toml")
EXAMPLES, SEED = 20, 1
SECONDS = 150.0

pytestmark = [pytest.mark.prove, pytest.mark.timeout(SECONDS + 10)]  # a quarter of a minute where nobody else works


async def test_schemathesis_finds_nothing(services: Services, tmp_path: Path) -> None:
    """
    schemathesis, with all its checks and all its phases (examples, coverage, fuzzing, sequences of calls), on every
    operation of the document as the service gives it: nothing is found.

    Its command is used, not its pytest plugin, which knows no sequences.
    """
    # Without a store's file it is quick; the two forms of every answer, HIT and MISS, are the same.
    service = await services.start(HASHCACHE_STORE="memory://")
    options = ["--checks", "all", "--max-examples", str(EXAMPLES), "--seed", str(SEED), "--no-color"]
    options += ["--request-timeout", "10", "--generation-database", "none", "--no-shrink"]
    fuzzing = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "schemathesis.cli", "--config-file", str(CONFIG)),
        *("run", f"{service.url}/openapi.json", "--header", f"Authorization: Bearer {ADMIN_TOKEN}", *options),
        cwd=tmp_path,
        env={"PATH": os.defpath},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        async with asyncio.timeout(SECONDS):
            said, _ = await fuzzing.communicate()
    except TimeoutError:
        fuzzing.kill()
        await fuzzing.wait()
        raise
    assert fuzzing.returncode == 0, said.decode()
    # It came through: uploads were analysed and found again, entries cleared, and others refused.
    for event in ("cache.miss", "cache.hit", "cache.invalidate", "request.refused"):
        assert service.events(event), f"{event} never happened:\n{said.decode()}"
    assert not [line for line in service.events("request.refused") if line["status"] >= 500]
