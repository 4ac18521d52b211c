"""
hashcache: never pay twice to analyse the same bytes.

Rule: a name is loaded when it is first used (PEP 562): importing hashcache loads neither a server nor a client.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hashcache.client import Analysis, AsyncClient, Client, Problem, ServiceError, TimedOut, Unreachable

__all__ = [
    "Analysis",
    "AsyncClient",
    "Client",
    "Problem",
    "ServiceError",
    "TimedOut",
    "Unreachable",
    "__version__",
]

__version__ = "0.1.0"

#: Where each public name is defined.
_ROOMS = {
    "Analysis": "hashcache.client",
    "AsyncClient": "hashcache.client",
    "Client": "hashcache.client",
    "Problem": "hashcache.client",
    "ServiceError": "hashcache.client",
    "TimedOut": "hashcache.client",
    "Unreachable": "hashcache.client",
}


def __getattr__(name: str) -> object:
    room = _ROOMS.get(name)
    if room is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(room), name)


def __dir__() -> list[str]:
    return list(__all__)
