"""The table of URLs, and nothing else."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.routing import Route

from hashcache.api.admin import AdminPages
from hashcache.api.analyses import AnalysisPages
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
        Route("/", pages.web.upload, methods=["GET"]),
        Route("/web/{name}", pages.web.file, methods=["GET"]),
        Route("/admin", pages.web.admin, methods=["GET"]),
        Route("/admin/session", pages.session.who, methods=["GET"]),
        Route("/admin/session", pages.session.sign_in, methods=["POST"]),
        Route("/admin/session", pages.session.sign_out, methods=["DELETE"]),
        Route("/api/admin/overview", pages.overview.overview, methods=["GET"]),
        Route("/api/admin/alerts", pages.overview.alerts, methods=["GET"]),
        Route("/api/admin/cache/entries", pages.entries.entries, methods=["GET"]),
        Route("/api/admin/cache/entries/{key:path}", pages.entries.entry, methods=["GET", "DELETE"]),
        Route("/api/analyze", pages.analyses.analyze, methods=["POST"]),
        Route("/api/lookup", pages.analyses.lookup, methods=["POST"]),
        Route("/api/analyses/{sha256}", pages.analyses.resource, methods=["GET", "HEAD", "PUT", "DELETE"]),
        Route("/api/admin/cache/stats", pages.admin.stats, methods=["GET"]),
        Route("/api/admin/cache/minutes", pages.minutes.minutes, methods=["GET"]),
        Route("/api/admin/cache/clear", pages.admin.clear, methods=["POST"]),
        Route("/api/admin/cache/clears/{id}", pages.admin.progress, methods=["GET"]),
        Route("/api/admin/cache/invalidate", pages.admin.invalidate, methods=["POST"]),
        Route("/api/admin/cache/invalidate/{kind}", pages.admin.invalidate_kind, methods=["POST"]),
        Route("/api/admin/spend", pages.spend.spend, methods=["GET"]),
        Route("/api/admin/spend/import", pages.spend.import_bill, methods=["POST"]),
        Route("/api/admin/providers", pages.providers.providers, methods=["GET"]),
        Route("/api/admin/providers/{name}/epoch", pages.providers.raise_epoch, methods=["POST"]),
        Route("/api/admin/providers/{name}/reanalysis", pages.providers.reanalysis, methods=["GET"]),
        Route("/metrics", pages.metrics.metrics, methods=["GET"]),
        Route("/healthz", pages.health.healthz, methods=["GET"]),
        Route("/readyz", pages.health.readyz, methods=["GET"]),
        Route("/openapi.json", pages.health.openapi, methods=["GET"]),
    ]
