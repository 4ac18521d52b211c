"""
Entry <-> bytes: versioned, compressed, signed or checksummed; refuses what it does not know.

    0   2  magic "HC"
    2   1  version (1)
    3   1  flags: bits 0-1 codec (0 plain, 1 zstd), bits 2-3 seal (0 checksum, 1 keyed BLAKE3), bit 4 negative
    4   8  sequence of the barrier, big-endian: at a fixed place, so that a script can compare it
   12   8  created, instant in ms, big-endian: with the sequence it tells one entry of a key from the next
   20   4  key id: first bytes of a digest of the signing key; zero for a checksum
   24   4  length of the header
   28   4  length of the payload as stored
   32   4  length of the payload as given
   36      header (msgpack array: expires, price, kind, tenant, provider, tags, kept, took, error, failures),
           payload, 32 bytes of seal

Rule 1: the seal covers the physical name of the key and every byte before it; it is checked before anything is
        decompressed or parsed. With a secret it is keyed BLAKE3: whoever can write to the store cannot forge or
        move an entry. Without one it is a checksum: it finds accidents, not enemies.
Rule 2: an unknown version, codec or key id is a refusal, never a guess. Readers ship one release before writers.
Rule 3: the declared size is checked before anything is allocated.
The format is documented in docs/envelope.md; samples of every version stay readable.
"""

from __future__ import annotations

import hmac
import struct
import sys
from dataclasses import dataclass

import msgspec
from blake3 import blake3

from hashcache.core.entry import Entry, Head, Instant, Label
from hashcache.core.errors import EntryRefused
from hashcache.core.key import Key
from hashcache.core.money import MicroDollars

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

_PREFIX = struct.Struct(">2sBBQQ4sIII")
PREFIX = _PREFIX.size
#: The bytes that tell this entry of a key from a later one: magic to created.
IDENTITY = 20
_MAGIC = b"HC"
_VERSION = 1
_SEAL = 32
_ZSTD = 1
_KEYED = 1 << 2
#: Where a script sees that an entry is negative: this bit of the byte at FLAGS_AT.
NEGATIVE, FLAGS_AT = 1 << 4, 3
_KNOWN_FLAGS = _ZSTD | _KEYED | NEGATIVE
_UNKEYED_ID = b"\0\0\0\0"
_COMPRESS_ABOVE = 1024
_SEAL_CONTEXT = "hashcache 2026-11-20 seal of an entry, version 1"
_LONGEST_HEADER = 16 * 1024


class _Header(msgspec.Struct, frozen=True, array_like=True):
    expires: int
    price: int
    kind: str
    tenant: str
    provider: str
    tags: tuple[str, ...] = ()
    kept: int = 0
    took: int = 0
    error: str = ""
    failures: int = 0


_headers = msgspec.msgpack.Decoder(_Header)


@dataclass(frozen=True, slots=True)
class Secret:
    """One signing key: *id* names it in the envelope, *key* is derived from what the operator wrote."""

    id: bytes
    key: bytes

    @classmethod
    def derive(cls, text: str) -> Secret:
        """The key of an operator's secret (BLAKE3 key derivation, its specification section 2.3)."""
        key = blake3(text.encode(), derive_key_context=_SEAL_CONTEXT).digest()
        return cls(blake3(key).digest()[:4], key)


