"""
An open loop: requests that arrive at a fixed rate, whether or not earlier ones were answered.

Rule 1: a latency counts from the instant at which the request was due, so that a stall is felt by all who came in it.
Rule 2: it never sleeps: it looks at its sockets and at the clock in turn, on a core of its own.

`python -m loadtests.compare.arrivals PORT RATE SECONDS FILE` sends what is in FILE and prints one line of JSON: how
many were `answered` with 200, how many were not (`failed`), `p50` and `p99` in milliseconds.
"""

from __future__ import annotations

import json
import select
import socket
import sys
from collections import deque
from pathlib import Path
from time import perf_counter

from loadtests.compare.figures import percentile

CONNECTIONS = 16
#: How long after the last arrival answers are waited for, in seconds.
PATIENCE = 5.0


class Loop:
    """*raw* sent to *port* over CONNECTIONS connections; *latencies* in seconds, and how many *failed*."""

    def __init__(self, port: int, raw: bytes) -> None:
        self._raw = raw
        self._sockets = [socket.create_connection(("127.0.0.1", port)) for _ in range(CONNECTIONS)]
        self._poll = select.epoll()
        for one in self._sockets:
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._poll.register(one, select.EPOLLIN)
        self._by_number = {one.fileno(): one for one in self._sockets}
        self._idle = deque(self._by_number)
        self._due: dict[int, float] = {}
        self._got: dict[int, bytes] = {}
        self.latencies: list[float] = []
        self.failed = 0

    def run(self, rate: float, seconds: float) -> None:
        """Let *rate* requests a second arrive for *seconds*, and wait for their answers."""
        count, sent = int(rate * seconds), 0
        began = perf_counter()
        while len(self.latencies) + self.failed < count:
            now = perf_counter() - began
            while sent < count and self._idle and sent / rate <= now:
                self._send(began + sent / rate)
                sent += 1
            if now > seconds + PATIENCE:
                self.failed += count - len(self.latencies) - self.failed
            for number, _ in self._poll.poll(0):
                self._read(number)

    def close(self) -> None:
        """Hang up."""
        self._poll.close()
        for one in self._sockets:
            one.close()

    def _send(self, due: float) -> None:
        number = self._idle.popleft()
        self._due[number], self._got[number] = due, b""
        self._by_number[number].sendall(self._raw)

    def _read(self, number: int) -> None:
        piece = self._by_number[number].recv(65536)
        if not piece:
            raise ConnectionError("the server closed a connection")
        got = self._got[number] = self._got[number] + piece
        head, end, body = got.partition(b"\r\n\r\n")
        if not end or len(body) < _length(head):
            return
        if head.startswith(b"HTTP/1.1 200 "):
            self.latencies.append(perf_counter() - self._due[number])
        else:
            self.failed += 1
        self._idle.append(number)


def _length(head: bytes) -> int:
    found = head.lower().partition(b"content-length:")[2]
    return int(found.partition(b"\r\n")[0] or 0)


def main(arguments: list[str]) -> None:
    """The command line."""
    port, rate, seconds, file = int(arguments[0]), float(arguments[1]), float(arguments[2]), Path(arguments[3])
    loop = Loop(port, file.read_bytes())
    try:
        loop.run(rate, seconds)
    finally:
        loop.close()
    told: dict[str, float] = {"answered": len(loop.latencies), "failed": loop.failed}
    told |= {name: 1000 * percentile(loop.latencies, share) for name, share in (("p50", 0.5), ("p99", 0.99))}
    print(json.dumps(told))


if __name__ == "__main__":
    main(sys.argv[1:])
