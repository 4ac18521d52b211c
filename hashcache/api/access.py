"""
Who calls, and what he may do.

Rule 1: a key comes as `Authorization: Bearer` or as `X-API-Key`; one that is not recognised is never passed over.
Rule 2: administration needs the role admin. Where no admin credential exists it is closed, and says how to open it.
Rule 3: administration, and nothing else, also takes the cookie of a session. A browser sends it by itself: so what
        changes something must come from a page of ours. Over TLS the cookie has a name that no other host can set
        (`__Host-`, RFC 6265bis section 4.1.3.2); over plain http there is one on this machine only.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from starlette.requests import Request

from hashcache.api.approach import Approach, is_direct
from hashcache.api.problems import Problem
from hashcache.core.entry import Instant
from hashcache.ports import Sessions
from hashcache.service.callers import Caller, Callers, Role
from hashcache.service.doorkeeper import Doorkeeper, Life, SignedIn
from hashcache.settings import Settings

_CHALLENGE = {"WWW-Authenticate": 'Bearer realm="hashcache"'}
_COOKIE, _PLAIN_COOKIE = "__Host-hashcache", "hashcache"
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


@dataclass(frozen=True, slots=True)
class Access:
    """
    Asks *callers*, and *doorkeeper* about those who have signed in. *administered*: whether any admin credential
    exists.
    """

    callers: Callers
    doorkeeper: Doorkeeper
    approach: Approach
    administered: bool

    @classmethod
    def of(
        cls,
        settings: Settings,
        sessions: Sessions,
        *,
        now: Callable[[], Instant],
        monotonic: Callable[[], float],
        secret: Callable[[], str],
    ) -> Access:
        """As it is set, with *sessions*; *now*, *monotonic* and *secret* are the doorkeeper's."""
        callers = Callers(settings.api_keys, settings.admin_token)
        life = Life(settings.session_idle, settings.session_life)
        return cls(
            callers,
            Doorkeeper(sessions, callers, life, now=now, monotonic=monotonic, secret=secret),
            Approach(settings.behind_proxy),
            administered=settings.admin_token is not None or any(key.role == "admin" for key in settings.api_keys),
        )

    def caller(self, request: Request) -> Caller:
        """
        Who sent *request*.

        Raises:
            Problem: `unauthorized`.
        """
        presented = _presented(request)
        caller = self.callers.identify(presented)
        if caller is None:
            detail = "This key is not known." if presented else "Send a key as Authorization: Bearer, or as X-API-Key."
            raise Problem("unauthorized", detail, headers=_CHALLENGE)
        return caller

    async def admin(self, request: Request) -> Caller:
        """
        Who sent *request*, an admin: by a key, or by the session of a browser.

        Raises:
            Problem: `unauthorized` or `forbidden`.
            StoreUnavailable: it is a session, and the store that knows it is away.
        """
        self.check_administered()
        if _presented(request) is None:
            signed = await self.signed_in(request)
            if signed is None:
                detail = "Administration needs an admin's key as Authorization: Bearer."
                raise Problem("unauthorized", detail, headers=_CHALLENGE)
            return signed.caller
        caller = self.caller(request)
        if caller.role is not Role.ADMIN:
            raise Problem("forbidden", "Administration needs a key with the role admin.")
        return caller

    async def signed_in(self, request: Request) -> SignedIn | None:
        """
        Whose session *request* carries; None: it carries none, or one that has ended.

        Raises:
            Problem: `forbidden`: it would change something and does not come from a page of ours.
            StoreUnavailable: the store that knows it is away.
        """
        secret = self.secret(request)
        if secret is None:
            return None
        changes = request.method not in _SAFE
        if changes:
            self.check_ours(request)
        return await self.doorkeeper.recognise(secret, changes=changes)

    def check_administered(self) -> None:
        """Raises Problem `forbidden` where no admin credential exists."""
        if not self.administered:
            raise Problem(
                "forbidden",
                "Administration is closed: set HASHCACHE_ADMIN_TOKEN, or an admin's key in HASHCACHE_API_KEYS.",
            )

    def check_ours(self, request: Request) -> None:
        """Raises Problem `forbidden` unless a page of ours sent *request*."""
        if not self.approach.is_ours(request):
            raise Problem(
                "forbidden", "With a session this can only be done from this server's own pages; elsewhere send a key."
            )

    def cookie(self, request: Request) -> str | None:
        """The name of the cookie for a session over this connection; None: there must be none over this one."""
        if self.approach.is_secure(request):
            return _COOKIE
        return _PLAIN_COOKIE if is_direct(request) else None

    def secret(self, request: Request) -> str | None:
        """The secret of the session that *request* carries, whatever it is worth."""
        name = self.cookie(request)
        return (request.cookies.get(name) or None) if name is not None else None


def _presented(request: Request) -> str | None:
    """The key that was sent; None when there is none. Two different ones count as an unknown one."""
    found: set[str] = set(request.headers.getlist("x-api-key"))
    for value in request.headers.getlist("authorization"):
        scheme, _, rest = value.partition(" ")
        found.add(rest.strip() if scheme.lower() == "bearer" else "")
    if not found:
        return None
    return found.pop() if len(found) == 1 else ""
