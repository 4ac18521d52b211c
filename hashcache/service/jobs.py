"""
Analyses that go on when nobody waits for them (RFC 7240, respond-async).

Rule 1: the analysis is the job: there is no record of a job while it is under way but the claim on its key, so
        whoever is told to come back is told when that claim is there, on whichever process he then asks.
Rule 2: a failure of whatever class is remembered for ten minutes, under a key of its own: look-ups find it, uploads
        do not, so a new one buys again. While the store is away nothing is remembered.
Rule 3: what ends at once is told at once, and by no webhook.
Rule 4: a webhook is promised before anything is bought, and told of its job's end by whatever way that comes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from contextlib import suppress
from datetime import timedelta
from time import monotonic

from hashcache.core.content import Content
from hashcache.core.entry import Label
from hashcache.core.errors import HashcacheError, ProviderError
from hashcache.core.letter import Hook
from hashcache.core.outcome import Outcome
from hashcache.core.policy import Policy, Remembered
from hashcache.engine.cache import Cache
from hashcache.engine.load import Kept, Loaded, LoadFailed
from hashcache.ports import Body, Observer
from hashcache.service.analyse import Analyses
from hashcache.service.callers import Caller
from hashcache.service.failures import JOB_KINDS, remember_job
from hashcache.service.routing import failed_job
from hashcache.service.webhooks import Webhooks

_TEN_MINUTES = timedelta(minutes=10)
_POLICY = Policy(
    ttl=_TEN_MINUTES, negatives=dict.fromkeys(JOB_KINDS, Remembered(_TEN_MINUTES, _TEN_MINUTES)), patience=_TEN_MINUTES
)
#: How long somebody is kept who joins the purchase of another process: then its claim is there, and will do.
_AT_MOST = 0.5


class Jobs:
    """
    Jobs over *analyses*; *cache* remembers how they failed, *observer* hears how they ended, and by *webhooks*, if
    there are any, whoever wants to.
    """

    def __init__(self, analyses: Analyses, cache: Cache, observer: Observer, webhooks: Webhooks | None = None) -> None:
        self._analyses = analyses
        self._cache = cache
        self._observer = observer
        self._webhooks = webhooks
        self._running: set[asyncio.Task[Outcome]] = set()

    async def start(
        self,
        content: Content,
        body: Body,
        caller: Caller,
        *,
        refresh: bool = False,
        tags: tuple[str, ...] = (),
        hook: Hook | None = None,
    ) -> Outcome | None:
        """
        Begin to analyse *content*; whoever calls is rid of *body*. The outcome, if it is there at once; None: it is
        under way, as a look-up in any process shows, and goes on by itself; then *hook* will tell what came of it.

        Raises:
            As `Analyses.analyse`: it failed at once. As `Webhooks.promise`: nothing was begun.
        """
        job = _Job(content, caller, hook)
        try:
            if self._webhooks is not None and hook is not None:
                await self._webhooks.promise(hook, content, caller)
        except BaseException:
            await body.close()
            raise
        analysing = self._analyses.analyse(content, body, caller, refresh=refresh, tags=tags, begun=job.begun.set)
        task = asyncio.create_task(self._run(job, analysing), name="job")
        self._running.add(task)
        task.add_done_callback(self._ended)
        under_way = asyncio.create_task(job.begun.wait())
        try:
            await asyncio.wait({task, under_way}, timeout=_AT_MOST, return_when=asyncio.FIRST_COMPLETED)
        finally:
            under_way.cancel()
            job.left = not task.done()
        if self._webhooks is not None and hook is not None and not job.left:
            await self._webhooks.forgo(hook)
        return None if job.left else task.result()

    async def close(self) -> None:
        """Wait for those whose flights have landed, which takes a moment, and end the others."""
        if not self._running:
            return
        _, late = await asyncio.wait(set(self._running), timeout=_AT_MOST)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)

    async def _run(self, job: _Job, analysing: Coroutine[None, None, Outcome]) -> Outcome:
        failure: ProviderError | None = None
        try:
            outcome = await analysing
        except ProviderError as error:
            failure = error
            if job.left:
                await self._remember(error, job)
            raise
        finally:
            if self._webhooks is not None and job.hook is not None and job.left:
                self._webhooks.ended(job.hook, failure)
        if job.left:
            self._observer.answered(outcome, job.content, milliseconds=(monotonic() - job.began) * 1000)
        return outcome

    async def _remember(self, error: ProviderError, job: _Job) -> None:
        content, tenant = job.content, job.caller.tenant
        key = failed_job(content.digest.hex, content.kind, tenant)
        label = Label(content.kind.value, tenant, error.provider)
        # As the engine remembers any failure: the load that fails here says what failed there.
        with suppress(LoadFailed, HashcacheError, TimeoutError):
            await self._cache.get_or_load(key, label, _POLICY, _Failing(remember_job(error)), refresh=True)

    def _ended(self, task: asyncio.Task[Outcome]) -> None:
        self._running.discard(task)
        if not task.cancelled():
            task.exception()  # nobody may await it: its failure is remembered, and no fault of the loop


class _Job:
    """One job. *left*: its client was told to come back, or went away."""

    def __init__(self, content: Content, caller: Caller, hook: Hook | None) -> None:
        self.content = content
        self.caller = caller
        self.hook = hook
        self.began = monotonic()
        self.begun = asyncio.Event()
        self.left = False


class _Failing:
    """A load that fails as another one did; an `engine.load.Load`."""

    def __init__(self, failed: LoadFailed) -> None:
        self._failed = failed

    async def __call__(self, token: str) -> Loaded:  # noqa: ARG002 - the protocol names it
        """Fail."""
        raise self._failed

    async def kept(self, how: Kept, *, duplicate: bool) -> None:
        """Never called: there is no answer."""

    async def close(self) -> None:
        """It holds nothing."""
