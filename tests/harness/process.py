"""
The command line as its users meet it: a process that runs to its end, judged by what it says and its exit code.

Rule: it runs in a folder of its own, with the environment it is given and nothing of ours but the way to the code.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
SECONDS = 20.0


@dataclass(frozen=True)
class Ended:
    """How a command ended: its exit *code*, what it wrote to *out* and to *err*."""

    code: int
    out: str
    err: str

    def refusal(self, code: int) -> str:
        """What it says about its failure; AssertionError when that is no clear word with this exit code."""
        assert self.code == code, (self.code, self.err)
        assert self.out == ""
        assert "Traceback" not in self.err
        assert self.err.strip()
        return self.err


async def hashcache(
    folder: Path,
    *arguments: str,
    environment: Mapping[str, str] | None = None,
    stdin: bytes = b"",
    seconds: float = SECONDS,
) -> Ended:
    """
    `python -m hashcache` with *arguments*, in *folder*, until it ends; TimeoutError when it does not. *stdin* is what
    it can read.
    """
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "hashcache",
        *arguments,
        cwd=folder,
        env={"PATH": os.defpath, "PYTHONPATH": str(ROOT), **(environment or {})},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(seconds):
            out, err = await process.communicate(stdin)
    except TimeoutError:
        process.kill()
        await process.wait()
        raise
    assert process.returncode is not None
    return Ended(process.returncode, out.decode(), err.decode())
