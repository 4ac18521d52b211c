"""
Who calls, and what he may do.

Rule 1: a key comes as `Authorization: Bearer` or as `X-API-Key`; one that is not recognised is never passed over.
Rule 2: administration needs the role admin. Where no admin credential exists it is closed, and says how to open it.
"""

from __future__ import annotations

from dataclasses import dataclass

from starlette.requests import Request

from hashcache.api.problems import Problem
from hashcache.service.callers import Caller, Callers, Role

_CHALLENGE = {"WWW-Authenticate": 'Bearer realm="hashcache"'}


@dataclass(frozen=True, slots=True)
class Access:
    """Asks *callers* about requests. *administered*: whether any admin credential exists."""

    callers: Callers
    administered: bool

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

    def admin(self, request: Request) -> Caller:
        """
        Who sent *request*, an admin.

        Raises:
            Problem: `unauthorized` or `forbidden`.
        """
        if not self.administered:
            raise Problem(
                "forbidden",
                "Administration is closed: set HASHCACHE_ADMIN_TOKEN, or an admin's key in HASHCACHE_API_KEYS.",
            )
        if _presented(request) is None:
            raise Problem(
                "unauthorized", "Administration needs an admin's key as Authorization: Bearer.", headers=_CHALLENGE
            )
        caller = self.caller(request)
        if caller.role is not Role.ADMIN:
            raise Problem("forbidden", "Administration needs a key with the role admin.")
        return caller


def _presented(request: Request) -> str | None:
    """The key that was sent; None when there is none. Two different ones count as an unknown one."""
    found: set[str] = set(request.headers.getlist("x-api-key"))
    for value in request.headers.getlist("authorization"):
        scheme, _, rest = value.partition(" ")
        found.add(rest.strip() if scheme.lower() == "bearer" else "")
    if not found:
        return None
    return found.pop() if len(found) == 1 else ""
