"""A compressed payload never takes more room than was declared and allowed, whatever its frame says."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from blake3 import blake3
from msgspec import structs

from hashcache.core.compression import SMALL, compressed, decompressed, zstd
from hashcache.core.envelope import Envelope
from tests.fuzz.envelopes import ENTRY, KEY, LARGE, MOST, NAME, PLAIN, refused
from tests.fuzz.frames import HONEST, LIES, envelope, frame

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("lie", LIES)
def test_a_frame_that_lies_is_refused(lie: str) -> None:
    """Under a right checksum too: sizes first, then the frame, which must be the only one and end where it should."""
    stored, length, reason = LIES[lie]
    assert refused(PLAIN, envelope(stored, length)) == reason


def test_an_honest_frame_of_the_same_making_opens() -> None:
    """So the forger writes zstd: it is the lies that are refused."""
    assert PLAIN.open(envelope(HONEST, 500_000), NAME, KEY).payload == b"x" * 500_000
    whole = frame(MOST, declared=MOST)
    assert len(PLAIN.open(envelope(whole, MOST), NAME, KEY).payload) == MOST
    assert decompressed(frame(500_000, declared=500_000, window_log=23), size=500_000) == b"x" * 500_000


@pytest.mark.parametrize(("blind", "least", "most"), [(False, 0, 16 << 20), (True, 100 << 20, 1 << 40)])
def test_lies_take_no_memory(*, blind: bool, least: int, most: int) -> None:
    """Opened in a process of its own, all cost less than 16 MiB together; a reader without bounds costs more."""
    program = [sys.executable, "-m", "tests.fuzz.frames", *(["--blind"] if blind else [])]
    told = subprocess.run(program, capture_output=True, text=True, check=True, timeout=50, cwd=ROOT)
    assert least <= int(told.stdout) < most


def test_only_what_gains_is_compressed() -> None:
    """Above 1,024 bytes, and only if that makes it smaller."""
    assert SMALL == 1024
    assert compressed(b"x" * SMALL) is None
    frame_of_it = compressed(b"x" * (SMALL + 1))
    assert frame_of_it is not None
    assert decompressed(frame_of_it, size=SMALL + 1) == b"x" * (SMALL + 1)


@pytest.mark.parametrize("run", range(30))
def test_what_does_not_become_smaller_is_left_as_it_is(run: int) -> None:
    """Noise with a run behind it: among these are frames longer than, shorter than and as long as it."""
    entry = structs.replace(ENTRY, payload=blake3(b"noise").digest(128 * 1024) + b"x" * run)
    raw = PLAIN.seal(entry, NAME)
    frame_of_it = zstd.compress(entry.payload)
    assert bool(raw[3] & 1) is (len(frame_of_it) < len(entry.payload))
    assert PLAIN.open(raw, NAME, KEY) == entry


@pytest.mark.parametrize("size", [1_025, 200_000, 300_000, 5_000_000])
def test_payloads_of_any_size_fit_the_window_that_is_allowed(size: int) -> None:
    """What the writer writes, the reader reads, up to far beyond a window."""
    entry = structs.replace(ENTRY, payload=(b"a word and another, " * (size // 10))[:size])
    wide = Envelope(most=10_000_000)
    assert wide.open(wide.seal(entry, NAME), NAME, KEY) == entry


def test_the_allowed_size_is_checked_first() -> None:
    """More than allowed is neither opened nor sealed: nobody would read it."""
    narrow, wide = Envelope(most=len(LARGE.payload) - 1), Envelope(most=len(LARGE.payload))
    assert refused(narrow, PLAIN.seal(LARGE, NAME)) == "size"
    assert wide.open(wide.seal(LARGE, NAME), NAME, KEY) == LARGE
