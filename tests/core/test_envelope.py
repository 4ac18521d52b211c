"""What is read from a store is believed only after its envelope verifies."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
from blake3 import blake3
from hypothesis import given
from hypothesis import strategies as st

from hashcache.core.entry import Entry, Head, Instant, Label
from hashcache.core.envelope import IDENTITY, LONGEST_HEAD, PREFIX, Envelope, Secret, identity, peek, zstd
from hashcache.core.errors import EntryRefused
from hashcache.core.key import Key
from hashcache.core.money import MicroDollars

MOST = 1_000_000
NAME = "hashcache:dev:analysis:{9f9f}:v"
KEY = Key("analysis", "9f9f", "v")
ENTRY = Entry(
    KEY,
    Label("image", "acme", "generic", ("campaign", "é")),
    b'{"verdict":"inconclusive"}',
    7,
    Instant(1_790_000_000_000),
    Instant(1_790_604_800_000),
    MicroDollars(10_000),
)
LARGE = replace(ENTRY, payload=b'{"answer":"' + b"a word and " * 400 + b'"}')
NEW, OLD = Secret.derive("new-0123456789abcdef"), Secret.derive("old-0123456789abcdef")
PLAIN, SIGNED = Envelope(most=MOST), Envelope((NEW,), most=MOST)
SAMPLES = Path(__file__).parent / "samples"

INSTANTS = st.integers(0, 2**63).map(Instant)
ENTRIES = st.builds(
    Entry,
    st.just(KEY),
    st.builds(
        Label, *[st.text(st.characters(codec="utf-8"), max_size=9)] * 3, st.lists(st.just("tag"), max_size=3).map(tuple)
    ),
    st.one_of(st.binary(max_size=200), st.binary(max_size=20).map(lambda piece: piece * 200)),
    st.integers(0, 2**64 - 1),
    INSTANTS,
    INSTANTS,
    st.integers(0, 10**15).map(MicroDollars),
)


def refused(envelope: Envelope, raw: bytes, name: str = NAME) -> str:
    """The reason why *raw* is refused."""
    with pytest.raises(EntryRefused) as caught:
        envelope.open(raw, name, KEY)
    return caught.value.reason


def resealed(body: bytes, name: str = NAME) -> bytes:
    """*body* with a right checksum: what somebody writes who knows the format but no secret."""
    written = name.encode()
    return body + blake3(len(written).to_bytes(4, "big") + written + body).digest()


@given(ENTRIES, st.sampled_from([PLAIN, SIGNED]))
def test_an_entry_survives_being_stored(entry: Entry, envelope: Envelope) -> None:
    """Signed or not, compressed or not, it comes back as it was, and its first bytes tell its head."""
    raw = envelope.seal(entry, NAME)
    assert envelope.open(raw, NAME, KEY) == entry
    head = peek(raw[:LONGEST_HEAD], KEY, size=len(raw))
    assert head == Head(KEY, entry.label, entry.sequence, entry.created, entry.expires, entry.price, len(raw))
    assert identity(head) == identity(entry)


def test_a_large_payload_is_compressed_and_a_small_one_is_not() -> None:
    """Flag and length say so; what does not shrink is left as it is."""
    large, small = PLAIN.seal(LARGE, NAME), PLAIN.seal(ENTRY, NAME)
    assert len(large) < len(LARGE.payload) / 5
    assert (large[3] & 3, small[3] & 3) == (1, 0)
    assert ENTRY.payload in small
    noise = replace(ENTRY, payload=blake3(b"noise").digest(5000))
    assert PLAIN.seal(noise, NAME)[3] & 3 == 0


@pytest.mark.parametrize("envelope", [PLAIN, SIGNED], ids=["checksum", "signed"])
@pytest.mark.parametrize("entry", [ENTRY, LARGE], ids=["plain", "compressed"])
def test_every_single_flipped_byte_is_refused(envelope: Envelope, entry: Entry) -> None:
    """Wherever it is: no bit of a stored entry is free."""
    raw = envelope.seal(entry, NAME)
    for place in range(len(raw)):
        for bit in (0x01, 0x80):
            broken = bytearray(raw)
            broken[place] ^= bit
            assert refused(envelope, bytes(broken)) in {"magic", "version", "flags", "length", "key_id", "seal"}


@pytest.mark.parametrize("envelope", [PLAIN, SIGNED], ids=["checksum", "signed"])
def test_every_truncation_and_every_tail_is_refused(envelope: Envelope) -> None:
    """Neither fewer nor more bytes than it declares."""
    raw = envelope.seal(ENTRY, NAME)
    for length in range(len(raw)):
        assert refused(envelope, raw[:length]) == "length"
    assert refused(envelope, raw + b"\0") == "length"


@pytest.mark.parametrize("envelope", [PLAIN, SIGNED], ids=["checksum", "signed"])
def test_an_entry_cannot_be_moved(envelope: Envelope) -> None:
    """Under another name, such as another tenant's variant, it does not open."""
    assert refused(envelope, envelope.seal(ENTRY, NAME), NAME + "2") == "seal"


def test_secrets_are_rotated_without_losing_entries() -> None:
    """With `new,old` both open and the new one signs; with `new` alone what the old one signed is refused."""
    both, old = Envelope((NEW, OLD), most=MOST), Envelope((OLD,), most=MOST)
    assert both.open(old.seal(ENTRY, NAME), NAME, KEY) == ENTRY
    assert SIGNED.open(both.seal(ENTRY, NAME), NAME, KEY) == ENTRY
    assert refused(old, both.seal(ENTRY, NAME)) == "key_id"
    assert refused(SIGNED, old.seal(ENTRY, NAME)) == "key_id"


