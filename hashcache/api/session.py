"""
`/admin/session`: signing in at the dashboard and out again.

Rule 1: the key is sent once, in a body; from then on the browser has a cookie that no script can read (HttpOnly), that
        no other site can make it send (SameSite=Strict), and that goes over TLS only, or stays on this machine.
Rule 2: whoever guesses is slowed down, by his address.
Rule 3: who asks whether he is signed in is told so, yes or no: not being it is no error.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from hashcache.api.access import Access
from hashcache.api.arrival import read_json, whole
from hashcache.api.intake import Limits
from hashcache.api.problems import Problem
from hashcache.api.rendering import json_response
from hashcache.service.doorkeeper import SignedIn
from hashcache.service.times import rfc3339
from hashcache.service.tries import Tries

_MOST_BODY = 4096
#: How many keys may be tried from one address in a minute.
_TRIES = 10


class SignIn(msgspec.Struct, forbid_unknown_fields=True):
    """The body of `POST /admin/session`."""

    key: str


class SessionPages:
    """`/admin/session`. *environment*: what people call this server. *monotonic* gives seconds."""

    def __init__(self, access: Access, limits: Limits, environment: str, *, monotonic: Callable[[], float]) -> None:
        self._access = access
        self._limits = limits
        self._tries = Tries(most=_TRIES, seconds=60, monotonic=monotonic)
        self._environment = environment

    async def resource(self, request: Request) -> Response:
        """`/admin/session`: one resource, so that a wrong method is told all that it knows."""
        answers = {"POST": self.sign_in, "DELETE": self.sign_out}
        return await answers.get(request.method, self.who)(request)

    async def who(self, request: Request) -> Response:
        """`GET /admin/session`: who is signed in, if anybody is."""
        return self._told(await self._access.signed_in(request))

    async def sign_in(self, request: Request) -> Response:
        """`POST /admin/session`: an admin's key for a session."""
        self._access.check_administered()
        cookie = self._access.cookie(request)
        if cookie is None:
            raise Problem(
                "forbidden",
                "Over plain http everybody on the way could read the key: open this page over https. If a proxy in "
                "front speaks TLS, set HASHCACHE_BEHIND_PROXY=1.",
            )
        self._access.check_ours(request)
        address = self._access.approach.address(request)
        wait = math.ceil(self._tries.wait(address))
        if wait:
            raise Problem(
                "too-many-tries",
                f"Too many keys were tried from this address: try again in {wait} seconds.",
                {"retry_after": wait},
                {"Retry-After": str(wait)},
            )
        door = self._access.doorkeeper
        opened = await door.sign_in(await self._key(request))
        if opened is None:
            raise Problem("unauthorized", "This is no key of an admin.")
        self._tries.forget(address)
        secret, signed = opened
        response = self._told(signed)
        _set(response, cookie, secret, door.life.long)
        return response

    async def sign_out(self, request: Request) -> Response:
        """`DELETE /admin/session`: end it, here and on the server."""
        secret, cookie = self._access.secret(request), self._access.cookie(request)
        if secret is not None:
            self._access.check_ours(request)
            await self._access.doorkeeper.sign_out(secret)
        response = self._told(None)
        if cookie is not None:
            _set(response, cookie, "", timedelta(0))
        return response

    async def _key(self, request: Request) -> str:
        with closing(self._limits.room.share()) as share:
            raw = await whole(request, self._limits.pace, most=_MOST_BODY, share=share)
        read_json(raw)
        try:
            return msgspec.json.decode(raw, type=SignIn).key
        except msgspec.DecodeError as error:
            raise Problem("malformed", f"The body is not what is expected here: {error}") from None

    def _told(self, signed: SignedIn | None) -> Response:
        return json_response(
            {
                "success": True,
                "signed_in": signed is not None,
                "name": signed.caller.name if signed else None,
                "ends": rfc3339(signed.ends) if signed else None,
                "environment": self._environment if signed else None,
            }
        )


def _set(response: Response, cookie: str, secret: str, life: timedelta) -> None:
    response.set_cookie(
        cookie,
        secret,
        max_age=int(life.total_seconds()),
        path="/",
        secure=cookie.startswith("__Host-"),
        httponly=True,
        samesite="strict",
    )
