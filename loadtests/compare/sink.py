"""
What the load generator really sends, taken in by a server that knows what it should be: byte for byte, or no figures.

Rule: requests of one file have one size and are not pipelined, so each connection brings blocks of that size, each of
      which is one of the requests. What is cut off when the burst ends is not looked at.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from loadtests.compare.running import Wrong

_ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"


class Sink:
    """Listens on *port* of loopback for *requests*, which have one size. Made by `sink`."""

    def __init__(self, requests: frozenset[bytes]) -> None:
        self._requests = requests
        self._size = len(next(iter(requests)))
        self._listening = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = int(self._listening.getsockname()[1])
        self._count = self._foreign = 0
        self._noting = threading.Lock()

    def verdict(self) -> int:
        """How many arrived; raises Wrong when there was none, or one that is not among the requests."""
        if self._foreign:
            raise Wrong(f"of {self._count} requests that were sent {self._foreign} are not those that were meant")
        if not self._count:
            raise Wrong(f"no request of {self._size} bytes arrived whole")
        return self._count

    def accept(self) -> None:
        """Serve until the sink is closed."""
        with suppress(OSError):
            while True:
                line, _ = self._listening.accept()
                threading.Thread(target=self._serve, args=(line,), daemon=True).start()

    def close(self) -> None:
        """Take no more connections."""
        with suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()

    def _serve(self, line: socket.socket) -> None:
        with line, suppress(OSError):
            while (block := self._block(line)) is not None:
                with self._noting:
                    self._count += 1
                    self._foreign += block not in self._requests
                line.sendall(_ANSWER)

    def _block(self, line: socket.socket) -> bytes | None:
        held = bytearray(self._size)
        view, at = memoryview(held), 0
        while at < self._size:
            got = line.recv_into(view[at:])
            if not got:
                return None
            at += got
        return bytes(held)


@contextmanager
def sink(requests: frozenset[bytes]) -> Iterator[Sink]:
    """A sink for *requests*, as long as this lasts."""
    here = Sink(requests)
    serving = threading.Thread(target=here.accept)
    serving.start()
    try:
        yield here
    finally:
        here.close()
        serving.join()
