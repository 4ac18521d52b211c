"""The table of URLs, and nothing else."""

from __future__ import annotations

from starlette.routing import Route

from hashcache.api.admin import AdminPages
from hashcache.api.analyses import AnalysisPages
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
        Route("/", web.upload, methods=["GET"]),
        Route("/web/{name}", web.file, methods=["GET"]),
        Route("/api/analyze", analyses.analyze, methods=["POST"]),
        Route("/api/lookup", analyses.lookup, methods=["POST"]),
        Route("/api/analyses/{sha256}", analyses.resource, methods=["GET", "HEAD", "PUT", "DELETE"]),
        Route("/api/admin/cache/stats", admin.stats, methods=["GET"]),
        Route("/api/admin/cache/minutes", minutes.minutes, methods=["GET"]),
        Route("/api/admin/cache/clear", admin.clear, methods=["POST"]),
        Route("/api/admin/cache/clears/{id}", admin.progress, methods=["GET"]),
        Route("/api/admin/cache/invalidate", admin.invalidate, methods=["POST"]),
        Route("/api/admin/cache/invalidate/{kind}", admin.invalidate_kind, methods=["POST"]),
        Route("/api/admin/spend", spend.spend, methods=["GET"]),
        Route("/api/admin/spend/import", spend.import_bill, methods=["POST"]),
        Route("/api/admin/providers", providers.providers, methods=["GET"]),
        Route("/api/admin/providers/{name}/epoch", providers.raise_epoch, methods=["POST"]),
        Route("/api/admin/providers/{name}/reanalysis", providers.reanalysis, methods=["GET"]),
        Route("/metrics", metrics.metrics, methods=["GET"]),
        Route("/healthz", health.healthz, methods=["GET"]),
        Route("/readyz", health.readyz, methods=["GET"]),
        Route("/openapi.json", health.openapi, methods=["GET"]),
    ]
