"""
Between entries and the bytes that a store holds under their physical names.

Rule 1: stored bytes are believed only after their envelope verifies; what does not is absent, and counted.
Rule 2: nothing is logged here; `refused` tells how often it happened.
"""

from __future__ import annotations

import struct

from msgspec.structs import replace

from hashcache.core.barrier import Barrier
from hashcache.core.entry import Entry, Head, Instant
from hashcache.core.envelope import IDENTITY, Envelope, identity, peek
from hashcache.core.errors import EntryRefused
from hashcache.core.key import Key, Names

#: Where in a sealed entry its mark lies: sequence and creation, which tell it from a later entry of its key.
MARK_FROM, MARK_TO = 4, IDENTITY
_MARK = struct.Struct(">QQ")


class Sealing:
    """Seals and opens the entries of one environment."""

    def __init__(self, names: Names, envelope: Envelope) -> None:
        self._names = names
        self._envelope = envelope
        self.refused = 0

    def seal(self, entry: Entry) -> bytes | None:
        """*entry* as it is stored; None when its label is longer than any reader accepts: then it cannot be kept."""
        try:
            return self._envelope.seal(entry, self._names.entry(entry.key))
        except EntryRefused:
            return None

    def open(self, key: Key, sealed: bytes | None) -> Entry | None:
        """The entry of *key*; None when nothing is stored, or nothing that verifies."""
        if sealed is None:
            return None
        try:
            return self._envelope.open(sealed, self._names.entry(key), key)
        except EntryRefused:
            self.refused += 1
            return None

    def lives(self, key: Key, sealed: bytes | None, *, now: Instant, barrier: Barrier) -> bool:
        """
        Whether *sealed* is an answer that may be served at *now*: it verifies, is fresh, positive and not forbidden.

        Asked before something else is written there; what does not verify is not counted. Safe in any thread.
        """
        if sealed is None:
            return False
        try:
            entry = self._envelope.open(sealed, self._names.entry(key), key)
        except EntryRefused:
            return False
        return not entry.error and entry.expires > now and not barrier.forbids(entry)

    def head(self, name: str, start: bytes, size: int) -> Head | None:
        """
        What lies under the physical *name*, by its first bytes and its *size* in the store.

        None: a name that is no entry's, or bytes that begin as no envelope.
        """
        key = self._names.parse(name)
        if key is None:
            return None
        try:
            return peek(start, key, size=size)
        except EntryRefused:
            return None


def mark(entry: Entry | Head) -> bytes:
    """The bytes from MARK_FROM to MARK_TO (exclusive) of *entry*, sealed."""
    return _MARK.pack(*identity(entry))


def prolonged(entry: Entry, until: Instant) -> Entry:
    """*entry*, fresh until *until*, and kept for as long after that as it was to be."""
    return replace(entry, expires=until, kept=Instant(until + entry.kept - entry.expires))
