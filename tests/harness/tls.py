"""
A TLS front for a server that speaks none: decrypts what arrives and passes it on.

It runs on the loop of the test. Its certificates come from an authority made for the purpose.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Self

import trustme


class Authority:
    """Vouches for servers; *file* holds its certificate (PEM)."""

    def __init__(self, folder: Path, name: str = "authority") -> None:
        self._authority = trustme.CA()
        self.file = str(folder / f"{name}.pem")
        self._authority.cert_pem.write_to_path(self.file)

    def context(self, *names: str, until: datetime | None = None) -> ssl.SSLContext:
        """What a server needs to prove, *until* then, that it is each of *names* (host names or addresses)."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._authority.issue_cert(*names, not_after=until).configure_cert(context)
        return context


class TlsFront:
    """Listens on 127.0.0.1 and passes on to *port* there. `received` counts decrypted bytes, `accepted` handshakes."""

    def __init__(self, port: int, context: ssl.SSLContext) -> None:
        self._target = port
        self._context = context
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self.received = 0
        self.accepted = 0

    @property
    def port(self) -> int:
        """Where it listens."""
        assert self._server is not None
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self._context)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._server.close()
        for writer in tuple(self._writers):
            writer.transport.abort()
        await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.accepted += 1
        async with self._kept(writer):
            target_reader, target_writer = await asyncio.open_connection("127.0.0.1", self._target)
            async with self._kept(target_writer):
                onward = asyncio.create_task(self._pass_on(reader, target_writer, counted=True))
                await self._pass_on(target_reader, writer, counted=False)
                onward.cancel()
                await asyncio.wait([onward])

    @asynccontextmanager
    async def _kept(self, writer: asyncio.StreamWriter) -> AsyncIterator[None]:
        self._writers.add(writer)
        try:
            yield
        finally:
            self._writers.discard(writer)
            writer.transport.abort()

    async def _pass_on(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, *, counted: bool) -> None:
        with suppress(OSError):
            while chunk := await source.read(65536):
                self.received += len(chunk) if counted else 0
                sink.write(chunk)
                await sink.drain()
            sink.transport.abort()
