"""
The course of a comparison: who is started, what is measured in which order, and what is said meanwhile.

Rule: in each round every cell is warmed and measured once; what is compared with each other follows one another.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, sleep

from loadtests.compare import entries, latencies, wire, wrk
from loadtests.compare.cells import CONTENDERS, LARGE, MIDDLE, NAMED, SIZES, Cell, cells, check, prepare
from loadtests.compare.figures import shown
from loadtests.compare.machine import ROOT, Cores, pinned
from loadtests.compare.results import Measurement, Results
from loadtests.compare.running import Server, Wrong, inherited
from loadtests.compare.servers import House, house, why_no_nginx
from loadtests.compare.sink import sink

WARM = 1
#: Of the largest uploads few are answered in a second: they get so many times as long.
LARGER = 2
MISSES = 12
#: For how long Redis is watched while nobody is asked, in seconds.
IDLE = 3


@dataclass(frozen=True)
class Plan:
    """So many *rounds* of so many *seconds* for each contender of *only* at each of *sizes*."""

    rounds: int
    seconds: int
    sizes: Sequence[str]
    only: Sequence[str]


class Progress:
    """A line for each step, with what is left."""

    def __init__(self, steps: int) -> None:
        self._steps, self._done, self._began = steps, 0, monotonic()

    def step(self, words: str) -> None:
        """One more is done."""
        self._done += 1
        left = (monotonic() - self._began) / self._done * (self._steps - self._done)
        print(f"[{self._done}/{self._steps}] {words}  (ends in {left / 60:.1f} min)", flush=True)


def measure(plan: Plan, cores: Cores, results: Results) -> None:
    """
    All of *plan*, into *results*.

    Raises:
        CannotTry: a contender does not start here.
        Wrong: one does not answer as it must.
    """
    names = list(plan.only)
    missing = why_no_nginx() if "nginx" in names else None
    if missing is not None:
        names.remove("nginx")
        results.notes.append(f"nginx + Lua + Redis is left out: {missing}.")
        print(results.notes[-1])
    found = cells(names, plan.sizes)
    with house(cores) as here:
        print(f"server on core {cores.server}; load, Redis and the paid API on core {cores.load}", flush=True)
        servers = {one: here.start(one) for one in dict.fromkeys(CONTENDERS[name].server for name in names)}
        for cell in found:
            prepare(cell, here, servers[cell.contender.server].port)
        for file, cell in {cell.requests(here.folder): cell for cell in found}.items():
            _sent(cell, *file, cores)
        here.idle = _idle(here)
        beside = _beside(names)
        progress = Progress(plan.rounds * (len(found) + len(beside)) + ("near" in names))
        for number in range(1, plan.rounds + 1):
            for cell in found:
                told = _cell(cell, here, servers[cell.contender.server], plan.seconds)
                results.cells[cell.name, cell.size].append(told)
                words = f"round {number} of {plan.rounds}: {cell.contender.shown}, {cell.size}"
                progress.step(f"{words}: {shown(told.rate)} req/s")
            for what, step in beside.items():
                step(here, servers, plan, results)
                progress.step(f"round {number} of {plan.rounds}: {what}")
        if "near" in names:
            results.sizes = entries.sizes(here)
            progress.step("bytes in Redis per entry")


def _cell(cell: Cell, here: House, server: Server, seconds: int) -> Measurement:
    """Check, warm, measure; measure for longer where nothing was answered in time."""
    check(cell, server.port, cell.contents[0])
    file, size = cell.requests(here.folder)
    wrk.burst(server.port, file, size, seconds=WARM, cores=here.cores)
    usual = seconds * (LARGER if cell.size == LARGE else 1)
    for lasting in (usual, 3 * usual, 10 * usual):
        commands, spent = _commands(here), server.seconds()
        burst = wrk.burst(server.port, file, size, seconds=lasting, cores=here.cores)
        commands, spent = _commands(here) - commands, server.seconds() - spent
        told = burst.told
        if told.requests and spent:
            share, cost = spent / told.seconds, (commands - here.idle * told.seconds) / told.requests
            return Measurement(told.rate, told.requests / spent, share, burst.used, told.p50, told.p99, max(0.0, cost))
    raise Wrong(f"{cell.contender.shown} at {cell.size} answered nothing in {10 * usual} s")


def _sent(cell: Cell, file: Path, size: int, cores: Cores) -> None:
    """Have wrk send *file* to a sink; raises Wrong when what arrives is not what *cell* asks."""
    with sink(frozenset(cell.request(one) for one in cell.contents)) as there:
        wrk.burst(there.port, file, size, seconds=WARM, cores=cores)
        there.verdict()


def _commands(here: House) -> int:
    """How many commands the clients that are connected to Redis have sent; what scripts do inside is not counted."""
    return sum(int(client["tot-cmds"]) for client in here.redis.client_list())


def _idle(here: House) -> float:
    """Commands a second that are sent to Redis while nobody is asked: the heartbeats of all who run."""
    before, began = _commands(here), monotonic()
    sleep(IDLE)
    return (_commands(here) - before) / (monotonic() - began)


Step = Callable[[House, dict[str, Server], Plan, Results], None]


def _beside(names: Sequence[str]) -> dict[str, Step]:
    """What is measured beside the rates, as far as those who are needed take part."""
    found: dict[str, Step] = {}
    if "near" in names:
        found["the time that a miss adds"] = _misses
        found["a hit beside slow sources"] = _hits
    if {"get", "ceiling"} <= set(names):
        found["an open loop"] = _arrivals
    return found


def _misses(here: House, servers: dict[str, Server], plan: Plan, results: Results) -> None:
    del plan
    before, began = _commands(here), monotonic()
    direct, through = latencies.added(here.vendor.port, servers["hashcache"].port, pairs=MISSES)
    commands = _commands(here) - before - here.idle * (monotonic() - began)
    results.miss.append((direct, through, commands / MISSES))


def _hits(here: House, servers: dict[str, Server], plan: Plan, results: Results) -> None:
    del plan
    results.hit.append(latencies.hit(servers["hashcache"].port))
    for delay in latencies.SOURCES:
        results.sources[delay].append(latencies.source(here.vendor.port, delay))


def _arrivals(here: House, servers: dict[str, Server], plan: Plan, results: Results) -> None:
    """At half the rate that saturated the hash-first GET in the first round: the same in every round."""
    results.arrivals = results.arrivals or results.cells["get", NAMED][0].rate / 2
    raw = wire.get(f"/api/analyses/{wire.content(SIZES[MIDDLE]).sha256}")
    ours, theirs = (
        _open(here.cores, servers[one].port, raw, results.arrivals, plan.seconds) for one in ("hashcache", "ceiling")
    )
    results.open.append((ours, theirs))


def _open(cores: Cores, port: int, raw: bytes, rate: float, seconds: int) -> float:
    """The p99, in milliseconds, of *raw* arriving at *port*; raises Wrong when an arrival is not answered with 200."""
    with tempfile.NamedTemporaryFile(prefix="hashcache-bench-") as request:
        request.write(raw)
        request.flush()
        words = [str(port), str(rate), str(seconds), request.name]
        command = pinned(cores.load, [sys.executable, "-m", "loadtests.compare.arrivals", *words])
        ended = subprocess.run(  # noqa: S603  # ours
            command,
            env=inherited() | {"PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=False,
            timeout=seconds + 60,
        )
    if ended.returncode:
        raise Wrong(f"the open loop ended with {ended.returncode}: {ended.stderr[-2000:]}")
    told = json.loads(ended.stdout)
    if told["failed"]:
        raise Wrong(f"{told['failed']} arrivals of {told['failed'] + told['answered']} were not answered with 200")
    return float(told["p99"])
