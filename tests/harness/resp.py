"""
The wire of Redis, read as it passes: where a request or a reply ends, and which reply answers which request.

Rule 1: a frame is a whole top-level value of RESP2 or RESP3 (https://valkey.io/topics/protocol/), however the bytes
        arrive; an attribute belongs to the value after it. Each byte is looked at once.
Rule 2: replies come in the order of the requests. SUBSCRIBE and its kin are answered once per channel.
Rule 3: what a server says unasked (a message, an invalidation) is a push, and no reply.

It does not know inline requests, streamed values, CLIENT REPLY OFF or SKIP, MONITOR, and replication.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

#: So many words of a frame are kept, each cut to so many bytes: to match commands by, not to hold values.
WORDS, WORD_BYTES = 1024, 256

_LINES = b"+-:_#,("
_BULKS = b"$=!"
_ARRAYS = b"*~>"
#: What is answered once per channel: what it begins, and what it ends.
_SUBSCRIBING = {b"SUBSCRIBE": "channel", b"PSUBSCRIBE": "pattern", b"SSUBSCRIBE": "shard"}
_LEAVING = {b"UNSUBSCRIBE": "channel", b"PUNSUBSCRIBE": "pattern", b"SUNSUBSCRIBE": "shard"}
_CONFIRMING = {**_SUBSCRIBING, **_LEAVING}
_MESSAGES = frozenset({b"MESSAGE", b"PMESSAGE", b"SMESSAGE"})


class NotRespError(ValueError):
    """These bytes are no RESP: TLS, perhaps, or HTTP."""


@dataclass(frozen=True, slots=True)
class Frame:
    """A whole value: its bytes, the type byte of its top level, and its words (the leaves, from the first on)."""

    content: bytes
    kind: int
    words: tuple[bytes, ...]


class Frames:
    """Cuts one direction of a connection into frames."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._at = 0
        self._bulk: int | None = None
        self._missing: list[int] = []
        self._words: list[bytes] = []

    @property
    def rest(self) -> bytes:
        """The bytes of a frame that is not whole yet."""
        return bytes(self._buffer)

    def feed(self, chunk: bytes) -> list[Frame]:
        """
        The frames that *chunk* completes.

        Raises:
            NotRespError: nothing can be said of this direction any more; *rest* has what no call has returned.
        """
        self._buffer += chunk
        frames: list[Frame] = []
        begin = 0
        while self._value():
            if self._missing:
                continue
            frames.append(Frame(bytes(self._buffer[begin : self._at]), self._buffer[begin], tuple(self._words)))
            self._words.clear()
            begin = self._at
        del self._buffer[:begin]
        self._at -= begin
        return frames

    def _value(self) -> bool:
        """Go past one head or one bulk; False: its bytes are not all here."""
        if self._bulk is not None:
            return self._bulk_string(self._bulk)
        end = self._buffer.find(b"\r\n", self._at)
        if self._at < len(self._buffer) and self._buffer[self._at] not in _LINES + _BULKS + _ARRAYS + b"%|":
            raise NotRespError(f"no type of RESP: {self._buffer[self._at]:#x}")
        if end < 0:
            return False
        kind, line = self._buffer[self._at], bytes(self._buffer[self._at + 1 : end])
        if kind in _LINES:
            self._leaf(line)
        else:
            try:
                size = int(line)
            except ValueError as error:
                raise NotRespError(f"no length: {line[:20]!r}") from error
            self._head(kind, size)
        self._at = end + 2
        return True

    def _head(self, kind: int, size: int) -> None:
        if kind in _BULKS and size >= 0:
            self._bulk = size
            self._missing.append(1)
            return
        # An attribute is followed by the value that it belongs to; a map has two values an entry.
        count = 2 * size + 1 if kind in b"|" else 2 * size if kind in b"%" else size
        if kind in _BULKS or count <= 0:
            self._leaf(b"")
        else:
            self._missing.append(count)

    def _bulk_string(self, size: int) -> bool:
        if len(self._buffer) < self._at + size + 2:
            return False
        word = bytes(self._buffer[self._at : self._at + min(size, WORD_BYTES)])
        self._at += size + 2
        self._bulk = None
        self._missing.pop()
        self._leaf(word)
        return True

    def _leaf(self, word: bytes) -> None:
        if len(self._words) < WORDS:
            self._words.append(word[:WORD_BYTES])
        while self._missing:
            self._missing[-1] -= 1
            if self._missing[-1]:
                return
            self._missing.pop()


@dataclass(slots=True)
class _Awaited:
    """A request that reached the server, and how many frames will answer it."""

    words: tuple[bytes, ...]
    frames: int


class Conversation:
    """What one connection has asked and is still to be told."""

    def __init__(self) -> None:
        self._awaited: deque[_Awaited] = deque()
        self._channels: dict[str, set[bytes]] = {kind: set() for kind in _SUBSCRIBING.values()}

    @property
    def subscribed(self) -> bool:
        """It has asked for messages of some channel."""
        return any(self._channels.values())

    def ask(self, words: tuple[bytes, ...]) -> None:
        """A request with these *words* goes to the server."""
        command = words[0].upper() if words else b""
        self._awaited.append(_Awaited(words, self._confirmations(command, words[1:])))

    def hear(self, frame: Frame) -> tuple[tuple[bytes, ...], bool]:
        """The words of the request that *frame* answers, and True; of a push, its own words, and False."""
        first = frame.words[0].upper() if frame.words else b""
        awaited = self._awaited[0] if self._awaited else None
        confirms = awaited is not None and bool(awaited.words) and awaited.words[0].upper() == first
        if frame.kind in b">" or (first in _MESSAGES and frame.kind in b"*" and self._listens):
            if not (first in _CONFIRMING and confirms):
                return frame.words, False
        elif frame.kind in b"*" and first in _CONFIRMING and not confirms:
            return frame.words, False
        if awaited is None:
            return (), True
        awaited.frames = 0 if frame.kind in b"-!" else awaited.frames - 1
        if awaited.frames <= 0:
            self._awaited.popleft()
        return awaited.words, True

    @property
    def _listens(self) -> bool:
        """A message may come: also between the request to unsubscribe and its confirmation."""
        return self.subscribed or any(one.words[:1] and one.words[0].upper() in _LEAVING for one in self._awaited)

    def _confirmations(self, command: bytes, named: tuple[bytes, ...]) -> int:
        """How many frames answer *command*; notes what is subscribed."""
        if command not in _CONFIRMING:
            return 1
        channels = self._channels[_CONFIRMING[command]]
        if command in _SUBSCRIBING:
            channels.update(named)
            return len(named)
        frames = max(1, len(named or channels))
        channels.difference_update(named or set(channels))
        return frames


def request(*words: bytes) -> bytes:
    """A request as clients write it."""
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in words)
