"""
A slow, priced vendor on loopback, with a ledger: what `generic` calls in a load test.

Rule 1: standard library only, so that it runs wherever Python does.
Rule 2: a call is booked when its picture has arrived, before the answer: that is what vendors bill.

`python -m loadtests.provider` prints one line of JSON with its `url` and `ledger`, and runs until it is ended.
POST url (multipart, one file) answers `{"score": ..., "version": ...}`; GET ledger answers
`{"calls": ..., "contents": ..., "price_usd": ...}`.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import threading
import time
from collections import Counter
from decimal import Decimal
from email.parser import BytesParser
from email.policy import HTTP
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Vendor(ThreadingHTTPServer):
    """Takes *delay* seconds and *price* dollars for each call."""

    daemon_threads = True
    request_queue_size = 256

    def __init__(self, port: int, *, delay: float, price: Decimal) -> None:
        super().__init__(("127.0.0.1", port), Call)
        self.delay = delay
        self.price = price
        self._by_digest: Counter[str] = Counter()
        self._lock = threading.Lock()

    @property
    def origin(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.server_address[1]}"

    def book(self, content: bytes) -> float:
        """One more call about *content*; its score, told by its digest."""
        digest = hashlib.sha256(content)
        with self._lock:
            self._by_digest[digest.hexdigest()] += 1
        return digest.digest()[0] / 255

    def ledger(self) -> dict[str, object]:
        """What was called so far."""
        with self._lock:
            calls, contents = self._by_digest.total(), len(self._by_digest)
        return {"calls": calls, "contents": contents, "price_usd": str(self.price)}


class Call(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    server: Vendor

    def do_POST(self) -> None:
        """Analyse."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        head = f"Content-Type: {self.headers['Content-Type']}\r\n\r\n".encode()
        parts = BytesParser(policy=HTTP).parsebytes(head + body).iter_parts()
        content = next(part.get_payload(decode=True) for part in parts if part.get_filename())
        score = self.server.book(bytes(content))
        time.sleep(self.server.delay)
        self._answer({"score": score, "version": "load-1"})

    def do_GET(self) -> None:
        """The ledger."""
        self._answer(self.server.ledger())

    def _answer(self, document: dict[str, object]) -> None:
        raw = json.dumps(document).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)

    def log_message(self, *_: object) -> None:
        """Say nothing: the ledger tells it all."""


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m loadtests.provider", description="A slow, priced vendor.")
    parser.add_argument("--port", type=int, default=0, help="0: any free one")
    parser.add_argument("--delay", type=float, default=0.2, help="seconds a call takes")
    parser.add_argument("--price", type=Decimal, default=Decimal("0.01"), help="US dollars a call costs")
    chosen = parser.parse_args()
    with Vendor(chosen.port, delay=chosen.delay, price=chosen.price) as vendor:
        print(json.dumps({"url": f"{vendor.origin}/analyse", "ledger": f"{vendor.origin}/ledger"}), flush=True)
        vendor.serve_forever()


if __name__ == "__main__":
    main()
