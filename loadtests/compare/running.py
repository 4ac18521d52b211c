"""
Processes of a comparison: started on a core, waited for, ended by their own ids.

Rule 1: each has a session of its own, so that Ctrl-C in a terminal reaches us alone, and we end what we started.
Rule 2: what it says goes to a file in the run's folder.
"""

from __future__ import annotations

import os
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

UP, DOWN = 30, 15


class CannotTry(Exception):
    """The comparison cannot be made here; the message says why and what to do."""


class Wrong(Exception):
    """A contender did not do what it is measured for: the run has no figures."""


@dataclass(frozen=True)
class Server:
    """A process that listens on *port* of loopback."""

    name: str
    port: int
    pid: int

    def seconds(self) -> float:
        """The processor time that it and its children have used."""
        total = 0.0
        started = psutil.Process(self.pid)
        for one in (started, *started.children(recursive=True)):
            with suppress(psutil.NoSuchProcess):
                times = one.cpu_times()
                total += times.user + times.system
        return total


def free_port() -> int:
    """A port on loopback that nobody uses now."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


@contextmanager
def running(
    name: str, command: Sequence[str], environment: Mapping[str, str], folder: Path, *, port: int
) -> Iterator[Server]:
    """
    *command* in *folder*, as soon as it listens on *port*; asked to end on the way out, and made to if it does not.

    Raises:
        CannotTry: it ended, or did not listen within UP seconds; with what it said.
    """
    said = folder / f"{name.replace(' ', '-')}.log"
    with said.open("wb") as log:
        process = subprocess.Popen(  # noqa: S603  # ours
            command,
            env=dict(environment),
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        deadline = time.monotonic() + UP
        while not _listens(port):
            if process.poll() is not None or time.monotonic() > deadline:
                raise CannotTry(f"{name} did not start:\n{said.read_text('utf-8', 'replace')[-4000:]}")
            time.sleep(0.05)
        yield Server(name, port, process.pid)
    finally:
        _end(process)


def inherited() -> dict[str, str]:
    """What a contender inherits from whoever starts us; all else would be configuration."""
    kept = ("PATH", "HOME", "TMPDIR", "LANG", "LC_ALL")
    return {name: os.environ[name] for name in kept if name in os.environ}  # noqa: TID251  # handed on, not read


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _end(process: subprocess.Popen[bytes]) -> None:
    """End it and its children: those that outlive it are ended by the ids that they had."""
    children = []
    with suppress(psutil.NoSuchProcess):
        children = psutil.Process(process.pid).children(recursive=True)
    process.terminate()
    try:
        process.wait(DOWN)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    for one in children:  # psutil compares the start as well: another process with this id is left alone
        with suppress(psutil.NoSuchProcess):
            one.kill()
