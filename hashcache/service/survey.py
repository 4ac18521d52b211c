"""Who could be asked, for people: what is configured, what is missing, what each takes and bills."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hashcache import wiring
from hashcache.core.content import Kind
from hashcache.core.money import FREE, decimal, dollars
from hashcache.ports import Terms
from hashcache.settings import Settings
from hashcache.settings.model import Vendor
from hashcache.settings.vendors import KNOWN


def survey(settings: Settings) -> list[dict[str, Any]]:
    """
    Every provider that there is. Asks nobody.

    Raises:
        SettingsError: what is set cannot be made.
    """
    return [_describe(name, settings) for name in ("provenance", "generic", *KNOWN)]


def _describe(name: str, settings: Settings) -> dict[str, Any]:
    missing = _missing(name, settings)
    kinds = KNOWN[name].kinds if name in KNOWN else frozenset(Kind)
    terms = _terms(name, settings)
    return {
        "name": name,
        "kinds": [kind.value for kind in Kind if kind in kinds],
        "asked_for": {kind.value: chain.index(name) + 1 for kind, chain in settings.providers.items() if name in chain},
        "configured": not missing,
        "missing": missing,
        "embedded": terms.embedded,
        "unit": terms.unit,
        "price_usd": decimal(terms.price),
        "price_read": terms.read,
        "price_setting": None if terms.embedded else f"HASHCACHE_{name.upper()}_PRICE_USD",
        "limits": list(terms.limits),
    }


def _missing(name: str, settings: Settings) -> list[str]:
    """The variables that *name* still needs."""
    if name == "provenance" or name in settings.vendors or (name == "generic" and settings.generic is not None):
        return []
    return ["HASHCACHE_GENERIC_URL"] if name == "generic" else list(KNOWN[name].secrets.values())


def _terms(name: str, settings: Settings) -> Terms:
    """The terms of *name*; where there is no account yet, those that it has by default."""
    if name == "generic" and settings.generic is None:
        return Terms("call", FREE)
    if name in KNOWN and name not in settings.vendors:
        settings = replace(settings, vendors={name: _default(name)})
    return wiring.provider(name, settings).terms


def _default(name: str) -> Vendor:
    """An account that opens nothing, with all that is not secret as it is by default."""
    known = KNOWN[name]
    return Vendor(
        key="none",
        url=known.url,
        price=dollars(known.price),
        timeout=None,
        concurrency=1,
        ai_above=float(known.ai_above),
        most_bytes=None,
    )
