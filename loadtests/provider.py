"""
Vendors on this machine, which bill in play money: what a service buys from when nobody should pay.

    python -m loadtests.provider | tee -a .env     # in one terminal
    hashcache serve                                # in another

It speaks the dialects of sightengine, hive (V3), aiornot, gptzero and reality_defender, and of an API that `generic`
calls, each below its own name on one address; tells on its output which settings point hashcache there; and keeps a
ledger of what it billed, so that whatever was paid twice can be seen (GET /ledger).

Rule 1: it listens on this machine only, unless it is told otherwise: it has keys that the whole world knows.
Rule 2: it takes no part in hashcache: what it bills it counts by itself.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import signal

from loadtests.dialects import aiornot, generic, gptzero, hive, sightengine
from loadtests.dialects.reality_defender import RealityDefender
from loadtests.loopback import is_loopback
from loadtests.vendor.books import dollars, micro_dollars
from loadtests.vendor.dialect import Dialect
from loadtests.vendor.vendors import Vendors
from loadtests.vendor.weather import DENIALS, Weather


def dialects(*, unfinished: int = 0) -> dict[str, Dialect]:
    """All vendors by name; a result of reality_defender is asked for in vain *unfinished* times."""
    all_of_them: list[Dialect] = [sightengine, hive, aiornot, gptzero, RealityDefender(unfinished), generic]
    return {dialect.NAME: dialect for dialect in all_of_them}


def main() -> None:
    """The command line: 0 when it was asked to end, 2 when it could not begin."""
    parser = _parser()
    chosen = parser.parse_args()
    if not is_loopback(chosen.host) and not chosen.exposed:
        parser.error(f"{chosen.host} is not on this machine; its keys are known to everybody: add --exposed to mean it")
    try:
        asyncio.run(_run(chosen))
    except OSError as error:
        parser.error(f"cannot listen on {chosen.host}, port {chosen.port}: {error.strerror}")


async def _run(chosen: argparse.Namespace) -> None:
    """Serve until SIGTERM or SIGINT."""
    spoken = dialects(unfinished=chosen.unfinished)
    weather = Weather(
        delay=chosen.delay,
        slowest=chosen.slowest,
        rate=chosen.rate,
        window=chosen.window,
        failing=chosen.failing,
        losing=chosen.losing,
        denial=chosen.deny,
        credit=chosen.credit,
    )
    vendors = Vendors(spoken.values(), weather=weather, prices=dict(chosen.price), seed=chosen.seed)
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    await vendors.start(chosen.port, chosen.host)
    told = _as_json(vendors) if chosen.json else _as_settings(vendors, spoken)
    print(told, flush=True)
    await ended.wait()
    await vendors.stop()


def _as_json(vendors: Vendors) -> str:
    """One line: the `ledger` of all, and of each vendor its own `ledger` and the `settings`."""
    each = {
        name: {"ledger": f"{vendors.origin}/{name}/ledger", "settings": vendors.settings(name)}
        for name in vendors.accounts
    }
    return json.dumps({"ledger": f"{vendors.origin}/ledger", "vendors": each})


def _as_settings(vendors: Vendors, spoken: dict[str, Dialect]) -> str:
    """The lines of a `.env` file."""
    lines = [
        f"# Vendors on {vendors.origin}, until Ctrl-C; what they billed: {vendors.origin}/ledger",
        "# In order of fallback; leave out those that you do not want:",
        f"HASHCACHE_PROVIDER={','.join(vendors.accounts)}",
    ]
    for name, account in vendors.accounts.items():
        lines.append(f"# {name}: {', '.join(spoken[name].KINDS)}; ${dollars(account.price)} one {account.unit}")
        lines += [f"{variable}={value}" for variable, value in vendors.settings(name).items()]
    return "\n".join(lines)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m loadtests.provider",
        description="Vendors on this machine, which bill in play money. Prints the settings that point hashcache "
        "there, as lines of a .env file; GET /ledger tells what they billed. Ends on Ctrl-C.",
    )
    add = parser.add_argument
    add("--host", default="127.0.0.1", help="where to listen (default: %(default)s)")
    add("--port", type=int, default=0, help="0: any free one (default)")
    add("--exposed", action="store_true", help="listen on another address than loopback, too")
    add("--json", action="store_true", help="print one line of JSON instead: the ledgers and each vendor's settings")
    add(
        "--price", type=_price, action="append", default=[], metavar="VENDOR=USD", help="of one unit, such as hive=0.01"
    )
    add("--delay", type=_seconds, default=0.2, metavar="SECONDS", help="a purchase takes (default: %(default)s)")
    add("--slowest", type=_seconds, default=0.0, metavar="SECONDS", help="it takes anything between --delay and this")
    add("--rate", type=_count, metavar="CALLS", help="each vendor lets in so many a window; others: 429, Retry-After")
    add("--window", type=_seconds, default=1.0, metavar="SECONDS", help="of --rate (default: %(default)s)")
    add("--failing", type=_share, default=0.0, metavar="SHARE", help="of calls are answered 500, and not billed")
    add("--losing", type=_share, default=0.0, metavar="SHARE", help="of purchases are billed, and never answered")
    add("--deny", type=int, choices=DENIALS, help="refuse the account, whoever calls")
    add("--credit", type=_usd, metavar="USD", help="once a vendor has billed so much: 402")
    add("--unfinished", type=_count, default=0, metavar="TIMES", help="a scan of reality_defender is asked for in vain")
    add("--seed", type=int, default=0, help="what chances are drawn from (default: %(default)s)")
    return parser


def _price(text: str) -> tuple[str, int]:
    name, _, usd = text.partition("=")
    if name not in dialects():
        raise argparse.ArgumentTypeError(f"{name!r} is none of {', '.join(dialects())}")
    return name, _usd(usd)


def _usd(text: str) -> int:
    try:
        return micro_dollars(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _seconds(text: str) -> float:
    return _between(text, 0, 3600, "seconds")


def _share(text: str) -> float:
    return _between(text, 0, 1, "a share within 0 and 1")


def _count(text: str) -> int:
    number = _between(text, 0, 1_000_000, "a whole number")
    if number != int(number):
        raise argparse.ArgumentTypeError(f"{text} is not a whole number")
    return int(number)


def _between(text: str, least: float, most: float, what: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = float("nan")
    if not least <= number <= most:
        raise argparse.ArgumentTypeError(f"{text!r} is not {what}, {least} to {most}")
    return number


if __name__ == "__main__":
    main()
