"""Entries, envelopes and forgeries of them: what the tests of the envelope and its fuzzer have in common."""

from __future__ import annotations

import itertools

import pytest
from blake3 import blake3
from hypothesis import strategies as st
from msgspec import structs

from hashcache.core.entry import Entry, Instant, Label
from hashcache.core.envelope import LATEST, NONCE, PREFIX, Envelope
from hashcache.core.errors import EntryRefused
from hashcache.core.key import Key
from hashcache.core.money import MicroDollars
from hashcache.core.secret import Secret

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
FULL = structs.replace(ENTRY, kept=Instant(1_791_000_000_000), took=1_234)
LARGE = structs.replace(ENTRY, payload=b'{"answer":"' + b"a word and " * 400 + b'"}')
NEGATIVE = structs.replace(ENTRY, payload=b"", error="rejected", failures=3)
NEW, OLD = Secret.derive("new-0123456789abcdef"), Secret.derive("old-0123456789abcdef")
_numbers = itertools.count(1)


def nonce() -> bytes:
    """Never the same twice in one run."""
    return next(_numbers).to_bytes(NONCE, "big")


PLAIN, SIGNED = Envelope(most=MOST), Envelope((NEW,), most=MOST)
ENCRYPTED = Envelope((NEW,), most=MOST, nonce=nonce)
MODES = {"checksum": PLAIN, "signed": SIGNED, "encrypted": ENCRYPTED}
#: Reasons that need nothing but the fixed fields in front, and the seal.
BEFORE_PARSING = frozenset({"magic", "version", "flags", "length", "size", "key_id", "unsigned", "header", "seal"})

INSTANTS = st.integers(0, LATEST).map(Instant)
COUNTS = st.integers(0, 2**53)
WORDS = st.text(st.characters(codec="utf-8"), max_size=9)
ENTRIES = st.builds(
    Entry,
    st.just(KEY),
    st.builds(Label, WORDS, WORDS, WORDS, st.lists(WORDS, max_size=3).map(tuple)),
    st.one_of(st.binary(max_size=200), st.binary(max_size=20).map(lambda piece: piece * 200)),
    st.integers(0, 2**64 - 1),
    INSTANTS,
    INSTANTS,
    COUNTS.map(MicroDollars),
    INSTANTS,
    COUNTS,
    WORDS,
    COUNTS,
)


def refused(envelope: Envelope, raw: bytes, name: str = NAME) -> str:
    """The reason why *raw* is refused."""
    with pytest.raises(EntryRefused) as caught:
        envelope.open(raw, name, KEY)
    return caught.value.reason


def resealed(body: bytes, name: str = NAME, *, secret: Secret | None = None) -> bytes:
    """*body* under a right seal: what somebody writes who knows the format (and the signing key of *secret*)."""
    written = name.encode()
    digest = blake3(key=secret.key) if secret else blake3()
    return body + digest.update(len(written).to_bytes(4, "big") + written + body).digest()


def forged(
    *,
    flags: int = 0,
    stored: bytes = b"",
    length: int = 0,
    header: bytes | None = None,
    created: int = ENTRY.created,
    key_id: bytes = bytes(4),
    secret: Secret | None = None,
) -> bytes:
    """An envelope whose seal is right, but which says what it likes."""
    raw = PLAIN.seal(ENTRY, NAME)
    written = raw[PREFIX : PREFIX + int.from_bytes(raw[24:28], "big")] if header is None else header
    lengths = b"".join(number.to_bytes(4, "big") for number in (len(written), len(stored), length))
    start = raw[:3] + bytes([flags]) + raw[4:12] + created.to_bytes(8, "big") + (secret.id if secret else key_id)
    return resealed(start + lengths + written + stored, secret=secret)
