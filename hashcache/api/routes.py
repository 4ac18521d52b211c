"""The table of URLs, and nothing else. It is searched from above: what is asked most often comes first."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.routing import Route

from hashcache.api.admin import AdminPages
from hashcache.api.analyses import AnalysisPages
from hashcache.api.asked import Page
from hashcache.api.entries import EntryPages
from hashcache.api.health import HealthPages
from hashcache.api.metrics import MetricsPage
from hashcache.api.minutes import MinutesPage
from hashcache.api.overview import OverviewPages
from hashcache.api.pages import WebPages
from hashcache.api.providers import ProviderPages
from hashcache.api.session import SessionPages
from hashcache.api.spend import SpendPages


@dataclass(frozen=True, slots=True, kw_only=True)
class Pages:
    """All pages there are."""

    analyses: AnalysisPages
    admin: AdminPages
    minutes: MinutesPage
    spend: SpendPages
    providers: ProviderPages
    metrics: MetricsPage
    health: HealthPages
    web: WebPages
    session: SessionPages
    overview: OverviewPages
    entries: EntryPages


def table(pages: Pages) -> list[Route]:
    """Every route."""
    return [
        Route("/api/analyze", Page(pages.analyses.analyze), methods=["POST"]),
        Route("/api/analyses/{sha256}", Page(pages.analyses.resource), methods=["GET", "HEAD", "PUT", "DELETE"]),
        Route("/api/lookup", Page(pages.analyses.lookup), methods=["POST"]),
        Route("/", Page(pages.web.upload), methods=["GET"]),
        Route("/web/{name}", Page(pages.web.file), methods=["GET"]),
        Route("/admin", Page(pages.web.admin), methods=["GET"]),
        Route("/favicon.ico", Page(pages.web.icon), methods=["GET"]),
        Route("/admin/session", Page(pages.session.resource), methods=["GET", "POST", "DELETE"]),
        Route("/api/admin/overview", Page(pages.overview.overview), methods=["GET"]),
        Route("/api/admin/alerts", Page(pages.overview.alerts), methods=["GET"]),
        Route("/api/admin/cache/entries", Page(pages.entries.entries), methods=["GET"]),
        Route("/api/admin/cache/entries/{key:path}", Page(pages.entries.entry), methods=["GET", "DELETE"]),
        Route("/api/admin/cache/stats", Page(pages.admin.stats), methods=["GET"]),
        Route("/api/admin/cache/minutes", Page(pages.minutes.minutes), methods=["GET"]),
        Route("/api/admin/cache/clear", Page(pages.admin.clear), methods=["POST"]),
        Route("/api/admin/cache/clears/{id}", Page(pages.admin.progress), methods=["GET"]),
        Route("/api/admin/cache/invalidate", Page(pages.admin.invalidate), methods=["POST"]),
        Route("/api/admin/cache/invalidate/{kind}", Page(pages.admin.invalidate_kind), methods=["POST"]),
        Route("/api/admin/spend", Page(pages.spend.spend), methods=["GET"]),
        Route("/api/admin/spend/import", Page(pages.spend.import_bill), methods=["POST"]),
        Route("/api/admin/providers", Page(pages.providers.providers), methods=["GET"]),
        Route("/api/admin/providers/{name}/epoch", Page(pages.providers.raise_epoch), methods=["POST"]),
        Route("/api/admin/providers/{name}/reanalysis", Page(pages.providers.reanalysis), methods=["GET"]),
        Route("/metrics", Page(pages.metrics.metrics), methods=["GET"]),
        Route("/healthz", Page(pages.health.healthz), methods=["GET"]),
        Route("/readyz", Page(pages.health.readyz), methods=["GET"]),
        Route("/openapi.json", Page(pages.health.openapi), methods=["GET"]),
    ]
