"""
The load that pays: ask the provider, check what it says, know what it cost.

Rule 1: an error, an incomplete or out-of-range answer never becomes a result.
Rule 2: an answer larger than an entry may be is given, and kept without the vendor's raw part; if that is not
        enough, it is given and not kept.
Rule 3: the bytes belong to this load from the moment it is made, and are freed when it is closed.
"""

from __future__ import annotations

import asyncio
import math
from time import monotonic

import msgspec

from hashcache.core.content import Content
from hashcache.core.errors import ProviderError, ProviderFailed, ProviderInvalid, ProviderTimeout
from hashcache.core.money import FREE
from hashcache.core.result import Result, encode
from hashcache.engine.load import Loaded
from hashcache.ports import Answer, Body, Observer, Pending, Provider
from hashcache.service.failures import remember


class Purchase:
    """One paid (or embedded) analysis of *content*; an `engine.load.Load`. *deadline* bounds it in seconds."""

    def __init__(
        self, provider: Provider, content: Content, body: Body, *, observer: Observer, deadline: float, most: int
    ) -> None:
        self._provider = provider
        self._content = content
        self._body = body
        self._observer = observer
        self._deadline = deadline
        self._most = most

    async def __call__(self, token: str) -> Loaded:  # noqa: ARG002 - the journal of paid attempts will be kept by it
        """
        Ask and wait for the answer.

        Raises:
            LoadFailed: there is none, because of the ProviderError that caused it; the observer knows.
        """
        began = monotonic()
        provider = self._provider
        price = FREE
        try:
            price = (await provider.estimate(self._content, self._body)).price
            answer = await self._ask()
            payload, keep = self._encoded(answer)
        except ProviderError as error:
            self._observer.lost(provider.name, duration=monotonic() - began, error=error, price=price)
            raise remember(error) from error
        self._observer.bought(provider.name, answer.price, duration=monotonic() - began, stored=keep)
        return Loaded(payload, answer.price, keep=keep)

    async def close(self) -> None:
        """Free the bytes of the upload."""
        await self._body.close()

    async def _ask(self) -> Answer:
        name = self._provider.name
        try:
            async with asyncio.timeout(self._deadline):
                answer = await self._provider.start(self._content, self._body)
                while isinstance(answer, Pending):
                    await asyncio.sleep(answer.after.total_seconds())
                    answer = await self._provider.resume(answer.receipt)
        except TimeoutError:
            raise ProviderTimeout(name, f"{name} did not answer in time", possibly_paid=True) from None
        except (OSError, MemoryError) as error:
            raise ProviderFailed(name, f"{name} failed: {type(error).__name__}") from error
        _check(name, answer.result)
        return answer

    def _encoded(self, answer: Answer) -> tuple[bytes, bool]:
        try:
            payload = encode(answer.result)
            if len(payload) <= self._most:
                return payload, True
            smaller = encode(msgspec.structs.replace(answer.result, answer=None))
        except (TypeError, ValueError, RecursionError):
            raise ProviderInvalid(
                self._provider.name, "its answer cannot be written as JSON", possibly_paid=True
            ) from None
        return (smaller, True) if len(smaller) <= self._most else (payload, False)


def _check(name: str, result: Result) -> None:
    """What no adapter may let through, whatever it was told."""
    score = result.score_ai
    if score is not None and not (math.isfinite(score) and 0 <= score <= 1):
        raise ProviderInvalid(name, "its score is not between 0 and 1", possibly_paid=True)
    if result.provider != name:
        raise ProviderInvalid(name, "its answer names another provider", possibly_paid=True)
