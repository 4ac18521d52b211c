"""
Which core serves, which one loads, and on what machine and commit that was.
"""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from loadtests.compare.running import CannotTry

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Cores:
    """The *server*'s core, and the one of the *load*, of Redis and of the provider."""

    server: int
    load: int


def cores() -> Cores:
    """
    Two cores of this machine.

    Raises:
        CannotTry: there are not two, or processes cannot be held to one.
    """
    if shutil.which("taskset") is None or not hasattr(os, "sched_getaffinity"):
        raise CannotTry("one core serves and one loads: that needs Linux with taskset (Debian: apt install util-linux)")
    ours = sorted(os.sched_getaffinity(0))
    if len(ours) < 2:
        raise CannotTry("one core serves and one loads: this machine gives us one in all")
    return Cores(ours[0], ours[1])


def pinned(core: int, command: Sequence[str]) -> list[str]:
    """*command*, held to *core* with all that it starts."""
    return ["taskset", "--cpu-list", str(core), *command]


def commit() -> str:
    """The commit that is measured, with `+` when the tree differs from it; `unknown` outside of git."""
    try:
        name = _git("rev-parse", "--short=10", "HEAD")
        return name + ("+" if _git("status", "--porcelain", "--untracked-files=no") else "")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def described() -> list[tuple[str, str]]:
    """The machine, as rows of a table."""
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 1e9
    return [
        ("processor", f"{_model()}, {os.cpu_count()} cores"),
        ("memory", f"{memory:.1f} GB"),
        ("system", f"{platform.system()} {platform.release()}"),
        ("Python", f"{platform.python_implementation()} {platform.python_version()}"),
        ("nginx", _version("nginx", "-v")),
        ("load average at the start", ", ".join(f"{load:.2f}" for load in os.getloadavg())),
    ]


def _model() -> str:
    for line in Path("/proc/cpuinfo").read_text("utf-8").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _version(program: str, option: str) -> str:
    found = shutil.which(program)
    if found is None:
        return "not installed"
    told = subprocess.run([found, option], capture_output=True, text=True, check=False)  # noqa: S603  # found by us
    return (told.stdout + told.stderr).strip().splitlines()[0]


def _git(*words: str) -> str:
    git = shutil.which("git") or "git"
    return subprocess.run(  # noqa: S603  # ours
        [git, *words], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.strip()
