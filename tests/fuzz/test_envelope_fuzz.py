"""Nothing that lies in a store can make the envelope's decoder do anything but open it or refuse it."""

from __future__ import annotations

import time

import pytest

from tests.fuzz.fuzz_envelope import fuzz

#: Every reason that there is: a fuzzer that does not meet one of them does not reach that far.
REASONS = {
    "magic", "version", "flags", "length", "size", "unsigned", "key_id", "seal", "header", "cipher", "codec", "opened",
}  # fmt: skip


def test_broken_entries_are_refused() -> None:
    """3,000 entries, the same ones each time; what is broken on purpose reaches every check of the decoder."""
    assert fuzz(1, rounds=3_000).keys() == REASONS | {"rounds"}


@pytest.mark.prove
@pytest.mark.timeout(300)
def test_broken_entries_are_refused_for_minutes() -> None:
    """Other ones each time; the message of a failure names the seed."""
    assert fuzz(time.time_ns(), seconds=120).keys() == REASONS | {"rounds"}
