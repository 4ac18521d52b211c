"""Who could be asked, for people: what is configured, what is missing, what each takes and bills."""

from __future__ import annotations

from typing import Any

from hashcache import wiring
from hashcache.core.content import Kind
from hashcache.core.money import FREE, decimal
from hashcache.ports import Terms
from hashcache.settings import Settings
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
    terms = Terms("", FREE) if missing else wiring.provider(name, settings).terms
    return {
        "name": name,
        "kinds": [kind.value for kind in Kind if kind in kinds],
        "asked_for": {kind.value: chain.index(name) + 1 for kind, chain in settings.providers.items() if name in chain},
        "configured": not missing,
        "missing": missing,
        "embedded": terms.embedded,
        "unit": terms.unit or None,
        "price_usd": None if missing else decimal(terms.price),
        "price_read": terms.read,
        "price_setting": f"HASHCACHE_{name.upper()}_PRICE_USD",
        "limits": list(terms.limits),
    }


def _missing(name: str, settings: Settings) -> list[str]:
    """The variables that *name* still needs."""
    if name == "provenance" or name in settings.vendors or (name == "generic" and settings.generic is not None):
        return []
    return ["HASHCACHE_GENERIC_URL"] if name == "generic" else list(KNOWN[name].secrets.values())
