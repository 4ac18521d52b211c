"""
Feeds the envelope's decoder with entries that were broken on purpose, for as long as is asked for.

Rule 1: a run is its seed: the same seed breaks the same entries in the same way.
Rule 2: most of what is broken gets a right seal afterwards, and what was to be encrypted is, or nothing would ever
        reach what lies behind the seal.

By hand, for an hour: python -m tests.fuzz.fuzz_envelope --seconds 3600 --seed 7
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections import Counter
from collections.abc import Callable
from datetime import timedelta

import msgspec
from msgspec.structs import replace

from hashcache.core.barrier import NONE
from hashcache.core.compression import zstd
from hashcache.core.entry import Entry, Instant, Label
from hashcache.core.envelope import LATEST, LONGEST_HEAD, PREFIX, Envelope, peek
from hashcache.core.errors import EntryRefused
from hashcache.core.freshness import judge
from hashcache.core.outcome import Level, Outcome, Status
from hashcache.core.secret import Secret, Unsigned
from tests.fuzz.envelopes import ENTRY, FULL, KEY, LARGE, MODES, MOST, NAME, NEGATIVE, NEW, OLD, resealed
from tests.fuzz.frames import LIES

LICENSED = Envelope((NEW, OLD), most=MOST, unsigned=Unsigned(Instant(LATEST // 2), lambda: Instant(0)))
READERS = (*MODES.values(), LICENSED, Envelope((OLD, NEW), most=2_000))
ENTRIES = (ENTRY, FULL, LARGE, NEGATIVE, replace(LARGE, label=Label("text", "", "", ("a",) * 40)))
NUMBERS = (0, 1, 27, 28, 29, 127, 128, 255, 1024, 1025, 16_384, 16_385, MOST, MOST + 1, 2**31 - 1, 2**31, 2**32 - 1)
BIG = (-(2**63), -1, 0, 1, LATEST, LATEST + 1, 2**53, 2**53 + 1, 2**63 - 1, 2**63, 2**64 - 1)
WINDOW = timedelta(days=365)


class Fuzzer:
    """Breaks entries by the chance of *seed*, and counts in `reasons` what came of them."""

    def __init__(self, seed: int) -> None:
        self._chance = random.Random(seed)  # noqa: S311 -- a run must be repeatable, nothing depends on its secrecy
        self.reasons: Counter[str] = Counter()

    def round(self) -> None:
        """Break one entry and have every reader open it."""
        raw, honest = self._raw() if self._chance.random() < 0.5 else self._composed()
        for reader in READERS:
            self._check(reader, raw, honest=honest)
        for start in (raw, raw[:LONGEST_HEAD], raw[: self._chance.randrange(len(raw) + 1)]):
            self._attempt(lambda start=start: peek(start, KEY, size=len(raw)))

    def _check(self, reader: Envelope, raw: bytes, *, honest: bool) -> None:
        """An entry that opens is one: it can be judged, reported and sealed again; a broken one does not open."""
        entry = self._attempt(lambda: reader.open(raw, NAME, KEY))
        if not isinstance(entry, Entry):
            return
        self.reasons["opened"] += 1
        assert honest, "opened, though neither sealed nor resealed as it is"
        assert len(entry.payload) <= MOST
        assert all(0 <= instant <= LATEST for instant in (entry.created, entry.expires, entry.kept))
        assert msgspec.convert(msgspec.to_builtins(entry), Entry) == entry
        assert reader.open(reader.seal(entry, NAME), NAME, KEY) == entry
        for now in (Instant(0), entry.expires, LATEST):
            judge(entry, now=now, barrier=NONE, stale_while_revalidate=WINDOW, stale_if_error=WINDOW)
            assert Outcome(entry, Status.HIT, Level.STORE, now).cache_status

    def _attempt(self, read: Callable[[], object]) -> object:
        try:
            return read()
        except EntryRefused as refused:
            self.reasons[refused.reason] += 1
            return None

    def _raw(self) -> tuple[bytes, bool]:
        """A sealed entry with bytes changed; whether it may open, because it was sealed anew or nothing changed."""
        sealed = self._chance.choice(list(MODES.values())).seal(self._chance.choice(ENTRIES), NAME)
        broken = self._broken(sealed)
        if self._chance.random() < 0.5:
            return resealed(broken[:-32], secret=self._chance.choice((None, NEW, OLD))), True
        return broken, broken == sealed

    def _composed(self) -> tuple[bytes, bool]:
        """An entry put together from parts, each of which may be broken, under a right seal."""
        entry, secret = self._chance.choice(ENTRIES), self._chance.choice((None, NEW, NEW, OLD))
        stored, length, flags = entry.payload, len(entry.payload), self._chance.choice((0, 16)) | (4 if secret else 0)
        if self._chance.random() < 0.7:
            stored, length, _ = self._chance.choice(list(LIES.values()))
            flags |= 1
        if self._chance.random() < 0.5:
            stored, flags = zstd.compress(entry.payload), flags | 1
            length = len(entry.payload)
        stored = self._broken(stored) if self._chance.random() < 0.5 else stored
        header = msgspec.msgpack.encode(self._header(entry))
        header = self._broken(header) if self._chance.random() < 0.2 else header
        hidden = secret is not None and self._chance.random() < 0.5
        sizes = [len(header), len(stored) + (28 if hidden else 0), max(0, min(length, 2**32 - 1))]
        if self._chance.random() < 0.1:
            sizes[self._chance.randrange(3)] = self._chance.choice(NUMBERS)
        start = b"HC\x01" + bytes([flags | (32 if hidden else 0)]) + bytes(8) + ENTRY.created.to_bytes(8, "big")
        start += (secret.id if secret else bytes(4)) + b"".join(size.to_bytes(4, "big") for size in sizes) + header
        if secret is not None and hidden:
            stored = _encrypted(secret, entry.label.tenant, start, stored)
        return resealed(start + stored, secret=secret), True

    def _header(self, entry: Entry) -> list[object]:
        label = entry.label
        fields: list[object] = [entry.expires, entry.price, label.kind, label.tenant, label.provider, label.tags]
        fields += [entry.kept, entry.took, entry.error, entry.failures]
        if self._chance.random() < 0.5:
            wrong = self._chance.choice((*BIG, 0.5, float("nan"), None, "", "\0" * 9, b"\xff", [], {"a": 1}, [["a"]]))
            fields[self._chance.randrange(len(fields))] = wrong
        return fields[: self._chance.choice((5, 6, 7, 8, 9, 10, 10, 10, 10))]

    def _broken(self, raw: bytes) -> bytes:
        """*raw* after one to six accidents."""
        broken = bytearray(raw)
        for _ in range(self._chance.choice((1, 1, 1, 2, 3, 6))):
            at = self._chance.randrange(len(broken) + 1)
            some = self._chance.randrange(1, 9)
            match self._chance.randrange(7):
                case 0 if at < len(broken):
                    broken[at] ^= 1 << self._chance.randrange(8)
                case 1:
                    broken[at : at + some] = self._chance.randbytes(some)
                case 2:
                    del broken[at : at + some]
                case 3:
                    broken[at:at] = self._chance.randbytes(some)
                case 4:
                    broken[at:at] = broken[at : at + some * 9]
                case 5:
                    del broken[at:]
                case _ if len(broken) >= PREFIX:
                    field = self._chance.choice((24, 28, 32))
                    broken[field : field + 4] = self._chance.choice(NUMBERS).to_bytes(4, "big")
        return bytes(broken)


def _encrypted(secret: Secret, tenant: str, start: bytes, payload: bytes) -> bytes:
    written = NAME.encode()
    bound = len(written).to_bytes(4, "big") + written + start
    return bytes(12) + secret.cipher(tenant).encrypt(bytes(12), payload, bound)


def fuzz(seed: int, *, seconds: float = 0, rounds: int = 0) -> Counter[str]:
    """
    Break entries for *seconds*, and at least *rounds* of them; how often each reason (or `opened`) was met.

    Raises:
        AssertionError: something else than a refusal came of one; the message tells how to meet it again.
    """
    fuzzer, end, done = Fuzzer(seed), time.monotonic() + seconds, 0
    while done < rounds or time.monotonic() < end:
        try:
            fuzzer.round()
        except Exception as error:
            raise AssertionError(f"seed {seed}, round {done}: {error!r}") from error
        done += 1
    fuzzer.reasons["rounds"] = done
    return fuzzer.reasons


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--seconds", type=float, default=60)
    arguments.add_argument("--seed", type=int, default=time.time_ns())
    chosen = arguments.parse_args()
    sys.stdout.write(f"seed {chosen.seed}: {dict(fuzz(chosen.seed, seconds=chosen.seconds))}\n")
