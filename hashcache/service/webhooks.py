"""
Webhooks: what was promised is delivered, at least once, by whichever process lives.

Rule 1: a letter is in the store's outbox before its analysis begins: from then on nothing but its delivery, 410 Gone,
        too many failures or three days end it.
Rule 2: who promised it holds it while its analysis is under way, and delivers it then. Whoever dies leaves what it held
        to others, once that hold is over; whoever ends in order hands it over at once.
Rule 3: one process at a time has a letter in its hands; a lost word to the store sends it twice, under the same id.
Rule 4: the store is looked at when something is known to be due, and else once in *quiet*: each command is billed.
        Of a webhook that is delivered at once it sees two: the letter comes, the letter goes.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from time import monotonic

from hashcache.core.content import Content
from hashcache.core.entry import Instant
from hashcache.core.errors import OutboxFull, ProviderError, StoreUnavailable, WebhookRefused
from hashcache.core.letter import Hook, Letter, Sealer
from hashcache.core.target import Target
from hashcache.ports import Bounds, Full, Outbox, Sealed, WebhookObserver
from hashcache.service.callers import Caller
from hashcache.service.delivery import Delivery, Tried

#: How long a letter lives.
KEPT = timedelta(days=3)
#: How long a letter is held for one try: longer than that may take.
HELD = timedelta(seconds=30)
#: How many are delivered at a time by one process.
PLACES = 16
_MILLISECOND = timedelta(milliseconds=1)
#: How long the store is left alone after it did not answer, or told of nothing that was due after all.
_LATER = timedelta(seconds=2)
#: How long the end may take, in seconds: for what is being sent, and for what is handed over.
_LAST_WORDS, _HANDOVER = 1.0, 2.0


@dataclass(slots=True)
class _Held:
    """A letter in our hands *until* then, as it is and as it is kept."""

    letter: Letter
    kept: Sealed
    until: Instant


class Webhooks:
    """
    Promises webhooks and delivers them by *delivery*. *holder* names this process; *hold*: how long a promise is held
    without a word; *now* is the store's clock, *token* makes ids that nobody guesses.
    """

    def __init__(  # noqa: PLR0913 - what it works on, and by keyword how
        self,
        outbox: Outbox,
        sealer: Sealer,
        delivery: Delivery,
        observer: WebhookObserver,
        *,
        holder: str,
        bounds: Bounds,
        hold: timedelta,
        quiet: timedelta,
        now: Callable[[], Instant],
        token: Callable[[], str],
    ) -> None:
        self._outbox = outbox
        self._sealer = sealer
        self._delivery = delivery
        self._observer = observer
        self._holder = holder
        self._bounds = bounds
        self._hold = hold
        self._quiet = quiet
        self._now = now
        self._token = token
        self._mine: dict[str, _Held] = {}
        self._promised: set[str] = set()
        self._ready: deque[str] = deque()
        self._sending: dict[str, asyncio.Task[None]] = {}
        #: When the store is looked at next, in seconds of no clock that anybody sets.
        self._look_at = 0.0
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def ask(self, url: str, request: str) -> Hook:
        """
        The webhook that a request asks for with *url*.

        Raises:
            WebhookRefused: it may not go there.
        """
        target = Target.parse(url)
        if not self._delivery.allows(target):
            raise WebhookRefused("the webhook's origin is not one of those that the operator allows")
        return Hook(f"msg_{self._token()}", target, request)

    async def promise(self, hook: Hook, content: Content, caller: Caller) -> None:
        """
        Put down that *hook* is to tell *caller* what becomes of *content*, before that is analysed.

        Raises:
            OutboxFull: too many wait. StoreUnavailable: it cannot be put down. Then nothing is sent.
        """
        now = self._now()
        letter = Letter(
            id=hook.id,
            tenant=caller.tenant,
            url=str(hook.target),
            sha256=content.digest.hex,
            kind=content.kind,
            request=hook.request,
            accepted=now,
        )
        kept = Sealed(letter.id, letter.tenant, self._sealer.seal(letter), _after(now, KEPT))
        try:
            full = await self._outbox.put(kept, self._holder, hold=self._hold, bounds=self._bounds)
        except StoreUnavailable:
            with suppress(StoreUnavailable):  # it may be there all the same
                await self._outbox.drop(letter.id)
            raise
        if full is Full.TENANT:
            raise OutboxFull("too many of your webhooks wait to be delivered", tenant=caller.tenant)
        if full is not None:
            raise OutboxFull("too many webhooks wait to be delivered", tenant=None)
        self._mine[letter.id] = _Held(letter, kept, _after(now, self._hold))
        self._promised.add(letter.id)
        self._wake.set()

    async def forgo(self, hook: Hook) -> None:
        """Its request was answered at once: there is nothing to tell."""
        await self._drop(hook.id)

    def ended(self, hook: Hook, error: ProviderError | None) -> None:
        """The analysis that *hook* is about has ended: deliver it. *error*: how it failed, if that is known here."""
        held = self._mine.get(hook.id)
        if held is None or hook.id not in self._promised:
            return
        if error is not None:
            held.letter = self._delivery.failed(held.letter, error)
        self._promised.discard(hook.id)
        self._ready.append(hook.id)
        self._wake.set()

    def start(self) -> None:
        """Begin to deliver, first of all what is due in the store."""
        self._task = asyncio.create_task(self._run(), name="webhooks")

    async def close(self) -> None:
        """Deliver nothing more, and leave what is in our hands to others. Safe to call twice."""
        if self._task is None:
            return
        task, self._task = self._task, None
        if self._sending:
            await asyncio.wait(self._sending.values(), timeout=_LAST_WORDS)
        tasks = [task, *self._sending.values()]
        for one in tasks:
            one.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        with suppress(StoreUnavailable, TimeoutError):
            async with asyncio.timeout(_HANDOVER):
                for held in list(self._mine.values()):
                    await self._outbox.defer(self._kept(held.letter, held.kept), self._holder, self._now())
        self._mine.clear()

    async def _run(self) -> None:
        while True:
            self._wake.clear()
            await self._look()
            await self._keep_promises()
            for _ in range(min(len(self._ready), PLACES - len(self._sending))):
                self._send(self._ready.popleft())
            with suppress(TimeoutError):
                async with asyncio.timeout(self._idle()):
                    await self._wake.wait()

    def _idle(self) -> float:
        """How long there is nothing to do, in seconds, if nothing happens."""
        waits = [self._look_at - monotonic()] if len(self._sending) < PLACES else []
        last = min((self._mine[name].until for name in self._promised), default=None)
        if last is not None:
            waits.append((_after(last, -self._hold / 2) - self._now()) / 1000)
        return max(0.0, min(waits, default=self._quiet.total_seconds()))

    async def _look(self) -> None:
        """Take what is due into our hands, when it is time to look."""
        now, room = self._now(), PLACES - len(self._sending) - len(self._ready)
        if monotonic() < self._look_at or room <= 0:
            return
        try:
            taken = await self._outbox.take(self._holder, hold=HELD, most=room)
        except StoreUnavailable:
            self._look_at = monotonic() + min(_LATER, self._quiet).total_seconds()
            return
        for kept in taken.letters:
            letter = self._sealer.open(kept.id, kept.tenant, kept.sealed)
            if letter is None:
                await self._give_up(kept.id, None, None, "unreadable")
            else:
                self._mine[kept.id] = _Held(letter, kept, _after(now, HELD))
                self._promised.discard(kept.id)
                self._ready.append(kept.id)
        self._look_at = monotonic() + self._quiet.total_seconds()
        if taken.next is not None:
            soonest = now if taken.letters else _after(now, min(_LATER, self._quiet))
            self._expect(Instant(max(taken.next, soonest)))

    def _expect(self, due: Instant) -> None:
        """Something is due then: look at the store not later."""
        self._look_at = min(self._look_at, monotonic() + (due - self._now()) / 1000)

    async def _keep_promises(self) -> None:
        """Hold on to letters whose analyses are still under way."""
        now = self._now()
        for held in [self._mine[name] for name in self._promised]:
            name = held.letter.id
            if name not in self._promised or held.until - now > self._hold / _MILLISECOND / 2:
                continue  # it has ended meanwhile, or there is time
            until = _after(now, self._hold)
            with suppress(StoreUnavailable):
                if not await self._outbox.defer(held.kept, self._holder, until):
                    self._forget(name)  # we were late: somebody else has it
            held.until = until

    def _send(self, name: str) -> None:
        held = self._mine.get(name)
        if held is None:
            return
        if name in self._sending:  # put back and due again: one try after the other
            self._ready.append(name)
            return
        task = asyncio.create_task(self._deliver(held), name=f"webhook {name}")
        self._sending[name] = task
        task.add_done_callback(lambda _: self._sending.pop(name, None))
        task.add_done_callback(lambda _: self._wake.set())

    async def _deliver(self, held: _Held) -> None:
        letter, now = held.letter, self._now()
        if held.kept.expires <= now:
            await self._give_up(letter.id, letter, None, "expired")
            return
        if held.until < _after(now, HELD / 2):
            until = _after(now, HELD)
            # While the store is away it is sent all the same: at worst it comes twice.
            with suppress(StoreUnavailable):
                if not await self._outbox.defer(self._kept(letter, held.kept), self._holder, until):
                    self._forget(letter.id)
                    return
        tried = await self._delivery.attempt(letter)
        await self._conclude(tried, held)

    async def _conclude(self, tried: Tried, held: _Held) -> None:
        """Heed what came of a try."""
        letter, posted, now = tried.letter, tried.posted, self._now()
        if posted is None:
            await self._put_back(letter, held, _after(now, self._hold))
            return
        if posted.delivered:
            self._observer.webhook("sent", letter, status=posted.status, why="")
            await self._drop(letter.id)
            return
        pause = self._delivery.pause(tried)
        if pause is None or _after(now, pause) >= held.kept.expires:
            await self._give_up(letter.id, letter, posted.status, posted.why)
            return
        self._observer.webhook("failed", letter, status=posted.status, why=posted.why)
        await self._put_back(letter, held, _after(now, pause))

    async def _put_back(self, letter: Letter, held: _Held, due: Instant) -> None:
        self._expect(due)
        with suppress(StoreUnavailable):  # then it is due when the hold is over
            await self._outbox.defer(self._kept(letter, held.kept), self._holder, due)
        self._forget(letter.id)

    async def _give_up(self, name: str, letter: Letter | None, status: int | None, why: str) -> None:
        self._observer.webhook("given_up", letter, status=status, why=why)
        await self._drop(name)

    async def _drop(self, name: str) -> None:
        self._forget(name)
        with suppress(StoreUnavailable):  # then it comes again, under the same id
            await self._outbox.drop(name)

    def _kept(self, letter: Letter, before: Sealed) -> Sealed:
        return replace(before, sealed=self._sealer.seal(letter))

    def _forget(self, name: str) -> None:
        self._mine.pop(name, None)
        self._promised.discard(name)


def _after(instant: Instant, duration: timedelta) -> Instant:
    return Instant(instant + duration // _MILLISECOND)
