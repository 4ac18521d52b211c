"""
A content and a caller in, an outcome out: the service without HTTP.

Rule 1: the tenant is part of every key; nobody is given what another tenant bought.
Rule 2: the bytes are handed over once: whoever calls `analyse` is rid of the body, whatever happens.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from hashcache.core.content import Content, Kind
from hashcache.core.entry import Label
from hashcache.core.errors import UnsupportedContent
from hashcache.core.key import Key
from hashcache.core.outcome import Outcome
from hashcache.core.policy import Policy
from hashcache.engine.cache import Cache, Found
from hashcache.engine.invalidation import Invalidations
from hashcache.engine.load import LoadFailed
from hashcache.ports import Body, Observer, Provider
from hashcache.service.callers import Caller
from hashcache.service.failures import NEGATIVES, recall
from hashcache.service.routing import Routing
from hashcache.service.spending import Purchase


@dataclass(frozen=True, slots=True)
class Lives:
    """How long answers are kept, and how long one may take: *lease* of a claim, *deadlines* by kind."""

    ttl: dict[Kind, timedelta]
    deadlines: dict[Kind, timedelta]
    lease: timedelta
    most: int

    def policy(self, kind: Kind) -> Policy:
        """The policy of an answer about a content of *kind*."""
        return Policy(
            ttl=self.ttl[kind],
            lease=self.lease,
            renewal=self.lease / 3.2,
            patience=self.deadlines[kind] + self.lease * 2,
            negatives=NEGATIVES,
        )


class Analyses:
    """Analyses of contents: known, under way, or bought now."""

    def __init__(
        self, cache: Cache, invalidations: Invalidations, routing: Routing, lives: Lives, observer: Observer
    ) -> None:
        self._cache = cache
        self._invalidations = invalidations
        self._routing = routing
        self._lives = lives
        self._observer = observer

    async def analyse(
        self, content: Content, body: Body, caller: Caller, *, refresh: bool = False, keep: bool = True
    ) -> Outcome:
        """
        The answer for *content*: from the cache, from a purchase under way, or bought now.

        Raises:
            UnsupportedContent: nobody is configured for this kind.
            ProviderError: the purchase gave no answer, now or a moment ago.
            Stopping: it would have to be bought, and this process ends.
            TimeoutError: it takes longer than this caller may wait; it goes on.
        """
        provider = self._routing.first(content.kind)
        if provider is None:
            await body.close()
            raise UnsupportedContent(f"no provider is configured for {content.kind.value}")
        key, label = self._named(content, provider, caller)
        load = Purchase(
            provider,
            content,
            body,
            observer=self._observer,
            deadline=self._lives.deadlines[content.kind].total_seconds(),
            most=self._lives.most,
        )
        policy = self._lives.policy(content.kind)
        try:
            return await self._cache.get_or_load(key, label, policy, load, refresh=refresh, keep=keep)
        except LoadFailed as failed:
            raise recall(failed) from None

    async def known(self, sha256: str, caller: Caller, kind: Kind | None = None) -> Found:
        """
        What is known about the content with this SHA-256, without its bytes; the caller's own tenant only.

        Raises:
            ProviderError: all that is known is that analysing it failed a moment ago.
        """
        keys = [key for _, key in self._routing.candidates(sha256, caller.tenant, kind)]
        found = await self._cache.look(keys)
        if found.outcome is None and not found.pending and found.failure is not None:
            raise recall(found.failure)
        return found

    async def forget(self, sha256: str, caller: Caller) -> int:
        """
        Forget everything about this content that the caller's tenant has; how many answers there were.

        Raises:
            StoreUnavailable: the store is away.
        """
        return await self._invalidations.forget([key for _, key in self._routing.candidates(sha256, caller.tenant)])

    def _named(self, content: Content, provider: Provider, caller: Caller) -> tuple[Key, Label]:
        question = provider.question(content.kind, caller.tenant)
        label = Label(content.kind.value, caller.tenant, provider.name)
        return Key.of(content.digest.hex, question), label
