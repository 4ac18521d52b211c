"""Who is told what happened."""

from __future__ import annotations

from contextvars import ContextVar
from typing import Protocol

from hashcache.core.barrier import Selector
from hashcache.core.content import Content
from hashcache.core.letter import Letter
from hashcache.core.money import MicroDollars
from hashcache.core.outcome import Outcome

#: The id of the request for which something happens, which the log names in each line; None: for no request.
REQUEST: ContextVar[str | None] = ContextVar("request", default=None)


class Observer(Protocol):
    """Who is told what happened: metrics, counters, the log. Must not raise and must not wait."""

    def answered(self, outcome: Outcome, content: Content | None, *, milliseconds: float) -> None:
        """One question was answered, in so many *milliseconds*; *content* is None when only its digest was sent."""
        ...

    def refused(self, slug: str, *, status: int, method: str, path: str) -> None:
        """A request was answered with the problem *slug*."""
        ...

    def aborted(self, *, path: str) -> None:
        """A client left before its upload was complete."""
        ...

    def bought(self, provider: str, price: MicroDollars, *, duration: float, stored: bool) -> None:
        """A provider answered a call after *duration* seconds."""
        ...

    def lost(self, provider: str, *, duration: float, error: Exception, price: MicroDollars) -> None:
        """A call to a provider gave no answer; *price* is what may be billed all the same."""
        ...

    def declined(self, provider: str, error: Exception) -> None:
        """A call was not made: the vendor does not take this, or a budget, a breaker or the record forbids it."""
        ...

    def invalidated(self, selector: Selector, *, deleted: int, reason: str, who: str) -> None:
        """Somebody cleared something."""
        ...

    def forgotten(self, sha256: str, *, deleted: int, who: str) -> None:
        """A tenant had one content forgotten."""
        ...

    def store(self, *, available: bool, reason: str) -> None:
        """The store went away or came back."""
        ...


class WebhookObserver(Protocol):
    """Who is told what became of webhooks. Must not raise and must not wait."""

    def webhook(self, event: str, letter: Letter | None, *, status: int | None, why: str) -> None:
        """
        *event*: `sent`, `failed` (it is tried again) or `given_up`. The receiver's *status*, None: none came, because
        of *why*, a word. *letter* None: it cannot be read.
        """
        ...
