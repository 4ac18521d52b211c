"""
Entry <-> bytes: versioned, compressed, signed or checksummed, encrypted; refuses what it does not know.

    0   2  magic "HC"
    2   1  version (1)
    3   1  flags: bits 0-1 codec (0 plain, 1 zstd), bits 2-3 seal (0 checksum, 1 keyed BLAKE3), bit 4 negative,
           bit 5 encrypted
    4   8  sequence of the barrier, big-endian: at a fixed place, so that a script can compare it
   12   8  created, instant in ms, big-endian: with the sequence it tells one entry of a key from the next
   20   4  key id: first bytes of a digest of the signing key; zero for a checksum
   24   4  length of the header
   28   4  length of the payload as stored
   32   4  length of the payload as given
   36      header (msgpack array: expires, price, kind, tenant, provider, tags, kept, took, error, failures),
           payload (encrypted: nonce, ciphertext, tag), 32 bytes of seal

Rule 1: the seal covers the physical name of the key and every byte before it; it is checked before anything is
        decrypted, decompressed or parsed. With a secret it is keyed BLAKE3: whoever can write to the store cannot
        forge or move an entry. Without one it is a checksum: it finds accidents, not enemies.
Rule 2: an unknown version, flag or key id is a refusal, never a guess. Readers ship one release before writers.
Rule 3: the declared sizes are checked before anything is allocated, or even digested.
Rule 4: a payload is compressed, then encrypted, then sealed. The header is never encrypted: `peek` needs no key.
        It is authenticated twice, as the key of the cipher follows from the tenant in it: by the seal, so that it may
        be believed before it is parsed, and as associated data of the cipher.
The format is documented in docs/envelope.md; samples of every version stay readable.
"""

from __future__ import annotations

import hmac
import struct
from collections.abc import Callable, Sequence
from typing import Annotated, NamedTuple

import msgspec
from blake3 import blake3
from cryptography.exceptions import InvalidTag

from hashcache.core.compression import compressed, decompressed
from hashcache.core.entry import Entry, Head, Instant, Label
from hashcache.core.errors import EntryRefused
from hashcache.core.key import Key
from hashcache.core.money import MicroDollars
from hashcache.core.secret import Secret, Unsigned

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
_ENCRYPTED = 1 << 5
_KNOWN_FLAGS = _ZSTD | _KEYED | NEGATIVE | _ENCRYPTED
#: Bytes of a nonce, and of what else a cipher adds (NIST SP 800-38D: 96 and 128 bits).
NONCE, _TAG = 12, 16
_UNKEYED_ID = b"\0\0\0\0"
_LONGEST_HEADER = 16 * 1024
#: As many first bytes as `peek` may need.
LONGEST_HEAD = PREFIX + _LONGEST_HEADER
#: No instant of ours is later than the year 9999: what is can be neither subtracted nor shown.
LATEST = Instant(253_402_300_799_999)

_Moment = Annotated[int, msgspec.Meta(ge=0, le=LATEST)]
_Count = Annotated[int, msgspec.Meta(ge=0, le=2**53)]  # exact in every reader of JSON


class _Header(msgspec.Struct, frozen=True, array_like=True):
    expires: _Moment
    price: _Count
    kind: str
    tenant: str
    provider: str
    tags: tuple[str, ...] = ()
    kept: _Moment = 0
    took: _Count = 0
    error: str = ""
    failures: _Count = 0

    @property
    def label(self) -> Label:
        return Label(self.kind, self.tenant, self.provider, self.tags)


_headers = msgspec.msgpack.Decoder(_Header)


class _Prefix(NamedTuple):
    flags: int
    sequence: int
    created: Instant
    key_id: bytes
    header: int
    stored: int
    length: int


