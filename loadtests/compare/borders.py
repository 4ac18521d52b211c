"""
Where the borders of the digests should be: what a known content costs by each way, at many sizes.

`python -m loadtests.compare.borders` prints two tables of Markdown. Times are processor time; both ways are measured in
turn, many times, and what is told is the median of paired ratios, so that others on the machine matter little.
"""

from __future__ import annotations

import argparse
import hashlib
import random
import sys
import tempfile
from collections.abc import Callable, Sequence
from statistics import median
from time import process_time

from blake3 import blake3

from hashcache.api.known import Known
from loadtests.compare.figures import table

#: As a server reads a body: in pieces of at most so many bytes.
PIECE = 64 * 1024
_LEAST = 0.02
Way = Callable[[list[bytes]], bytes]


def sha256(pieces: list[bytes]) -> bytes:
    """SHA-256 alone."""
    digest = hashlib.sha256()
    for piece in pieces:
        digest.update(piece)
    return digest.digest()


def through(known: Known) -> Way:
    """BLAKE3, and SHA-256 found in *known*."""

    def way(pieces: list[bytes]) -> bytes:
        digest = blake3()
        for piece in pieces:
            digest.update(piece)
        name = digest.digest()
        found = known.find("default", name)
        if found is None:
            found = sha256(pieces)
            known.learn("default", name, found)
        return found

    return way


def cost(way: Way, pieces: list[bytes], times: int) -> float:
    """Seconds of processor time for one of *times*."""
    began = process_time()
    for _ in range(times):
        way(pieces)
    return (process_time() - began) / times


def compared(one: Way, other: Way, pieces: list[bytes], rounds: int) -> tuple[float, float, list[float]]:
    """The medians of both, and how many times the first the second takes, round by round."""
    times = max(1, round(_LEAST / max(cost(other, pieces, 3), 1e-7)))
    first, second = [], []
    for _ in range(rounds):
        first.append(cost(one, pieces, times))
        second.append(cost(other, pieces, times))
    return median(first), median(second), [b / a for a, b in zip(first, second, strict=True)]


def row(size: int, found: tuple[float, float, list[float]]) -> list[str]:
    """As a row: the size, both costs in microseconds, the ratio and its spread."""
    one, other, ratios = found
    spread = f"{min(ratios):.2f} to {max(ratios):.2f}"
    return [f"{size:,}", f"{one * 1e6:.1f}", f"{other * 1e6:.1f}", f"{median(ratios):.2f} x", spread]


def pieces_of(size: int) -> list[bytes]:
    """So many random bytes, as they come."""
    raw = random.Random(size).randbytes(size)
    return [raw[at : at + PIECE] for at in range(0, size, PIECE)]


def spooled(pieces: list[bytes]) -> bytes:
    """Both digests, and the bytes written to a file without a name."""
    one, other = blake3(), hashlib.sha256()
    with tempfile.TemporaryFile(buffering=0) as file:
        for piece in pieces:
            one.update(piece)
            other.update(piece)
            file.write(piece)
    return other.digest()


def main(arguments: Sequence[str]) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m loadtests.compare.borders", description=__doc__)
    parser.add_argument("--rounds", type=int, default=15, help="how often each is measured [15]")
    chosen = parser.parse_args(arguments)
    head = ("bytes", "BLAKE3 and a look-up, us", "SHA-256, us", "ratio", "lowest to highest")
    small = [row(size, compared(through(Known()), sha256, pieces_of(size), chosen.rounds)) for size in SMALL]
    print(f"A known content, held in memory:\n\n{table(head, small)}\n")
    head = ("bytes", "held, BLAKE3 and a look-up, us", "spooled, both, us", "ratio", "lowest to highest")
    large = [row(size, compared(through(Known()), spooled, pieces_of(size), chosen.rounds)) for size in LARGE]
    print(f"A known content, held or spooled:\n\n{table(head, large)}")


SMALL = (512, 1024, 1536, 2048, 3072, 4096, 6144, 8192, 16_384, 65_536, 1_048_576)
LARGE = (4_194_304, 16_777_216, 33_554_432)

if __name__ == "__main__":
    main(sys.argv[1:])
