"""
Bytes of an upload, hashed, told apart and kept while they stream in.

Rule 1: memory is bounded whatever arrives: up to IN_MEMORY bytes are held, more go to an unnamed spool file; both
        take room, and where there is none an upload is refused.
Rule 2: a file is refused as soon as it is known to be refused, not when it is complete.
Rule 3: hashing and writing what is spooled happens in a thread, a megabyte at a time.
"""

from __future__ import annotations

import asyncio
import tempfile
from dataclasses import dataclass, field
from time import perf_counter
from typing import IO

from hashcache.api.admission import Room, Share
from hashcache.api.arrival import Pace
from hashcache.api.bodies import MemoryBody, SpooledBody
from hashcache.api.known import Known
from hashcache.core.content import HEAD, Content, Kind, Utf8, sniff
from hashcache.core.digest import Digest, Hasher
from hashcache.core.errors import ContentTooLarge, EmptyContent, SpoolFull, TextNotUtf8, UnsupportedContent
from hashcache.ports import Body
from hashcache.settings import Settings

IN_MEMORY = 16 * 1024 * 1024
_BATCH = 1024 * 1024
#: Smaller chunks are gathered into one of this size: as an object each, single bytes would take fifty times their size.
_GATHERED = 4096
_KINDS = "JPEG, PNG, GIF, WebP, AVIF, HEIC, TIFF, BMP; MP4, MOV, WebM, MKV, AVI; or UTF-8 text"


@dataclass(frozen=True, slots=True)
class Limits:
    """
    What an upload may be. *known*: digests learnt here, that spare a second hash.

    Sizes in bytes; *pace* bounds how slowly a body may come, *room* how much of all uploads is held at a time.
    """

    upload: int
    text: int
    pace: Pace
    room: Room
    spool: str | None
    known: Known = field(repr=False)

    @property
    def json(self) -> int:
        """As much as JSON with a text may have: it may write a character in six bytes, and the object needs some."""
        return self.text * 6 + 1024

    @classmethod
    def of(cls, settings: Settings, room: Room) -> Limits:
        """Those that are set, with nothing learnt yet."""
        return cls(
            upload=settings.max_upload,
            text=settings.max_text,
            pace=Pace(idle=settings.upload_idle.total_seconds(), rate=settings.upload_rate),
            room=room,
            spool=settings.spool_dir,
            known=Known(),
        )


