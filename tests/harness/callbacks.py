"""
How much processor time single callbacks of a service's event loop take, measured inside its process.

Rule 1: what counts is the processor time of the loop's own thread, not the time that passed: whoever else keeps the
        machine busy hardly changes it. What still does (caches, a slower clock) is met by rounds: see `least`.
Rule 2: it is asyncio's own loop, whose callbacks can be reached; uvloop would call the same code in its place.
Rule 3: each callback of NOTED or more is noted in a file as soon as it has ended.

As that process: `python -m tests.harness.callbacks NOTES serve ...` is `hashcache serve ...` with its loop watched;
with a `+` before NOTES each callback ends with a collection of all garbage, as any callback may.
"""

from __future__ import annotations

import asyncio
import gc
import json
import sys
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from time import thread_time
from typing import Any

from tests.harness.service import Service

#: Shorter callbacks are not noted, in milliseconds.
NOTED = 2.0
_INSIDE = (("cr_frame", "cr_await"), ("gi_frame", "gi_yieldfrom"), ("ag_frame", "ag_await"))


@dataclass(frozen=True, order=True)
class Note:
    """A callback: so many *milliseconds* of processor time, of them *collection* of garbage; *what* it was."""

    milliseconds: float
    collection: float = 0.0
    what: str = "nothing that was noted"

    def __str__(self) -> str:
        return f"{self.milliseconds:.1f} ms (collecting garbage: {self.collection:.1f}) in {self.what}"


class Watched(Service):
    """A service of one process whose callbacks are watched. *collecting*: each ends with a collection of garbage."""

    def __init__(self, folder: Path, environment: Mapping[str, str], *, collecting: bool = False) -> None:
        super().__init__(folder, environment)
        self._notes = folder / "callbacks"
        self._mark = "+" if collecting else ""
        self._read = 0

    async def longest(self) -> Note:
        """The longest callback since this was last asked."""
        await self.taken_up()  # what was under way has ended, and is noted
        with self._notes.open("rb") as notes:
            notes.seek(self._read)
            new = notes.read()
        whole = new[: new.rfind(b"\n") + 1]
        self._read += len(whole)
        return max((Note(**json.loads(line)) for line in whole.splitlines()), default=Note(0.0))

    async def least(self, step: Callable[[], Awaitable[object]], *, rounds: int = 3) -> Note:
        """
        The longest callback of *step*, in the best of so many rounds: what the work costs, without what disturbed it.
        """
        found = []
        for _ in range(rounds):
            await self.longest()
            await step()
            found.append(await self.longest())
        return min(found)

    def _command(self) -> list[str]:
        python, *whole = super()._command()
        return [python, "-m", __spec__.name, f"{self._mark}{self._notes}", *whole[2:]]


def watch(notes: Path, *, collect: bool) -> None:
    """Note the callbacks of every loop of asyncio's in this process."""
    out = notes.open("a", encoding="utf-8", buffering=1)  # as long as the process lives
    every: Any = asyncio.events.Handle  # the one place through which each callback goes
    original = every._run
    collected = [0.0, 0.0]  # the seconds of this callback's collections, and when the present one began

    def collecting(phase: str, _: Mapping[str, int]) -> None:
        if phase == "start":
            collected[1] = thread_time()
        else:
            collected[0] += thread_time() - collected[1]

    def run(handle: asyncio.Handle) -> None:
        before, collected[0], began = _where(handle), 0.0, thread_time()
        original(handle)
        if collect:
            gc.collect()
        took = (thread_time() - began) * 1000
        if took >= NOTED:
            note = {"milliseconds": took, "collection": collected[0] * 1000, "what": f"{before} to {_where(handle)}"}
            out.write(json.dumps(note) + "\n")

    gc.callbacks.append(collecting)
    every._run = run


def _where(handle: Any) -> str:
    """The name of a callback, or where its task stands: the last functions on the way down."""
    callback = handle._callback
    task = getattr(callback, "__self__", None)
    if not isinstance(task, asyncio.Task):
        return str(getattr(callback, "__qualname__", type(callback).__name__))
    steps = []
    inner: Any = task.get_coro()
    while inner is not None:
        frame, inner = next(
            ((getattr(inner, one), getattr(inner, other)) for one, other in _INSIDE if hasattr(inner, one)),
            (None, None),
        )
        if frame is not None:
            steps.append(f"{frame.f_code.co_name}:{frame.f_lineno}")
    return "/".join(steps[-4:]) or "its end"


if __name__ == "__main__":
    sys.modules["uvloop"] = None  # type: ignore[assignment]  # as where it is not installed
    place = sys.argv.pop(1)
    watch(Path(place.removeprefix("+")), collect=place.startswith("+"))
    from hashcache.__main__ import main

    main()
