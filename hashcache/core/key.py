"""
A question about a content, and the name of its answer. The only place that spells a key.

Rule 1: everything that changes the answer is in the key; nothing that rotates (a secret, an address) is.
Rule 2: parts are length-prefixed before they are digested, so ("ab", "c") and ("a", "bc") differ.
Rule 3: a *logical* name (`analysis:<sha256>:<variant>`) is what people see and patterns match;
        a *physical* name (`hashcache:<env>:analysis:{<sha256>}:<variant>`) is what a store holds. The braces keep
        all records of one entry in one Redis Cluster slot (Redis Cluster specification, "hash tags").
Rule 4: a pattern is matched here, by us; no caller's glob reaches a store.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Self

import msgspec
from blake3 import blake3

from hashcache.core.content import Kind
from hashcache.core.errors import PatternError

_VARIANT_CONTEXT = "hashcache 2026-11-20 variant of a key, version 1"
_NAME = re.compile(r"[^\x00-\x20{}*\x7f]{1,512}")
_WORD = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_PHYSICAL = re.compile(r"([^:{}]+):\{([^{}]+)\}:([^:{}]+)")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
LONGEST_PATTERN = 1024


@dataclass(frozen=True, slots=True)
class Question:
    """
    What is asked about a content.

    *parameters* are those that change the answer; *adapter* is the version of our own reading of the vendor's
    answer; *epoch* is raised by an operator when the vendor's model changed without saying so.
    """

    kind: Kind
    tenant: str
    provider: str
    model: str
    adapter: int = 1
    epoch: int = 0
    parameters: Mapping[str, str] = field(default_factory=dict)

    @property
    def variant(self) -> str:
        """128 bits of BLAKE3 over all of the above, in hexadecimal."""
        digest = blake3(derive_key_context=_VARIANT_CONTEXT)
        parts = [self.kind.value, self.tenant, self.provider, self.model, str(self.adapter), str(self.epoch)]
        for name in sorted(self.parameters):
            parts += [name, self.parameters[name]]
        for part in parts:
            raw = part.encode()
            digest.update(len(raw).to_bytes(8, "big"))
            digest.update(raw)
        return digest.hexdigest(16)


class Key(msgspec.Struct, frozen=True):
    """
    The name of one answer: *space* groups entries with one life (`analysis`, `text`), *name* says of what
    (a SHA-256), *variant* which question.
    """

    space: str
    name: str
    variant: str

    def __post_init__(self) -> None:
        if not (_WORD.fullmatch(self.space) and _WORD.fullmatch(self.variant) and _NAME.fullmatch(self.name)):
            raise PatternError(f"{self.space!r}, {self.name!r} and {self.variant!r} make no key")

    @classmethod
    def of(cls, sha256: str, question: Question) -> Self:
        """The key of *question* about the content with this SHA-256 (lower-case hexadecimal)."""
        return cls.under(sha256, question.kind, question.variant)

    @classmethod
    def under(cls, sha256: str, kind: Kind, variant: str) -> Self:
        """The same where the *variant* of the question about a content of *kind* is known."""
        return cls("text" if kind is Kind.TEXT else "analysis", sha256, variant)

    @classmethod
    def parse(cls, logical: str) -> Self:
        """
        The key with this logical name.

        Raises:
            PatternError: it is none.
        """
        space, _, rest = logical.partition(":")
        name, _, variant = rest.rpartition(":")
        return cls(space, name, variant)

    @property
    def logical(self) -> str:
        """`space:name:variant`, for people, headers and patterns."""
        return f"{self.space}:{self.name}:{self.variant}"

    @property
    def short(self) -> bytes:
        """16 bytes that stand for it where nobody should read whose content it names: BLAKE3 of the logical name."""
        return blake3(self.logical.encode()).digest(16)


class Names:
    """Physical names in one environment; every record of hashcache in a shared store begins with `prefix`."""

    def __init__(self, environment: str) -> None:
        self.prefix = f"hashcache:{environment}:"
        self.barrier = f"{self.prefix}books:barrier"
        self.counters = f"{self.prefix}books:counters"
        # The records of the ledger are changed in one act, so they lie in the slot of the counters.
        self.hits = f"{self.prefix}books:hits:{{{self.counters}}}"
        self.processes = f"{self.prefix}books:processes:{{{self.counters}}}"

        # So are those of the accounts, to which a batch of the ledger may add.
        self.accounts = f"{self.prefix}books:accounts:{{{self.counters}}}"
        self.money = f"{self.prefix}books:money:{{{self.counters}}}"

        # Letters that wait to be sent have a slot of their own.
        self.outbox = f"{self.prefix}books:outbox"
        self.due = f"{self.prefix}books:due:{{{self.outbox}}}"

    def session(self, name: str) -> str:
        """Where the session of this *name* lies."""
        return f"{self.prefix}books:session:{name}"

    def days(self, month: str) -> str:
        """Where the lines of money of the days of a *month* lie, such as `2026-11`."""
        return f"{self.prefix}books:days:{{{self.counters}}}:{month}"

    def hour(self, number: int) -> str:
        """Where the series of the minutes of one hour lies, *number* hours after 1970 began."""
        return f"{self.prefix}books:hours:{{{self.counters}}}:{number}"

    def entry(self, key: Key) -> str:
        """Where the entry lies."""
        return f"{self.prefix}{key.space}:{{{key.name}}}:{key.variant}"

    def claim(self, key: Key) -> str:
        """Where the claim on it lies: beside it, in the same slot."""
        return f"{self.entry(key)}:claim"

    def tombstone(self, key: Key) -> str:
        """What forbids a purchase that was under way when the key was forgotten to be stored."""
        return f"{self.entry(key)}:forgotten"

    def parse(self, physical: str) -> Key | None:
        """The key whose *entry* has this name; None for claims, books and foreign names."""
        if not physical.startswith(self.prefix):
            return None
        found = _PHYSICAL.fullmatch(physical, len(self.prefix))
        try:
            return Key(*found.groups()) if found else None
        except PatternError:
            return None


@dataclass(frozen=True, slots=True)
class Pattern:
    """
    Which logical names are meant. `*` is the only wildcard (any characters, also none);
    a name without it means that name and everything below it (`analysis:<sha256>` covers its variants).
    """

    text: str
    _pieces: tuple[str, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_pieces", tuple(self.text.split("*")))
        if not self.text or len(self.text) > LONGEST_PATTERN:
            raise PatternError(f"a pattern has 1 to {LONGEST_PATTERN} characters")
        if _CONTROL.search(self.text):
            raise PatternError("a pattern holds no control characters")

    def matches(self, logical: str) -> bool:
        """Whether *logical* is meant. Linear in practice: no backtracking over several wildcards."""
        first = self._pieces[0]
        if not logical.startswith(first):
            return False
        at = len(first)
        if len(self._pieces) == 1:
            return len(logical) == at or logical[at] == ":"
        for piece in self._pieces[1:-1]:
            found = logical.find(piece, at)
            if found < 0:
                return False
            at = found + len(piece)
        last = self._pieces[-1]
        return len(logical) - at >= len(last) and logical.endswith(last)