class Intake:
    """
    Takes one upload in. Feed it, then `finish` it; `close` it in any case (after `finish` that does nothing).

    *declared*: the kind that the client insists on: text for a text, image or video for "no text, please".
    *expected*: the number of bytes that were announced, if any. *tenant*: whose uploads may teach us digests.
    *share*: room that was taken for it already.
    """

    def __init__(
        self,
        limits: Limits,
        *,
        tenant: str,
        declared: Kind | None = None,
        expected: int | None = None,
        share: Share | None = None,
    ) -> None:
        self._limits = limits
        self._tenant = tenant
        self._declared = declared
        self._most = limits.text if declared is Kind.TEXT else limits.upload
        self._hasher = Hasher()
        self._utf8 = Utf8()
        self._head = b""
        self._told: tuple[Kind, str] | None = None
        self._held: list[bytes] = []
        self._held_size = 0
        self._size = 0
        self._file: IO[bytes] | None = None
        self._hashing = 0.0
        self._share = share or limits.room.share()
        if expected is not None and expected > self._most:
            raise self._too_large()
        if share is None:
            self._share.announce(expected, most=self._most)
        self._spool_at_once = expected is not None and expected > IN_MEMORY

    @property
    def hashing(self) -> float:
        """Seconds spent hashing so far."""
        return self._hashing

    async def feed(self, chunk: bytes) -> None:
        """
        Take the next bytes.

        Raises:
            ContentTooLarge, UnsupportedContent: it can only be refused from here on.
            SpoolFull: there is no room for it.
        """
        if not chunk:
            return
        self._size += len(chunk)
        if self._size > self._most:
            raise self._too_large()
        self._share.reach(self._size, most=self._most)
        self._tell(chunk)
        if self._file is None and (self._spool_at_once or self._held_size + len(chunk) > IN_MEMORY):
            await asyncio.to_thread(self._open_spool)
        if self._held and len(self._held[-1]) + len(chunk) <= _GATHERED:
            self._held[-1] += chunk
        else:
            self._held.append(chunk)
        self._held_size += len(chunk)
        if self._file is None:
            began = perf_counter()
            self._hasher.update(chunk)
            self._hashing += perf_counter() - began
        elif self._held_size >= _BATCH:
            await self._flush()

    async def finish(self, name: str | None = None) -> tuple[Content, Body]:
        """
        What was uploaded, and its bytes, which the caller closes.

        Raises:
            EmptyContent, ContentTooLarge, UnsupportedContent, TextNotUtf8, SpoolFull: why it is refused.
        """
        if not self._size:
            raise EmptyContent("nothing was uploaded: the content has no bytes")
        kind, media_type = self._kind()
        if self._file is not None:
            await self._flush()
            body: Body = SpooledBody(self._file, self._size, self._share)
            digest = self._hasher.finish(())
            self._file = None
        else:
            digest = await self._named()
            body = MemoryBody(self._held, self._share)
            self._held = []
        self._share.settle(self._size)
        self._share = self._limits.room.share()
        return Content(kind, media_type, digest, name), body

    async def close(self) -> None:
        """Free what `finish` did not hand over."""
        self._held = []
        self._share.close()
        if self._file is not None:
            self._file.close()
            self._file = None

    async def _named(self) -> Digest:
        """The digest of a body in memory; a known BLAKE3 spares SHA-256."""
        began = perf_counter()
        blake3 = self._hasher.blake3
        known = self._limits.known.find(self._tenant, blake3) if blake3 is not None else None
        if known is None and self._size > _BATCH:
            digest = await asyncio.to_thread(self._hasher.finish, self._held)
        else:
            digest = self._hasher.finish(self._held, known=known)
        if blake3 is not None and known is None:
            self._limits.known.learn(self._tenant, blake3, digest.value)
        self._hashing += perf_counter() - began
        return digest

    def _tell(self, chunk: bytes) -> None:
        """Find out as early as possible what it cannot be."""
        if len(self._head) < HEAD:
            self._head += chunk[: HEAD - len(self._head)]
            if self._declared is not Kind.TEXT:
                self._told = sniff(self._head)
        if self._told is not None:
            return
        self._utf8.update(chunk)
        if len(self._head) < HEAD:
            return
        if self._declared is not Kind.TEXT and (not self._utf8.possible or self._declared is not None):
            raise self._unsupported()
        if self._size > self._limits.text:
            raise self._too_large(self._limits.text)

    def _kind(self) -> tuple[Kind, str]:
        if self._told is not None:
            return self._told
        if self._declared not in (None, Kind.TEXT):
            raise self._unsupported()
        if not self._utf8.finish():
            if self._declared is Kind.TEXT:
                raise TextNotUtf8("the text is not UTF-8 without NUL bytes; convert it, or upload it as the file it is")
            raise self._unsupported()
        if self._size > self._limits.text:
            raise self._too_large(self._limits.text)
        return Kind.TEXT, "text/plain"

    def _unsupported(self) -> UnsupportedContent:
        return UnsupportedContent(f"the bytes are none of these: {_KINDS}")

    def _too_large(self, limit: int | None = None) -> ContentTooLarge:
        limit = self._most if limit is None else limit
        word = "a text" if limit == self._limits.text else "an upload"
        return ContentTooLarge(f"{word} may have {limit} bytes", limit=limit)

    def _open_spool(self) -> None:
        """Leave memory: SHA-256 catches up with what was hashed, and from now on both digests run along."""
        try:
            self._file = tempfile.TemporaryFile(dir=self._limits.spool, prefix="hashcache-", buffering=0)  # noqa: SIM115 - the body closes it
        except OSError as error:
            raise SpoolFull(f"no spool file can be opened: {error.strerror}") from error
        self._hasher.eager(self._held)
        self._write(self._held)
        self._held, self._held_size = [], 0
        self._share.spooled()

    async def _flush(self) -> None:
        batch, self._held, self._held_size = self._held, [], 0
        await asyncio.to_thread(self._hash_and_write, batch)

    def _hash_and_write(self, batch: list[bytes]) -> None:
        began = perf_counter()
        for chunk in batch:
            self._hasher.update(chunk)
        self._hashing += perf_counter() - began
        self._write(batch)

    def _write(self, batch: list[bytes]) -> None:
        if self._file is None:
            raise RuntimeError("the spool is written before it is open")
        try:
            for chunk in batch:
                view = memoryview(chunk)
                while view:
                    view = view[self._file.write(view) :]
        except OSError as error:
            raise SpoolFull(f"the upload cannot be spooled: {error.strerror}") from error
