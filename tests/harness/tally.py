"""What a proxy has seen, counted, and a way to wait until it has seen something."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Callable

from tests.harness.faults import Words, begins

#: Commands that say little without their second word; counted as CLIENT|SETINFO, as in the server's INFO.
_FAMILIES = frozenset(b"ACL CLIENT CLUSTER COMMAND CONFIG FUNCTION LATENCY MEMORY OBJECT PUBSUB SCRIPT".split())
#: The last so many requests are remembered with their words.
REMEMBERED = 100_000


class Notice:
    """Something has changed; whoever waits looks again."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def tell(self) -> None:
        """Wake all who wait."""
        self._event.set()
        self._event = asyncio.Event()

    async def next(self) -> None:
        """Wait for the next change."""
        await self._event.wait()

    async def until(self, holds: Callable[[], bool]) -> None:
        """Wait until *holds*, looking at each change. Without end: the caller has a deadline."""
        while not holds():
            await self.next()


class Tally:
    """
    Counters of one proxy, since it began.

    Attributes:
        opened, open: connections, ever and now (one whose client left is open until its server knows).
        refused: connections that were accepted and reset at once.
        asked: requests by command that arrived from clients.
        served: requests by command that were passed on: what the server sees.
        replies, pushes: what was passed back.
        dropped: replies and pushes that were swallowed by DropReply.
        swallowed: bytes that vanished into half-open connections.
        request_bytes, reply_bytes: bytes passed on.
        held: pieces that are held at this moment.
    """

    def __init__(self) -> None:
        self.opened = self.open = self.refused = 0
        self.asked: Counter[str] = Counter()
        self.served: Counter[str] = Counter()
        self.replies = self.pushes = self.dropped = self.swallowed = 0
        self.request_bytes = self.reply_bytes = 0
        self.held = 0
        self.changed = Notice()
        self._asked: deque[Words] = deque(maxlen=REMEMBERED)
        self._served: deque[Words] = deque(maxlen=REMEMBERED)

    def times_asked(self, *words: bytes) -> int:
        """Requests beginning with *words* that arrived, of the last REMEMBERED."""
        return sum(begins(one, words) for one in self._asked)

    def times_served(self, *words: bytes) -> int:
        """Requests beginning with *words* that were passed on, of the last REMEMBERED."""
        return sum(begins(one, words) for one in self._served)

    def note_asked(self, words: Words) -> None:
        """A request has arrived."""
        self.asked[_name(words)] += 1
        self._asked.append(words[:4])
        self.changed.tell()

    def note_served(self, words: Words) -> None:
        """A request goes on to the server."""
        self.served[_name(words)] += 1
        self._served.append(words[:4])
        self.changed.tell()

    def add(self, counter: str, by: int = 1) -> None:
        """Count in the attribute called *counter*."""
        setattr(self, counter, getattr(self, counter) + by)
        self.changed.tell()

    def __str__(self) -> str:
        return (
            f"{self.open} of {self.opened} connections open, {self.refused} refused; asked {dict(self.asked)}, "
            f"served {dict(self.served)}; {self.replies} replies, {self.pushes} pushes, {self.dropped} dropped, "
            f"{self.held} held"
        )


def _name(words: Words) -> str:
    command = words[0].upper() if words else b""
    parts = words[:2] if command in _FAMILIES else words[:1]
    return "|".join(part.decode("latin-1").upper() for part in parts)
