"""
The shapes that a setting's text may have, and what each becomes.

Rule 1: a shape is a function from text to value; it raises Malformed and nothing else.
Rule 2: a Malformed says what the text must be and never repeats it: it may be a secret.
Rule 3: MB is 10**6 and MiB is 2**20, as IEC 80000-13 has it; a bare M is refused, because it could be either.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Mapping
from datetime import timedelta
from decimal import Decimal
from urllib.parse import urlsplit

import msgspec

from hashcache.core.errors import MoneyError
from hashcache.core.money import MicroDollars, dollars


class Malformed(ValueError):
    """The text is not of the shape; the message begins with "must"."""


CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_DURATION = re.compile(r"([0-9]{1,12}(?:\.[0-9]{1,6})?) ?(ms|s|m|h|d)")
_UNITS = {
    "ms": timedelta(milliseconds=1),
    "s": timedelta(seconds=1),
    "m": timedelta(minutes=1),
    "h": timedelta(hours=1),
    "d": timedelta(days=1),
}
_SIZE = re.compile(r"([0-9]{1,18}(?:\.[0-9]{1,9})?) ?(b|[kmgt]i?b)?", re.IGNORECASE)
_POWERS = {"k": 1, "m": 2, "g": 3, "t": 4}
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}")  # a field name of RFC 9110 section 5.1
_FIELD_VALUE = re.compile(r"[\x21-\x7e](?:[\x20-\x7e\t]*[\x21-\x7e])?|")
_HOST = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9._-]{0,251}[A-Za-z0-9_])?")
_POINTER = re.compile(r"(?:/(?:[^~/]|~[01])*)+")  # RFC 6901, without the empty one
_SWITCH = {"1": True, "true": True, "yes": True, "on": True, "0": False, "false": False, "no": False, "off": False}
#: What the generic provider writes by itself: a second one would contradict it.
_OWN_FIELDS = frozenset(
    {"host", "content-type", "content-length", "transfer-encoding", "connection", "accept-encoding"}
)


def duration(*, least: timedelta, most: timedelta = timedelta(days=365)) -> Callable[[str], timedelta]:
    """`7d`, `12h`, `2.5s`, `250ms`: a length of time from *least* to *most*."""
    words = "must be a duration such as 7d, 12h, 90s or 250ms"

    def read(text: str) -> timedelta:
        found = _DURATION.fullmatch(text)
        if found is None:
            raise Malformed(words)
        microseconds = Decimal(found[1]) * (_UNITS[found[2]] // timedelta(microseconds=1))
        if not _microseconds(least) <= microseconds <= _microseconds(most):
            raise Malformed(f"{words}, from {spell(least)} to {spell(most)}")
        return timedelta(microseconds=int(microseconds))

    return read


def _microseconds(length: timedelta) -> int:
    return length // timedelta(microseconds=1)


def spell(length: timedelta) -> str:
    """*length* as a setting would have it, in the largest unit that fits."""
    unit = next(unit for unit in reversed(_UNITS) if not length % _UNITS[unit])
    return f"{length // _UNITS[unit]}{unit}"


def size(*, least: int = 1, most: int = 10**15) -> Callable[[str], int]:
    """`200MB`, `64MiB`, `1.5GB`, `4096`: a number of bytes from *least* to *most*."""
    words = "must be a number of bytes such as 200MB, 64MiB or 4096 (MB is 10^6, MiB 2^20)"

    def read(text: str) -> int:
        found = _SIZE.fullmatch(text)
        if found is None:
            raise Malformed(words)
        unit = (found[2] or "b").lower()
        step = 1024 if "i" in unit else 1000
        number = Decimal(found[1]) * step ** _POWERS.get(unit[0], 0)
        if number != number.to_integral_value():
            raise Malformed(f"{words}, and whole")
        if not least <= number <= most:
            raise Malformed(f"{words}, from {least} to {most} bytes")
        return int(number)

    return read


def whole(*, least: int, most: int) -> Callable[[str], int]:
    """A whole number from *least* to *most*."""

    def read(text: str) -> int:
        if not re.fullmatch(r"[0-9]{1,18}", text) or not least <= int(text) <= most:
            raise Malformed(f"must be a whole number from {least} to {most}")
        return int(text)

    return read


def share(text: str) -> float:
    """A number from 0 to 1."""
    if not re.fullmatch(r"[0-9]{0,3}(\.[0-9]{1,17})?", text) or not 0 <= float(text) <= 1:
        raise Malformed("must be a number from 0 to 1")
    return float(text)


def switch(text: str) -> bool:
    """On or off."""
    try:
        return _SWITCH[text.lower()]
    except KeyError:
        raise Malformed("must be 1 (on) or 0 (off)") from None


def price(text: str) -> MicroDollars:
    """An amount in US dollars."""
    try:
        return dollars(text)
    except MoneyError:
        raise Malformed("must be an amount in US dollars with at most six decimals, such as 0.01") from None


def word(pattern: str, words: str) -> Callable[[str], str]:
    """Text that *pattern* matches as a whole; *words* finishes the sentence "must be"."""
    compiled = re.compile(pattern)

    def read(text: str) -> str:
        if not compiled.fullmatch(text):
            raise Malformed(f"must be {words}")
        return text

    return read


def path(text: str) -> str:
    """A path of the file system; nobody looks there yet."""
    if len(text) > 4096 or CONTROL.search(text):
        raise Malformed("must be a path of at most 4096 characters, none of them a control character")
    return text


def host(text: str) -> str:
    """An address to listen on: IPv4, IPv6 (without brackets) or a host name."""
    if ":" in text:
        try:
            return str(ipaddress.IPv6Address(text))
        except ValueError:
            raise Malformed("must be an address without a port, such as 127.0.0.1, ::1 or 0.0.0.0") from None
    if not _HOST.fullmatch(text):
        raise Malformed("must be an address, such as 127.0.0.1, ::1 or 0.0.0.0")
    return text


def web_address(text: str) -> str:
    """The URL of an HTTP API. Credentials belong into its headers: a URL ends up in logs."""
    words = "must be an http:// or https:// URL of printable ASCII without user, password and fragment"
    try:
        parts = urlsplit(text)
        valid = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        raise Malformed(words) from None
    if not valid or "@" in parts.netloc or parts.fragment or not re.fullmatch(r"[\x21-\x7e]{1,2048}", text):
        raise Malformed(words)
    return text


def pointer(text: str) -> str:
    """A JSON Pointer (RFC 6901) that begins with a slash."""
    if not _POINTER.fullmatch(text):
        raise Malformed("must be a JSON Pointer (RFC 6901) such as /type/ai_generated")
    return text


def fields(text: str) -> Mapping[str, str]:
    """HTTP header fields as a JSON object of strings."""
    try:
        read = msgspec.json.decode(text, type=dict[str, str])
    except msgspec.DecodeError:
        raise Malformed("must be a JSON object of strings") from None
    if not all(_TOKEN.fullmatch(name) and _FIELD_VALUE.fullmatch(value) for name, value in read.items()):
        raise Malformed("must hold header names (RFC 9110 section 5.1) and values of printable ASCII")
    lowered = {name.lower() for name in read}
    if len(lowered) < len(read):
        raise Malformed("must hold each header once")
    if own := lowered & _OWN_FIELDS:
        raise Malformed(f"must not hold {', '.join(sorted(own))}: hashcache writes it")
    return read


def names(*known: str) -> Callable[[str], tuple[str, ...]]:
    """A list of some of *known*, each once, parted by commas, in an order that matters."""
    words = f"must be a list, parted by commas, of {', '.join(known)}"

    def read(text: str) -> tuple[str, ...]:
        found = tuple(part.strip() for part in text.split(","))
        if not set(found) <= set(known):
            raise Malformed(words)
        if len(set(found)) < len(found):
            raise Malformed(f"{words}, each once")
        return found

    return read
