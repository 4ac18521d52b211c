"""
The Lua scripts, one file each, and one with what some have in common; the server runs one as a single act.

Rule: all keys of a call lie in one slot (Redis Cluster specification, "hash tags"): an entry's, or one book's.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from importlib import resources
from itertools import chain

import msgspec

Word = str | bytes | int
Command = tuple[Word, ...]


def flat(rows: Iterable[tuple[Word, ...]]) -> Iterator[Word]:
    """The words of *rows*, one after the other."""
    return chain.from_iterable(rows)


@dataclass(frozen=True, slots=True)
class Script:
    """One script: its text, and the name by which a server knows it once it has run."""

    text: str
    digest: str = field(init=False)

    def __post_init__(self) -> None:
        # SHA-1 is how EVALSHA names a script; nothing is trusted because of it.
        object.__setattr__(self, "digest", hashlib.sha1(self.text.encode(), usedforsecurity=False).hexdigest())

    @classmethod
    def load(cls, *names: str) -> Script:
        """The script in the files *names*.lua beside this module, one after the other."""
        files = (resources.files(__package__).joinpath(f"{name}.lua") for name in names)
        return cls("".join(file.read_text(encoding="utf-8") for file in files))

    def call(self, keys: Sequence[str], *arguments: Word) -> Call:
        """To run it on *keys* with *arguments*."""
        return Call(self, (len(keys), *keys, *arguments))


class Call(msgspec.Struct, frozen=True):
    """One run of a script."""

    script: Script
    words: Command

    @property
    def short(self) -> Command:
        """As the server understands it once it knows the script."""
        return ("EVALSHA", self.script.digest, *self.words)

    @property
    def full(self) -> Command:
        """With the script's text."""
        return ("EVAL", self.script.text, *self.words)
