"""
Is this process alive, is it ready, what does it speak.

Rule: `/healthz` asks nobody: a platform that restarts us because Redis blinks would make an outage of it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from hashcache.api.problems import Problem
from hashcache.api.rendering import json_response
from hashcache.ports import Store


class HealthPages:
    """`/healthz`, `/readyz` and `/openapi.json`. *stopping* tells whether the server is on its way down."""

    def __init__(
        self,
        store: Store,
        providers: Mapping[str, list[str]],
        document: dict[str, Any],
        stopping: Callable[[], bool],
    ) -> None:
        self._store = store
        self._providers = providers
        self._document = document
        self._stopping = stopping

    async def healthz(self, request: Request) -> Response:
        """This process is alive."""
        del request
        return json_response({"status": "ok"})

    async def readyz(self, request: Request) -> Response:
        """What it depends on."""
        del request
        if self._stopping():
            raise Problem("shutting-down", "Another process will answer.", headers={"Retry-After": "5"})
        health = await self._store.health()
        degraded = health.status == "degraded"
        return json_response(
            {
                "status": "degraded" if degraded else "ready",
                "store": {"status": health.status, "where": health.where, "reason": health.reason},
                "providers": self._providers,
            }
        )

    async def openapi(self, request: Request) -> Response:
        """The OpenAPI document."""
        del request
        return json_response(self._document)
