"""
Which provider is asked for which kind, and what may already be known under which key.

Rule 1: the first provider of a kind is asked; those after it when it is down or does not take the content. An answer
        is stored under the provider that gave it; what any of them said is an answer to a look-up, in their order.
Rule 2: a bare digest does not tell its kind: image, then video, then text.
Rule 3: a provider's epoch is part of every question: raised, all is asked anew.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

from hashcache.core.content import Kind
from hashcache.core.key import Key, Question
from hashcache.ports import Provider


class Routing:
    """The providers of each kind, in order of preference; *epoch* tells a provider's epoch now."""

    def __init__(self, providers: Mapping[Kind, Sequence[Provider]], epoch: Callable[[str], int] = lambda _: 0) -> None:
        self._providers = {kind: tuple(chain) for kind, chain in providers.items() if chain}
        self._epoch = epoch
        #: Variants by provider, kind and tenant, each with the epoch that it is of: so many, and no more.
        self._variants: dict[tuple[str, Kind, str], tuple[int, str]] = {}

    def chain(self, kind: Kind) -> tuple[Provider, ...]:
        """Who is asked about contents of *kind*, in order; empty: nobody."""
        return self._providers.get(kind, ())

    def find(self, name: str) -> Provider | None:
        """The provider of that name, if it is asked for anything."""
        return next((provider for provider in self.everyone() if provider.name == name), None)

    def epoch(self, name: str) -> int:
        """The epoch of the provider of that name, as this process knows it now."""
        return self._epoch(name)

    def places(self, name: str) -> dict[str, int]:
        """In which place, from 1, the provider of that name is asked, by kind."""
        chains = ((kind.value, names) for kind, names in zip(Kind, self.names().values(), strict=True))
        return {kind: names.index(name) + 1 for kind, names in chains if name in names}

    def question(self, provider: Provider, kind: Kind, tenant: str) -> Question:
        """What is asked of *provider*."""
        return replace(provider.question(kind, tenant), epoch=self._epoch(provider.name))

    def keys(self, sha256: str, kind: Kind, tenant: str) -> list[Key]:
        """The keys under which an answer for this content of *kind* may lie, best first."""
        return [Key.under(sha256, kind, self.variant(provider, kind, tenant)) for provider in self.chain(kind)]

    def variant(self, provider: Provider, kind: Kind, tenant: str) -> str:
        """
        The variant of what is asked of *provider*. A provider's question changes with its epoch only (and a restart),
        so it is spelt and digested once in each.
        """
        name = provider.name
        epoch = self._epoch(name)
        known = self._variants.get((name, kind, tenant))
        if known is None or known[0] != epoch:
            known = (epoch, self.question(provider, kind, tenant).variant)
            self._variants[name, kind, tenant] = known
        return known[1]

    def answers(self, sha256: str, tenant: str) -> Iterator[Key]:
        """The keys under which an answer for this content may lie, whatever its kind: best first, made on demand."""
        return (key for kind in Kind for key in self.keys(sha256, kind, tenant))

    def candidates(self, sha256: str, tenant: str, *among: Kind) -> list[Key]:
        """
        The same where its kind is one of those *among* it may be (of any, without one), and then the keys of failed
        jobs; the same number for every tenant.
        """
        kinds = [one for one in Kind if one in (among or Kind) and self.chain(one)]
        answers = [key for one in kinds for key in self.keys(sha256, one, tenant)]
        return answers + [Key.under(sha256, one, self._failed_variant(one, tenant)) for one in kinds]

    def candidates_of_all(self, digests: Sequence[str], tenant: str) -> list[list[Key]]:
        """The candidates of each of *digests*. The questions are the same for all, so they are spelt once."""
        keys = self.candidates(digests[0], tenant) if digests else []
        return [[Key(key.space, sha256, key.variant) for key in keys] for sha256 in digests]

    def _failed_variant(self, kind: Kind, tenant: str) -> str:
        known = self._variants.get(("", kind, tenant))
        if known is None:
            known = self._variants["", kind, tenant] = (0, failed_job("0", kind, tenant).variant)
        return known[1]

    def everyone(self) -> list[Provider]:
        """Each provider once."""
        return list({id(one): one for chain in self._providers.values() for one in chain}.values())

    def names(self) -> dict[str, list[str]]:
        """The names of the providers by kind, for people."""
        return {kind.value: [provider.name for provider in self.chain(kind)] for kind in Kind}


def failed_job(sha256: str, kind: Kind, tenant: str) -> Key:
    """
    Where it is remembered that an analysis which nobody waited for failed. No upload looks there: it buys again.
    """
    return Key.of(sha256, Question(kind, tenant, provider="", model="failed-job"))
