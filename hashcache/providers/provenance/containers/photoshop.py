"""
Photoshop image resources (Adobe Photoshop File Formats Specification), for the IPTC-IIM record in them.

IPTC-IIM 4.2: the data sets of record 2 are texts of people and programs; those that name who or what made the
picture are looked at.
"""

from __future__ import annotations

from collections.abc import Iterator

from hashcache.providers.provenance.pieces import Note

MOST_RECORDS = 500
_SIGNATURE = b"Photoshop 3.0\0"
_IPTC = 0x0404
_NAMES = {65: "OriginatingProgram", 80: "Byline", 110: "Credit", 115: "Source", 120: "Caption"}


def iptc(body: bytes, where: str) -> Iterator[Note]:
    """The texts of the IPTC-IIM record within an APP13 segment; nothing when it holds none."""
    if not body.startswith(_SIGNATURE):
        return
    at = len(_SIGNATURE)
    for _ in range(MOST_RECORDS):
        if body[at : at + 4] != b"8BIM" or at + 12 > len(body):
            return
        resource = int.from_bytes(body[at + 4 : at + 6], "big")
        at += 6 + (body[at + 6] + 2) // 2 * 2  # a name with its length before it, padded to an even number
        length = int.from_bytes(body[at : at + 4], "big")
        if resource == _IPTC:
            yield from records(body[at + 4 : at + 4 + length], where)
        at += 4 + length + length % 2


def records(body: bytes, where: str) -> Iterator[Note]:
    """The texts of an IPTC-IIM record; reading ends at the first thing that is none."""
    at = 0
    for _ in range(MOST_RECORDS):
        if body[at : at + 1] != b"\x1c" or at + 5 > len(body):
            return
        record, name, length = body[at + 1], body[at + 2], int.from_bytes(body[at + 3 : at + 5], "big")
        if length & 0x8000:  # an extended data set: pictures, no text of ours
            return
        if record == 2 and name in _NAMES:
            text = body[at + 5 : at + 5 + length].decode("utf-8", "replace")
            yield Note(_NAMES[name], f"{where} {_NAMES[name]}", text)
        at += 5 + length
