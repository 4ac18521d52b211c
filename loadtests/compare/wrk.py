"""
The load: 16 connections that upload some contents in turn, by wrk (Debian: `apt install wrk`).

Rule 1: a run in which any request failed or was not answered with 200 to 399 has no figure.
Rule 2: the contents are more than the connections, so that hardly ever two ask for the same at the same time.
Rule 3: what the load generator itself takes of its core is told, so that one sees when it was the limit.
"""

from __future__ import annotations

import re
import resource
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

from loadtests.compare.machine import Cores, pinned
from loadtests.compare.running import CannotTry, Wrong

CONNECTIONS = 16
SCRIPT = Path(__file__).with_name("wrk.lua")
_TOLD = re.compile(r"^figures (.+)$", re.MULTILINE)
_ERRORS = ("connect", "read", "write", "status", "timeout")


@dataclass(frozen=True)
class Told:
    """What wrk counted: answers (perhaps none yet), over so many *seconds*, and latencies in milliseconds."""

    requests: int
    seconds: float
    p50: float
    p99: float

    @property
    def rate(self) -> float:
        """Requests a second."""
        return self.requests / self.seconds


@dataclass(frozen=True)
class Burst:
    """What wrk *told* of one burst, and which share of its core it *used*, 0 to 1."""

    told: Told
    used: float


def parse(printed: str) -> Told:
    """
    What the script's line in *printed* says.

    Raises:
        Wrong: there is no such line, or some request failed.
    """
    found = _TOLD.search(printed)
    if found is None:
        raise Wrong(f"wrk told nothing:\n{printed[-2000:]}")
    figures = {name: int(value) for name, _, value in (pair.partition("=") for pair in found[1].split())}
    failed = {name: figures[name] for name in _ERRORS if figures[name]}
    if failed:
        raise Wrong("requests failed: " + ", ".join(f"{count} x {name}" for name, count in failed.items()))
    return Told(figures["requests"], figures["microseconds"] / 1e6, figures["p50"] / 1e3, figures["p99"] / 1e3)


def require() -> None:
    """Raises CannotTry when wrk is not installed; says what to install."""
    if shutil.which("wrk") is None:
        raise CannotTry("the load comes from wrk, which is not installed (Debian, Ubuntu: apt install wrk)")


def burst(port: int, file: Path, size: int, *, seconds: float, cores: Cores) -> Burst:
    """
    Send the requests of *file*, of *size* bytes each, in turn to *port* of loopback on all connections for *seconds*
    (whole ones, at least 1).

    Raises:
        Wrong: some request failed.
    """
    command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{max(1, round(seconds))}s", "--timeout", "60s"]
    command += ["-s", str(SCRIPT), f"http://127.0.0.1:{port}", "--", str(file), str(size)]
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), monotonic()
    ended = subprocess.run(  # noqa: S603  # ours
        pinned(cores.load, command), capture_output=True, text=True, check=False, timeout=seconds + 60
    )
    took, after = monotonic() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    if ended.returncode:
        raise Wrong(f"wrk ended with {ended.returncode}: {ended.stderr[-2000:]}")
    spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Burst(parse(ended.stdout), spent / took)
