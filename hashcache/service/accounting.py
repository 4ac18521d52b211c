"""Reading the books for a report: what is asked of the store, all of it at once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from typing import Any

from hashcache.core.budget import Budget
from hashcache.core.entry import Instant
from hashcache.core.spend import day_of
from hashcache.ports import Accounts
from hashcache.service.overview import Purse
from hashcache.service.spend import Books, StorePrice, report


class Accounting:
    """
    Reports on *accounts* under *budgets*. *now* is the store's clock; *commands* tells how many commands the store was
    sent this month (None: nobody counts them), *flush* brings what this process has counted to the books.
    """

    def __init__(
        self,
        accounts: Accounts,
        budgets: Sequence[Budget],
        price: StorePrice,
        *,
        now: Callable[[], Instant],
        commands: Callable[[], Awaitable[int | None]],
        flush: Callable[[], Awaitable[None]],
    ) -> None:
        self._accounts = accounts
        self._budgets = budgets
        self._price = price
        self._now = now
        self._commands = commands
        self._flush = flush

    async def purse(self) -> Purse:
        """What alerts need to know. Raises StoreUnavailable."""
        charges = [budget.charge(self._now()) for budget in self._budgets]
        breakers, used = await asyncio.gather(self._accounts.breakers(), self._accounts.used(charges))
        return Purse(breakers, self._budgets, used)

    async def report(self, days: int) -> dict[str, Any]:
        """
        The answer of `GET /api/admin/spend` about the last *days*, today included.

        Raises:
            StoreUnavailable: the store is away.
        """
        await self._flush()
        now = self._now()
        since = day_of(now) - timedelta(days=days - 1)
        charges = [budget.charge(now) for budget in self._budgets]
        accounts = self._accounts
        lines, totals, used, attempts, breakers, commands = await asyncio.gather(
            accounts.days(since),
            accounts.totals(),
            accounts.used(charges),
            accounts.attempts(),
            accounts.breakers(),
            self._commands(),
        )
        books = Books(now, since, lines, totals, self._budgets, used, attempts, breakers, commands)
        return report(books, self._price)
