"""
Which entries an invalidation means.

Rule 1: a selector means what matches all of its fields that are set; with none set, every entry.
Rule 2: a selector whose pattern spells the space of a key is *confined* to it: it means nothing of any other space, and
        neither does what is made of several of one space.
Rule 3: one *covers* another when it surely means all that the other means. Where that is not plain, it says no.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol, TypeVar

import msgspec

from hashcache.core.entry import Label
from hashcache.core.errors import PatternError
from hashcache.core.key import Key, Pattern

FIELDS = ("pattern", "kind", "tenant", "provider", "tag")


class Labelled(Protocol):
    """What a selector looks at."""

    @property
    def key(self) -> Key: ...
    @property
    def label(self) -> Label: ...


Chosen = TypeVar("Chosen", bound=Labelled)


class Selector(msgspec.Struct, frozen=True, omit_defaults=True):
    """Which entries are meant: those that match all fields that are set. With none set: every entry."""

    pattern: str | None = None
    kind: str | None = None
    tenant: str | None = None
    provider: str | None = None
    tag: str | None = None

    def __post_init__(self) -> None:
        if self.pattern is not None:
            Pattern(self.pattern)
        for name in FIELDS[1:]:
            text = getattr(self, name)
            if text is not None and not 0 < len(text) <= 128:
                raise PatternError(f"a {name} has 1 to 128 characters")

    def matches(self, labelled: Labelled) -> bool:
        """Whether *labelled* (an entry, its head, a flight towards it) is meant."""
        label = labelled.label
        return (
            (self.kind is None or self.kind == label.kind)
            and (self.tenant is None or self.tenant == label.tenant)
            and (self.provider is None or self.provider == label.provider)
            and (self.tag is None or self.tag in label.tags)
            and (self.pattern is None or self.pattern == "*" or Pattern(self.pattern).matches(labelled.key.logical))
        )

    def among(self, some: Iterable[Chosen]) -> list[Chosen]:
        """Those of *some* that `matches`, in their order: one field after the other, which many at a time are worth."""
        left = list(some)
        if self.kind is not None:
            left = [one for one in left if one.label.kind == self.kind]
        if self.tenant is not None:
            left = [one for one in left if one.label.tenant == self.tenant]
        if self.provider is not None:
            left = [one for one in left if one.label.provider == self.provider]
        if self.tag is not None:
            left = [one for one in left if self.tag in one.label.tags]
        if self.pattern is None or self.pattern == "*":
            return left
        if (space := self.space) is not None:
            left = [one for one in left if one.key.space == space]
        begin, star, rest = self.pattern.partition("*")
        if star and not rest and begin.count(":") == 1:  # no name of a key need be put together
            begin = begin.partition(":")[2]
            return [one for one in left if one.key.name.startswith(begin)]
        means = Pattern(self.pattern).matches
        return [one for one in left if means(f"{(key := one.key).space}:{key.name}:{key.variant}")]

    @property
    def space(self) -> str | None:
        """The space of keys that it is confined to; None: to none."""
        if self.pattern is None:
            return None
        text, star, _ = self.pattern.partition("*")
        space, colon, _ = text.partition(":")
        return space if colon or not star else None

    def covers(self, other: Selector) -> bool:
        """Whether it surely means all that *other* means."""
        if not all(getattr(self, name) in (None, getattr(other, name)) for name in FIELDS[1:]):
            return False
        if self.pattern is None or other.pattern is None:
            return self.pattern in (None, "*")
        # `a:*` means all that begins like this, and what another pattern means begins with its own text.
        head, star, rest = self.pattern.partition("*")
        return self.pattern == other.pattern or bool(star and not rest and _head(other.pattern).startswith(head))

    def __str__(self) -> str:
        return " ".join(f"{name}={getattr(self, name)}" for name in FIELDS if getattr(self, name) is not None) or "*"


def common(several: Sequence[Selector]) -> Selector:
    """
    The narrowest selector that means all that *several* (one at least) mean: of each field what they agree about, of
    patterns how they all begin. If they are confined to one space, so is it.
    """
    fields = {name: {getattr(one, name) for one in several} for name in FIELDS}
    agreed = {name: values.pop() for name, values in fields.items() if len(values) == 1}
    if "pattern" in agreed:
        return Selector(**agreed)
    begin = _beginning([_head(one.pattern or "*") for one in several])
    return Selector(**agreed, pattern=f"{begin}*" if begin else None)


def _head(pattern: str) -> str:
    """How every key begins that *pattern* means: `app` is a whole space, and not that of `apple`."""
    text, star, _ = pattern.partition("*")
    return text if star or ":" in text else f"{text}:"


def _beginning(texts: Sequence[str]) -> str:
    """How all of *texts* begin: as the first and the last of them in their order do."""
    first, last = min(texts), max(texts)
    return next((first[:at] for at, letter in enumerate(first) if letter != last[at : at + 1]), first)