class Envelope:
    """
    Seals entries with the first of *secrets* and opens those sealed with any of them.

    Without secrets entries carry a checksum, and only such are opened. With secrets only signed ones are, and for a
    time those that *unsigned* licenses. *most* bounds the payload in bytes, before and after decompression.
    *nonce*, when given, turns encryption on: NONCE random bytes for each entry that is sealed. Encrypted entries and
    those that are only signed open either way.
    """

    def __init__(
        self,
        secrets: Sequence[Secret] = (),
        *,
        most: int,
        nonce: Callable[[], bytes] | None = None,
        unsigned: Unsigned | None = None,
    ) -> None:
        if not secrets and (nonce or unsigned):
            raise ValueError("without a secret nothing is encrypted, and everything is unsigned")
        self._secrets = {secret.id: secret for secret in reversed(secrets)}  # of two with one id, the newer
        self._newest = secrets[0] if secrets else None
        self._most = most
        self._nonce = nonce
        self._unsigned = unsigned

    def seal(self, entry: Entry, name: str) -> bytes:
        """
        *entry* as bytes that open only under the physical *name*.

        Raises:
            EntryRefused: no reader would accept it, as its payload (`size`) or its label (tenant, provider, tags) is
                too long, its label is no Unicode or it lives beyond the year 9999 (`header`).
        """
        if len(entry.payload) > self._most:
            raise EntryRefused("size")
        header = _packed(entry)
        payload, flags, key_id = entry.payload, NEGATIVE if entry.error else 0, _UNKEYED_ID
        smaller = compressed(payload)
        if smaller is not None:
            payload, flags = smaller, flags | _ZSTD
        secret, nonce = self._newest, b""
        if secret is not None:
            flags, key_id = flags | _KEYED, secret.id
        if self._nonce is not None:
            flags, nonce = flags | _ENCRYPTED, self._nonce()
            if len(nonce) != NONCE:
                raise ValueError(f"a nonce has {NONCE} bytes")
        stored = len(payload) + (NONCE + _TAG if nonce else 0)
        lengths = (len(header), stored, len(entry.payload))
        head = _PREFIX.pack(_MAGIC, _VERSION, flags, entry.sequence, entry.created, key_id, *lengths) + header
        if secret is not None and nonce:
            cipher = secret.cipher(entry.label.tenant)
            payload = nonce + cipher.encrypt(nonce, payload, _prefixed(name) + head)
        body = head + payload
        return body + _seal(secret, name, body)

    def open(self, raw: bytes, name: str, key: Key) -> Entry:
        """
        The entry of *key* that lies under the physical *name*.

        Raises:
            EntryRefused: with the reason `magic`, `version`, `flags`, `length`, `size`, `unsigned`, `key_id`, `seal`,
                `header`, `cipher` or `codec`. Whatever it is, it is a miss.
        """
        prefix = _prefix(raw)
        start = PREFIX + prefix.header
        if len(raw) != start + prefix.stored + _SEAL:
            raise EntryRefused("length")
        self._check_size(prefix)
        secret = self._accept(prefix)
        if not hmac.compare_digest(_seal(secret, name, raw[:-_SEAL]), raw[-_SEAL:]):
            raise EntryRefused("seal")
        header = _header(raw[PREFIX:start])
        if bool(header.error) is not bool(prefix.flags & NEGATIVE):
            raise EntryRefused("flags")
        payload = raw[start:-_SEAL]
        if prefix.flags & _ENCRYPTED and secret is not None:
            payload = _decrypted(payload, secret, header.tenant, _prefixed(name) + raw[:start])
        if prefix.flags & _ZSTD:
            payload = decompressed(payload, size=prefix.length)
        latest = LATEST if secret or self._unsigned is None else self._unsigned.until
        return Entry(
            key,
            header.label,
            payload,
            prefix.sequence,
            prefix.created,
            Instant(min(header.expires, latest)),
            MicroDollars(header.price),
            Instant(min(header.kept, latest)),
            header.took,
            header.error,
            header.failures,
        )

    def _check_size(self, prefix: _Prefix) -> None:
        """What was compressed became smaller, what was not has one size, and neither is more than allowed."""
        stored = prefix.stored - (NONCE + _TAG if prefix.flags & _ENCRYPTED else 0)
        fits = 0 <= stored < prefix.length if prefix.flags & _ZSTD else stored == prefix.length
        if not fits or prefix.length > self._most:
            raise EntryRefused("size")

    def _accept(self, prefix: _Prefix) -> Secret | None:
        """The secret that must have sealed it; None when a checksum will do."""
        if prefix.flags & _KEYED:
            secret = self._secrets.get(prefix.key_id)
            if secret is None:
                raise EntryRefused("key_id")
            return secret
        if self._secrets and (self._unsigned is None or self._unsigned.now() >= self._unsigned.until):
            raise EntryRefused("unsigned")
        return None


