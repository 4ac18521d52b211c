"""
What must be true of a fleet of caches, whatever happens to it: a plain record of what was asked, bought and cleared,
and the rules that it is held against.

It knows nothing of how the engine works, only what it promises. Instants are *ticks*: each thing that happens has
a later one than what happened before it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from hashcache.core.barrier import Selector
from hashcache.core.entry import Entry, Label
from hashcache.core.key import Key
from hashcache.core.outcome import Outcome, Status
from hashcache.core.policy import Policy
from hashcache.engine.load import LoadFailed
from hashcache.ports import OLDEST, Claim

#: By how many milliseconds the clocks of two processes differ at most.
SKEW = 500


@dataclass(eq=False)
class Process:
    """One process: since when its store (*faulty*) or its channel (*deaf*) is not well, or until when it was not."""

    number: int
    faulty: bool = False
    fault_ended: int = 0
    deaf: bool = False
    hearing_since: int = 0
    killed: bool = False

    def was_faulty(self, since: int) -> bool:
        """Whether its store was not well at some time since the tick *since*."""
        return self.faulty or self.killed or self.fault_ended >= since

    def was_deaf(self, since: int) -> bool:
        """The same of its channel."""
        return self.deaf or self.hearing_since >= since


@dataclass(eq=False)
class Request:
    """One caller. *began* is in milliseconds on the true clock; *ended*: he has his answer, or left."""

    number: int
    process: Process
    key: Key
    policy: Policy
    refresh: bool
    keep: bool
    tick: int
    began: int
    ended: int | None = None
    leaving: bool = False
    failed: bool = False
    pending: bool = False
    outcome: Outcome | None = None


@dataclass(eq=False)
class Purchase:
    """
    One run of a load. *claimed*: the tick of its claim, None without one. It *began* and was *over* at these
    milliseconds on the true clock. *verdict*: how it ended, "" while it runs.
    """

    number: int
    request: Request
    label: Label
    token: str
    tick: int
    claimed: int | None
    began: int
    ended: int | None = None
    over: int = 0
    verdict: str = ""
    stored: bool = False
    refused: bool = False
    charged: int = 0

    @property
    def key(self) -> Key:
        """What was bought; so a selector can look at it."""
        return self.request.key

    @property
    def process(self) -> Process:
        """Who bought."""
        return self.request.process

    @property
    def payload(self) -> bytes:
        """Its answer: whose it is, and which purchase's."""
        return b"%s#%d" % (self.key.logical.encode(), self.number)


@dataclass(eq=False)
class Clearing:
    """One invalidation, by *selector* or of *key*. *returned*: the tick when whoever asked for it was told so."""

    tick: int
    selector: Selector | None
    key: Key | None
    returned: int | None = None

    def means(self, purchase: Purchase) -> bool:
        """Whether *purchase* falls under it."""
        if self.selector is None:
            return self.key == purchase.key
        return self.selector.matches(purchase)


