"""
One connection through a proxy: reads ahead on both sides, and passes on what the faults let pass.

Rule 1: each direction has a reader, which cuts pieces, and a deliverer, which asks the faults about each piece at the
        moment of delivery. So latency is no bandwidth: pieces wait side by side, in order.
Rule 2: an end is passed on as it came: FIN as FIN behind all pieces, RST as RST at once. Not in half-open connections.
Rule 3: what is over is closed on both sides, and no task is left.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from contextlib import suppress
from dataclasses import dataclass

from tests.harness.faults import Faults, HalfOpen, Side, Then, Words
from tests.harness.resp import Conversation, Frame, Frames, NotRespError
from tests.harness.tally import Notice, Tally

READ_BYTES = 65536
#: Pieces read ahead; past these the sender feels the pressure.
AHEAD = 256
_LINGER_NOT = struct.pack("ii", 1, 0)


def reset_on_close(connection: socket.socket) -> None:
    """Let the close of *connection* be a RST (SO_LINGER with no time)."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_NOT)


@dataclass(frozen=True, slots=True)
class _Piece:
    """Bytes to pass on (none: the end), when they came (the loop's seconds), what they are about if RESP says so."""

    content: bytes
    came: float
    words: Words | None = None
    answers: bool = False


class Relay:
    """Between *client*, an accepted socket, and (*host*, *port*). `run` it as a task; `end` it at any moment."""

    def __init__(self, number: int, faults: Faults, shifted: Notice, tally: Tally) -> None:
        self.number = number
        self._faults = faults
        self._shifted = shifted
        self._tally = tally
        self._conversation = Conversation()
        self._writers: list[asyncio.StreamWriter] = []
        self._task: asyncio.Task[None] | None = None
        self._ended = False

    @property
    def subscribed(self) -> bool:
        """It has asked the server for messages of some channel."""
        return self._conversation.subscribed

    async def run(self, client: socket.socket, host: str, port: int) -> None:
        """Until both sides have ended, or one has failed, or `end`."""
        if self._ended:
            reset_on_close(client)
            client.close()
            return
        self._task = asyncio.current_task()
        self._tally.add("opened")
        self._tally.add("open")
        try:
            from_client, to_client = await asyncio.open_connection(sock=client)
            self._writers.append(to_client)
            from_server, to_server = await asyncio.open_connection(host, port)
            self._writers.append(to_server)
            async with asyncio.TaskGroup() as lanes:
                self._lane(lanes, Side.REQUESTS, from_client, to_server)
                self._lane(lanes, Side.REPLIES, from_server, to_client)
            self._close(reset=False)
        except* OSError:
            self._close(reset=True)
        except* asyncio.CancelledError:
            # By `end`, which has closed the connection as it was asked to; or by the loop's end.
            if not self._ended:
                raise
        finally:
            self._ended = True
            for writer in self._writers:
                with suppress(OSError):
                    await writer.wait_closed()
            client.close()
            self._tally.add("open", -1)

    def end(self, *, reset: bool) -> None:
        """Close both sides, by RST or in order. Safe to call twice; the second time a RST is certain."""
        self._close(reset=reset or self._ended)
        if not self._ended and self._task is not None:
            self._task.cancel()
        self._ended = True

    def _close(self, *, reset: bool) -> None:
        for writer in self._writers:
            if not reset:
                writer.close()
                continue
            with suppress(OSError):
                reset_on_close(writer.get_extra_info("socket"))
            writer.transport.abort()

    def _lane(
        self, lanes: asyncio.TaskGroup, side: Side, source: asyncio.StreamReader, sink: asyncio.StreamWriter
    ) -> None:
        ahead: asyncio.Queue[_Piece] = asyncio.Queue(AHEAD)
        lanes.create_task(self._read(side, source, ahead))
        lanes.create_task(self._deliver(side, ahead, sink))

    async def _read(self, side: Side, source: asyncio.StreamReader, ahead: asyncio.Queue[_Piece]) -> None:
        frames: Frames | None = Frames()
        now = asyncio.get_running_loop().time
        try:
            while chunk := await source.read(READ_BYTES):
                pieces: list[_Piece]
                if frames is None:
                    pieces = [_Piece(chunk, now())]
                else:
                    try:
                        pieces = [self._piece(side, frame, now()) for frame in frames.feed(chunk)]
                    except NotRespError:
                        pieces, frames = [_Piece(frames.rest, now())], None
                for piece in pieces:
                    await ahead.put(piece)
        except ConnectionError:
            await self._shifted.until(lambda: not self._faults.silent(self))
            raise
        if frames is not None and frames.rest:
            await ahead.put(_Piece(frames.rest, now()))
        await ahead.put(_Piece(b"", now()))

    def _piece(self, side: Side, frame: Frame, came: float) -> _Piece:
        if side is Side.REQUESTS:
            self._tally.note_asked(frame.words)
            return _Piece(frame.content, came, frame.words)
        words, answers = self._conversation.hear(frame)
        return _Piece(frame.content, came, words, answers)

    async def _deliver(self, side: Side, ahead: asyncio.Queue[_Piece], sink: asyncio.StreamWriter) -> None:
        while True:
            piece = await ahead.get()
            await self._wait(side, piece)
            if not piece.content:
                await self._shifted.until(lambda: not self._faults.silent(self))
                sink.write_eof()
                return
            if self._faults.silent(self):
                self._tally.add("swallowed", len(piece.content))
                continue
            if side is Side.REPLIES and self._lost(piece):
                continue
            content, ends = self._faults.damaged(side, piece.content, self)
            self._note(side, piece)
            await self._send(side, content, sink)
            if ends:
                self.end(reset=False)
                return

    async def _wait(self, side: Side, piece: _Piece) -> None:
        """Until no delay and no hold keeps *piece* back. A half-open connection keeps nothing back."""
        now = asyncio.get_running_loop().time
        while not self._faults.silent(self):
            if self._faults.holds(side, piece.words or (), self):
                self._tally.add("held")
                try:
                    await self._shifted.next()
                finally:
                    self._tally.add("held", -1)
                continue
            left = piece.came + self._faults.delay(side, self) - now()
            if left <= 0:
                return
            with suppress(TimeoutError):
                async with asyncio.timeout(left):
                    await self._shifted.next()

    def _lost(self, piece: _Piece) -> bool:
        """Whether this reply is to be dropped; what follows from it happens here."""
        if piece.words is None:
            return False
        then = self._faults.dropped(piece.words, self, answers=piece.answers)
        if then is None:
            return False
        self._tally.add("dropped")
        if then is Then.RESET:
            self.end(reset=True)
        elif then is Then.SILENT:
            self._faults.add(HalfOpen(), lambda connection: connection.number == self.number)
        return True

    def _note(self, side: Side, piece: _Piece) -> None:
        if piece.words is None:
            return
        if side is Side.REQUESTS:
            self._conversation.ask(piece.words)
            self._tally.note_served(piece.words)
        else:
            self._tally.add("replies" if piece.answers else "pushes")

    async def _send(self, side: Side, content: bytes, sink: asyncio.StreamWriter) -> None:
        """All of *content*, as fast as it may go: throttled, in slices of a twentieth of a second."""
        at = 0
        while at < len(content):
            rate = self._faults.rate(side, self)
            size = len(content) if rate is None else max(1, rate // 20)
            part = content[at : at + size]
            sink.write(part)
            await sink.drain()
            self._tally.add("request_bytes" if side is Side.REQUESTS else "reply_bytes", len(part))
            at += size
            if rate is not None:
                await asyncio.sleep(len(part) / rate)
