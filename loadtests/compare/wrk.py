"""
The load: 16 connections that send one request over and over, by wrk (Debian: `apt install wrk`).

Rule 1: a run in which any request failed or was not answered with 200 to 399 has no figure.
Rule 2: what the load generator itself takes of its core is told, so that one sees when it was the limit.
"""

from __future__ import annotations

import re
import resource
import shutil
import subprocess
import tempfile
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
    """What wrk counted: answers, over so many *seconds*, and latencies in milliseconds."""

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
        Wrong: there is no such line, nothing was answered, or some request failed.
    """
    found = _TOLD.search(printed)
    if found is None:
        raise Wrong(f"wrk told nothing:\n{printed[-2000:]}")
    figures = {name: int(value) for name, _, value in (pair.partition("=") for pair in found[1].split())}
    failed = {name: figures[name] for name in _ERRORS if figures[name]}
    if failed:
        raise Wrong("requests failed: " + ", ".join(f"{count} x {name}" for name, count in failed.items()))
    if not figures["requests"]:
        raise Wrong("nothing was answered")
    return Told(figures["requests"], figures["microseconds"] / 1e6, figures["p50"] / 1e3, figures["p99"] / 1e3)


def require() -> None:
    """Raises CannotTry when wrk is not installed; says what to install."""
    if shutil.which("wrk") is None:
        raise CannotTry("the load comes from wrk, which is not installed (Debian, Ubuntu: apt install wrk)")


def burst(port: int, raw: bytes, *, seconds: float, cores: Cores, connections: int = CONNECTIONS) -> Burst:
    """
    Send *raw* to *port* of loopback on all *connections* for *seconds* (whole ones, at least 1).

    Raises:
        Wrong: some request failed.
    """
    with tempfile.NamedTemporaryFile(prefix="hashcache-bench-") as request:
        request.write(raw)
        request.flush()
        command = ["wrk", "-t1", f"-c{connections}", f"-d{max(1, round(seconds))}s", "--timeout", "10s"]
        command += ["-s", str(SCRIPT), f"http://127.0.0.1:{port}", "--", request.name]
        before, began = resource.getrusage(resource.RUSAGE_CHILDREN), monotonic()
        ended = subprocess.run(  # noqa: S603  # ours
            pinned(cores.load, command), capture_output=True, text=True, check=False, timeout=seconds + 60
        )
        took, after = monotonic() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    if ended.returncode:
        raise Wrong(f"wrk ended with {ended.returncode}: {ended.stderr[-2000:]}")
    spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Burst(parse(ended.stdout), spent / took)
