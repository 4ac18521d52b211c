"""
One try to deliver a webhook: what it says, how it is signed, and what follows from the receiver's answer.

Rule 1: it says what `GET /api/analyses/{sha256}` would say to the tenant at this moment: so of what was forgotten or
        cleared meanwhile that it is not known. A failure, once it was told, is told again as it was.
Rule 2: whether nothing is known, only a store that answers can say; while it is away nothing is sent, and so while the
        answer is being bought.
Rule 3: 2xx is a delivery; 410 Gone means never again; all else is tried again, 8 times in some 24 hours, later where
        the receiver asks for it with 429 or 503.
Rule 4: an origin that is not allowed any more gets nothing.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

import msgspec

from hashcache import __version__
from hashcache.core.content import Kind
from hashcache.core.entry import EPOCH, Instant
from hashcache.core.errors import ProviderError, WebhookRefused
from hashcache.core.letter import Letter
from hashcache.core.outcome import Outcome
from hashcache.core.signature import signatures
from hashcache.core.target import Origin, Target
from hashcache.engine.found import Found
from hashcache.ports import Posted, Postman
from hashcache.service.callers import Caller, Role
from hashcache.service.times import rfc3339

#: How long after a try that failed the next one is, before jitter.
PAUSES = (
    timedelta(seconds=5),
    timedelta(minutes=1),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=6),
    timedelta(hours=15),
)
#: The longest that a receiver may ask us to wait.
LONGEST_WISH = timedelta(hours=24)
_HEEDED = frozenset({429, 503})


#: `Analyses.known`.
Known = Callable[[str, Caller, Kind], Awaitable[Found]]


class Writer(Protocol):
    """Writes what a GET would be answered with, as JSON."""

    def answer(self, outcome: Outcome) -> bytes:
        """The answer."""
        ...

    def problem(self, error: ProviderError | None, request: str) -> bytes:
        """The problem that *error* is, None: that nothing is known; *request* is the id of the request it is about."""
        ...


@dataclass(frozen=True, slots=True)
class Tried:
    """The *letter* as it is after one try, and what came of it; *posted* None: there was nothing to say yet."""

    letter: Letter
    posted: Posted | None


class Delivery:
    """
    Delivers what is *known* by *postman*, signed by *secrets*, to *origins* alone. *now* is the store's clock, *chance*
    gives 0 to 1.
    """

    def __init__(
        self,
        known: Known,
        postman: Postman,
        writer: Writer,
        *,
        secrets: Sequence[bytes],
        origins: Sequence[Origin],
        now: Callable[[], Instant],
        chance: Callable[[], float],
    ) -> None:
        self._known = known
        self._postman = postman
        self._writer = writer
        self._secrets = secrets
        self._origins = frozenset(origins)
        self._now = now
        self._chance = chance

    def allows(self, target: Target) -> bool:
        """Whether a webhook may go to *target*."""
        return target.origin in self._origins

    def failed(self, letter: Letter, error: ProviderError | None) -> Letter:
        """*letter*, to tell of *error*, None: that nothing is known."""
        problem = self._writer.problem(error, letter.request).decode()
        return msgspec.structs.replace(letter, problem=problem, failed=self._now())

    async def attempt(self, letter: Letter) -> Tried:
        """Try to deliver *letter*, if there is something to say."""
        try:
            target = Target.parse(letter.url)
        except WebhookRefused:  # the rules of an earlier release took it
            return Tried(letter, Posted(None, "not-allowed"))
        if not self.allows(target):
            return Tried(letter, Posted(None, "not-allowed"))
        outcome: Outcome | None = None
        if not letter.problem:
            try:
                found = await self._known(letter.sha256, _caller(letter), letter.kind)
            except ProviderError as error:
                letter = self.failed(letter, error)
            else:
                outcome = found.outcome
                if outcome is None and (found.pending or found.away):
                    return Tried(letter, None)
                if outcome is None:
                    letter = self.failed(letter, None)
        posted = await self._postman.post(target, *self._message(letter, outcome))
        return Tried(msgspec.structs.replace(letter, tries=letter.tries + 1), posted)

    def pause(self, tried: Tried) -> timedelta | None:
        """How long after a try that was no delivery the next one is; None: there is none."""
        posted, tries = tried.posted, tried.letter.tries
        if posted is None:
            raise ValueError("nothing was tried")
        if posted.status == 410 or posted.why == "not-allowed" or tries > len(PAUSES):
            return None
        pause = PAUSES[tries - 1] * (0.8 + 0.4 * self._chance())
        if posted.status not in _HEEDED or posted.retry_after is None:
            return pause
        return max(pause, min(timedelta(seconds=posted.retry_after), LONGEST_WISH))

    def _message(self, letter: Letter, outcome: Outcome | None) -> tuple[dict[str, str], bytes]:
        kind, at = ("analysis.completed", outcome.entry.created) if outcome else ("analysis.failed", letter.failed)
        told = msgspec.json.encode({"type": kind, "timestamp": rfc3339(at or EPOCH), "request_id": letter.request})
        written = self._writer.answer(outcome) if outcome is not None else letter.problem.encode()
        body = b"".join((told[:-1], b',"data":', written, b"}"))
        timestamp = self._now() // 1000
        return {
            "Content-Type": "application/json",
            "User-Agent": f"hashcache/{__version__}",
            "webhook-id": letter.id,
            "webhook-timestamp": str(timestamp),
            "webhook-signature": signatures(self._secrets, letter.id, timestamp, body),
        }, body


def _caller(letter: Letter) -> Caller:
    """Whoever is told by *letter*: its tenant, and no more than any of its users."""
    return Caller("webhook", letter.tenant, Role.USER)
