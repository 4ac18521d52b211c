"""
A vendor's reply as the JSON document that it is, read without holding up anybody.

Rule 1: it is JSON to the letter, and no deeper than what can be written again.
Rule 2: a large one is read in a thread, and in pieces: what is read by one call of the parser lets no other thread run
        before it is done, 40 ms for 4 MB. A container that is larger than a piece is only taken apart, and then each of
        its members is read by itself. What is left of it is written there too, and let go of: another 30 ms.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any, TypeVar

import msgspec
from msgspec import structs

from hashcache.core.errors import ProviderInvalid
from hashcache.ports import Answer

#: Deepest nesting of an answer.
DEEPEST = 32
#: A reply of so many bytes is read within a few milliseconds.
_SMALL = 64 * 1024
#: So much is read by one call of the parser, in bytes.
_PIECE = 256 * 1024
_MEMBERS = msgspec.json.Decoder(dict[str, msgspec.Raw])
_ELEMENTS = msgspec.json.Decoder(list[msgspec.Raw])
Found = TypeVar("Found", Answer, Answer | None)


async def aside(read: Callable[[], Found], *, size: int) -> Found:
    """What *read* makes of a reply of *size* bytes; of a large one in a thread, the vendor's part as JSON already."""
    return read() if size <= _SMALL else await asyncio.to_thread(_written, read)


def _written(read: Callable[[], Found]) -> Found:
    found = read()
    if found is None:
        return None
    document = msgspec.Raw(msgspec.json.encode(found.result.answer))
    return replace(found, result=structs.replace(found.result, answer=document))


def read_json(provider: str, raw: bytes, *, piece: int = _PIECE) -> Any:
    """
    The JSON document in *raw* (RFC 8259: no NaN, no Infinity), nested at most DEEPEST deep; taken apart where more than
    *piece* bytes belong together.

    Raises:
        ProviderInvalid: it is none; possibly paid, since the vendor answered.
    """
    try:
        document = _pieced(raw, piece, DEEPEST)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise ProviderInvalid(provider, f"{provider} sent what is not JSON", possibly_paid=True) from None
    except RecursionError:
        raise _too_deep(provider) from None
    level = _containers([document])
    for _ in range(DEEPEST):
        if not level:
            return document
        level = _containers(inner for outer in level for inner in (outer.values() if type(outer) is dict else outer))
    if level:
        raise _too_deep(provider)
    return document


def _pieced(raw: bytes | msgspec.Raw, piece: int, deepest: int) -> Any:
    """What *raw* says; RecursionError where it is taken apart more than *deepest* levels deep."""
    if len(raw) <= piece:
        return msgspec.json.decode(raw)
    if deepest < 0:
        raise RecursionError
    first = bytes(memoryview(raw)[:piece]).lstrip(b" \t\n\r")[:1]
    if first == b"{":
        return {name: _pieced(inner, piece, deepest - 1) for name, inner in _MEMBERS.decode(raw).items()}
    if first == b"[":
        return [_pieced(inner, piece, deepest - 1) for inner in _ELEMENTS.decode(raw)]
    return msgspec.json.decode(raw)


def _containers(documents: Iterable[Any]) -> list[Any]:
    return [one for one in documents if type(one) in (dict, list)]


def _too_deep(provider: str) -> ProviderInvalid:
    message = f"{provider} sent JSON nested more than {DEEPEST} deep"
    return ProviderInvalid(provider, message, possibly_paid=True)
