"""
The providers over HTTP: who is asked, in which epoch, and what a new model would cost.

Rule: for admins. A list is given while the store is away too: what is not known then is null.
"""

from __future__ import annotations

import re
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from hashcache.api.access import Access
from hashcache.api.admin import Reasoned, read_reasoned
from hashcache.api.intake import Limits
from hashcache.api.problems import Problem
from hashcache.api.rendering import json_response
from hashcache.core.barrier import Selector
from hashcache.core.content import Kind
from hashcache.core.errors import StoreUnavailable
from hashcache.core.money import decimal
from hashcache.ports import Accounts, Breaker, Observer, Provider, Store
from hashcache.service.epochs import Epochs
from hashcache.service.reanalysis import Reanalysis
from hashcache.service.routing import Routing
from hashcache.service.spend import breaker_report

_NEAR = "0.1"
_OLDER, _PRESENT = "older", "present"


class ProviderPages:
    """`/api/admin/providers...`; *accounts* know the breakers."""

    def __init__(
        self,
        routing: Routing,
        epochs: Epochs,
        reanalysis: Reanalysis,
        store: Store,
        accounts: Accounts,
        access: Access,
        limits: Limits,
        observer: Observer,
    ) -> None:
        self._routing = routing
        self._epochs = epochs
        self._reanalysis = reanalysis
        self._store = store
        self._accounts = accounts
        self._access = access
        self._limits = limits
        self._observer = observer

    async def providers(self, request: Request) -> Response:
        """`GET /api/admin/providers`."""
        await self._access.admin(request)
        try:
            await self._epochs.learn()
            breakers = {one.provider: one for one in await self._accounts.breakers()}
        except StoreUnavailable:
            breakers = None
        listed = [self._describe(provider, breakers) for provider in self._routing.everyone()]
        return json_response({"success": True, "providers": listed})

    async def raise_epoch(self, request: Request) -> Response:
        """`POST /api/admin/providers/{name}/epoch`."""
        caller = await self._access.admin(request)
        name = self._named(request).name
        reason = (await read_reasoned(request, Reasoned, self._limits)).reason
        epoch = await self._epochs.advance(name, reason=reason)
        self._observer.invalidated(Selector(provider=name), deleted=0, reason=reason, who=caller.name)
        return json_response({"success": True, "provider": name, "epoch": epoch, "reason": reason})

    async def reanalysis(self, request: Request) -> Response:
        """`GET /api/admin/providers/{name}/reanalysis?near=0.1&of=older`."""
        await self._access.admin(request)
        provider = self._named(request)
        text = request.query_params.get("near", _NEAR)
        if not re.fullmatch(r"0(\.[0-9]{1,6})?|1(\.0{1,6})?", text):
            raise Problem("malformed", "near is a number from 0 to 1, such as 0.1.")
        of = request.query_params.get("of", _OLDER)
        if of not in {_OLDER, _PRESENT}:
            raise Problem("malformed", f"of is {_OLDER} or {_PRESENT}.")
        counted = await self._reanalysis.count(provider, near=float(text), present=of == _PRESENT)
        return json_response(
            {
                "success": True,
                "provider": provider.name,
                "epoch": self._routing.epoch(provider.name),
                "of": of,
                "entries": counted.kinds.total(),
                "by_kind": {kind.value: counted.kinds[kind.value] for kind in Kind},
                "cost_usd": decimal(counted.cost),
                "threshold": provider.terms.ai_above,
                "near": float(text),
                "near_threshold": counted.doubtful,
                "nearest": [{"key": key, "score_ai": score} for _, key, score in counted.nearest],
                "scanned": counted.scanned,
                "complete": counted.complete,
            }
        )

    def _named(self, request: Request) -> Provider:
        provider = self._routing.find(request.path_params["name"])
        if provider is None:
            names = ", ".join(one.name for one in self._routing.everyone())
            raise Problem("not-found", f"No provider of that name is asked for anything; these are: {names}.")
        return provider

    def _describe(self, provider: Provider, breakers: dict[str, Breaker] | None) -> dict[str, Any]:
        name, terms = provider.name, provider.terms
        breaker = None
        if breakers is not None and not terms.embedded:
            breaker = breaker_report(breakers.get(name, Breaker(name, 0)), self._store.now())
        return {
            "name": name,
            "kinds": [kind.value for kind in Kind if kind in provider.kinds],
            "asked_for": self._routing.places(name),
            "epoch": self._routing.epoch(name),
            "embedded": terms.embedded,
            "unit": terms.unit,
            "price_usd": decimal(terms.price),
            "price_read": terms.read,
            "limits": list(terms.limits),
            "ai_above": terms.ai_above,
            "breaker": breaker,
        }
