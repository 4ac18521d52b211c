"""
A steady load of GETs on a Redis server, as a process of its own: `python -m tests.prove.gets PORT KEYS`.

It runs until its standard input ends, then prints a JSON array: how long each GET took, in milliseconds.

Rule: one GET every PAUSE seconds, whatever happens. A GET that takes longer has kept others from being sent: they are
counted as well, with the time that each would have taken (as HdrHistogram corrects coordinated omission).
"""

from __future__ import annotations

import json
import random
import select
import socket
import sys
from time import monotonic, sleep

PAUSE = 0.002


def name(number: int) -> str:
    """The name of one of the keys that are asked for."""
    return f"load:{number}"


def run(port: int, keys: int) -> list[float]:
    """Ask until standard input ends."""
    took: list[float] = []
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        while not select.select([sys.stdin], [], [], 0)[0]:
            key = name(random.randrange(keys))  # noqa: S311 - a load, no secret
            asked = f"*2\r\n$3\r\nGET\r\n${len(key)}\r\n{key}\r\n".encode()
            began = monotonic()
            connection.sendall(asked)
            assert connection.recv(65536).startswith(b"$")
            left = monotonic() - began
            sleep(max(0.0, PAUSE - left))
            while left > 0:
                took.append(left * 1000)
                left -= PAUSE
    return took


if __name__ == "__main__":
    print(json.dumps(run(int(sys.argv[1]), int(sys.argv[2]))))  # noqa: T201 - what it is for
