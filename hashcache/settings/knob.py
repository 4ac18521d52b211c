"""One knob: an environment variable, its shape, and what it is for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Knob:
    """
    One environment variable. *read* turns its text into a value or raises `Malformed`; a *default* of None means
    that it may be missing. The value of a *secret* one is never shown. *example* is valid as it stands, but for
    those that begin with `$(`: the command that makes a good one.
    """

    name: str
    into: str
    read: Callable[[str], Any]
    what: str
    example: str
    default: str | None = None
    secret: bool = False
