"""The table of URLs, and nothing else. It is searched from above: what is asked most often comes first."""

from __future__ import annotations

from starlette.routing import Route

from hashcache.api.admin import AdminPages
from hashcache.api.analyses import AnalysisPages
from hashcache.api.asked import Page
from hashcache.api.health import HealthPages
from hashcache.api.metrics import MetricsPage
from hashcache.api.minutes import MinutesPage
from hashcache.api.pages import WebPages
from hashcache.api.providers import ProviderPages
from hashcache.api.spend import SpendPages


def table(
    analyses: AnalysisPages,
    admin: AdminPages,
    minutes: MinutesPage,
    spend: SpendPages,
    providers: ProviderPages,
    metrics: MetricsPage,
    health: HealthPages,
    web: WebPages,
) -> list[Route]:
    """Every route."""
    return [
        Route("/api/analyze", Page(analyses.analyze), methods=["POST"]),
        Route("/api/analyses/{sha256}", Page(analyses.resource), methods=["GET", "HEAD", "PUT", "DELETE"]),
        Route("/api/lookup", Page(analyses.lookup), methods=["POST"]),
        Route("/", Page(web.upload), methods=["GET"]),
        Route("/web/{name}", Page(web.file), methods=["GET"]),
        Route("/api/admin/cache/stats", Page(admin.stats), methods=["GET"]),
        Route("/api/admin/cache/minutes", Page(minutes.minutes), methods=["GET"]),
        Route("/api/admin/cache/clear", Page(admin.clear), methods=["POST"]),
        Route("/api/admin/cache/clears/{id}", Page(admin.progress), methods=["GET"]),
        Route("/api/admin/cache/invalidate", Page(admin.invalidate), methods=["POST"]),
        Route("/api/admin/cache/invalidate/{kind}", Page(admin.invalidate_kind), methods=["POST"]),
        Route("/api/admin/spend", Page(spend.spend), methods=["GET"]),
        Route("/api/admin/spend/import", Page(spend.import_bill), methods=["POST"]),
        Route("/api/admin/providers", Page(providers.providers), methods=["GET"]),
        Route("/api/admin/providers/{name}/epoch", Page(providers.raise_epoch), methods=["POST"]),
        Route("/api/admin/providers/{name}/reanalysis", Page(providers.reanalysis), methods=["GET"]),
        Route("/metrics", Page(metrics.metrics), methods=["GET"]),
        Route("/healthz", Page(health.healthz), methods=["GET"]),
        Route("/readyz", Page(health.readyz), methods=["GET"]),
        Route("/openapi.json", Page(health.openapi), methods=["GET"]),
    ]
