"""
One command for a month of load: starts the vendor and the service, sends the month, judges it, ends what it started.

    python -m loadtests.run --month small

Rule 1: everything is on loopback. The store is a SQLite file in a temporary folder; another one is taken from
        HASHCACHE_STORE only when it, too, is on this machine. Its keys have an environment of their own.
Rule 2: nothing else of this machine's configuration reaches the service.
Rule 3: exit code 0: the month is as expected; 1: it is not; 2: it could not be tried.

The service runs under this Python; locust under `--locust` (its package patches the standard library when it is
imported, so it may live in a virtual environment of its own).
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from loadtests.loopback import NotLoopback, require_loopback
from loadtests.plan import MONTHS

ROOT = Path(__file__).resolve().parents[1]
#: Seconds until the service must be up, and until a process that was asked to end must have ended.
UP = 30
DOWN = 30
#: Vendors that take pictures.
VENDORS = ("generic", "sightengine", "hive", "aiornot", "reality_defender")
#: What a service inherits from whoever starts it; all else would be configuration (rule 2).
INHERITED = ("PATH", "HOME", "TMPDIR", "LANG", "LC_ALL", "SYSTEMROOT", "VIRTUAL_ENV")


class CannotTry(Exception):
    """The month could not be tried; the message says why."""


def main(arguments: list[str]) -> int:
    """The command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m loadtests.run", description="A month of load on this machine.")
    parser.add_argument("--month", choices=sorted(MONTHS), default="small")
    parser.add_argument("--vendor", choices=VENDORS, default="generic", help="whom the service pays")
    parser.add_argument("--users", type=int, default=20, help="parallel uploads")
    parser.add_argument("--delay", type=float, default=0.2, help="seconds that the vendor takes")
    parser.add_argument(
        "--locust", default=None, help="locust's command (default: the one beside this Python, or PATH)"
    )
    chosen = parser.parse_args(arguments)
    outside = dict(os.environ)  # noqa: TID251  # handed on to the processes that are started here
    try:
        return run(chosen, outside)
    except (CannotTry, NotLoopback) as reason:
        print(f"load: {reason}", file=sys.stderr)
        return 2


def run(chosen: argparse.Namespace, outside: Mapping[str, str]) -> int:
    """Start, send, judge; the exit code of locust."""
    locust = chosen.locust or find_locust()
    store = local_store(outside.get("HASHCACHE_STORE", ""))
    with ExitStack() as started:
        folder = Path(started.enter_context(tempfile.TemporaryDirectory(prefix="hashcache-load-")))
        plain = {name: outside[name] for name in INHERITED if name in outside} | {"PYTHONPATH": str(ROOT)}
        place = Place(folder, plain)
        vendor = started.enter_context(running(place, "loadtests.provider", "--json", "--delay", str(chosen.delay)))
        told = first_line(vendor, place)["vendors"][chosen.vendor]
        port = free_port()
        place.environment = plain | service_settings(
            chosen.vendor, told["settings"], store or f"sqlite:///{folder / 'hashcache.sqlite3'}"
        )
        service = started.enter_context(running(place, "hashcache", "serve", "--port", str(port)))
        if not is_up(service, port):
            raise CannotTry(f"the service did not start:\n{place.log('hashcache')}")
        command = [
            *(locust, "-f", str(ROOT / "loadtests" / "locustfile.py"), "--headless", "--only-summary"),
            *("--users", str(chosen.users), "--spawn-rate", str(chosen.users), "--month", chosen.month),
            *("--host", f"http://127.0.0.1:{port}", "--ledger", told["ledger"]),
        ]
        return subprocess.run(command, env=plain, cwd=folder, check=False).returncode  # noqa: S603  # ours


def local_store(url: str) -> str:
    """*url*, when that store is on this machine; raises NotLoopback otherwise."""
    return url if not url or url.startswith(("sqlite:///", "memory://")) else require_loopback(url)


def service_settings(vendor: str, settings: Mapping[str, str], store: str) -> dict[str, str]:
    """The service's environment: the *vendor* with its *settings*, entries in *store*, under keys of this run."""
    return {
        "HASHCACHE_ENV": f"load-{secrets.token_hex(4)}",
        "HASHCACHE_PROVIDER": vendor,
        "HASHCACHE_STORE": store,
        **settings,
    }


@dataclass
class Place:
    """Where processes run: a temporary *folder*, which takes their logs, and their *environment*."""

    folder: Path
    environment: Mapping[str, str]

    def log(self, module: str) -> str:
        """The end of what *module* said."""
        return (self.folder / f"{module}.log").read_text(errors="replace")[-4000:]


@contextmanager
def running(place: Place, module: str, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """*module* as a process that is asked to end on the way out, and made to when it does not."""
    with (place.folder / f"{module}.log").open("wb") as log:
        process = subprocess.Popen(  # noqa: S603  # ours
            [sys.executable, "-m", module, *arguments],
            env=dict(place.environment),
            cwd=place.folder,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(DOWN)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def first_line(vendor: subprocess.Popen[bytes], place: Place) -> dict[str, Any]:
    """What the vendor tells of itself as soon as it listens."""
    deadline = time.monotonic() + UP
    while time.monotonic() < deadline and vendor.poll() is None:
        line, end, _ = place.log("loadtests.provider").partition("\n")
        if end:
            return dict(json.loads(line))
        time.sleep(0.05)
    raise CannotTry(f"the vendor did not start:\n{place.log('loadtests.provider')}")


def is_up(service: subprocess.Popen[bytes], port: int) -> bool:
    """Wait until the service answers on *port*; False when it ended or takes longer than UP seconds."""
    deadline = time.monotonic() + UP
    while time.monotonic() < deadline and service.poll() is None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
        try:
            connection.request("GET", "/healthz")
            if connection.getresponse().status == 200:
                return True
        except OSError:
            time.sleep(0.1)
        finally:
            connection.close()
    return False


def find_locust() -> str:
    """Locust's command: beside this Python, or wherever PATH has it."""
    beside = Path(sys.executable).with_name("locust")
    found = str(beside) if beside.exists() else shutil.which("locust")
    if found is None:
        raise CannotTry('locust is not installed: `python -m pip install "locust>=2.47"`, or name it with --locust')
    return found


def free_port() -> int:
    """A port on loopback that nobody uses now."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
