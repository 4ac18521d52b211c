"""
The command line in a terminal: a process whose three streams are a pseudo-terminal, with keys that can be pressed.

Rule: every wait has a deadline, and a wait that fails shows the screen.
"""

from __future__ import annotations

import asyncio
import os
import pty
import signal
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Self

from tests.harness.process import ROOT, SECONDS
from tests.harness.service import until


class Terminal:
    """`python -m hashcache` with *arguments* in *folder*, in a terminal of 100 columns; an async context manager."""

    def __init__(self, folder: Path, *arguments: str, environment: Mapping[str, str] | None = None) -> None:
        self._arguments = arguments
        self._folder = folder
        self._environment = {"PATH": os.defpath, "PYTHONPATH": str(ROOT), "TERM": "xterm", "COLUMNS": "100"}
        self._environment |= environment or {}
        self._screen = bytearray()

    async def __aenter__(self) -> Self:
        self._ours, theirs = pty.openpty()
        self._process = subprocess.Popen(  # noqa: ASYNC220 - asyncio gives no process a terminal
            [sys.executable, "-m", "hashcache", *self._arguments],
            cwd=self._folder,
            env=self._environment,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
        )
        os.close(theirs)
        os.set_blocking(self._ours, False)
        asyncio.get_running_loop().add_reader(self._ours, self._read)
        return self

    async def __aexit__(self, *_: object) -> None:
        asyncio.get_running_loop().remove_reader(self._ours)
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        os.close(self._ours)

    def _read(self) -> None:
        with suppress(BlockingIOError):
            try:
                self._screen += os.read(self._ours, 65536)
            except OSError:  # the other side is closed
                asyncio.get_running_loop().remove_reader(self._ours)

    @property
    def screen(self) -> str:
        """All that was written so far."""
        return self._screen.decode(errors="replace")

    async def shows(self, text: str) -> None:
        """Wait until *text* was written."""
        await until(lambda: text in self.screen, within=SECONDS, what=f"the terminal shows {text!r}")

    async def asks(self, text: str) -> None:
        """
        Wait until the question *text* was written, and the command sleeps until a key comes: a Ctrl-C that arrives
        between the two is noted by Python, which then waits for a key all the same.
        """
        await self.shows(text)
        await until(lambda: self._state == "S", within=SECONDS, what="the command waits for a key")

    @property
    def _state(self) -> str:
        """`R` while it runs, `S` while it sleeps (proc(5))."""
        return Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()[0]

    def press(self, keys: str) -> None:
        """Type *keys*."""
        os.write(self._ours, keys.encode())

    def kill(self) -> None:
        """End it without a word."""
        self._process.kill()

    def interrupt(self) -> None:
        """Press Ctrl-C."""
        os.killpg(self._process.pid, signal.SIGINT)

    async def ended(self) -> int:
        """Wait until it has ended; its exit code."""
        await until(lambda: self._process.poll() is not None, within=SECONDS, what="the command ends")
        assert self._process.returncode is not None
        self._read_rest()
        return self._process.returncode

    def _read_rest(self) -> None:
        with suppress(OSError):
            while piece := os.read(self._ours, 65536):
                self._screen += piece
