"""
The service as its users meet it: the real command as a process of its own, reached over real sockets.

Rule 1: it runs in a folder of its own, with the environment it is given and nothing of ours but the way to the code.
Rule 2: it has started when /healthz answers, and stopped when it has exited by itself, with code 0.
Rule 3: every wait has a deadline, and a wait that fails shows the log.
"""

from __future__ import annotations

import asyncio
import inspect
import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from time import monotonic
from typing import Any
from urllib.parse import urlsplit

import httpx
import psutil

from tests.harness.http import client

ROOT = Path(__file__).parents[2]
ADMIN_TOKEN = "an-admin-token-of-tests"
START_SECONDS = 30.0
STOP_SECONDS = 15.0
_LISTENS = re.compile(r"listens on (http://\S+)")


async def until(condition: Callable[[], Any], *, within: float = 10.0, what: str = "") -> Any:
    """
    The first true value of *condition* (or of what it gives to await), asked for every 10 ms.

    AssertionError, which tells *what* was waited for, when there is none *within* so many seconds.
    """
    deadline = monotonic() + within
    while True:
        value = condition()
        if inspect.isawaitable(value):
            value = await value
        if value:
            return value
        assert monotonic() < deadline, f"not within {within:g} s: {what or inspect.getsource(condition).strip()}"
        await asyncio.sleep(0.01)


class Service:
    """
    `hashcache serve` in *folder* with *environment*, or the same application under another *server*: `granian`.

    *options* are those of `serve`. *url* is where it listens. *spool* is the folder for its temporary files.
    It may be started again after it was stopped, in the same folder; its log then begins afresh.
    """

    def __init__(
        self, folder: Path, environment: Mapping[str, str], *, server: str = "uvicorn", options: Sequence[str] = ()
    ) -> None:
        self.server = server
        self._options = options
        self.url = ""
        self.spool = folder / "spool"
        self._folder = folder
        self._log = folder / "log"
        self._out = folder / "out"
        self._environment = {
            "PATH": os.defpath,
            "PYTHONPATH": str(ROOT),
            "TMPDIR": str(self.spool),
            "HASHCACHE_SPOOL_DIR": str(self.spool),
            "HASHCACHE_ADMIN_TOKEN": ADMIN_TOKEN,
            **environment,
        }
        self._process: subprocess.Popen[bytes] | None = None

    async def start(self) -> None:
        """Start it and wait until it answers."""
        self._process = self._spawn()
        await until(self._answers, within=START_SECONDS, what=f"{self.server} answers")

    def ask_to_end(self, by: signal.Signals = signal.SIGTERM) -> None:
        """Send the signal: SIGTERM to the process that was started, SIGINT to all, as Ctrl-C in a terminal does."""
        if by is signal.SIGINT:
            os.killpg(self.pid, by)
        else:
            os.kill(self.pid, by)

    async def stop(self, by: signal.Signals = signal.SIGTERM) -> None:
        """Ask it to end and wait until it has; AssertionError when it does not end well."""
        if self._process is None:
            return
        self.ask_to_end(by)
        await self.ended()

    async def ended(self) -> None:
        """Wait until it has ended; AssertionError when it does not end well."""
        assert self._process is not None, "it is not running"
        try:
            code = await asyncio.to_thread(self._process.wait, STOP_SECONDS)
        except subprocess.TimeoutExpired:
            await self.kill()
            raise AssertionError(f"it did not end in {STOP_SECONDS:g} s; its log:\n{self.log()}") from None
        self._process = None
        assert code == 0, f"it ended with {code}; its log:\n{self.log()}"

    async def kill(self) -> None:
        """End it and its children at once, without a word."""
        if self._process is None:
            return
        for process in self.processes():
            with suppress(psutil.NoSuchProcess):
                process.kill()
        await asyncio.to_thread(self._process.wait, STOP_SECONDS)
        self._process = None

    async def __aenter__(self) -> Service:
        try:
            await self.start()
        except BaseException:
            await self.kill()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    @property
    def pid(self) -> int:
        """The process that was started."""
        assert self._process is not None, "it is not running"
        return self._process.pid

    def listens(self) -> bool:
        """Whether it takes a new connection."""
        parts = urlsplit(self.url)
        with socket.socket() as probe:
            probe.settimeout(STOP_SECONDS)
            return probe.connect_ex((parts.hostname, parts.port)) == 0

    async def taken_up(self) -> None:
        """
        Wait until it has taken up the requests that were sent before, if they are small and it has one process.

        It reads connections in turn: when what was sent later is answered, twice, what was sent earlier is under way.
        """
        async with httpx.AsyncClient(trust_env=False, timeout=START_SECONDS) as client:
            for _ in range(2):
                await client.get(f"{self.url}/healthz")

    def processes(self) -> list[psutil.Process]:
        """That process and its children."""
        started = psutil.Process(self.pid)
        return [started, *started.children(recursive=True)]

    def workers(self) -> list[psutil.Process]:
        """Those of its processes that serve requests, of several or as the only one."""
        started, *others = self.processes()
        return [one for one in others if "--multiprocessing-fork" in one.cmdline()] or [started]

    def open_files(self) -> int:
        """How many descriptors its processes hold open."""
        return sum(process.num_fds() for process in self.processes())

    def resident(self) -> int:
        """How many bytes of memory its processes hold."""
        return sum(process.memory_info().rss for process in self.processes())

    def spooled(self) -> int:
        """How many bytes it holds in temporary files, of any name or of none."""
        found = 0
        for process in self.processes():
            for link in Path(f"/proc/{process.pid}/fd").iterdir():
                with suppress(OSError):
                    if str(self.spool) in str(link.readlink()):
                        found += link.stat().st_size
        return found

    def log(self) -> str:
        """Everything it has written to stderr."""
        return self._log.read_text(encoding="utf-8", errors="replace")

    def printed(self) -> str:
        """Everything it has written to stdout."""
        return self._out.read_text(encoding="utf-8", errors="replace")

    def events(self, name: str | None = None) -> list[dict[str, Any]]:
        """The structured lines of its log; only those of the event *name*, if one is given."""
        told = [line for line in self.log().splitlines() if line.startswith("{") and (name or "") in line]
        lines = [json.loads(line) for line in told]
        return [line for line in lines if name is None or line.get("event") == name]

    def _spawn(self) -> subprocess.Popen[bytes]:
        self.spool.mkdir(parents=True, exist_ok=True)
        with self._log.open("wb") as log, self._out.open("wb") as out:
            # A session of its own, so that Ctrl-C can be sent to it alone.
            return subprocess.Popen(
                self._command(), cwd=self._folder, env=self._environment, stdout=out, stderr=log, start_new_session=True
            )

    def _command(self) -> list[str]:
        if self.server == "uvicorn":
            return [sys.executable, "-m", "hashcache", "serve", "--port", "0", *self._options]
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        options = ["--interface", "asgi", "--factory", "--no-ws", "--http", "1", "--log-level", "warning"]
        return [sys.executable, "-m", "granian", *options, "--port", str(port), "hashcache.__main__:create"]

    async def _answers(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, f"it ended at once:\n{self.log()}"
        told = _LISTENS.search(self.log())
        if told is not None:
            self.url = told[1]
        if not self.url:
            return False
        try:
            async with client(self.url) as web:
                return (await web.get("/healthz")).status_code == 200
        except httpx.TransportError:
            return False
