"""A cache in processes that are forked: nothing of a parent's is used by its children, who open it themselves."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import httpx
import pytest

from tests.harness.http import NO_TLS, cache_status
from tests.harness.process import ROOT

SECONDS = 30
HERE = Path(__file__).parent


@pytest.fixture(params=["redis", "sqlite"])
def store(request: pytest.FixtureRequest, redis_url: str, tmp_path: Path) -> str:
    """Where entries live."""
    return redis_url if request.param == "redis" else f"sqlite:///{tmp_path}/entries.sqlite3"


async def started(*arguments: str) -> asyncio.subprocess.Process:
    """A program that is to fork; from Python 3.12 on that is warned of, where there are threads."""
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-Wignore:This process:DeprecationWarning",
        *arguments,
        env={"PYTHONPATH": str(ROOT)},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


async def test_a_fork_is_told_and_may_open_it_again(store: str, environment: str) -> None:
    """As often as it likes; the parent's goes on meanwhile and afterwards, and nothing else is said by either."""
    process = await started(str(HERE / "forks.py"), store, environment)
    async with asyncio.timeout(SECONDS):
        out, err = await process.communicate()
    refused, *told = out.decode().splitlines()
    assert refused.startswith("child refused: this cache was opened before this process was forked")
    assert told == ["child found 1 True", "child found 1", "parent found 1 1 3 child ended 0"]
    assert (process.returncode, err) == (0, b"")


async def test_workers_of_a_server_open_it_at_their_first_request(store: str, environment: str, tmp_path: Path) -> None:
    """The application was loaded, and asked, before they were forked. They share entries, and what one forgets."""
    process = await started(str(HERE / "preforked.py"), store, environment, str(tmp_path / "ledger"))
    assert process.stdout is not None
    async with asyncio.timeout(SECONDS):
        ports = [int(await process.stdout.readline()) for _ in range(2)]
        async with httpx.AsyncClient(verify=NO_TLS, headers={"Host": "site.example"}) as web:

            async def ask(port: int, path: str, method: str = "GET") -> httpx.Response:
                return await web.request(method, f"http://127.0.0.1:{port}{path}")

            assert len({(await ask(port, "/process")).text for port in ports}) == 2
            for port in ports:
                answer = await ask(port, "/runs")
                assert (answer.text, cache_status(answer.headers["cache-status"])["detail"]) == ("1", "store")
                assert (await ask(port, "/runs")).headers["x-cache"] == "HIT"
            forgotten = await ask(ports[0], "/api/cache/invalidate/dashboard", "POST")
            assert forgotten.json()["deleted_keys"] == 1
            answers = [await ask(port, "/runs") for port in reversed(ports)]
            assert [(one.text, one.headers["x-cache"]) for one in answers] == [("2", "MISS"), ("2", "HIT")]
        _, err = await process.communicate(b"")
    assert b"Traceback" not in err
    assert process.returncode == 0
