"""
Which pictures a month brings, in which order.

Rule 1: a month is the same in every run: contents and order come from its seed.
Rule 2: each distinct picture comes at least once, so what must be paid for is known beforehand.
"""

from __future__ import annotations

import random
import struct
import zlib
from dataclasses import dataclass
from decimal import Decimal

SEED = 20261120
#: Edge of a picture in pixels: some 3 KB of noise, which no compression makes equal to another.
EDGE = 32


@dataclass(frozen=True)
class Month:
    """So many *analyses*, of which *repeats* percent are of a picture that came before."""

    analyses: int
    repeats: int

    @property
    def distinct(self) -> int:
        """Pictures that must be paid for."""
        return self.analyses - self.analyses * self.repeats // 100

    def order(self, seed: int = SEED) -> list[int]:
        """The number of the picture in each analysis; every number below `distinct` occurs."""
        chance = random.Random(seed)
        first = list(range(self.distinct))
        again = [chance.randrange(self.distinct) for _ in range(self.analyses - self.distinct)]
        order = first + again
        chance.shuffle(order)
        return order


MONTHS = {"small": Month(analyses=1_000, repeats=70), "large": Month(analyses=10_000, repeats=75)}


def picture(number: int, seed: int = SEED) -> bytes:
    """Picture *number* of a month: a PNG of noise (PNG specification, third edition), the same in every run."""
    chance = random.Random(f"{seed} {number}")
    rows = b"".join(b"\x00" + chance.randbytes(3 * EDGE) for _ in range(EDGE))
    header = struct.pack(">IIBBBBB", EDGE, EDGE, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + _chunk(b"IDAT", zlib.compress(rows)) + _chunk(b"IEND", b"")


def _chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


@dataclass(frozen=True)
class Bill:
    """What *analyses* cost at *price* each without the cache, and with it, when *calls* were paid for."""

    analyses: int
    calls: int
    price: Decimal

    @property
    def without(self) -> Decimal:
        """Dollars without the cache."""
        return self.analyses * self.price

    @property
    def paid(self) -> Decimal:
        """Dollars with it."""
        return self.calls * self.price

    @property
    def less(self) -> int:
        """Percent saved, rounded down; 0 without an analysis."""
        return (self.analyses - self.calls) * 100 // self.analyses if self.analyses else 0
