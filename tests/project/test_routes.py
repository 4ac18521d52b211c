"""The table of URLs and the OpenAPI document name the same resources and methods."""

from __future__ import annotations

from dataclasses import fields
from typing import Any, cast

from hashcache import __version__
from hashcache.api.openapi import document
from hashcache.api.routes import Pages, table

#: HEAD is answered wherever GET is; the document names it where it means something of its own.
_IMPLIED = {"HEAD"}
#: The document is about the API; these are for people.
_PAGES = {"/", "/admin", "/favicon.ico", "/web/{name}"}


def test_the_document_describes_every_route_and_no_other() -> None:
    """Whoever adds a route documents it; whoever documents one builds it."""
    pages = cast("Any", _Pages())
    routes = table(Pages(**{one.name: pages for one in fields(Pages)}))
    routed = {
        (route.path_format, method) for route in routes if route.path not in _PAGES for method in route.methods or ()
    }
    documented = {
        (path, method.upper())
        for path, operations in document(__version__)["paths"].items()
        for method in operations
        if method in {"get", "head", "post", "put", "delete", "patch"}
    }
    assert documented - routed == set()
    assert {(path, method) for path, method in routed - documented if method not in _IMPLIED} == set()


class _Pages:
    """Endpoints of any name: the table only needs to find them."""

    def __getattr__(self, name: str) -> object:
        async def endpoint(request: object) -> None: ...

        return endpoint
