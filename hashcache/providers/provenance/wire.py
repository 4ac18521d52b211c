"""
What the service and its child process say to each other over their socket.

    service -> child    Setup, once
    child -> service    Ready, once, behind its limits
    service -> child    Task, with the file's descriptor riding on its first byte (SCM_RIGHTS)
    child -> service    Report, one or more; the last one is complete

Rule 1: a frame is its length in four bytes (big-endian) and that much JSON; none is longer than LONGEST_FRAME.
Rule 2: the service believes the shape of what a child sends only after decoding it into these types.
"""

from __future__ import annotations

from typing import Any

import msgspec

from hashcache.core.content import Kind
from hashcache.providers.provenance.findings import Report

LONGEST_FRAME = 4_000_000


class Setup(msgspec.Struct, frozen=True):
    """
    *anchors*: trusted certificates in PEM. *memory*: bytes of address space. *cpu*: seconds of processor time for
    one file. *files*: after so many the child ends.
    """

    anchors: str
    memory: int
    cpu: int
    files: int


class Ready(msgspec.Struct, frozen=True):
    """The child is behind its limits. *library*: the version of the C2PA library, None without one."""

    library: str | None


class Task(msgspec.Struct, frozen=True):
    """Analyse the first *size* bytes of the file that comes along, within *seconds*."""

    kind: Kind
    media_type: str
    size: int
    seconds: float


def frame(message: Setup | Ready | Task | Report) -> bytes:
    """*message* as it goes over the socket."""
    body = msgspec.json.encode(message)
    return len(body).to_bytes(4, "big") + body


def length(head: bytes) -> int:
    """
    How long the frame is that begins with the four bytes *head*.

    Raises:
        ValueError: longer than any of ours.
    """
    announced = int.from_bytes(head, "big")
    if announced > LONGEST_FRAME:
        raise ValueError("a frame that is too long")
    return announced


def read(body: bytes, kind: type[Any]) -> Any:
    """
    The message of type *kind* in *body*.

    Raises:
        msgspec.DecodeError, msgspec.ValidationError: it is none.
    """
    return msgspec.json.decode(body, type=kind)
