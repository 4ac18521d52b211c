"""
Holding a claim while a call runs, and giving it back.

Rule 1: a claim that cannot be renewed stops nothing: the call is paid already, and its answer is valid.
Rule 2: a claim that cannot be given back ends by itself with its lease.
Rule 3: a claim that was not renewed for its whole lease may be somebody else's: that is asked before it is believed.
        A process that was frozen finds its call answered before it has tried to renew.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from hashcache.core.errors import StoreUnavailable
from hashcache.core.policy import Policy
from hashcache.ports import Claim, Store


class Tenure:
    """
    How a claim fared while it was held: *lost* when it was found to be nobody's or somebody else's; *until* when, on
    the loop's clock, it certainly was ours.
    """

    def __init__(self, until: float) -> None:
        self.lost = False
        self.until = until


@asynccontextmanager
async def held(store: Store, claim: Claim | None, policy: Policy) -> AsyncIterator[Tenure]:
    """
    Renew *claim* (None: there is none) while the body runs.

    It is not given back afterwards, except when the body raises: then nobody else should wait for its lease to end.
    """
    clock = asyncio.get_running_loop().time
    tenure = Tenure(clock() + policy.lease.total_seconds())
    if claim is None:
        yield tenure
        return
    renewal = _Renewal(store, claim, policy, tenure)
    try:
        yield tenure
    except BaseException:
        await release(store, claim)
        raise
    finally:
        await renewal.end()
    if clock() >= tenure.until and not tenure.lost:
        with suppress(StoreUnavailable):
            tenure.lost = not await store.renew(claim, policy.lease)


async def release(store: Store, claim: Claim | None) -> None:
    """Give *claim* back, if there is one and the store is there."""
    if claim is None:
        return
    try:
        await store.release(claim)
    except StoreUnavailable:
        return


class _Renewal:
    """Renews *claim* at the pace of *policy*. Most calls end before that is due: they cost a timer and no task."""

    def __init__(self, store: Store, claim: Claim, policy: Policy, tenure: Tenure) -> None:
        self._store = store
        self._claim = claim
        self._policy = policy
        self._tenure = tenure
        self._task: asyncio.Task[None] | None = None
        self._timer = asyncio.get_running_loop().call_later(policy.renewal.total_seconds(), self._begin)

    async def end(self) -> None:
        """No more renewals."""
        self._timer.cancel()
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def _begin(self) -> None:
        self._task = asyncio.create_task(self._renew(), name=f"renew {self._claim.key.logical}")

    async def _renew(self) -> None:
        lease, tenure = self._policy.lease, self._tenure
        while True:
            until = asyncio.get_running_loop().time() + lease.total_seconds()
            with suppress(StoreUnavailable):
                if not await self._store.renew(self._claim, lease):
                    tenure.lost = True
                    return
                tenure.until = until
            await asyncio.sleep(self._policy.renewal.total_seconds())  # the pace of renewals; cancelled at the end
