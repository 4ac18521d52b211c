"""
What happened, for people and machines: counters of the fleet and one log line.

Rule 1: counters go to the reporter, which brings them to the ledger of the fleet.
Rule 2: a line tells a file's name made safe and the first 12 hexadecimal digits of its digest; never a body, a key
        or a secret.
Rule 3: nothing here fails or delays a request.
"""

from __future__ import annotations

import re
import unicodedata

import structlog

from hashcache.core.barrier import Selector
from hashcache.core.content import Content
from hashcache.core.letter import Letter
from hashcache.core.money import MicroDollars, decimal
from hashcache.core.outcome import Outcome
from hashcache.service.reporter import Reporter
from hashcache.service.statistics import booked, count

_LONGEST_NAME = 200
_DIGEST = re.compile(r"[0-9a-fA-F]{64}")

log: structlog.stdlib.BoundLogger = structlog.get_logger("hashcache")


class Telemetry:
    """Counts with *reporter* and writes the log; a `ports.Observer` and `ports.WebhookObserver`."""

    def __init__(self, reporter: Reporter) -> None:
        self._reporter = reporter
        self._log = log.bind()  # a hit has little else to do than to say so: nothing is looked up for it each time

    def answered(self, outcome: Outcome, content: Content | None, *, milliseconds: float) -> None:
        """One question was answered, in so many *milliseconds*."""
        entry, cached = outcome.entry, outcome.cached
        label = entry.label
        self._reporter.add(count(outcome, kind=label.kind, milliseconds=milliseconds), booked(outcome))
        if cached:
            self._reporter.hit(entry.key)
        self._log.info(
            "cache.hit" if cached else "cache.miss",
            file=safe_name(content.name) if content is not None else None,
            kind=label.kind,
            sha256=entry.key.name[:12],
            found=f"{outcome.level}",
            provider=label.provider,
            collapsed=outcome.collapsed,
            stored=outcome.stored,
            ttl=entry.ttl(outcome.at),
            spent_usd=decimal(outcome.spent),
            saved_usd=decimal(outcome.saved),
            ms=round(milliseconds, 1),
        )

    def refused(self, slug: str, *, status: int, method: str, path: str) -> None:
        """A request was answered with the problem *slug*."""
        if status >= 500:
            self._reporter.add({"errors": 1})
        level = log.warning if status >= 500 else log.info
        level("request.refused", problem=slug, status=status, method=method, path=_short(path))

    def aborted(self, *, path: str) -> None:
        """A client left before its upload was complete."""
        log.info("upload.aborted", path=_short(path))

    def bought(self, provider: str, price: MicroDollars, *, duration: float, stored: bool) -> None:
        """A provider answered a call after *duration* seconds."""
        self._reporter.add({f"calls.{provider}": 1, f"spent.{provider}": price})
        log.debug("provider.answered", provider=provider, ms=round(duration * 1000, 1), stored=stored)

    def lost(self, provider: str, *, duration: float, error: Exception, price: MicroDollars) -> None:
        """A call to a provider gave no answer; *price* may be billed all the same when the error says so."""
        possibly_paid = bool(getattr(error, "possibly_paid", False))
        counts = {f"calls.{provider}": 1, f"failed.{provider}": 1}
        if possibly_paid:
            counts[f"wasted.{provider}"] = price
        self._reporter.add(counts)
        log.warning(
            "provider.failed",
            provider=provider,
            error=type(error).__name__,
            detail=str(error),
            possibly_paid=possibly_paid,
            ms=round(duration * 1000, 1),
        )

    def declined(self, provider: str, error: Exception) -> None:
        """A call was not made."""
        self._reporter.add({f"declined.{provider}": 1})
        log.info("provider.declined", provider=provider, error=type(error).__name__, detail=str(error))

    def invalidated(self, selector: Selector, *, deleted: int, reason: str, who: str) -> None:
        """Somebody cleared something."""
        self._reporter.add({"invalidations": 1})
        log.info(
            "cache.invalidate", selector=safe_name(str(selector)), count=deleted, reason=safe_name(reason), who=who
        )

    def forgotten(self, sha256: str, *, deleted: int, who: str) -> None:
        """A tenant had one content forgotten."""
        self._reporter.add({"invalidations": 1})
        log.info("cache.invalidate", selector=f"sha256={sha256[:12]}", count=deleted, reason="DELETE", who=who)

    def store(self, *, available: bool, reason: str) -> None:
        """The store went away or came back."""
        if available:
            log.info("store.available")
        else:
            log.warning("store.away", reason=reason)

    def webhook(self, event: str, letter: Letter | None, *, status: int | None, why: str) -> None:
        """A webhook was sent, failed, or was given up. Of its URL only the origin is told: the rest may be a secret."""
        self._reporter.add({f"webhooks.{event}": 1})
        level = log.info if event == "sent" else log.warning
        told = (
            {}
            if letter is None
            else {
                "webhook": letter.id,
                "request": letter.request,
                "origin": "/".join(letter.url.split("/")[:3]),
                "sha256": letter.sha256[:12],
                "tries": letter.tries,
            }
        )
        level(f"webhook.{event}", status=status, reason=why or None, **told)


def _short(path: str) -> str | None:
    """*path* without whole digests: who reads the log need not learn which files a tenant has."""
    return safe_name(_DIGEST.sub(lambda found: found.group()[:12], path))


def safe_name(text: str | None) -> str | None:
    """*text* for one line of a log: control, format and bidirectional characters escaped, at most 200 characters."""
    if text is None or (len(text) <= _LONGEST_NAME and text.isascii() and text.isprintable()):
        return text  # most names are so: nothing in them needs an escape
    shown = "".join(
        letter if unicodedata.category(letter)[0] not in "CZ" or letter == " " else f"\\u{ord(letter):04x}"
        for letter in text[:_LONGEST_NAME]
    )
    return shown[:_LONGEST_NAME] + ("…" if len(shown) > _LONGEST_NAME or len(text) > _LONGEST_NAME else "")
