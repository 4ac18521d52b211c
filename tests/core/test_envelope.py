"""What is read from a store is believed only after its envelope verifies."""

from __future__ import annotations

import contextlib
from typing import Any

import msgspec
import pytest
from blake3 import blake3
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from hashcache.core.entry import Entry, Head, Instant, Label
from hashcache.core.envelope import FLAGS_AT, IDENTITY, LATEST, LONGEST_HEAD, PREFIX, Envelope, identity, peek
from hashcache.core.envelope import NEGATIVE as NEGATIVE_FLAG
from hashcache.core.errors import EntryRefused
from tests.fuzz.envelopes import (
    BEFORE_PARSING,
    ENTRIES,
    ENTRY,
    KEY,
    LARGE,
    MODES,
    NAME,
    NEGATIVE,
    PLAIN,
    SIGNED,
    forged,
    refused,
    resealed,
)

every_mode = pytest.mark.parametrize("envelope", MODES.values(), ids=MODES)
a_mode = st.sampled_from(list(MODES.values()))


@given(ENTRIES, a_mode)
def test_an_entry_survives_being_stored(entry: Entry, envelope: Envelope) -> None:
    """Signed, encrypted or neither, compressed or not, it comes back as it was, and its first bytes tell its head."""
    raw = envelope.seal(entry, NAME)
    assert envelope.open(raw, NAME, KEY) == entry
    head = peek(raw[:LONGEST_HEAD], KEY, size=len(raw))
    assert head == Head(KEY, entry.label, entry.sequence, entry.created, entry.expires, entry.price, len(raw))
    assert identity(head) == identity(entry) == (entry.sequence, entry.created)


def test_a_large_payload_is_compressed_and_a_small_one_is_not() -> None:
    """Flag and length say so; what does not shrink is left as it is."""
    large, small = PLAIN.seal(LARGE, NAME), PLAIN.seal(ENTRY, NAME)
    assert len(large) < len(LARGE.payload) / 5
    assert (large[3] & 3, small[3] & 3) == (1, 0)
    assert ENTRY.payload in small
    noise = structs.replace(ENTRY, payload=blake3(b"noise").digest(5000))
    assert PLAIN.seal(noise, NAME)[3] & 3 == 0


@every_mode
@pytest.mark.parametrize("entry", [ENTRY, LARGE, NEGATIVE], ids=["plain", "compressed", "negative"])
def test_every_single_flipped_byte_is_refused(envelope: Envelope, entry: Entry) -> None:
    """Wherever it is: no bit of a stored entry is free."""
    raw = envelope.seal(entry, NAME)
    for place in range(len(raw)):
        for bit in (0x01, 0x80):
            broken = bytearray(raw)
            broken[place] ^= bit
            assert refused(envelope, bytes(broken)) in BEFORE_PARSING


@every_mode
def test_every_truncation_and_every_tail_is_refused(envelope: Envelope) -> None:
    """Neither fewer nor more bytes than it declares."""
    raw = envelope.seal(ENTRY, NAME)
    for length in range(len(raw)):
        assert refused(envelope, raw[:length]) == "length"
    assert refused(envelope, raw + b"\0") == "length"


@every_mode
def test_an_entry_cannot_be_moved(envelope: Envelope) -> None:
    """Under another name, such as another tenant's variant, it does not open."""
    assert refused(envelope, envelope.seal(ENTRY, NAME), NAME + "2") == "seal"


@given(ENTRIES, ENTRIES, a_mode, st.data())
def test_two_entries_cannot_be_spliced(one: Entry, other: Entry, envelope: Envelope, data: st.DataObject) -> None:
    """The beginning of one and the end of another, cut anywhere, are refused unless they are one of the two."""
    first, second = envelope.seal(one, NAME), envelope.seal(other, NAME)
    spliced = first[: data.draw(st.integers(0, len(first)))] + second[data.draw(st.integers(0, len(second))) :]
    if spliced not in (first, second):
        assert refused(envelope, spliced) in BEFORE_PARSING


@given(ENTRIES, st.sampled_from(list(MODES)), st.sampled_from(list(MODES)), st.data())
def test_a_changed_entry_is_refused_in_every_mode(entry: Entry, by: str, at: str, data: st.DataObject) -> None:
    """Whatever bytes are changed, removed or added, and whichever mode reads them: never anything but EntryRefused."""
    sealed = MODES[by].seal(entry, NAME)
    changed = bytearray(sealed)
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(changed)))
        changed[start : start + data.draw(st.integers(0, 9))] = data.draw(st.binary(max_size=9))
    if changed != sealed:
        assert refused(MODES[at], bytes(changed)) in BEFORE_PARSING


#: Arrays in arrays, deeper than any decoder goes.
DEEP = b"\x91" * 9_000


