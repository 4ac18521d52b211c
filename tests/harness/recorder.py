"""A server on loopback that keeps each request byte for byte, for tests that compare what two callers send."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field


@dataclass
class Recorder:
    """*url* takes calls, and answers each with *reply* (JSON); *heads* and *bodies* are those of its requests."""

    reply: bytes
    url: str = ""
    heads: list[bytes] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)

    def last(self, *, without: set[str]) -> tuple[bytes, frozenset[bytes], bytes]:
        """
        The last request, such that equal ones compare equal: its first line, its header fields but those named in
        *without* (lower case), its body; the boundary of a multipart body is replaced by one of ours.
        """
        head, body = self.heads[-1], self.bodies[-1]
        boundary = re.search(rb"boundary=(\S+)", head)
        if boundary is not None:
            head, body = head.replace(boundary[1], b"BOUNDARY"), body.replace(boundary[1], b"BOUNDARY")
        first, *fields = head.removesuffix(b"\r\n\r\n").split(b"\r\n")
        kept = (line for line in fields if line.partition(b":")[0].decode().lower() not in without)
        return first, frozenset(kept), body


@asynccontextmanager
async def recording(reply: bytes) -> AsyncIterator[Recorder]:
    """A Recorder that listens until the end of the block."""
    recorder = Recorder(reply)
    serving: dict[asyncio.Task[None], asyncio.StreamWriter] = {}

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        serving[task] = writer
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = re.search(rb"(?i)\r\ncontent-length: (\d+)\r\n", head)
                recorder.heads.append(head)
                recorder.bodies.append(await reader.readexactly(int(length[1]) if length else 0))
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(reply) + reply)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()
            del serving[task]

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        recorder.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        yield recorder
    for writer in serving.values():
        writer.close()  # its handler reads the end then
    await asyncio.gather(*serving)
