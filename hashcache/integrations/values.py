"""
Values and the bytes that are kept of them.

Rule 1: what comes back is what went in: the value is read back before it is kept, and compared, types included. What
        JSON would change (a tuple, NaN, a key that is a number) is an error that says where it lies.
Rule 2: a function's annotated result tells how its JSON is read: dataclasses, datetimes, tuples and all else that
        msgspec knows come back as they were. Plain JSON values, bytes and texts do so whatever is annotated.
Rule 3: never pickle: whoever can write to the store would run code here. A codec of the user's own is his own choice.
Rule 4: the first byte tells how the rest is to be read; a reader who expects another way finds nothing.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any, Protocol

import msgspec

_JSON, _PLAIN, _BYTES, _TEXT = b"j", b"p", b"b", b"s"
#: The form of what a codec of the user's own has written.
OWN = b"c"
_PLAINLY = msgspec.json.Decoder()


class Codec(Protocol):
    """How values of one's own become bytes, and bytes values. May raise anything: then nothing is kept, or found."""

    def encode(self, value: Any) -> bytes:
        """The bytes of *value*."""
        ...

    def decode(self, raw: bytes) -> Any:
        """The value of *raw*."""
        ...


class NotKept(TypeError):
    """A value cannot be kept, because it would not come back as it is. The message says which part of it."""


class NotRead(Exception):
    """What is kept is of another shape than what is expected: as good as nothing."""


class Values:
    """Reads and writes values of one shape: of the type *shape* (Any: plain JSON values), or by *codec*."""

    def __init__(self, shape: Any = Any, codec: Codec | None = None) -> None:
        self._codec = codec
        try:
            self._decoder: msgspec.json.Decoder[Any] = msgspec.json.Decoder(shape)
        except (TypeError, NameError):  # an annotation that msgspec cannot build: plain JSON values, checked as such
            self._decoder = _PLAINLY

    def encode(self, value: Any) -> bytes:
        """
        The payload of *value*.

        Raises:
            NotKept: it would not come back as it is.
        """
        if self._codec is not None:
            return OWN + self._encoded(self._codec, value)
        if type(value) is bytes:
            return _BYTES + value
        if type(value) is str:
            try:
                return _TEXT + value.encode()
            except UnicodeEncodeError:
                raise NotKept("the value is a text with a lone surrogate, which no UTF-8 can hold") from None
        try:
            raw = msgspec.json.encode(value)
        except (TypeError, ValueError, msgspec.MsgspecError, RecursionError) as error:
            raise NotKept(f"{_culprit(value)} cannot be kept as JSON ({error}); {_ADVICE}") from None
        where = self._difference(value, raw, self._decoder)
        if where is None:
            return _JSON + raw
        if self._difference(value, raw, _PLAINLY) is None:  # not what was annotated: 1 for a float, say
            return _PLAIN + raw
        raise NotKept(f"{where} would not come back as it is; {_ADVICE}")

    def decode(self, payload: bytes) -> Any:
        """
        The value of *payload*.

        Raises:
            NotRead: it is none of this shape.
        """
        form, raw = payload[:1], payload[1:]
        if (form == OWN) is not (self._codec is not None):
            raise NotRead("another codec wrote it")
        try:
            if self._codec is not None:
                return self._codec.decode(raw)
            match form:
                case b"j":
                    return self._decoder.decode(raw)
                case b"p":
                    return _PLAINLY.decode(raw)
                case b"b":
                    return raw
                case b"s":
                    return raw.decode()
        except Exception as error:  # a codec may raise anything
            raise NotRead(str(error)) from error
        raise NotRead("of a form that is not known")

    @staticmethod
    def _difference(value: Any, raw: bytes, decoder: msgspec.json.Decoder[Any]) -> str | None:
        """Which part of *value* does not come back from *raw* as it was."""
        try:
            return difference(value, decoder.decode(raw))
        except (ValueError, msgspec.MsgspecError, RecursionError):
            return f"the value ({type(value).__qualname__})"

    @staticmethod
    def _encoded(codec: Codec, value: Any) -> bytes:
        try:
            raw: object = codec.encode(value)
        except Exception as error:
            raise NotKept(f"the codec refuses the value: {error}") from error
        if not isinstance(raw, bytes):
            raise NotKept(f"the codec gives {type(raw).__qualname__} instead of bytes")
        return raw


_ADVICE = (
    "return values of JSON (dict with str keys, list, str, int, finite float, bool, None), annotate what the function "
    "returns, or give codec="
)


def difference(one: Any, other: Any, path: str = "the value") -> str | None:
    """The first part in which two values differ, types included, and its type; None: they are the same."""
    if type(one) is not type(other):
        return f"{path} ({type(one).__qualname__})"
    if isinstance(one, dict):
        if one.keys() != other.keys() or list(map(type, one)) != list(map(type, other)):
            return f"a key of {path}"
        return _first(difference(one[key], other[key], f"{path}[{key!r}]") for key in one)
    if isinstance(one, list | tuple):
        if len(one) != len(other):
            return path
        return _first(difference(a, b, f"{path}[{at}]") for at, (a, b) in enumerate(zip(one, other, strict=True)))
    if is_dataclass(one):
        names = [field.name for field in fields(one)]
    elif isinstance(one, msgspec.Struct):
        names = list(one.__struct_fields__)
    else:
        return None if one == other else f"{path} ({type(one).__qualname__})"
    return _first(difference(getattr(one, name), getattr(other, name), f"{path}.{name}") for name in names)


def _first(found: Any) -> str | None:
    return next((one for one in found if one is not None), None)


def _culprit(value: Any, path: str = "the value") -> str:
    """The part of *value* that is to blame for an error of JSON, as far as that can be told."""
    if isinstance(value, Mapping):
        parts = [(f"{path}[{key!r}]", one) for key, one in value.items()]
    elif isinstance(value, list | tuple):
        parts = [(f"{path}[{at}]", one) for at, one in enumerate(value)]
    else:
        return f"{path} ({type(value).__qualname__})"
    for where, part in parts:
        if isinstance(part, float) and not math.isfinite(part):
            return where
        try:
            msgspec.json.encode(part)
        except (TypeError, ValueError, msgspec.MsgspecError, RecursionError):
            return where if part is value else _culprit(part, where)
    return f"{path} ({type(value).__qualname__})"
