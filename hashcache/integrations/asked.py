"""One question to a cache of the library."""

from __future__ import annotations

from dataclasses import dataclass

from hashcache.core.entry import Label
from hashcache.core.key import Key
from hashcache.integrations import names
from hashcache.integrations.types import Type, check_tag
from hashcache.integrations.values import Values


@dataclass(frozen=True, slots=True)
class Asked:
    """
    One question: under which *key*, as which *kind*, with which *tags*, its answers written by *values*, for *user* or
    (None) for everybody.
    """

    key: Key
    kind: Type
    tags: tuple[str, ...]
    values: Values
    user: str | None = None

    @property
    def label(self) -> Label:
        """What invalidations look at. Whose it is also chooses the key with which it is encrypted."""
        return Label(self.kind.name, self.key.variant, names.SPACE, self.tags)


def asked_of(key: str, kind: Type, tags: tuple[str, ...], user: str | None, values: Values) -> Asked:
    """
    What is asked under a *key* of the user's own.

    Raises:
        TypeError: the *kind* is kept for each user, and nobody says whose it is. PatternError, ValueError: malformed.
    """
    if kind.scope == "user" and user is None:
        raise TypeError(f"type {kind.name!r} is kept for each user: say whose it is by user=")
    return Asked(names.key_of(key, user), kind, (*kind.tags, *map(check_tag, tags)), values, user)
