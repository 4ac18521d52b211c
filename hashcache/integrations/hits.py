"""
The short way of a hit: near memory, or one read of the store by whoever asks, without a flight of its own.

    A: look ......... hit, or missing -> flight
       B, C: meanwhile -> flight, shared, which reads once for both

Rule 1: it is for types of which a hit sets nothing going (`Type.plain`); all others ask the engine at once.
Rule 2: of those who ask for one key at the same moment only the first looks by himself: a herd costs the store two
        reads, however large it is.
Rule 3: nobody waits for a look but its caller, so one who leaves takes nobody along.
"""

from __future__ import annotations

from hashcache.core.key import Key
from hashcache.core.outcome import Outcome
from hashcache.engine.cache import Cache as Engine
from hashcache.engine.cache import Found

#: Nothing is known: nobody looked.
UNKNOWN = Found(None, pending=False)


class Hits:
    """Hits of *engine*."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._looking: set[Key] = set()

    def near(self, key: Key) -> Outcome | None:
        """The fresh answer of *key* that near memory may give."""
        return self._engine.glance((key,))

    async def look(self, key: Key) -> Found:
        """What the store has of *key*; UNKNOWN, when others ask just now: they are to be joined."""
        if key in self._looking or self._engine.flights.find(key) is not None:
            return UNKNOWN
        self._looking.add(key)
        try:
            return await self._engine.look((key,))
        finally:
            self._looking.discard(key)
