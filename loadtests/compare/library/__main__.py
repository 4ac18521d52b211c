"""
The library side by side with cashews and aiocache, on one Redis: `python -m loadtests.compare.library`, or
`make bench BENCH=--library`.

Rule: exit code 0: measured, whatever the figures say; 1: somebody answered wrongly; 2: it could not be tried here.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from loadtests.compare import machine
from loadtests.compare.library.report import render
from loadtests.compare.library.run import Plan, Results, measure
from loadtests.compare.published import PUBLISHED, publish
from loadtests.compare.running import CannotTry, Wrong

#: Below this line of docs/benchmarks.md the figures of the library stand.
HEADING = "## Results of the library"


def main(arguments: Sequence[str]) -> int:
    """The command line; returns the exit code."""
    chosen = _parser().parse_args(arguments)
    plan = Plan(2, 0.3, 3) if chosen.quick else Plan(chosen.rounds, chosen.seconds, 20)
    results = Results()
    facts = [("commit", machine.commit()), ("measured", f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC")]
    facts += [fact for fact in machine.described() if fact[0] != "nginx"]
    facts += [(name, version(name)) for name in ("cashews", "aiocache", "redis")]
    facts.append(("run", f"{plan.rounds} rounds of {plan.seconds:g} s, {plan.stampede} stampedes, uvloop"))
    try:
        measure(plan, machine.cores(), results)
    except CannotTry as reason:
        print(f"bench: {reason}", file=sys.stderr)
        return 2
    except Wrong as reason:
        print(f"bench: no figures, because of a wrong answer: {reason}", file=sys.stderr)
        return 1
    told = render(results, facts)
    place = chosen.output or Path("bench-results") / f"{datetime.now(UTC):%Y-%m-%d-%H%M}-{facts[0][1]}-library.md"
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(f"# Benchmark of the library\n\n{told}", "utf-8")
    if chosen.publish:
        publish(PUBLISHED, told, HEADING)
    print(f"\n{told}\nwritten to {place}")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m loadtests.compare.library",
        description="hashcache's library side by side with cashews and aiocache, on this machine.",
    )
    parser.add_argument("--rounds", type=int, default=15, help="how often each is measured [15]")
    parser.add_argument("--seconds", type=float, default=0.5, help="for how long each time [0.5]")
    parser.add_argument("--quick", action="store_true", help="two rounds of a moment: shows that it works")
    parser.add_argument("--output", type=Path, help="the file to write [bench-results/<date>-<commit>-library.md]")
    parser.add_argument(
        "--publish", action="store_true", help="also replace the library's results in docs/benchmarks.md"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
