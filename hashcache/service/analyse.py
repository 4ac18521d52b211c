"""
A content and a caller in, an outcome out: the service without HTTP.

Rule 1: the tenant is part of every key; nobody is given what another tenant bought.
Rule 2: the bytes are handed over once: whoever calls `analyse` is rid of the body, whatever happens.
Rule 3: of many contents AT_ONCE are looked for in one step, some 10 ms of work: others are served in between.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import timedelta

from msgspec.structs import replace

from hashcache.core.content import Content, Kind
from hashcache.core.entry import Label
from hashcache.core.errors import (
    ProviderDenied,
    ProviderDown,
    ProviderError,
    ProviderFailed,
    ProviderRejected,
    ProviderThrottled,
    UnsupportedContent,
)
from hashcache.core.key import Key
from hashcache.core.outcome import Outcome
from hashcache.core.policy import Policy
from hashcache.core.spend import Account
from hashcache.engine.cache import Cache
from hashcache.engine.found import UNKNOWN, Found
from hashcache.engine.invalidation import Invalidations
from hashcache.engine.load import LoadFailed
from hashcache.ports import Body, Provider
from hashcache.service.announcing import Announced
from hashcache.service.callers import Caller
from hashcache.service.failures import NEGATIVES, recall
from hashcache.service.lending import Lender
from hashcache.service.routing import Routing
from hashcache.service.spending import Purchase, Till
from hashcache.settings import Settings

AT_ONCE = 100
#: What else an answer needs, beside the call.
_SLACK = timedelta(seconds=5)


def _nobody_waits() -> None: ...


@dataclass(frozen=True, slots=True)
class Lives:
    """How long answers are kept, and how long one may take: *lease* of a claim, *deadlines* by kind."""

    ttl: dict[Kind, timedelta]
    deadlines: dict[Kind, timedelta]
    lease: timedelta
    most: int

    @classmethod
    def of(cls, settings: Settings) -> Lives:
        """Those that are set."""
        media, text = settings.media_ttl, settings.text_ttl
        short, long = settings.provider_timeout, settings.video_timeout
        if settings.generic is not None and settings.generic.timeout is not None:
            short, long = max(short, settings.generic.timeout), max(long, settings.generic.timeout)
        return cls(
            ttl={Kind.IMAGE: media, Kind.VIDEO: media, Kind.TEXT: text},
            deadlines={Kind.IMAGE: short + _SLACK, Kind.VIDEO: long + _SLACK, Kind.TEXT: short + _SLACK},
            lease=settings.lease,
            most=settings.max_entry,
        )

    def policy(self, kind: Kind) -> Policy:
        """The policy of an answer about a content of *kind*."""
        return Policy(
            ttl=self.ttl[kind],
            lease=self.lease,
            renewal=self.lease / 3.2,
            patience=self.deadlines[kind] + self.lease * 2,
            negatives=NEGATIVES,
        )


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What a caller wants of the cache; *looked*: what was just found there."""

    refresh: bool
    keep: bool
    tags: tuple[str, ...]
    looked: Found
    begun: Callable[[], None]


