"""
hashcache: never pay twice to analyse the same bytes.

The names are loaded when they are first used: importing hashcache loads neither a store, a server nor a client.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hashcache.client import Analysis, AsyncClient, Client, Problem, ServiceError, TimedOut, Unreachable
    from hashcache.core.errors import HashcacheError, PatternError, SettingsError
    from hashcache.integrations.arguments import NoCanonicalForm
    from hashcache.integrations.blocking import SyncCache
    from hashcache.integrations.cache import Cache
    from hashcache.integrations.figures import Stats, TypeStats
    from hashcache.integrations.keys import Keys
    from hashcache.integrations.listening import Invalidated
    from hashcache.integrations.loads import RememberedFailure
    from hashcache.integrations.offering import Offer
    from hashcache.integrations.prefetching import Prefetch
    from hashcache.integrations.types import TYPES, Type
    from hashcache.integrations.values import Codec, NotKept
    from hashcache.integrations.warming import Warmed

__all__ = [
    "TYPES",
    "Analysis",
    "AsyncClient",
    "Cache",
    "Client",
    "Codec",
    "HashcacheError",
    "Invalidated",
    "Keys",
    "NoCanonicalForm",
    "NotKept",
    "Offer",
    "PatternError",
    "Prefetch",
    "Problem",
    "RememberedFailure",
    "ServiceError",
    "SettingsError",
    "Stats",
    "SyncCache",
    "TimedOut",
    "Type",
    "TypeStats",
    "Unreachable",
    "Warmed",
    "__version__",
]

__version__ = "0.1.0"

#: Where each name lives (PEP 562).
_HOMES = {
    "TYPES": "integrations.types",
    "Analysis": "client",
    "AsyncClient": "client",
    "Cache": "integrations.cache",
    "Client": "client",
    "Codec": "integrations.values",
    "HashcacheError": "core.errors",
    "Invalidated": "integrations.listening",
    "Keys": "integrations.keys",
    "NoCanonicalForm": "integrations.arguments",
    "NotKept": "integrations.values",
    "Offer": "integrations.offering",
    "PatternError": "core.errors",
    "Prefetch": "integrations.prefetching",
    "Problem": "client",
    "RememberedFailure": "integrations.loads",
    "ServiceError": "client",
    "SettingsError": "core.errors",
    "Stats": "integrations.figures",
    "SyncCache": "integrations.blocking",
    "TimedOut": "client",
    "Type": "integrations.types",
    "TypeStats": "integrations.figures",
    "Unreachable": "client",
    "Warmed": "integrations.warming",
}


def __getattr__(name: str) -> object:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'hashcache' has no attribute {name!r}")
    found: object = getattr(import_module(f"hashcache.{home}"), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
