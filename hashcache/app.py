"""
Settings in, ASGI application out: composes everything, opens it, and closes it in order.

Order at the end: no new work, flights land within the grace, webhooks are left to others, sweeps stop, providers
close, counters are flushed, the store closes.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from time import monotonic

import structlog
from starlette.routing import Router
from starlette.types import ASGIApp

from hashcache import __version__, wiring
from hashcache.api import openapi, pages, routes
from hashcache.api.access import Access
from hashcache.api.admin import AdminPages
from hashcache.api.admission import Room
from hashcache.api.analyses import AnalysisPages
from hashcache.api.atonce import AtOnce
from hashcache.api.connection import Connection
from hashcache.api.ending import hear_of_the_end
from hashcache.api.entries import EntryPages
from hashcache.api.health import HealthPages
from hashcache.api.hooks import HookWriter
from hashcache.api.intake import Limits
from hashcache.api.metrics import MetricsPage
from hashcache.api.minutes import MinutesPage
from hashcache.api.overview import OverviewPages
from hashcache.api.providers import ProviderPages
from hashcache.api.session import SessionPages
from hashcache.api.spend import SpendPages
from hashcache.api.trimming import Trimming, malloc_trim
from hashcache.core.errors import StoreUnavailable
from hashcache.core.spend import added
from hashcache.engine.cache import Cache
from hashcache.engine.invalidation import Invalidations
from hashcache.engine.near import Near
from hashcache.ports import StoreHealth
from hashcache.service.accounting import Accounting
from hashcache.service.analyse import Analyses, Lives
from hashcache.service.browsing import Browsing
from hashcache.service.callers import DEFAULT_TENANT
from hashcache.service.cashier import Cashier
from hashcache.service.epochs import Epochs
from hashcache.service.jobs import Jobs
from hashcache.service.overview import FRUGAL, Overview, Pace, Sights
from hashcache.service.posting import webhooks
from hashcache.service.reanalysis import Reanalysis
from hashcache.service.reporter import Reporter, Sources
from hashcache.service.routing import Routing
from hashcache.service.spend import StorePrice
from hashcache.service.spending import Till
from hashcache.service.statistics import Figures, counter_of, grown, with_money
from hashcache.service.watch import Watch
from hashcache.service.webhooks import Webhooks
from hashcache.settings import Settings, is_loopback
from hashcache.telemetry import Telemetry

log: structlog.stdlib.BoundLogger = structlog.get_logger("hashcache")


def create(settings: Settings) -> ASGIApp:
    """
    The application of *settings*. Everything it needs is opened by its lifespan and closed after it.

    Raises:
        SettingsError: what is set cannot be made.
    """
    return _House(settings).app()


async def preflight(settings: Settings) -> StoreHealth:
    """
    Try the store and make everything once, without serving: what is wrong is said before a worker starts.

    Raises:
        SettingsError: why this cannot be served.
    """
    house = _House(settings)
    try:
        await house.store.open()
        return await house.store.health()
    finally:
        await house.store.close()


class _House:
    """All rooms, connected."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.store = wiring.store(settings)
        self._reporter = Reporter(
            self.store.ledger,
            wiring.process("serve", __version__),
            now=self.store.now,
            monotonic=monotonic,
            sources=Sources(grown=self._grown, gauges=self._gauges),
            quiet=wiring.quiet(settings),
        )
        self._telemetry = Telemetry(self._reporter)
        self._cache = Cache(
            self.store,
            self.store.channel,
            Near(settings.near_bytes),
            token=wiring.token,
            chance=wiring.chance,
            observer=self._telemetry,
        )
        self._invalidations = Invalidations(self._cache)
        self._epochs = Epochs(self._cache, self._invalidations, settings.epochs)
        self._routing = Routing(wiring.providers(settings), self._epochs.now)
        self._cashier = Cashier(
            self.store.accounts,
            settings.budgets,
            wiring.rules(settings),
            now=self.store.now,
            peers=self._count_peers,
        )
        self._accounting = Accounting(
            self.store.accounts,
            settings.budgets,
            StorePrice(settings.redis_price, settings.redis_commands_price),
            now=self.store.now,
            commands=self._commands,
            flush=self._flush,
        )
        pace = FRUGAL if wiring.is_billed(settings) else Pace()
        self._overview = Overview(
            Sights(
                self.store,
                self.store.ledger,
                self._figures,
                self._accounting.report,
                self._accounting.purse,
                lambda: self._cache.view.barrier.sequence,
                plan=settings.redis_monthly_commands,
                tls=settings.store.startswith("rediss"),
                environment=settings.environment,
                version=__version__,
            ),
            settings.alerts,
            monotonic=monotonic,
            pace=pace,
        )
        self._watch = Watch(self._overview.alerts, self.store.ledger, own=self._reporter.process.name, every=pace.watch)
        self._jobs: Jobs | None = None
        self._webhooks: Webhooks | None = None
        self._stopped: float | None = None

    def app(self) -> ASGIApp:
        """The routes behind the connection's rules."""
        settings = self._settings
        access = Access.of(settings, self.store.sessions, now=self.store.now, monotonic=monotonic, secret=wiring.secret)
        till = Till(
            self._cashier, self._reporter.process.name, self.store.now, self._telemetry, most=settings.max_entry
        )
        analyses = Analyses(self._cache, self._invalidations, self._routing, Lives.of(settings), till)
        self._webhooks = webhooks(settings, self.store, analyses, HookWriter(), self._telemetry)
        self._jobs = Jobs(analyses, self._cache, self._telemetry, self._webhooks)
        budget = settings.upload_budget // settings.workers
        limits = Limits.of(settings, Room(budget, chance=wiring.chance, trimming=Trimming(malloc_trim)))
        reanalysis = Reanalysis(self._cache, self._routing, monotonic=monotonic)
        providers = ProviderPages(
            self._routing, self._epochs, reanalysis, self.store, self.store.accounts, access, limits, self._telemetry
        )
        every = routes.Pages(
            analyses=AnalysisPages(analyses, self._jobs, access, limits, self._telemetry, self._webhooks),
            admin=AdminPages(self.store, self._invalidations, self._figures, access, limits, self._telemetry),
            minutes=MinutesPage(self.store.ledger, access),
            spend=SpendPages(
                self.store.accounts,
                self._accounting.report,
                access,
                limits,
                lambda: [provider.name for provider in self._routing.everyone()],
            ),
            providers=providers,
            metrics=MetricsPage(
                self.store.ledger,
                lambda: self._reporter.process,
                access,
                local=settings.host is not None and is_loopback(settings.host),
            ),
            health=HealthPages(
                self.store,
                self._routing.names(),
                openapi.document(__version__),
                stopping=lambda: self._stopped is not None,
            ),
            web=pages.WebPages(pages.read(pages.folder())),
            session=SessionPages(access, limits, settings.environment, monotonic=monotonic),
            overview=OverviewPages(self._overview, access),
            entries=EntryPages(
                Browsing(
                    self.store,
                    self.store.ledger,
                    self._invalidations,
                    self._routing,
                    sorted({DEFAULT_TENANT, *(key.tenant for key in settings.api_keys)}),
                ),
                access,
                self._telemetry,
            ),
        )
        router = Router(routes.table(every), redirect_slashes=False, lifespan=self._lifespan)
        at_once = AtOnce(analyses, access, limits, self._telemetry)
        return Connection(router, new_id=wiring.token, observer=self._telemetry, swift=at_once)

    @asynccontextmanager
    async def _lifespan(self, _: object) -> AsyncIterator[None]:
        await self.store.open()
        health = await self.store.health()
        level = log.warning if health.status in {"degraded", "off"} else log.info
        level(
            "store.opened",
            status=health.status,
            where=health.where,
            source=self._settings.store_from,
            reason=health.reason,
        )
        hear_of_the_end(self._stop)
        await self._cache.open()
        self._reporter.start()
        self._cashier.start()
        await self._invalidations.resume()
        if self._webhooks is not None:
            self._webhooks.start()
        self._watch.start()
        try:
            yield
        finally:
            await self._close()

    async def _figures(self) -> Figures:
        """The figures of the fleet; what cannot be had now is None."""
        await self._cache.flights.told()
        totals = await self._reporter.totals()
        try:
            processes = await self.store.ledger.processes()
            lines = await self.store.accounts.totals()
        except StoreUnavailable:
            return Figures(totals, None)
        return Figures(with_money(totals, added([lines, self._reporter.lines])), processes)

    async def _flush(self) -> None:
        """Bring to the books what this process has bought and counted. Raises StoreUnavailable."""
        await self._cache.flights.told()
        await self._reporter.flush()

    async def _count_peers(self) -> int:
        """How many processes share the budgets, as far as is known."""
        return max(self._settings.workers, len(await self.store.ledger.processes()))

    async def _commands(self) -> int | None:
        """How many commands this month has seen, if the store's commands are counted."""
        totals = await self._reporter.totals()
        return totals.get(counter_of("commands", self.store.now()))

    def _grown(self) -> dict[str, int]:
        return grown(self.store.channel.traffic, self.store.refused, getattr(self.store, "commands", 0))

    def _gauges(self) -> dict[str, int]:
        near, lag = self._cache.near, self.store.channel.traffic.lag
        gauges = {"flights": len(self._cache.flights), "near_bytes": near.used, "near_entries": len(near)}
        return gauges if lag is None else {**gauges, "notice_lag_ms": lag}

    def _stop(self) -> None:
        """The end has begun: the grace runs from here, and nothing new is bought."""
        if self._stopped is None:
            self._stopped = monotonic()
        self._cache.stop()

    async def _close(self) -> None:
        self._stop()
        await self._watch.close()
        spent = timedelta(seconds=monotonic() - (self._stopped or monotonic()))
        late = await self._cache.close(max(timedelta(0), self._settings.grace - spent))
        if late:
            log.warning("purchases.cancelled", count=late)
        if self._jobs is not None:
            await self._jobs.close()
        if self._webhooks is not None:
            await self._webhooks.close()
        await self._invalidations.close()
        for provider in self._routing.everyone():
            await provider.close()
        await self._cashier.close()
        await self._reporter.close()
        await self.store.close()
        log.info("stopped")
