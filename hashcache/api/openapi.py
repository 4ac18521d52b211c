"""
The OpenAPI 3.1 document of the service, as `GET /openapi.json` gives it.

Rule 1: it is written by hand, in openapi.json beside this module; nothing is derived from the routes. Tests hold it
        to docs/api.md, to the types of `api/problems` and to the running service.
Rule 2: it states what every server keeps to; limits that an operator sets are named, not numbered.
"""

from __future__ import annotations

import json
from importlib import resources
from typing import Any


def document(version: str) -> dict[str, Any]:
    """The document of the service in *version*; the caller may change what it gets."""
    text = resources.files("hashcache.api").joinpath("openapi.json").read_text(encoding="utf-8")
    described: dict[str, Any] = json.loads(text)
    described["info"]["version"] = version
    return described
