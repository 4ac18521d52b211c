"""
A month of uploads, compressed in time, by users who draw from one plan; ends by itself when the month is over.

    locust -f loadtests/locustfile.py --headless --users 20 --month small \\
        --host http://127.0.0.1:8000 --ledger http://127.0.0.1:9000/ledger

Rule 1: service and ledger are on loopback, or nothing is sent (exit code 2).
Rule 2: the exit code is 1 unless `expectations` are met.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from locust import FastHttpUser, constant, events, task
from locust.argument_parser import LocustArgumentParser
from locust.env import Environment
from locust.exception import StopUser

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # locust runs this file by its path

from loadtests.expectations import Run, read_ledger, shortcomings, summary
from loadtests.loopback import NotLoopback, require_loopback
from loadtests.plan import MONTHS, picture

BOUNDARY = "a-load-test-knows-its-pictures"


@events.init_command_line_parser.add_listener
def _options(parser: LocustArgumentParser) -> None:
    parser.add_argument("--month", choices=sorted(MONTHS), default="small", help="small: 1,000 analyses; large: 10,000")
    parser.add_argument("--ledger", required=True, help="where the vendor on loopback tells what it was paid")


@events.init.add_listener
def _prepare(environment: Environment, **_: object) -> None:
    """Refuse what is not on this machine, before any user exists."""
    options = environment.parsed_options
    try:
        require_loopback(environment.host or "")
        require_loopback(options.ledger)
    except NotLoopback as refused:
        print(refused, file=sys.stderr)
        sys.exit(2)
    MonthUser.remaining = iter(MONTHS[options.month].order())


class MonthUser(FastHttpUser):
    """Uploads the next picture of the month as soon as the last one is answered."""

    wait_time = constant(0)
    remaining: Iterator[int] = iter(())
    busy = 0

    def on_start(self) -> None:
        """One more."""
        MonthUser.busy += 1

    def on_stop(self) -> None:
        """The last one to find nothing left ends the run."""
        MonthUser.busy -= 1
        if not MonthUser.busy and self.environment.runner is not None:
            self.environment.runner.quit()

    @task
    def analyse(self) -> None:
        """POST one picture and look at the answer."""
        number = next(MonthUser.remaining, None)
        if number is None:
            raise StopUser
        body, headers = _upload(picture(number))
        with self.client.post(
            "/api/analyze", data=body, headers=headers, allow_redirects=False, catch_response=True
        ) as response:
            if response.status_code != 200:
                response.failure(f"status {response.status_code}")
            elif response.json().get("success") is not True:
                response.failure("not a success")
            elif response.headers.get("X-Cache") not in {"HIT", "MISS"}:
                response.failure("no X-Cache")
            elif response.json()["cached"] is not (response.headers["X-Cache"] == "HIT"):
                response.failure("X-Cache and `cached` differ")
            else:
                response.success()


def _upload(content: bytes) -> tuple[bytes, dict[str, str]]:
    head = (
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="picture.png"\r\n'
        "Content-Type: image/png\r\n\r\n"
    )
    body = head.encode() + content + f"\r\n--{BOUNDARY}--\r\n".encode()
    return body, {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}


@events.quitting.add_listener
def _judge(environment: Environment, **_: object) -> None:
    """Print what the month cost, and fail the run when it is not what it must be."""
    environment.process_exit_code = 1  # until all is known to be well: locust survives a listener that raises
    options = environment.parsed_options
    total = environment.stats.total
    run = Run(answered=total.num_requests - total.num_failures, failures=total.num_failures)
    try:
        ledger = read_ledger(options.ledger)
    except OSError:
        print("FAILED: the vendor's ledger cannot be read", file=sys.stderr)
        return
    print(summary(run, ledger))
    failed = shortcomings(MONTHS[options.month], run, ledger)
    for sentence in failed:
        print(f"FAILED: {sentence}", file=sys.stderr)
    if not failed:
        environment.process_exit_code = 0
