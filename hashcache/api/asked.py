"""
A request as our pages read it: its headers are parsed once, and looked up in a table.

Rule: what comes back is what Starlette's own would give. Those walk the list of all headers for each question, and one
upload asks some twenty.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import overload

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

_PLACE = "hashcache.fields"


class Fields(Headers):
    """The headers of *scope*, by their names in lower case; every question names them so."""

    def __init__(self, scope: Scope) -> None:
        super().__init__(scope=scope)
        self._table: dict[str, list[str]] = {}
        for name, value in self._list:
            self._table.setdefault(name.decode("latin-1"), []).append(value.decode("latin-1"))

    @classmethod
    def of(cls, scope: Scope) -> Fields:
        """Those of *scope*, parsed when they are asked for the first time."""
        found: Fields | None = scope.get(_PLACE)
        if found is None:
            found = scope[_PLACE] = cls(scope)
        return found

    @overload  # type: ignore[override]  # a default is a string here, or none
    def get(self, key: str) -> str | None: ...

    @overload
    def get(self, key: str, default: str) -> str: ...

    def get(self, key: str, default: str | None = None) -> str | None:
        """The first value of *key*."""
        found = self._table.get(key)
        return found[0] if found else default

    def getlist(self, key: str) -> list[str]:
        """All values of *key*; nobody changes the list."""
        return self._table.get(key, [])

    def __getitem__(self, key: str) -> str:
        return self._table[key.lower()][0]

    def __contains__(self, key: object) -> bool:
        return key in self._table


class Asked(Request):
    """A request with such headers."""

    @property
    def headers(self) -> Fields:
        """Its headers."""
        return Fields.of(self.scope)


class Page:
    """
    *answer* as an ASGI application. Starlette would wrap it in two more calls that look for handlers of exceptions;
    `Connection` is the only one here.
    """

    def __init__(self, answer: Callable[[Request], Awaitable[Response]]) -> None:
        self._answer = answer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        response = await self._answer(Asked(scope, receive, send))
        await response(scope, receive, send)
