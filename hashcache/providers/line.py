"""
A line to a vendor: one connection, on which one call after another is made in HTTP/1.1, as h11 speaks it.

Rule 1: a line serves one origin: with TLS or without, never first one, then the other.
Rule 2: a line is used again only after a reply that ended as it should, with nothing behind it, within IDLE seconds.
Rule 3: a vendor may answer and hang up before it has read everything: what it answered counts, not that we could not
        go on.
Why not httpx: it does the same on top of h11, with a pool, which loses a place for good when a request is cancelled
while it is given one (encode/httpcore#1093), and in twice the processor time.
"""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterable, Mapping
from time import monotonic

import h11

from hashcache.providers.network import Disconnected, Origin, Stream, connect

#: Seconds an unused connection is kept: less than any server that we know keeps it (gunicorn: 2), since a paid call
#: that meets a closing connection cannot be repeated.
IDLE = 1.5
#: How much of a reply is read at once, and how long its head may be, in bytes.
_READ, _LONGEST_HEAD = 64 * 1024, 100 * 1024


class Line:
    """A line to *origin*, opened when it is first used, within *patience* seconds; with *tls* if that is secure."""

    def __init__(self, origin: Origin, tls: ssl.SSLContext | None, *, patience: float) -> None:
        self.origin = origin
        self._tls = tls
        self._patience = patience
        self._stream: Stream | None = None
        self._http = h11.Connection(h11.CLIENT, max_incomplete_event_size=_LONGEST_HEAD)
        #: Until when another call may be made.
        self._good_until = 0.0

    @property
    def usable(self) -> bool:
        """Whether another call may be made."""
        return monotonic() < self._good_until and self._stream is not None and not self._stream.ends

    @property
    def wrote(self) -> bool:
        """Whether a byte of the last call may have left."""
        return self._stream is not None and self._stream.wrote

    async def ask(self, request: h11.Request, chunks: AsyncIterable[bytes]) -> h11.Response:
        """
        The head of the reply to *request* with the body in *chunks*.

        Raises:
            Disconnected: the vendor cannot be reached, or broke the connection.
            h11.LocalProtocolError: *chunks* is not what *request* promises.
            h11.RemoteProtocolError: what came is no reply.
        """
        stream = self._stream = self._stream or await connect(self.origin, self._tls, within=self._patience)
        stream.wrote = False
        try:
            await self._say(stream, request)
            async for chunk in chunks:
                await self._say(stream, h11.Data(chunk))
            await self._say(stream, h11.EndOfMessage())
        except Disconnected:
            pass  # rule 3: what has come is still to be read
        while not isinstance(event := await self._heard(stream), h11.Response):
            pass  # 1xx: the reply proper is still to come
        return event

    async def read(self, most: int) -> bytes | None:
        """
        The body of the reply as it comes over the wire; None: it has more than *most* bytes, and is not read on.

        Raises:
            Disconnected, h11.RemoteProtocolError: it broke off.
        """
        if self._stream is None:
            raise Disconnected
        body = bytearray()
        while isinstance(event := await self._heard(self._stream), h11.Data):
            body += event.data
            if len(body) > most:
                return None
        if self._http.our_state is self._http.their_state is h11.DONE and not self._http.trailing_data[0]:
            self._http.start_next_cycle()
            self._good_until = monotonic() + IDLE
        return bytes(body)

    def close(self) -> None:
        """Close it; never waits."""
        if self._stream is not None:
            self._stream.close()

    async def _say(self, stream: Stream, event: h11.Request | h11.Data | h11.EndOfMessage) -> None:
        if data := self._http.send(event):
            await stream.write(data)

    async def _heard(self, stream: Stream) -> h11.Event | type[h11.NEED_DATA] | type[h11.PAUSED]:
        """What the vendor says next."""
        while (event := self._http.next_event()) is h11.NEED_DATA:
            self._http.receive_data(await stream.read(_READ))
        return event


def fields(response: h11.Response) -> Mapping[str, str]:
    """The header fields of *response*, by names in lower case; several of a name as one (RFC 9110 section 5.3)."""
    found: dict[str, str] = {}
    for name, value in response.headers:
        key, text = name.decode("ascii"), value.decode("latin-1")
        found[key] = f"{found[key]}, {text}" if key in found else text
    return found


def is_coded(headers: Mapping[str, str]) -> bool:
    """Whether the body under *headers* is compressed, which nobody asked for."""
    return headers.get("content-encoding", "identity").strip().lower() != "identity"
