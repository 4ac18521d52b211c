"""
What is measured: which request goes to which server, and what it must be answered.

Rule: an answer is checked before each measurement: the right content, from the right place.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
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
    """Contender *name* at *size* (a name of SIZES, or NAMED): it is sent *raw*, about *content*."""

    name: str
    size: str
    content: Content
    raw: bytes

    @property
    def contender(self) -> Contender:
        """Who answers."""
        return CONTENDERS[self.name]


def cells(names: Sequence[str], sizes: Sequence[str]) -> list[Cell]:
    """Those of the contenders *names* at *sizes*: size by size, so that what is compared follows one another."""
    contents = {size: wire.content(SIZES[size]) for size in sizes}
    middle = contents.get(MIDDLE) or wire.content(SIZES[MIDDLE])
    found = [
        Cell(name, size, contents[size], wire.upload("/api/analyze", contents[size]))
        for size in sizes
        for name in names
        if CONTENDERS[name].sizes == "all" or (CONTENDERS[name].sizes == "middle" and size == MIDDLE)
    ]
    named = f"/api/analyses/{middle.sha256}"
    requests = {"get": wire.get(named), "get2": wire.get(named), "put": wire.expecting(named, middle)}
    return found + [Cell(name, NAMED, middle, requests[name]) for name in names if name in requests]


def prepare(cell: Cell, house: House, port: int) -> None:
    """
    Have the contender of *cell* on *port* know its content, and wait until it answers as it will be measured.

    Raises:
        Wrong: it does not, within SETTLED seconds.
    """
    if cell.name in {"fastapi", "nginx"}:
        house.redis.set(f"analysis:{cell.content.sha256}", vendor.ANSWER)
    upload = wire.upload("/api/analyze", cell.content)
    deadline = time.monotonic() + SETTLED
    while True:
        if cell.contender.server.startswith("hashcache"):
            with Line(port) as line:
                line.ask(upload)
        try:
            check(cell, port)
        except Wrong:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
        else:
            return


def check(cell: Cell, port: int) -> None:
    """Ask once; raises Wrong when that is not the answer that is to be measured."""
    with Line(port) as line:
        answer = line.ask(cell.raw)
    wrong = objection(cell, answer)
    if wrong is not None:
        told = f"{answer.status} {answer.headers} {answer.body[:300]!r}"
        raise Wrong(f"{cell.contender.shown} at {cell.size}: {wrong}: {told}")


def objection(cell: Cell, answer: Answer) -> str | None:
    """What is wrong with *answer*; None: nothing."""
    if answer.status != 200:
        return "not 200"
    if cell.name == "ceiling":
        return None if answer.body == ceiling.ANSWER else "another body"
    told: Any = json.loads(answer.body)
    bought = json.loads(vendor.ANSWER)
    if answer.headers.get("x-cache") != "HIT" or told.get("cached") is not True:
        return "no hit"
    if not cell.contender.server.startswith("hashcache"):
        return None if told.get("result") == bought else "another result"
    if told.get("sha256") != cell.content.sha256 or told["result"]["answer"] != bought:
        return "another result"
    where = "store" if cell.name == "store" else "near"
    # Of two workers one may not have met the content yet: it finds it in the store, and from then on near.
    if cell.contender.server != "hashcache-2" and f"detail={where}" not in answer.headers.get("cache-status", ""):
        return f"not from {where}"
    return None
