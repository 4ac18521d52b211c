"""
Several vendors at one address, each below its own name, with books that all may read.

    POST /sightengine/1.0/check.json    and so on: each vendor's own paths, below its name
    GET  /ledger                        what all of them billed
    GET  /hive/ledger                   what one of them billed
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Mapping
from random import Random
from typing import Any

from loadtests.vendor.books import Account, dollars, summed
from loadtests.vendor.dialect import Dialect, send, told
from loadtests.vendor.received import Request
from loadtests.vendor.server import Exchange, Server
from loadtests.vendor.weather import Forecast, Weather


class Vendors(Server):
    """
    The server. *prices* are micro-dollars a unit by the vendor's name; of others the dialect's own price holds.

    *seed*: the chances of each vendor's weather are drawn from it.
    """

    def __init__(
        self,
        dialects: Iterable[Dialect],
        *,
        weather: Weather | None = None,
        prices: Mapping[str, int] | None = None,
        seed: int = 0,
    ) -> None:
        super().__init__()
        self._dialects = {dialect.NAME: dialect for dialect in dialects}
        self.accounts = {
            name: Account(dialect.UNIT, (prices or {}).get(name, dialect.PRICE))
            for name, dialect in self._dialects.items()
        }
        now = asyncio.get_running_loop().time
        self._forecasts = {
            name: Forecast(weather or Weather(), chance=Random(f"{seed} {name}"), now=now)  # no secret
            for name in self._dialects
        }

    def settings(self, name: str) -> dict[str, str]:
        """The variables that point hashcache at the vendor *name*, its price included."""
        price = {f"HASHCACHE_{name.upper()}_PRICE_USD": dollars(self.accounts[name].price)}
        return {**self._dialects[name].settings(f"{self.origin}/{name}"), **price}

    async def answer(self, exchange: Exchange, head: Request) -> None:
        """A page of the books, or a vendor's business."""
        name, _, path = head.path.removeprefix("/").partition("/")
        if head.method == "GET" and (head.path == "/ledger" or (name in self.accounts and path == "ledger")):
            await self._tell(exchange, summed(self.accounts) if not path else self.accounts[name].told())
        elif name not in self._dialects:
            await self._object(exchange, 404, f"nothing is here; vendors: {', '.join(self._dialects)}; or GET /ledger")
        elif "transfer-encoding" in head.headers or not head.headers.get("content-length", "0").isdecimal():
            await self._object(exchange, 411, "send the length of the body")
        else:
            head.path = f"/{path}"
            head.headers["x-forwarded-prefix"] = f"/{name}"
            try:
                request = await exchange.read(head)
            except (KeyError, ValueError):
                await self._object(exchange, 400, "the body is not what its media type promises")
            else:
                await self._deal(exchange, request, name)

    async def _deal(self, exchange: Exchange, request: Request, name: str) -> None:
        """The business of the vendor *name* with *request*."""
        dialect, account, forecast = self._dialects[name], self.accounts[name], self._forecasts[name]
        reply = dialect.objection(request)
        if reply is not None:
            account.refused[reply.status] += 1
            await send(exchange, reply)
            return
        reply = dialect.analyse(request)
        refused = forecast.refused(account.micro_dollars) if reply.opens else None
        if refused is not None:
            account.refused[refused.status] += 1
            again = {} if refused.retry_after is None else {"Retry-After": str(refused.retry_after)}
            await send(exchange, dialect.refusal(refused.status), again)
            return
        if reply.units:
            account.book(request.content, reply.units)
            is_lost = forecast.is_lost()
            account.lost += is_lost
            await asyncio.sleep(forecast.takes())
            if is_lost:
                exchange.hang_up()
                return
        await send(exchange, reply)

    async def _tell(self, exchange: Exchange, document: Any) -> None:
        await exchange.reply(200, json.dumps(document, indent=2).encode() + b"\n")

    async def _object(self, exchange: Exchange, status: int, words: str) -> None:
        """Refuse a call that is nobody's business; its body is not read, so the connection ends."""
        await send(exchange, told(status, {"error": words}), {"Connection": "close"})
        raise ConnectionResetError(words)