class Envelope:
    """
    Seals entries with the first of *secrets* and opens those sealed with any of them.

    Without secrets entries carry a checksum, and only such are opened; with secrets only signed ones are.
    *most* bounds the payload in bytes, before and after decompression.
    """

    def __init__(self, secrets: tuple[Secret, ...] = (), *, most: int) -> None:
        self._secrets = {secret.id: secret.key for secret in secrets}
        self._newest = secrets[0] if secrets else None
        self._most = most

    def seal(self, entry: Entry, name: str) -> bytes:
        """
        *entry* as bytes that open only under the physical *name*.

        Raises:
            EntryRefused: its label (tenant, provider, tags) is longer than a reader accepts.
        """
        stored, flags = entry.payload, 0
        if len(stored) > _COMPRESS_ABOVE:
            smaller = zstd.compress(stored, level=3)
            if len(smaller) < len(stored):
                stored, flags = smaller, _ZSTD
        label = entry.label
        header = msgspec.msgpack.encode(
            _Header(
                entry.expires,
                entry.price,
                label.kind,
                label.tenant,
                label.provider,
                label.tags,
                entry.kept,
                entry.took,
                entry.error,
                entry.failures,
            )
        )
        flags |= NEGATIVE if entry.error else 0
        if len(header) > _LONGEST_HEADER:
            raise EntryRefused("header")
        key_id = _UNKEYED_ID
        if self._newest is not None:
            key_id, flags = self._newest.id, flags | _KEYED
        prefix = _PREFIX.pack(
            _MAGIC, _VERSION, flags, entry.sequence, entry.created, key_id, len(header), len(stored), len(entry.payload)
        )
        body = b"".join((prefix, header, stored))
        return body + _seal(self._newest.key if self._newest else None, name, body)

    def open(self, raw: bytes, name: str, key: Key) -> Entry:
        """
        The entry of *key* that lies under the physical *name*.

        Raises:
            EntryRefused: with the reason `magic`, `version`, `flags`, `length`, `key_id`, `seal`, `size`, `codec`
                or `header`. Whatever it is, it is a miss.
        """
        (flags, sequence, created, key_id, header_length, stored_length, length) = _prefix(raw)
        if len(raw) != PREFIX + header_length + stored_length + _SEAL:
            raise EntryRefused("length")
        body, seal = raw[:-_SEAL], raw[-_SEAL:]
        if not hmac.compare_digest(_seal(self._key(flags, key_id), name, body), seal):
            raise EntryRefused("seal")
        if length > self._most:
            raise EntryRefused("size")
        header = _header(raw[PREFIX : PREFIX + header_length])
        payload = body[PREFIX + header_length :]
        if flags & _ZSTD:
            payload = _decompress(payload, length)
        if len(payload) != length:
            raise EntryRefused("size")
        return Entry(
            key,
            _label(header),
            payload,
            sequence,
            Instant(created),
            Instant(header.expires),
            MicroDollars(header.price),
            Instant(header.kept),
            header.took,
            header.error,
            header.failures,
        )

    def _key(self, flags: int, key_id: bytes) -> bytes | None:
        if bool(flags & _KEYED) != bool(self._secrets):
            raise EntryRefused("key_id")
        if not self._secrets:
            return None
        try:
            return self._secrets[key_id]
        except KeyError:
            raise EntryRefused("key_id") from None


def peek(start: bytes, key: Key, *, size: int) -> Head:
    """
    What the first bytes of an envelope of *size* bytes say, *unverified*: to browse and to sweep, never to serve.

    *start* needs PREFIX bytes and the header; LONGEST_HEAD bytes always suffice.

    Raises:
        EntryRefused: it does not begin as an envelope.
    """
    (_flags, sequence, created, _key_id, header_length, _stored, _length) = _prefix(start)
    if len(start) < PREFIX + header_length:
        raise EntryRefused("length")
    header = _header(start[PREFIX : PREFIX + header_length])
    return Head(
        key, _label(header), sequence, Instant(created), Instant(header.expires), MicroDollars(header.price), size
    )


#: As many first bytes as `peek` may need.
LONGEST_HEAD = PREFIX + _LONGEST_HEADER


def identity(entry: Entry | Head) -> tuple[int, int]:
    """What tells this entry of a key from a later one."""
    return entry.sequence, entry.created


def _prefix(raw: bytes) -> tuple[int, int, int, bytes, int, int, int]:
    if len(raw) < PREFIX:
        raise EntryRefused("length")
    magic, version, flags, sequence, created, key_id, header, stored, length = _PREFIX.unpack_from(raw)
    if magic != _MAGIC:
        raise EntryRefused("magic")
    if version != _VERSION:
        raise EntryRefused("version")
    if flags & ~_KNOWN_FLAGS:
        raise EntryRefused("flags")
    if header > _LONGEST_HEADER:
        raise EntryRefused("length")
    return flags, sequence, created, key_id, header, stored, length


def _header(raw: bytes) -> _Header:
    try:
        return _headers.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):  # msgspec lets the last two through
        raise EntryRefused("header") from None


def _label(header: _Header) -> Label:
    return Label(header.kind, header.tenant, header.provider, header.tags)


def _seal(key: bytes | None, name: str, body: bytes) -> bytes:
    raw = name.encode()
    digest = blake3(key=key) if key is not None else blake3()
    digest.update(len(raw).to_bytes(4, "big"))
    digest.update(raw)
    digest.update(body)
    return digest.digest()


def _decompress(stored: bytes, length: int) -> bytes:
    """At most *length* bytes, whatever the frame declares (a lying frame is cut, then refused by its length)."""
    try:
        decompressor = zstd.ZstdDecompressor()
        payload = decompressor.decompress(stored, max_length=length + 1)
    except zstd.ZstdError:
        raise EntryRefused("codec") from None
    if not decompressor.eof or decompressor.unused_data:
        raise EntryRefused("codec")
    return payload
