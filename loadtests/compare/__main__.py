"""
Side by side with what a user would pick instead: `make bench`, or `python -m loadtests.compare`.

Rule 1: everything is on loopback, on two cores: one serves, one loads.
Rule 2: contenders run at the same time and are loaded in turn, round by round, each warmed before.
Rule 3: a wrong answer ends the run: there is no figure for it.
Rule 4: exit code 0: measured (whatever the figures say); 1: somebody answered wrongly; 2: it could not be tried here.
"""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType

from loadtests.compare import machine, wrk
from loadtests.compare.cells import CONTENDERS, SIZES
from loadtests.compare.library.__main__ import main as library
from loadtests.compare.published import PUBLISHED, publish
from loadtests.compare.report import render
from loadtests.compare.results import Results
from loadtests.compare.run import Plan, measure
from loadtests.compare.running import CannotTry, Wrong


def main(arguments: Sequence[str]) -> int:
    """The command line; returns the exit code."""
    if "--library" in arguments:
        return library([one for one in arguments if one != "--library"])
    chosen = _parser().parse_args(arguments)
    plan = Plan(
        rounds=2 if chosen.quick and chosen.rounds is None else chosen.rounds or 5,
        seconds=1 if chosen.quick and chosen.seconds is None else chosen.seconds or 3,
        sizes=chosen.sizes,
        only=tuple(chosen.only or CONTENDERS),
    )
    signal.signal(signal.SIGTERM, _asked_to_end)
    results = Results()
    try:
        wrk.require()
        facts = [("commit", machine.commit()), ("measured", f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC")]
        facts += machine.described()
        facts.append(("run", f"{plan.rounds} rounds, {plan.seconds} s each, {wrk.CONNECTIONS} connections"))
        measure(plan, machine.cores(), results)
    except CannotTry as reason:
        print(f"bench: {reason}", file=sys.stderr)
        return 2
    except Wrong as reason:
        print(f"bench: no figures, because of a wrong answer: {reason}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("bench: interrupted; everything that was started has ended", file=sys.stderr)
        return 130
    told = render(results, facts)
    place = chosen.output or Path("bench-results") / f"{datetime.now(UTC):%Y-%m-%d-%H%M}-{facts[0][1]}.md"
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(f"# Benchmark\n\n{told}", "utf-8")
    if chosen.publish:
        publish(PUBLISHED, told)
    print(f"\n{told}\nwritten to {place}{f' and {PUBLISHED}' if chosen.publish else ''}")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m loadtests.compare",
        description="hashcache side by side with what one would write instead, on this machine.",
        epilog="contenders: " + "; ".join(f"{name} ({one.shown})" for name, one in CONTENDERS.items()),
    )
    parser.add_argument("--library", action="store_true", help="the library instead, beside cashews and aiocache")
    parser.add_argument("--rounds", type=_positive, help="how often each is measured [5]")
    parser.add_argument("--seconds", type=_positive, help="for how long each time, in whole seconds [3]")
    parser.add_argument("--sizes", type=_sizes, default=tuple(SIZES), help=f"a list such as {','.join(SIZES)} [all]")
    parser.add_argument("--only", action="append", choices=CONTENDERS, help="this contender; may be repeated")
    parser.add_argument("--quick", action="store_true", help="two rounds of a second: shows that it works")
    parser.add_argument("--output", type=Path, help="the file to write [bench-results/<date>-<commit>.md]")
    parser.add_argument("--publish", action="store_true", help="also replace the results in docs/benchmarks.md")
    return parser


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("at least 1")
    return number


def _sizes(text: str) -> tuple[str, ...]:
    named = tuple(text.split(","))
    if not set(named) <= set(SIZES):
        raise argparse.ArgumentTypeError(f"sizes are {', '.join(SIZES)}")
    return tuple(size for size in SIZES if size in named)


def _asked_to_end(number: int, frame: FrameType | None) -> None:
    del number, frame
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
