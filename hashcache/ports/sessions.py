"""Who has signed in at the dashboard, and until when."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

from hashcache.core.entry import Instant


@dataclass(frozen=True, slots=True)
class Session:
    """
    One sign-in, which *began* and *ends* (whatever happens in between) at instants on the store's clock.

    *proof* shows that whoever began it held a key; a store only keeps it.
    """

    proof: bytes
    began: Instant
    ends: Instant


class Sessions(Protocol):
    """
    Sessions by their *name*: a digest of the secret that only the browser has, so that who reads the store can not
    use them. No invalidation touches them. All verbs raise `StoreUnavailable`.
    """

    async def begin(self, name: str, session: Session, idle: timedelta) -> None:
        """Keep *session* for *idle*, and not beyond its end."""
        ...

    async def find(self, name: str, idle: timedelta) -> Session | None:
        """The session, which from now on is kept for *idle* again, not beyond its end; None: there is none any more."""
        ...

    async def end(self, name: str) -> bool:
        """Forget the session; whether there was one."""
        ...