def sealed_with(values: dict[int, Any], *, flags: int = 0) -> bytes:
    """A forged entry whose header holds *values* at these places."""
    header = [5_000, 1, "image", "acme", "generic", [], 6_000, 3, "", 0]
    for place, value in values.items():
        header[place] = value
    return forged(flags=flags, header=msgspec.msgpack.encode(header))


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        pytest.param(forged(stored=b"four", length=5), "size", id="less than declared"),
        pytest.param(forged(stored=b"four", length=3), "size", id="more than declared"),
        pytest.param(forged(flags=2), "flags", id="an unknown codec"),
        pytest.param(forged(flags=8), "flags", id="an unknown seal"),
        pytest.param(forged(flags=64), "flags", id="an unknown flag"),
        pytest.param(forged(flags=128), "flags", id="another unknown flag"),
        pytest.param(forged(flags=32, stored=bytes(28)), "flags", id="encrypted, but not signed"),
        pytest.param(forged(key_id=b"\0\0\0\1"), "key_id", id="a checksum with a key"),
        pytest.param(forged(created=LATEST + 1), "header", id="created after the year 9999"),
        pytest.param(forged(created=2**64 - 1), "header", id="created at the end of time"),
        pytest.param(forged(header=b""), "header", id="no header"),
        pytest.param(forged(header=b"\x91\x01"), "header", id="a short header"),
        pytest.param(forged(header=b"\x96\x01\x02\xa1\xff\xa0\xa0\x90"), "header", id="no UTF-8"),
        pytest.param(forged(header=b"\x97\x01\x02\xa0\xa0\xa0\x90" + DEEP), "header", id="nested deeply"),
        pytest.param(
            forged(header=b"\x9b\x01\x02\xa0\xa0\xa0\x90\x01\x01\xa0\x00" + DEEP), "header", id="deep and unknown"
        ),
        pytest.param(forged(header=bytes(16 * 1024 + 1)), "length", id="a huge header"),
        pytest.param(sealed_with({0: -1}), "header", id="expires before 1970"),
        pytest.param(sealed_with({0: LATEST + 1}), "header", id="expires after the year 9999"),
        pytest.param(sealed_with({6: -1}), "header", id="kept before 1970"),
        pytest.param(sealed_with({6: LATEST + 1}), "header", id="kept after the year 9999"),
        pytest.param(sealed_with({1: -1}), "header", id="a negative price"),
        pytest.param(sealed_with({1: 2**53 + 1}), "header", id="a price that JSON readers would round"),
        pytest.param(sealed_with({1: 0.5}), "header", id="a fractional price"),
        pytest.param(sealed_with({3: None}), "header", id="no tenant"),
        pytest.param(sealed_with({5: ["a", 1]}), "header", id="a tag that is a number"),
        pytest.param(sealed_with({7: -1}), "header", id="bought before it was asked for"),
        pytest.param(sealed_with({7: 2**53 + 1}), "header", id="took too long"),
        pytest.param(sealed_with({9: -1}), "header", id="failed less than never"),
        pytest.param(sealed_with({9: 2**53 + 1}), "header", id="failed too often"),
        pytest.param(sealed_with({8: "rejected"}), "flags", id="negative, but for the flag"),
        pytest.param(sealed_with({}, flags=NEGATIVE_FLAG), "flags", id="negative by the flag alone"),
    ],
)
def test_lies_under_a_right_checksum_are_refused(raw: bytes, reason: str) -> None:
    """A checksum proves no honesty: sizes, frames and headers are checked all the same."""
    assert refused(PLAIN, raw) == reason


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({}, (5_000, 6_000, 1, 3, 0)),
        ({0: LATEST, 1: 2**53, 6: LATEST, 7: 2**53, 9: 2**53}, (LATEST, LATEST, 2**53, 2**53, 2**53)),
        ({0: 0, 1: 0, 6: 0, 7: 0}, (0, 0, 0, 0, 0)),
        ({6: 4_999}, (5_000, 5_000, 1, 3, 0)),
    ],
    ids=["ordinary", "the largest", "the smallest", "kept no shorter than fresh"],
)
def test_the_last_allowed_values_open(values: dict[int, Any], told: tuple[int, ...]) -> None:
    """A bound belongs to what it bounds."""
    entry = PLAIN.open(sealed_with(values), NAME, KEY)
    assert (entry.expires, entry.kept, entry.price, entry.took, entry.failures) == told
    assert PLAIN.open(forged(created=LATEST), NAME, KEY).created == LATEST


def test_what_a_later_release_adds_to_a_header_is_passed_over() -> None:
    """A field behind those that we know does no harm."""
    header = [5_000, 1, "image", "acme", "generic", [], 6_000, 3, "", 0, {"more": [1]}]
    assert PLAIN.open(forged(header=msgspec.msgpack.encode(header)), NAME, KEY).took == 3


def label_of(length: int) -> Label:
    """A label whose header, with the other fields of ENTRY, has *length* bytes."""
    empty = PLAIN.seal(structs.replace(ENTRY, label=Label("", "x" * 300, "")), NAME)
    return Label("", "x" * (300 + length - int.from_bytes(empty[24:28], "big")), "")