def peek(start: bytes, key: Key, *, size: int) -> Head:
    """
    What the first bytes of an envelope of *size* bytes say, *unverified*: to browse and to sweep, never to serve.

    *start* needs PREFIX bytes and the header; LONGEST_HEAD bytes always suffice.

    Raises:
        EntryRefused: it does not begin as an envelope.
    """
    prefix = _prefix(start)
    if len(start) < PREFIX + prefix.header:
        raise EntryRefused("length")
    header = _header(start[PREFIX : PREFIX + prefix.header])
    expires, price = Instant(header.expires), MicroDollars(header.price)
    return Head(key, header.label, prefix.sequence, prefix.created, expires, price, size)


def identity(entry: Entry | Head) -> tuple[int, int]:
    """What tells this entry of a key from a later one."""
    return entry.sequence, entry.created


def _prefix(raw: bytes) -> _Prefix:
    if len(raw) < PREFIX:
        raise EntryRefused("length")
    magic, version, flags, sequence, created, key_id, header, stored, length = _PREFIX.unpack_from(raw)
    if magic != _MAGIC:
        raise EntryRefused("magic")
    if version != _VERSION:
        raise EntryRefused("version")
    if flags & ~_KNOWN_FLAGS or (flags & _ENCRYPTED and not flags & _KEYED):
        raise EntryRefused("flags")
    if not flags & _KEYED and key_id != _UNKEYED_ID:
        raise EntryRefused("key_id")
    if header > _LONGEST_HEADER:
        raise EntryRefused("length")
    if created > LATEST:
        raise EntryRefused("header")
    return _Prefix(flags, sequence, Instant(created), key_id, header, stored, length)


def _packed(entry: Entry) -> bytes:
    label = entry.label
    told = (entry.expires, entry.price, label.kind, label.tenant, label.provider, label.tags)
    try:
        header = msgspec.msgpack.encode(_Header(*told, entry.kept, entry.took, entry.error, entry.failures))
    except UnicodeEncodeError:  # a lone surrogate
        raise EntryRefused("header") from None
    if len(header) > _LONGEST_HEADER or max(entry.created, entry.kept) > LATEST:  # kept is never before expires
        raise EntryRefused("header")
    return header


def _header(raw: bytes) -> _Header:
    try:
        return _headers.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):  # msgspec lets the last two through
        raise EntryRefused("header") from None


def _decrypted(stored: bytes, secret: Secret, tenant: str, bound: bytes) -> bytes:
    try:
        return secret.cipher(tenant).decrypt(stored[:NONCE], stored[NONCE:], bound)
    except InvalidTag:
        raise EntryRefused("cipher") from None


def _seal(secret: Secret | None, name: str, body: bytes) -> bytes:
    digest = blake3(key=secret.key) if secret is not None else blake3()
    digest.update(_prefixed(name))
    digest.update(body)
    return digest.digest()


def _prefixed(name: str) -> bytes:
    """*name* behind its length, so that nothing of what follows can be taken for a part of it."""
    written = name.encode()
    return len(written).to_bytes(4, "big") + written
