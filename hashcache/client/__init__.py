"""
The HTTP client of the service: hash first, upload only on a miss.

    from hashcache import Client

    with Client("https://cache.example.com", api_key="...") as cache:
        found = cache.analyze("photo.jpg")
        print(found.verdict, found.cached, found.cost.saved_usd)

Rule 1: bytes travel only when the service does not know them: it is asked by their SHA-256 first.
Rule 2: nothing is bought twice because a line broke: after an upload whose fate is unknown the service is asked by
        hash, and only what it does not know is sent again.
Rule 3: what is done is decided in one place (`steps`), without I/O; `Client` and `AsyncClient` only carry it out.
Rule 4: a call ends by its deadline, a file is never in memory as a whole, and no variable of the environment is read.
"""

from __future__ import annotations

from hashcache.client.answers import (
    Analysis,
    CacheFigures,
    Clearing,
    Cost,
    Evidence,
    Found,
    Lookup,
    Result,
    Spend,
    SpendFigures,
    Stats,
)
from hashcache.client.asynchronous import AsyncClient
from hashcache.client.problems import (
    BudgetProblem,
    ContentChanged,
    ContentProblem,
    NotAllowed,
    NotHashcache,
    Problem,
    ProviderProblem,
    RequestProblem,
    ServiceError,
    ServiceProblem,
    TimedOut,
    Unreachable,
)
from hashcache.client.synchronous import Client

__all__ = [
    "Analysis",
    "AsyncClient",
    "BudgetProblem",
    "CacheFigures",
    "Clearing",
    "Client",
    "ContentChanged",
    "ContentProblem",
    "Cost",
    "Evidence",
    "Found",
    "Lookup",
    "NotAllowed",
    "NotHashcache",
    "Problem",
    "ProviderProblem",
    "RequestProblem",
    "Result",
    "ServiceError",
    "ServiceProblem",
    "Spend",
    "SpendFigures",
    "Stats",
    "TimedOut",
    "Unreachable",
]
