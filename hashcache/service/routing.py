"""
Which provider is asked for which kind, and what may already be known under which key.

Rule 1: the first provider of a kind is paid; those after it are candidates for a look-up, in their order.
Rule 2: a bare digest does not tell its kind: image, then video, then text.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from hashcache.core.content import Kind
from hashcache.core.key import Key, Question
from hashcache.ports import Provider


class Routing:
    """The providers of each kind, in order of preference."""

    def __init__(self, providers: Mapping[Kind, Sequence[Provider]]) -> None:
        self._providers = {kind: tuple(chain) for kind, chain in providers.items() if chain}

    def first(self, kind: Kind) -> Provider | None:
        """Who is paid for *kind*."""
        chain = self._providers.get(kind)
        return chain[0] if chain else None

    def question(self, kind: Kind, tenant: str) -> Question | None:
        """What is asked of the first provider."""
        provider = self.first(kind)
        return provider.question(kind, tenant) if provider else None

    def candidates(self, sha256: str, tenant: str, kind: Kind | None = None) -> list[tuple[Kind, Key]]:
        """The keys under which an answer for this content may lie, best first; the same number for every tenant."""
        return [
            (one, Key.of(sha256, provider.question(one, tenant)))
            for one in Kind
            if kind is None or one is kind
            for provider in self._providers.get(one, ())
        ]

    def everyone(self) -> list[Provider]:
        """Each provider once."""
        return list({id(one): one for chain in self._providers.values() for one in chain}.values())

    def names(self) -> dict[str, list[str]]:
        """The names of the providers by kind, for people."""
        return {kind.value: [provider.name for provider in self._providers.get(kind, ())] for kind in Kind}