def test_an_unsigned_entry_is_refused_where_a_secret_is_set() -> None:
    """Whoever can write to the store cannot forge an answer by leaving the signature away; nor the other way round."""
    assert refused(SIGNED, PLAIN.seal(ENTRY, NAME)) == "key_id"
    assert refused(PLAIN, SIGNED.seal(ENTRY, NAME)) == "key_id"


def test_a_foreign_signature_under_our_key_id_is_refused() -> None:
    """The id only names the key: it proves nothing."""
    forger = Envelope((Secret(NEW.id, b"f" * 32),), most=MOST)
    assert refused(SIGNED, forger.seal(ENTRY, NAME)) == "seal"


def test_a_secret_is_not_in_the_envelope() -> None:
    """Neither the secret nor the key derived from it; equal secrets give equal keys."""
    raw = SIGNED.seal(ENTRY, NAME)
    assert NEW.key not in raw
    assert b"0123456789abcdef" not in raw
    assert Secret.derive("new-0123456789abcdef") == NEW
    assert NEW.id != OLD.id


def test_the_declared_size_is_checked_first() -> None:
    """More than allowed is refused before it is decompressed."""
    assert refused(Envelope(most=len(LARGE.payload) - 1), PLAIN.seal(LARGE, NAME)) == "size"
    assert Envelope(most=len(LARGE.payload)).open(PLAIN.seal(LARGE, NAME), NAME, KEY) == LARGE


def forged(*, flags: int, stored: bytes, length: int, header: bytes | None = None) -> bytes:
    """An envelope that verifies, but says what it likes."""
    raw = PLAIN.seal(ENTRY, NAME)
    given = raw[PREFIX : PREFIX + int.from_bytes(raw[24:28], "big")] if header is None else header
    lengths = b"".join(number.to_bytes(4, "big") for number in (len(given), len(stored), length))
    return resealed(raw[:3] + bytes([flags]) + raw[4:24] + lengths + given + stored)


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        pytest.param(forged(flags=1, stored=zstd.compress(b"x" * 500_000), length=10), "codec", id="a bomb"),
        pytest.param(forged(flags=1, stored=zstd.compress(b"x" * 10), length=500), "size", id="less than declared"),
        pytest.param(forged(flags=1, stored=zstd.compress(b"x" * 11), length=10), "size", id="one byte more"),
        pytest.param(forged(flags=1, stored=zstd.compress(b"x") + b"tail", length=1), "codec", id="a tail"),
        pytest.param(forged(flags=1, stored=zstd.compress(b"x" * 99)[:-1], length=99), "codec", id="a cut frame"),
        pytest.param(forged(flags=1, stored=b"", length=0), "codec", id="no frame"),
        pytest.param(forged(flags=1, stored=b"junk", length=4), "codec", id="junk for a frame"),
        pytest.param(forged(flags=0, stored=b"four", length=5), "size", id="plain, less than declared"),
        pytest.param(forged(flags=2, stored=b"", length=0), "flags", id="an unknown codec"),
        pytest.param(forged(flags=128, stored=b"", length=0), "flags", id="an unknown flag"),
        pytest.param(forged(flags=0, stored=b"", length=0, header=b""), "header", id="no header"),
        pytest.param(forged(flags=0, stored=b"", length=0, header=b"\x91\x01"), "header", id="a short header"),
        pytest.param(
            forged(flags=0, stored=b"", length=0, header=b"\x96\x01\x02\xa1\xff\xa0\xa0\x90"), "header", id="no UTF-8"
        ),
        pytest.param(
            forged(flags=0, stored=b"", length=0, header=b"\x97\x01\x02\xa0\xa0\xa0\x90" + b"\x91" * 9000),
            "header",
            id="nested deeply",
        ),
        pytest.param(forged(flags=0, stored=b"", length=0, header=bytes(16 * 1024 + 1)), "length", id="a huge header"),
    ],
)
def test_lies_under_a_right_checksum_are_refused(raw: bytes, reason: str) -> None:
    """A checksum proves no honesty: sizes, frames and headers are checked all the same."""
    assert refused(PLAIN, raw) == reason


def test_a_later_version_is_refused_not_guessed() -> None:
    """Readers ship before writers."""
    raw = PLAIN.seal(ENTRY, NAME)
    assert refused(PLAIN, resealed(raw[:2] + b"\x02" + raw[3:-32])) == "version"


@given(st.binary(max_size=120), st.sampled_from([PLAIN, SIGNED]), st.integers(0, PREFIX))
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
    raw = forged(flags=0, stored=b"", length=0, header=header)
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
    later = SIGNED.seal(replace(ENTRY, created=Instant(ENTRY.created + 1)), NAME)
    assert raw[:IDENTITY] != later[:IDENTITY]


@pytest.mark.parametrize(("sample", "envelope", "entry"), [("checksum", PLAIN, ENTRY), ("signed", SIGNED, LARGE)])
def test_samples_of_version_1_stay_readable(sample: str, envelope: Envelope, entry: Entry) -> None:
    """What an earlier release has stored opens in this one: nobody pays again because of an upgrade."""
    lines = (SAMPLES / "envelope-v1.hex").read_text().splitlines()
    stored = dict(line.split(" ") for line in lines if not line.startswith("#"))
    assert envelope.open(bytes.fromhex(stored[sample]), NAME, KEY) == entry
