"""
The epochs of providers: what the settings say, and how often an admin has raised it since.

Rule: the barrier holds how often; whoever sees a newer one asks under new keys from then on.
"""

from __future__ import annotations

from collections.abc import Mapping

from hashcache.engine.cache import Cache
from hashcache.engine.invalidation import Invalidations


class Epochs:
    """Epochs by the names of providers; *settings* are where they begin."""

    def __init__(self, cache: Cache, invalidations: Invalidations, settings: Mapping[str, int]) -> None:
        self._cache = cache
        self._invalidations = invalidations
        self._settings = settings

    def now(self, provider: str) -> int:
        """The epoch of *provider* under the newest barrier that this process has seen."""
        return self._settings.get(provider, 0) + self._cache.view.barrier.epoch(provider)

    async def learn(self) -> None:
        """
        See the barrier in force.

        Raises:
            StoreUnavailable: the store is away.
        """
        await self._cache.witness.learn()

    async def advance(self, provider: str, *, reason: str) -> int:
        """
        Raise the epoch of *provider* in every process; the new one.

        Raises:
            StoreUnavailable: as Invalidations.advance.
        """
        epoch = await self._invalidations.advance(provider, reason=reason)
        return self._settings.get(provider, 0) + epoch.number
