"""
Any paid HTTP API, as hashcache's `generic` calls it: one address, a file in a form or a text in JSON, a score.
"""

from __future__ import annotations

from loadtests.vendor.dialect import Reply, score, told
from loadtests.vendor.received import Request

NAME = "generic"
KINDS = ("image", "video", "text")
UNIT, PRICE = "call", 10_000
PATH = "/analyse"


def settings(url: str) -> dict[str, str]:
    """The address, and where in the answer the score and the version are."""
    return {
        "HASHCACHE_GENERIC_URL": url + PATH,
        "HASHCACHE_GENERIC_SCORE": "/score",
        "HASHCACHE_GENERIC_VERSION": "/version",
    }


def objection(request: Request) -> Reply | None:
    """What the vendor has against the request."""
    if (request.method, request.path) != ("POST", PATH):
        return told(404, {"error": "there is nothing here"})
    return None if request.size else told(400, {"error": "a file, or a text, is required"})


def analyse(request: Request) -> Reply:
    """A score that follows from the content."""
    return told(200, {"score": score(request.content), "version": "load-1"}, units=1)


def refusal(status: int) -> Reply:
    """A sentence."""
    return told(status, {"error": f"A sentence about {status}"})
