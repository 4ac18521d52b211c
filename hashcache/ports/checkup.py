"""What an operator wants to know of a store's server before he trusts it with money."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class StoreFacts:
    """
    What the server tells of itself; what it does not tell is None.

    *milliseconds* of several round trips. *skew*: milliseconds by which its clock is ahead of ours. *policy*: of
    eviction (`noeviction`, ...). *persistent*: it keeps what it has over a restart. *clients* connected, of
    *most_clients*. *ours*, *other_environments* (each with its number of keys) and *foreign* are whose the *scanned*
    keys are; *strangers* begin with our prefix and are none of ours.
    """

    version: str | None
    milliseconds: tuple[float, ...]
    skew: int | None
    policy: str | None
    persistent: bool | None
    used: int | None
    most: int | None
    clients: int | None
    most_clients: int | None
    scanned: int
    ours: int
    other_environments: Mapping[str, int]
    foreign: int
    strangers: int
