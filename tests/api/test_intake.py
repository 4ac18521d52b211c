"""The intake of an upload: whatever pieces it comes in, it is the same content, and takes as much room as its bytes."""

from __future__ import annotations

import hashlib
from itertools import pairwise
from pathlib import Path

import pytest
from blake3 import blake3
from hypothesis import given
from hypothesis import strategies as st

from hashcache.api.admission import Room
from hashcache.api.arrival import Pace
from hashcache.api.intake import IN_MEMORY, Intake, Limits
from hashcache.api.known import Known
from hashcache.core.content import Content, Kind
from hashcache.core.digest import SMALL
from hashcache.core.errors import ContentTooLarge, EmptyContent, SpoolFull, UnsupportedContent
from hashcache.ports import Body
from tests.harness.contents import clip, photo, text


def limits(spool: Path | None = None, *, room: int = 100_000_000) -> Limits:
    """Limits of 50 MB, and of 1 MB for a text."""
    folder = str(spool) if spool is not None else None
    return Limits(50_000_000, 1_000_000, Pace(10, 1000), Room(room, chance=lambda: 0.5), folder, Known())


async def take_in(pieces: list[bytes], given: Limits, **more: Kind | int | None) -> tuple[Content, Body]:
    """An upload in *pieces*."""
    intake = Intake(given, tenant="red", declared=more.get("declared"), expected=more.get("expected"))  # type: ignore[arg-type]
    try:
        for piece in pieces:
            await intake.feed(piece)
        return await intake.finish("name")
    finally:
        await intake.close()


def split(content: bytes, cuts: list[int]) -> list[bytes]:
    """*content* cut at these places."""
    places = [0, *sorted(cut % (len(content) + 1) for cut in cuts), len(content)]
    return [content[start:end] for start, end in pairwise(places)]


def left_in(folder: Path) -> list[Path]:
    """What lies in *folder*."""
    return list(folder.iterdir())


@given(
    content=st.sampled_from([photo(5000), clip(20_000), text(9000).encode(), "é\u20ac\U0001f600".encode() * 500]),
    cuts=st.lists(st.integers(0, 20_000), max_size=40),
)
async def test_pieces_make_no_difference(content: bytes, cuts: list[int]) -> None:
    """However it is cut: the same kind, type, digest and bytes."""
    whole, body = await take_in([content], limits())
    cut, pieces = await take_in(split(content, cuts), limits())
    assert whole == cut
    assert cut.digest.hex == hashlib.sha256(content).hexdigest()
    assert b"".join([chunk async for chunk in pieces.chunks()]) == content
    assert b"".join([chunk async for chunk in body.chunks()]) == content


async def test_single_bytes_are_gathered() -> None:
    """An upload that comes byte by byte is held in pieces of some kilobytes: not fifty times its size."""
    content = photo(100_000)
    _, body = await take_in([bytes((byte,)) for byte in content], limits())
    chunks = [chunk async for chunk in body.chunks()]
    assert b"".join(chunks) == content
    assert len(chunks) < 50


@pytest.mark.parametrize("expected", [None, IN_MEMORY + 1])
async def test_more_than_memory_may_hold_is_spooled(tmp_path: Path, expected: int | None) -> None:
    """Beyond 16 MiB, announced or not, the bytes lie in an unnamed file, which is gone with the body."""
    content = photo(IN_MEMORY + 1)
    given = limits(tmp_path)
    described, body = await take_in([content[:7], content[7:2_000_000], content[2_000_000:]], given, expected=expected)
    descriptor = body.descriptor()
    assert descriptor is not None
    assert not left_in(tmp_path)
    assert described.digest.hex == hashlib.sha256(content).hexdigest()
    assert b"".join([chunk async for chunk in body.chunks()]) == content
    await body.close()
    await body.close()
    given.room.take(100_000_000)


async def test_a_digest_is_learnt_for_its_tenant_alone() -> None:
    """The second time BLAKE3 finds SHA-256; what one tenant taught is not used for another."""
    content, given = photo(10_000), limits()
    first, _ = await take_in([content], given)
    found = blake3(content).digest()
    assert given.known.find("red", found) == first.digest.value == hashlib.sha256(content).digest()
    given.known.learn("red", found, bytes(32))
    second, _ = await take_in([content], given)
    assert second.digest.value == bytes(32)
    assert given.known.find("blue", found) is None


@pytest.mark.parametrize(
    ("pieces", "declared", "error"),
    [
        ([], None, EmptyContent),
        ([bytes(5000)], None, UnsupportedContent),
        ([b"text"], Kind.IMAGE, UnsupportedContent),
        ([b"x" * 1_000_001], Kind.TEXT, ContentTooLarge),
        ([b"\xff\xd8\xff" + bytes(50_000_000)], None, ContentTooLarge),
        ([b"\xff\xd8\xff" + bytes(45_000_000)], None, SpoolFull),
    ],
)
async def test_room_comes_back(
    tmp_path: Path, pieces: list[bytes], declared: Kind | None, error: type[Exception]
) -> None:
    """Whatever an upload is refused for, its room is free again, and no file is left."""
    given = limits(tmp_path, room=40_000_000)
    with pytest.raises(error):
        await take_in(pieces, given, declared=declared)
    given.room.take(40_000_000)
    assert not left_in(tmp_path)


async def test_room_is_taken_by_the_announced_size() -> None:
    """An upload that says how large it is finds out at once that there is no room; one that does not, as it comes."""
    given = limits(room=3_000_000)
    kept, body = await take_in([photo(1_600_000)], given)
    assert kept.kind is Kind.IMAGE
    with pytest.raises(SpoolFull):
        Intake(given, tenant="red", expected=1_400_001)
    with pytest.raises(SpoolFull):
        await take_in([photo(1_000_000), bytes(1)], given)
    _, other = await take_in([photo(1_400_000)], given, expected=1_400_000)
    with pytest.raises(SpoolFull):
        given.room.take(1)
    for one in (other, body, body):
        await one.close()
    given.room.take(3_000_000)
    with pytest.raises(SpoolFull):
        given.room.take(1)


@pytest.mark.parametrize("size", [SMALL - 1, SMALL, SMALL + 1, IN_MEMORY - 1, IN_MEMORY, IN_MEMORY + 1])
@pytest.mark.parametrize("announced", [True, False])
async def test_the_borders_change_no_digest(tmp_path: Path, size: int, *, announced: bool) -> None:
    """At each border of the ways to a digest: SHA-256 of the bytes, the first time and when BLAKE3 is known."""
    content, given = photo(size), limits(tmp_path)
    expected = size if announced else None
    for _ in range(2):
        described, body = await take_in(split(content, [size // 3]), given, expected=expected)
        assert described.digest.hex == hashlib.sha256(content).hexdigest()
        assert (body.descriptor() is not None) == (size > IN_MEMORY)
        await body.close()
    assert len(given.known) == (SMALL < size <= IN_MEMORY)
