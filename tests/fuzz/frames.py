"""
Frames of zstd that lie, written by hand after RFC 8878, and what opening them takes.

Run as a program it opens them all in a fresh process and prints by how many bytes its greatest resident size grew.
"""

from __future__ import annotations

import resource
import sys
from pathlib import Path

from hashcache.core.compression import zstd
from hashcache.core.errors import EntryRefused
from tests.fuzz.envelopes import KEY, MOST, NAME, PLAIN, forged

MAGIC = b"\x28\xb5\x2f\xfd"
BLOCK = 128 * 1024
MILLION, GIGABYTE = 1_000_000, 1 << 30


def rle(size: int, *, last: bool = False) -> bytes:
    """A block of *size* equal bytes, in four (RFC 8878 section 3.1.1.2)."""
    return (last | 1 << 1 | size << 3).to_bytes(3, "little") + b"x"


def frame(content: int, *, declared: int | None, window_log: int | None = 17, dictionary: int | None = None) -> bytes:
    """A frame that holds *content* bytes and says *declared* (None: nothing); no *window_log*: a single segment."""
    descriptor = (0 if declared is None else 3 << 6) | (window_log is None) << 5 | (0 if dictionary is None else 1)
    window = b"" if window_log is None else bytes([(window_log - 10) << 3])
    known = b"" if declared is None else declared.to_bytes(8, "little")
    full, rest = divmod(content, BLOCK)
    blocks = rle(BLOCK) * full + rle(rest, last=True)
    return MAGIC + bytes([descriptor]) + window + bytes([dictionary] if dictionary else []) + known + blocks


def skippable(content: bytes) -> bytes:
    """A frame that decoders pass over (RFC 8878 section 3.1.2)."""
    return b"\x50\x2a\x4d\x18" + len(content).to_bytes(4, "little") + content


HONEST = frame(500_000, declared=500_000)
#: What it is: the stored payload, its length as declared in the envelope, and the reason why it is refused.
LIES: dict[str, tuple[bytes, int, str]] = {
    "a gigabyte, declared by the envelope": (frame(GIGABYTE, declared=GIGABYTE), GIGABYTE, "size"),
    "a gigabyte, declared by the frame": (frame(GIGABYTE, declared=GIGABYTE), MOST, "size"),
    "a gigabyte, declared by nobody": (frame(GIGABYTE, declared=MOST), MOST, "codec"),
    "a gigabyte in a single segment": (frame(GIGABYTE, declared=GIGABYTE, window_log=None), MOST, "size"),
    "a single segment smaller than its blocks": (frame(GIGABYTE, declared=MOST, window_log=None), MOST, "codec"),
    "no declared size": (frame(500_000, declared=None), 500_000, "size"),
    "no declared size, a gigabyte": (frame(GIGABYTE, declared=None), MOST, "size"),
    "one byte less than declared": (frame(499_999, declared=500_000), 500_000, "codec"),
    "one byte more than declared": (frame(500_001, declared=500_000), 500_000, "codec"),
    "another size in the envelope": (HONEST, 500_001, "size"),
    "the largest size that a frame can say": (frame(9, declared=2**64 - 3), MOST, "size"),
    "a window of 16 MiB": (frame(500_000, declared=500_000, window_log=24), 500_000, "codec"),
    "a window of 2 TiB": (frame(500_000, declared=500_000, window_log=41), 500_000, "codec"),
    "a tail": (HONEST + b"tail", 500_000, "codec"),
    "two frames": (HONEST + HONEST, 500_000, "codec"),
    "two frames, one size": (frame(250_000, declared=250_000) * 2, 500_000, "size"),
    "a skippable frame behind": (HONEST + skippable(b"more"), 500_000, "codec"),
    "a skippable frame before": (skippable(b"more") + HONEST, 500_000, "size"),
    "a skippable frame alone": (skippable(b"x" * 8), 500_000, "size"),
    "a dictionary": (frame(500_000, declared=500_000, dictionary=7), 500_000, "codec"),
    "cut in its header": (HONEST[:9], 500_000, "codec"),
    "cut in a block": (HONEST[:-1], 500_000, "codec"),
    "cut before its last block": (HONEST[:-4], 500_000, "codec"),
    "no magic": (b"\0" + HONEST[1:], 500_000, "codec"),
    "nothing": (b"", 500_000, "codec"),
    "nothing of nothing": (b"", 0, "size"),
    "not smaller": (zstd.compress(b"four"), 4, "size"),
    "not smaller by one": (zstd.compress(b"x" * 20), len(zstd.compress(b"x" * 20)), "size"),
    "far more than is allowed, smaller": (frame(MOST + 1, declared=MOST + 1), MOST + 1, "size"),
}


def envelope(stored: bytes, length: int) -> bytes:
    """An entry whose seal is right, with this compressed payload."""
    return forged(flags=1, stored=stored, length=length)


def _grown() -> int:
    """By how many bytes this process's greatest resident size grows when all of them are opened."""
    raws = [envelope(stored, length) for stored, length, _ in LIES.values()]
    PLAIN.open(envelope(HONEST, 500_000), NAME, KEY)
    before = _peak()
    for raw in raws:
        try:
            PLAIN.open(raw, NAME, KEY)
        except EntryRefused:
            continue
    if "--blind" in sys.argv:  # what a reader without bounds would have done
        zstd.decompress(frame(GIGABYTE // 8, declared=GIGABYTE // 8))
    return _peak() - before


def _peak() -> int:
    """
    The greatest resident size so far, in bytes. On Linux as the kernel tells it of this program alone: getrusage(2)
    also counts what the process was before it became this program, such as a copy of a large test runner.
    """
    status = Path("/proc/self/status")
    if status.exists():
        (line,) = (line for line in status.read_text().splitlines() if line.startswith("VmHWM:"))
        return int(line.split()[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # macOS: bytes


if __name__ == "__main__":
    sys.stdout.write(str(_grown()))
