"""
What an application's own administrators ask of its cache, and what they are answered, whichever framework carries it.

    GET  /api/cache/stats                 figures of this process
    POST /api/cache/invalidate/{type}     forget a type
    POST /api/cache/invalidate-pattern    {"pattern": "route:/api/*"}
    POST /api/cache/clear-all             forget everything of the library

Rule 1: nobody comes in whom the application's own guard does not let in, and there is no default guard.
Rule 2: what was not forgotten is never called forgotten: 503 while the store is away.
Rule 3: whatever is forgotten is so in every process before the answer is sent.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType

import msgspec

from hashcache.core.barrier import Selector
from hashcache.core.errors import PatternError, StoreUnavailable
from hashcache.engine.invalidation import SOON
from hashcache.integrations import names
from hashcache.integrations.answering import Answering

STATS = "/api/cache/stats"
#: Followed by a slash and the type.
INVALIDATE = "/api/cache/invalidate"
INVALIDATE_PATTERN = "/api/cache/invalidate-pattern"
CLEAR_ALL = "/api/cache/clear-all"
#: The headers of each answer, beside its media type, which is application/json.
HEADERS = MappingProxyType({"Cache-Control": "no-store"})
#: No more than one byte beyond this has to be read of a body, in bytes.
LONGEST_BODY = 4_096
_REASON = "admin route"


@dataclass(frozen=True, slots=True)
class Answer:
    """What is answered: a *status* and a *body*, which is JSON."""

    status: int
    body: bytes


class _Wanted(msgspec.Struct):
    pattern: str


class Desk:
    """
    The four routes of one cache, behind a *guard*.

    Raises (when made):
        TypeError: the guard is none.
    """

    def __init__(self, answering: Answering, guard: object) -> None:
        if not callable(guard):
            raise TypeError(f"guard= tells of a request whether it is an administrator's; {guard!r} cannot be called")
        self._answering = answering

    def refusal(self, allowed: object) -> Answer | None:
        """What is answered where the guard said *allowed*; None: who asks may come in."""
        return None if allowed is True else _error(403, "administrators only")  # only True is a yes

    async def stats(self) -> Answer:
        """Figures."""
        stats = await self._answering.stats()
        figures = {
            "hits": stats.hits,
            "misses": stats.misses,
            "errors": stats.errors,
            "total_requests": stats.total_requests,
            "hit_rate": stats.hit_rate,
            "is_available": stats.available,
        }
        return _success(cache_stats=figures)

    async def invalidate(self, kind: str) -> Answer:
        """Forget the type *kind*."""
        if kind not in self._answering.types:
            return _error(404, f"no type is called {kind!r}; there are {', '.join(sorted(self._answering.types))}")
        return await self._forget(names.selector(kind=kind), f"of type {kind}", cache_type=kind)

    async def invalidate_pattern(self, body: bytes) -> Answer:
        """Forget what fits the pattern in *body*, of which LONGEST_BODY + 1 bytes are enough."""
        if len(body) > LONGEST_BODY:
            return _error(413, f"the body has more than {LONGEST_BODY} bytes")
        try:
            pattern = msgspec.json.decode(body, type=_Wanted).pattern
            selector = names.selector(pattern)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            return _error(400, 'the body is JSON such as {"pattern": "route:/api/*"}')
        except PatternError as error:
            return _error(400, str(error))
        return await self._forget(selector, f"for {pattern}", pattern=pattern)

    async def clear_all(self) -> Answer:
        """Forget everything."""
        return await self._forget(names.selector(), "in all")

    async def _forget(self, selector: Selector, what: str, **said: str) -> Answer:
        """Forget what *selector* means, which people call *what*; the answer repeats what was *said*."""
        try:
            deleted = (await self._answering.here.forgetting.forget(selector, _REASON, SOON)).deleted
        except StoreUnavailable as away:
            self._answering.failed("invalidate", selector, away)
            return _error(503, "the store is away: nothing was forgotten; try again")
        message = f"{deleted} {'entry' if deleted == 1 else 'entries'} {what} forgotten"
        return _success(**said, deleted_keys=deleted, message=message)


def _success(**told: object) -> Answer:
    return Answer(200, msgspec.json.encode({"status": "success", **told}))


def _error(status: int, message: str) -> Answer:
    return Answer(status, msgspec.json.encode({"status": "error", "message": message}))
