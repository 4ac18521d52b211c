"""The name of some bytes, whatever the way to it."""

from __future__ import annotations

import hashlib

import pytest
from blake3 import blake3
from hypothesis import given
from hypothesis import strategies as st

from hashcache.core.digest import SMALL, Digest, Hasher, parse_sha256

# Chunks whose sizes cluster around the border where BLAKE3 begins, so that it falls before, at and within one.
CHUNKS = st.lists(
    st.one_of(
        st.binary(max_size=40),
        st.builds(
            lambda seed, size: (seed * (size // len(seed) + 1))[:size],
            st.binary(min_size=1, max_size=7),
            st.sampled_from([1, 100, SMALL - 1, SMALL, SMALL + 1, 3 * SMALL]),
        ),
    ),
    max_size=8,
)


@given(CHUNKS)
def test_any_split_gives_the_sha256_of_the_whole(chunks: list[bytes]) -> None:
    """However the bytes arrive, digest and size are those of the file, as `sha256sum` says."""
    whole = b"".join(chunks)
    hasher = Hasher()
    for chunk in chunks:
        hasher.update(chunk)
    digest = hasher.finish(chunks)
    assert digest == Digest(hashlib.sha256(whole).digest(), len(whole), "sha-256")
    assert digest.hex == hashlib.sha256(whole).hexdigest()
    assert hasher.size == len(whole)


@given(CHUNKS, st.integers(min_value=0))
def test_eager_at_any_point_changes_nothing(chunks: list[bytes], point: int) -> None:
    """A body that leaves memory in the middle, or is announced twice, has the same digests and is not read again."""
    whole = b"".join(chunks)
    point %= len(chunks) + 1
    hasher = Hasher()
    for number, chunk in enumerate(chunks):
        if number == point:
            hasher.eager(chunks[:number])
            hasher.eager([b"again"])
        hasher.update(chunk)
    if point == len(chunks):
        hasher.eager(chunks)
    assert hasher.finish([b"not read"]) == Digest(hashlib.sha256(whole).digest(), len(whole))
    assert hasher.blake3 == (blake3(whole).digest() if len(whole) > SMALL else None)


@given(CHUNKS)
def test_blake3_starts_above_small(chunks: list[bytes]) -> None:
    """Up to SMALL bytes there is none; above, it covers the first bytes too."""
    whole = b"".join(chunks)
    hasher = Hasher()
    for chunk in chunks:
        hasher.update(chunk)
    assert hasher.blake3 == (blake3(whole).digest() if len(whole) > SMALL else None)


@pytest.mark.parametrize("size", [0, 1, SMALL - 1, SMALL, SMALL + 1])
def test_the_border_is_small_itself(size: int) -> None:
    """Exactly SMALL bytes are still named by SHA-256 alone."""
    hasher = Hasher()
    hasher.update(bytes(size))
    assert (hasher.blake3 is None) == (size <= SMALL)
    assert hasher.finish([bytes(size)]).value == hashlib.sha256(bytes(size)).digest()


def test_blake3_can_be_asked_in_the_middle() -> None:
    """Asking does not end it."""
    hasher = Hasher()
    hasher.update(bytes(SMALL + 1))
    assert hasher.blake3 == blake3(bytes(SMALL + 1)).digest()
    hasher.update(b"more")
    assert hasher.blake3 == blake3(bytes(SMALL + 1) + b"more").digest()


def test_a_known_digest_spares_the_hashing() -> None:
    """With a SHA-256 that a look-up has found, the bytes are not read again."""

    def unread():
        raise AssertionError("read")
        yield b""

    hasher = Hasher()
    hasher.update(bytes(SMALL + 1))
    assert hasher.finish(unread(), known=b"k" * 32) == Digest(b"k" * 32, SMALL + 1)


def test_what_was_computed_is_stronger_than_what_was_known() -> None:
    """After `eager` the digest is there already; nobody's word replaces it."""
    hasher = Hasher()
    hasher.eager([])
    hasher.update(b"x")
    assert hasher.finish([], known=b"k" * 32).value == hashlib.sha256(b"x").digest()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ab" * 32, "ab" * 32),
        ("AB" * 32, "ab" * 32),
        ("ab" * 31, None),
        ("ab" * 33, None),
        ("xy" * 32, None),
        ("ab" * 32 + "\n", None),
        ("\uff41" * 64, None),
        ("", None),
    ],
)
def test_parsing_a_sha256(text: str, expected: str | None) -> None:
    """64 hexadecimal digits, of either case, and nothing else."""
    assert parse_sha256(text) == expected
