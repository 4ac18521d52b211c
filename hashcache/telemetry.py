"""
What happened, for people and machines: counters of the fleet and one log line.

Rule 1: counters go to the ledger in one batch a second, and not at all when nothing happened.
Rule 2: a line tells a file's name made safe and the first 12 hexadecimal digits of its digest; never a body, a key
        or a secret.
Rule 3: nothing here fails a request: a ledger that is away is caught up with when it is back.
"""

from __future__ import annotations

import asyncio
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Mapping

import structlog

from hashcache.core.barrier import Selector
from hashcache.core.content import Content
from hashcache.core.errors import StoreUnavailable
from hashcache.core.money import MicroDollars, decimal
from hashcache.core.outcome import Outcome
from hashcache.ports import Ledger
from hashcache.service.statistics import count

FLUSH_SECONDS = 1.0
_LONGEST_NAME = 200
_DIGEST = re.compile(r"[0-9a-fA-F]{64}")

log: structlog.stdlib.BoundLogger = structlog.get_logger("hashcache")


class Telemetry:
    """Counts into *ledger* and writes the log; a `ports.Observer`. *refused*: entries that did not verify so far."""

    def __init__(self, ledger: Ledger, *, refused: Callable[[], int], pause: float = FLUSH_SECONDS) -> None:
        self._ledger = ledger
        self._refused = refused
        self._pause = pause
        self._refused_before = 0
        self._counts: Counter[str] = Counter()
        self._sending: Counter[str] = Counter()
        self._dirty = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to flush."""
        self._task = asyncio.create_task(self._flush_for_ever(), name="telemetry")

    async def close(self) -> None:
        """Flush what is left, once, and stop."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None
        await self._flush()

    async def figures(self) -> Mapping[str, int]:
        """The counters of the fleet and what is not flushed yet; only the latter while the ledger is away."""
        try:
            totals = Counter(await self._ledger.totals())
        except StoreUnavailable:
            totals = Counter()
        totals.update(self._counts)
        totals.update(self._sending)
        return totals

    def answered(self, outcome: Outcome, content: Content | None, *, milliseconds: float) -> None:
        """One question was answered, in so many *milliseconds*."""
        kind = outcome.entry.label.kind
        self._add(count(outcome, kind=kind, milliseconds=milliseconds))
        log.info(
            "cache.hit" if outcome.cached else "cache.miss",
            file=safe_name(content.name if content else None),
            kind=kind,
            sha256=outcome.entry.key.name[:12],
            found=outcome.level.value,
            provider=outcome.entry.label.provider,
            collapsed=outcome.collapsed,
            stored=outcome.stored,
            ttl=outcome.entry.ttl(outcome.at),
            spent_usd=decimal(outcome.spent),
            saved_usd=decimal(outcome.saved),
            ms=round(milliseconds, 1),
        )

    def refused(self, slug: str, *, status: int, method: str, path: str) -> None:
        """A request was answered with the problem *slug*."""
        if status >= 500:
            self._add(Counter({"errors": 1}))
        level = log.warning if status >= 500 else log.info
        level("request.refused", problem=slug, status=status, method=method, path=_short(path))

    def aborted(self, *, path: str) -> None:
        """A client left before its upload was complete."""
        log.info("upload.aborted", path=_short(path))

    def bought(self, provider: str, price: MicroDollars, *, duration: float, stored: bool) -> None:
        """A provider answered a call after *duration* seconds."""
        self._add(Counter({f"calls.{provider}": 1, f"spent.{provider}": price}))
        log.debug("provider.answered", provider=provider, ms=round(duration * 1000, 1), stored=stored)

    def lost(self, provider: str, *, duration: float, error: Exception, price: MicroDollars) -> None:
        """A call to a provider gave no answer; *price* may be billed all the same when the error says so."""
        possibly_paid = bool(getattr(error, "possibly_paid", False))
        counts = Counter({f"calls.{provider}": 1, f"failed.{provider}": 1})
        if possibly_paid:
            counts[f"wasted.{provider}"] = price
        self._add(counts)
        log.warning(
            "provider.failed",
            provider=provider,
            error=type(error).__name__,
            detail=str(error),
            possibly_paid=possibly_paid,
            ms=round(duration * 1000, 1),
        )

    def invalidated(self, selector: Selector, *, deleted: int, reason: str, who: str) -> None:
        """Somebody cleared something."""
        self._add(Counter({"invalidations": 1}))
        log.info(
            "cache.invalidate", selector=safe_name(str(selector)), count=deleted, reason=safe_name(reason), who=who
        )

    def forgotten(self, sha256: str, *, deleted: int, who: str) -> None:
        """A tenant had one content forgotten."""
        self._add(Counter({"invalidations": 1}))
        log.info("cache.invalidate", selector=f"sha256={sha256[:12]}", count=deleted, reason="DELETE", who=who)

    def store(self, *, available: bool, reason: str) -> None:
        """The store went away or came back."""
        if available:
            log.info("store.available")
        else:
            log.warning("store.away", reason=reason)

    def _add(self, counts: Counter[str]) -> None:
        self._counts.update({name: number for name, number in counts.items() if number})
        if self._counts:
            self._dirty.set()

    async def _flush_for_ever(self) -> None:
        while True:
            await self._dirty.wait()
            await asyncio.sleep(self._pause)
            self._dirty.clear()
            await self._flush()

    async def _flush(self) -> None:
        refused = self._refused()
        if refused > self._refused_before:
            self._counts["refused"] += refused - self._refused_before
            self._refused_before = refused
        if not self._counts:
            return
        self._counts, self._sending = Counter(), self._counts
        try:
            await self._ledger.add(self._sending)
        except StoreUnavailable:
            self._counts.update(self._sending)  # with a later batch: what happened while it was away is not lost
            self._dirty.set()
        finally:
            self._sending = Counter()


def _short(path: str) -> str | None:
    """*path* without whole digests: who reads the log need not learn which files a tenant has."""
    return safe_name(_DIGEST.sub(lambda found: found.group()[:12], path))


def safe_name(text: str | None) -> str | None:
    """*text* for one line of a log: control, format and bidirectional characters escaped, at most 200 characters."""
    if text is None:
        return None
    shown = "".join(
        letter if unicodedata.category(letter)[0] not in "CZ" or letter == " " else f"\\u{ord(letter):04x}"
        for letter in text[:_LONGEST_NAME]
    )
    return shown[:_LONGEST_NAME] + ("…" if len(shown) > _LONGEST_NAME or len(text) > _LONGEST_NAME else "")
