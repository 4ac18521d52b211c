"""What each provider tells of itself, as it is made from settings."""

from __future__ import annotations

import pytest

from hashcache import wiring
from hashcache.settings import load
from hashcache.settings.vendors import KNOWN


@pytest.mark.parametrize("name", KNOWN)
async def test_a_vendor_tells_its_threshold(name: str) -> None:
    """The one that was set, so that verdicts near to it can be found."""
    account = dict.fromkeys(KNOWN[name].secrets.values(), "x" * 40)
    settings = load({**account, "HASHCACHE_PROVIDER": name, f"HASHCACHE_{name.upper()}_AI_ABOVE": "0.7"})
    provider = wiring.provider(name, settings)
    assert provider.terms.ai_above == 0.7
    await provider.close()


@pytest.mark.parametrize(("score", "above"), [({"HASHCACHE_GENERIC_SCORE": "/score"}, 0.7), ({}, None)])
async def test_an_api_without_a_score_has_no_threshold(score: dict[str, str], above: float | None) -> None:
    """`generic`, as far as its score is known."""
    variables = {
        "HASHCACHE_PROVIDER": "generic",
        "HASHCACHE_GENERIC_URL": "http://127.0.0.1:1/analyse",
        "HASHCACHE_GENERIC_AI_ABOVE": "0.7",
        **score,
    }
    provider = wiring.provider("generic", load(variables))
    assert provider.terms.ai_above == above
    await provider.close()