@dataclass
class Model:
    """All that happened. Its methods are called when something does, and raise AssertionError for what must not."""

    clock: Callable[[], int]
    #: The sequence of the barrier that the store has now.
    sequence: Callable[[], int]
    ticks: int = 0
    jumped: int = 0
    requests: list[Request] = field(default_factory=list)
    purchases: list[Purchase] = field(default_factory=list)
    clearings: list[Clearing] = field(default_factory=list)
    granted: dict[str, tuple[int, Process]] = field(default_factory=dict)
    lapsed: dict[Key, int] = field(default_factory=dict)
    newest: dict[Key, Purchase] = field(default_factory=dict)

    @property
    def now(self) -> int:
        """Milliseconds on the true clock."""
        return self.clock()

    def tick(self) -> int:
        """The next instant."""
        self.ticks += 1
        return self.ticks

    # What is asked

    def asked(self, process: Process, key: Key, policy: Policy, *, refresh: bool, keep: bool) -> Request:
        """Somebody asks."""
        request = Request(len(self.requests), process, key, policy, refresh, keep, self.tick(), self.now)
        self.requests.append(request)
        return request

    def answered(self, request: Request, outcome: Outcome) -> None:
        """He is given *outcome*."""
        request.ended, request.outcome = self.tick(), outcome
        purchase = self._of(request.key, outcome.entry.payload)
        assert outcome.entry.key == request.key, "the answer of another key"
        assert not outcome.entry.error, "a failure was given as an answer"
        assert purchase.verdict in ("ok", "private"), "an answer that nobody has bought"
        self._not_cleared(request, purchase)
        if request.refresh:
            assert purchase.over + 2 * SKEW >= request.began, "a refresh was answered with an older answer"
        if outcome.status is Status.HIT:
            assert outcome.at < outcome.entry.expires, "a hit on what has expired"
        if outcome.status is Status.STALE:
            late = outcome.at - outcome.entry.expires
            assert late < request.policy.stale.total_seconds() * 1000, "staler than the policy allows"
        if not request.policy.late and not request.policy.longest:
            life = outcome.entry.expires - outcome.entry.created
            assert life <= request.policy.ttl.total_seconds() * 1000, "a life longer than the policy's"
        if outcome.spent:
            purchase.charged += 1
            assert purchase.charged == 1, "one purchase was charged twice"

    def failed(self, request: Request, failure: LoadFailed) -> None:
        """He is told that there is no answer."""
        request.ended, request.failed = self.tick(), True
        purchase = self._of(request.key, failure.payload.removeprefix(b"failure of "))
        assert purchase.verdict == failure.kind, "a failure that did not happen"
        if failure.remembered:
            recent = purchase.over + 2 * SKEW >= request.began
            assert recent or not request.refresh, "a refresh was content with the memory of a failure"
            self._not_cleared(request, purchase)
        else:
            assert purchase.ended is not None, "a failure that did not happen yet"
            just_now = purchase.ended > request.tick or request.process.was_faulty(purchase.ended)
            assert just_now, "an old failure was told as a new one"  # giving the claim back may take a while

    def refused(self, request: Request) -> None:
        """He is told to go elsewhere, or of an error that is not the engine's."""
        request.ended = self.tick()

    def left(self, request: Request) -> None:
        """He is there no more."""
        request.ended = self.tick()
        assert request.leaving or request.process.killed, "somebody was sent away who did not want to leave"

    def impatient(self, request: Request) -> None:
        """He has waited for too long."""
        request.ended = self.tick()
        waited = self.now - request.began
        assert waited >= request.policy.patience.total_seconds() * 1000, "sent away before his patience was over"

    def glimpsed(self, request: Request, outcome: Outcome | None, failure: LoadFailed | None, *, pending: bool) -> None:
        """He only looked, and that is what he saw."""
        request.pending = pending
        if outcome is not None:
            assert outcome.cached
            self.answered(request, outcome)
        elif failure is not None:
            assert failure.remembered
            self.failed(request, failure)
        else:
            request.ended = self.tick()

    # What is bought

    def bought(self, request: Request, label: Label, token: str) -> Purchase:
        """A load begins to run."""
        claimed, _ = self.granted.get(token, (None, None))
        purchase = Purchase(len(self.purchases), request, label, token, self.tick(), claimed, self.now)
        self.purchases.append(purchase)
        return purchase

    def may_run(self, purchase: Purchase) -> None:
        """Whether it may begin at all, with what runs already."""
        assert purchase.claimed or purchase.process.faulty, "bought without a claim while the store was well"
        for other in self._running(purchase.key):
            if other is not purchase:
                assert self._may_both_run(other, purchase), f"bought twice at once: {other.number}, {purchase.number}"

    def ended(self, purchase: Purchase, verdict: str) -> None:
        """It has: with an answer (`ok`), a failure, or cut short."""
        purchase.verdict, purchase.ended, purchase.over = verdict, self.tick(), self.now

    def _may_both_run(self, one: Purchase, two: Purchase) -> bool:
        if one.claimed is not None and two.claimed is not None:
            # Either may have lost its claim to the other: one whose reply was slow is older, and buys later.
            since = min(one.claimed, two.claimed)
            forgotten = any(clear.key == one.key and (clear.returned or self.ticks) > since for clear in self.clearings)
            lost = max(self.jumped, self.lapsed.get(one.key, 0)) > since
            return forgotten or lost or one.process.was_faulty(one.claimed)
        if one.process is not two.process:
            return True  # without the store processes cannot know of each other
        since = min(one.request.tick, two.request.tick)
        detached = any(clear.means(one) for clear in self.clearings if (clear.returned or self.ticks) > since)
        return detached or one.process.was_deaf(since)

    def _running(self, key: Key) -> Iterator[Purchase]:
        return (one for one in self.purchases if one.key == key and not one.verdict)

    # What the store did

    def applied(self, process: Process, verb: str, args: tuple[Any, ...], result: Any) -> None:
        """*process* had the store apply *verb*."""
        if verb == "claim" and result.claim is not None:
            self.granted.setdefault(result.claim.token, (self.tick(), process))
        elif verb == "commit":
            self._committed(*args, kept=result)

    def _committed(self, claim: Claim, entry: Entry, *, kept: bool) -> None:
        if entry.error:
            return
        purchase = self._of(claim.key, entry.payload)
        if not kept:
            purchase.refused = True
            expired = self.now + SKEW >= entry.kept
            old = self.now + SKEW - claim.granted >= OLDEST // timedelta(milliseconds=1)
            # The store cannot judge what is younger than what it knows: who remembers puts that back, and asks again.
            lost = entry.sequence > self.sequence()
            assert expired or old or lost or self._was_cleared(purchase), "a paid answer was refused"
            return
        purchase.stored = True
        assert purchase.verdict == "ok", "kept although its load forbade it"
        assert self._wanted(purchase), "kept although everybody said no-store"
        newest = self.newest.get(claim.key)
        if newest is not None and not self._was_cleared(newest):
            assert newest.over <= purchase.over + 2 * SKEW, "an older answer replaced a newer one"
        self.newest[claim.key] = purchase

    def _was_cleared(self, purchase: Purchase) -> bool:
        """
        Whether it may be refused. Without a claim nobody knows what had been cleared before it, and what was cleared
        long ago is known no more: then anything is refused.
        """
        if purchase.claimed is None:
            return bool(self.clearings)
        since = purchase.claimed
        return any(clear.means(purchase) and (clear.returned or self.ticks) > since for clear in self.clearings)

    def _wanted(self, purchase: Purchase) -> bool:
        """Whether anybody who may have taken part wants it kept."""
        return any(
            request.keep and (request.ended is None or request.ended > purchase.request.tick)
            for request in self.requests
            if request.process is purchase.process and request.key == purchase.key
        )

    # What is cleared

    def clears(self, selector: Selector | None, key: Key | None) -> Clearing:
        """Somebody begins to clear."""
        clearing = Clearing(self.tick(), selector, key)
        self.clearings.append(clearing)
        return clearing

    def cleared(self, clearing: Clearing) -> None:
        """He is told that it is done."""
        clearing.returned = self.tick()

    def _not_cleared(self, request: Request, purchase: Purchase) -> None:
        for clearing in self.clearings:
            if clearing.returned is None or clearing.returned > request.tick or not clearing.means(purchase):
                continue
            cut_off = request.process.was_faulty(request.tick) and request.process.was_deaf(clearing.tick)
            assert purchase.tick >= clearing.tick or cut_off, (
                f"{request.number} was given purchase {purchase.number}, which was cleared before he asked"
            )

    # At the end

    def settled(self, given_up: int) -> None:
        """
        Nothing is under way any more: everybody has his answer, and the money adds up. *given_up*: how many answers
        the store was owed for too long.
        """
        assert all(request.ended is not None for request in self.requests), "somebody still waits"
        for purchase in self.purchases:
            assert purchase.verdict, "a load that never ended"
            to_keep = purchase.verdict == "ok" and purchase.request.keep and not purchase.process.killed
            newest = self.newest.get(purchase.key)
            duplicate = newest is not None and newest.over + 2 * SKEW >= purchase.over
            if to_keep and not purchase.stored and not purchase.refused and not duplicate:
                given_up -= purchase.over - purchase.began < OLDEST // timedelta(milliseconds=1) - 2 * SKEW
        assert given_up >= 0, "a paid answer was thrown away"

    def _of(self, key: Key, payload: bytes) -> Purchase:
        name, _, number = payload.partition(b"#")
        assert name == key.logical.encode(), "the answer of another key"
        return self.purchases[int(number)]