class Analyses:
    """Analyses of contents: known, under way, or bought now."""

    def __init__(self, cache: Cache, invalidations: Invalidations, routing: Routing, lives: Lives, till: Till) -> None:
        self._cache = cache
        self._invalidations = invalidations
        self._routing = routing
        self._lives = lives
        self._till = till

    async def analyse(
        self,
        content: Content,
        body: Body,
        caller: Caller,
        *,
        refresh: bool = False,
        keep: bool = True,
        tags: tuple[str, ...] = (),
        looked: Found = UNKNOWN,
        begun: Callable[[], None] = _nobody_waits,
    ) -> Outcome:
        """
        The answer for *content*: from the cache, from a purchase under way, or bought now, and then kept with *tags*.
        *looked*: what `recall` has just found, which is none. *begun* is called, once or more, when a purchase is
        under way.

        Raises:
            UnsupportedContent: nobody is configured for this kind.
            ProviderError: the purchase gave no answer, now or a moment ago, or must not be made.
            Stopping: it would have to be bought, and this process ends.
            TimeoutError: it takes longer than this caller may wait; it goes on.
        """
        told = bool(looked.causes) or looked.away
        if not refresh and not told:
            near = self.glance(content.digest.hex, caller, content.kind)
            if near is not None:
                await body.close()
                return near
        lender = Lender(body)
        try:
            chain = self._routing.chain(content.kind)
            if not chain:
                raise UnsupportedContent(f"no provider is configured for {content.kind.value}")
            if len(chain) > 1 and not refresh and not told:
                looked = await self._cache.look(self._routing.keys(content.digest.hex, content.kind, caller.tenant))
                if looked.outcome is not None:
                    return looked.outcome
            wanted = _Wanted(refresh, keep, tags, looked, begun)
            outcome = await self._ask_in_turn(chain, content, lender, caller, wanted)
            return replace(outcome, looked=outcome.looked + looked.took) if looked.took else outcome
        finally:
            await lender.close()

    async def _ask_in_turn(
        self, chain: Sequence[Provider], content: Content, lender: Lender, caller: Caller, wanted: _Wanted
    ) -> Outcome:
        """
        The answer of the first in *chain* that gives one. Whoever may have billed is the last that is asked: one
        question is not paid twice.
        """
        first: ProviderError | None = None
        for provider in chain:
            down = self._till.cashier.excluded(provider.name) if len(chain) > 1 else None
            try:
                if down is not None:
                    raise down
                return await self._ask(provider, content, lender.lend(), caller, wanted)
            except ProviderError as error:
                first = first or error
                if not _passes_on(error):
                    raise
        if first is None:
            raise RuntimeError("an empty chain")
        raise first

    async def _ask(self, provider: Provider, content: Content, body: Body, caller: Caller, wanted: _Wanted) -> Outcome:
        key = Key.under(content.digest.hex, content.kind, self._routing.variant(provider, content.kind, caller.tenant))
        label = Label(content.kind.value, caller.tenant, provider.name, wanted.tags)
        load = Purchase(
            provider,
            content,
            body,
            key=key,
            account=Account(provider.name, content.kind.value, caller.tenant),
            till=self._till,
            deadline=self._lives.deadlines[content.kind],
            refresh=wanted.refresh,
        )
        policy = self._lives.policy(content.kind)
        try:
            return await self._cache.get_or_load(
                key,
                label,
                policy,
                Announced(load, wanted.begun),
                refresh=wanted.refresh,
                keep=wanted.keep,
                looked=wanted.looked.causes.get(key),
                away=wanted.looked.away,
            )
        except LoadFailed as failed:
            raise recall(failed) from None

    def glance(self, sha256: str, caller: Caller, kind: Kind | None = None) -> Outcome | None:
        """
        What near memory has of the content with this SHA-256, of *kind* if that is told: nothing is awaited. The
        caller's own tenant only.
        """
        if kind is None:
            return self._cache.glance(self._routing.answers(sha256, caller.tenant))
        return self._cache.glance(self._routing.keys(sha256, kind, caller.tenant))

    def is_under_way(self, sha256: str, caller: Caller, kind: Kind) -> bool:
        """Whether this process is looking for the answer to that, or buying it: then it is to be joined."""
        return self._cache.is_flying(self._routing.keys(sha256, kind, caller.tenant))

    async def recall(self, sha256: str, caller: Caller, kind: Kind) -> Found:
        """
        What the store has of the content with this SHA-256, of *kind*: one read, which several callers may share. The
        caller's own tenant only.
        """
        keys = self._routing.keys(sha256, kind, caller.tenant)
        return await (self._cache.hits.look(keys[0]) if len(keys) == 1 else self._cache.look(keys))

    async def known(self, sha256: str, caller: Caller, kind: Kind | None = None) -> Found:
        """
        What is known about the content with this SHA-256, without its bytes; the caller's own tenant only.

        Raises:
            ProviderError: all that is known is that analysing it failed a moment ago.
        """
        found = await self._cache.look(self._routing.candidates(sha256, caller.tenant, *([kind] if kind else [])))
        if found.outcome is None and not found.pending and found.failure is not None:
            raise recall(found.failure)
        return found

    async def look(self, sha256: str, caller: Caller, kinds: Collection[Kind]) -> Found:
        """What is known about the content with this SHA-256 as one of *kinds*: its failure is told, not raised."""
        keys = self._routing.candidates(sha256, caller.tenant, *kinds)
        return await self._cache.look(keys)

    async def known_of_all(self, digests: Sequence[str], caller: Caller) -> list[Found]:
        """What is known about each of these contents, with one read for AT_ONCE; the caller's own tenant only."""
        found: list[Found] = []
        for at in range(0, len(digests), AT_ONCE):
            await asyncio.sleep(0)  # others have their turn, also where all is known near and nothing is waited for
            some = digests[at : at + AT_ONCE]
            found += await self._cache.look_all(self._routing.candidates_of_all(some, caller.tenant))
        return found

    async def forget(self, sha256: str, caller: Caller) -> int:
        """
        Forget everything about this content that the caller's tenant has; how many answers there were.

        Raises:
            StoreUnavailable: the store is away.
        """
        return await self._invalidations.forget(self._routing.candidates(sha256, caller.tenant))


def _passes_on(error: ProviderError) -> bool:
    """Whether the next provider may be asked: this one is down or does not take the content, and billed nothing."""
    if isinstance(error, ProviderFailed):
        return not error.possibly_paid
    return isinstance(error, ProviderDown | ProviderDenied | ProviderThrottled | ProviderRejected)
