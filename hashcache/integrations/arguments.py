"""
Arguments in canonical order, and the digest that stands for them in a key.

Rule 1: equal calls have equal digests, however they are written: by position or by name, with defaults said or not,
        dicts and sets in any order.
Rule 2: different values differ: 1, 1.0, True and "1" do, a list and a tuple do, an enum and its value do. Each value
        is written with its type and its length before it is digested, so none can pretend to be two.
Rule 3: what has no canonical form is refused at the first call, by the name of the argument: a key that depended on
        an address in memory would never be met again.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from pathlib import PurePath
from typing import Any
from uuid import UUID

import msgspec
from blake3 import blake3

_CONTEXT = "hashcache 2026-11-21 arguments of a call, version 1"
_DEEPEST = 100
_SIZE = 16


class NoCanonicalForm(TypeError):
    """A value that cannot be told from others by what it holds."""


def digest_of(value: object, name: str) -> str:
    """
    128 bits that stand for *value*, in hexadecimal. *name* is what the caller calls it.

    Raises:
        NoCanonicalForm: it has no canonical form; the message names it.
    """
    return digest_of_all({name: value}, names=False)


def digest_of_all(arguments: Mapping[str, object], *, names: bool = True) -> str:
    """
    128 bits that stand for all of *arguments*, and, unless *names* is False, for what they are called.

    Raises:
        NoCanonicalForm: one of them has no canonical form; the message names it and says what to do.
    """
    digest = blake3(derive_key_context=_CONTEXT)
    for name, value in arguments.items():
        try:
            written = canonical(value)
        except NoCanonicalForm as error:
            raise NoCanonicalForm(
                f"the argument {name!r} {error}, so no key can be made of it; give one by key=, such as "
                f'key="name:{{id}}" or key=lambda ...: "name:" + ...'
            ) from None
        digest.update(_framed(b"=", name.encode() if names else b""))
        digest.update(written)
    return digest.hexdigest(_SIZE)


def canonical(value: object, depth: int = 0) -> bytes:
    """
    The bytes that stand for *value* and no other. *depth*: how deep it lies in another.

    Raises:
        NoCanonicalForm: there are none.
    """
    write = _WRITERS.get(type(value))
    if write is not None:
        return write(value)
    if depth > _DEEPEST:
        raise NoCanonicalForm("is nested too deeply, or holds itself")
    if isinstance(value, Enum):
        return _framed(b"e", _class(value), value.name.encode())
    if isinstance(value, type):
        return _framed(b"c", f"{value.__module__}.{value.__qualname__}".encode())
    if is_dataclass(value):
        named = {one.name: getattr(value, one.name) for one in fields(value) if one.compare}
        return _framed(b"o", _class(value), _pairs(named, depth))
    if isinstance(value, msgspec.Struct):
        return _framed(
            b"o", _class(value), _pairs({name: getattr(value, name) for name in value.__struct_fields__}, depth)
        )
    # Of a subclass its class counts too: a NamedTuple is no tuple, a text marked as safe no text.
    for plain, form in _CONTAINERS.items():
        if isinstance(value, plain):
            own = b"" if type(value) is plain else _class(value)
            return _framed(form, own, _contents(value, depth))
    for plain, write in _WRITERS.items():
        if isinstance(value, plain):
            return _framed(b"x", _class(value), write(value))
    raise NoCanonicalForm(f"is a {type(value).__qualname__}, which has no canonical form")


def _contents(value: Any, depth: int) -> bytes:
    if isinstance(value, Mapping):
        return _pairs(value, depth)
    parts = [canonical(one, depth + 1) for one in value]
    return b"".join(_framed(b",", part) for part in (sorted(parts) if isinstance(value, set | frozenset) else parts))


def _pairs(value: Mapping[Any, object], depth: int) -> bytes:
    return b"".join(
        sorted(_framed(b":", canonical(name, depth + 1), canonical(one, depth + 1)) for name, one in value.items())
    )


def _framed(form: bytes, *parts: bytes) -> bytes:
    """*parts*, each after its length, after the letter of their *form*."""
    if len(parts) == 1:
        return form + len(parts[0]).to_bytes(8, "big") + parts[0]
    return form + b"".join(len(part).to_bytes(8, "big") + part for part in parts)


def _class(value: object) -> bytes:
    return f"{type(value).__module__}.{type(value).__qualname__}".encode()


def _float(value: float) -> bytes:
    return _framed(b"f", b"nan" if value != value else struct.pack(">d", value))  # noqa: PLR0124 - only NaN is not itself


def _datetime(value: datetime) -> bytes:
    zone = b"" if value.tzinfo is None else str(value.tzinfo).encode()
    return _framed(b"w", value.isoformat().encode(), bytes([value.fold]), zone)


def _time(value: time) -> bytes:
    zone = b"" if value.tzinfo is None else str(value.tzinfo).encode()
    return _framed(b"t", value.isoformat().encode(), bytes([value.fold]), zone)


def _delta(value: timedelta) -> bytes:
    return _framed(b"l", b"%d" % (value // timedelta.resolution))


#: How a value of exactly this type is written.
_WRITERS: dict[type, Callable[[Any], bytes]] = {
    type(None): lambda _: b"n",
    bool: lambda value: b"1" if value else b"0",
    int: lambda value: _framed(b"i", value.to_bytes(value.bit_length() // 8 + 1, "big", signed=True)),
    float: _float,
    complex: lambda value: _framed(b"k", _float(value.real), _float(value.imag)),
    str: lambda value: _framed(b"s", value.encode(errors="surrogatepass")),
    bytes: lambda value: _framed(b"b", value),
    bytearray: lambda value: _framed(b"a", value),
    Decimal: lambda value: _framed(b"d", str(value).encode()),
    UUID: lambda value: _framed(b"u", value.bytes),
    datetime: _datetime,  # before date, whose subclass it is
    date: lambda value: _framed(b"y", value.isoformat().encode()),
    time: _time,
    timedelta: _delta,
    PurePath: lambda value: _framed(b"p", str(value).encode(errors="surrogatepass")),
    range: lambda value: _framed(b"r", repr(value).encode()),
}
#: Of what a value's content counts, and the letter for it.
_CONTAINERS: dict[type, bytes] = {list: b"L", tuple: b"T", dict: b"D", set: b"S", frozenset: b"F", Mapping: b"M"}
