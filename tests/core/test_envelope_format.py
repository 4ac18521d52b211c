"""docs/envelope.md is true: entries are read here by that page alone; and all that was ever stored stays readable."""

from __future__ import annotations

import re
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest
from blake3 import blake3
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st

from hashcache.core.compression import zstd
from hashcache.core.entry import Entry
from hashcache.core.envelope import IDENTITY, LATEST, LONGEST_HEAD, PREFIX, Envelope, peek
from tests.fuzz.envelopes import (
    ENCRYPTED,
    ENTRIES,
    ENTRY,
    FULL,
    KEY,
    LARGE,
    MODES,
    MOST,
    NAME,
    NEGATIVE,
    NEW,
    OLD,
    PLAIN,
    SIGNED,
    refused,
)

SECRET = "new-0123456789abcdef"
DOCUMENT = (Path(__file__).parents[2] / "docs" / "envelope.md").read_text(encoding="utf-8")
CONTEXTS = dict(re.findall(r"^\| (signing|root|cipher)[^|]*\| `([^`]+)` \|", DOCUMENT, re.MULTILINE))
LINES = (Path(__file__).parent / "samples" / "envelope-v1.hex").read_text(encoding="utf-8").splitlines()
SAMPLES = {name: bytes.fromhex(raw) for name, raw in (line.split(" ") for line in LINES if not line.startswith("#"))}
COMPRESSED, KEYED, NEGATIVE_BIT, ENCRYPTED_BIT = 1, 4, 16, 32


def derived(which: str, material: bytes) -> bytes:
    """A key, by the table of the document."""
    return blake3(material, derive_key_context=CONTEXTS[which]).digest()


def prefixed(text: str, size: int) -> bytes:
    """*text* behind its length in *size* bytes."""
    return len(text.encode()).to_bytes(size, "big") + text.encode()


def read(raw: bytes, name: str) -> tuple[list[Any], bytes, int, int]:
    """Header, payload, sequence and creation of an entry, by what the document says of its bytes."""
    assert raw[:3] == b"HC\x01"
    flags, sequence, created = raw[3], *struct.unpack(">QQ", raw[4:20])
    header_length, stored, length = struct.unpack(">III", raw[24:36])
    start = 36 + header_length
    assert len(raw) == start + stored + 32
    key = derived("signing", SECRET.encode())
    seal = blake3(key=key) if flags & KEYED else blake3()
    assert seal.update(prefixed(name, 4) + raw[:-32]).digest() == raw[-32:]
    assert raw[20:24] == (blake3(key).digest()[:4] if flags & KEYED else bytes(4))
    header = msgspec.msgpack.decode(raw[36:start])
    payload = raw[start:-32]
    if flags & ENCRYPTED_BIT:
        root = derived("root", SECRET.encode())
        cipher = AESGCM(derived("cipher", root + prefixed(header[3], 8) + prefixed("", 8)))
        payload = cipher.decrypt(payload[:12], payload[12:], prefixed(name, 4) + raw[:start])
    if flags & COMPRESSED:
        assert length > 1024
        payload = zstd.decompress(payload)
    assert len(payload) == length
    assert bool(flags & NEGATIVE_BIT) is bool(header[8:9] and header[8])
    return header, payload, sequence, created


@given(ENTRIES, st.sampled_from(list(MODES)))
def test_an_entry_can_be_read_by_the_document_alone(entry: Entry, mode: str) -> None:
    """In every mode: offsets, lengths, contexts, what is sealed and what is bound."""
    header, payload, sequence, created = read(MODES[mode].seal(entry, NAME), NAME)
    label = entry.label
    assert header[:6] == [entry.expires, entry.price, label.kind, label.tenant, label.provider, list(label.tags)]
    assert header[6:] == [entry.kept, entry.took, entry.error, entry.failures]
    assert (payload, sequence, created) == (entry.payload, entry.sequence, entry.created)


def test_the_numbers_of_the_document_are_those_of_the_code() -> None:
    """Where scripts look, how long a header may be, when the last instant is."""
    assert (IDENTITY, PREFIX, LONGEST_HEAD - PREFIX) == (20, 36, 16 * 1024)
    assert LATEST == 253_402_300_799_999
    assert set(CONTEXTS) == {"signing", "root", "cipher"}


READERS = {
    "checksum": (PLAIN,),
    "signed": (SIGNED, ENCRYPTED, Envelope((OLD, NEW), most=MOST)),
    "encrypted": (SIGNED, ENCRYPTED, Envelope((OLD, NEW), most=MOST)),
}
MEANT = {
    "checksum": ENTRY,
    "signed": LARGE,
    "checksum-full": FULL,
    "signed-full": FULL,
    "checksum-negative": NEGATIVE,
    "signed-negative": NEGATIVE,
    "checksum-compressed": LARGE,
    "encrypted": FULL,
    "encrypted-compressed": LARGE,
    "encrypted-negative": NEGATIVE,
}


@pytest.mark.parametrize("sample", MEANT)
def test_samples_of_version_1_stay_readable(sample: str) -> None:
    """What an earlier release has stored opens in this one: nobody pays again because of an upgrade."""
    raw = SAMPLES[sample]
    mode = sample.split("-", maxsplit=1)[0]
    for reader in READERS[mode]:
        assert reader.open(raw, NAME, KEY) == MEANT[sample]
    for other in READERS.keys() - {mode}:
        if "checksum" in (mode, other):
            assert refused(READERS[other][0], raw) in {"unsigned", "key_id"}
    assert peek(raw[:LONGEST_HEAD], KEY, size=len(raw)).label == ENTRY.label


def test_every_sample_is_read() -> None:
    """None is forgotten, and there is one of each mode and codec, and a negative one."""
    assert set(SAMPLES) == set(MEANT)
    flags = {raw[3] for raw in SAMPLES.values()}
    assert {0, 1, 4, 5, 16, 20, 36, 37, 52} <= flags


@pytest.mark.parametrize(
    "sample", [name for name, raw in SAMPLES.items() if not raw[3] & (COMPRESSED | ENCRYPTED_BIT) and "-" in name]
)
def test_what_is_written_today_is_what_the_sample_holds(sample: str) -> None:
    """Byte for byte (but for zstd, whose releases may differ): a change of the format is a new version."""
    secrets: Sequence[Any] = () if sample.startswith("checksum") else (NEW,)
    envelope = Envelope(secrets, most=MOST)
    assert envelope.seal(MEANT[sample], NAME) == SAMPLES[sample]


def test_what_is_encrypted_today_is_what_the_sample_holds() -> None:
    """With the sample's nonce."""
    envelope = Envelope((NEW,), most=MOST, nonce=lambda: bytes(range(12)))
    assert envelope.seal(FULL, NAME) == SAMPLES["encrypted"]
    assert envelope.seal(NEGATIVE, NAME) == SAMPLES["encrypted-negative"]
