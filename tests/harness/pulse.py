"""
How promptly a service answers somebody who wants nothing but a sign of life, measured from a process of its own.

Rule 1: it asks GET /healthz over one connection, every PAUSE seconds, so what it measures is how long the service's
        event loop is busy with something else; the test's own loop has no part in it.
Rule 2: a beat that is not answered within DEADLINE seconds fails.

As that process: `python -m tests.harness.pulse URL` prints a line of JSON when its standard input ends: how long each
beat took, in milliseconds.
"""

from __future__ import annotations

import asyncio
import json
import socket
import sys
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from time import perf_counter
from urllib.parse import urlsplit

from tests.harness.http import request

PAUSE = 0.005
DEADLINE = 10.0
_ROOT = Path(__file__).parents[2]


@dataclass
class Pulse:
    """How long beats took, in milliseconds, once they are over."""

    beats: list[float] = field(default_factory=list)

    @property
    def median(self) -> float:
        """Of all."""
        return median(self.beats)

    @property
    def worst(self) -> float:
        """Of all."""
        return max(self.beats)

    def __str__(self) -> str:
        return f"median {self.median:.2f} ms, worst {self.worst:.1f} ms of {len(self.beats)}"


@asynccontextmanager
async def pulse(url: str) -> AsyncIterator[Pulse]:
    """Inside, the pulse of the service at *url* is felt; it is known afterwards."""
    felt = Pulse()
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        __spec__.name,
        url,
        cwd=_ROOT,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    try:
        assert await process.stdout.readline() == b"beating\n"
        yield felt
        told, _ = await process.communicate(b"")
        felt.beats = json.loads(told)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


def _feel(url: str) -> None:
    """Beat until standard input ends."""
    over = threading.Event()

    def listen() -> None:
        sys.stdin.read()
        over.set()

    threading.Thread(target=listen, daemon=True).start()
    parts = urlsplit(url)
    asked = request("GET", "/healthz")
    beats = []
    with socket.create_connection((parts.hostname, parts.port), DEADLINE) as wire:
        wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        print("beating", flush=True)  # noqa: T201  # its first line
        while not over.wait(PAUSE):
            began = perf_counter()
            wire.sendall(asked)
            answer = b""
            while not answer.endswith(b'{"status":"ok"}'):
                piece = wire.recv(65536)
                if not piece:
                    raise SystemExit("the service has ended the connection")
                answer += piece
            beats.append((perf_counter() - began) * 1000)
    print(json.dumps(beats))  # noqa: T201  # its second one


if __name__ == "__main__":
    _feel(sys.argv[1])
