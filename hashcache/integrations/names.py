"""
Names of the library's entries: from what users write to keys and selectors, and back.

    agents:list:7   ->   app : agents:list:7:$ : all          (space : name : variant)
    agents:*        ->   app:agents:*:$:*

Rule 1: all lies in the space `app`, and every selector made here is confined to it: what the service has paid for in
        the same store is never touched.
Rule 2: a name ends in `:$`, which nothing else in it can spell. So a pattern means what it seems to mean: `agents:*`
        does not mean `agents` itself, nor does `*:list` mean `agents:list:7`. A pattern without `*` means that
        name and everything below it, for every user.
Rule 3: what a key may not hold (blanks, braces, `*`, `%`, `$`, lone surrogates) is percent-encoded, so different names
        stay different. Nothing is normalised. A very long name ends in a digest of the whole.
Rule 4: the variant tells whose answer it is: `all`, or a digest of the user, whose name is written nowhere.
"""

from __future__ import annotations

import re
from urllib.parse import unquote

from blake3 import blake3

from hashcache.core.barrier import Selector
from hashcache.core.errors import PatternError
from hashcache.core.key import Key

SPACE = "app"
#: Whose answer it is that belongs to nobody alone.
SHARED = "all"
_END = ":$"
_SPECIAL = re.compile(r"[\x00-\x20{}*%$\x7f\ud800-\udfff]")
_LONGEST, _HEAD = 480, 440
_USER = "hashcache 2026-11-21 user of an entry, version 1"


def escaped(text: str) -> str:
    """*text* as it stands in a name."""
    return _SPECIAL.sub(lambda found: _percent(found.group()), text)


def key_of(name: str, user: str | None = None) -> Key:
    """
    The key of *name*, for everybody or for *user*.

    Raises:
        TypeError: it is no text. PatternError: it is empty.
    """
    if not isinstance(name, str):
        raise TypeError(f"a key is a str, not {type(name).__name__}: {name!r}")
    if not name:
        raise PatternError("a key has at least one character")
    return Key(SPACE, _bounded(escaped(name)) + _END, variant_of(user))


def name_of(key: Key) -> str:
    """What users call *key*."""
    return unquote(key.name.removesuffix(_END), errors="surrogatepass")


def variant_of(user: str | None) -> str:
    """
    Whose answer: of everybody (None), or of *user*.

    Raises:
        TypeError: it is no text. PatternError: it is empty, as of somebody who is not logged in.
    """
    if user is None:
        return SHARED
    if not isinstance(user, str):
        raise TypeError(f"a user is a str, not {type(user).__name__}")
    if not user:
        raise PatternError("a user has at least one character")
    return "u-" + blake3(user.encode(errors="surrogatepass"), derive_key_context=_USER).hexdigest(16)


def selector(
    pattern: str | None = None, *, kind: str | None = None, tag: str | None = None, user: str | None = None
) -> Selector:
    """
    What is meant by all of these together; by none of them: everything in the space.

    Raises:
        PatternError: one of them is malformed.
    """
    tenant = None if user is None else variant_of(user)
    return Selector(pattern=_confined(pattern), kind=kind, tag=tag, tenant=tenant)


def meant(pattern: str | None, kind: str | None, tag: str | None, user: str | None) -> Selector:
    """
    What is to be forgotten: all that fits everything that is said.

    Raises:
        TypeError: nothing is said. PatternError: malformed.
    """
    if pattern is None and kind is None and tag is None and user is None:
        raise TypeError("say what is meant: a pattern, type=, tag= or user=; clear() forgets everything")
    return selector(pattern, kind=kind, tag=tag, user=user)


def pattern_of(selector: Selector) -> str | None:
    """The pattern of *selector* as users write it; None: nothing of ours is meant."""
    text = "*" if selector.pattern is None else selector.pattern
    head = f"{SPACE}:"
    if not text.startswith(head):
        fixed, star, _ = text.partition("*")
        return text if star and head.startswith(fixed) else None
    plain = text.removeprefix(head).removesuffix(f"{_END}:*")
    return "*".join(unquote(piece, errors="surrogatepass") for piece in plain.split("*"))


def _confined(pattern: str | None) -> str:
    if pattern is None or pattern == "*":
        return f"{SPACE}:*"
    if not isinstance(pattern, str):
        raise TypeError(f"a pattern is a str, not {type(pattern).__name__}")
    if not pattern:
        raise PatternError("a pattern has at least one character; * means everything")
    if "*" not in pattern:
        return f"{SPACE}:{_bounded(escaped(pattern))}"
    return f"{SPACE}:{'*'.join(map(escaped, pattern.split('*')))}{_END}:*"


def _bounded(name: str) -> str:
    """*name*, or its first part and a digest: `%%` cannot come of escaping."""
    if len(name) <= _LONGEST:
        return name
    return f"{name[:_HEAD]}%%{blake3(name.encode()).hexdigest(16)}"


def _percent(letter: str) -> str:
    return "".join(f"%{byte:02X}" for byte in letter.encode(errors="surrogatepass"))
