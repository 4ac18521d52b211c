"""
What is measured: which request goes to which server, and what it must be answered.

Rule: an answer is checked before each measurement: the right content, from the right place. All but the ceiling name it
      by its SHA-256, or find it by that, so they have received every byte; the ceiling tells how many there were.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from loadtests.compare import vendor, wire
from loadtests.compare.contenders import ceiling
from loadtests.compare.running import Wrong
from loadtests.compare.servers import House
from loadtests.compare.wire import Answer, Content, Line

SIZES = {"1KB": 1_000, "100KB": 100_000, "1MB": 1_000_000, "10MB": 10_000_000}
MIDDLE = "100KB"
#: The size of what is named only, never sent: it makes no difference to the request.
NAMED = "-"
#: How many contents each is asked about: more than there are connections, but for the largest, which would fill memory.
LARGE, FEW, MANY = "10MB", 16, 32
#: How long a contender may take until it answers as it will be measured: near memory waits for its channel's proof.
SETTLED = 10.0


@dataclass(frozen=True)
class Contender:
    """One column of the comparison: how it is *shown*, on which *server*, at every size or at one."""

    shown: str
    server: str
    sizes: str = "all"


CONTENDERS = {
    "fastapi": Contender("FastAPI + redis-py", "fastapi"),
    "nginx": Contender("nginx + Lua + Redis", "nginx"),
    "ceiling": Contender("the ceiling: uvicorn, discarding", "ceiling"),
    "near": Contender("hashcache, near hit", "hashcache"),
    "store": Contender("hashcache, store hit", "hashcache-store"),
    "get": Contender("hashcache, hash-first GET", "hashcache", "named"),
    "put": Contender("hashcache, early PUT", "hashcache", "named"),
    "near2": Contender("hashcache, near hit, 2 workers", "hashcache-2", "middle"),
    "get2": Contender("hashcache, hash-first GET, 2 workers", "hashcache-2", "named"),
}


@dataclass(frozen=True)
class Cell:
    """Contender *name* at *size* (a name of SIZES, or NAMED): it is asked about *contents*, one request each."""

    name: str
    size: str
    contents: tuple[Content, ...] = field(repr=False)

    @property
    def contender(self) -> Contender:
        """Who answers."""
        return CONTENDERS[self.name]

    def request(self, one: Content) -> bytes:
        """What asks about *one*."""
        if self.size != NAMED:
            return wire.upload("/api/analyze", one)
        path = f"/api/analyses/{one.sha256}"
        return wire.expecting(path, one) if self.name == "put" else wire.get(path)

    def requests(self, folder: Path) -> tuple[Path, int]:
        """A file in *folder* with all requests one after another, and the size of each; cells may share it."""
        size = len(self.request(self.contents[0]))
        file = folder / f"{self.name if self.size == NAMED else 'upload'}-{self.size}.requests"
        if not file.exists():
            with file.open("wb") as written:
                for one in self.contents:
                    written.write(self.request(one))
        return file, size


def cells(names: Sequence[str], sizes: Sequence[str]) -> list[Cell]:
    """Those of the contenders *names* at *sizes*: size by size, so that what is compared follows one another."""
    contents = {
        size: tuple(wire.content(SIZES[size], number) for number in range(FEW if size == LARGE else MANY))
        for size in dict.fromkeys((*sizes, MIDDLE))
    }
    uploads = [
        Cell(name, size, contents[size])
        for size in sizes
        for name in names
        if CONTENDERS[name].sizes == "all" or (CONTENDERS[name].sizes == "middle" and size == MIDDLE)
    ]
    return uploads + [Cell(name, NAMED, contents[MIDDLE]) for name in names if CONTENDERS[name].sizes == "named"]


def prepare(cell: Cell, house: House, port: int) -> None:
    """
    Have the contender of *cell* on *port* know its contents, and wait until it answers as it will be measured.

    Raises:
        Wrong: it does not, within SETTLED seconds.
    """
    for one in cell.contents:
        if cell.name in {"fastapi", "nginx"}:
            house.redis.set(f"analysis:{one.sha256}", vendor.ANSWER)
        deadline = time.monotonic() + SETTLED
        while True:
            if cell.contender.server.startswith("hashcache"):
                with Line(port) as line:
                    line.ask(wire.upload("/api/analyze", one))
            try:
                check(cell, port, one)
            except Wrong:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.1)
            else:
                break


def check(cell: Cell, port: int, one: Content) -> None:
    """Ask about *one*, once; raises Wrong when that is not the answer that is to be measured."""
    with Line(port) as line:
        answer = line.ask(cell.request(one))
    wrong = objection(cell, one, answer)
    if wrong is not None:
        told = f"{answer.status} {answer.headers} {answer.body[:300]!r}"
        raise Wrong(f"{cell.contender.shown} at {cell.size}: {wrong}: {told}")


def objection(cell: Cell, one: Content, answer: Answer) -> str | None:
    """What is wrong with *answer* about *one*; None: nothing."""
    if answer.status != 200:
        return "not 200"
    if cell.name == "ceiling":
        sent = len(cell.request(one).partition(b"\r\n\r\n")[2])
        if answer.headers.get("x-received") != str(sent):
            return f"not all of the {sent} bytes that were sent"
        return None if answer.body == ceiling.ANSWER else "another body"
    told: Any = json.loads(answer.body)
    bought = json.loads(vendor.ANSWER)
    if answer.headers.get("x-cache") != "HIT" or told.get("cached") is not True:
        return "no hit"
    if not cell.contender.server.startswith("hashcache"):
        return None if told.get("result") == bought else "another result"
    if told.get("sha256") != one.sha256 or told["result"]["answer"] != bought:
        return "another result"
    where = "store" if cell.name == "store" else "near"
    # Of two workers one may not have met the content yet: it finds it in the store, and from then on near.
    if cell.contender.server != "hashcache-2" and f"detail={where}" not in answer.headers.get("cache-status", ""):
        return f"not from {where}"
    return None
