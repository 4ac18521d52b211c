"""
A paid API on loopback that takes its time: `POST /analyse/<milliseconds>` answers after so many, once the body is here.

`python -m loadtests.compare.vendor PORT` runs until it is ended. It parses nothing and never waits for one call because
of another, so that what is measured beside it is not its own slowness.
"""

from __future__ import annotations

import asyncio
import re
import sys

ANSWER = b'{"score": 0.98, "version": "bench-1"}'
_LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)
_DELAY = re.compile(rb"POST /analyse/(\d+) ")


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """One connection, until its client leaves."""
    try:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            length, delay = _LENGTH.search(head), _DELAY.match(head)
            await reader.readexactly(int(length[1]) if length else 0)
            await asyncio.sleep(int(delay[1]) / 1000 if delay else 0)
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n")
            writer.write(b"Content-Length: %d\r\n\r\n%s" % (len(ANSWER), ANSWER))
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    finally:
        writer.close()


async def main(port: int) -> None:
    """Listen on *port* for ever."""
    server = await asyncio.start_server(serve, "127.0.0.1", port, limit=2**20)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