def test_a_label_as_long_as_a_reader_accepts_is_sealed_and_peeked() -> None:
    """And one that is a byte longer is not: nobody could open it."""
    longest = PLAIN.seal(structs.replace(ENTRY, label=label_of(16 * 1024)), NAME)
    assert int.from_bytes(longest[24:28], "big") == 16 * 1024
    assert PLAIN.open(longest, NAME, KEY).label == label_of(16 * 1024)
    assert peek(longest[:LONGEST_HEAD], KEY, size=len(longest)).label == label_of(16 * 1024)
    with pytest.raises(EntryRefused, match=r"header$"):
        PLAIN.seal(structs.replace(ENTRY, label=label_of(16 * 1024 + 1)), NAME)


@pytest.mark.parametrize(
    "unreadable",
    [
        {"expires": Instant(LATEST + 1)},
        {"kept": Instant(LATEST + 1)},
        {"created": Instant(LATEST + 1)},
        {"label": Label("image", "\ud800", "generic")},
        {"label": Label("image", "acme", "generic", ("\udfff",))},
        {"error": "\ud800"},
    ],
    ids=str,
)
def test_what_no_reader_would_accept_is_not_sealed(unreadable: dict[str, Any]) -> None:
    """It would be bought again at each request, and nobody would know why."""
    with pytest.raises(EntryRefused, match=r"header$"):
        PLAIN.seal(structs.replace(ENTRY, **unreadable), NAME)


def test_what_is_too_large_for_a_reader_is_not_sealed() -> None:
    """The bound itself is allowed."""
    exact, narrow = Envelope(most=len(LARGE.payload)), Envelope(most=len(LARGE.payload) - 1)
    assert exact.open(exact.seal(LARGE, NAME), NAME, KEY) == LARGE
    with pytest.raises(EntryRefused, match=r"size$"):
        narrow.seal(LARGE, NAME)


@every_mode
def test_a_head_needs_no_key_and_no_payload(envelope: Envelope) -> None:
    """Whoever sweeps reads labels only: from the shortest beginning that holds them, and not from a shorter one."""
    raw = envelope.seal(ENTRY, NAME)
    start = PREFIX + int.from_bytes(raw[24:28], "big")
    assert peek(raw[:start], KEY, size=len(raw)).label == ENTRY.label
    with pytest.raises(EntryRefused, match=r"length$"):
        peek(raw[: start - 1], KEY, size=len(raw))


@every_mode
def test_scripts_see_that_an_entry_is_negative(envelope: Envelope) -> None:
    """By one bit at a fixed place."""
    assert FLAGS_AT == 3
    assert envelope.seal(NEGATIVE, NAME)[FLAGS_AT] & NEGATIVE_FLAG
    assert not envelope.seal(LARGE, NAME)[FLAGS_AT] & NEGATIVE_FLAG


@pytest.mark.parametrize(
    ("start", "reason"), [(b"HC\x02", "version"), (b"HC\x00", "version"), (b"HD\x01", "magic"), (b"hc\x01", "magic")]
)
def test_another_version_or_format_is_refused_not_guessed(start: bytes, reason: str) -> None:
    """Also under a right seal: readers ship before writers."""
    raw = PLAIN.seal(ENTRY, NAME)
    assert refused(PLAIN, resealed(start + raw[3:-32])) == reason
    with pytest.raises(EntryRefused, match=reason):
        peek(start + raw[3:], KEY, size=len(raw))


@given(st.binary(max_size=120), a_mode, st.integers(0, PREFIX))
def test_any_bytes_are_refused_and_nothing_else(junk: bytes, envelope: Envelope, kept: int) -> None:
    """Random bytes, also behind the beginning of a real envelope, raise EntryRefused only; so does `peek`."""
    raw = envelope.seal(ENTRY, NAME)[:kept] + junk
    with pytest.raises(EntryRefused):
        envelope.open(raw, NAME, KEY)
    with contextlib.suppress(EntryRefused):
        peek(raw, KEY, size=len(raw))


@given(
    st.binary(max_size=60)
    | st.builds(
        msgspec.msgpack.encode, st.recursive(st.integers(-(2**63), 2**64 - 1) | st.text(), st.lists, max_leaves=9)
    )
)
def test_any_header_is_read_or_refused(header: bytes) -> None:
    """What verifies by its checksum alone may still hold any header."""
    raw = forged(header=header)
    for read in (lambda: PLAIN.open(raw, NAME, KEY), lambda: peek(raw, KEY, size=len(raw))):
        with contextlib.suppress(EntryRefused):
            read()


def test_the_fixed_places_of_the_format() -> None:
    """Scripts read sequence and creation at fixed places; the first IDENTITY bytes tell two entries of a key apart."""
    raw = SIGNED.seal(ENTRY, NAME)
    assert raw[:3] == b"HC\x01"
    assert int.from_bytes(raw[4:12], "big") == ENTRY.sequence
    assert int.from_bytes(raw[12:20], "big") == ENTRY.created
    assert IDENTITY == 20
    later = SIGNED.seal(structs.replace(ENTRY, created=Instant(ENTRY.created + 1)), NAME)
    assert raw[:IDENTITY] != later[:IDENTITY]
